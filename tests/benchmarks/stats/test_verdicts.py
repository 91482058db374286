"""The one rule: equal times are called the same, slowdowns are found, and what cannot be said is not."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.stats.intervals import Interval
from benchmarks.stats.rounds import Rounds, ratio_interval
from benchmarks.stats.verdicts import DIFFERENT, NOISE_FLOOR, VERDICTS, detectable, never_meet, p_value, verdict


def ratios(change: float, count: int, spread: float = 0.03, trials: int = 400, seed: int = 1) -> list[Interval]:
    """Ratios of pairs of times of so many rounds, the second longer by `change`."""
    draws = np.random.default_rng(seed)
    found = []
    for _ in range(trials):
        before = dict(enumerate(np.exp(spread * draws.standard_normal(count)).tolist()))
        after = dict(enumerate(((1 + change) * np.exp(spread * draws.standard_normal(count))).tolist()))
        ratio = ratio_interval(Rounds(after), Rounds(before))
        assert ratio is not None
        found.append(ratio)
    return found


@pytest.mark.parametrize("count", [8, 12, 24])
def test_equal_times_are_called_different_in_at_most_one_of_twenty(count: int) -> None:
    called = [verdict(each) in DIFFERENT for each in ratios(0.0, count)]
    assert np.mean(called) <= 0.05


@pytest.mark.parametrize(("count", "least"), [(8, 0.15), (12, 0.3), (24, 0.75), (80, 0.99)])
def test_a_slowdown_of_a_twentieth_is_found_the_surer_the_more_rounds(count: int, least: float) -> None:
    found = [verdict(each) for each in ratios(0.05, count)]
    assert np.mean([each == "slower" for each in found]) >= least
    assert "faster" not in found


def test_every_answer_has_its_case() -> None:
    cases = {
        "slower": Interval(1.05, 1.02, 1.08),
        "faster": Interval(0.95, 0.92, 0.98),
        "same": Interval(1.01, 0.99, 1.03),
        "too noisy": Interval(1.2, 0.9, 1.5),
        "too few rounds": Interval(2.0, -math.inf, math.inf),
    }
    assert {name: verdict(ratio) for name, ratio in cases.items()} == {name: name for name in VERDICTS}
    assert verdict(Interval(math.nan, 0.9, 1.1)) == verdict(Interval(math.nan, math.nan, math.nan)) == "too few rounds"
    assert verdict(Interval(0.0, 0.0, 0.0)) == "too few rounds"


def test_no_change_is_smaller_than_the_noise_floor_on_either_side() -> None:
    surely = Interval(1.008, 1.007, 1.009)
    assert (verdict(surely), verdict(surely, noise_floor=0.005)) == ("same", "slower")
    mirrored = Interval(1 / 1.008, 1 / 1.009, 1 / 1.007)
    assert (verdict(mirrored), verdict(mirrored, noise_floor=0.005)) == ("same", "faster")


def test_many_questions_want_stronger_answers() -> None:
    ratio = Interval(1.05, 1.012, 1.089)
    assert verdict(ratio) == verdict(ratio, comparisons=3) == "slower"
    assert verdict(ratio, comparisons=30) == "same"


def test_the_probability_belongs_to_the_interval() -> None:
    assert p_value(Interval(1.1, 1.0, 1.21)) == pytest.approx(0.05, abs=1e-9)
    assert p_value(Interval(1.1, 1.05, 1.3)) < 0.001 < p_value(Interval(1.1, 1.02, 1.11)) < 0.05
    assert p_value(Interval(1.0, 1.0, 1.0)) == p_value(Interval(1.3, -math.inf, math.inf)) == 1
    assert p_value(Interval(1.2, 1.2, 1.2)) == 0
    assert p_value(Interval(0.0, 0.0, 1.0)) == p_value(Interval(1.2, 0.0, 2.0)) == 1  # no ratio, no end of an interval


@pytest.mark.parametrize("floor", [math.nan, -0.01, 1.0, 2.0, math.inf])
def test_a_noise_floor_is_a_share(floor: float) -> None:
    with pytest.raises(ValueError, match="a noise floor is a share") as raised:
        verdict(Interval(1.0, 1.0, 1.0), noise_floor=floor)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("ratio", ratios(0.05, 12, trials=60) + ratios(0.02, 8, trials=60))
def test_what_is_found_is_as_large_as_what_can_be(ratio: Interval) -> None:
    assert (verdict(ratio) == "slower") == (ratio.value - 1 > detectable(ratio) - 1e-12)
    assert detectable(ratio) > NOISE_FLOOR


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ([1.0, 1.1, 1.2, 1.3, 1.4], [2.0, 2.1, 2.2, 2.3, 2.4, 2.5], True),
        ([2.0, 2.1, 2.2, 2.3, 2.4, 2.5], [1.0, 1.1, 1.2, 1.3, 1.4], True),
        ([1.0, 1.1, 1.2, 1.3, 2.0], [2.0, 2.1, 2.2, 2.3, 2.4, 2.5], False),  # one round meets
        ([1.0, 1.1, 1.2], [2.0, 2.1, 2.2], False),  # one chance in ten
        ([1.0, 1.1, 1.2, 1.3], [2.0, 2.1, 2.2, 2.3], True),  # one in thirty-five
    ],
)
def test_so_few_rounds_differ_if_they_never_meet(one: list[float], other: list[float], expected: bool) -> None:
    assert never_meet(one, other) is expected
