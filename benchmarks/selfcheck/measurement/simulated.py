"""What the statistics are worth on rounds as this harness found them: simulated from the records of a run's folder.

Rounds are drawn from those of each timed case, some in a row at a time since neighbours are alike, and made up as
lognormal figures with the autocorrelation of the records; what the interval should hold is then known. Nothing is
timed, and equal records give equal figures.
"""

from __future__ import annotations

import itertools
import statistics
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.metrics.latency import times_of
from benchmarks.records.standing import counting
from benchmarks.records.store import RECORDS, read_records
from benchmarks.report.joining import model_spec
from benchmarks.stats.intervals import FEWEST_ROUNDS, Interval, median_interval, time_interval
from benchmarks.stats.ratios import Times, paired
from benchmarks.stats.verdicts import DIFFERENT, verdict

__all__ = ["COUNTS", "ROW", "SLOWER", "alike", "coverage"]

COUNTS = (8, 12, 24)  # rounds
ROW = 3  # rounds in a row that are drawn together
DRAWS = 200  # of so many rounds, from each case
BOOTSTRAPPED = 20  # of them, from which an interval is bootstrapped, too, to compare the widths
LOGNORMAL = 2000  # draws of made-up rounds
MOST_PAIRS = 60  # pairs of models, of the many there are, evenly chosen
SLOWER = 0.05

Rounds = NDArray[np.float64]
Draws = NDArray[np.float64]  # (draws, rounds)
Intervals = Callable[[list[float]], Interval]


def coverage(folder: Path) -> dict[str, Any]:
    """How often the interval of a time and that of a ratio hold the truth, and how wide they are.

    Returns:
        "times" and "ratios": by family (of a ratio, of its upper model), then number of rounds: "cases", "least" and
        "mean" coverage, mean relative half-"width" and that of a "bootstrap"; "lognormal": the "autocorrelation" and
        the coverage by number of rounds of each of the two.
    """
    times, ratios = _times(folder), _ratios(folder)
    return {
        "times": {family: _resampled(cases, _of_times) for family, cases in sorted(times.items())},
        "ratios": {family: _resampled(cases, median_interval) for family, cases in sorted(ratios.items())},
        "lognormal": {
            "times": _lognormal([case for cases in times.values() for case in cases], _of_times),
            "ratios": _lognormal([case for cases in ratios.values() for case in cases], median_interval),
        },
    }


def alike(folder: Path) -> dict[str, Any]:
    """How often equal times are called different, and times longer by `SLOWER` slower: by pairs, number of rounds."""
    ratios = [case for cases in _ratios(folder).values() for case in cases]
    times = [case for cases in _times(folder).values() for case in cases]
    random = np.random.default_rng(0)
    pairs: dict[str, Callable[[int], list[Draws]]] = {
        "rounds of one model, drawn twice": lambda count: [
            _drawn(case, count, random) / _drawn(case, count, random) for case in times
        ],
        "ratios of two models, over their median": lambda count: [
            _drawn(case / np.median(case), count, random) for case in ratios
        ],
    }
    return {"pairs": {name: {str(count): _judged(drawn(count)) for count in COUNTS} for name, drawn in pairs.items()}}


def _judged(cases: Sequence[Draws]) -> dict[str, float]:
    found = [median_interval(list(rounds)) for case in cases for rounds in case]
    return {
        "cases": len(cases),
        "different": statistics.fmean(verdict(ratio) in DIFFERENT for ratio in found),
        "slower": statistics.fmean(verdict(ratio.scaled(1 + SLOWER)) == "slower" for ratio in found),
    }


def _timed(folder: Path) -> dict[str, Times]:
    """Times of each model with rounds enough."""
    found = {}
    for record in counting(read_records(folder / RECORDS).records):
        times = times_of(record) if record.status == "ok" and record.case.metric == "latency" else None
        if times and len(times.seconds) >= FEWEST_ROUNDS:
            found[record.case.model] = times
    if not found:
        raise ValueError(f"no model was timed over {FEWEST_ROUNDS} rounds in {folder / RECORDS}; run with --rigorous")
    return found


def _family(model: str) -> str:
    spec = model_spec(model)
    return spec.family if spec else model


def _times(folder: Path) -> dict[str, list[Rounds]]:
    """Seconds by round of each model, by family."""
    found: dict[str, list[Rounds]] = defaultdict(list)
    for model, times in _timed(folder).items():
        found[_family(model)].append(np.array(list(times.seconds.values())))
    return found


