"""From options to cases: every question asked once, with only the conditions its metric depends on."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field

import zoo
from benchmarks.metrics import METRICS
from benchmarks.metrics.metric import Metric
from benchmarks.records.record import Case
from benchmarks.studies.study import Study
from zoo.runtimes import RUNTIMES

__all__ = ["SIX", "Options", "plan", "plan_study", "skip_reason"]

SIX = ("alexnet", "vgg16", "googlenet", "resnet50", "mobilenet_v1", "xception")  # one of each family


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What is asked. Where a value is 0 or empty, each metric takes its own default.

    Args:
        models: labels, each model once.
        metrics, runtimes: registered names.
        batch_sizes: images a call; a sweep where there are several.
        num_threads: threads; a sweep where there are several.
        training_threads: threads of a training, of which as many run at a time as there are processors.
        settings: what only some metrics read: max_time, rounds, target_ci.
    """

    models: tuple[str, ...]
    metrics: tuple[str, ...]
    runtimes: tuple[str, ...] = ("eager",)
    batch_sizes: tuple[int, ...] = ()
    num_threads: tuple[int, ...] = (1,)
    training_threads: tuple[int, ...] = (1,)
    img_size: int = 0
    device: str = "cpu"
    precision: str = "fp32"
    weights: str = ""
    dataset: str = ""
    data_dir: str = ""
    epochs: int = 0
    train_images: int = 0
    seed: int = 0
    settings: Mapping[str, str | int | float | bool] = field(default_factory=dict)


def plan(options: Options) -> tuple[Case, ...]:
    """Every case that is asked, each question once, in the order metrics, then models."""
    cases: dict[Case, None] = {}
    for name in options.metrics:
        metric = METRICS[name]
        sweep = itertools.product(
            options.models,
            options.runtimes if "runtime" in metric.depends_on else ("eager",),
            (options.batch_sizes or (metric.batch_size,)) if "batch_size" in metric.depends_on else (1,),
            (options.training_threads if metric.slow else options.num_threads)
            if "num_threads" in metric.depends_on
            else (0,),
        )
        for model, runtime, batch_size, num_threads in sweep:
            conditions: dict[str, str | int] = {
                "runtime": runtime,
                "batch_size": batch_size,
                "num_threads": num_threads,
                "img_size": options.img_size,
                "device": options.device,
                "precision": options.precision,
                "weights": options.weights,
                "dataset": options.dataset,
                "data_dir": options.data_dir,
                "epochs": options.epochs,
                "train_images": options.train_images,
                "seed": options.seed,
            }
            cases[_canonical(metric, model, conditions, options.settings)] = None
    return tuple(cases)


def plan_study(study: Study, options: Options) -> tuple[Case, ...]:
    """The cases of a study under the given conditions; dear metrics only where they are asked, tables always."""
    cases: dict[Case, None] = {}
    for part in study.parts:
        for seed, metric in itertools.product(part.seeds, part.metrics):
            if METRICS[metric].shares_process:  # a count: at the size the paper counts at
                asked = dataclasses.replace(options, models=part.models, metrics=(metric,), img_size=0)
            elif metric in options.metrics:
                asked = dataclasses.replace(
                    options,
                    models=part.models,
                    metrics=(metric,),
                    seed=options.seed + seed,
                    img_size=part.img_size or options.img_size,
                    settings={**options.settings, **dict(part.settings)},
                )
            else:
                continue
            cases |= dict.fromkeys(plan(asked))
    return tuple(cases)


def _canonical(
    metric: Metric,
    model: str,
    conditions: Mapping[str, str | int],
    settings: Mapping[str, str | int | float | bool],
) -> Case:
    """The case with only those conditions the metric depends on, so that equal questions are equal cases."""
    case = Case(
        metric=metric.name,
        model=model,
        settings=tuple(sorted((name, value) for name, value in settings.items() if name in metric.depends_on)),
        **{name: value for name, value in conditions.items() if name in metric.depends_on},  # type: ignore[arg-type]
    )
    if metric.complete is not None:
        return metric.complete(case)
    if "img_size" in metric.depends_on and not case.img_size:
        return dataclasses.replace(case, img_size=zoo.spec(model).input.size)
    return case


def skip_reason(case: Case) -> str | None:
    """Why a case cannot be measured here, for a person; None if nothing speaks against it."""
    metric = METRICS[case.metric]
    smallest = zoo.spec(case.model).input.min_size
    if 0 < case.img_size < smallest:
        return f"{case.model} takes images of at least {smallest} pixels; --img-size is {case.img_size}"
    if case.runtime in RUNTIMES and (reason := RUNTIMES[case.runtime].unavailable()):
        return reason
    return metric.unavailable(case) if metric.unavailable else None
