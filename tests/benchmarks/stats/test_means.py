"""Means over seeds, and how figures are written."""

from __future__ import annotations

import math

import pytest

from benchmarks.stats.digits import agreement, decimals_of, factor_in_words, number, ratio_in_words
from benchmarks.stats.intervals import Interval
from benchmarks.stats.means import Mean, mean_of, quantile


def test_a_mean_has_students_interval() -> None:
    found = mean_of([1.0, 2.0, 6.0])
    half = 4.302652729911275 * math.sqrt(7.0) / math.sqrt(3)  # of a variance of 7 and two degrees of freedom
    assert (found.value, found.low, found.high, found.count) == pytest.approx((3.0, 3 - half, 3 + half, 3))
    assert mean_of([2.5]) == Mean(2.5, None, None, 1)
    assert quantile(1) == pytest.approx(12.706204736)


@pytest.mark.parametrize(
    ("exact", "printed", "decimals", "said"),
    [
        (0.5694, 0.57, 2, "equal"),
        (0.565, 0.57, 2, "equal"),
        (0.575, 0.57, 2, "equal"),
        (0.579, 0.57, 2, "cut"),
        (0.5801, 0.57, 2, "differs"),
        (0.564, 0.57, 2, "differs"),
        (138.4, 138.0, 0, "equal"),
    ],
)
def test_whether_a_figure_is_the_printed_one(exact: float, printed: float, decimals: int, said: str) -> None:
    assert agreement(exact, printed, decimals) == said


@pytest.mark.parametrize(("value", "decimals"), [(1.33, 2), (60.0, 0), (0.5, 1), (70.6, 1), (0.0625, 4)])
def test_a_printed_figure_has_its_decimals(value: float, decimals: int) -> None:
    assert decimals_of(value) == decimals


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0.5694, 3, "0.569"), (20.12, 3, "20.1"), (138.4, 3, "138"), (1234.4, 3, "1,230"), (1234.4, 4, "1,234"),
        (9.9996, 3, "10.0"),
        (88.15, -1, "88.2"), (-0.04, -1, "0.0"), (0.0, 3, "0"), (0.0, -2, "0.00"), (1e6, 0, "1,000,000"),
        (math.inf, 3, "inf"), (0.000123456, 3, "0.000123"), (99.95, -1, "100.0"),
    ],
)  # fmt: skip
def test_figures_are_written_without_exponents(value: float, digits: int, text: str) -> None:
    assert number(value, digits) == text


def test_ratios_have_digits_enough_to_be_told_from_one() -> None:
    assert ratio_in_words(Interval(1.452, 1.42, 1.491), " times") == "1.45 times (1.42 to 1.49)"
    assert ratio_in_words(Interval(1.0012, 1.0004, 1.002)) == "1.0012 (1.0004 to 1.0020)"
    assert ratio_in_words(Interval(1.5, -math.inf, math.inf)) == "1.50 (too few rounds for an interval)"
    assert factor_in_words(1.004) == "1.004" and factor_in_words(2.0) == "2.00" and factor_in_words(1.0) == "1.00"
