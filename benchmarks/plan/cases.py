"""From options to cases: every question asked once, with only the conditions its metric depends on."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import zoo
from benchmarks.metrics import METRICS
from benchmarks.metrics.beginnings import FOR_WEIGHTS, SCRATCH
from benchmarks.plan.models import TrainedFile
from benchmarks.records.record import FULL, INTEGERS, PLAIN, Case
from benchmarks.studies.study import Study
from zoo.runtimes import RUNTIMES

__all__ = ["SIX", "Options", "canonical", "plan", "plan_study", "skip_reason"]

SIX = ("alexnet", "vgg16", "googlenet", "resnet50", "mobilenet_v1", "xception")  # one of each family
# conditions that every case of a run shares, as far as its metric depends on them
SHARED = ("device", "dataset", "data_dir", "epochs", "train_images", "train_processes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What is asked. Where a value is 0 or empty, each metric takes its own default.

    Args:
        models: labels, each model once.
        files: networks that somebody trained, each beside the models.
        metrics, runtimes: registered names.
        batch_sizes: images a call; a sweep where there are several.
        num_threads: threads; a sweep where there are several.
        precisions: of weights and images; a sweep where there are several.
        training_threads: threads of a training, of which as many run at a time as there are processors.
        img_size: side of the images, of training and test images too.
        weights: "imagenet", "imagenet:TAG" or a file; of `files` their own.
        without: models of which there are no such weights, and why: they are trained from scratch.
        recipe: how networks are trained; empty for the usual way.
        train_processes: of a training, each with its threads and a batch of its own.
        seeds: of trainings, one a training.
        effort: how hard to look: max_time, rounds, target_ci.
    """

    models: tuple[str, ...]
    files: tuple[TrainedFile, ...] = ()
    metrics: tuple[str, ...]
    runtimes: tuple[str, ...] = (PLAIN,)
    batch_sizes: tuple[int, ...] = ()
    num_threads: tuple[int, ...] = (1,)
    training_threads: tuple[int, ...] = (1,)
    img_size: int = 0
    device: str = "cpu"
    precisions: tuple[str, ...] = (FULL,)
    weights: str = ""
    without: Mapping[str, str] = field(default_factory=dict)
    dataset: str = ""
    data_dir: str = ""
    recipe: str = ""
    epochs: int = 0
    train_images: int = 0
    train_processes: int = 1
    seeds: tuple[int, ...] = (0,)
    effort: Mapping[str, str | int | float | bool] = field(default_factory=dict)


def plan(options: Options) -> tuple[Case, ...]:
    """Every case that is asked, each question once, in the order metrics, then models."""
    cases: dict[Case, None] = {}
    for name in options.metrics:
        metric = METRICS[name]
        for begun, runtime, precision, batch_size, num_threads, seed in itertools.product(
            _beginnings(options),
            options.runtimes,
            options.precisions,
            options.batch_sizes or (metric.batch_size,),
            options.training_threads if metric.slow else options.num_threads,
            options.seeds,
        ):
            case = Case(
                metric=name,
                runtime=runtime,
                precision=precision,
                batch_size=batch_size,
                num_threads=num_threads,
                seed=seed,
                effort=tuple(sorted(options.effort.items())),
                **begun,
                **{key: getattr(options, key) for key in SHARED},
            )
            cases[canonical(case)] = None
    return tuple(cases | dict.fromkeys(_costs(cases) if "mult_adds" in options.metrics else ()))


def _beginnings(options: Options) -> list[dict[str, Any]]:
    """Model, weights, recipe and size of the images of every network that is asked for."""
    found: list[dict[str, Any]] = []
    for model in options.models:
        weights, recipe = options.weights, options.recipe
        if model in options.without:
            weights = ""
            recipe = SCRATCH if recipe.partition(":")[0] in ("", *FOR_WEIGHTS) else recipe
        found.append({"model": model, "weights_path": weights, "recipe": recipe, "img_size": options.img_size})
    for file in options.files:
        size = options.img_size or file.img_size
        found.append({"model": file.model, "weights_path": file.path, "recipe": options.recipe, "img_size": size})
    return found


def _costs(cases: Iterable[Case]) -> Iterator[Case]:
    """The multiply-adds of images as large as those that accuracies are counted on: what accuracy is set against."""
    for case in cases:
        if case.metric == "accuracy":
            size = case.train_img_size or case.img_size
            yield canonical(Case(metric="mult_adds", model=case.model, img_size=size))


def plan_study(study: Study, options: Options) -> tuple[Case, ...]:
    """The cases of a study under the given conditions: its tables always, other metrics only where they are asked.

    Where all is asked that is measured by default, it gets the others that it names, too.
    """
    cases: dict[Case, None] = {}
    usual = {metric.name for metric in METRICS.values() if metric.default} <= set(options.metrics)
    for part in study.parts:
        for seed, metric in itertools.product(part.seeds, part.metrics):
            if METRICS[metric].shares_process:  # a count: at the size the paper counts at
                asked = dataclasses.replace(options, models=part.models, files=(), metrics=(metric,), img_size=0)
            elif usual or metric in options.metrics:
                asked = dataclasses.replace(
                    options,
                    models=part.models,
                    files=(),
                    metrics=(metric,),
                    seeds=(options.seeds[0] + seed,),
                    img_size=part.img_size or options.img_size,
                    recipe=part.recipe,
                    weights="",
                )
            else:
                continue
            planned = plan(asked)
            cases |= dict.fromkeys((*planned, *_costs(planned)))
    return tuple(cases)


def canonical(case: Case) -> Case:
    """The case with what its metric depends on alone, so that equal questions are equal cases."""
    metric = METRICS[case.metric]
    if metric.complete is not None:
        case = metric.complete(case)
    elif "img_size" in metric.depends_on and not case.img_size:
        case = dataclasses.replace(case, img_size=zoo.spec(case.model).input.size)
    kept = {"metric", "model", *metric.depends_on, *({"effort", "settings"} if metric.prepare else ())}
    kept |= {"data_dir"} if case.data_dir and "data" in kept else set()
    kept |= {"weights_path"} if "weights" in kept else set()
    return Case(**{name: getattr(case, name) for name in kept})


def skip_reason(case: Case) -> str | None:
    """Why a case cannot be measured here, for a person; None if nothing speaks against it."""
    metric = METRICS[case.metric]
    smallest = zoo.spec(case.model).input.min_size
    if 0 < case.img_size < smallest:
        return f"{case.model} takes images of at least {smallest} pixels; --img-size is {case.img_size}"
    if case.runtime in RUNTIMES and (reason := RUNTIMES[case.runtime].unavailable()):
        return reason
    if case.precision == INTEGERS and "runtime" in metric.depends_on and case.runtime in RUNTIMES:
        able = [name for name, runtime in RUNTIMES.items() if INTEGERS in getattr(runtime, "PRECISIONS", ())]
        if case.runtime not in able:
            return f"{case.runtime} has no {INTEGERS}; runtimes that have it: {', '.join(able) or 'none here'}"
    return metric.unavailable(case) if metric.unavailable else None
