"""What a metric is: a name, what its answer depends on, a way to measure and the columns it fills."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from benchmarks.records.record import Case
from benchmarks.records.shapes import Shape

if TYPE_CHECKING:
    from benchmarks.metrics.subject import Subject
    from benchmarks.records.record import Measurement

__all__ = ["Column", "Metric", "Timing"]


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
class Column:
    """A column of `results.csv`, and of the comparison on the page where it has a title.

    Args:
        name: its name in `results.csv`.
        measurement: the measurement it shows.
        part: which part of it: "value", "low" or "high".
        factor: from the measurement's unit to the column's.
        whole: True for a count.
        better: the better end, "low" or "high"; empty where neither is.
        title: heading on the page, with the unit; "{dataset}" stands for the images. Empty: `results.csv` only.
        shown: factor from `results.csv` to the page.
        digits: significant digits on the page; 0 or negative for that many decimals.
        published: field of `zoo.spec.Reference` that is printed beside it; empty where papers print none.
        published_column, published_title: name of the printed figures in `results.csv`, and their heading on the page.
        rare: in `results.csv` only where some row has it.
        noise: by how much looks at the same thing differ, in the measurement's unit, where none has an interval.
    """

    name: str
    measurement: str
    part: str = "value"
    factor: float = 1.0
    whole: bool = False
    better: str = ""
    title: str = ""
    shown: float = 1.0
    digits: int = 3
    published: str = ""
    published_column: str = ""
    published_title: str = ""
    rare: bool = False
    noise: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One thing that can be measured of a model. A new one is its file and its line in `benchmarks.metrics`.

    A metric either has `measure`, or it is timed and has `prepare` and `summarize`.

    Args:
        name: name for `--metrics` and `Case.metric`.
        title: name for people.
        also: what else people call it, for the message that answers a wrong name.
        depends_on: the fields of `Case` its answer depends on besides the model. Results of two metrics stand in one
            row exactly where the fields that both depend on are equal.
        columns: what it adds to `results.csv` and to the page.
        measure: the measurements of a subject.
        prepare: the call to be timed, ready to be made, which happens in interleaved rounds.
        summarize: the measurements in the calls that were timed.
        derive: a measurement as its own samples say by the present rules, whatever was written when it was recorded.
        complete: fills in what the command line left open, as the metric understands it; needs no PyTorch.
        unavailable: why this case cannot be measured here, for a person; None if nothing speaks against it.
        basis: for a case, the functions its answer is computed by beyond those above, and plain values it depends on.
        details: shapes of the details of its measurements by name; "row:*" stands for every name that begins so.
        libraries: packages whose versions change the answer.
        shares_process: True for a metric that neither times nor allocates: many cases then share one process.
        slow: True where a case takes minutes: such cases come last, and the report is rewritten after each.
        tests: of a slow metric, how many times as long as one test of the network its last part takes.
        batch_size: images a call where the command line says nothing.
        default: whether it is measured where no metrics are named.

    Raises:
        ValueError: it depends on something that is no field of a case, or cannot be measured.
    """

    name: str
    title: str
    depends_on: tuple[str, ...]
    columns: Sequence[Column] = ()
    measure: Callable[[Subject], tuple[Measurement, ...]] | None = None
    prepare: Callable[[Subject], Callable[[], object]] | None = None
    summarize: Callable[[Case, Timing], tuple[Measurement, ...]] | None = None
    derive: Callable[[Case, Measurement], Measurement] | None = None
    complete: Callable[[Case], Case] | None = None
    unavailable: Callable[[Case], str | None] | None = None
    basis: Callable[[Case], Sequence[object]] | None = None
    details: Mapping[str, Mapping[str, Shape]] = field(default_factory=dict)
    libraries: tuple[str, ...] = ("torch",)
    shares_process: bool = False
    slow: bool = False
    tests: int = 1
    batch_size: int = 1
    default: bool = True
    also: tuple[str, ...] = ()

    @property
    def trains(self) -> bool:
        """Whether networks are trained for it, unless trained weights are handed in."""
        return "recipe" in self.depends_on

    def __post_init__(self) -> None:
        fields = [field.name for field in dataclasses.fields(Case)]
        unknown = [name for name in self.depends_on if name not in fields]
        if unknown:
            raise ValueError(f"metric {self.name!r} depends on {unknown[0]!r}; a case has {', '.join(fields)}")
        if (self.measure is None) == (self.prepare is None) or (self.prepare is None) != (self.summarize is None):
            raise ValueError(f"metric {self.name!r} has either `measure`, or `prepare` and `summarize`")
