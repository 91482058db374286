"""One training by several processes: it counts every image once, leaves equal weights, and says why it failed."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from benchmarks.metrics import together as module
from benchmarks.metrics.accuracy import complete, measure
from benchmarks.metrics.subject import Subject
from benchmarks.metrics.together import _own_address, _reason, together
from benchmarks.plan.arguments import parse
from benchmarks.plan.cases import plan
from benchmarks.plan.cost import at_a_time, processors_of, seconds_of
from benchmarks.records.environment import effective_cpus
from benchmarks.records.naming import conditions_of
from benchmarks.records.record import Case, Measurement, Record
from benchmarks.report.commands import flags_of
from benchmarks.report.frame import to_csv, to_frame
from benchmarks.report.joining import join, protocol_of

SMALL = "mobilenet_v1:width=0.25"
MEASUREMENT = Measurement(name="top1", value=0.5, unit="fraction")


def case(**conditions: object) -> Case:
    asked = Case(metric="accuracy", model=SMALL, epochs=1, train_images=60, img_size=32, train_threads=1)
    return complete(dataclasses.replace(asked, **conditions))  # type: ignore[arg-type]


def test_it_is_a_condition_of_trainings_and_of_nothing_else() -> None:
    one, two = (plan(parse(["--models", SMALL, "--nproc", str(count)]).options) for count in (1, 2))
    changed = [
        (before.metric, after.train_processes) for before, after in zip(one, two, strict=True) if before != after
    ]
    assert changed == [("accuracy", 2)]
    shared = next(each for each in two if each.metric == "accuracy")
    assert ("--nproc", "2") in flags_of(shared, {"cpus": 2}) and "in 2 processes" in conditions_of(shared)
    alone = next(each for each in one if each.metric == "accuracy")
    assert protocol_of(shared) != protocol_of(alone)  # a step of twice the images is another training
    tested = complete(dataclasses.replace(shared, recipe="", weights_path="imagenet", dataset="imagenet"))
    assert tested.train_processes == 0


def test_it_takes_its_processors() -> None:
    shared = case(train_processes=2, train_threads=3)
    assert processors_of(shared) == 6 and at_a_time("training", [case(train_processes=effective_cpus())]) == 1
    assert seconds_of(shared) < seconds_of(case(train_threads=3))


def test_a_table_has_its_column_only_where_there_are_some() -> None:
    def head(*cases: Case) -> str:
        records = [Record(case=each, status="failed", reason="for a reason") for each in cases]
        return to_csv(to_frame(join(records))).partition("\n")[0]

    assert "train_processes" not in head(case()) and "train_processes" in head(case(), case(train_processes=2))


@pytest.mark.slow
def test_two_processes_train_one_network() -> None:
    told: list[tuple[int, int]] = []
    asked = case(train_processes=2)
    subject = Subject(asked, on_progress=lambda done, whole: told.append((done, whole)))
    found = Record(case=asked, status="ok", measurements=measure(subject))
    assert found.value("test_images") == 2000 and found.value("train_images") == 60
    assert told and told[-1][0] <= told[-1][1]
    again = Record(case=asked, status="ok", measurements=measure(Subject(asked)))
    assert again.find("top1").details["answers"] == found.find("top1").details["answers"]  # type: ignore[union-attr]
    alone = case()
    single = Record(case=alone, status="ok", measurements=measure(Subject(alone)))
    assert single.find("top1").details["answers"] != found.find("top1").details["answers"]  # type: ignore[union-attr]


@pytest.mark.slow
def test_what_fails_in_one_of_them_is_said() -> None:
    with pytest.raises(RuntimeError, match=r"process \d .*failed: .*(recipe|nothing)"):
        measure(Subject(dataclasses.replace(case(train_processes=2), recipe="nothing")))


def test_who_failed_is_said_with_its_words_or_its_status() -> None:
    def failed(message: object, status: int = 1) -> str:
        failure = SimpleNamespace(message=message, exitcode=status)
        return _reason(SimpleNamespace(get_first_failure=lambda: (1, failure)))

    said = "process 1 of those that train together failed: "
    assert failed({"message": "ValueError: no images"}) == f"{said}ValueError: no images"
    assert failed("killed by a signal") == f"{said}killed by a signal"
    assert failed({}, status=-9) == f"{said}-9"


def test_the_network_that_is_used_is_the_one_on_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    addresses = {"eth0": [SimpleNamespace(address="10.0.0.7")], "lo": [SimpleNamespace(address="127.0.0.1")]}
    monkeypatch.setattr(module.psutil, "net_if_addrs", lambda: addresses)
    monkeypatch.delenv("GLOO_SOCKET_IFNAME", raising=False)
    assert _own_address("localhost:0") == "127.0.0.1"
    assert os.environ["GLOO_SOCKET_IFNAME"] == "lo"
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "ib0")  # which somebody chose
    _own_address("127.0.0.1:29500")
    assert os.environ["GLOO_SOCKET_IFNAME"] == "ib0"


@pytest.mark.parametrize(
    ("part", "processes", "meets"),
    [("", 2, (1, 2, "c10d", "localhost:0", 0)), ("1 2 127.0.0.1:29500", 4, (2, 2, "static", "127.0.0.1:29500", 1))],
)
def test_a_machines_part_of_the_processes_is_started_here(
    part: str, processes: int, meets: tuple[object, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    from torch.distributed.launcher import api

    configs: list[Any] = []

    def launch(config: Any, member: Any) -> Callable[..., dict[int, Any]]:
        configs.append(config)
        return lambda *given: {1: ((), ["the second's"]), 0: ((MEASUREMENT,), ["the first's"])}

    monkeypatch.setattr(api, "elastic_launch", launch)
    monkeypatch.setenv(module.PART, part)
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    subject = Subject(case(train_processes=processes))
    assert together(subject, measure) == (MEASUREMENT,) and subject.notes[-1] == "the first's"
    (found,) = configs
    rank = found.rdzv_configs["rank"]
    assert (found.max_nodes, found.nproc_per_node, found.rdzv_backend, found.rdzv_endpoint, rank) == meets
    assert found.max_restarts == 0 and found.min_nodes == found.max_nodes


def test_a_gpu_is_the_one_of_the_lane_and_on_processors_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 3)
    assert module._current_gpu(case(device="cuda")) == 3 and module._current_gpu(case()) == 0


@pytest.mark.parametrize("leads", [True, False])
def test_the_first_of_the_processes_alone_tells_how_far_it_is(leads: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "team", lambda: SimpleNamespace(leads=leads, local_rank=0))
    said: list[tuple[int, int]] = []

    def found(subject: Subject) -> tuple[Measurement, ...]:
        subject.tell(3, 4)
        subject.notes.append(f"on {torch.get_num_threads()} threads")
        return (MEASUREMENT,)

    asked = case(train_processes=2, train_threads=1)
    assert module._member(found, asked, "", "", 0, SimpleNamespace(send=said.append)) == (  # type: ignore[arg-type]
        (MEASUREMENT,), ["on 1 threads"],
    )  # fmt: skip
    assert said == ([(3, 4)] if leads else [])


def test_what_the_processes_tell_is_passed_on_to_the_last_word() -> None:
    told: list[tuple[int, ...]] = []
    heard, ours = multiprocessing.Pipe(duplex=False)
    subject = Subject(case(), lambda *done: told.append(done))
    with module._passing_on(heard, subject):
        for number in range(3):
            ours.send((number, 3))
        ours.close()
    assert told == [(0, 3), (1, 3), (2, 3)] and heard.closed


@pytest.mark.parametrize(
    ("processes", "size", "said"),
    [(0, 1, False), (1, 1, False), (2, 1, True), (2, 0, True), (2, 2, False), (1, 0, False)],
)
def test_a_training_is_shared_out_once(processes: int, size: int, said: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "team", lambda: SimpleNamespace(size=size))
    assert module.is_shared(Case(metric="accuracy", model=SMALL, train_processes=processes)) is said
