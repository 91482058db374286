"""What a metric is: a name, a column and a way to measure; and the subject it measures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.metrics.subject import Subject

    from benchmarks.records import Measurement

__all__ = ["Metric"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One thing that can be measured of a model. A new one is its file and its line in `benchmarks.metrics`.

    Args:
        name: name for `--metrics` and `Case.metric`.
        title: name for people.
        depends_on: the fields of `Case` the answer depends on besides `metric` and `model`.
        measure: the measurements of a subject; called once, in a process of the case's own.
        sample: for timed metrics instead of `measure`: prepares the subject, warms it up and returns a callable that
            takes one sample in seconds; the engine calls it in interleaved rounds and makes the measurement.
    """

    name: str
    title: str
    depends_on: tuple[str, ...]
    measure: Callable[[Subject], tuple[Measurement, ...]] | None = None
    sample: Callable[[Subject], Callable[[], float]] | None = None
