"""What a report is about: one machine's records, seen as rows and as one line a model."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mode
from typing import Any

import pandas as pd

from benchmarks.metrics import METRICS
from benchmarks.records.record import FULL, PLAIN, Case, Environment, Measurement, Record
from benchmarks.report.findings import Estimate, estimate
from benchmarks.report.frame import BOUNDS, ordered, to_frame
from benchmarks.report.joining import PACE, Row, join, model_spec, pace_of, protocol_of
from benchmarks.stats.intervals import Interval
from benchmarks.stats.means import mean_of

__all__ = ["Overview", "survey"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """The records of one machine, prepared for sentences, tables and pictures.

    Args:
        environment: the machine; None for records whose machine is only known by its id.
        rows: every model under every condition, every seed by itself.
        frame: `rows` in the columns of `results.csv`.
        condition: the one most models were timed under, of no image size, where variants that nobody asked for count
            only if nothing else was timed; None if nothing was timed.
        models: one row a model: that condition's figures with all that belongs to them, accuracies the mean over seeds.
        table: `models` in the same columns, in the report's order; its index is the model.
        cells: the table, by model and column.
        open_cases: planned and not finished.
        metric: what the best network for somebody's own images is the best in: "top1" or "balanced".
    """

    environment: Environment | None
    rows: Sequence[Row]
    frame: pd.DataFrame
    condition: Case | None
    models: Mapping[str, Row]
    table: pd.DataFrame
    cells: Mapping[str, Mapping[str, Any]]
    open_cases: Sequence[Case] = ()
    metric: str = "top1"

    def estimates(self, metric: str, name: str) -> list[Estimate]:
        """A measurement of every model that has it, in the table's order."""
        found = ((model, record, record.find(name)) for model, record in self.records(metric).items())
        return [estimate(model, measurement, record) for model, record, measurement in found if measurement]

    def at_accuracy(self, metric: str, name: str) -> list[Estimate]:
        """The same of the models of which it is known at the size of the images their accuracy was counted on."""
        sizes = {model: _size(record.case) for model, record in self.records("accuracy").items() if record.find("top1")}
        own, any_row = self.records(metric), "batch_size" not in METRICS[metric].depends_on
        found: dict[str, Estimate] = {}
        for row in self.rows:
            record, measurement = row.records.get(metric), row.find(metric, name)
            if record is None or measurement is None or record.case.img_size != sizes.get(row.model):
                continue
            if any_row or record is own.get(row.model):
                found[row.model] = estimate(row.model, measurement, record)
        return [found[model] for model in self.table.index if model in found]

    def timed(self) -> list[tuple[str, Estimate]]:
        """Latencies of the compared models under every runtime, all else as in the headline; the runtime with each."""
        if self.condition is None:
            return []
        found: dict[tuple[str, str], Estimate] = {}
        for row in self.rows:
            line, record, measurement = self.models.get(row.model), *_latency(row)
            if line is None or record is None or measurement is None:
                continue
            if line.records.get("latency") and row.case.img_size != line.case.img_size:
                continue
            if all(getattr(row.case, name) == getattr(self.condition, name) for name in PACE if name != "runtime"):
                found[row.model, row.case.runtime] = estimate(row.model, measurement, record)
        return [(runtime, estimated) for (_, runtime), estimated in found.items()]

    def figure(self, model: str, column: str) -> float | None:
        """A cell of the table, or None where it is empty."""
        value = self.cells[model][column]
        return None if pd.isna(value) else float(value)

    def cell(self, model: str, column: str) -> float | Interval | None:
        """The same with its 95 % interval, where the column has one and the cell too."""
        value = self.figure(model, column)
        low, high = (self.figure(model, name) for name in BOUNDS.get(column, (column, column)))
        if value is None or low is None or high is None or column not in BOUNDS:
            return value
        return Interval(value, low, high)

    def measurements(self, metric: str, name: str) -> dict[str, Measurement]:
        """The same as whole measurements, by model."""
        return {model: found for model, record in self.records(metric).items() if (found := record.find(name))}

    def seeds(self, model: str) -> int:
        """Trainings that a model's accuracy is the mean of; 0 where it is of weights that were given."""
        record = self.records("accuracy").get(model)
        top1 = record.find("top1") if record else None
        if record is None or top1 is None or (record.case.weights and not record.case.recipe):
            return 0
        return len(top1.details.get("seeds", (record.case.seed,)))

    @property
    def cases(self) -> list[Case]:
        """What was asked for the figures of the compared models, under every condition and with every seed shown."""
        accuracies = {
            model: (protocol_of(record.case), _size(record.case)) for model, record in self.records("accuracy").items()
        }
        records = (record for row in self.rows if row.model in self.models for record in row.records.values())
        return list(
            dict.fromkeys(
                record.case
                for record in records
                if record.case.metric != "accuracy"
                or accuracies.get(record.case.model) == (protocol_of(record.case), _size(record.case))
            )
        )

    @property
    def trained_sizes(self) -> list[int]:
        """Sides of the images that accuracies were taken on, in pixels."""
        return sorted({_size(record.case) for record in self.records("accuracy").values()})

    def records(self, metric: str) -> dict[str, Record]:
        """The records of one metric by model, in the table's order."""
        return {model: record for model in self.table.index if (record := self.models[model].records.get(metric))}


