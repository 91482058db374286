"""Simulated clusters and stores of many records, small enough to be tried at once."""

from __future__ import annotations

import pytest

from benchmarks.selfcheck.scale import counted, page, records, simulated

QUICK, SLOW = ({"place_s": 0.0, "write_s": seconds, "record_bytes": 4800.0} for seconds in (1e-6, 50.0))


def test_a_cluster_whose_driver_keeps_up_is_as_fast_as_can_be() -> None:
    found = simulated.cluster(10, 1_000, QUICK)
    assert found["ideal_s"] <= found["makespan_s"] < 1.1 * found["ideal_s"]
    assert found["driver_busy"] < 0.1 and found["store_bytes"] == 4_800_000


def test_a_driver_that_is_too_slow_sets_the_pace() -> None:
    found = simulated.cluster(1_000, 1_000, SLOW)
    assert found["driver_busy"] > 0.9 and found["makespan_s"] >= 1_000 * 50


def test_a_node_is_found_and_a_record_written() -> None:
    found = simulated.driver(3)
    assert 0 < found["place_s"] < 0.1 and found["write_s"] > 0 and found["record_bytes"] > 1_000


@pytest.mark.slow
def test_a_store_is_made_gone_on_from_and_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "ADDED", 3)
    monkeypatch.setattr(records, "FIRST", 100)
    monkeypatch.setattr(records, "code_of", lambda case: case.metric)
    found = records.store(1_500)
    assert found["open"] == 0 and found["answered"] > 500
    assert found["rows"] > 0 and found["aggregates"] > 20 and found["file_bytes"] > 1e6


def test_the_page_says_where_it_breaks() -> None:
    run = {"makespan_s": 2e4, "ideal_s": 1e4, "driver_busy": 0.99, "most_nodes": 50.0, "store_bytes": 1e9}
    (text, *_) = page._sections({"cluster 1000 10000": run, "cluster 10 1000": run | {"driver_busy": 0.1}}, "")
    assert "from 1,000 nodes and 10,000 cases on" in text and "2.0 times as long" in text


@pytest.mark.parametrize(("wall_s", "met"), [(64.0, [True, True]), (66.0, [False, True]), (81.0, [False, False])])
def test_what_carrying_costs_is_told_apart_from_the_cases(wall_s: float, met: list[bool]) -> None:
    case = {"ready_s": 9.0, "wall_s": wall_s, "own_s": 100.0, "processors": 2}
    found = page.bars({"counted ray": case})[-2:]
    assert [bar.met for bar in found] == met
    assert f"{1e3 * (wall_s - 50) / 1_000:.1f} ms" in found[1].found


@pytest.mark.slow
@pytest.mark.parametrize("executor", counted.EXECUTORS)
def test_cases_are_counted_by_every_executor(monkeypatch: pytest.MonkeyPatch, executor: str) -> None:
    if executor == "ray":
        pytest.importorskip("ray", reason="pip install '.[ray]'")
    monkeypatch.setattr(counted, "CASES", 6)
    found = counted.measure(executor)
    assert found["own_s"] > 0 and found["wall_s"] > 0 and found["processors"] >= 1
