"""What a metric is: a name, what its answer depends on and a way to measure; and the timing of one case."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmarks.metrics.subject import Subject
    from benchmarks.records.record import Case, Measurement

__all__ = ["Metric", "Timing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Every timed call of one case, as the rounds collected them.

    Args:
        samples: seconds of each call, in the order taken.
        rounds: the round each call belongs to, counted from 1.
        reference: seconds of the reference model's calls in the same session.
        reference_rounds: the round of each of those.
        apart: rounds in which the processors were far from one another while the case ran.
        reference_apart: the same while the reference model ran.
        details: how the session went: seed, order, stop reason, warm-up, noise.
    """

    samples: tuple[float, ...]
    rounds: tuple[int, ...]
    reference: tuple[float, ...] = ()
    reference_rounds: tuple[int, ...] = ()
    apart: tuple[int, ...] = ()
    reference_apart: tuple[int, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One thing that can be measured of a model. A new one is its file and its line in `benchmarks.metrics`.

    A metric either has `measure`, or it is timed and has `prepare` and `summarize`.

    Args:
        name: name for `--metrics` and `Case.metric`.
        title: name for people.
        depends_on: what the answer depends on besides the model: fields of `Case` and names of settings.
        measure: the measurements of a subject.
        prepare: the call to be timed, ready to be made; the engine makes it in interleaved rounds.
        summarize: the measurements in the calls that were timed.
        complete: fills in what the command line left open, as the metric understands it; needs no PyTorch.
        unavailable: why this case cannot be measured here, for a person; None if nothing speaks against it.
        shares_process: True for a metric that neither times nor allocates: many cases then share one process.
        slow: True where a case takes minutes: such cases come last, and the report is rewritten after each.
        batch_size: images a call where the command line says nothing.
    """

    name: str
    title: str
    depends_on: tuple[str, ...]
    measure: Callable[[Subject], tuple[Measurement, ...]] | None = None
    prepare: Callable[[Subject], Callable[[], object]] | None = None
    summarize: Callable[[Case, Timing], tuple[Measurement, ...]] | None = None
    complete: Callable[[Case], Case] | None = None
    unavailable: Callable[[Case], str | None] | None = None
    shares_process: bool = False
    slow: bool = False
    batch_size: int = 1
