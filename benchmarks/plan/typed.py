"""Numbers as they are typed on a command line; what is none of the kind that is wanted is refused in words."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable

from zoo.errors import shown

__all__ = ["count", "counts", "seconds", "seeds", "share"]

MOST_SEEDS = 1000


def _number(wanted: str, kind: Callable[[str], float], fits: Callable[[float], bool]) -> Callable[[str], float]:
    """What reads a number of a kind and refuses any other text by saying what is wanted."""

    def read(text: str) -> float:
        try:
            number = kind(text)
        except ValueError:
            number = math.nan
        if not fits(number) or (kind is int and not text.isascii()):
            raise argparse.ArgumentTypeError(f"{wanted} is wanted; got {shown(text)}")
        return number

    return read


count = _number("a whole number of at least 1", int, lambda number: 1 <= number < 1e9)
whole = _number("a whole number of at least 0", int, lambda number: 0 <= number < 1e9)
seconds = _number("a number of seconds above 0", float, lambda number: 0 < number < 1e7)
share = _number("a number between 0 and 1 (0.02 is 2 %)", float, lambda number: 0 < number < 1)


def seeds(text: str) -> tuple[int, ...]:
    """Whole numbers and ranges of them, both ends included: "0,1,2" or "0-2"."""
    found: dict[int, None] = {}
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        low, high = int(whole(first)), int(whole(last if dash else first))
        if not low <= high < low + MOST_SEEDS:
            raise argparse.ArgumentTypeError(f"a range of at most {MOST_SEEDS} seeds is wanted; got {shown(part)}")
        found |= dict.fromkeys(range(low, high + 1))
    return tuple(found)


def counts(text: str) -> tuple[int, ...]:
    return tuple(dict.fromkeys(int(count(part.strip())) for part in text.split(",")))
