"""Which cases are timed together; records are tested with the whole command."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from benchmarks.measure import engine
from benchmarks.measure.engine import execute
from benchmarks.measure.worker import WorkerError
from benchmarks.metrics.metric import Timing
from benchmarks.records.environment import observe
from benchmarks.records.record import Case

SESSIONS: list[list[Case]] = []


class FakeSession:
    """Has room for two cases, the first of which is timed and the second lost."""

    where: ClassVar[dict[Case, dict[str, Any]]] = {}

    def __init__(self, waiting: list[Case], **_options: Any) -> None:
        self.taken, waiting[:] = waiting[:2], waiting[2:]
        SESSIONS.append(self.taken)

    def results(self) -> Iterator[tuple[Case, Timing | WorkerError, tuple[str, ...]]]:
        details = {"reference": "resnet18", "load_s": 1.0, "first_call_s": 0.5}
        timing = Timing(samples=(1.0, 2.0, 9.0), rounds=(1, 2, 3), reference=(1.0, 1.0, 3.0),
                        reference_rounds=(1, 2, 3), details=details)  # fmt: skip
        for case, found in zip(self.taken, (timing, WorkerError("oom", "no memory for it")), strict=False):
            yield case, found, (f"{case.model} was noisy",)


@pytest.fixture(autouse=True)
def fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    SESSIONS.clear()
    monkeypatch.setattr(engine, "start_server", lambda threads: None)
    monkeypatch.setattr(engine, "Session", FakeSession)


def timed(model: str, **conditions: Any) -> Case:
    return Case(**{"metric": "latency", "model": model, "img_size": 224, "num_threads": 1} | conditions)


def test_only_cases_under_the_same_conditions_are_timed_together() -> None:
    other = {"batch_size": 8, "num_threads": 2, "metric": "throughput", "effort": (("rounds", 3),)}
    cases = [timed("vgg11"), *(timed("alexnet", **{name: value}) for name, value in other.items())]
    cases += [timed("nin", runtime="packed"), timed("googlenet", num_threads=2)]
    list(execute(cases, observe("test"), timeout=1))
    groups = [sorted(case.model for case in session) for session in SESSIONS]
    assert sorted(groups) == [["alexnet"], ["alexnet"], ["alexnet"], ["alexnet", "googlenet"], ["nin", "vgg11"]]


def test_there_are_sessions_until_every_case_has_its_record() -> None:
    cases = [timed(model) for model in ("vgg11", "vgg13", "vgg16", "vgg19", "nin")]
    environment = observe("test")
    records = list(execute(cases, environment, timeout=1))
    assert [record.case for record in records] == cases
    assert [len(session) for session in SESSIONS] == [2, 2, 1]
    assert [record.status for record in records] == ["ok", "oom", "ok", "oom", "ok"]
    first, lost, *_ = records
    assert (first.value("latency_s"), first.value("latency_ratio")) == (2.0, 2.0)
    assert lost.reason == "no memory for it" and not lost.measurements
    assert [record.notes for record in (first, lost)] == [("vgg11 was noisy",), ("vgg13 was noisy",)]
    assert all(record.environment == environment.id and record.code and record.started for record in records)
