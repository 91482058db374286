"""A run with a hundred thousand records has a page, too."""

from __future__ import annotations

import random
import resource
import time
from pathlib import Path

import pytest

from benchmarks.records.record import Measurement, Record
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


def written(models: int, folder: Path) -> tuple[str, float]:
    """The page of their records, and the processor's seconds that it took."""
    records = many(models)
    folder.mkdir()
    started = time.process_time()
    page = page_of(records, folder)
    return page, time.process_time() - started


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_a_hundred_thousand_records(tmp_path: Path) -> None:
    """And it is written in a time that grows about as they do: five times as many take hardly ten times as long."""
    _, few_s = written(5_000, tmp_path / "few")
    page, many_s = written(25_000, tmp_path / "many")
    assert many_s < 10 * few_s
    assert "further rows in [results.csv]" in page and len(page) < 100_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 1_000_000  # kB
