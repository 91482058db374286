"""What must be measured before a budget can be answered, and nothing else."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zoo
from benchmarks.plan.cases import Options, plan
from benchmarks.records.record import FULL, PUBLISHED, Case, Record

__all__ = ["Needs", "costs_needed", "counts_needed", "times_needed"]

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
    asked = dataclasses.replace(needs.options, models=models, metrics=metrics, precisions=(FULL,))
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


def costs_needed(
    ways: Iterable[tuple[str, str, str]], records: Sequence[Record], options: Options, folder: Path
) -> tuple[Case, ...]:
    """What tells the cost of a precision in accuracy, where there are trained weights and images to try it on.

    The network itself or a variant of it answers the images it was tested on before. Where no record has such a
    network, published weights answer the images that are at hand.

    Args:
        ways: model, runtime and precision of which the cost is not known.
        records: of the folder; those of accuracies in fp32 name weights and images.
        options: whose images are at hand.
        folder: in which the networks lie that were trained by its records.
    """
    cases: dict[Case, None] = {}
    for model, runtime, precision in ways:
        known = _tested(model, records, folder) or _published(model, options)
        if known:
            asked = dataclasses.replace(
                options, metrics=("accuracy",), runtimes=(runtime,), precisions=(FULL, precision), **known
            )
            cases |= {case: None for case in plan(asked) if not case.recipe}  # nothing is trained for it
    return tuple(cases)


def _tested(model: str, records: Iterable[Record], folder: Path) -> dict[str, Any]:
    """Network, weights and images of the last accuracy in fp32 of a model or else of a variant; empty for none."""
    found: dict[bool, dict[str, Any]] = {}
    for record in records:
        case, top1 = record.case, record.find("top1")
        if case.metric != "accuracy" or case.precision != FULL or top1 is None or _name(case.model) != _name(model):
            continue
        kept = str(top1.details.get("weights_file") or "")
        weights = case.weights_path or (str(folder / kept) if kept else "")
        if weights.partition(":")[0] == PUBLISHED or (weights and Path(weights).is_file()):
            found[case.model == model] = {
                "models": (case.model,), "weights": weights, "recipe": "", "dataset": case.dataset,
                "data_dir": case.data_dir, "img_size": case.img_size,
            }  # fmt: skip
    return found.get(True) or found.get(False) or {}


def _published(model: str, options: Options) -> dict[str, Any]:
    """A model, or the one it is a variant of, with published weights; empty where there are none or no images."""
    if options.dataset == PUBLISHED and options.data_dir:
        for label in dict.fromkeys((model, _name(model))):
            entry = zoo.spec(label)
            if any(each.options == entry.options for each in entry.weights):
                return {"models": (label,), "weights": PUBLISHED}
    return {}


def _name(label: str) -> str:
    return label.partition(":")[0]


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
