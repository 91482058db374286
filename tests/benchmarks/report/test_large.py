"""A run with a hundred thousand records has a page, too."""

from __future__ import annotations

import multiprocessing
import random
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from benchmarks.records.record import Measurement, Record
from benchmarks.report import drawing
from tests.benchmarks.report.made import accuracy, latency, page_of, record


def many(models: int) -> list[Record]:
    """Four records of each."""
    noise = random.Random(0)
    found: list[Record] = []
    for place in range(models):
        name = f"mobilenet_v1:width={0.1 + place * 1e-5:.5f}"
        found += (
            record("params", name, Measurement(name="param_count", value=4e6, unit="count")),
            record("mult_adds", name, Measurement(name="mult_adds", value=5e8 + place, unit="count")),
            latency(name, noise.uniform(0.01, 0.1), run=str(place // 30)),
            accuracy(name, noise.uniform(0.5, 0.9)),
        )
    return found


def written(models: int, folder: Path) -> tuple[str, float, float]:
    """The page of their records, the processor's seconds that it took, and the most memory of the process, in bytes."""
    drawing.render = lambda draw, data, mark="": (mark.encode(), b"png")  # pictures cost seconds, however many records
    records = many(models)
    folder.mkdir()
    started = time.process_time()
    page = page_of(records, folder)
    seconds = time.process_time() - started
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return page, seconds, 1024.0 * int(peak.split()[1])


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak of a process is read from /proc")
def test_a_hundred_thousand_records(tmp_path: Path) -> None:
    """Written in a time that grows about as they do: five times as many take hardly ten times as long."""
    alone = multiprocessing.get_context("spawn")  # what other tests took is not theirs
    with ProcessPoolExecutor(1, mp_context=alone, max_tasks_per_child=1) as processes:
        _, few_s, _ = processes.submit(written, 5_000, tmp_path / "few").result()
        page, many_s, peak = processes.submit(written, 25_000, tmp_path / "many").result()
    assert many_s < 10 * few_s
    assert "further rows in [results.csv]" in page and len(page) < 100_000
    assert peak < 1e9
