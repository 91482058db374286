"""Time by row of the paper's table, with a clock that only the rows move."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from benchmarks.metrics import layers
from benchmarks.metrics.mult_adds import by_flop_counter
from benchmarks.metrics.subject import Subject
from benchmarks.records.record import Case
from zoo import turns

WHOLE = 40.0  # seconds of a forward pass without timers


@pytest.fixture
def subject(monkeypatch: pytest.MonkeyPatch) -> Subject:
    """A small network whose n-th row takes n tenths of a second."""
    now = 0.0

    def move(seconds: float) -> None:
        nonlocal now
        now += seconds

    clock = SimpleNamespace(perf_counter=lambda: now, perf_counter_ns=lambda: round(1e9 * now), monotonic=lambda: now)
    monkeypatch.setattr(turns, "time", clock)
    monkeypatch.setattr(layers, "time", clock)
    monkeypatch.setattr(layers, "keep_freed_memory", lambda: True)
    made = Subject(Case(metric="layers", model="mobilenet_v1:width=0.25", img_size=32, num_threads=1))
    network = made.random_network
    for place, row in enumerate([*network.features, network.head], start=1):
        row.register_forward_hook(lambda *_, seconds=place / 10: move(seconds))
    made.__dict__["call"] = lambda: move(WHOLE)
    return made


def test_rows_are_timed_one_by_one_and_their_gap_to_the_whole_is_said(subject: Subject) -> None:
    measurements = layers.measure(subject)
    rows = [each for each in measurements if each.name.startswith("row:")]
    expected = [place / 10 for place in range(1, len(rows) + 1)]
    assert [each.name for each in rows][-1] == "row:head"
    assert [each.value for each in rows] == pytest.approx(expected)
    assert [each.details["place"] for each in rows] == list(range(len(rows)))
    assert all(len(each.samples) >= layers.AT_LEAST for each in rows)
    found = {each.name: each.value for each in measurements}
    assert found["whole_s"] == pytest.approx(WHOLE)
    assert found["rows_sum_s"] == pytest.approx(sum(expected))
    assert found["rows_gap"] == pytest.approx((WHOLE - sum(expected)) / WHOLE)
    assert sum(each.details["params"] for each in rows) == 470_072
    assert sum(each.details["mult_adds"] for each in rows) == by_flop_counter(
        subject.structure, subject.example("meta")
    )
    assert rows[0].details["output"] == [8, 16, 16] and rows[-1].details["output"] == [1000]


def test_a_row_is_over_when_the_device_has_done_it(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[None] = []
    kept: list[None] = []
    monkeypatch.setattr(layers, "keep_freed_memory", lambda: kept.append(None))
    subject.__dict__["synchronize"] = lambda: waited.append(None)
    rows = [each for each in layers.measure(subject) if each.name.startswith("row:")]
    assert len(waited) == sum(len(each.samples) for each in rows) > 0 and len(kept) == 1
