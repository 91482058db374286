"""Records joined into rows: what was measured of a model under the same conditions, side by side.

Every metric declares which fields of a case its answer depends on. Results of two metrics stand in one row exactly
where the fields that both depend on are equal; nothing else decides, and nothing of two machines is ever joined.
"""

from __future__ import annotations

import dataclasses
import functools
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.metrics import METRICS
from benchmarks.records.record import Case, Measurement, Record
from zoo.errors import InvalidOption, UnknownModel, UnknownOption
from zoo.registry import spec
from zoo.spec import ModelSpec

__all__ = ["PACE", "Row", "by_machine", "join", "model_spec", "pace_of", "protocol_of"]

SEVERITY = ("ok", "skipped", "timeout", "failed", "oom", "crashed")  # the worst status of a row is its status
# equal for rows whose speeds compare: everything but the image size, of which each model has its own
PACE = ("runtime", "device", "batch_size", "precision", "num_threads")


@dataclass(slots=True)
class Row:
    """The records that speak of one model under the same conditions, by metric.

    Args:
        case: the model and every condition that one of the records depends on.
        stated: the names of those conditions.
    """

    case: Case
    stated: frozenset[str]
    records: dict[str, Record] = field(default_factory=dict)

    @property
    def model(self) -> str:
        """Its label."""
        return self.case.model

    @property
    def pace(self) -> tuple[Any, ...]:
        """Equal for rows whose speeds compare (`PACE`)."""
        return pace_of(self.case)

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
        failed = [(metric, record) for metric, record in self.records.items() if record.status != "ok"]
        return "; ".join(f"{metric}: {record.reason or record.status}" for metric, record in failed)

    @property
    def notes(self) -> str:
        """What the measurements had to say."""
        return "; ".join(f"{metric}: {note}" for metric, record in self.records.items() for note in record.notes)


def pace_of(case: Case) -> tuple[Any, ...]:
    """The conditions in `PACE`."""
    return tuple(getattr(case, name) for name in PACE)


def by_machine(records: Iterable[Record]) -> dict[str, list[Record]]:
    """The records of each machine, in the order the machines first occur."""
    machines: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        machines[record.machine].append(record)
    return dict(machines)


def join(records: Iterable[Record]) -> list[Row]:
    """The rows of one machine's records, each record in every row whose conditions it shares.

    The accuracies may all be those of another machine.

    Raises:
        ValueError: the records are of several machines (`by_machine` separates them).
    """
    models: dict[str, list[Record]] = defaultdict(list)
    machines: dict[str, set[str]] = defaultdict(set)
    for record in records:
        models[record.case.model].append(record)
        machines["trained" if record.case.metric == "accuracy" else "measured"].add(record.machine)
    for found in machines.values():
        if len(found) > 1:
            raise ValueError(f"records of {len(found)} machines share no table; by_machine() separates them")
    return [row for group in models.values() for row in _rows(group)]


def _rows(records: Sequence[Record]) -> list[Row]:
    """One model's rows: a natural outer join, metric by metric, those first that state the most conditions."""
    rows: list[Row] = []
    known = [metric for metric in METRICS.values() if any(each.case.metric == metric.name for each in records)]
    for metric in sorted(known, key=lambda metric: -len(metric.depends_on)):
        found = [record for record in records if record.case.metric == metric.name]
        own = [Row(record.case, _stated(record.case), {metric.name: record}) for record in found]
        joined = [(left, right) for left in rows for right in own if _agree(left, right)]
        alone = [row for row in (*rows, *own) if not any(row is left or row is right for left, right in joined)]
        rows = [*(_merged(left, right) for left, right in joined), *alone]
    order = {id(record): place for place, record in enumerate(records)}
    return sorted(rows, key=lambda row: min(order[id(record)] for record in row.records.values()))


def _stated(case: Case) -> frozenset[str]:
    """The conditions that a case depends on and names; 0 and empty stand for what does not matter."""
    return frozenset(
        name
        for name in METRICS[case.metric].depends_on
        if getattr(case, name) not in (0, "") or (name == "seed" and case.recipe)
    )


def _agree(left: Row, right: Row) -> bool:
    return all(getattr(left.case, name) == getattr(right.case, name) for name in left.stated & right.stated)


def _merged(left: Row, right: Row) -> Row:
    added = {name: getattr(right.case, name) for name in right.stated}
    typed = {name: getattr(left.case, name) or getattr(right.case, name) for name in ("data_dir", "weights_path")}
    case = dataclasses.replace(left.case, **added, **typed)
    return Row(case, left.stated | right.stated, {**left.records, **right.records})


def protocol_of(case: Case) -> Case:
    """What accuracies must share to be ranked together: all but the model, the seed and the size of the images.

    A network that takes no image so small gets its smallest, and weights want the size they were trained at.
    """
    weights = "given" if case.weights else ""
    return dataclasses.replace(
        case.question, model="", seed=0, img_size=0, train_img_size=0, train_threads=0, weights=weights
    )


@functools.cache
def model_spec(label: str) -> ModelSpec | None:
    """The spec of a record's model, or None for a label this zoo does not know."""
    try:
        return spec(label)
    except (UnknownModel, UnknownOption, InvalidOption):
        return None
