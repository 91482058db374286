"""`python -m benchmarks.compare RUN_A RUN_B`: which cases became faster or slower, and which cannot be told apart.

A run is an output folder or its `results.jsonl`. For each timed case the two runs share: the ratio of the times with
its 95 % interval, a rank test over the rounds, adjusted for the number of cases (Holm), and the noise floor. A verdict
other than "same" needs all three to agree. When one session timed both, ratio and test go by pairs within rounds
(Wilcoxon's signed ranks), so that drift does not hide a difference; else the test is Mann and Whitney's.

Exit status: 0 nothing became slower; 1 something did; 2 the runs cannot be compared.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
from scipy.stats import mannwhitneyu, wilcoxon

from benchmarks.records.record import Case, Measurement, Record
from benchmarks.records.store import RECORDS, question, read_records
from benchmarks.stats.intervals import Interval, holm, ratio_interval, round_medians

__all__ = ["Comparison", "compare", "compare_times", "main"]

TIMES = {"latency": "latency_s", "throughput": "samples_per_sec"}
NOISE_FLOOR = 0.01  # a change smaller than this is none, whatever the statistics say
SIGNIFICANT = 0.05  # after Holm's adjustment
TOO_NOISY = 0.10  # relative half-width of a ratio's interval that leaves no verdict
RESAMPLES = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What became of one case from A to B.

    Args:
        name: the case.
        ratio: time in B over time in A.
        p_value: of the rank test over rounds, adjusted for all cases.
        noise_floor: relative change below which nothing is called a change.
        verdict: "faster", "slower", "same" or "too noisy".
    """

    name: str
    ratio: Interval
    p_value: float
    noise_floor: float
    verdict: str


def compare(before: Sequence[Record], after: Sequence[Record], *, noise_floor: float = NOISE_FLOOR) -> list[Comparison]:
    """A verdict for every timed case both runs have.

    Raises:
        ValueError: they share no timed case, or were made on different machines.
    """
    first, second = _timed(before), _timed(after)
    shared = [asked for asked in first if asked in second]
    if not shared:
        raise ValueError("the two runs share no timed case; both need --metrics latency or throughput")
    both = {name_of(first[asked].case): (first[asked], second[asked]) for asked in shared}
    machines = {record.machine for records in both.values() for record in records}
    if len(machines) > 1:
        raise ValueError("the runs were made on different machines, whose times do not compare")
    pairs = {name: (_rounds(one), _rounds(other), _paired(one, other)) for name, (one, other) in both.items()}
    return compare_times(pairs, noise_floor=noise_floor)


def compare_times(
    pairs: Mapping[str, tuple[Mapping[int, float], Mapping[int, float], bool]], *, noise_floor: float = NOISE_FLOOR
) -> list[Comparison]:
    """Verdicts on pairs of round medians: (seconds by round in A, in B, whether equal rounds were one session's)."""
    ratios = [
        (ratio_interval(after, before) if paired else None) or _unpaired_ratio(before, after)
        for before, after, paired in pairs.values()
    ]
    p_values = holm([_rank_test(before, after, paired) for before, after, paired in pairs.values()])
    return [
        Comparison(
            name=name, ratio=ratio, p_value=p_value, noise_floor=noise_floor,
            verdict=_verdict(ratio, p_value, noise_floor),
        )
        for name, ratio, p_value in zip(pairs, ratios, p_values, strict=True)
    ]  # fmt: skip


def name_of(case: Case) -> str:
    """The case in words."""
    return f"{case.metric} {case.model} {case.runtime} batch {case.batch_size} threads {case.num_threads}"


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


def _verdict(ratio: Interval, p_value: float, noise_floor: float) -> str:
    outside = ratio.low > 1 + noise_floor or ratio.high < 1 - noise_floor
    if outside and p_value < SIGNIFICANT:
        return "slower" if ratio.value > 1 else "faster"
    return "too noisy" if ratio.half_width > TOO_NOISY else "same"


def _rank_test(before: Mapping[int, float], after: Mapping[int, float], paired: bool) -> float:
    common = sorted(before.keys() & after.keys()) if paired else []
    if len(common) >= 2:
        changes = [math.log(after[number] / before[number]) for number in common]
        return float(wilcoxon(changes).pvalue) if any(changes) else 1.0
    if len(before) < 2 or len(after) < 2:
        return 1.0
    return float(mannwhitneyu(list(before.values()), list(after.values()), alternative="two-sided").pvalue)


def _unpaired_ratio(before: Mapping[int, float], after: Mapping[int, float]) -> Interval:
    """The ratio of the medians over rounds, each run's rounds drawn anew on their own."""
    random = np.random.default_rng(0)
    above, below = np.asarray(list(after.values())), np.asarray(list(before.values()))
    value = statistics.median(after.values()) / statistics.median(before.values())
    draws = [np.median(random.choice(data, (RESAMPLES, len(data))), axis=1) for data in (above, below)]
    low, high = np.quantile(draws[0] / draws[1], [0.025, 0.975])
    return Interval(value, float(low), float(high))


def _timed(records: Sequence[Record]) -> dict[tuple[object, ...], Record]:
    """The last record of each timed question, however long it was looked at."""
    timed = [record for record in records if record.status == "ok" and record.case.metric in TIMES]
    return {question(record.case): record for record in timed}


def _measured(record: Record) -> Measurement:
    found = record.find(TIMES[record.case.metric])
    if found is None or not found.samples:
        raise ValueError(f"the record of {name_of(record.case)} holds no samples")
    return found


def _rounds(record: Record) -> dict[int, float]:
    """Seconds of a call in each round."""
    measured = _measured(record)
    apart = measured.details.get("apart_rounds", ())
    if record.case.metric == "throughput":
        return round_medians([record.case.batch_size / sample for sample in measured.samples], measured.rounds, apart)
    return round_medians(measured.samples, measured.rounds, apart)


def _paired(before: Record, after: Record) -> bool:
    return _measured(before).details.get("run") == _measured(after).details.get("run")


def _read(run: str) -> list[Record]:
    path = Path(run)
    path = path / RECORDS if path.is_dir() else path
    if not path.exists():
        raise ValueError(f"there are no records at {path}")
    found = read_records(path)
    for notice in found.notices:
        print(f"benchmarks.compare: {notice}", file=sys.stderr)
    return list(found.records)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        print(f"{self.prog}: {message}", file=sys.stderr)
        raise SystemExit(2)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="benchmarks.compare", description="Says which timed cases of two runs differ.")
    parser.add_argument("run_a", metavar="RUN_A", help="output folder or results.jsonl of the first run")
    parser.add_argument("run_b", metavar="RUN_B", help="of the second")
    parser.add_argument(
        "--noise-floor", type=float, default=NOISE_FLOOR, help="relative change below which nothing is a change"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
