"""How fast and how lean a checkpoint becomes a network, beside torchvision's own way.

One file of random weights, two ways to a VGG-16: `zoo.create("vgg16", weights=FILE)`, and torchvision's `vgg16()`
followed by `load_state_dict(torch.load(FILE))`.
"""

from __future__ import annotations

import gc
import multiprocessing
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any

import psutil

from benchmarks.measure.worker import die_with_parent
from benchmarks.metrics.memory import peak_bytes, reset_peak
from benchmarks.report.bars import Bar, Cases, CheckPage, judged
from benchmarks.report.page import section
from benchmarks.report.table import TableColumn, table, text_column
from benchmarks.selfcheck.tasks import Benchmark
from zoo.lazy import nn, torch

__all__ = ["BENCHMARK", "bars", "measure"]

MODEL = "vgg16"
WAYS = ("zoo", "torchvision")
REPETITIONS = 5
MEMORY_BAR = 1.2  # the zoo's peak over the size of the file, at most
SPEED_BARS = {"call_s": 50.0, "read_s": 5.0}  # torchvision's seconds over the zoo's, at least
CLOCKS = {"call_s": "until the call returns", "read_s": "until every weight was read"}
COLUMNS = (
    text_column("", itemgetter(0)),
    *(TableColumn(way, itemgetter(place)) for place, way in enumerate(WAYS, 1)),
    TableColumn("torchvision / zoo", lambda row: row[2] / row[1]),
)


def measure(model: str, repetitions: int = REPETITIONS) -> dict[str, Any]:
    """Both ways in turn: the bytes of the file, and by way the findings of its repetitions, as JSON values."""
    import torchvision

    context = multiprocessing.get_context("spawn")
    found: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{model}.pth"
        torch.save(torchvision.models.get_model(model, weights=None).state_dict(), path)
        with ProcessPoolExecutor(1, context, initializer=die_with_parent, max_tasks_per_child=1) as fresh:
            for _ in range(repetitions):
                for way in WAYS:
                    found[way].append(fresh.submit(_once, model, path, way).result())
        return {"model": model, "file_bytes": path.stat().st_size, **found}


def _once(model: str, path: Path, way: str) -> dict[str, float]:
    """One repetition, in this process: seconds of both clocks, and bytes at the peak."""
    import torch
    import torchvision

    import zoo

    gc.collect()
    reset_peak()
    before = psutil.Process().memory_info().rss
    start = time.perf_counter()
    network: nn.Module
    if way == "zoo":
        network = zoo.create(model, weights=path)
    else:
        network = torchvision.models.get_model(model, weights=None)
        network.load_state_dict(torch.load(path))
    called = time.perf_counter()
    for tensor in network.state_dict().values():
        tensor.sum()
    end = time.perf_counter()
    return {"call_s": called - start, "read_s": end - start, "peak_bytes": peak_bytes() - before}


# --- the page ---------------------------------------------------------------------------------------------------------


def bars(cases: Cases) -> list[Bar]:
    """Fast enough by both clocks, and lean enough."""
    case = cases.get(MODEL)
    times = "at least {:g} times as fast as torchvision"
    return [
        *(judged(f"{title.capitalize()}: {times.format(SPEED_BARS[clock])}", case, partial(_fast, clock))
          for clock, title in CLOCKS.items()),
        judged(f"Peak memory at most {MEMORY_BAR:g} times the size of the file", case, _lean),
    ]  # fmt: skip


def _fast(clock: str, case: Mapping[str, Any]) -> tuple[str, bool]:
    gain = _least(case, "torchvision", clock) / _least(case, "zoo", clock)
    return f"{gain:.1f}", gain >= SPEED_BARS[clock]


def _lean(case: Mapping[str, Any]) -> tuple[str, bool]:
    peak = _least(case, "zoo", "peak_bytes") / case["file_bytes"]
    return f"{peak:.2f}", peak <= MEMORY_BAR


def _least(case: Mapping[str, Any], way: str, name: str) -> float:
    return float(min(found[name] for found in case[way]))


def _sections(cases: Cases, picture: str) -> Iterator[str]:
    for case in cases.values():
        figures = [
            *((f"{title}, s", name, 1.0) for name, title in CLOCKS.items()),
            ("peak memory, MB", "peak_bytes", 1e-6),
        ]
        rows = [(title, *(factor * _least(case, way, name) for way in WAYS)) for title, name, factor in figures]
        yield section(
            case["model"],
            f"`zoo.create({case['model']!r}, weights=FILE)` beside torchvision's `{case['model']}()` and "
            f"`load_state_dict(torch.load(FILE))`: a file of {case['file_bytes'] / 1e6:.0f} MB, best of "
            f"{len(case['zoo'])} repetitions.",
            table(COLUMNS, rows),
        )


BENCHMARK = Benchmark(
    name="loading",
    description="How fast and how lean a checkpoint becomes a network, beside torchvision's own way.",
    tasks={MODEL: partial(measure, MODEL)},
    page=CheckPage(
        title="Loading",
        remark="A checkpoint becomes a network, here and in torchvision.",
        method="Each repetition is a process of its own that has imported PyTorch, torchvision and the zoo; the two "
        "ways take turns. The zoo maps the file instead of reading it, so each way is timed twice. Memory is the peak "
        "from the first call to the last weight read, above what the process held before.",
        bars=bars,
        sections=_sections,
    ),
)
