"""What a measuring process does when it is asked, with a clock that only the calls move."""

from __future__ import annotations

import dataclasses
import logging
import os
import platform
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.measure import questions
from benchmarks.measure.questions import WARMUP_CALLS, conditions, prepare, sentences, turn
from benchmarks.metrics import METRICS
from benchmarks.metrics.subject import Subject
from benchmarks.records.environment import host_mark
from benchmarks.records.record import Case, Measurement
from zoo import turns

SPINNING = 1.5  # processors that the process is busy on, whatever it does


@pytest.fixture
def sleep(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    now = 0.0

    def move(seconds: float) -> None:
        nonlocal now
        now += seconds

    clock = SimpleNamespace(
        perf_counter=lambda: now,
        perf_counter_ns=lambda: round(1e9 * now),
        process_time=lambda: SPINNING * now,
        sleep=move,
    )
    monkeypatch.setattr(turns, "time", clock)
    monkeypatch.setattr(questions, "time", clock)
    return move


class FakeHandover:
    """Handovers as long as the test says; a rest moves nobody's clock."""

    def __init__(self, before: float, after: float) -> None:
        self.rested: list[float] = []
        self._before, self._after = before, after

    def rest(self, longest: float) -> float:
        self.rested.append(longest)
        return self._before

    def seconds(self) -> float:
        return self._after


def test_a_turns_first_call_is_no_sample(sleep: Callable[[float], None]) -> None:
    calls = iter([0.5, 0.1, 0.3, 0.2, 9.0])
    handover = FakeHandover(4e-6, 6e-6)
    found = turn({"call": lambda: sleep(next(calls)), "block": 1, "handover": handover}, 0.45, 5e-6)
    assert found.again_s == pytest.approx(0.5)
    assert found.samples == pytest.approx((0.1, 0.3, 0.2))
    assert found.timed_s == pytest.approx(0.6)
    assert found.handover_s == 6e-6 and handover.rested == [5e-6]


def test_short_calls_are_timed_in_blocks(sleep: Callable[[float], None]) -> None:
    calls = iter([1e-4, *[1e-4, 3e-4] * 10])
    found = turn({"call": lambda: sleep(next(calls)), "block": 4, "handover": None}, 1e-3, 1.0)
    assert found.samples == pytest.approx((2e-4, 2e-4))
    assert found.timed_s == pytest.approx(16e-4) and found.handover_s == 0


@pytest.fixture
def ready(monkeypatch: pytest.MonkeyPatch, sleep: Callable[[float], None]) -> Iterator[Callable[..., Any]]:
    """Prepares a case of a metric whose loading takes 2 seconds and whose calls take as long as is said."""
    monkeypatch.setattr(questions, "gc", SimpleNamespace(collect=int, freeze=int, disable=int))
    monkeypatch.setattr(questions, "keep_freed_memory", lambda: True)

    def prepared(calls: list[float], usual: float, memory: dict[str, Any]) -> questions.Prepared:
        left = list(calls)

        def load(subject: Any) -> Callable[[], None]:
            sleep(2.0)
            subject.notes.append("the weights are random")
            return lambda: sleep(left.pop(0) if left else usual)

        fake = dataclasses.replace(METRICS["latency"], prepare=load)
        monkeypatch.setattr(questions, "METRICS", {"latency": fake})
        return prepare(memory, Case(metric="latency", model="resnet18", device="meta"))

    yield prepared


def test_loading_and_warming_up_are_told_apart(ready: Callable[..., Any]) -> None:
    memory: dict[str, Any] = {}
    found = ready([0.9, 0.02, 0.03], 0.01, memory)
    assert found.load_s == pytest.approx(2.0)
    assert found.warmup == pytest.approx((0.9, 0.02, 0.03, 0.01, 0.01)) and len(found.warmup) == WARMUP_CALLS
    assert found.block == 1 and found.resident_bytes > 1e6
    assert found.notes == ("the weights are random",)
    assert found.where["spinning"] == SPINNING


def test_a_block_of_short_calls_lasts_a_millisecond(ready: Callable[..., Any]) -> None:
    found = ready([0.3], 2e-4, {})
    assert found.block == 5
    assert sum(found.warmup) >= 0.5
    assert [ready([0.3], usual, {}).block for usual in (9e-4, 1e-3, 0.3)] == [1, 1, 1]


def test_notes_are_single_lines_each_once() -> None:
    said = ["a\n  b", "a b", "odd (Triggered internally at /build/file.cpp:3.)", "x" * 400]
    assert sentences(said) == ("a b", "odd", "x" * 300 + "...")


def test_loggers_are_left_as_they_were(ready: Callable[..., Any]) -> None:
    before = [list(logging.getLogger(name).handlers) for name in ("zoo", "benchmarks")]
    ready([], 0.2, {})
    assert [list(logging.getLogger(name).handlers) for name in ("zoo", "benchmarks")] == before


def test_a_record_says_which_host_and_not_its_name() -> None:
    node = conditions({}, Case(metric="params", model="resnet18"))["node"]
    assert len(node) == 8 and platform.node() not in node


def test_what_is_measured_comes_with_what_was_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def found(subject: Subject) -> tuple[Measurement, ...]:
        subject.notes.append("it was  said")
        logging.getLogger("zoo").warning("and logged")
        subject.tell(1, 2)
        return (Measurement(name="answer", value=42.0, unit="count"),)

    told: list[tuple[int, int]] = []
    monkeypatch.setattr(questions, "METRICS", {"params": dataclasses.replace(METRICS["params"], measure=found)})
    memory = {"on_progress": lambda *done: told.append(done)}
    measurements, notes = questions.measure(memory, Case(metric="params", model="resnet18"))
    assert [each.value for each in measurements] == [42.0] and told == [(1, 2)]
    assert notes == ("it was said.", "and logged.") or notes == ("it was said", "and logged")


def test_a_case_for_processors_sees_no_gpu_and_lanes_take_one_each(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    chosen: list[int] = []
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for lane in range(3):
        questions._choose_gpu(Case(metric="params", model="resnet18", device="cuda"), lane)
    assert chosen == [0, 1, 0] and os.environ["CUDA_VISIBLE_DEVICES"] == "0,1"
    questions._choose_gpu(Case(metric="params", model="resnet18"), 1)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "" and len(chosen) == 3


def test_a_process_says_its_threads_where_it_has_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(questions.psutil, "Process", lambda: SimpleNamespace(nice=lambda: 15))
    case = Case(metric="params", model="resnet18")
    assert conditions({}, case) == {"node": host_mark(), "nice": 15, "threads": torch.get_num_threads()}
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda card: SimpleNamespace(name="H100", uuid="GPU-1"))
    assert conditions({}, dataclasses.replace(case, device="cuda"))["gpu"] == "H100 GPU-1"
    monkeypatch.delitem(sys.modules, "torch")
    assert conditions({}, case) == {"node": host_mark(), "nice": 15}


@pytest.mark.parametrize("place", [None, questions.Place(lane=1)])
def test_a_case_gets_the_gpu_of_its_lane(place: questions.Place | None, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[int] = []
    monkeypatch.setattr(questions, "_choose_gpu", lambda case, lane: chosen.append(lane))
    monkeypatch.setattr(
        questions, "METRICS", {"params": dataclasses.replace(METRICS["params"], measure=lambda subject: ())}
    )
    asked = ({"on_progress": print}, Case(metric="params", model="resnet18"))
    assert questions.measure(*asked, *([place] if place else [])) == ((), ())
    assert chosen == [place.lane if place else 0]
