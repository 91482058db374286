"""Tables in Markdown: every column says once how it is headed, what of a row it shows and how that is written."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.report.words import number
from benchmarks.stats.intervals import Interval

__all__ = ["MOST_ROWS", "Cell", "TableColumn", "table", "text_column"]

MOST_ROWS = 120  # of a table on a page; the files beside it have them all
MORE_DIGITS = 3  # at most, of the ends of an interval that would look alike
Cell = str | float | Interval | None


@dataclass(frozen=True, slots=True)
class TableColumn:
    """One column.

    Args:
        title: heading, with the unit.
        cell: of a row, what it shows: a figure, one with its interval, finished Markdown, or None for nothing.
        digits: of figures, as `benchmarks.report.words.number` takes them.
        better: the end that is in bold, "low" or "high"; empty for none.
        align: "l" or "r".
        bounds: how an interval is written after its value.
    """

    title: str
    cell: Callable[[Any], Cell]
    digits: int = 3
    better: str = ""
    align: str = "r"
    bounds: str = "({} to {})"


def text_column(title: str, cell: Callable[[Any], str]) -> TableColumn:
    """A column of words."""
    return TableColumn(title, cell, align="l")


def table(columns: Sequence[TableColumn], rows: Iterable[Any], *, across: bool = False) -> str:
    """The table, the best figures in bold, and of more than `MOST_ROWS` rows the first; empty where there are none.

    Args:
        rows: whatever the columns take their cells from.
        across: the best of each row is bold, among the columns where one end is better, not the best of each column.
    """
    rows = list(rows)
    pairs = [[(column, column.cell(row)) for column in columns] for row in rows[:MOST_ROWS]]
    if not pairs:
        return ""
    if across:
        best = [_best(line) for line in pairs]
    else:
        best = [_best((column, column.cell(row)) for row in rows if column.better) for column in columns]
    lines = [[column.title for column in columns]]
    lines.append(["---:" if column.align == "r" else ":---" for column in columns])
    lines += [
        [_written(column, cell, best[row if across else place]) for place, (column, cell) in enumerate(line)]
        for row, line in enumerate(pairs)
    ]
    return "\n".join("| " + " | ".join(map(_safe, line)) + " |" for line in lines)


def _best(line: Iterable[tuple[TableColumn, Cell]]) -> float | None:
    found = [
        (column.better, figure) for column, cell in line if column.better and (figure := _figure(cell)) is not None
    ]
    return (min if found[0][0] == "low" else max)(figure for _, figure in found) if found else None


def _figure(cell: Cell) -> float | None:
    return cell.value if isinstance(cell, Interval) else None if isinstance(cell, str) else cell


def _written(column: TableColumn, cell: Cell, best: float | None) -> str:
    figure = _figure(cell)
    if figure is None:
        return cell if isinstance(cell, str) else ""
    text = number(figure, column.digits)
    text = f"**{text}**" if column.better and figure == best else text
    if not isinstance(cell, Interval) or not cell.known:
        return text
    return f"{text} {column.bounds.format(*_bounds(cell, column.digits))}"


def _bounds(interval: Interval, digits: int) -> tuple[str, str]:
    """The ends of an interval, with as many digits more as it takes to tell them apart."""
    for more in range(MORE_DIGITS + 1):
        finer = digits + more if digits > 0 else digits - more
        low, high = number(interval.low, finer), number(interval.high, finer)
        if low != high or interval.low == interval.high:
            break
    return low, high


def _safe(text: str) -> str:
    """A cell that cannot end before its end."""
    return re.sub(r"(?<!\\)\|", r"\\|", text.replace("\n", " "))
