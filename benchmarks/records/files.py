"""Files that are replaced whole or not at all, and what identifies one."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
from pathlib import Path

__all__ = ["checksum", "replace_file"]


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
        temporary.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def checksum(path: Path) -> str:
    """SHA-256 of a file, read again only when its size or its time has changed."""
    found = path.stat()
    return _checksum(path, found.st_size, found.st_mtime_ns)


@functools.cache
def _checksum(path: Path, _size: int, _mtime_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
