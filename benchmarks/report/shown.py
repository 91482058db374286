"""Every way that the compared models were run: what is known of each, as the rule of choosing takes it."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from statistics import fmean

from benchmarks.report.choosing import Candidate
from benchmarks.report.findings import Estimate, estimate
from benchmarks.report.joining import Row, model_spec
from benchmarks.report.overview import Overview
from benchmarks.stats.intervals import NORMAL, Interval

__all__ = ["VALIDATION_IMAGES", "candidate_of", "fastest_runtime", "is_own_size", "published", "top1_of", "ways"]

VALIDATION_IMAGES = 50_000  # of ImageNet, on which published accuracies are counted
IMAGENET = "imagenet"
BYTES = 4  # of a 32-bit parameter


def ways(overview: Overview) -> list[Row]:
    """The compared models in the table's order, each in every way that it was run; one that was never timed as it is.

    A way that was timed for several sizes of images is there once for each. Rows that differ in their training alone
    are one.
    """
    found: dict[tuple[object, ...], Row] = {}
    for row in overview.rows:
        if row.model in overview.models and {"latency", "throughput"} & row.records.keys():
            found.setdefault((row.model, *row.pace, row.case.img_size), row)
    timed = defaultdict(list)
    for row in found.values():
        timed[row.model].append(row)
    return [row for model in overview.table.index for row in timed.get(model) or [overview.models[model]]]


def published(overview: Overview) -> dict[str, Estimate]:
    """Published ImageNet top-1 by model, as a share, with Wilson's interval of the images it was counted on."""
    printed = {model: overview.figure(model, "published_top1") for model in overview.table.index}
    return {model: wilson(percent / 100, model) for model, percent in printed.items() if percent is not None}


def wilson(share: float, model: str) -> Estimate:
    """A published share with the 95 % interval that other images of ImageNet would have given."""
    square = NORMAL**2 / VALIDATION_IMAGES
    middle = (share + square / 2) / (1 + square)
    reach = NORMAL * math.sqrt(share * (1 - share) / VALIDATION_IMAGES + (square / 2 / NORMAL) ** 2) / (1 + square)
    return Estimate(share, middle - reach, middle + reach, model)


def measured_on_imagenet(overview: Overview) -> dict[str, Estimate]:
    """Top-1 of trained weights that were tested here on ImageNet."""
    records = overview.records("accuracy")
    return {
        each.model: each
        for each in overview.estimates("accuracy", "top1")
        if records[each.model].case.dataset == IMAGENET and records[each.model].case.weights
    }


def top1_of(overview: Overview) -> dict[str, tuple[Estimate, str]]:
    """ImageNet top-1 by model and where it is from: "measured" here on trained weights, else "published"."""
    told = {model: (found, "published") for model, found in published(overview).items()}
    return told | {model: (found, "measured") for model, found in measured_on_imagenet(overview).items()}


def is_own_size(row: Row) -> bool:
    """Whether a way takes images of the size that the network was published with."""
    entry = model_spec(row.model)
    return entry is not None and row.case.img_size in (0, entry.input.size)


def candidate_of(overview: Overview, row: Row, accuracy: tuple[Estimate, str] | None) -> Candidate:
    """A way as the rule of choosing takes it.

    Args:
        accuracy: of `top1_of`; that of images of another size is not this way's.
    """
    time = row.find("latency", "latency_s")
    line = overview.models[row.model]
    top1, source = accuracy if accuracy and is_own_size(row) else (None, "")
    params, mult_adds = line.value("params", "param_count"), row.value("mult_adds", "mult_adds")
    memory, rate = row.value("memory", "peak_rss_bytes"), row.find("throughput", "samples_per_sec")
    latency = estimate(row.model, time).scaled(1e3) if time and row.case.batch_size == 1 else None
    return Candidate(
        model=row.model,
        runtime=row.case.runtime,
        precision=row.case.precision,
        num_threads=row.case.num_threads,
        img_size=row.case.img_size,
        latency_ms=latency,
        size_mb=exactly(params * BYTES / 1e6) if params and row.case.precision == "fp32" else None,
        top1=top1.scaled(100) if top1 else None,
        memory_mb=exactly(memory / 1e6) if memory else None,
        gmacs=exactly(mult_adds / 1e9) if mult_adds else None,
        throughput=estimate(row.model, rate) if rate else None,
        batch_size=row.case.batch_size if rate else 0,
        top1_source=source,
        size_source="parameters" if params else "",
    )


def fastest_runtime(overview: Overview) -> tuple[str, list[Estimate]]:
    """The runtime that is fastest over the models that all have, timed as the headline is, and its times.

    Of runtimes those count that most models were timed with; empty where none was.
    """
    times: dict[str, dict[str, Estimate]] = defaultdict(dict)
    for runtime, found in overview.timed():
        times[runtime][found.model] = found
    most = max(map(len, times.values()), default=0)
    full = {runtime: found for runtime, found in times.items() if 2 * len(found) > most}
    if not full:
        return "", []
    common = set.intersection(*(set(found) for found in full.values())) or set(next(iter(full.values())))
    runtime = min(full, key=lambda name: (_pace(full[name], common), name))
    return runtime, [full[runtime][model] for model in overview.table.index if model in full[runtime]]


def exactly(value: float) -> Interval:
    """A figure without doubt."""
    return Interval(value, value, value)


def _pace(times: dict[str, Estimate], models: Iterable[str]) -> float:
    return fmean(math.log(times[model].value) for model in models if model in times and times[model].value > 0)