def survey(
    records: Iterable[Record],
    environment: Environment | None,
    *,
    open_cases: Sequence[Case] = (),
    sort_key: str = "family",
    asked: Container[str] = (),
    metric: str = "top1",
) -> Overview:
    """The overview of one machine's records; raises ValueError for several machines or an unknown sort key.

    A variant (`mobilenet_v1:width=0.5`) of which less was measured than of most networks is left to the study or the
    grid it was measured for, unless it is `asked` for by name.
    """
    rows = join(records)

    def named(row: Row) -> bool:
        return not _is_variant(row) or row.model in asked

    pace, shared = _headline(filter(named, rows)) or _headline(rows), _most_shared(rows)
    usual = _usual(row for row in rows if not _is_variant(row))
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if named(row) or usual <= row.records.keys():
            groups[row.model].append(row)
    chosen = [_line(group, pace, shared) for group in groups.values()]
    table = ordered(to_frame(chosen), sort_key).set_index("model", drop=False)
    return Overview(
        environment=environment,
        rows=rows,
        frame=to_frame(rows),
        condition=pace,
        models={row.model: row for row in chosen},
        table=table,
        cells=table.to_dict("index"),
        open_cases=open_cases,
        metric=metric,
    )


def _line(rows: Sequence[Row], pace: Case | None, shared: Case | None) -> Row:
    """What the comparison says of a model: its row under the headline condition, with accuracies that compare."""

    def rank(row: Row) -> tuple[bool, ...]:
        accuracy = row.records.get("accuracy")
        entry = model_spec(row.model)
        return (
            not _fits(row, pace),
            entry is not None and row.case.img_size not in (0, entry.input.size),
            accuracy is None,
            not _comparable(accuracy, shared),
            accuracy is not None and shared is not None and _size(accuracy.case) != _size(shared),
        )

    best = min(rows, key=rank)
    timed = _fits(best, pace)
    records = {
        metric: record
        for metric, record in best.records.items()
        if timed or "batch_size" not in METRICS[metric].depends_on or record.status != "ok"
    }
    accuracy = records.pop("accuracy", None)
    seeds = {id(found): found for row in rows if (found := row.records.get("accuracy"))}.values()
    networks = {found.case.weights for found in seeds if _comparable(found, shared)}  # of one model, each with a figure
    if accuracy is not None and _comparable(accuracy, shared) and len(networks) == 1:
        one = dataclasses.replace(accuracy.case.question, seed=0)
        alike = [found for found in seeds if dataclasses.replace(found.case.question, seed=0) == one]
        records["accuracy"] = _pooled(alike)
    return Row(best.case, best.stated - {"seed"}, records)


def _pooled(records: Sequence[Record]) -> Record:
    """Trainings that differ in nothing but the seed as one: means with Student's interval over the seeds."""
    records = [record for record in records if record.status == "ok"] or records
    if len(records) < 2:
        return records[0]
    seeds = [record.case.seed for record in records]
    measurements = []
    for measurement in records[0].measurements:
        values = [value for record in records if (value := record.value(measurement.name)) is not None]
        mean = mean_of(values)
        low, high = mean.low, mean.high
        if measurement.unit == "fraction" and low is not None and high is not None:
            low, high = max(low, 0.0), min(high, 1.0)
        kept = {name: value for name, value in measurement.details.items() if name not in ("answers", "labels")}
        measurements.append(
            dataclasses.replace(
                measurement, value=mean.value, low=low, high=high, samples=tuple(values),
                details={**kept, "seeds": seeds},
            )
        )  # fmt: skip
    notes = tuple(dict.fromkeys(note for record in records for note in record.notes))
    return dataclasses.replace(records[0], measurements=tuple(measurements), notes=notes)


def _headline(rows: Iterable[Row]) -> Case | None:
    """The condition most models were timed under; of equals batch 1 first, then eager, fp32 and most threads."""
    models: dict[tuple[Any, ...], set[str]] = defaultdict(set)
    for row in rows:
        if row.find("latency", "latency_s") or row.find("throughput", "samples_per_sec"):
            models[row.pace].add(row.model)

    def rank(pace: tuple[Any, ...]) -> tuple[object, ...]:
        runtime, device, batch_size, precision, num_threads = pace
        lossy = precision != FULL
        return -len(models[pace]), batch_size, runtime != PLAIN, lossy, -num_threads, runtime, device, precision

    pace = min(models, key=rank, default=None)
    return Case(metric="latency", model="", **dict(zip(PACE, pace, strict=True))) if pace else None


def _fits(row: Row, condition: Case | None) -> bool:
    return condition is None or (row.stated.issuperset(PACE) and row.pace == pace_of(condition))


def _most_shared(rows: Iterable[Row]) -> Case | None:
    """An accuracy of the protocol that most models share, at the size most of those have; None without accuracies."""
    asked = {
        (row.model, protocol_of(record.case), _size(record.case)): record.case
        for row in rows
        if (record := row.records.get("accuracy"))
    }
    if not asked:
        return None
    protocol = mode(protocol for _, protocol in {(model, protocol): None for model, protocol, _ in asked})
    size = mode(size for _, found, size in asked if found == protocol)
    return next(case for (_, found, each), case in asked.items() if (found, each) == (protocol, size))


def _comparable(accuracy: Record | None, shared: Case | None) -> bool:
    """Whether an accuracy was taken as most are."""
    return accuracy is not None and shared is not None and protocol_of(accuracy.case) == protocol_of(shared)


def _latency(row: Row) -> tuple[Record | None, Measurement | None]:
    return row.records.get("latency"), row.find("latency", "latency_s")


def _size(case: Case) -> int:
    """Side of the images an accuracy was taken on."""
    return case.train_img_size or case.img_size


def _is_variant(row: Row) -> bool:
    return ":" in row.model


def _usual(rows: Iterable[Row]) -> set[str]:
    """What was measured of more than half of the models in some rows, but for accuracy, which takes hours."""
    found: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        found[row.model] |= row.records.keys() - {"accuracy"}
    counts = Counter(metric for metrics in found.values() for metric in metrics)
    return {metric for metric, count in counts.items() if 2 * count > len(found)}
