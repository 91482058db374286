"""Medians over rounds, their intervals, and what is said of single calls."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.stats.intervals import (
    ENOUGH,
    FEWEST_ROUNDS,
    NORMAL,
    TIMES_WORTH,
    Interval,
    median_interval,
    outliers,
    percentile,
    percentile_interval,
    time_interval,
)
from benchmarks.stats.ratios import Times, quotient, time_ratio
from benchmarks.stats.rounds import Rounds

TRIALS = 1500


def covered(intervals: list[Interval], truth: float = 1.0) -> float:
    return float(np.mean([each.low <= truth <= each.high for each in intervals]))


@pytest.mark.parametrize("count", [8, 12, 24])
def test_the_interval_of_a_median_covers_it_as_often_as_it_says(count: int) -> None:
    draws = np.random.default_rng(5)
    skewed = np.exp(0.3 * draws.standard_normal((TRIALS, count)))
    intervals = [median_interval(list(each)) for each in skewed]
    assert covered(intervals) >= 0.94
    assert np.mean([each.half_width for each in intervals]) < 1.5 * 0.3 * 1.96 * 1.2533 / math.sqrt(count)


@pytest.mark.parametrize("count", [8, 12, 24])
def test_the_interval_of_a_time_covers_it_though_rounds_share_moods(count: int) -> None:
    """Rounds as the machine deals them out: lognormal, and neighbours alike (autocorrelation 0.35)."""
    draws = np.random.default_rng(6)
    noise = draws.standard_normal((TRIALS, count))
    for place in range(1, count):
        noise[:, place] = 0.35 * noise[:, place - 1] + math.sqrt(1 - 0.35**2) * noise[:, place]
    times = [dict(enumerate(each)) for each in np.exp(0.04 * noise).tolist()]
    assert covered([time_interval(each) for each in times]) >= 0.94
    assert covered([median_interval(list(each.values()), worth=1) for each in times]) < 0.92


def test_the_value_is_the_median_and_the_bounds_are_known_by_hand() -> None:
    values = [float(number) for number in range(1, 13)]
    found = median_interval(values[::-1], worth=1)
    reach = 1.959964 / 2 * math.sqrt(12)  # ranks on either side of the middle one
    assert (found.value, found.low, found.high) == pytest.approx((6.5, 6.5 - reach, 6.5 + reach), abs=1e-4)
    ratio = median_interval(values)
    assert (ratio.high - ratio.value) / (found.high - found.value) == pytest.approx(0.95**-0.5)
    wide = time_interval(dict(enumerate(values)))
    assert (wide.low, wide.high) == pytest.approx(
        (6.5 - reach / math.sqrt(0.6), 6.5 + reach / math.sqrt(0.6)), abs=1e-4
    )
    assert time_interval(dict(enumerate(values[:8]))) == Interval(4.5, 1.0, 8.0)  # no farther than there are rounds


def test_fewer_rounds_than_carry_an_interval_have_none() -> None:
    for count in range(1, FEWEST_ROUNDS):
        found = median_interval([1.0, 3.0, 2.0, 9.0, 4.0, 4.0, 5.0][:count])
        assert not found.known and found.half_width == math.inf
    assert median_interval([2.0] * FEWEST_ROUNDS) == Interval(2.0, 2.0, 2.0)
    with pytest.raises(ValueError, match="no values"):
        median_interval([])


def test_ways_over_a_reference_know_no_more_than_their_parts() -> None:
    known, unknown = Interval(2.0, 1.9, 2.1), Interval(1.0, -math.inf, math.inf)
    assert quotient(known, known).low < 1 < quotient(known, known).high
    assert not quotient(known, unknown).known and quotient(known, unknown).value == 2.0
    one, other = (
        Times(rounds=Rounds({1: 1.0}), session=name, reference="r", to_reference=ratio)
        for name, ratio in (("a", known), ("b", unknown))
    )
    found = time_ratio(one, other)
    assert found is not None and (found.value, found.known) == (2.0, False)


def test_outliers_are_counted_and_percentiles_need_samples() -> None:
    values = [1.0 + 0.01 * (number % 10) for number in range(70)] + [1.2, 9.0]
    found = outliers(values)
    assert (found.mild, found.severe) == (0, 2) or (found.mild, found.severe) == (1, 1)
    assert percentile(values[:63], 90) is None
    assert percentile(values[:64], 90) is not None
    assert percentile(values, 99) is None


def test_a_percentiles_bounds_are_ranks_around_it_and_within_the_values() -> None:
    values = [float(number) for number in range(1001)]
    found = percentile_interval(values, 90)
    reach = NORMAL * math.sqrt(1001 * 0.9 * 0.1 / TIMES_WORTH)
    assert (found.value, found.low, found.high) == pytest.approx((900.0, 900 - reach, 900 + reach))
    few = percentile_interval(values[:20], 97)  # no farther than there are values
    reach = NORMAL * math.sqrt(20 * 0.97 * 0.03 / TIMES_WORTH)
    assert (few.value, few.low, few.high) == pytest.approx((18.43, 18.43 - reach, 19.0))
    assert not percentile_interval(values[: ENOUGH[90] - 1], 90).known
    assert percentile_interval(values[: ENOUGH[90]], 90).known


def test_fences_stand_one_and_a_half_and_three_quartile_ranges_away() -> None:
    """Quartiles of 1 and 2; on either side one value within, two between the fences and one beyond both."""
    beyond = (1.4, 1.6, 2.9, 3.1)
    values = [*(1 - each for each in beyond), *[1.0] * 30, *[2.0] * 30, *(2 + each for each in beyond)]
    found = outliers(values)
    assert (found.mild, found.severe) == (4, 2)
    assert (outliers([3.0] * 9).mild, outliers([3.0] * 9).severe) == (0, 0)


def test_percentiles_lie_between_the_values_in_proportion() -> None:
    values = [float(number) for number in range(1001)]
    assert [percentile(values, rank) for rank in (90, 95, 99)] == pytest.approx([900, 950, 990])
    for rank, enough in ((90, 64), (95, 130), (99, 662)):
        assert percentile(values[: enough - 1], rank) is None and percentile(values[:enough], rank) is not None


def test_an_interval_in_another_unit_is_as_wide_for_its_size() -> None:
    found = Interval(2.0, 1.5, 3.0)
    assert found.scaled(1000) == Interval(2000, 1500, 3000)
    assert found.half_width == found.scaled(1000).half_width == 0.375
    assert Interval(0.0, 0.0, 1.0).half_width == math.inf
    assert found.known and not Interval(1.0, -math.inf, 2.0).known and not Interval(1.0, 0.0, math.inf).known


def test_a_low_percentiles_bounds_end_with_the_values() -> None:
    found = percentile_interval([float(number) for number in range(1, 21)], 3)
    assert found.low == 1.0 < found.value < found.high
