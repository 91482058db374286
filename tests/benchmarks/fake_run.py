"""`benchmarks.run` with measurements that take as long as a fake says and no PyTorch, for tests that kill it.

Run as `python -m tests.benchmarks.fake_run ARGUMENTS...`; with REPORT=real in the environment it writes its report.
"""

from __future__ import annotations

import ctypes
import dataclasses
import logging
import os
import signal
import sys
import time
import types
import warnings
from typing import TYPE_CHECKING, Any
from unittest import mock

from benchmarks import run
from benchmarks.measure import engine, questions, worker
from benchmarks.measure.executors import course, members, node
from benchmarks.metrics import METRICS
from benchmarks.records.record import Case, Measurement
from zoo.shell import run_command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.metrics.subject import Subject

SECONDS = float(os.environ.get("FAKE_SECONDS", "0.02"))


def measure(
    memory: dict[str, Any], case: Case, place: questions.Place
) -> tuple[tuple[Measurement, ...], tuple[str, ...]]:
    """The fake: parameters fail in a way of its own for some models, and one is measured with much to say."""
    if case.model == TALKATIVE:
        talkative = dataclasses.replace(METRICS[case.metric], measure=_talk)
        with mock.patch.object(questions, "METRICS", {case.metric: talkative}):
            return questions.measure(memory, case)
    fate = FATES.get(case.model) if case.metric == "params" else None
    if fate:
        fate()
    started = time.monotonic()
    time.sleep(SECONDS if case.metric != "accuracy" else 20 * SECONDS)
    span = [started, time.monotonic()]
    found = Measurement(
        name="param_count",
        value=len(case.model),
        unit="count",
        details={"span": span, "pid": os.getpid(), "place": dataclasses.asdict(place)},
    )
    return (found,), ()


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _segfault() -> None:
    ctypes.string_at(0)


def _exit() -> None:
    os._exit(3)


def _hang() -> None:
    time.sleep(60)


def _raise() -> None:
    raise RuntimeError("it does not\nwork")


def _exhaust() -> None:
    raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried to ...")


FATES = {
    "vgg11": _kill,
    "vgg13": _segfault,
    "vgg16": _exit,
    "vgg19": _hang,
    "resnet34": _raise,
    "resnet152": _exhaust,
}


TALKATIVE = "googlenet:auxiliary=true"


def _talk(subject: Subject) -> tuple[Measurement, ...]:
    subject.notes.append("folders left out:\na, b")
    logging.getLogger("zoo").info("nothing of importance")
    logging.getLogger("elsewhere").warning("not this project's")
    for _ in range(2):
        logging.getLogger("zoo.runtimes.auto").warning("%s is not used for %s: it is wrong", "packed", "googlenet")
    warnings.warn("the weights\n were guessed", stacklevel=1)
    warnings.warn("this function goes away", FutureWarning, stacklevel=1)
    return (Measurement(name="param_count", value=1, unit="count"),)


def publish(*_arguments: object, **_options: object) -> None:
    """Writes no report."""


publish_all = publish


def written() -> list[str]:
    """What a report consists of."""
    return ["README.md", "figures/*.svg"]


def take(*arguments: Any) -> Iterator[Any]:
    """What a node of a cluster does, with the fakes."""
    fake()
    yield from node.take(*arguments)


def look(*arguments: Any) -> node.Facts:
    """What a node of a cluster says of itself, with the fakes."""
    fake()
    return node.look(*arguments)


def fake() -> None:
    """Puts the fakes in place."""
    worker.PRELOAD = ()
    worker.describe_torch = lambda timeout: {}
    engine.measure = measure
    members.look, course.take = look, take
    if os.environ.get("REPORT") != "real":
        no_report = types.SimpleNamespace(publish=publish, publish_all=publish_all, written=written)
        sys.modules["benchmarks.report.publish"] = no_report  # type: ignore[assignment]


if __name__ == "__main__":
    from tests.benchmarks import fake_run

    signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell starts in the background ignores it
    fake_run.fake()
    run_command(run.main)
