"""Figures in digits: how they are written, and whether one is what was printed with fewer of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Context, Decimal

from benchmarks.stats.intervals import Interval

__all__ = ["agreement", "decimals_of", "factor_in_words", "number", "ratio_in_words"]

EXACT = Context(prec=700, rounding=ROUND_HALF_UP)  # the longest decimal a float can have
MOST_DECIMALS = 5  # of a ratio that is close to 1


def agreement(exact: float, printed: float, decimals: int) -> str:
    """ "equal" if the exact figure rounds to the printed one, "cut" if that holds its first digits, else "differs".

    Args:
        exact, printed: in the unit it was printed in.
        decimals: digits it was printed with behind the point.
    """
    if abs(exact - printed) <= 0.5 * 10**-decimals * (1 + 1e-9):
        return "equal"
    return "cut" if 0 <= exact - printed < 10**-decimals else "differs"


def decimals_of(printed: float) -> int:
    """The fewest digits behind the point that a figure can be printed with: 2 of 1.33, none of 60."""
    return len(f"{printed:.10f}".rstrip("0").partition(".")[2])


def number(value: float, digits: int = 3) -> str:
    """A figure without an exponent: 0.569, 20.1, 138, 1,234. Halves are rounded up, as people do it.

    Args:
        digits: significant digits; 0 or negative for that many decimals.
    """
    if not math.isfinite(value) or (value == 0 and digits > 0):
        return f"{value:g}"
    exact = Decimal(f"{value:.14g}")  # 88.15 % is a float below it
    decimals = digits - 1 - exact.adjusted() if digits > 0 else -digits
    rounded = _rounded(exact, decimals)
    if digits > 0 and rounded.adjusted() > exact.adjusted():
        decimals -= 1  # 9.999 has become 10.0
    return f"{_rounded(exact, decimals) + 0:,.{max(decimals, 0)}f}"  # adding 0 takes the sign off a zero


def _rounded(exact: Decimal, decimals: int) -> Decimal:
    return exact.quantize(Decimal(1).scaleb(-decimals), context=EXACT)


def ratio_in_words(found: Interval, unit: str = "", *, decimals: int = 2) -> str:
    """ "1.45 times as long (1.42 to 1.49)", with as many decimals as tell the value from the ends, and each from 1.

    Args:
        unit: what stands behind the value.
    """
    figures = (found.value, found.low, found.high) if found.known else (found.value,)
    written = _apart((*figures, 1.0), decimals)
    bounds = f" ({written[1]} to {written[2]})" if found.known else " (too few rounds for an interval)"
    return f"{written[0]}{unit}{bounds}"


def factor_in_words(value: float, decimals: int = 2) -> str:
    """A factor with as many decimals as tell it from 1."""
    return _apart((value, 1.0), decimals)[0]


def _apart(figures: Sequence[float], decimals: int) -> list[str]:
    """Figures in so many decimals that two of them read alike only where they are equal, within reason."""
    for places in range(decimals, MOST_DECIMALS + 1):
        written = [number(figure, -places) for figure in figures]
        if len(set(written)) == len(set(figures)):
            break
    return written
