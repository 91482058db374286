"""Every way that the compared models were run: what is known of each, as the rule of choosing takes it."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import fmean

from benchmarks.records.record import FULL
from benchmarks.report.choosing import Candidate
from benchmarks.report.findings import Estimate
from benchmarks.report.joining import Row
from benchmarks.report.overview import Overview
from benchmarks.report.ways import ways_of
from benchmarks.stats.intervals import NORMAL

__all__ = ["VALIDATION_IMAGES", "candidates", "fastest_runtime", "published", "ways"]

VALIDATION_IMAGES = 50_000  # of ImageNet, on which published accuracies are counted


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


def candidates(overview: Overview, rows: Sequence[Row]) -> list[Candidate]:
    """Each way as the rule of choosing takes it; one that was not timed on one image is only its name."""
    records = {id(record): record for row in overview.rows for record in row.records.values()}.values()
    device = overview.condition.device if overview.condition else "cpu"
    known = {
        (each.model, each.runtime, each.precision, each.num_threads, each.img_size): each
        for each in ways_of(records, device=device)
    }
    found = []
    for row in rows:
        case = row.case
        way = (case.model, case.runtime, case.precision, case.num_threads, case.img_size)
        plain = Candidate(model=case.model, runtime=case.runtime, precision=case.precision or FULL,
                          num_threads=case.num_threads, img_size=case.img_size)  # fmt: skip
        found.append(known.get(way, plain) if case.device == device and case.batch_size == 1 else plain)
    return found


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


def _pace(times: dict[str, Estimate], models: Iterable[str]) -> float:
    logs = [math.log(times[model].value) for model in models if model in times and times[model].value > 0]
    return fmean(logs) if logs else math.inf  # the runtimes may have no model in common
