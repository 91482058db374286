"""What must be measured before a budget can be answered, and nothing else."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import zoo
from benchmarks.plan.cases import Options, plan
from benchmarks.records.record import Case

__all__ = ["Needs", "counts_needed", "times_needed"]

GAIN = 0.01  # of top-1 that another precision may have more than what is printed
COUNTS = ("params", "mult_adds")


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """A budget as far as it says what cannot fit.

    Args:
        options: models, runtimes, threads, precisions and effort.
        metrics: timed and measured in the ways that may fit.
        bytes_each: of a parameter, by precision.
        max_mb, max_gmacs: None for no limit.
        min_top1: a fraction; None for no limit, and where published accuracies say nothing of the images.
        measured: models whose accuracy on the images is known from records.
    """

    options: Options
    metrics: tuple[str, ...]
    bytes_each: Mapping[str, int]
    max_mb: float | None = None
    max_gmacs: float | None = None
    min_top1: float | None = None
    measured: Collection[str] = field(default_factory=frozenset)


def counts_needed(needs: Needs) -> tuple[Case, ...]:
    """Parameters and multiply-adds of the models that are accurate enough by what is printed of them."""
    models = tuple(model for model in needs.options.models if _accurate(model, needs))
    metrics = tuple(name for name in COUNTS if name == "params" or needs.max_gmacs is not None)
    asked = dataclasses.replace(needs.options, models=models, metrics=metrics, precisions=("fp32",))
    return plan(asked) if models else ()


def times_needed(needs: Needs, counted: Mapping[tuple[str, str], float]) -> tuple[Case, ...]:
    """What is timed and measured: every way that may fit by the counts.

    Args:
        counted: by model and measurement; a model that is not counted may fit.
    """
    cases: dict[Case, None] = {}
    for precision in needs.options.precisions:
        each = needs.bytes_each.get(precision, max(needs.bytes_each.values()))
        models = [model for model in needs.options.models if _accurate(model, needs)]
        models = [model for model in models if _within(counted.get((model, "param_count")), 1e-6 * each, needs.max_mb)]
        models = [model for model in models if _within(counted.get((model, "mult_adds")), 1e-9, needs.max_gmacs)]
        if models:
            asked = dataclasses.replace(
                needs.options, models=tuple(models), metrics=needs.metrics, precisions=(precision,)
            )
            cases |= dict.fromkeys(plan(asked))
    return tuple(cases)


def _within(count: float | None, factor: float, most: float | None) -> bool:
    return count is None or most is None or count * factor <= most


def _accurate(model: str, needs: Needs) -> bool:
    """Whether the best that is printed of exactly this variant may reach what is wanted."""
    if needs.min_top1 is None or model in needs.measured:
        return True
    return max(_printed(model), default=0.0) + GAIN >= needs.min_top1


def _printed(model: str) -> Sequence[float]:
    entry = zoo.spec(model)
    checkpoints = (each.published for each in entry.weights if each.options == entry.options)
    printed = (*(each for each in entry.references if each.options == entry.options), *checkpoints)
    return [each.top1 for each in printed if each is not None and each.top1 is not None]
