"""Records joined into tables: what was measured of a model, side by side, as a data frame.

The rows of a table are conditions under which something was timed (model x runtime x device x size x batch x precision
x threads). What does not depend on them is joined: parameters and accuracy by model, multiply-adds and activations by
model and image size, memory by whatever its case states. Nothing of two machines is ever joined.
"""

from __future__ import annotations

import functools
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TypeVar

import pandas as pd

from benchmarks.metrics.columns import COLUMNS
from benchmarks.records.record import Case, Measurement, Record
from benchmarks.stats.ratios import time_ratio
from zoo.errors import InvalidOption, UnknownModel, UnknownOption
from zoo.registry import MODELS, spec
from zoo.spec import ModelSpec, Reference, Weights

__all__ = [
    "REFERENCE",
    "Condition",
    "Row",
    "by_machine",
    "comparison",
    "condition_of",
    "join",
    "latest",
    "model_spec",
    "ordered",
    "to_frame",
]

REFERENCE = "resnet50"  # what relative speed is relative to
SEVERITY = ("ok", "skipped", "timeout", "failed", "oom", "crashed")  # the worst status of a row is its status

T = TypeVar("T")

BY_MODEL = ("params", "accuracy")
BY_SIZE = ("mult_adds", "activations")


@dataclass(frozen=True, slots=True)
class Condition:
    """What a timed figure depends on; 0 stands for "not stated"."""

    runtime: str
    device: str
    img_size: int
    batch_size: int
    precision: str
    num_threads: int

    @property
    def pace(self) -> tuple[str, str, int, str, int]:
        """Equal for rows whose speeds compare: everything but the image size, of which each model has its own."""
        return (self.runtime, self.device, self.batch_size, self.precision, self.num_threads)


@dataclass(slots=True)
class Row:
    """The records that speak of one model under one condition, by metric."""

    model: str
    condition: Condition
    records: dict[str, Record] = field(default_factory=dict)

    def find(self, metric: str, name: str) -> Measurement | None:
        """A measurement of one metric's record, or None."""
        record = self.records.get(metric)
        return None if record is None else record.find(name)

    def value(self, metric: str, name: str) -> float | None:
        """The value of `find`, or None."""
        found = self.find(metric, name)
        return None if found is None else found.value

    @property
    def status(self) -> str:
        """The worst status among the records."""
        return max((record.status for record in self.records.values()), key=SEVERITY.index, default="ok")

    @property
    def error(self) -> str:
        """Metric and reason of every record that is not ok."""
        return "; ".join(
            f"{metric}: {record.reason or record.status}"
            for metric, record in self.records.items()
            if record.status != "ok"
        )


def comparison(records: Iterable[Record], *, sort_key: str = "family") -> pd.DataFrame:
    """The columns of `results.csv`: milliseconds, percent, G multiply-adds, MB of 10^6 bytes; absent figures are NA.

    Args:
        records: of one machine; where a case occurs twice the later record counts.
        sort_key: "family" (publication order) or one of `COLUMNS`, the better end first.

    Raises:
        ValueError: the records are of several machines (`by_machine` separates them), or no such sort key.
    """
    return ordered(to_frame(join(records)), sort_key).reset_index(drop=True)


def to_frame(rows: Sequence[Row]) -> pd.DataFrame:
    """The columns of each row, in the order of the rows."""
    references = {row.condition.pace: row for row in rows if row.model == REFERENCE}
    data = [_cells(row, references.get(row.condition.pace)) for row in rows]
    return pd.DataFrame(data, columns=list(COLUMNS)).astype(dict(COLUMNS))


def ordered(frame: pd.DataFrame, sort_key: str) -> pd.DataFrame:
    """The frame sorted by a column, its better end first and absent figures last; "family" is publication order."""
    if sort_key not in frame:
        raise ValueError(f"sort key {sort_key!r}; allowed: {', '.join(COLUMNS)}")
    history = {name: place for place, name in enumerate(dict.fromkeys(entry.family for entry in _by_year()))}
    keys = frame.assign(
        _family=frame["family"].map(lambda family: history.get(family, len(history))),
        _natural=frame["model"].map(_natural),
    )
    order = ["_family", "_natural", "runtime", "device", "img_size", "batch_size", "num_threads", "precision"]
    ascending = [True] * len(order)
    if sort_key != "family":
        order, ascending = [sort_key, *order], [sort_key not in _MORE_IS_BETTER, *ascending]
    index = keys.sort_values(order, ascending=ascending, kind="stable", na_position="last").index
    result: pd.DataFrame = frame.loc[index]
    return result


_MORE_IS_BETTER = (
    "rel_speed",
    "samples_per_sec",
    "gmacs_per_sec",
    "top1",
    "top1_ci95_lo",
    "top1_ci95_hi",
    "top5",
    "train_samples_per_sec",
    "published_top1",
)


def by_machine(records: Iterable[Record]) -> dict[str, list[Record]]:
    """The records of each machine, in the order the machines first occur."""
    machines: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        machines[record.machine].append(record)
    return dict(machines)


