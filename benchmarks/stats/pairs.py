"""Two ways of answering the same images: by how much one is right more often, with its 95 % interval."""

from __future__ import annotations

import math

from benchmarks.stats.intervals import NORMAL, Interval

__all__ = ["paired_difference"]


def paired_difference(only_first: int, only_second: int, count: int) -> Interval:
    """The share that the first has right minus that of the second, on the same images.

    The interval is Agresti and Min's of 2005: Wald's with half an image more of each kind, which keeps its level for
    few images and for differences close to none. It always holds the difference itself.

    Args:
        only_first, only_second: images that only one of the two has right.
        count: all images.

    Raises:
        ValueError: there are no images, or fewer than those that differ.
    """
    if count < 1 or not 0 <= only_first + only_second <= count:
        raise ValueError(f"of {count} images {only_first} and {only_second} cannot be told apart")
    found = (only_first - only_second) / count
    more, first, second = count + 2, only_first + 0.5, only_second + 0.5
    centre = (first - second) / more
    reach = NORMAL * math.sqrt(first + second - (first - second) ** 2 / more) / more
    return Interval(found, max(min(centre - reach, found), -1.0), min(max(centre + reach, found), 1.0))
