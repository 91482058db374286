"""A run with a hundred thousand records has a page, too."""

from __future__ import annotations

import random
import resource
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from benchmarks.records.record import Measurement, Record
from tests.benchmarks.report.made import accuracy, latency, page_of, record


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_a_hundred_thousand_records(tmp_path: Path) -> None:
    noise = random.Random(0)

    def many() -> Iterable[Record]:
        for place in range(25_000):
            name = f"mobilenet_v1:width={0.1 + place * 1e-5:.5f}"
            yield record("params", name, Measurement(name="param_count", value=4e6, unit="count"))
            yield record("mult_adds", name, Measurement(name="mult_adds", value=5e8 + place, unit="count"))
            yield latency(name, noise.uniform(0.01, 0.1), run=str(place // 30))
            yield accuracy(name, noise.uniform(0.5, 0.9))

    records = list(many())
    started = time.process_time()
    page = page_of(records, tmp_path)
    assert time.process_time() - started < 20
    assert "further rows in [results.csv]" in page and len(page) < 100_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 1_000_000  # kB
