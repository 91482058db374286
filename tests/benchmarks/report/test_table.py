"""Cells as they are written: a figure with its interval, and without one."""

from __future__ import annotations

import math

import pytest

from benchmarks.report.table import TableColumn, table
from benchmarks.stats.intervals import Interval


def written(cell: Interval, digits: int = 3) -> str:
    return table([TableColumn("ms", lambda row: row, digits, bounds="[{}, {}]")], [cell]).splitlines()[-1].strip("| ")


@pytest.mark.parametrize(
    ("cell", "digits", "text"),
    [
        (Interval(102.1, 101.3, 103.9), 3, "102 [101, 104]"),
        (Interval(102.1, 101.7, 102.3), 3, "102 [101.7, 102.3]"),
        (Interval(102.0, 101.97, 102.02), 3, "102 [101.97, 102.02]"),
        (Interval(1.0, 0.999, 1.001), -2, "1.00 [0.999, 1.001]"),
        (Interval(5.0, 5.0, 5.0), 3, "5.00 [5.00, 5.00]"),
        (Interval(5.0, -math.inf, math.inf), 3, "5.00"),
    ],
)
def test_the_ends_of_an_interval_can_be_told_apart(cell: Interval, digits: int, text: str) -> None:
    assert written(cell, digits) == text
