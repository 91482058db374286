"""Several parts of a data set as one."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate, groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from zoo.data.dataset import Batch, Split

if TYPE_CHECKING:
    from torch import Tensor

    from zoo.spec import Input

__all__ = ["Joined"]


class Joined:
    """The images of several splits one after another, to evaluate on all of them.

    Args:
        parts: at least one.
    """

    def __init__(self, parts: Sequence[Split]) -> None:
        import torch

        self._parts = tuple(parts)
        self._starts = [0, *accumulate(len(part.labels) for part in parts)][:-1]
        self.labels: Tensor = torch.cat([part.labels for part in parts])

    def name(self, position: int) -> str:
        """Which image stands at a position."""
        number = bisect_right(self._starts, position) - 1
        return self._parts[number].name(position - self._starts[number])

    def subset(self, positions: Sequence[int]) -> Joined:
        """The images at `positions`, in that order."""
        numbered = [(bisect_right(self._starts, position) - 1, position) for position in positions]
        return Joined(
            [
                self._parts[number].subset([position - self._starts[number] for _, position in some])
                for number, some in groupby(numbered, itemgetter(0))
            ]
        )

    def batches(self, batch_size: int, input: Input, channels: int = 3) -> Iterator[Batch]:
        """All images in order; a batch holds images of one part."""
        for start, part in zip(self._starts, self._parts, strict=True):
            for batch in part.batches(batch_size, input, channels):
                unreadable = {start + position: reason for position, reason in batch.unreadable.items()}
                yield Batch(batch.images, batch.labels, batch.positions + start, unreadable)
