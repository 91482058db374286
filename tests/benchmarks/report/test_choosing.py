"""What fits a budget, tried against a search that looks at one figure at a time."""

from __future__ import annotations

import itertools
import math
import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.report.choosing import LIMITS, Budget, Candidate, choose, judge, misses, sound, tell_apart
from benchmarks.stats.intervals import Interval

numbers = st.integers(1, 12).map(float)
FIGURES = [limit.figure for limit in LIMITS.values()]


@st.composite
def intervals(draw: st.DrawFn) -> Interval | None:
    kind = draw(st.sampled_from(["exact", "known", "unknown", "absent"]))
    low, value, high = sorted(draw(st.tuples(numbers, numbers, numbers)))
    return {
        "exact": Interval(value, value, value),
        "known": Interval(value, low, high),
        "unknown": Interval(value, -math.inf, math.inf),
        "absent": None,
    }[kind]


@st.composite
def candidate_sets(draw: st.DrawFn) -> list[Candidate]:
    ways = draw(
        st.lists(
            st.tuples(
                st.sampled_from("abc"), st.sampled_from(["x", "y"]), st.sampled_from(["fp32", "int8"]),
                st.sampled_from([1, 2, 4]),
            ),
            max_size=8,
            unique=True,
        )
    )  # fmt: skip
    figures: list[dict[str, Any]] = [{name: draw(intervals()) for name in FIGURES} for _ in ways]
    return [
        Candidate(
            model=model,
            runtime=runtime,
            precision=precision,
            num_threads=threads,
            **known,
        )
        for (model, runtime, precision, threads), known in zip(ways, figures, strict=True)
    ]


budgets = st.builds(Budget, **{name: st.none() | numbers for name in LIMITS})


def in_words(candidate: Candidate, budget: Budget) -> set[str]:
    """What a person says of every limit, written out."""
    said = set()
    for figure, highest in (
        (candidate.latency_ms, budget.max_latency_ms), (candidate.size_mb, budget.max_size_mb),
        (candidate.memory_mb, budget.max_memory_mb), (candidate.gmacs, budget.max_gmacs),
    ):  # fmt: skip
        if highest is not None:
            said.add(
                "unknown" if figure is None
                else "met" if figure.high <= highest else "missed" if figure.low > highest else "unsure"
            )  # fmt: skip
    for figure, lowest in ((candidate.top1, budget.min_top1), (candidate.throughput, budget.min_throughput)):
        if lowest is not None:
            said.add(
                "unknown" if figure is None
                else "met" if figure.low >= lowest else "missed" if figure.high < lowest else "unsure"
            )  # fmt: skip
    return said


def slower_than_alone(candidates: list[Candidate], each: Candidate) -> bool:
    return any(
        other.file == each.file
        and (other.num_threads, each.num_threads > 1) == (1, True)
        and other.latency_ms is not None
        and each.latency_ms is not None
        and other.latency_ms.value < each.latency_ms.value
        for other in candidates
    )


@settings(max_examples=60, deadline=None)
@given(candidate_sets(), budgets)
def test_the_choice_is_that_of_a_search_through_everything(candidates: list[Candidate], budget: Budget) -> None:
    found = choose(candidates, budget)
    counting = [each for each in candidates if not slower_than_alone(candidates, each)]
    fitting = [each for each in counting if in_words(each, budget) <= {"met"}]
    perhaps = [each for each in counting if "unsure" in (said := in_words(each, budget)) and said <= {"met", "unsure"}]
    assert sorted(map(repr, found.answers)) == sorted(map(repr, fitting))
    assert sorted(map(repr, found.possible)) == sorted(map(repr, perhaps))
    assert len(found.set_aside) == len(candidates) - len(counting)
    assert (found.nearest is None) == bool(fitting or not counting)
    for better, worse in itertools.pairwise(found.answers):
        assert not strictly_better(worse, better)
    assert set(map(repr, found.ties)) == {
        repr(each) for each in found.answers[1:] if not tell_apart(found.answers[0], each)
    }


