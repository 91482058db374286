"""What a precision costs in accuracy: the same weights on the same images, in fp32 and as a runtime runs them."""

from __future__ import annotations

import contextlib
import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.records.predictions import NotPaired, Paired, mcnemar
from benchmarks.records.record import FULL, PLAIN, Case, Record
from benchmarks.stats.intervals import Interval
from benchmarks.stats.pairs import paired_difference

__all__ = ["Cost", "costs_of", "pooled", "same_network", "session_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """One network in fp32 and in another precision, answering the same images.

    Args:
        record: of the other precision.
        full: of fp32, in the same runtime where there is such a record, else in PyTorch as it is.
        paired: the images that only one of the two has right, the other precision first.
    """

    record: Record
    full: Record
    paired: Paired

    @property
    def case(self) -> Case:
        """What was evaluated in the other precision."""
        return self.record.case

    @property
    def points(self) -> Interval:
        """Points of top-1 that the other precision has more than fp32: below 0 where it costs some."""
        return _points([self])


def costs_of(records: Iterable[Record]) -> list[Cost]:
    """Every accuracy in another precision beside that of the same network in fp32, in the order of the records."""
    groups: dict[Case, list[Record]] = defaultdict(list)
    for record in records:
        if record.case.metric == "accuracy" and record.status == "ok":
            groups[same_network(record.case)].append(record)
    found = []
    for group in groups.values():
        whole = {record.case.runtime: record for record in group if record.case.precision == FULL}
        for record in group:
            full = whole.get(record.case.runtime, whole.get(PLAIN))
            if record.case.precision == FULL or full is None:
                continue
            with contextlib.suppress(NotPaired):
                found.append(Cost(record=record, full=full, paired=mcnemar(record, full)))
    return found


def session_of(record: Record | None) -> Mapping[str, Any]:
    """What a session said of itself when it answered images or was timed; empty where there was none."""
    for name in ("agreement", "latency_s") if record else ():
        found = record.find(name) if record else None
        told = found.details.get("session") if found else None
        if isinstance(told, Mapping):
            return told
    return {}


def same_network(case: Case) -> Case:
    """Equal for accuracies of the same weights on the same images, whatever runs them."""
    return dataclasses.replace(case.question, runtime=PLAIN, precision=FULL)


def pooled(costs: Sequence[Cost]) -> tuple[Interval, int] | None:
    """The points of several networks together, every image counted once for each, and how many images; None of none."""
    return (_points(costs), sum(each.paired.count for each in costs)) if costs else None


def _points(costs: Sequence[Cost]) -> Interval:
    first, second, count = (
        sum(getattr(each.paired, name) for each in costs) for name in ("only_first", "only_second", "count")
    )
    return paired_difference(first, second, count).scaled(100)
