"""Which runtime wins where, from every latency that is among the records."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from benchmarks.metrics.latency import times_of
from benchmarks.records.record import Case, Record
from benchmarks.stats.digits import number, ratio_in_words
from benchmarks.stats.intervals import Interval, time_interval
from benchmarks.stats.ratios import Times, quotient, time_ratio
from benchmarks.stats.verdicts import verdict
from benchmarks.studies.evidence import Evidence
from benchmarks.studies.study import OURS, Arm, Grid, Study

__all__ = ["STUDY", "Race", "races"]

MODELS = ("alexnet", "vgg16", "googlenet", "resnet50", "mobilenet_v1", "xception")


@dataclass(frozen=True, slots=True, kw_only=True)
class Race:
    """The runtimes that were timed of one network under one condition.

    Args:
        case: the fastest.
        seconds: its time.
        ahead: runtime of the next one for certain slower, and how many times as long that takes; None where none is.
        ties: runtimes that cannot be told apart from the fastest.
        runtimes: how many there were.
    """

    case: Case
    seconds: Interval
    ahead: tuple[str, Interval] | None
    ties: tuple[str, ...]
    runtimes: int


def races(evidence: Evidence) -> list[Race]:
    """Every condition under which several runtimes were timed, judged by the one rule of all times.

    A runtime whose several threads are slower than its one thread is not in a race of several: its time says what
    else the processors did.
    """
    found: dict[Case, dict[str, tuple[Record, Times]]] = defaultdict(dict)
    models = {arm.model for arm in evidence.arms}
    for record in evidence.records:
        times = times_of(record) if record.case.metric == "latency" and record.case.model in models else None
        if times is not None and not record.case.settings:
            found[_condition(record.case)][record.case.runtime] = record, times
    kept = {
        condition: {name: each for name, each in timed.items() if not _slower_than_alone(condition, name, each, found)}
        for condition, timed in found.items()
    }
    kept = {condition: timed for condition, timed in kept.items() if len(timed) > 1}
    pairs = sum(len(timed) - 1 for timed in kept.values())
    order = {model: place for place, model in enumerate(MODELS)}

    def place(case: Case) -> tuple[object, ...]:
        return order.get(case.model, len(order)), case.batch_size, case.num_threads, case.precision

    return [_race(kept[condition], pairs) for condition in sorted(kept, key=place)]


def _condition(case: Case) -> Case:
    """What the runtimes of one race share."""
    return Case(
        metric=case.metric, model=case.model, device=case.device, precision=case.precision,
        img_size=case.img_size, batch_size=case.batch_size, num_threads=case.num_threads,
    )  # fmt: skip


def _slower_than_alone(
    condition: Case,
    runtime: str,
    timed: tuple[Record, Times],
    found: Mapping[Case, Mapping[str, tuple[Record, Times]]],
) -> bool:
    alone = found.get(replace(condition, num_threads=1), {}).get(runtime)
    several = condition.num_threads > 1 and alone is not None
    return several and alone is not None and _seconds(timed[1]).value > _seconds(alone[1]).value


def _race(timed: Mapping[str, tuple[Record, Times]], pairs: int) -> Race:
    first, *others = sorted(timed, key=lambda name: _seconds(timed[name][1]).value)
    ties: list[tuple[str, Interval]] = []
    slower: list[tuple[str, Interval]] = []
    for name in others:
        ratio = _ratio(timed[name][1], timed[first][1])
        (slower if verdict(ratio, comparisons=pairs) == "slower" else ties).append((name, ratio))
    return Race(
        case=timed[first][0].case,
        seconds=_seconds(timed[first][1]),
        ahead=slower[0] if slower else None,
        ties=tuple(name for name, _ in ties),
        runtimes=len(timed),
    )


def _seconds(times: Times) -> Interval:
    return time_interval(times.seconds)


def _ratio(other: Times, first: Times) -> Interval:
    return time_ratio(other, first) or quotient(_seconds(other), _seconds(first))


def answer(evidence: Evidence) -> str | None:
    """Who wins how often, and how often nobody does."""
    found = races(evidence)
    if not found:
        return None
    wins = Counter(race.case.runtime for race in found if not race.ties)
    tied = sum(bool(race.ties) for race in found)
    won = ", ".join(f"{name} in {count}" for name, count in wins.most_common())
    parts = [f"alone at the front: {won}" if won else "no runtime is ever alone at the front"]
    parts += [f"in {tied} the fastest cannot be told apart from another"] if tied else []
    networks = _count(len({race.case.model for race in found}), "network")
    return f"Of {_count(len(found), 'condition')} of {networks}, {'; '.join(parts)}."


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def rows(evidence: Evidence) -> Iterator[Sequence[str]]:
    """A line for every race."""
    for race in races(evidence):
        case, seconds = race.case, race.seconds
        bounds = f" ({number(1e3 * seconds.low)} to {number(1e3 * seconds.high)})" if seconds.known else ""
        ahead = f"{race.ahead[0]}: {ratio_in_words(race.ahead[1])}" if race.ahead else ""
        yield (
            case.model, str(case.batch_size), str(case.num_threads), case.precision, case.runtime,
            f"{number(1e3 * seconds.value)}{bounds}", ", ".join(race.ties), ahead, str(race.runtimes),
        )  # fmt: skip


STUDY = Study(
    name="runtimes",
    question="Which runtime wins where: by network, images a call, threads and precision?",
    source=OURS,
    arms=tuple(Arm(model, model, trained=False) for model in MODELS),
    answer=answer,
    metrics=("latency",),
    grids=(
        Grid(
            title="Who is fastest",
            text="Cannot be told apart: the 95 % interval of the ratio of the two times does not lie beyond 1 and the "
            "noise floor, at a level that holds for all pairs of the table together. Slower for certain: the nearest "
            "such runtime, and how many times as long it takes.",
            heads=("network", "images a call", "threads", "precision", "fastest", "ms (95 %)", "cannot be told apart",
                   "slower for certain", "runtimes"),
            rows=rows,
        ),
    ),
    notes=(
        "Which runtimes, threads, batches and precisions there are is what the command line asked for: "
        "--runtimes all --batch-size 1,16 --num-threads 1,2 --precision fp32,int8.",
        "Times on several threads that are slower than those of the same runtime on one are left out.",
    ),
)  # fmt: skip
