"""Handovers between threads: timed, waited for, and told apart."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import torch

from benchmarks.measure.handover import CALLS, GROUPS, PAUSES, Handover, longest_of_close


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_two_threads_take_time_to_hand_work_over(threads: None) -> None:
    torch.set_num_threads(2)
    assert 0 < Handover().seconds() < 0.1


def test_one_thread_hands_nothing_over_and_does_not_rest(threads: None, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail("rested"))
    assert Handover().seconds() == Handover().rest(0.0) == 0.0


def test_a_rest_ends_when_the_processors_are_close_or_patience_does(
    threads: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.set_num_threads(2)
    rests: list[float] = []
    monkeypatch.setattr(time, "sleep", rests.append)
    handover = Handover()
    found = iter([6e-6, 6e-6, 4e-6, *[6e-6] * len(PAUSES)])
    monkeypatch.setattr(handover, "seconds", lambda: next(found))
    assert handover.rest(5e-6) == 4e-6
    assert rests == list(PAUSES[:3])
    rests.clear()
    assert handover.rest(5e-6) == 6e-6
    assert rests == list(PAUSES)


def test_clearly_longer_handovers_than_the_shortest_are_those_of_processors_apart() -> None:
    seen = [3.5e-6, 3.6e-6, 3.7e-6] * 10 + [5e-6] * 20
    longest = longest_of_close(seen)
    assert max(each for each in seen if each <= longest) == 3.7e-6
    assert longest_of_close([]) == float("inf")


def test_seconds_are_the_median_groups_a_call(threads: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call takes a millisecond here, but for one group in which something else has the processor."""
    torch.set_num_threads(2)
    now, calls = [0.0], [0]

    class Shares:
        def add_(self, number: int) -> None:
            calls[0] += 1
            now[0] += 0.001 if calls[0] > CALLS else 1.0

    handover = Handover()
    monkeypatch.setattr(handover, "_shares", Shares())
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    assert handover.seconds() == pytest.approx(0.001)
    assert calls[0] == GROUPS * CALLS


def test_the_shortest_tenth_tells_how_close_processors_can_be() -> None:
    assert longest_of_close([float(number) for number in range(101)]) == pytest.approx(1.15 * 10)


def test_rests_grow_and_are_over_before_anybody_notices() -> None:
    assert list(PAUSES) == sorted(PAUSES) and 0.05 <= sum(PAUSES) <= 0.1


def test_there_is_a_share_for_every_thread(threads: None) -> None:
    """PyTorch cuts what it shares out into pieces of 32,768 numbers at least."""
    torch.set_num_threads(2)
    shares = Handover()._shares
    assert shares is not None and len(shares) == 2 * 32_768
