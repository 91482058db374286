"""What the evidence says, as a function that knows which models and arms it is about."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from benchmarks.studies.evidence import Evidence

__all__ = ["Count", "Finding", "combined"]

T = TypeVar("T")
Number = float | int


@dataclass(frozen=True, slots=True)
class Finding(Generic[T]):
    """A function of the evidence; of counts there are differences, products and ratios, which are counts, too.

    Args:
        of: the answer; None while a record is missing.
        models: labels of the models it reads, each that of some arm.
        titles: the arms it reads.
    """

    of: Callable[[Evidence], T | None]
    models: tuple[str, ...] = ()
    titles: tuple[str, ...] = ()

    def __call__(self, evidence: Evidence) -> T | None:
        return self.of(evidence)

    def __sub__(self: Count, other: Count | Number) -> Count:
        return combined(operator.sub, self, other)

    def __mul__(self: Count, other: Count | Number) -> Count:
        return combined(operator.mul, self, other)

    def __truediv__(self: Count, other: Count | Number) -> Count:
        return combined(operator.truediv, self, other)


Count = Finding[float]


def combined(function: Callable[..., T | None], *parts: Finding[Any] | Number) -> Finding[T]:
    """What `function` makes of the answers of several findings; None while one of them is."""
    findings = [part for part in parts if isinstance(part, Finding)]

    def of(evidence: Evidence) -> T | None:
        values = [part(evidence) if isinstance(part, Finding) else part for part in parts]
        return None if None in values else function(*values)

    return Finding(
        of,
        models=tuple(model for finding in findings for model in finding.models),
        titles=tuple(title for finding in findings for title in finding.titles),
    )
