"""Text for a terminal: escaped, aligned, no wider than it."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Container, Sequence

__all__ = ["aligned", "printable", "width", "wrapped"]

NARROWEST, WIDEST = 40, 120  # columns that texts are fitted to


def width() -> int:
    """Columns of the terminal, 80 where there is none."""
    return min(max(shutil.get_terminal_size((80, 24)).columns, NARROWEST), WIDEST)


def printable(text: str) -> str:
    """`text` with what would move the cursor, or is no text at all, written as escapes."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape", "surrogatepass").decode() for letter in text
    )


def aligned(lines: Sequence[Sequence[str]], *, right: Container[int]) -> list[str]:
    """Cells in columns, those of the columns `right` at their right edge."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join(
            cell.rjust(wide) if column in right else cell.ljust(wide)
            for column, (cell, wide) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]


def wrapped(text: str, *, first: str = "  ", rest: str = "      ") -> list[str]:
    """A paragraph in lines of the terminal's width."""
    return textwrap.wrap(
        text, width(), initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )
