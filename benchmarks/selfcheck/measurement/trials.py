"""What is done to find out how far the harness's numbers can be trusted; each function is a task of its own process."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import zoo
from benchmarks.measure.engine import execute
from benchmarks.measure.session import Spent
from benchmarks.metrics.latency import times_of
from benchmarks.plan.arguments import parse
from benchmarks.plan.cases import plan
from benchmarks.records.environment import observe
from benchmarks.records.record import Case, Record
from benchmarks.selfcheck.selftest import SLOWDOWN, changed
from benchmarks.stats.rounds import Rounds
from zoo.lazy import torch
from zoo.turns import elapsed

__all__ = ["BASE", "MODELS", "PAIRS", "REPEATS", "SAME", "SESSIONS", "SLOWED", "overhead", "repeat", "same", "slowdown"]

REPEATS = 5
BASE = "resnet50"  # whose time the others are divided by
MODELS = (BASE, "mobilenet_v1", "xception", "vgg16")
MAX_TIME = 14
PLAIN_WARMUP, PLAIN_CALLS = 10, 40  # of the plain loop that most tools are

SAME = ("mobilenet_v1", "resnet18", "googlenet", "alexnet")
SLOWED = ("mobilenet_v1", "resnet50")
SESSIONS = 2  # of each model in SAME
PAIRS = 5  # in a session

TIMEOUT = 600.0


def repeat() -> dict[str, Any]:
    """One latency run of the four models, in which rounds the processors were close, and one plain loop over them."""
    records, stage = _stage(_plan("--models", ",".join(MODELS), "--max-time", str(MAX_TIME)))
    found = {record.case.model: _rounds(record) for record in records}
    return {
        "rounds": {model: rounds.close for model, rounds in found.items()},
        "all_rounds": {model: rounds.figures for model, rounds in found.items()},
        "plain": _plain_loop(MODELS),
        **stage,
    }


def same(model: str) -> dict[str, Any]:
    """Pairs in which nothing differs, under the default settings."""
    return _pairs(_plan("--models", model), {})


def slowdown(model: str) -> dict[str, Any]:
    """Pairs in which the second is slowed down by a known part, with `--rigorous`."""
    return _pairs(_plan("--models", model, "--rigorous"), {"slowdown": SLOWDOWN})


def overhead() -> dict[str, Any]:
    """Where the time of a latency stage of all models goes, under the default settings."""
    records, stage = _stage(_plan("--models", "all"))
    return {"cases": len(records), **stage}


def _plan(*arguments: str) -> tuple[Case, ...]:
    """The cases of a latency run with these arguments."""
    return plan(parse([*arguments, "--metrics", "latency"]).options)


def _stage(cases: Sequence[Case]) -> tuple[list[Record], dict[str, Any]]:
    """The records of a latency stage, and where its seconds went and whether other work disturbed it."""
    started, spent = time.perf_counter(), Spent()
    records = list(execute(cases, observe("python -m benchmarks.selfcheck measurement"), timeout=TIMEOUT, spent=spent))
    wall = time.perf_counter() - started
    for record in records:
        if record.status != "ok":
            raise RuntimeError(f"{record.case.model}: {record.status}: {record.reason}")
    noisy = any(found.details.get("noisy") for record in records if (found := record.find("latency_s")))
    return records, {"stage_s": wall, "spent": dataclasses.asdict(spent), "noisy": noisy}


def _pairs(cases: Sequence[Case], change: Mapping[str, float]) -> dict[str, Any]:
    """Seconds by round of both of each pair, and in which the processors were apart, all of one session."""
    (base,) = cases
    numbers = range(2, 2 * PAIRS + 2, 2)
    labels = [label for number in numbers for label in ({"repeat": number}, {"repeat": number + 1, **change})]
    records, stage = _stage([changed(base, label) for label in labels])
    by_label = {dict(record.case.settings)["repeat"]: _rounds(record) for record in records}
    pairs = [{"before": by_label[number], "after": by_label[number + 1]} for number in numbers]
    return {
        "pairs": [
            {**{side: rounds.figures for side, rounds in pair.items()},
             "apart": {side: sorted(rounds.apart) for side, rounds in pair.items()}}
            for pair in pairs
        ],
        "noisy": stage["noisy"],
    }  # fmt: skip


def _rounds(record: Record) -> Rounds:
    """Seconds of a call by round."""
    times = times_of(record)
    if times is None:
        raise RuntimeError(f"the record of {record.case.model} has no latency")
    return times.rounds


def _plain_loop(models: Sequence[str]) -> dict[str, float]:
    """Mean seconds of a call: one block a model, one model after the other, in one process."""
    means = {}
    for name in models:
        torch.manual_seed(0)
        model = zoo.create(name).eval()
        side = model.spec.input.size
        images = torch.randn(1, model.in_channels, side, side)
        with torch.inference_mode():
            for _ in range(PLAIN_WARMUP):
                model(images)
            means[name] = statistics.fmean(elapsed(partial(model, images)) for _ in range(PLAIN_CALLS))
    return means
