"""Which rounds count where processors were at times far from one another, for one model and for two."""

from __future__ import annotations

import random
import statistics

import pytest

from benchmarks.stats.intervals import FEWEST_ROUNDS, Interval
from benchmarks.stats.ratios import Times, paired, time_ratio
from benchmarks.stats.rounds import Rounds, ratio_interval, ratios_by_round, round_medians, rounds_that_count

EIGHT = range(FEWEST_ROUNDS)


def test_a_round_counts_by_the_median_of_its_calls() -> None:
    samples, rounds = [1.0, 9.0, 2.0, 4.0, 5.0, 3.0, 7.0], [2, 2, 2, 1, 1, 1, 1]
    assert list(round_medians(samples, rounds).items()) == [(1, 4.5), (2, 2.0)]


def test_a_ratio_is_taken_within_the_rounds_that_both_have() -> None:
    above = Rounds({number: 2.0 * number for number in range(1, 12)})
    below = Rounds({number: 1.0 * number for number in range(3, 20)} | {5: 0.0})
    assert ratio_interval(above, below) == Interval(2.0, 2.0, 2.0)
    few = ratio_interval(above, Rounds({number: 1.0 for number in range(9, 20)}))
    assert few is not None and (few.value, few.known) == (20.0, False)
    assert ratio_interval(above, Rounds({99: 1.0})) is None


@pytest.mark.parametrize(
    ("count", "apart", "kept"),
    [
        (12, (), range(12)),
        (12, (1, 3, 5, 11), (0, 2, 4, 6, 7, 8, 9, 10)),  # eight are enough
        (12, (1, 3, 5, 10, 11), range(12)),  # seven are not
        (40, range(8, 40), EIGHT),  # however many others there are
        (40, range(7, 40), range(40)),
        (7, (2,), range(7)),
    ],
)
def test_one_model_leaves_rounds_out_where_enough_others_remain(
    count: int, apart: tuple[int, ...], kept: tuple[int, ...]
) -> None:
    rounds = Rounds({number: float(number) for number in range(count)}, apart)
    assert list(rounds.counting) == list(kept)
    assert sorted([*rounds.close, *rounds.far]) == list(range(count)) and set(rounds.far) == set(apart)


@pytest.mark.parametrize(
    ("count", "apart", "other", "kept"),
    [
        (12, (1, 3), (5, 11), (0, 2, 4, 6, 7, 8, 9, 10)),  # eight close for both
        (12, (1, 3, 4), (1, 5, 6), (0, 1, 2, 7, 8, 9, 10, 11)),  # seven; and one apart for both
        (12, range(12), range(12), range(12)),  # a machine that is always so
        (12, range(4, 12), range(5), range(12)),  # hardly ever alike
        (12, range(12), (), range(12)),  # never alike
        (40, range(7, 40), range(4, 30), [*range(4), *range(7, 30)]),
    ],
)
def test_two_models_keep_the_rounds_in_which_the_machine_was_the_same_for_both(
    count: int, apart: tuple[int, ...], other: tuple[int, ...], kept: tuple[int, ...]
) -> None:
    assert rounds_that_count(reversed(range(count)), apart, other) == list(kept)
    one, two = Rounds(dict.fromkeys(range(count), 2.0), apart), Rounds(dict.fromkeys(range(count), 1.0), other)
    assert list(ratios_by_round(one, two)) == list(ratios_by_round(two, one)) == list(kept)


def mostly_apart(seed: int, close: int = 10, rounds: int = 48) -> tuple[Rounds, Rounds]:
    """Two models whose processors are close in few rounds, each by itself; the upper takes twice as long.

    With the processors apart it takes 20 % longer and the lower 10 %; rounds vary by 5 %, and drift.
    """
    draws = random.Random(seed)
    sides = []
    for scale, cost in ((2.0, 1.2), (1.0, 1.1)):
        far = frozenset(draws.sample(range(rounds), rounds - close))
        figures = {
            number: scale * (cost if number in far else 1.0) * draws.lognormvariate(0, 0.05) * (1 + number / rounds)
            for number in range(rounds)
        }
        sides.append(Rounds(figures, far))
    return sides[0], sides[1]


def test_where_processors_are_mostly_apart_a_ratio_is_repeatable_and_known() -> None:
    """To pair those few rounds alone that were close for both is neither: some have none."""
    found, few = [], []
    for seed in range(60):
        above, below = mostly_apart(seed)
        ratio = ratio_interval(above, below)
        assert ratio is not None and ratio.known
        found.append(ratio.value)
        few.append([above.close[number] / below.close[number] for number in above.close.keys() & below.close.keys()])
    assert max(found) / min(found) < 1.08 and statistics.median(found) == pytest.approx(2 * 1.2 / 1.1, rel=0.02)
    assert min(map(len, few)) == 0 and max(map(len, few)) < FEWEST_ROUNDS
    medians = [statistics.median(each) for each in few if each]
    assert max(medians) / min(medians) > 1.15


def test_times_of_one_session_are_paired_and_others_go_by_way_of_their_reference() -> None:
    above, below = mostly_apart(0)
    one, other = (Times(rounds=each, session="a") for each in (above, below))
    assert paired(one, other) == ratios_by_round(above, below)
    assert time_ratio(one, other) == ratio_interval(above, below)
    assert one.seconds == above.counting
    nowhere = Times(rounds=below, session="b")
    assert paired(one, nowhere) == paired(Times(rounds=above), Times(rounds=below)) == {}
    assert time_ratio(one, nowhere) is None
    known = Interval(2.0, 1.9, 2.1)
    later = Rounds({number + 100: each for number, each in below.figures.items()})
    apart = (Times(rounds=each, session="a", reference="r", to_reference=known) for each in (above, later))
    linked = time_ratio(*apart)
    assert linked is not None and linked.value == 1.0
