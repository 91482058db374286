"""How many processes read images beside one that trains, and what stands in their way."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

__all__ = ["limited", "usual"]

SHARED = Path("/dev/shm")  # where processes hand tensors to one another, on Linux
AHEAD = 3  # batches of each reader that wait there: two it was asked for, one being taken
SPARE_FILES = 128  # open ones that are none of the readers'


def usual(processes: int = 1) -> int:
    """Half of the processors that this process may use, at most 8, shared by the `processes` that train here."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(8, max(1, processors // 2 // processes))


def limited(wanted: int, *, images: int, image_bytes: int, processes: int = 1) -> tuple[int, str]:
    """As many readers as there is room for, and a line that says why they are fewer than wanted; else an empty one.

    Args:
        wanted: readers of this process.
        images, image_bytes: of a batch, and of an image as the network sees it.
        processes: that train on this machine and share the room.
    """
    if not wanted:
        return 0, ""
    number, line = wanted, ""
    room = shutil.disk_usage(SHARED).free if SHARED.is_dir() else None
    if room is not None:
        number = min(wanted, int(0.8 * room / processes) // (AHEAD * images * image_bytes))
    if number < wanted:
        line = (
            f"{SHARED} has {room / 1e6:,.0f} MB, too few for {wanted} that read images beside a process: {number} do; "  # type: ignore[operator]
            "in a container --shm-size gives it more"
        )
    files = _open_files(SPARE_FILES + number * AHEAD * images)
    if files is not None and SPARE_FILES + number * AHEAD * images > files:
        number = max(0, files - SPARE_FILES) // (AHEAD * images)
        line = f"{files} open files are too few for {wanted} that read images beside a process: {number} do (ulimit -n)"
    return number, line


def _open_files(wanted: int) -> int | None:
    """How many files may be open, raised to what is wanted where that is allowed; None where nobody counts."""
    try:
        import resource
    except ImportError:
        return None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return None
    if soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
            soft = max(soft, most)
    return soft
