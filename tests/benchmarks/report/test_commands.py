"""The commands at the end of a page ask for exactly what it shows."""

from __future__ import annotations

import random
import shlex

import pytest

from benchmarks.plan import arguments
from benchmarks.plan.cases import plan, plan_study
from benchmarks.records.record import Case, Record
from benchmarks.report.commands import commands
from benchmarks.report.overview import survey
from benchmarks.studies import STUDIES

MACHINE = {"effective_cpus": 2}
MODELS = ("resnet18", "vgg16", "mobilenet_v1:resolution=160,width=0.5", "alexnet", "inception_v3")


def asked(line: str) -> set[Case]:
    """The cases that a line asks for, whatever the effort."""
    program, _, module, *typed = shlex.split(line)
    assert (program, module) == ("python", "benchmarks.run")
    request = arguments.parse(typed)
    cases = [
        *plan(request.options),
        *(case for name in request.studies for case in plan_study(STUDIES[name], request.options)),
    ]
    return {case.question for case in cases}


@pytest.fixture(autouse=True)
def two_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arguments, "effective_cpus", lambda: 2)


def some_lines(seed: int) -> list[str]:
    """Command lines as people type them, one run after another."""
    chance = random.Random(seed)
    lines = []
    for _ in range(chance.choice((1, 2, 3))):
        words = ["python", "-m", "benchmarks.run", "--models", ",".join(chance.sample(MODELS, chance.choice((1, 3))))]
        words += ["--metrics", ",".join(chance.sample(["params", "mult_adds", "latency", "accuracy", "throughput"], 3))]
        for option, values in {
            "--runtimes": ["eager,packed"], "--batch-size": ["4", "1,4"], "--num-threads": ["1", "1,2"],
            "--img-size": ["96"], "--seed": ["3"], "--epochs": ["7"], "--rounds": ["9"], "--precision": ["bf16"],
            "--recipe": ["scratch", "scratch:batch_size=8"], "--seeds": ["0,2"],
        }.items():  # fmt: skip
            words += [option, chance.choice(values)] if chance.random() < 0.3 else []
        lines.append(shlex.join(words))
    return lines


@pytest.mark.parametrize("seed", range(15))
def test_what_was_asked_is_asked_again_and_nothing_else(seed: int) -> None:
    cases = set().union(*map(asked, some_lines(seed)))
    lines = commands(sorted(cases, key=repr), MACHINE)
    assert set().union(*map(asked, lines)) == cases


def test_seeds_of_one_training_are_one_line() -> None:
    request = arguments.parse(["--models", "resnet18", "--metrics", "params,accuracy", "--seeds", "0-2"])
    (line,) = commands(plan(request.options)[::-1], MACHINE)
    assert line.endswith("--seeds 0,1,2")


def test_the_effort_is_asked_again_too() -> None:
    request = arguments.parse(["--models", "resnet18", "--metrics", "latency", "--max-time", "7", "--rounds", "9"])
    (line,) = commands(plan(request.options), MACHINE)
    again = arguments.parse(shlex.split(line)[3:])
    assert plan(again.options)[0].effort == plan(request.options)[0].effort


def test_every_model_is_all() -> None:
    request = arguments.parse(["--models", "all", "--metrics", "params"])
    assert commands(plan(request.options), MACHINE) == ["python -m benchmarks.run --models all --metrics params"]


def test_what_no_option_can_say_is_left_out() -> None:
    case = Case(metric="accuracy", model="resnet18", recipe="sample:auxiliary=false", dataset="fashion_mnist", epochs=3)
    assert commands([case, Case(metric="params", model="no such"), Case(metric="what", model="vgg16")], MACHINE) == []


def test_only_what_the_page_shows_is_asked() -> None:
    def done(*typed: str) -> list[Record]:
        return [Record(case=case, status="ok") for case in plan(arguments.parse(typed).options)]

    shown = done("--models", "resnet18,vgg16", "--metrics", "accuracy")
    other = done("--models", "vgg16", "--metrics", "accuracy", "--epochs", "30")  # of another protocol
    lines = commands(survey([*shown, *other], None).cases, MACHINE)
    assert lines == ["python -m benchmarks.run --models resnet18,vgg16 --metrics accuracy"]
