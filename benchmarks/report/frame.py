"""Rows as a data frame, in the columns of `results.csv`: milliseconds, percent, G multiply-adds, MB of 10^6 bytes."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from benchmarks.metrics import METRICS, edited
from benchmarks.metrics.columns import BASE, COLUMNS, CONDITIONS, MORE_IS_BETTER, SHOWN, TRAINING
from benchmarks.metrics.latency import times_of
from benchmarks.metrics.metric import Column
from benchmarks.records.record import Record
from benchmarks.report.joining import Row, join, model_spec
from benchmarks.report.printed import first_printed
from benchmarks.stats.ratios import time_ratio
from zoo.registry import MODELS
from zoo.spec import ModelSpec

__all__ = ["BOUNDS", "comparison", "ordered", "prints_the_same", "to_csv", "to_frame"]

NAMES = {(column.measurement, column.part): column.name for column in SHOWN if column.measurement}
RARE = [*(column.name for column in SHOWN if column.rare), "train_processes"]
BOUNDS: Mapping[str, tuple[str, str]] = {
    name: (NAMES[measurement, "low"], NAMES[measurement, "high"])
    for (measurement, part), name in NAMES.items()
    if part == "value" and {(measurement, "low"), (measurement, "high")} <= NAMES.keys()
}
"""The columns that hold the ends of a column's 95 % interval, where it has one."""


def comparison(records: Iterable[Record], *, sort_key: str = "family") -> pd.DataFrame:
    """The columns of `results.csv`, a row for every condition and seed; absent figures are NA.

    Args:
        records: of one machine, one a question.
        sort_key: "family" (publication order) or one of `COLUMNS`, the better end first.

    Raises:
        ValueError: the records are of several machines (`by_machine` separates them), or no such sort key.
    """
    return ordered(to_frame(join(records)), sort_key).reset_index(drop=True)


def prints_the_same(column: Column) -> bool:
    """Whether what is printed for a column is the figure it measures, and not one on other images."""
    return bool(column.published) and "{dataset}" not in column.title


def to_frame(rows: Sequence[Row]) -> pd.DataFrame:
    """The columns of each row, in the order of the rows."""
    bases = {row.pace: row for row in rows if row.model == BASE}
    data = [_cells(row, bases.get(row.pace)) for row in rows]
    return pd.DataFrame(data, columns=list(COLUMNS)).astype(dict(COLUMNS))


def to_csv(frame: pd.DataFrame) -> str:
    """The frame as text that a spreadsheet opens without running any of it, a row a line."""
    frame = frame.drop(columns=[name for name in RARE if name in frame and frame[name].isna().all()])
    texts = frame.select_dtypes(include="string").columns
    return str(
        frame.assign(**{name: frame[name].map(_inert, na_action="ignore") for name in texts}).to_csv(index=False)
    )


def _inert(text: str) -> str:
    """A cell in one line; one that a spreadsheet takes for a formula gets a quotation mark in front."""
    line = "".join(sign if sign.isprintable() else " " for sign in text)
    return f"'{line}" if line.lstrip().startswith(("=", "+", "-", "@")) and not _is_number(line) else line


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def ordered(frame: pd.DataFrame, sort_key: str) -> pd.DataFrame:
    """The frame sorted by a column, its better end first and absent figures last; "family" is publication order."""
    if sort_key not in frame:
        raise ValueError(f"sort key {sort_key!r}; allowed: {', '.join(COLUMNS)}")
    by_year = sorted(MODELS.values(), key=lambda entry: entry.paper.year)
    history = {name: place for place, name in enumerate(dict.fromkeys(entry.family for entry in by_year))}
    keys = frame.assign(
        _family=frame["family"].map(lambda family: history.get(family, len(history))),
        _natural=frame["model"].map(_natural),
    )
    conditions = [name for name in (*CONDITIONS, *TRAINING) if name not in ("model", "family")]
    order = [*([] if sort_key == "family" else [sort_key]), "_family", "_natural", *conditions]
    ascending = [name not in MORE_IS_BETTER for name in order]
    index = keys.sort_values(order, ascending=ascending, kind="stable", na_position="last").index
    result: pd.DataFrame = frame.loc[index]
    return result


def _cells(row: Row, base: Row | None) -> dict[str, object]:
    case, entry = row.case, model_spec(row.model)
    cells: dict[str, object] = {
        name: getattr(case, name) for name in (*CONDITIONS, *TRAINING) if name in row.stated or name == "model"
    }
    cells |= {
        "family": entry.family if entry else "",
        "weights": case.weights_path or case.weights,
        "train_processes": case.train_processes or None,
        "data_dir": case.data_dir,
        "rel_speed": _relative_speed(row, base),
        "gmacs_per_sec": _rate(row),
        "status": row.status,
        "error": row.error,
        "notes": row.notes,
    }
    for metric in METRICS.values():
        for column in metric.columns:
            found = row.find(metric.name, column.measurement)
            cells[column.name] = _scaled(getattr(found, column.part), column) if found else None
    if entry is None or edited(row.records.values()):
        return cells
    return cells | _published(entry, case.img_size, str(cells["weights"]))


def _rate(row: Row) -> float | None:
    """Billions of multiply-adds a second."""
    mult_adds, seconds = row.value("mult_adds", "mult_adds"), row.value("latency", "latency_s")
    images_per_s = row.case.batch_size / seconds if seconds else row.value("throughput", "samples_per_sec")
    return mult_adds * images_per_s * 1e-9 if mult_adds and images_per_s else None


def _published(entry: ModelSpec, img_size: int, weights: str) -> dict[str, object]:
    """What is printed for exactly this variant, with where it was printed and how the accuracy was taken."""
    sources: dict[str, None] = {}
    cells: dict[str, object] = {}
    for column in SHOWN:
        if not column.published or (column.published == "mult_adds" and img_size not in (0, entry.input.size)):
            continue
        found = first_printed(entry, column.published, weights)
        if found is not None:
            value, reference = found
            cells[column.published_column] = _scaled(float(value), column)
            sources[reference.source] = None
            if column.published == "top1":
                cells["published_protocol"] = reference.protocol
    return cells | {"published_source": "; ".join(sources)}


def _relative_speed(row: Row, base: Row | None) -> float | None:
    """How many times as fast as the base: see `time_ratio`; without a link between the two as they were timed."""
    records = row.records.get("latency"), base.records.get("latency") if base else None
    times = records[0] and times_of(records[0]), records[1] and times_of(records[1])
    ratio = time_ratio(times[1], times[0]) if times[0] and times[1] else None
    if ratio:
        return ratio.value
    values = [record and record.value("latency_s") for record in records]
    return values[1] / values[0] if values[0] and values[1] else None


def _natural(name: str) -> tuple[tuple[int, float, str], ...]:
    """Sorts resnet18 before resnet101, and a plain name before its variants."""
    return tuple(
        (0, float(part), "") if part.replace(".", "", 1).isdigit() else (1, 0.0, part)
        for part in re.findall(r"\d+\.?\d*|\D+", name)
    )


def _scaled(value: float | None, column: Column) -> float | int | None:
    """In the column's unit, without the digits that only the change of units makes (82.39999999999999)."""
    if value is None:
        return None
    return round(value * column.factor) if column.whole else float(f"{value * column.factor:.14g}")
