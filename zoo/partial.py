"""Files that are whole or not there: written beside their place under another name, and renamed when they are done.

A killed process leaves what it had written so far. Its name says which process of which machine that was; whoever
writes the same file next, or sweeps its folder, removes it.
"""

from __future__ import annotations

import glob
import os
import platform
import re
import secrets
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["patiently", "replacing", "sweep"]

NAME = 80  # characters of the file's own name in that of its part
PAUSES = (0.05, 0.1, 0.2, 0.4) if os.name == "nt" else ()  # seconds; elsewhere a refusal is meant
_ENDING = re.compile(r"\.([0-9a-f]{8})-(\d+)-[0-9a-f]+\.partial$")


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """A path to write to, which takes the place of `target` when the block ends; after an error it is gone.

    Raises:
        OSError: the folder cannot be written, or `target` is something else than a file.
    """
    target = Path(os.path.realpath(target))  # a link goes on leading to the file
    if target.exists() and not target.is_file():
        raise OSError(f"{target} is not a file")
    sweep(target.parent, target.name[:NAME])
    partial = target.with_name(f".{target.name[:NAME]}.{_machine()}-{os.getpid()}-{secrets.token_hex(4)}.partial")
    try:
        with partial.open("wb") as empty:
            mode = os.fstat(empty.fileno()).st_mode
        yield partial
        partial.chmod(mode)  # as any new file of this user has it, however a library made its own
        with partial.open("rb+") as written:
            os.fsync(written.fileno())
        patiently(lambda: partial.replace(target))
    finally:
        partial.unlink(missing_ok=True)


def sweep(folder: Path, name: str | None = None) -> None:
    """Removes what processes of this machine that have ended left in a folder, of the file of this name or of any."""
    for found in glob.glob(f".{'*' if name is None else glob.escape(name)}.*.partial", root_dir=folder):
        ending = _ENDING.search(found)
        if ending and ending[1] == _machine() and not _runs(int(ending[2])):
            with suppress(OSError):
                (folder / found).unlink()


def patiently(move: Callable[[], Path]) -> Path:
    """Moves a file, a few times over where another program has it open, which Windows does not allow."""
    for pause in PAUSES:
        try:
            return move()
        except PermissionError:
            time.sleep(pause)
    return move()


def _machine() -> str:
    return f"{zlib.crc32(platform.node().encode()):08x}"


def _runs(process: int) -> bool:
    import psutil

    return process == os.getpid() or bool(psutil.pid_exists(process))