def latest(records: Iterable[Record]) -> list[Record]:
    """One record a case, the one that started last, in the order they started."""
    return list({record.case: record for record in sorted(records, key=lambda record: record.started)}.values())


def join(records: Iterable[Record]) -> list[Row]:
    """The rows of one machine's records: every timed condition of every model, with what belongs to it.

    The accuracies may all be those of another machine.
    """
    models: dict[str, list[Record]] = defaultdict(list)
    machines: dict[str, set[str]] = defaultdict(set)
    for record in latest(records):
        models[record.case.model].append(record)
        machines["trained" if record.case.metric == "accuracy" else "measured"].add(record.machine)
    for found in machines.values():
        if len(found) > 1:
            raise ValueError(f"records of {len(found)} machines share no table; by_machine() separates them")
    common = _most_shared(record.case for group in models.values() for record in group)
    return [row for model, group in models.items() for row in _rows(model, group, common)]


def _rows(model: str, records: Sequence[Record], common: Shared) -> list[Row]:
    """One model's rows. A timed record makes the row of its condition; the rest joins those rows."""
    rows: dict[Condition, Row] = {}
    for record in records:
        if record.case.metric in ("latency", "throughput"):
            condition = condition_of(record.case)
            rows.setdefault(condition, Row(model, condition)).records[record.case.metric] = record
    for record in records:
        metric = record.case.metric
        if metric not in ("latency", "throughput", *BY_MODEL, *BY_SIZE):
            condition = condition_of(record.case)
            matches = [row for row in rows.values() if _covers(condition, row.condition)]
            for row in matches or [rows.setdefault(condition, Row(model, condition))]:
                row.records[metric] = record
    untimed = [record for record in records if record.case.metric in (*BY_MODEL, *BY_SIZE)]
    joined = common.chosen(untimed)
    if not rows and untimed:
        condition = condition_of(untimed[0].case)
        rows[condition] = Row(model, condition)
    others: dict[tuple[object, ...], Row] = {}
    for record in sorted(untimed, key=lambda record: -record.case.seed):  # of several seeds the smallest is shown
        metric, condition = record.case.metric, condition_of(record.case)
        if metric == "accuracy" and _evaluation(record.case) != joined:
            others.setdefault(_evaluation(record.case), Row(model, condition)).records[metric] = record
            continue
        for row in rows.values():
            if metric in BY_MODEL or condition.img_size == row.condition.img_size:
                row.records[metric] = record
    return [row for row in (*rows.values(), *others.values()) if row.records]


def condition_of(case: Case) -> Condition:
    """The condition a case states; a size of 0 is the model's own."""
    entry = model_spec(case.model)
    size = case.img_size or (entry.input.size if entry else 0)
    return Condition(case.runtime, case.device, size, case.batch_size, case.precision, case.num_threads)


def _covers(stated: Condition, row: Condition) -> bool:
    """Whether a figure taken under `stated` belongs to `row`: equal, or not stated."""
    return (
        stated.runtime == row.runtime
        and stated.device == row.device
        and stated.precision == row.precision
        and stated.batch_size == row.batch_size
        and stated.img_size in (0, row.img_size)
        and stated.num_threads in (0, row.num_threads)
    )


def _protocol(case: Case) -> tuple[object, ...]:
    """What accuracies must share to be compared: the images and, for networks trained here, the training."""
    recipe = () if case.weights else (case.train_images, case.epochs, case.settings)
    return (case.dataset, bool(case.weights), recipe)


def _evaluation(case: Case) -> tuple[object, ...]:
    """What an accuracy depends on besides the model and the seed."""
    return (_protocol(case), case.weights, case.img_size)


@dataclass(frozen=True, slots=True)
class Shared:
    """The protocol that most models share, whose accuracies stand beside the timed figures, and its image size.

    Models whose smallest image is larger, or whose weights want another size, were tested at their own.
    """

    protocol: tuple[object, ...] = ()
    img_size: int = 0

    def chosen(self, records: Iterable[Record]) -> tuple[object, ...]:
        """The evaluation of one model that joins its timed rows; every other one has a row of its own."""
        cases = [record.case for record in records if record.case.metric == "accuracy"]
        fitting = [case for case in cases if _protocol(case) == self.protocol]
        fitting.sort(key=lambda case: case.img_size != self.img_size)
        return _evaluation(fitting[0]) if fitting else ()


def _most_shared(cases: Iterable[Case]) -> Shared:
    asked = {(case.model, _protocol(case), case.img_size): None for case in cases if case.metric == "accuracy"}
    if not asked:
        return Shared()
    protocol = _most_common(protocol for _, protocol in {(model, protocol): None for model, protocol, _ in asked})
    return Shared(protocol, _most_common(size for _, found, size in asked if found == protocol))


def _most_common(values: Iterable[T]) -> T:
    """The most frequent value; of equals the first."""
    return Counter(values).most_common(1)[0][0]


