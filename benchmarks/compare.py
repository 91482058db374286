"""`python -m benchmarks.compare RUN_A RUN_B`: what changed from one run to another, in one table.

A run is an output folder or its `results.jsonl`. A case both runs have is compared figure by figure: times by the one
rule of `benchmarks.stats.verdicts`, paired within rounds where one session timed both, accuracies image by image where
both runs kept the answers (McNemar), counts by their values. Cases that only one run has are named. Times of
different machines are not compared, all else is.

Exit status: 0 it was compared; 1 with --fail-over PERCENT alone: some case is surely slower by more than that, which is
to say slower by the rule, and the lower end of its ratio's 95 % interval beyond that; 2 the runs cannot be compared.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import shutil
import sys
import textwrap
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zoo
from benchmarks.metrics import METRICS, check, derived, edited
from benchmarks.metrics.latency import times_of
from benchmarks.metrics.metric import Column
from benchmarks.plan.arguments import Parser, words
from benchmarks.records.naming import names_of
from benchmarks.records.predictions import NotPaired, mcnemar
from benchmarks.records.record import Case, Measurement, Record
from benchmarks.records.standing import counting
from benchmarks.records.store import RECORDS, read_records
from benchmarks.stats.intervals import UNKNOWN, Interval, median_interval, time_interval
from benchmarks.stats.ranking import gap_and_margin
from benchmarks.stats.ratios import Times, paired, quotient
from benchmarks.stats.verdicts import NOISE_FLOOR, SIGNIFICANT, p_value, verdict
from zoo.errors import shown
from zoo.shell import run_command

__all__ = ["Change", "Comparison", "compare", "main"]

TIME_UNITS = ("s", "1/s")  # of what belongs to a machine
DEFAULT_WIDTH = 120  # where the output is no terminal
COLUMNS = (10, 10, 22, 14)  # characters of before, after, change and verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One figure of one case in both runs.

    Args:
        case: its model and the conditions that tell it apart.
        metric: name in `benchmarks.metrics`.
        figure: column of `results.csv`, in whose unit `before` and `after` are.
        ratio: of the figures, B over A; of times it is time, for rates too, so that more is slower.
        ratio_low, ratio_high: its 95 % interval, where there is one.
        p_value: that nothing differs, of this case alone.
        rounds: that count, of the run with fewer, or of both where they are paired; None for what was not timed.
        verdict: one of `benchmarks.stats.verdicts.VERDICTS` for times; else "more", "less" or "same".
    """

    case: str
    metric: str
    figure: str
    before: float
    after: float
    ratio: float | None = None
    ratio_low: float | None = None
    ratio_high: float | None = None
    p_value: float | None = None
    rounds: int | None = None
    verdict: str = "same"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What became of everything that two runs measured.

    Args:
        changes: of the cases both have.
        only_in_a, only_in_b: names of the others, with the reason where the other run tried.
        elsewhere: timed cases that were not compared since the runs were made on different machines.
        edited: networks that are not those published under their names, in sentences.
    """

    changes: Sequence[Change]
    only_in_a: Sequence[str]
    only_in_b: Sequence[str]
    elsewhere: int = 0
    edited: Sequence[str] = ()


def compare(
    before: Iterable[Record],
    after: Iterable[Record],
    *,
    metrics: Sequence[str] = (),
    noise_floor: float = NOISE_FLOOR,
) -> Comparison:
    """Every figure of every case that both runs have, those of `metrics` alone where some are named.

    Raises:
        ValueError: the noise floor is no share.
    """
    runs = [
        _by_case(record for record in run if not metrics or record.case.metric in metrics) for run in (before, after)
    ]
    names = names_of([case for run in runs for case in run])
    pairs = {case: _of_one_machine(runs[0][case], runs[1][case]) for case in runs[0] if case in runs[1]}
    done = {case: pair for case, pair in pairs.items() if all(record.status == "ok" for record in pair)}
    timed = {case: pair for case, pair in done.items() if all(times_of(record) for record in pair)}
    here = [case for case, (one, other) in timed.items() if one.machine == other.machine]
    judge = _Judge(len(here), sum(case.metric == "accuracy" for case in done), noise_floor)
    changes = [change for case, (one, other) in done.items() for change in judge.changes(names[case], one, other)]
    only = [
        [_alone(names[case], records, runs[1 - place].get(case, ())) for case, records in runs[place].items()]
        for place in (0, 1)
    ]
    return Comparison(
        changes=changes,
        only_in_a=list(filter(None, only[0])),
        only_in_b=list(filter(None, only[1])),
        elsewhere=len(timed) - len(here),
        edited=[sentence for side, run in zip("AB", runs, strict=True) for sentence in _edited(side, run)],
    )


def _edited(side: str, run: Mapping[Case, Sequence[Record]]) -> Iterator[str]:
    """A sentence about each network of a run whose counts are not those of the published one of its name."""
    for model in dict.fromkeys(case.model for case in run):
        if edited(record for case, records in run.items() if case.model == model for record in records):
            printed = zoo.spec(model).published
            top1 = printed.top1 if printed else None
            figure = f"; the {100 * top1:.1f} % printed for that are not its own" if top1 else ""
            yield f"edited in {side}: {model}, which is not the published network{figure}"


def _by_case(records: Iterable[Record]) -> dict[Case, list[Record]]:
    """The records that count of each question, one a machine."""
    found: dict[Case, list[Record]] = {}
    for record in counting(records):
        found.setdefault(record.case.question, []).append(derived(record))
    return found


def _of_one_machine(before: Sequence[Record], after: Sequence[Record]) -> tuple[Record, Record]:
    """Of each run the last record, of one machine and measured if there are such."""
    pairs = [(one, other) for one in before for other in after]
    return max(pairs, key=lambda pair: (all(each.status == "ok" for each in pair), pair[0].machine == pair[1].machine))


def _alone(name: str, records: Sequence[Record], others: Sequence[Record]) -> str:
    """The name of a case that was measured in this run alone; empty where it was in both or in neither."""
    if not _measured(records) or _measured(others):
        return ""
    return name + "".join(f" (there {each.status}: {words(ValueError(each.reason))[:80]})" for each in others[-1:])


def _measured(records: Sequence[Record]) -> bool:
    return any(record.status == "ok" for record in records)


@dataclass(frozen=True, slots=True)
class _Judge:
    """What pairs of records say, given how many are judged."""

    timed: int
    accuracies: int
    noise_floor: float

    def changes(self, name: str, before: Record, after: Record) -> Iterator[Change]:
        """Every figure that both records have."""
        seen = set()
        case = name.removeprefix(f"{before.case.metric} ")
        for column in METRICS[before.case.metric].columns if before.case.metric in METRICS else ():
            one, other = before.find(column.measurement), after.find(column.measurement)
            if column.part != "value" or column.measurement in seen or one is None or other is None:
                continue
            seen.add(column.measurement)
            if before.machine != after.machine and one.unit in TIME_UNITS:
                continue
            change = Change(
                case=case,
                metric=before.case.metric,
                figure=column.name,
                before=_shown(column, one),
                after=_shown(column, other),
                ratio=other.value / one.value if one.value > 0 else None,
            )
            yield dataclasses.replace(change, **self._verdict(column, before, after, one, other))

    def _verdict(
        self, column: Column, before: Record, after: Record, one: Measurement, other: Measurement
    ) -> Mapping[str, Any]:
        times = times_of(before), times_of(after)
        if times[0] and times[1]:
            return self._of_times(times[0], times[1])
        if one.unit in TIME_UNITS:
            return {"verdict": "too few rounds"}
        if column.measurement == "top1":
            return self._of_top1(before, after)
        return {"verdict": "same" if abs(other.value - one.value) <= column.noise else _of_intervals(one, other)}

    def _of_times(self, before: Times, after: Times) -> Mapping[str, Any]:
        if before.session is not None and before.session == after.session:
            ratios = list(paired(after, before).values())
            ratio = median_interval(ratios) if ratios else UNKNOWN
            rounds = len(ratios)
        else:
            ratio = quotient(time_interval(after.seconds), time_interval(before.seconds))
            rounds = min(len(before.seconds), len(after.seconds))
        known = ratio.known and math.isfinite(ratio.value)
        found = verdict(ratio, comparisons=self.timed, noise_floor=self.noise_floor)
        return {
            "ratio": ratio.value if math.isfinite(ratio.value) else None,
            "ratio_low": ratio.low if known else None,
            "ratio_high": ratio.high if known else None,
            "p_value": p_value(ratio) if known else None,
            "rounds": rounds,
            "verdict": found,
        }

    def _of_top1(self, before: Record, after: Record) -> Mapping[str, Any]:
        one, other = (found for record in (before, after) if (found := record.find("top1")))
        try:
            p = mcnemar(before, after).p_value
        except (
            NotPaired,
            ArithmeticError,
            LookupError,
            TypeError,
            ValueError,
            zlib.error,
        ):  # or answers nobody can read
            return {"verdict": _of_intervals(one, other)}
        differs = self.accuracies * p < SIGNIFICANT
        return {"p_value": p, "verdict": _direction(other.value - one.value) if differs else "same"}


def _of_intervals(before: Measurement, after: Measurement) -> str:
    """Whether a figure differs, by the intervals of both; one without is exact."""
    one, other = (
        Interval(each.value, *(each.value if end is None else end for end in (each.low, each.high)))
        for each in (before, after)
    )
    gap, margin = gap_and_margin(one, other)
    return _direction(after.value - before.value) if gap > margin else "same"


def _direction(difference: float) -> str:
    return "more" if difference > 0 else "less" if difference < 0 else "same"


def _shown(column: Column, found: Measurement) -> float:
    return round(found.value) if column.whole else found.value * column.factor


# --- the command ------------------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the comparison and returns the exit status."""
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        metrics = METRICS.select(given.metrics) if given.metrics else ()
        found = compare(_read(given.run_a), _read(given.run_b), metrics=metrics, noise_floor=given.noise_floor)
    except Exception as error:  # whatever a run holds: status 1 would say that something became slower
        print(f"benchmarks.compare: {words(error)[:280] or type(error).__name__}", file=sys.stderr)
        return 2
    if given.json:
        settings = {name: getattr(given, name) for name in ("run_a", "run_b", "noise_floor", "fail_over")}
        content = {**dataclasses.asdict(found), "settings": {**settings, "metrics": list(metrics)}}
        print(json.dumps({"cases": content.pop("changes"), **content}, indent=1, allow_nan=False))
    else:
        print(*_lines(found, shutil.get_terminal_size((DEFAULT_WIDTH, 24)).columns), sep="\n")
    if not found.changes:
        print(f"benchmarks.compare: nothing to compare: {_why_nothing(found)}", file=sys.stderr)
        return 2
    return 1 if given.fail_over is not None and any(_beyond(change, given.fail_over) for change in found.changes) else 0