def _ratios(folder: Path) -> dict[str, list[Rounds]]:
    """Ratios by round of pairs of models of one session, by the family of the upper."""
    timed = _timed(folder)
    found = [
        (above, np.array(list(ratios.values())))
        for above, below in itertools.combinations(timed, 2)
        if len(ratios := paired(timed[above], timed[below])) >= FEWEST_ROUNDS
    ]  # fmt: skip
    families: dict[str, list[Rounds]] = defaultdict(list)
    for above, by_round in found[:: -(-len(found) // MOST_PAIRS) or 1]:
        families[_family(above)].append(by_round)
    return families


def _of_times(values: list[float]) -> Interval:
    return time_interval(dict(enumerate(values)))


def _drawn(case: Rounds, count: int, random: np.random.Generator) -> Draws:
    """`DRAWS` times `count` rounds of a case, `ROW` in a row; after its last comes its first."""
    starts = random.integers(len(case), size=(DRAWS, -(-count // ROW), 1))
    places = (starts + np.arange(ROW)) % len(case)
    drawn: Draws = case[places.reshape(DRAWS, -1)[:, :count]]
    return drawn


def _resampled(cases: Sequence[Rounds], interval: Intervals) -> dict[str, dict[str, float]]:
    """The coverage of the cases' own medians, by number of rounds."""
    return {str(count): _covered(cases, count, interval) for count in COUNTS}


def _covered(cases: Sequence[Rounds], count: int, interval: Intervals) -> dict[str, float]:
    shares, widths, bootstrapped = [], [], []
    random = np.random.default_rng(0)
    for case in cases:
        drawn = _drawn(case, count, random)
        found = [interval(list(rounds)) for rounds in drawn]
        shares.append(_share(found, float(np.median(case))))
        widths.append(statistics.fmean(each.half_width for each in found))
        bootstrapped.append(statistics.fmean(_bootstrap(rounds) for rounds in drawn[:BOOTSTRAPPED]))
    return {
        "cases": len(cases),
        "least": min(shares),
        "mean": statistics.fmean(shares),
        "width": statistics.fmean(widths),
        "bootstrap": statistics.fmean(bootstrapped),
    }


def _share(found: Sequence[Interval], truth: float) -> float:
    """The share of the intervals that hold the truth; rounding apart."""
    return statistics.fmean(each.low <= truth * (1 + 1e-12) and each.high >= truth * (1 - 1e-12) for each in found)


def _bootstrap(rounds: Rounds) -> float:
    """Relative half-width of the percentile bootstrap's interval of the median, as most tools have it."""
    places = np.random.default_rng(0).integers(len(rounds), size=(1000, len(rounds)))
    low, high = np.quantile(np.median(rounds[places], axis=1), [0.025, 0.975])
    return float((high - low) / 2 / np.median(rounds))


def _lognormal(cases: Sequence[Rounds], interval: Intervals) -> dict[str, Any]:
    """The coverage of rounds made up with the mean autocorrelation and the median spread of the cases."""
    logs = [np.log(case) for case in cases]
    autocorrelation = max(statistics.fmean(map(_autocorrelation, logs)), 0.0)
    spread = statistics.median(float(np.std(case, ddof=1)) for case in logs)
    found = {}
    for count in COUNTS:
        noise = np.random.default_rng(0).standard_normal((LOGNORMAL, count))
        for place in range(1, count):
            noise[:, place] *= (1 - autocorrelation**2) ** 0.5
            noise[:, place] += autocorrelation * noise[:, place - 1]
        found[str(count)] = _share([interval(list(rounds)) for rounds in np.exp(spread * noise)], 1.0)
    return {"autocorrelation": autocorrelation, "spread": spread, "coverage": found}


def _autocorrelation(logs: Rounds) -> float:
    """Of neighbouring rounds, corrected for what it is short of in so few (Kendall)."""
    away = logs - logs.mean()
    total = float((away**2).sum())
    plain = float((away[1:] * away[:-1]).sum()) / total if total else 0.0
    return min(plain + (1 + 3 * plain) / len(logs), 0.99)


def worst(found: Mapping[str, Mapping[str, Mapping[str, float]]]) -> tuple[float, str, str]:
    """The least mean coverage, with its family and number of rounds."""
    return min((each["mean"], family, count) for family, by_count in found.items() for count, each in by_count.items())
