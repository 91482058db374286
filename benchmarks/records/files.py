"""Files that are replaced whole or not at all, read only where they are files, and what identifies one."""

from __future__ import annotations

import errno
import functools
import hashlib
import os
import stat
from pathlib import Path

from zoo.partial import patiently, replacing

__all__ = ["checksum", "read_file", "replace_file", "set_aside"]


def replace_file(path: Path, content: str | bytes) -> None:
    """Gives a file this content, so that a reader sees the old file or the new one.

    Raises:
        OSError: the disk is full or the folder read-only; the old file is untouched.
    """
    with replacing(path) as partial:
        partial.write_bytes(content.encode() if isinstance(content, str) else content)


def read_file(path: Path) -> bytes:
    """What a file holds.

    Raises:
        OSError: it cannot be read or is no regular file: a pipe or a device might never end.
    """
    _regular(path)
    return path.read_bytes()


def checksum(path: Path) -> str:
    """SHA-256 of a file, read again only when its size or its time has changed; raises as `read_file`."""
    found = _regular(path)
    return _checksum(path, found.st_size, found.st_mtime_ns)


def set_aside(path: Path) -> Path | None:
    """Gives what there is in a place a name beside it that nothing has, which it returns; None where there is nothing.

    Raises:
        OSError: it cannot be renamed.
    """
    if not os.path.lexists(path):
        return None
    number = 1
    while os.path.lexists(kept := path.with_name(f"{path.name}.old{number if number > 1 else ''}")):
        number += 1
    return patiently(lambda: path.rename(kept))


def _regular(path: Path) -> os.stat_result:
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return found


@functools.cache
def _checksum(path: Path, _size: int, _mtime_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
