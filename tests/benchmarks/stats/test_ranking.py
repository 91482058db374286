"""Correlations with their intervals, fronts and margins, against formulas and values worked out elsewhere."""

from __future__ import annotations

import math

import pytest
from scipy import stats

from benchmarks.stats.intervals import Interval
from benchmarks.stats.ranking import gap_and_margin, linear_correlation, pareto_front, rank_correlation

ONE = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]
OTHER = [2.0, 1.0, 4.0, 3.0, 7.0, 8.0, 6.0, 5.0]


def test_pearsons_interval_is_fishers() -> None:
    found = linear_correlation(ONE, OTHER)
    expected = stats.pearsonr(ONE, OTHER)
    low, high = expected.confidence_interval(0.95)
    assert found is not None
    assert (found.value, found.low, found.high) == pytest.approx((expected.statistic, low, high), rel=1e-9)


def test_spearmans_interval_is_wider_by_bonett_and_wright() -> None:
    found = rank_correlation(ONE, OTHER)
    rho = 1 - 6 * sum((a - b) ** 2 for a, b in zip(ONE, OTHER, strict=True)) / (8 * 63)  # no ties
    reach = 1.959963984540054 * math.sqrt((1 + rho**2 / 2) / 5)
    assert found is not None
    expected = (rho, math.tanh(math.atanh(rho) - reach), math.tanh(math.atanh(rho) + reach))
    assert (found.value, found.low, found.high) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("correlation", [linear_correlation, rank_correlation])
def test_perfect_order_has_no_doubt_and_no_order_no_answer(correlation: type) -> None:
    assert correlation(ONE, [2 * each for each in ONE]) == Interval(1.0, 1.0, 1.0)
    assert correlation(ONE, [-each for each in ONE]) == Interval(-1.0, -1.0, -1.0)
    assert correlation(ONE, [3.0] * 8) is correlation([3.0] * 8, ONE) is None
    assert correlation(ONE[:4], OTHER[:4]) is None
    assert correlation(ONE[:5], OTHER[:5]) is not None


def test_a_front_leaves_out_what_costs_as_much_for_less() -> None:
    assert pareto_front([3, 1, 2, 2, 4], [5, 1, 4, 3, 5]) == [1, 2, 0]
    assert pareto_front([], []) == []


def test_the_margin_is_that_of_the_difference() -> None:
    lower, upper = Interval(0.5, 0.47, 0.54), Interval(0.6, 0.57, 0.62)
    gap, margin = gap_and_margin(upper, lower)
    assert (gap, margin) == pytest.approx((0.1, math.hypot(0.04, 0.03)))
    assert gap_and_margin(lower, upper) == (gap, margin)
