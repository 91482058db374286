"""Medians over rounds, their intervals, and what is said of single calls."""

from __future__ import annotations

import random

import pytest

from benchmarks.stats.intervals import holm, median_interval, outliers, percentile, round_medians


def test_the_interval_of_a_median_covers_it_as_often_as_it_says() -> None:
    draws = random.Random(5)
    inside = 0
    for trial in range(300):
        interval = median_interval([draws.lognormvariate(0, 0.3) for _ in range(20)], seed=trial)
        inside += interval.low <= 1 <= interval.high
    assert inside >= 0.90 * 300


def test_a_round_counts_by_the_median_of_its_calls() -> None:
    samples, rounds = [1.0, 9.0, 2.0, 4.0, 5.0, 3.0, 7.0], [1, 1, 1, 2, 2, 2, 2]
    assert round_medians(samples, rounds) == {1: 2.0, 2: 4.5}


def test_outliers_are_counted_and_percentiles_need_samples() -> None:
    values = [1.0 + 0.01 * (number % 10) for number in range(70)] + [1.2, 9.0]
    found = outliers(values)
    assert (found.mild, found.severe) == (0, 2) or (found.mild, found.severe) == (1, 1)
    assert percentile(values[:63], 90) is None
    assert percentile(values[:64], 90) is not None
    assert percentile(values, 99) is None


def test_holm_is_no_smaller_than_the_plain_p_values_and_keeps_their_order() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


def test_too_few_rounds_with_the_processors_close_leave_all_to_count() -> None:
    assert round_medians([1.0] * 9, range(9), range(4, 9)) == dict.fromkeys(range(9), 1.0)
    assert round_medians([1.0] * 9, range(9), range(5, 9)) == dict.fromkeys(range(5), 1.0)
