"""Runs made up for the page to explore."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path

from benchmarks.records.record import Record
from benchmarks.report.html import write_index
from benchmarks.report.overview import survey
from tests.benchmarks.report.made import ENVIRONMENT, MODELS, accuracy, counted, full_records, latency, record

WAYS = {("eager", 2): 1.0, ("eager", 1): 1.7, ("onnxruntime", 2): 0.6, ("openvino", 2): 0.5}


def whole() -> list[Record]:
    """Every model in four ways, one of which failed for one."""
    records = [found for found in full_records() if found.case.metric != "latency" and ":" not in found.case.model]
    for model, (_, _, milliseconds, _) in MODELS.items():
        for (runtime, threads), factor in WAYS.items():
            if (model, runtime) == ("vgg19", "openvino"):
                failed = record("latency", model, status="failed", reason="no kernel", runtime=runtime, num_threads=2)
                records.append(failed)
                continue
            if (model, threads) == ("nin", 1):
                continue
            records.append(latency(model, milliseconds * factor / 1e3, runtime=runtime, num_threads=threads))
    return records


def many(lines: int) -> list[Record]:
    """As many ways as asked for, of variants nobody named."""
    noise = random.Random(0)
    records: list[Record] = []
    for place in range(lines // 4):
        name = f"mobilenet_v1:width={0.1 + place * 1e-3:.3f}"
        records += [counted(name, 4e6 + place), accuracy(name, noise.uniform(0.5, 0.9))]
        records += [latency(name, noise.uniform(0.01, 0.1), runtime=runtime, num_threads=threads, run=str(place // 30))
                    for runtime, threads in WAYS]  # fmt: skip
    return records


def renamed(records: list[Record], **names: str) -> list[Record]:
    """The same of models with other names."""
    return [
        dataclasses.replace(
            found, case=dataclasses.replace(found.case, model=names.get(found.case.model, found.case.model))
        )
        for found in records
    ]


def page_of(records: list[Record], folder: Path) -> Path:
    """The page of a run."""
    asked = {found.case.model for found in records}
    return write_index(survey(records, ENVIRONMENT, asked=asked), folder, [])
