"""`python -m benchmarks.compare RUN_A RUN_B`: which cases became faster or slower, and which cannot be told apart.

A run is an output folder or its `results.jsonl`. For each timed case the two runs share: the ratio of the times with
its 95 % interval, a rank test over the rounds, adjusted for the number of cases (Holm), and the noise floor. A verdict
other than "same" needs all three to agree. When one session timed both, ratio and test go by pairs within rounds
(Wilcoxon's signed ranks), so that drift does not hide a difference; else the test is Mann and Whitney's.

Exit status: 0 nothing became slower; 1 something did; 2 the runs cannot be compared.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.metrics.latency import times_of
from benchmarks.plan.arguments import Parser
from benchmarks.records.naming import names_of
from benchmarks.records.record import Case, Record
from benchmarks.records.standing import counting
from benchmarks.records.store import RECORDS, read_records
from benchmarks.stats.ratios import Times
from benchmarks.stats.verdicts import NOISE_FLOOR, Comparison, compare_times

__all__ = ["compare", "main"]


def compare(before: Sequence[Record], after: Sequence[Record], *, noise_floor: float = NOISE_FLOOR) -> list[Comparison]:
    """A verdict for every timed case both runs have.

    Raises:
        ValueError: they share no timed case, or were made on different machines.
    """
    first, second = _timed(before), _timed(after)
    shared = [case for case in first if case in second]
    if not shared:
        raise ValueError("the two runs share no timed case; both need --metrics latency or throughput")
    if len({machine for run in (first, second) for case in shared for machine, _ in [run[case]]}) > 1:
        raise ValueError("the runs were made on different machines, whose times do not compare")
    names = names_of(shared)
    pairs = {}
    for case in shared:
        (_, one), (_, other) = first[case], second[case]
        pairs[names[case]] = (one.seconds, other.seconds, one.session is not None and one.session == other.session)
    return compare_times(pairs, noise_floor=noise_floor)


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the verdicts and returns the exit status."""
    given = _parser().parse_args(arguments)
    try:
        found = compare(_read(given.run_a), _read(given.run_b), noise_floor=given.noise_floor)
    except (OSError, ValueError) as error:
        print(f"benchmarks.compare: {error}", file=sys.stderr)
        return 2
    width = max(len(each.name) for each in found)
    print(f"{'case':{width}}  B/A time (95 % interval)   p (Holm)  verdict; noise floor {given.noise_floor:.1%}")
    for each in found:
        interval = f"{each.ratio.value:.3f} ({each.ratio.low:.3f} to {each.ratio.high:.3f})"
        print(f"{each.name:{width}}  {interval:25}  {each.p_value:8.4f}  {each.verdict}")
    return 1 if any(each.verdict == "slower" for each in found) else 0


def _timed(records: Sequence[Record]) -> dict[Case, tuple[str, Times]]:
    """Machine and times of each timed question."""
    found = {}
    for record in counting(record for record in records if record.status == "ok"):
        times = times_of(record)
        if times is not None:
            found[record.case.question] = (record.machine, times)
    return found


def _read(run: str) -> list[Record]:
    path = Path(run)
    path = path / RECORDS if path.is_dir() else path
    if not path.exists():
        raise ValueError(f"there are no records at {path}")
    found = read_records(path)
    for notice in found.notices:
        print(f"benchmarks.compare: {notice}", file=sys.stderr)
    return list(found.records)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="benchmarks.compare", description="Says which timed cases of two runs differ.")
    parser.add_argument("run_a", metavar="RUN_A", help="output folder or results.jsonl of the first run")
    parser.add_argument("run_b", metavar="RUN_B", help="of the second")
    parser.add_argument(
        "--noise-floor", type=float, default=NOISE_FLOOR, help="relative change below which nothing is a change"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
