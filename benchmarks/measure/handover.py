"""How far apart the processors are, told by how long it takes threads to hand work over, and a rest that helps.

A hypervisor may move one of its guest's processors away from the other, to where they share no cache, and back, within
seconds and unseen: load, pressure and steal say nothing of it. What runs on one thread takes as long as before, but
handing work from thread to thread takes a third longer, and networks of many small operators 40 % longer, large
products hardly at all. It brings them together again when they rest for a moment, and never while both are busy.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

import numpy as np

from zoo.lazy import torch

__all__ = ["Handover", "longest_of_close"]

APART = 1.15  # times the shortest handovers seen, above which processors are called far from one another
SHORTEST = 10  # percentile of the handovers seen that are the shortest
GROUPS, CALLS = 7, 10  # groups of calls of which the median counts, and calls in each
SHARE = 1 << 15  # numbers from which PyTorch gives another thread a share of them (at::internal::GRAIN_SIZE)
PAUSES = (0.005, 0.01, 0.01, 0.02, 0.02)  # seconds of rest, the next for as long as processors are apart


class Handover:
    """Times an operator that has little to do but to share out numbers among PyTorch's threads and to wait for them."""

    def __init__(self) -> None:
        threads = torch.get_num_threads()
        self._shares = torch.zeros(SHARE * threads, dtype=torch.int8) if threads > 1 else None

    def seconds(self) -> float:
        """Of one handover; 0 where there is one thread."""
        if self._shares is None:
            return 0.0
        groups = []
        for _ in range(GROUPS):
            start = time.perf_counter()
            for _ in range(CALLS):
                self._shares.add_(1)
            groups.append(time.perf_counter() - start)
        return statistics.median(groups) / CALLS

    def rest(self, longest: float) -> float:
        """Waits for a moment, and while handovers take longer than `longest` seconds a few moments more; the last."""
        found = 0.0
        for pause in PAUSES if self._shares is not None else ():
            time.sleep(pause)
            found = self.seconds()
            if found <= longest:
                break
        return found


def longest_of_close(handovers: Sequence[float]) -> float:
    """Seconds of a handover up to which processors are called close, given those seen so far."""
    return APART * float(np.percentile(handovers, SHORTEST)) if handovers else float("inf")
