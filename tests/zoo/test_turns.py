"""Turns in rounds, and how a call is timed, with a clock that moves as the test says."""

from collections import Counter
from types import SimpleNamespace

import pytest

from zoo import turns
from zoo.turns import elapsed, settled, take_turns


@pytest.fixture
def sleep(monkeypatch):
    """Moves the clock."""
    now = 0.0

    def move(seconds):
        nonlocal now
        now += seconds

    clock = SimpleNamespace(perf_counter=lambda: now, perf_counter_ns=lambda: round(1e9 * now))
    monkeypatch.setattr(turns, "time", clock)
    return move


def played(players, **options):
    """Who took a turn, round by round."""
    found = []
    order = []
    for number in take_turns(players, order.append, **options):
        found.append("".join(order))
        order.clear()
        assert number == len(found)
    return found


def test_every_player_once_a_round_in_an_order_drawn_from_the_seed():
    rounds = played("abc", rounds=(0, 40), seed=3)
    assert all(sorted(each) == ["a", "b", "c"] for each in rounds)
    first = Counter(each[0] for each in rounds)
    assert min(first.values()) > 6
    assert rounds == played("abc", rounds=(0, 40), seed=3) != played("abc", rounds=(0, 40), seed=4)


@pytest.mark.parametrize(("rounds", "count"), [((2, 9), 5), ((7, 9), 7), ((0, 3), 3)])
def test_the_round_in_which_the_time_ends_is_the_last_of_those_that_may_be_left_out(sleep, rounds, count):
    numbers = list(take_turns("ab", lambda player: sleep(1.0), rounds=rounds, seconds=9.5))
    assert numbers == list(range(1, count + 1))


def test_a_clock_of_ones_own():
    said = []
    assert len(list(take_turns("a", lambda player: said.append(2.0), seconds=5.0, clock=lambda: sum(said)))) == 3


def test_who_has_left_takes_no_further_turn():
    players = {"a": 1, "b": 2, "c": 3}
    order = []

    def turn(player):
        order.append(player)
        if len(order) == 5:  # in the second round
            players.pop("a", None)

    for number in take_turns(players, turn):
        if number == 4:
            players.clear()
    assert len(order) == 3 + (3 if "a" in order[3:5] else 2) + 2 + 2
    assert "a" not in order[6:]


def test_without_players_there_is_no_round():
    assert list(take_turns([], print)) == []


def test_elapsed_is_the_time_of_all_calls(sleep):
    assert elapsed(lambda: sleep(0.25), 3) == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("calls", "seconds", "expected"),
    [
        ([0.4, 0.02], 0.0, 0.02),  # the first does not count
        ([0.4, 0.02, 0.01, 0.04], 0.06, 0.02),  # the median of those that fill the time, neither mean nor last
        ([0.7], 0.06, 0.7),  # long ones count themselves
    ],
)
def test_settled(sleep, calls, seconds, expected):
    waiting = iter(calls)
    assert settled(lambda: sleep(next(waiting)), seconds) == pytest.approx(expected)
    assert not list(waiting)
