"""A toy study and records made up for it."""

from __future__ import annotations

import dataclasses

from benchmarks.metrics.rows import METRIC
from benchmarks.metrics.subject import Subject
from benchmarks.plan.cases import Options, plan_study
from benchmarks.records.record import Case, Environment, Measurement, Record
from benchmarks.studies.arm import Arm
from benchmarks.studies.claims import more_accurate
from benchmarks.studies.evidence import Evidence
from benchmarks.studies.study import Claim, Study

OPTIONS = Options(models=(), metrics=("params", "latency", "accuracy"), num_threads=(2,), effort={"max_time": 1.0})
HERE = Environment(machine={"cpu": "CPU here"}, software={"commit": 40 * "a"}, command="python -m benchmarks.run")
THERE = Environment(machine={"cpu": "CPU there"}, software={})
WITHOUT = "sample:auxiliary=false"
STUDY = Study(
    name="toy",
    question="Which is better?",
    source="nowhere",
    arms=(Arm("one", "resnet18"), Arm("other", "resnet34"), Arm("alone", "resnet18", recipe=WITHOUT)),
    claims=(Claim("one beats other", "Table 0", more_accurate("one", "other"), short="one ahead"),),
)
ONE, OTHER, ALONE = STUDY.arms


def seen(*records: Record) -> Evidence:
    """What these records say of the toy."""
    return Evidence(STUDY.arms, records)


def tables_of(*studies: Study) -> list[Record]:
    """The tables of every model of some studies, counted on the meta device."""
    cases = {case: None for study in studies for case in plan_study(study, Options(models=(), metrics=()))}
    assert {case.metric for case in cases} == {"rows"}
    measure = METRIC.measure
    assert measure is not None
    return [Record(case=case, status="ok", measurements=measure(Subject(case))) for case in cases]


def trained(
    model: str, seed: int, top1: float, *, epochs: int = 2, machine: Environment = HERE, **changes: object
) -> Record:
    """A training as `accuracy` completes its case."""
    case = Case(
        metric="accuracy", model=model, dataset="fashion_mnist", data="made up", recipe="sample", epochs=epochs,
        train_images=6000, train_img_size=64, train_threads=1, seed=seed,
    )  # fmt: skip
    curve = [{"epoch": epoch + 1, "loss": 1.0, "train_top1": top1 / 2, "top1": top1} for epoch in range(epochs)]
    measurement = Measurement(name="top1", value=top1, unit="fraction", details={"curve": curve})
    case = dataclasses.replace(case, **changes)  # type: ignore[arg-type]
    return Record(case=case, status="ok", measurements=(measurement,), machine=machine.machine_id)


def timed(model: str, seconds: list[float], run: str = "a", ratio: tuple[float, float, float] | None = None) -> Record:
    found = [
        Measurement(
            name="latency_s", value=seconds[0], unit="s", samples=tuple(seconds), rounds=tuple(range(len(seconds))),
            details={"run": run, "reference": "resnet50"},
        )
    ]  # fmt: skip
    if ratio:
        found.append(Measurement(name="latency_ratio", value=ratio[0], unit="ratio", low=ratio[1], high=ratio[2]))
    return Record(case=Case(metric="latency", model=model), status="ok", measurements=tuple(found))


def passes(model: str, **seconds: float) -> Record:
    """Eight equal passes, so long in each row."""
    rows = [
        Measurement(name=f"row:{name}", value=each, unit="s", samples=(each,) * 8, details={"mult_adds": 10**6})
        for name, each in seconds.items()
    ]
    return Record(case=Case(metric="layers", model=model), status="ok", measurements=tuple(rows))
