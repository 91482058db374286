"""The command lines that measure what a page shows."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import zoo
from benchmarks.metrics import METRICS
from benchmarks.metrics.beginnings import SAMPLE
from benchmarks.records.record import FULL, PLAIN, Case
from benchmarks.report.joining import model_spec
from zoo.errors import InvalidOption, UnknownOption
from zoo.training.recipes import recipe

__all__ = ["commands", "flags_of"]

PROGRAM = ("python", "-m", "benchmarks.run")
Flags = tuple[tuple[str, str], ...]  # option and value, sorted
# options that only some metrics heed, and the field of a case by which a metric shows that it does
SEEDS = "--seeds"
HEEDED = {
    "--batch-size": "batch_size", "--img-size": "img_size", "--num-threads": "num_threads", "--device": "device",
    "--precision": "precision", "--weights": "weights", "--dataset": "dataset", "--data-dir": "data",
    "--recipe": "recipe", "--epochs": "epochs", SEEDS: "seed", "--runtimes": "runtime",
    "--nproc": "train_processes",
}  # fmt: skip
EFFORT = {"max_time": "--max-time", "rounds": "--rounds", "target_ci": "--target-ci"}


def commands(cases: Iterable[Case], machine: Mapping[str, Any]) -> list[str]:
    """Lines that ask for all of these cases on this machine; what no option can say is left out."""
    asked: dict[tuple[Flags, str], dict[str, None]] = defaultdict(dict)  # the models by options and metric
    for case in cases:
        entry = model_spec(case.model)
        if entry is not None and case.metric in METRICS and _can_be_named(case):
            asked[flags_of(case, machine), case.metric][case.model] = None
    lines: dict[tuple[Flags, tuple[str, ...]], list[str]] = {}  # the metrics by options and models
    for (flags, metric), models in sorted(asked.items(), key=lambda item: -len(item[0][0])):
        names = tuple(sorted(models))
        home = next(((its, same) for its, same in lines if same == names and _heard(its, metric) == flags), None)
        lines.setdefault(home or (flags, names), []).append(metric)
    return [_line(models, metrics, flags) for flags, models, metrics in _seeds_together(lines)]


def _seeds_together(
    lines: Mapping[tuple[Flags, tuple[str, ...]], Sequence[str]],
) -> Iterator[tuple[Flags, tuple[str, ...], Sequence[str]]]:
    """Lines that differ in the seed alone as one."""
    found: dict[tuple[Flags, tuple[str, ...], frozenset[str]], tuple[dict[str, None], set[int]]] = {}
    for (flags, models), metrics in lines.items():
        others = tuple(flag for flag in flags if flag[0] != SEEDS)
        drawn = frozenset(metric for metric in metrics if "seed" in METRICS[metric].depends_on)
        told, seeds = found.setdefault((others, models, drawn), ({}, set()))
        told |= dict.fromkeys(metrics)
        seeds.add(int(dict(flags).get(SEEDS, 0)))
    for (flags, models, _), (metrics_, seeds) in found.items():
        named = () if seeds == {0} else ((SEEDS, ",".join(map(str, sorted(seeds)))),)
        yield tuple(sorted((*flags, *named))), models, [*metrics_]


def _can_be_named(case: Case) -> bool:
    """Whether an option names the recipe of a case, those of studies apart, which are asked for by the study's name."""
    return case.recipe == SAMPLE or case.recipe.partition(":")[0] != SAMPLE


def flags_of(case: Case, machine: Mapping[str, Any]) -> Flags:
    """The options a case was asked with, but for those that say what would be done without them."""
    entry = model_spec(case.model)
    trained = METRICS[case.metric].trains and bool(case.recipe or not case.weights)
    size = case.train_img_size if trained else case.img_size
    own, smallest = (entry.input.size, entry.input.min_size) if entry else (size, 0)
    threads, usual = case.num_threads, machine.get("effective_cpus") or machine.get("cpus")
    epochs = 0
    if trained:
        threads, usual = case.train_threads, 1
        try:
            chosen = recipe(case.recipe or SAMPLE, entry)
        except (LookupError, UnknownOption, InvalidOption):
            return ()
        own, epochs = max(chosen.img_size or own, smallest), chosen.epochs
    metric = METRICS[case.metric]
    batch = case.batch_size if "batch_size" in metric.depends_on else metric.batch_size
    found = {
        "--runtimes": case.runtime if case.runtime != PLAIN else "",
        "--batch-size": batch if batch != metric.batch_size else "",
        "--img-size": size if size not in (0, own) else "",
        "--num-threads": threads if threads not in (0, usual) else "",
        "--device": case.device if case.device != "cpu" else "",
        "--precision": case.precision if case.precision != FULL else "",
        "--weights": case.weights_path,
        "--dataset": case.dataset if case.data_dir or case.dataset not in ("fashion_mnist", "") else "",
        "--data-dir": case.data_dir,
        "--recipe": case.recipe if case.recipe != SAMPLE else "",
        "--epochs": case.epochs if case.epochs not in (0, epochs) else "",
        SEEDS: case.seed or "",
        "--nproc": case.train_processes or "",
        **{EFFORT[name]: f"{value:g}" for name, value in case.effort if name in EFFORT and not isinstance(value, str)},
    }
    return tuple(sorted((name, str(value)) for name, value in found.items() if value != ""))


def _heard(flags: Flags, metric: str) -> Flags:
    """The options that make a difference to a metric."""
    heeded = {name for name, field in HEEDED.items() if field in METRICS[metric].depends_on}
    heeded |= set(EFFORT.values()) if METRICS[metric].prepare else set()
    if METRICS[metric].slow:
        heeded.discard("--runtimes")
        heeded.add("--num-threads")
    return tuple(each for each in flags if each[0] in heeded)


def _line(models: Sequence[str], metrics: Sequence[str], flags: Flags) -> str:
    everything = set(models) == set(zoo.list_models())
    ordered = [name for name in METRICS if name in metrics]
    words = ["--models", "all" if everything else ",".join(models), "--metrics", ",".join(ordered)]
    return shlex.join([*PROGRAM, *words, *(word for flag in flags for word in flag)])