def strictly_better(one: Candidate, other: Candidate) -> bool:
    """By accuracy, then time, then size; what is not known is worse than anything known."""
    for name, sign in (("top1", -1), ("latency_ms", 1), ("size_mb", 1)):
        figures: tuple[Interval | None, Interval | None] = getattr(one, name), getattr(other, name)
        values = [math.inf if figure is None else sign * figure.value for figure in figures]
        if values[0] != values[1]:
            return values[0] < values[1]
    return False


@settings(max_examples=40, deadline=None)
@given(candidate_sets(), budgets, st.randoms())
def test_the_order_in_which_candidates_come_changes_nothing(
    candidates: list[Candidate], budget: Budget, chance: random.Random
) -> None:
    shuffled = list(candidates)
    chance.shuffle(shuffled)
    assert choose(shuffled, budget).answers == choose(candidates, budget).answers
    assert choose(shuffled, budget).nearest == choose(candidates, budget).nearest


@settings(max_examples=40, deadline=None)
@given(candidate_sets(), budgets)
def test_nothing_is_nearer_than_the_nearest_miss(candidates: list[Candidate], budget: Budget) -> None:
    found = choose(candidates, budget)
    if found.nearest is None:
        return
    nearest, missed = found.nearest
    assert missed and missed == misses(nearest, budget)

    def farthest(each: Candidate) -> float:
        return max(miss.by for miss in misses(each, budget))

    known = [each for each in sound(candidates)[0] if "unknown" not in in_words(each, budget)]
    assert not known or nearest in known
    assert all(farthest(nearest) <= farthest(each) for each in known)


def test_a_limit_is_kept_by_the_worse_end() -> None:
    latency, top1 = LIMITS["max_latency_ms"], LIMITS["min_top1"]
    assert judge(Interval(14.0, 13.0, 15.0), latency, 15.0) == "met"
    assert judge(Interval(14.0, 13.0, 15.1), latency, 15.0) == "unsure"
    assert judge(Interval(14.0, -math.inf, math.inf), latency, 15.0) == "unsure"  # too few rounds to say
    assert judge(Interval(16.0, 15.1, 17.0), latency, 15.0) == "missed"
    assert judge(Interval(66.0, 65.0, 67.0), top1, 65.0) == "met"
    assert judge(Interval(66.0, 64.9, 67.0), top1, 65.0) == "unsure"
    assert judge(None, top1, 0.0) == "unknown"


def test_two_threads_that_are_slower_than_one_are_no_way_to_run_a_network() -> None:
    one = Candidate(model="a", latency_ms=Interval(2.3, 2.2, 2.4))
    two = replace(one, num_threads=2, latency_ms=Interval(6.5, 6.0, 7.0))
    assert sound([two, one]) == ([one], [two])
    other_file = replace(two, precision="int8")
    assert sound([other_file, one]) == ([other_file, one], [])
    assert choose([two, one], Budget(max_latency_ms=10.0)).answers == (one,)


def test_the_nearest_miss_says_what_it_misses_and_by_how_much() -> None:
    heavy = Candidate(model="heavy", size_mb=Interval(10.3, 10.3, 10.3), top1=Interval(68.4, 68.4, 68.4))
    weak = Candidate(model="weak", size_mb=Interval(5.0, 5.0, 5.0), top1=Interval(63.7, 63.7, 63.7))
    found = choose([heavy, weak], Budget(max_size_mb=5.0, min_top1=65.0))
    assert found.answers == () and found.nearest is not None
    assert found.nearest[0] == weak
    (missed,) = found.nearest[1]
    assert (missed.limit, missed.verdict) == ("min_top1", "missed")
    assert missed.by == pytest.approx(0.02)


def test_accuracies_that_may_be_paired_are_told_apart_by_whoever_knows_more() -> None:
    first, second = (
        Candidate(model=name, top1=Interval(value, value - 2, value + 2)) for name, value in (("a", 70.0), ("b", 69.0))
    )
    assert choose([first, second], Budget()).ties == (second,)
    assert choose([first, second], Budget(), apart=lambda one, other: True).ties == ()
