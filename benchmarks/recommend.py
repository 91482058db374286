"""`python -m benchmarks.recommend [RUN]`: which network, runtime and precision fit a budget, by a run's records.

A limit is kept where the worse end of a figure's 95 % interval keeps it (`benchmarks.report.choosing`). RUN is an
output folder: by default your own, `reports`, where it has records, else the shipped report. With --measure what the
answer needs is measured first, into that folder.

Exit status: 0 something fits for certain; 1 nothing does; 2 the command line was wrong or there are no records.
"""

from __future__ import annotations

import argparse
import json
import math
import shlex
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path

import zoo
from benchmarks.measure.basis import code_of
from benchmarks.measure.engine import execute
from benchmarks.metrics import METRICS, check, derived
from benchmarks.plan.arguments import CHOICES, PRECISIONS, PRESETS, Parser, words
from benchmarks.plan.cases import Options
from benchmarks.plan.cost import counts_of
from benchmarks.plan.forecast import Forecast, duration
from benchmarks.plan.models import expand_models
from benchmarks.plan.needed import Needs, costs_needed, counts_needed, times_needed
from benchmarks.records.environment import effective_cpus, observe, read_environment, read_machines
from benchmarks.records.record import FULL, INTEGERS, PUBLISHED, Case, Environment, Record
from benchmarks.records.standing import counting
from benchmarks.records.store import RECORDS, Store, StoreError, open_store, read_records
from benchmarks.report.choosing import LIMITS, Budget, Candidate, choose
from benchmarks.report.recommending import Told, as_json, lines_of, uncosted
from benchmarks.report.ways import BYTES, Contents, ways_of
from benchmarks.report.words import machine_in_words
from benchmarks.studies.mobilenets import GRID, label
from zoo.data import DATASETS
from zoo.errors import shown
from zoo.runtimes import RUNTIMES
from zoo.shell import run_command

__all__ = ["main"]

