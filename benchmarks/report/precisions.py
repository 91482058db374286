"""What another precision costs and gains, in one table: points of top-1, megabytes, times as fast."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.metrics.latency import times_of
from benchmarks.records.record import FULL, Record
from benchmarks.report.choosing import Candidate, sound
from benchmarks.report.costs import Cost, costs_of, pooled, session_of
from benchmarks.report.page import section
from benchmarks.report.table import TableColumn, table, text_column
from benchmarks.report.ways import ways_of
from benchmarks.report.words import count_of, enumerate_words, markdown
from benchmarks.stats.digits import number
from benchmarks.stats.intervals import Interval, time_interval
from benchmarks.stats.ratios import quotient, time_ratio
from zoo.data import DATASETS

__all__ = ["PAGE", "precision_sections"]

PAGE = "precisions.md"
TITLE = "# What another precision costs, and what it gains"
HOW = (
    "Points: top-1 in the precision minus top-1 in fp32, of the same weights on the same images, with the 95 % "
    "interval of Agresti and Min; beside it the images that only the one and only the other has right, with McNemar's "
    "p. MB are 10^6 bytes of a file, or of the parameters where none was written. Times as fast: one image a call, "
    "paired in rounds where one session timed both. No speed-up is taken from times on several threads that are slower "
    "than those of the same file on one. Spinning: processors kept busy right after a call, by threads that wait "
    "without sleeping and slow down whatever else runs."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """One way in another precision.

    Args:
        way: the way.
        session: what the session said when it was opened on real images, else when it was timed.
        cost: what it costs in accuracy, where that is known.
        full: the same in fp32.
        same: how many times as fast as fp32 on the same runtime and threads.
        best: how many times as fast as the fastest runtime at fp32 on as many threads; its name.
        spinning: processors that its threads keep busy right after a call.
    """

    way: Candidate
    session: Mapping[str, object]
    cost: Cost | None = None
    full: Candidate | None = None
    same: Interval | None = None
    best: tuple[Interval, str] | None = None
    spinning: float | None = None


def precision_sections(records: Iterable[Record]) -> list[str]:
    """The page as sections of Markdown; empty where nothing was measured in another precision.

    Args:
        records: of one machine, one a question; accuracies may be another's.
    """
    records = [record for record in records if record.status == "ok"]
    lines = list(_lines(records))
    return [TITLE, *_answers(lines), section("Precisions", HOW, _table(lines)), _made(lines)] if lines else []


def _lines(records: Sequence[Record]) -> Iterator[_Line]:
    costs = costs_of(records)
    kept, _ = sound(ways_of(records))
    ways = {(each.model, each.runtime, each.precision, each.num_threads): each for each in ways_of(records)}
    counting = {(each.model, each.runtime, each.precision, each.num_threads) for each in kept}
    timed = {
        (record.case.model, record.case.runtime, record.case.precision, record.case.num_threads): record
        for record in records
        if record.case.metric == "latency" and record.case.batch_size == 1
    }
    found: dict[tuple[str, str, str], list[Cost]] = defaultdict(list)
    for each in costs:
        found[each.case.model, each.case.runtime, each.case.precision].append(each)
    usable = {key: record for key, record in timed.items() if key in counting}
    told: set[tuple[str, str, str]] = set()
    for key, way in ways.items():
        if way.precision == FULL:
            continue
        model, runtime, precision, threads = key
        plain = (model, runtime, FULL, threads)
        known: Sequence[Cost | None] = found.get((model, runtime, precision), ()) or (None,)
        told.add((model, runtime, precision))
        for cost in known:
            yield _Line(
                way=way,
                cost=cost,
                full=ways.get(plain),
                same=_speed_up(usable.get(plain), usable.get(key)),
                best=_against_best(usable, key),
                session=session_of(cost.record if cost else None) or session_of(timed.get(key)),
                spinning=_spinning(timed.get(key)),
            )
    for lone in costs:
        case = lone.case
        if (case.model, case.runtime, case.precision) not in told:  # whose times nobody took
            way = Candidate(model=case.model, runtime=case.runtime, precision=case.precision, num_threads=0)
            yield _Line(way=way, cost=lone, session=session_of(lone.record))


def _spinning(timed: Record | None) -> float | None:
    found = timed.where.get("spinning") if timed else None
    return found if isinstance(found, float) and math.isfinite(found) else None


def _speed_up(full: Record | None, other: Record | None) -> Interval | None:
    """How many times as fast the second is as the first."""
    times = times_of(full) if full else None, times_of(other) if other else None
    if times[0] is None or times[1] is None:
        return None
    return time_ratio(times[0], times[1]) or quotient(*(time_interval(each.seconds) for each in times if each))


def _against_best(
    timed: dict[tuple[str, str, str, int], Record], key: tuple[str, str, str, int]
) -> tuple[Interval, str] | None:
    """Against the runtime that is fastest at fp32 on as many threads."""
    model, _, _, threads = key
    full = {each[1]: record for each, record in timed.items() if (each[0], *each[2:]) == (model, FULL, threads)}
    if not full:
        return None
    name = min(full, key=lambda runtime: full[runtime].value("latency_s") or float("inf"))
    found = _speed_up(full[name], timed.get(key))
    return None if found is None else (found, name)


def _table(lines: Sequence[_Line]) -> str:
    columns = [
        text_column("Model", lambda line: markdown(line.way.model, 80)),
        text_column("Runtime", lambda line: markdown(line.way.runtime)),
        text_column("Precision", lambda line: markdown(line.way.precision)),
        TableColumn("Threads", lambda line: line.way.num_threads or None, digits=0),
        TableColumn("Spinning", lambda line: line.spinning, digits=-1),
        text_column("Images", lambda line: _images(line.cost) if line.cost else ""),
        TableColumn("fp32, %", lambda line: _top1(line.cost.full) if line.cost else None, digits=-1),
        TableColumn("Points [95 %]", lambda line: line.cost.points if line.cost else None, -2, bounds="[{}, {}]"),
        text_column("Only fp32 / only this right", lambda line: _counts(line.cost) if line.cost else ""),
        text_column("MB (fp32)", _sizes),
        TableColumn("Times as fast as fp32 there [95 %]", lambda line: line.same, bounds="[{}, {}]"),
        TableColumn("as the fastest at fp32", lambda line: line.best[0] if line.best else None, bounds="[{}, {}]"),
        text_column("which is", lambda line: markdown(line.best[1]) if line.best else ""),
        TableColumn("Agreement, %", _agreement, digits=-1),
        TableColumn("Calibrated on", lambda line: _whole(line.session.get("calibration_images")), digits=0),
    ]
    return table(columns, lines)


def _answers(lines: Sequence[_Line]) -> Iterator[str]:
    """What each precision costs and gains over all networks, one sentence a precision and runtime."""
    groups: dict[tuple[str, str], list[_Line]] = defaultdict(list)
    for line in lines:
        groups[line.way.precision, line.way.runtime].append(line)
    for (precision, runtime), group in groups.items():
        costs = list({id(line.cost): line.cost for line in group if line.cost}.values())
        speeds = [line.same.value for line in group if line.same]
        said = []
        if (found := pooled(costs)) is not None:
            points, images = found
            said.append(
                f"{_signed(points.value)} points of top-1 ({_signed(points.low)} to {_signed(points.high)}) over "
                f"{images:,} answers of {count_of(len({cost.case.model for cost in costs}), 'network')}"
            )
        if speeds:
            mean = statistics.geometric_mean(speeds)
            said.append(
                f"{number(mean)} times as fast as fp32 on the same runtime"
                + (f" in geometric mean ({number(min(speeds))} to {number(max(speeds))})" if len(speeds) > 1 else "")
            )
        if said:
            yield f"**{markdown(precision)} with {markdown(runtime)}:** {'; '.join(said)}."


def _made(lines: Sequence[_Line]) -> str:
    """With which instructions and calibrated on what, as the sessions say."""
    said: dict[str, dict[str, None]] = defaultdict(dict)
    for line in lines:
        told = line.session
        parts = [
            f"instructions {told['instructions']}" if told.get("instructions") else "",
            f"way {told['way']}" if told.get("way") else "",
            f"calibrated on {told['calibration_images']} images of {told.get('calibration_source', 'unknown source')} "
            f"(fingerprint {str(told.get('calibration_fingerprint', 'unknown'))[:12]})"
            if told.get("calibration_images")
            else "",
        ]
        if any(parts):
            said[", ".join(filter(None, parts))][line.way.model] = None
    rows = [f"- {enumerate_words([*names], most=8, write=markdown)}: {markdown(text)}" for text, names in said.items()]
    return section("How the integers were made", "", "\n".join(rows))


def _images(cost: Cost) -> str:
    case = cost.case
    name = DATASETS[case.dataset].label if case.dataset in DATASETS else case.dataset
    return markdown(f"{cost.paired.count:,} of {name}")


def _top1(record: Record) -> float | None:
    found = record.value("top1")
    return None if found is None else 100 * found


def _counts(cost: Cost) -> str:
    return f"{cost.paired.only_second} / {cost.paired.only_first} (p {number(cost.paired.p_value, 2)})"


def _sizes(line: _Line) -> str:
    sizes = [each.size_mb.value for each in (line.way, line.full) if each is not None and each.size_mb is not None]
    return f"{number(sizes[0])} ({number(sizes[1])})" if len(sizes) == 2 else number(sizes[0]) if sizes else ""


def _agreement(line: _Line) -> float | None:
    found = line.session.get("top1")
    return 100 * float(found) if isinstance(found, (int, float)) else None


def _whole(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None


def _signed(points: float) -> str:
    return f"{'+' if points > 0 else ''}{number(points, -2)}"
