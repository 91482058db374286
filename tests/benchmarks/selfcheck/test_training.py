"""The self-check of training: its bars can be met and missed, and the page says which."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.selfcheck.training import loop, processes
from benchmarks.selfcheck.training.page import BENCHMARK, SECTIONS, bars


def both(two: float, loop_s: float) -> dict[str, dict[str, Any]]:
    """Cases of two processes that take `two` as long an image as one, and of a loop beside bare steps of 100 ms."""
    cases: dict[str, dict[str, Any]] = {"processes": {"seconds": {"1": [1.0] * 10, "2": [two] * 10}}}
    for model in loop.MODELS:
        cases[f"loop {model}"] = {"model": model, "seconds": {"loop": [loop_s] * 10, "bare": [0.1] * 10}}
    return cases


@pytest.mark.parametrize(("two", "met"), [(0.55, True), (0.6, False)])
def test_the_second_process_has_to_pay(two: float, met: bool) -> None:
    assert [bar.met for bar in processes.bars(both(two, 0.1))] == [met]


@pytest.mark.parametrize(("seconds", "met"), [(0.102, True), (0.105, False)])
def test_the_loop_may_not_cost_much(seconds: float, met: bool) -> None:
    assert [bar.met for bar in loop.bars(both(0.5, seconds))] == [met, met]


def test_nothing_measured() -> None:
    assert all(bar.met is None for bar in bars({}))


def test_the_page_has_every_section() -> None:
    cases = both(0.5, 0.101)
    text = "".join(BENCHMARK.page.sections(cases, ""))
    assert "| 2 | 2.0 | 10 |" in text
    assert "| resnet18 | 101.0 | 100.0 | 1.0 (1.0 to 1.0) |" in text
    assert text.count("\n\n|") >= len(SECTIONS)