def _cells(row: Row, reference: Row | None) -> dict[str, object]:
    condition = row.condition
    accuracy = row.records.get("accuracy")
    entry = model_spec(row.model)
    latency = row.find("latency", "latency_s")
    throughput = row.value("throughput", "samples_per_sec")
    mult_adds, activations = row.value("mult_adds", "mult_adds"), row.value("activations", "activations")
    top1 = row.find("accuracy", "top1")
    images_per_s = condition.batch_size / latency.value if latency and latency.value > 0 else throughput
    cells: dict[str, object] = {
        "model": row.model,
        "family": entry.family if entry else "",
        "weights": next((record.case.weights for record in (accuracy, *row.records.values()) if record), ""),
        "runtime": condition.runtime,
        "device": condition.device,
        "img_size": condition.img_size or None,
        "batch_size": condition.batch_size,
        "precision": condition.precision,
        "num_threads": condition.num_threads or None,
        "param_count": _whole(row.value("params", "param_count")),
        "gmacs": _scaled(mult_adds, 1e-9),
        "gflops": _scaled(mult_adds, 2e-9),
        "macts": _scaled(activations, 1e-6),
        "latency_ms_p50": _scaled(latency.value, 1e3) if latency else None,
        "latency_ms_ci95_lo": _scaled(latency.low, 1e3) if latency else None,
        "latency_ms_ci95_hi": _scaled(latency.high, 1e3) if latency else None,
        "rel_speed": relative_speed(row, reference),
        "samples_per_sec": throughput,
        "gmacs_per_sec": mult_adds * images_per_s * 1e-9 if mult_adds and images_per_s else None,
        "peak_rss_mb": _scaled(row.value("memory", "peak_rss_bytes"), 1e-6),
        "dataset": accuracy.case.dataset if accuracy else "",
        "top1": _scaled(top1.value, 100) if top1 else None,
        "top1_ci95_lo": _scaled(top1.low, 100) if top1 else None,
        "top1_ci95_hi": _scaled(top1.high, 100) if top1 else None,
        "top5": _scaled(row.value("accuracy", "top5"), 100),
        "epochs": (accuracy.case.epochs or None) if accuracy else None,
        "train_samples_per_sec": row.value("accuracy", "train_samples_per_sec"),
        "status": row.status,
        "error": row.error,
    }
    return cells | (_published(entry, condition.img_size, str(cells["weights"])) if entry else {})


def _published(entry: ModelSpec, img_size: int, weights: str) -> dict[str, object]:
    """The first figure printed for exactly this variant, each with where it was printed."""
    checkpoints = [
        checkpoint.published
        for checkpoint in sorted(entry.weights, key=lambda checkpoint: not _is_named(checkpoint, weights))
        if checkpoint.published and checkpoint.options == entry.options
    ]
    printed = [reference for reference in entry.references if reference.options == entry.options]
    references = [*checkpoints, *printed] if weights else [*printed, *checkpoints]
    sources: dict[str, list[str]] = defaultdict(list)

    def first(figure: str) -> float | None:
        found: Reference | None = next((item for item in references if getattr(item, figure) is not None), None)
        if found is None:
            return None
        sources[found.source].append(figure)
        return float(getattr(found, figure))

    cells: dict[str, object] = {
        "published_params": _whole(first("params")),
        "published_gmacs": _scaled(first("mult_adds"), 1e-9) if img_size == entry.input.size else None,
        "published_top1": _scaled(first("top1"), 100),
    }
    return cells | {"published_source": "; ".join(sources)}


def _is_named(checkpoint: Weights, weights: str) -> bool:
    """Whether `weights` ("imagenet", "imagenet:TAG" or a file) names this checkpoint."""
    source, _, tag = weights.partition(":")
    return tag in ("", checkpoint.tag) if source == "imagenet" else PurePath(weights).name == checkpoint.file_name


def relative_speed(row: Row, reference: Row | None) -> float | None:
    """How many times as fast as the reference: see `time_ratio`; without a link between the two as they were timed."""
    one, other = row.records.get("latency"), reference.records.get("latency") if reference else None
    times = one and one.value("latency_s"), other and other.value("latency_s")
    if one is None or other is None or not times[0] or not times[1]:
        return None
    ratio = time_ratio(other, one)
    return ratio.value if ratio else times[1] / times[0]


@functools.cache
def model_spec(label: str) -> ModelSpec | None:
    """The spec of a record's model, or None for a label this zoo does not know."""
    try:
        return spec(label)
    except (UnknownModel, UnknownOption, InvalidOption):
        return None


def _by_year() -> list[ModelSpec]:
    return sorted(MODELS.values(), key=lambda entry: entry.paper.year)


def _natural(name: str) -> tuple[tuple[int, float, str], ...]:
    """Sorts resnet18 before resnet101, and a plain name before its variants."""
    return tuple(
        (0, float(part), "") if part.replace(".", "", 1).isdigit() else (1, 0.0, part)
        for part in re.findall(r"\d+\.?\d*|\D+", name)
    )


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)
