"""What is done to find out how far the harness's numbers can be trusted; each function is a task of its own process."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.measure.engine import execute
from benchmarks.measure.session import Spent
from benchmarks.plan.arguments import parse
from benchmarks.plan.cases import plan
from benchmarks.records.environment import observe
from benchmarks.records.record import Case, Record
from benchmarks.selfcheck.selftest import SLOWDOWN
from benchmarks.stats.intervals import round_medians
from benchmarks.stats.verdicts import compare_times

__all__ = ["BASE", "MODELS", "PAIRS", "REPEATS", "SAME", "SESSIONS", "SLOWED", "overhead", "repeat", "same", "slowdown"]

REPEATS = 5
BASE = "resnet50"  # whose time the others are divided by
MODELS = (BASE, "mobilenet_v1", "xception", "vgg16")
MAX_TIME = 15
PLAIN_WARMUP, PLAIN_CALLS = 10, 40  # of the plain loop that most tools are

SAME = ("mobilenet_v1", "resnet18", "googlenet", "alexnet")
SLOWED = ("mobilenet_v1", "resnet50")
SESSIONS = 2  # of each model in SAME
PAIRS = 5  # in a session

TIMEOUT = 600.0


def repeat() -> dict[str, Any]:
    """One latency run of the four models, and one plain loop over them."""
    cases = _plan("--models", ",".join(MODELS), "--max-time", str(MAX_TIME))
    started, spent = time.perf_counter(), Spent()
    records = _timed(cases, spent)
    wall = time.perf_counter() - started
    return {
        "rounds": {record.case.model: _by_number(record) for record in records},
        "all_rounds": {record.case.model: _by_number(record, whole=True) for record in records},
        "plain": _plain_loop(MODELS),
        "stage_s": wall,
        "spent": dataclasses.asdict(spent),
        **_noise(records),
    }


def same(model: str) -> dict[str, Any]:
    """Pairs in which nothing differs, under the default settings."""
    return _pairs(_plan("--models", model), {})


def slowdown(model: str) -> dict[str, Any]:
    """Pairs in which the second is slowed down by a known part, with `--rigorous`."""
    return _pairs(_plan("--models", model, "--rigorous"), {"slowdown": SLOWDOWN})


def overhead() -> dict[str, Any]:
    """Where the time of a latency stage of all models goes, under the default settings."""
    cases = _plan("--models", "all")
    started, spent = time.perf_counter(), Spent()
    records = _timed(cases, spent)
    wall = time.perf_counter() - started
    return {"cases": len(cases), "stage_s": wall, "spent": dataclasses.asdict(spent), **_noise(records)}


def _plan(*arguments: str) -> tuple[Case, ...]:
    """The cases of a latency run with these arguments."""
    return plan(parse([*arguments, "--metrics", "latency"]).options)


def _timed(cases: Sequence[Case], spent: Spent) -> list[Record]:
    records = list(execute(cases, observe("python -m benchmarks.selfcheck measurement"), timeout=TIMEOUT, spent=spent))
    failed = [record for record in records if record.status != "ok"]
    if failed:
        raise RuntimeError(f"{failed[0].case.model}: {failed[0].status}: {failed[0].reason}")
    return records


def _pairs(cases: Sequence[Case], change: dict[str, float]) -> dict[str, Any]:
    """Ratio, interval and verdict of each pair, all of one session."""
    (base,) = cases
    asked = []
    for number in range(1, PAIRS + 1):
        asked += [_labelled(base, {"repeat": 2 * number}), _labelled(base, {"repeat": 2 * number + 1, **change})]
    records = {dict(record.case.settings)["repeat"]: record for record in _timed(asked, Spent())}
    found = []
    for number in range(1, PAIRS + 1):
        before, after = (_by_number(records[2 * number + offset]) for offset in (0, 1))
        # one question at a time, as a person asks it: no adjustment for the other pairs
        (comparison,) = compare_times({"pair": (before, after, True)})
        found.append(dataclasses.asdict(comparison) | {"rounds": len(before)})
    return {"pairs": found, **_noise(records.values())}


def _labelled(case: Case, extra: dict[str, float]) -> Case:
    return dataclasses.replace(case, settings=tuple(sorted((dict(case.settings) | extra).items())))


def _by_number(record: Record, *, whole: bool = False) -> dict[int, float]:
    """Seconds of a call, the median of each round that counts, or of the whole run."""
    found = record.find("latency_s")
    if found is None:
        raise RuntimeError(f"the record of {record.case.model} has no latency")
    return round_medians(found.samples, found.rounds, () if whole else found.details["apart_rounds"])


def _noise(records: Iterable[Record]) -> dict[str, Any]:
    found = [record.find("latency_s") for record in records]
    return {"noisy": any(each.details.get("noisy") for each in found if each)}


def _plain_loop(models: Sequence[str]) -> dict[str, float]:
    """Mean seconds of a call: one block a model, one model after the other, in one process."""
    import torch

    import zoo

    means = {}
    for name in models:
        torch.manual_seed(0)
        model = zoo.create(name).eval()
        side = model.spec.input.size
        images = torch.randn(1, model.in_channels, side, side)
        with torch.inference_mode():
            for _ in range(PLAIN_WARMUP):
                model(images)
            times = []
            for _ in range(PLAIN_CALLS):
                start = time.perf_counter()
                model(images)
                times.append(time.perf_counter() - start)
        means[name] = statistics.fmean(times)
    return means
