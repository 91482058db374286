"""A process of its own and its answers; the faults it may end by are tested with the whole command."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import Any

import pytest

from benchmarks.measure import worker
from benchmarks.measure.worker import Worker, WorkerError, start_server


def remember(memory: dict[str, Any], value: int) -> int:
    before: int = memory.get("value", 0)
    memory["value"] = value
    return before


def report_progress(memory: dict[str, Any]) -> str:
    """Says three times how far it is."""
    for done in (1, 2, 3):
        memory["on_progress"](done, 3)
    return "done"


def fail(memory: dict[str, Any], kind: str) -> None:
    raise {"memory": MemoryError, "runtime": RuntimeError}[kind]("two\n lines")


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    monkeypatch.setattr(worker, "PRELOAD", ())
    start_server(1)
    made = Worker(60)
    yield made
    made.close()
    made.close()  # the second time nothing happens


def test_a_process_remembers_from_one_question_to_the_next(process: Worker) -> None:
    assert [process.ask(remember, value) for value in (1, 2, 3)] == [0, 1, 2]


def test_progress_arrives_before_the_answer(process: Worker) -> None:
    seen: list[tuple[int, int]] = []
    process.begin(report_progress, on_progress=lambda done, whole: seen.append((done, whole)))
    while (answer := process.receive()) is None:
        pass
    assert answer == "done"
    assert seen[0] == (1, 3) and set(seen) <= {(1, 3), (2, 3), (3, 3)}


@pytest.mark.parametrize("timeout", [math.inf, 9e6])
def test_a_time_limit_may_be_longer_than_the_system_can_wait(timeout: float, process: Worker) -> None:
    process._timeout = timeout
    assert process.ask(remember, 1) == 0


@pytest.mark.parametrize(("kind", "status"), [("runtime", "failed"), ("memory", "oom")])
def test_what_a_question_raises_is_told_in_one_line(process: Worker, kind: str, status: str) -> None:
    with pytest.raises(WorkerError) as raised:
        process.ask(fail, kind)
    assert raised.value.status == status and raised.value.reason.endswith("Error: two lines")
    assert process.ask(remember, 1) == 0


def test_an_answer_in_time_is_none_too_late_when_it_is_fetched_late(process: Worker) -> None:
    process.begin(remember, 1)
    while not process._connection.poll(10):
        pass
    process.deadline = time.monotonic() - 1
    assert process.receive() == 0