def _beyond(change: Change, percent: float) -> bool:
    """Whether a case is surely slower by more than so much."""
    return change.verdict == "slower" and (change.ratio_low or 0) > 1 + percent / 100


def _why_nothing(found: Comparison) -> str:
    if found.elsewhere:
        return "the timed cases they share were timed on different machines, whose times do not compare"
    return "the two runs share no case that was measured in both"


def _lines(found: Comparison, width: int) -> Iterator[str]:
    """The comparison for a terminal of so many columns."""
    room = max(width - sum(COLUMNS) - 2 * len(COLUMNS), 16)
    told = [
        change for change in found.changes if change.verdict != "same" or change.rounds or change.p_value is not None
    ]
    figure = ""
    for change in sorted(told, key=lambda change: list(METRICS).index(change.metric)):
        if change.figure != figure:
            figure = change.figure
            heads = ("before", "after", "after/before (95 %)", "verdict")
            yield _line(figure, heads, room)
        yield from _row(change, room)
    equal = [change.figure for change in found.changes if change not in told]
    if equal:
        yield f"equal in both: {_count(equal, 'figure')} ({', '.join(dict.fromkeys(equal))})"
    if found.elsewhere:
        yield f"timed on different machines and so not compared: {_count(range(found.elsewhere), 'case')}"
    for side, names in (("A", found.only_in_a), ("B", found.only_in_b)):
        yield from (f"only in {side}: {name}" for name in names)
    for sentence in found.edited:
        yield from textwrap.wrap(sentence, width, subsequent_indent="  ")


