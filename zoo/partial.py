"""Files that are whole or not there: written beside their place under another name, and renamed when they are done.

A killed process leaves what it had written so far. Its name says which process of which machine that was; whoever
writes the same file next sweeps it away.
"""

from __future__ import annotations

import glob
import os
import platform
import re
import secrets
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["replacing"]

NAME = 80  # characters of the file's own name in that of its part
_ENDING = re.compile(r"\.([0-9a-f]{8})-(\d+)-[0-9a-f]+\.partial")


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """A path to write to, which takes the place of `target` when the block ends; after an error it is gone.

    Raises:
        OSError: the folder cannot be written, or `target` is something else than a file.
    """
    target = Path(os.path.realpath(target))  # a link goes on leading to the file
    if target.exists() and not target.is_file():
        raise OSError(f"{target} is not a file")
    _sweep(target)
    partial = target.with_name(f".{target.name[:NAME]}.{_machine()}-{os.getpid()}-{secrets.token_hex(4)}.partial")
    try:
        with partial.open("wb") as empty:
            mode = os.fstat(empty.fileno()).st_mode
        yield partial
        partial.chmod(mode)  # as any new file of this user has it, however a library made its own
        with partial.open("rb+") as written:
            os.fsync(written.fileno())
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _sweep(target: Path) -> None:
    """Removes what processes of this machine that have ended left of the file."""
    for name in glob.glob(f".{glob.escape(target.name[:NAME])}.*.partial", root_dir=target.parent):
        ending = _ENDING.fullmatch(name.removeprefix(f".{target.name[:NAME]}"))
        if ending and ending[1] == _machine() and not _runs(int(ending[2])):
            with suppress(OSError):
                (target.parent / name).unlink()


def _machine() -> str:
    return f"{zlib.crc32(platform.node().encode()):08x}"


def _runs(process: int) -> bool:
    import psutil

    return process == os.getpid() or bool(psutil.pid_exists(process))
