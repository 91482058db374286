"""Whether other programs keep the processors from what is being timed."""

from __future__ import annotations

import contextlib
import time
from types import TracebackType

import psutil

__all__ = ["NOISY", "Watch"]

NOISY = 0.15  # processors that others kept busy, from which on times say little about a quiet machine


class Watch:
    """Counts, whenever it is entered, what the processors do for other processes.

    This process and those that it started, directly or by way of others, are not others.
    """

    def __init__(self) -> None:
        self._wall = self._others = 0.0
        self._entered = (0.0, 0.0)

    def __enter__(self) -> Watch:
        self._entered = (time.perf_counter(), _seconds_of_others())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        wall, others = self._entered
        self._wall += time.perf_counter() - wall
        self._others += _seconds_of_others() - others

    @property
    def others(self) -> float:
        """Processors that were busy for others, in the mean over the time inside."""
        return max(self._others, 0.0) / self._wall if self._wall else 0.0

    @property
    def noisy(self) -> bool:
        """Whether what was timed meanwhile is likely to be longer than on a quiet machine."""
        return self.others > NOISY


def _seconds_of_others() -> float:
    """Processor seconds, from some start, that went to other processes or, from a virtual machine, to its host."""
    own = 0.0
    with contextlib.suppress(psutil.Error, OSError):  # a process may end meanwhile
        here = psutil.Process()
        for process in (here, *here.children(recursive=True)):
            spent = process.cpu_times()
            own += spent.user + spent.system + spent.children_user + spent.children_system  # of children that ended
    with contextlib.suppress(psutil.Error, OSError):
        times = psutil.cpu_times()
        return float(times.user + times.system + getattr(times, "nice", 0.0) + getattr(times, "steal", 0.0) - own)
    return 0.0  # nothing is known of others
