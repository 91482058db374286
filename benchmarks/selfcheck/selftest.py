"""`--self-test`: what the harness can tell apart on this machine, shown on a difference of known size.

One model is timed three times in the same rounds: as it is, as it is once more (A/A, any difference is noise), and with
a busy wait of known size after every call.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping, Sequence

from benchmarks.measure.engine import execute
from benchmarks.metrics import METRICS
from benchmarks.metrics.latency import times_of
from benchmarks.plan.arguments import Request
from benchmarks.plan.cases import plan
from benchmarks.records.environment import observe
from benchmarks.records.record import Case, Record
from benchmarks.stats.intervals import FEWEST_ROUNDS, Interval
from benchmarks.stats.rounds import ratio_interval, ratios_by_round
from benchmarks.stats.verdicts import DIFFERENT, detectable, verdict

__all__ = ["SLOWDOWN", "cases_of", "changed", "conclude", "self_test"]

SLOWDOWN = 0.05
MODEL = "mobilenet_v1"


def self_test(request: Request) -> int:
    """Runs the test and prints what it found; the exit status is 0 if both answers are right."""
    model = request.options.models[0] if len(request.options.models) == 1 else MODEL
    records = []
    for record in execute(cases_of(model, request), observe(request.command), timeout=request.timeout):
        print(f"benchmarks.run: {record.status} {_title(record.case)} {record.reason}".rstrip(), file=sys.stderr)
        records.append(record)
    lines, right = conclude(records)
    print(*lines, sep="\n")
    return 0 if right else 1


def cases_of(model: str, request: Request) -> list[Case]:
    """The model, the model again, the model slowed down."""
    base, *_ = plan(dataclasses.replace(request.options, models=(model,), metrics=("latency",), runtimes=("eager",)))
    extras: tuple[dict[str, float], ...] = ({}, {"repeat": 2}, {"repeat": 3, "slowdown": SLOWDOWN})
    return [changed(base, extra) for extra in extras]


def changed(case: Case, extra: Mapping[str, float]) -> Case:
    """The case with these settings besides its own."""
    return dataclasses.replace(case, settings=tuple(sorted({**dict(case.settings), **extra}.items())))


def conclude(records: Sequence[Record]) -> tuple[list[str], bool]:
    """The findings in words, and whether both are right."""
    failed = [record for record in records if record.status != "ok"]
    if failed:
        return [f"the self-test could not be made: {_title(each.case)}: {each.reason}" for each in failed], False
    rounds = {}
    for record in records:
        times = times_of(record)
        if times is None:
            return [f"the self-test could not be made: {_title(record.case)} has no latency"], False
        rounds[dict(record.case.settings).get("repeat", 1)] = times.rounds
    same, slower = ratio_interval(rounds[2], rounds[1]), ratio_interval(rounds[3], rounds[1])
    if same is None or slower is None or not (same.known and slower.known):
        return [f"the self-test could not be made: fewer than {FEWEST_ROUNDS} rounds count; raise --max-time"], False
    quiet, seen = verdict(same) not in DIFFERENT, verdict(slower) == "slower"
    least, count = detectable(slower), len(ratios_by_round(rounds[3], rounds[1]))
    return [
        f"One model timed twice: {_words(same)}. "
        + ("Right: nothing is called a difference." if quiet else "Wrong: the machine drifts; trust no such gap."),
        f"A slowdown of {SLOWDOWN:.0%} injected: {_words(slower)}. "
        + ("Right: it is found." if seen else _missed(least)),
        f"Over {count} rounds, slowdowns that come out at {least:.1%} or more are found here.",
    ], quiet and seen


def _missed(least: float) -> str:
    """Why a slowdown was not found, in agreement with the size that would have been."""
    why = "it came out smaller than it is" if least <= SLOWDOWN else f"it would be from {least:.1%} on"
    return f"It is not found; {why}: measure longer (--rigorous) or on a quieter machine."


def _words(ratio: Interval) -> str:
    return f"{ratio.value - 1:+.1%} ({ratio.low - 1:+.1%} to {ratio.high - 1:+.1%}), {verdict(ratio)}"


def _title(case: Case) -> str:
    slowdown = dict(case.settings).get("slowdown")
    return f"{METRICS[case.metric].title} of {case.model}" + (f" slowed by {slowdown:.0%}" if slowdown else "")