OWN, SHIPPED = Path("reports"), Path(__file__).parent.parent / "reports" / "reference"
DEPLOYED = ("onnxruntime", "openvino")  # runtimes that --measure times where none are named: they read files
PERCENTILES = (50, 90, 95, 99)
TIMEOUT = 3600.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints what fits and returns the exit status."""
    reader = _parser()
    given = reader.parse_args(arguments)
    try:
        if given.percentile != 50 and given.first_answer:
            raise ValueError("--first-answer is one look at a fresh process, of which no --percentile is known")
        models = expand_models(given.models) if given.models else None
        runtimes = CHOICES.select(given.runtime) if given.runtime else None
        precisions = PRECISIONS.select(given.precision) if given.precision else None
    except (LookupError, TypeError, ValueError) as error:
        reader.error(words(error))
    run = given.run or (OWN if given.measure or (OWN / RECORDS).is_file() else SHIPPED)
    budget = Budget(**{name: getattr(given, name) for name in LIMITS})
    notes: list[str] = []
    try:
        if given.measure:
            notes += _measure(given, run, budget, models, runtimes, precisions)
        records, machine = _read(run, notes)
    except (StoreError, OSError, ValueError) as error:
        print(f"benchmarks.recommend: {words(error)}", file=sys.stderr)
        return 2
    candidates = _ways(records, given, models, runtimes, precisions)
    if not candidates:
        notes.append("no times of such ways are among the records; --measure takes them")
    told = Told(
        run=str(run), machine=machine, contains=_contents(given).text, dataset=given.dataset, data_dir=given.data_dir,
        notes=notes,
    )  # fmt: skip
    choice = choose(candidates, budget)
    if given.json:
        print(json.dumps(as_json(choice, budget, told), indent=1, allow_nan=False))
    else:
        print(*lines_of(choice, budget, told), sep="\n")
    return 0 if choice.answers else 1


def _ways(
    records: Sequence[Record],
    given: argparse.Namespace,
    models: Sequence[str] | None,
    runtimes: Sequence[str] | None,
    precisions: Sequence[str] | None,
) -> list[Candidate]:
    """What is chosen from: those ways of the records that were asked for."""
    wanted: dict[str, Sequence[object] | None] = {
        "model": models, "runtime": runtimes, "precision": precisions, "num_threads": given.num_threads or None,
    }  # fmt: skip
    return [
        each
        for each in ways_of(records, dataset=given.dataset, contents=_contents(given))
        if all(values is None or getattr(each, name) in values for name, values in wanted.items())
    ]


def _contents(given: argparse.Namespace) -> Contents:
    return Contents(percentile=given.percentile, preparation=given.end_to_end, first=given.first_answer)


def _read(run: Path, notes: list[str]) -> tuple[list[Record], str]:
    """The records of the machine that made a folder's last run, accuracies of any, and that machine in words.

    Args:
        notes: is told what a reader of the answers must know of them.
    """
    path = run / RECORDS if run.is_dir() else run
    if not path.is_file():
        raise ValueError(
            f"there are no records at {shown(str(path))}; RUN is an output folder of benchmarks.run, or use --measure"
        )
    found = read_records(path, check)
    for notice in found.notices:
        print(f"benchmarks.recommend: {notice}", file=sys.stderr)
    timed = Counter(record.machine for record in found.records if record.case.metric == "latency")
    environment = read_environment(path.parent)
    machine = environment.machine_id if environment is not None else ""
    if machine not in timed and timed:
        machine = timed.most_common(1)[0][0]
    facts = read_machines(path.parent).get(machine, {})
    if machine != observe("").machine_id:
        notes.append("these times are another machine's, not this one's; --measure takes this one's")
    return _counting(found.records, machine), machine_in_words(facts)


def _counting(records: Iterable[Record], machine: str) -> list[Record]:
    """Those of a machine that count, and accuracies of any."""
    kept = [record for record in records if record.machine == machine or record.case.metric == "accuracy"]
    return [derived(record) for record in counting(kept)]


# --- measuring first --------------------------------------------------------------------------------------------------


def _measure(
    given: argparse.Namespace,
    run: Path,
    budget: Budget,
    models: Sequence[str] | None,
    runtimes: Sequence[str] | None,
    precisions: Sequence[str] | None,
) -> list[str]:
    """Measures what the answer needs and what no record has; what there is to say of it."""
    if run.resolve() == SHIPPED.resolve():
        raise ValueError(f"the shipped report is not written to; name another folder, as in --measure {OWN}")
    preset = PRESETS["default"]
    effort = {"max_time": preset["max_time"], "rounds": 16, "target_ci": preset["target_ci"]}
    options = Options(
        models=tuple(models or (*zoo.list_models(), *_grid())),
        metrics=(),
        runtimes=tuple(runtimes or (name for name in DEPLOYED if RUNTIMES[name].unavailable() is None)),
        precisions=tuple(precisions or (FULL, INTEGERS)),
        num_threads=tuple(given.num_threads or dict.fromkeys((1, effective_cpus()))),
        dataset=given.dataset if given.data_dir else "",
        data_dir=given.data_dir,
        effort=effort,
    )
    environment = observe(shlex.join(["python", "-m", "benchmarks.recommend", *sys.argv[1:]]))
    with open_store(run, check=check) as store:
        records, _ = store.standing(environment.machine_id, code_of)
        measured = {record.case.model for record in store.records() if record.case.metric == "accuracy"}
        needs = Needs(
            options=options,
            metrics=_metrics(given, budget),
            bytes_each=BYTES,
            max_mb=budget.max_size_mb,
            max_gmacs=budget.max_gmacs,
            min_top1=None if budget.min_top1 is None else budget.min_top1 / 100,
            measured=frozenset() if given.dataset == PUBLISHED else frozenset(measured),
        )
        records += _do(store.resume(counts_needed(needs), records), environment, store, "counting")
        timed = store.resume(times_needed(needs, counts_of(records)), records)
        found = _do(timed, environment, store, "timing")
        if budget.min_top1 is not None:
            counted = _counting(store.records(), environment.machine_id)
            unknown = uncosted(choose(_ways(counted, given, models, runtimes, precisions), budget))
            ways = dict.fromkeys((each.model, each.runtime, each.precision) for each in unknown)
            found += _do(
                store.resume(costs_needed(ways, counted, options, run), records), environment, store, "testing"
            )
    failed = [record for record in found if record.status not in ("ok", "skipped")]
    return [f"{len(failed)} of {len(found)} could not be measured; the first: {failed[0].reason}"] if failed else []


def _grid() -> list[str]:
    return [zoo.spec(label(width=width, resolution=resolution)).label for width, resolution in GRID]


def _metrics(given: argparse.Namespace, budget: Budget) -> tuple[str, ...]:
    """What is measured of each way: its time always, all else where a limit or a flag asks for it."""
    asked = {
        "latency": True,
        "memory": budget.max_memory_mb is not None,
        "throughput": budget.min_throughput is not None,
        "preparation": given.end_to_end,
    }
    return tuple(name for name in METRICS if asked.get(name))


def _do(cases: Sequence[Case], environment: Environment, store: Store, what: str) -> list[Record]:
    """Measures some cases, having said how long that takes, and keeps each record."""
    from benchmarks.measure.progress import Display

    if not cases:
        return []
    expected = duration(Forecast(cases, store.records()).left)
    print(f"benchmarks.recommend: {what} {len(cases)} cases first, about {expected}", file=sys.stderr)
    found: list[Record] = []
    with (
        Display(cases, store.records()) as display,
        closing(execute(cases, environment, timeout=TIMEOUT, tell=display.step)) as records,
    ):
        for record in records:
            store.append(record)
            found.append(record)
            display.finish(record)
    return found


# --- the command line -------------------------------------------------------------------------------------------------


def _parser() -> Parser:
    parser = Parser(
        prog="benchmarks.recommend", description="Says which network, runtime and precision fit a budget.",
        allow_abbrev=False,
    )  # fmt: skip
    parser.add_argument(
        "run", nargs="?", type=Path, metavar="RUN", help="output folder; default reports, else the shipped"
    )
    limits = parser.add_argument_group("the budget")
    for name, limit in LIMITS.items():
        flag, side = f"--{name.replace('_', '-')}", "most" if limit.at_most else "least"
        limits.add_argument(flag, type=_positive, metavar=limit.unit.upper(), help=f"{limit.title}, at {side}")
    which = parser.add_argument_group("what is chosen from")
    which.add_argument(
        "--models", default="", metavar="LIST", help="as of benchmarks.run, sweeps too; default all there are"
    )
    which.add_argument(
        "--runtime", "--runtimes", default="", metavar="LIST", help=f"of {', '.join(CHOICES)}; default all"
    )
    which.add_argument("--precision", default="", metavar="LIST", help=f"of {', '.join(PRECISIONS)}; default all")
    which.add_argument("--num-threads", type=_threads, default=(), metavar="N,...", help="default all there are")
    which.add_argument(
        "--dataset", choices=sorted(DATASETS), default=PUBLISHED, metavar="NAME",
        help="whose accuracies count; default imagenet, the published ones among them",
    )  # fmt: skip
    which.add_argument("--data-dir", default="", metavar="DIR", help="its folder, for the commands and to calibrate on")
    time = parser.add_argument_group("what the milliseconds contain")
    time.add_argument("--percentile", type=int, choices=PERCENTILES, default=50, help="of the calls; default 50")
    time.add_argument("--end-to-end", action="store_true", help="decoding and resizing a photograph, too")
    time.add_argument("--first-answer", action="store_true", help="the first answer of a fresh process, with loading")
    parser.add_argument("--measure", action="store_true", help="measure first what the answer needs and no record has")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"a number above 0 is wanted; got {shown(text)}")
    return value


def _threads(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and 0 < int(part) < 10**6 for part in parts):
        raise argparse.ArgumentTypeError(f"numbers of threads of at least 1 are wanted; got {shown(text)}")
    return tuple(dict.fromkeys(map(int, parts)))


if __name__ == "__main__":
    run_command(main)
