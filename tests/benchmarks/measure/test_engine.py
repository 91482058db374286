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
from benchmarks.records.record import Case, Measurement

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


class FakeWorker:
    """Answers what it was asked, those that began first at first; at most so many live at once."""

    made: ClassVar[list[FakeWorker]] = []
    living: ClassVar[list[int]] = []

    def __init__(self, timeout: float) -> None:
        if len(FakeWorker.made) == REFUSED:
            FakeWorker.made.append(self)
            raise WorkerError("crashed", "no process can be started")
        self.timeout, self.asked, self.places, self.open = timeout, list[Case](), list[Any](), True
        self.deadline = 0.0
        FakeWorker.made.append(self)

    def begin(self, question: object, case: Case, place: Any, *, on_progress: Any) -> None:
        self.asked.append(case)
        self.places.append(place)
        FakeWorker.living.append(sum(each.open for each in FakeWorker.made if hasattr(each, "open")))
        on_progress(1, 4)

    def receive(self) -> Any:
        if self.asked[-1].model == "vgg19":
            raise WorkerError("timeout", "it took too long")
        return (Measurement(name="param_count", value=7.0, unit="count"),), (f"{self.asked[-1].model} said",)

    def ask(self, question: object, case: Case) -> dict[str, Any]:
        return {"threads": 3, "nice": 15}

    def close(self) -> None:
        self.open = False


REFUSED = 3  # this many workers are made before one cannot be


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> list[FakeWorker]:
    FakeWorker.made.clear()
    FakeWorker.living.clear()
    monkeypatch.setattr(engine, "Worker", FakeWorker)
    monkeypatch.setattr(engine, "wait", lambda busy, seconds: busy[:1])
    return FakeWorker.made


def test_trainings_go_side_by_side_in_processes_and_lanes_of_their_own(workers: list[FakeWorker]) -> None:
    models = ("resnet34", "resnet50", "vgg19", "resnet18", "mobilenet_v1")
    cases = [Case(metric="accuracy", model=model, epochs=1, train_threads=1, dataset="fashion_mnist", img_size=32,
                  train_images=10, recipe="sample") for model in models]  # fmt: skip
    told: list[tuple[str, str, float]] = []
    records = list(execute(cases, observe("test"), timeout=9.0, lanes=2, folder="run",
                           tell=lambda case, step, share: told.append((case.model, step, share))))  # fmt: skip
    found = {record.case.model: record for record in records}
    assert {model: record.status for model, record in found.items()} == dict.fromkeys(models, "ok") | {
        "vgg19": "timeout", "resnet18": "crashed",
    }  # fmt: skip
    assert found["resnet50"].notes == ("resnet50 said", "1 threads were asked for, and 3 were used")
    assert max(FakeWorker.living) == 2  # lanes, whatever waits
    begun = [worker for worker in workers if hasattr(worker, "asked")]
    assert all(len(worker.asked) == 1 and worker.timeout == float("inf") and not worker.open for worker in begun)
    assert {place.lane for worker in begun for place in worker.places} == {0, 1}
    assert all(place.folder == "run" and len(place.mark) == 8 for worker in begun for place in worker.places)
    assert [each[1:] for each in told if each[0] == "resnet34"] == [("", 0.0), ("1 of 4 images", 0.25)]


def test_counts_share_a_process_until_one_of_them_fails(workers: list[FakeWorker]) -> None:
    cases = [Case(metric="params", model=model) for model in ("alexnet", "vgg19", "nin", "resnet18")]
    records = list(execute(cases, observe("test"), timeout=9.0, lanes=1))
    assert [(record.case.model, record.status) for record in records] == [
        ("alexnet", "ok"), ("vgg19", "timeout"), ("nin", "ok"), ("resnet18", "ok"),
    ]  # fmt: skip
    assert [[case.model for case in worker.asked] for worker in workers] == [["alexnet", "vgg19"], ["nin", "resnet18"]]
    assert [worker.timeout for worker in workers] == [9.0, 9.0] and not any(worker.open for worker in workers)


def test_who_stops_listening_leaves_no_process_behind(workers: list[FakeWorker]) -> None:
    records = execute([Case(metric="params", model=model) for model in ("alexnet", "nin")], observe("test"), timeout=9)
    next(records)
    records.close()
    assert workers and not any(worker.open for worker in workers)


@pytest.mark.parametrize(
    ("conditions", "threads"), [([1, 2, 1], 2), ([3], 3), ([0, 0], engine.effective_cpus()), ([], None)]
)
def test_the_server_has_as_many_threads_as_a_case_will_use(
    conditions: list[int], threads: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[int] = []
    monkeypatch.setattr(engine, "start_server", started.append)
    list(execute([timed("vgg11", num_threads=count) for count in conditions], observe("test"), timeout=1))
    assert started == ([] if threads is None else [threads])


@pytest.mark.parametrize(
    ("nice", "metric", "noted"), [(15, "latency", True), (0, "latency", False), (15, "params", False)]
)
def test_what_was_timed_at_another_priority_says_so(nice: int, metric: str, noted: bool) -> None:
    record = engine._done(Case(metric=metric, model="nin"), (), ("before",), {"nice": nice})
    assert record.notes[0] == "before" and record.where == {"nice": nice}
    assert any(f"nice {nice}" in note for note in record.notes) == noted


def test_threads_that_were_had_as_asked_are_no_news() -> None:
    for where in ({"threads": 2}, {"threads": None}, {}):
        assert engine._done(timed("nin", num_threads=2), (), (), where).notes == ()
    assert engine._done(timed("nin", num_threads=2), (), (), {"threads": 1}).notes == (
        "2 threads were asked for, and 1 were used",
    )


def test_time_is_over_for_whose_deadline_has_passed(workers: list[FakeWorker], monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(engine, "wait", lambda busy, seconds: waited.append(seconds) or [])
    monkeypatch.setattr(engine.time, "monotonic", lambda: 100.0)
    late, early = FakeWorker(1), FakeWorker(1)
    late.deadline, early.deadline = 100.0, 130.0
    assert engine._with_news([early, late]) == [late]  # type: ignore[list-item]
    assert engine._with_news([early]) == []  # type: ignore[list-item]
    assert waited == [0.0, 30.0]
