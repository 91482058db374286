"""What the page shows of a way to run a model: its figures, with intervals, as text and as raw numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from benchmarks.metrics import METRICS
from benchmarks.metrics.columns import DERIVED, SHOWN
from benchmarks.metrics.metric import Column
from benchmarks.report.findings import Estimate, best, estimate
from benchmarks.report.frame import BOUNDS, to_frame
from benchmarks.report.joining import Row
from benchmarks.report.overview import Overview
from benchmarks.report.shown import published, ways
from benchmarks.report.words import dataset_title, number
from benchmarks.stats.intervals import Interval

__all__ = ["Figure", "Line", "figures_of", "lines_of"]

# columns that only `results.csv` heads
TITLES = MappingProxyType(
    {
        "weights_mb": "Weights, MB",
        "samples_per_sec": "Throughput, images/s",
        "train_samples_per_sec": "Training, images/s",
    }
)
DERIVED_HOW = {
    "rel_speed": "times as fast as resnet50 the same way, paired within rounds",
    "gmacs_per_sec": "multiply-adds done each second of inference",
}
BETTER = {"low": "less is better", "high": "more is better", "": "neither end is better"}
MORE_DIGITS = 6  # at most, until figures that differ look different
PUBLISHED_TOP1 = "published_top1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One way to run a model: a row of the page's table.

    Args:
        row: everything known of it, the model's own figures as the comparison has them.
        place: from 0, in the order of the page.
    """

    row: Row
    place: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A column of figures.

    Args:
        key: its name in `results.csv`.
        title: heading, with the unit.
        better: "low", "high" or empty.
        how: unit, direction and how it was measured, in a sentence.
        by_way: whether it depends on how the model is run.
        values: of each line, with its interval where there is one; None where nothing is known.
        texts: as they are shown.
        best: the lines that are best, or that cannot be told apart from the best.
        estimates: what is compared, by line.
    """

    key: str
    title: str
    better: str
    how: str
    by_way: bool
    values: Sequence[float | Interval | None]
    texts: Sequence[str]
    best: frozenset[int]
    estimates: Mapping[int, Estimate]


def lines_of(overview: Overview) -> list[Line]:
    """Every model in every way it was run; what does not depend on the way is that of the comparison.

    Ways in which nothing could be measured stand last.
    """
    lines: list[Line] = []
    for place, row in enumerate(sorted(ways(overview), key=_is_empty)):
        line = overview.models[row.model]
        of_model = {
            name: record for name, record in line.records.items() if "batch_size" not in METRICS[name].depends_on
        }
        of_way = {name: record for name, record in row.records.items() if name != "accuracy"}
        lines.append(Line(row=Row(row.case, row.stated | line.stated, of_model | of_way), place=place))
    return lines


def _is_empty(row: Row) -> bool:
    """Whether there is no figure of this way to run a network, but at most such as are the same in any way."""
    return not any(
        record.status == "ok" and "batch_size" in METRICS[name].depends_on for name, record in row.records.items()
    )


def figures_of(overview: Overview, lines: Sequence[Line]) -> list[Figure]:
    """The columns of which there are figures, in the metrics' order."""
    table = to_frame([line.row for line in lines])
    metrics = {column.name: metric for metric in METRICS.values() for column in metric.columns}
    derived = {column.name: METRICS[name] for name, columns in DERIVED.items() for column in columns}
    found = []
    for column in SHOWN:
        title = (column.title or TITLES.get(column.name, "")).format(dataset=dataset_title(overview))
        metric = metrics.get(column.name) or derived[column.name]
        if title:
            estimates = _estimates(lines, metric.name, column)
            values = [_cell(column, cells) for cells in table.to_dict("records")]
            how = DERIVED_HOW.get(column.name) or _method(lines, metric.name, column) or metric.title
            found.append(_figure(column.name, title, column, how, "runtime" in metric.depends_on, values, estimates))
        if column.published_column:
            shares = published(overview) if column.name == "top1" else {}
            estimates = {line.place: shares[line.row.model] for line in lines if line.row.model in shares}
            values = [_shown(column, value) for value in table[column.published_column]]
            if shares:
                values = [estimates[place].scaled(100) if place in estimates else None for place in range(len(lines))]
            how = "as printed; its interval is of the 50,000 images alone" if shares else "as printed for this network"
            title = column.published_title if column.name == "top1" else f"{column.title}, published"
            found.append(_figure(column.published_column, title, column, how, False, values, estimates))
    return [figure for figure in found if any(value is not None for value in figure.values)]


def _figure(
    key: str,
    title: str,
    column: Column,
    how: str,
    by_way: bool,
    values: list[float | Interval | None],
    estimates: Mapping[int, Estimate],
) -> Figure:
    marked: frozenset[int] = frozenset()
    if column.better and len({each.model for each in estimates.values()}) > 1:
        places = {id(each): place for place, each in estimates.items()}
        first, ties = best(list(estimates.values()), more=column.better == "high")
        marked = frozenset(places[id(each)] for each in (first, *ties))
    unit = title.partition(", ")[2].removesuffix(" [95 %]")
    return Figure(
        key=key,
        title=title.removesuffix(" [95 %]"),
        better=column.better,
        how="; ".join(filter(None, [f"in {unit}" if unit else "", BETTER[column.better], how])),
        by_way=by_way,
        values=values,
        texts=_texts(values, column.digits),
        best=marked,
        estimates=estimates,
    )


def _estimates(lines: Sequence[Line], metric: str, column: Column) -> dict[int, Estimate]:
    """What is compared, each line by itself; a time of one image only with others of one image."""
    found = {}
    for line in lines:
        record, measurement = line.row.records.get(metric), line.row.find(metric, column.measurement)
        if record and measurement and (metric != "latency" or record.case.batch_size == 1):
            found[line.place] = estimate(line.row.model, measurement, record)
    return found


def _method(lines: Sequence[Line], metric: str, column: Column) -> str:
    found = (line.row.find(metric, column.measurement) for line in lines)
    return next((each.method for each in found if each and each.method), "")


def _cell(column: Column, cells: Mapping[str, object]) -> float | Interval | None:
    value = _shown(column, cells[column.name])
    low, high = (_shown(column, cells[name]) if name else None for name in BOUNDS.get(column.name, ("", "")))
    return value if value is None or low is None or high is None else Interval(value, low, high)


def _shown(column: Column, value: object) -> float | None:
    try:
        figure = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None  # pandas' NA, for one
    return figure * column.shown if math.isfinite(figure) else None


def _texts(values: Sequence[float | Interval | None], digits: int) -> list[str]:
    """As few digits as show different values as different."""
    plain = [each.value if isinstance(each, Interval) else each for each in values]
    kinds = len({f"{each:.7g}" for each in plain if each is not None})
    for more in range(MORE_DIGITS):
        finer = digits + more if digits > 0 else digits - more
        texts = ["" if each is None else number(each, finer) for each in plain]
        if len({text for text in texts if text}) >= kinds or more == MORE_DIGITS - 1:
            break
    return [
        f"{text} [{number(each.low, finer)}, {number(each.high, finer)}]"
        if isinstance(each, Interval) and each.known and each.low != each.high
        else text
        for text, each in zip(texts, values, strict=True)
    ]
