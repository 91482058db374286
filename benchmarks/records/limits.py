"""What this process may take of the machine: the limits of its control group and of every group around that.

They are conditions of a run, not facts of the machine: a container or `taskset` makes no other machine of it.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import platform
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import psutil

from zoo.errors import shown

__all__ = ["available_memory", "cpu_quota", "fast_cores", "job_cpus", "load_average", "memory_limit"]

GROUPS = Path("/proc/self/cgroup")  # the groups this process is in, a line a hierarchy
MOUNT = Path("/sys/fs/cgroup")
UNLIMITED = 1 << 60  # bytes from which on version 1 means that there is no limit


def cpu_quota() -> float | None:
    """Processors the groups may use together, of the narrowest; None without a limit."""
    quotas = []
    for folder in _levels("cpu"):
        version1 = _numbers(folder, "cpu.cfs_quota_us") + _numbers(folder, "cpu.cfs_period_us")
        for found in (_numbers(folder, "cpu.max"), version1):
            if len(found) == 2 and min(found) > 0:
                quotas.append(found[0] / found[1])
    return min(quotas, default=None)


def job_cpus() -> int | None:
    """Processors that Slurm gave the job on this node; None outside of a job, or where that cannot be understood.

    Slurm writes "24", or "24(x2)" for two nodes with 24 each, or "24,16(x3)" for unlike ones: then the fewest count.
    """
    for name in ("SLURM_CPUS_ON_NODE", "SLURM_JOB_CPUS_PER_NODE"):
        text = os.environ.get(name, "").strip()
        parts = [re.fullmatch(r"(\d+)(\(x\d+\))?", part.strip()) for part in text.split(",")]
        if text and all(part and int(part[1]) for part in parts):
            return min(int(part[1]) for part in parts if part)
        if text:
            logging.getLogger(__name__).warning("%s is not understood and not used: %s", name, shown(text))
    return None


@functools.cache
def fast_cores() -> int | None:
    """Apple's performance cores: a computation that waits for its slowest thread is slower with the others, too."""
    if platform.system() != "Darwin":
        return None
    asked = ["sysctl", "-n", "hw.perflevel0.physicalcpu"]
    try:
        said = subprocess.run(asked, capture_output=True, encoding="utf-8", timeout=10, check=True).stdout
        return int(said) or None
    except (OSError, ValueError, subprocess.SubprocessError):  # an Intel Mac, whose cores are all alike
        return None


def memory_limit() -> int | None:
    """Bytes the groups may hold, of the narrowest; None without a limit."""
    limits = [limit for limit, _ in _memories()]
    return min(limits, default=None)


def available_memory() -> int:
    """Bytes that can still be taken without anything being swapped or killed: on the machine and in every group."""
    left = [limit - held for limit, held in _memories()]
    return max(0, min([int(psutil.virtual_memory().available), *left]))


def load_average() -> tuple[float, float, float]:
    """Tasks that wanted a processor in the last 1, 5 and 15 minutes; zeros where nothing tells."""
    try:
        return psutil.getloadavg()
    except (AttributeError, OSError):
        return 0.0, 0.0, 0.0


def _memories() -> Iterator[tuple[int, int]]:
    """Limit of each group that has one, and what it holds for good: files the kernel has cached it can give up."""
    for folder in _levels("memory"):
        for limit_file, held_file, cached in (
            ("memory.max", "memory.current", "inactive_file"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        ):
            limit = sum(_numbers(folder, limit_file))
            if 0 < limit < UNLIMITED:
                words = _text(folder / "memory.stat").split()
                given_up = dict(zip(words[::2], words[1::2], strict=False)).get(cached, "0")
                yield limit, sum(_numbers(folder, held_file)) - int(given_up)


def _levels(controller: str) -> Iterator[Path]:
    """The folders of the groups that a controller limits this process by, from its own outwards."""
    for line in _text(GROUPS).splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:  # version 2
            mounts = [MOUNT, MOUNT / "unified"]
        elif controller in controllers.split(","):
            mounts = [MOUNT / controllers, MOUNT / controller]
        else:
            continue
        group = PurePosixPath(path.lstrip("/"))
        mount = next((mount for mount in mounts if mount.is_dir()), None)
        if mount is not None and ".." not in group.parts:
            yield from (mount / each for each in (group, *group.parents) if (mount / each).is_dir())


def _numbers(folder: Path, name: str) -> tuple[int, ...]:
    """The numbers in a file of a group; none where there is no such file or it says "max"."""
    with contextlib.suppress(ValueError):
        return tuple(int(word) for word in _text(folder / name).split())
    return ()


def _text(path: Path) -> str:
    with contextlib.suppress(OSError):
        return path.read_text(encoding="utf-8")
    return ""
