"""What a report is about: one machine's records, seen as rows and as one line a model."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from benchmarks.records.record import Case, Environment, Measurement, Record
from benchmarks.report.findings import Estimate
from benchmarks.report.tables import BY_MODEL, BY_SIZE, Condition, Row, join, ordered, to_frame

__all__ = ["Overview", "survey"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """The records of one machine, prepared for sentences, tables and pictures.

    Args:
        environment: the machine; None for records whose machine is only known by its id.
        rows: every model under every condition.
        frame: `rows` in the columns of `results.csv`.
        condition: the one most models were timed under; None if nothing was timed.
        models: one row a model: that condition's figures with everything that does not depend on it.
        table: `models` in the same columns, in the report's order; its index is the model.
        open_cases: planned and not finished.
    """

    environment: Environment | None
    rows: Sequence[Row]
    frame: pd.DataFrame
    condition: Condition | None
    models: Mapping[str, Row]
    table: pd.DataFrame
    open_cases: Sequence[Case] = ()

    def estimates(self, metric: str, name: str) -> list[Estimate]:
        """A measurement of every model that has it, in the table's order."""
        found = []
        for model, record in self.records(metric).items():
            measurement = record.find(name)
            if measurement is not None:
                found.append(estimate(model, measurement, record))
        return found

    def figure(self, model: str, column: str) -> float | None:
        """A cell of the table, or None where it is empty."""
        value = self.table.at[model, column]
        return None if pd.isna(value) else float(value)

    def measurements(self, metric: str, name: str) -> dict[str, Measurement]:
        """The same as whole measurements, by model."""
        found = {model: self.models[model].find(metric, name) for model in self.table.index}
        return {model: measurement for model, measurement in found.items() if measurement is not None}

    def records(self, metric: str) -> dict[str, Record]:
        """The records of one metric by model, in the table's order."""
        return {
            model: self.models[model].records[metric]
            for model in self.table.index
            if metric in self.models[model].records
        }


def estimate(model: str, measurement: Measurement, record: Record) -> Estimate:
    """A measurement as an estimate; without an interval it counts as exact."""
    value = measurement.value
    low = value if measurement.low is None else measurement.low
    high = value if measurement.high is None else measurement.high
    return Estimate(model=model, value=value, low=low, high=high, record=record)


def survey(
    records: Iterable[Record],
    environment: Environment | None,
    *,
    open_cases: Sequence[Case] = (),
    sort_key: str = "family",
    asked: Container[str] = (),
) -> Overview:
    """The overview of one machine's records; raises ValueError for several machines or an unknown sort key.

    A variant (`mobilenet_v1:width=0.5`) of which less was measured than of most networks is left to the study or the
    grid it was measured for, unless it is `asked` for by name.
    """
    rows = join(records)
    condition = _headline(rows)
    frame = to_frame(rows)
    usual = _usual(row for row in rows if not _is_variant(row))
    places: dict[str, int] = {}
    for place, row in enumerate(rows):
        if _is_variant(row) and row.model not in asked and not usual <= row.records.keys():
            continue
        shown = places.get(row.model)
        if shown is None or (_fits(row, condition) and not _fits(rows[shown], condition)):
            places[row.model] = place
    fitting = [place for place in places.values() if _fits(rows[place], condition)]
    untimed = [_untimed(rows[place]) for place in places.values() if not _fits(rows[place], condition)]
    parts = [frame.iloc[fitting], to_frame(untimed)] if untimed else [frame.iloc[fitting]]
    table = ordered(pd.concat(parts, ignore_index=True), sort_key)
    return Overview(
        environment=environment,
        rows=rows,
        frame=frame,
        condition=condition,
        models={row.model: row for row in (*(rows[place] for place in fitting), *untimed)},
        table=table.set_index("model", drop=False),
        open_cases=open_cases,
    )


def _headline(rows: Iterable[Row]) -> Condition | None:
    """The condition most models were timed under; of equals batch 1 first, then eager."""
    counts: Counter[tuple[str, str, int, str, int]] = Counter()
    conditions: dict[tuple[str, str, int, str, int], Condition] = {}
    for row in rows:
        if row.find("latency", "latency_s") or row.find("throughput", "samples_per_sec"):
            counts[row.condition.pace] += 1
            conditions[row.condition.pace] = dataclasses.replace(row.condition, img_size=0)

    def rank(pace: tuple[str, str, int, str, int]) -> tuple[object, ...]:
        runtime, device, batch_size, precision, num_threads = pace
        return (-counts[pace], batch_size, runtime != "eager", -num_threads, runtime, device, precision)

    return conditions[min(counts, key=rank)] if counts else None


def _fits(row: Row, condition: Condition | None) -> bool:
    return condition is None or row.condition.pace == condition.pace


def _is_variant(row: Row) -> bool:
    return ":" in row.model


def _usual(rows: Iterable[Row]) -> set[str]:
    """What was measured of more than half of some rows, but for accuracy, which takes hours."""
    found = [row.records.keys() - {"accuracy"} for row in rows]
    counts = Counter(metric for metrics in found for metric in metrics)
    return {metric for metric, count in counts.items() if 2 * count > len(found)}


def _untimed(row: Row) -> Row:
    """A model that was not timed under the headline condition: what does not depend on it, and what went wrong."""
    kept = {
        metric: record
        for metric, record in row.records.items()
        if metric in (*BY_MODEL, *BY_SIZE) or record.status != "ok"
    }
    return Row(row.model, row.condition, kept)