def _row(change: Change, room: int) -> Iterator[str]:
    interval = "" if change.ratio_low is None else f" ({change.ratio_low:.3f} to {change.ratio_high:.3f})"
    ratio = "" if change.ratio is None else f"{change.ratio:.3f}{interval}"
    cells = (_number(change.before), _number(change.after), ratio, change.verdict)
    if len(change.case) + 2 > room:
        yield f"  {change.case}"
        yield _line("", cells, room)
    else:
        yield _line(f"  {change.case}", cells, room)


def _line(first: str, cells: Sequence[str], room: int) -> str:
    before, after, ratio, said = cells
    return f"{first:{room}}  {before:>{COLUMNS[0]}}  {after:>{COLUMNS[1]}}  {ratio:{COLUMNS[2]}}  {said}".rstrip()


def _count(things: Sized, noun: str) -> str:
    return f"{len(things):,} {noun}" if len(things) == 1 else f"{len(things):,} {noun}s"


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}" if abs(value) < 1e4 else f"{value:,.0f}"


def _read(run: str) -> list[Record]:
    path = Path(run)
    path = path / RECORDS if path.is_dir() else path
    if not path.is_file():
        raise ValueError(f"there are no records at {path}; a run is an output folder or its {RECORDS}")
    found = read_records(path, check)
    for notice in found.notices:
        print(f"benchmarks.compare: {notice}", file=sys.stderr)
    return list(found.records)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="benchmarks.compare", description="Says what changed from one run to another.")
    parser.add_argument("run_a", metavar="RUN_A", help="output folder or results.jsonl of the first run")
    parser.add_argument("run_b", metavar="RUN_B", help="of the second")
    parser.add_argument("--metrics", default="", help=f"compare these alone, of {', '.join(METRICS)}")
    parser.add_argument(
        "--fail-over", type=_percent, metavar="PERCENT",
        help="exit with 1 if a case is slower and the lower end of the 95 %% interval of its ratio is beyond PERCENT",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    parser.add_argument(
        "--noise-floor", type=_share, default=NOISE_FLOOR, metavar="SHARE",
        help="relative change below which no time is called different (default: %(default)s)",
    )  # fmt: skip
    return parser


def _from_zero(wanted: str, below: float) -> Callable[[str], float]:
    """What reads a number of at least 0 and refuses any other text by saying what is wanted."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not 0 <= value < below:
            raise argparse.ArgumentTypeError(f"{wanted} is wanted; got {shown(text)}")
        return value

    return read


_percent = _from_zero("a percentage of at least 0", math.inf)
_share = _from_zero("a share of at least 0 and below 1 (0.01 is 1 %)", 1)


if __name__ == "__main__":
    run_command(main)
