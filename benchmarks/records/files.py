"""Files that are replaced whole or not at all, read only where they are files, and what identifies one."""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import os
import re
import stat
import time
from collections.abc import Callable
from pathlib import Path

import psutil

__all__ = ["checksum", "read_file", "replace_file", "set_aside", "sweep"]

PAUSES = (0.05, 0.1, 0.2, 0.4) if os.name == "nt" else ()  # seconds; elsewhere a refusal is meant


def replace_file(path: Path, content: str | bytes) -> None:
    """Writes `content` beside `path` and moves it there, so that a reader sees the old file or the new one.

    Raises:
        OSError: the disk is full or the folder read-only; the old file is untouched.
    """
    data = content.encode() if isinstance(content, str) else content
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        _patiently(lambda: temporary.replace(path))
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


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
    return _patiently(lambda: path.rename(kept))


def sweep(folder: Path) -> None:
    """Removes what processes that were killed while they replaced files of a folder have left there."""
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            writer = re.fullmatch(r"\..+\.(?:csv|html|json|jsonl|md|png|svg|written)\.(\d+)", path.name)
            if writer and not psutil.pid_exists(int(writer[1])):
                path.unlink()


def _patiently(move: Callable[[], Path]) -> Path:
    """Moves a file, a few times over where another program has it open, which Windows does not allow."""
    for pause in PAUSES:
        try:
            return move()
        except PermissionError:
            time.sleep(pause)
    return move()


def _regular(path: Path) -> os.stat_result:
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return found


@functools.cache
def _checksum(path: Path, _size: int, _mtime_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
