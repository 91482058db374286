"""Whether a figure is the one that was printed with fewer digits."""

from __future__ import annotations

__all__ = ["agreement", "decimals_of"]


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
