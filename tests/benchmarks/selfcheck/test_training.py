"""The self-check of training: its bars can be met and missed, and the page says which."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.selfcheck.training import finetuning, loop, processes
from benchmarks.selfcheck.training.page import BENCHMARK, SECTIONS, bars
from tests.benchmarks.selfcheck.test_reading import cases as read


def both(two: float, loop_s: float) -> dict[str, dict[str, Any]]:
    """Cases of two processes that take `two` as long an image as one, and of a loop beside bare steps of 100 ms."""
    cases: dict[str, dict[str, Any]] = {"processes": {"seconds": {"1": [1.0] * 10, "2": [two] * 10}}}
    for model in loop.MODELS:
        cases[f"loop {model}"] = {"model": model, "seconds": {"loop": [loop_s] * 10, "bare": [0.1] * 10}}
    return cases


@pytest.mark.parametrize(("two", "met"), [(0.55, True), (0.6, False)])
def test_the_second_process_has_to_pay(two: float, met: bool) -> None:
    assert [bar.met for bar in processes.bars(both(two, 0.1))] == [met, None]


@pytest.mark.parametrize(("second", "met"), [([71.0, 72.0, 75.0], True), ([71.0, 72.0, 69.0], False)])
def test_the_second_process_may_not_change_what_is_learnt(second: list[float], met: bool) -> None:
    top1 = {"1": [71.0, 72.0, 73.0], "2": second}
    case = {"processes learning": {"model": "mobilenet_v1", "step": 20, "seeds": [0, 1, 2], "top1": top1}}
    assert [bar.met for bar in processes.bars(case)] == [None, met]
    assert "| 2 | 10 | " in "".join(processes.sections(case))


@pytest.mark.parametrize(("seconds", "met"), [(0.102, True), (0.105, False)])
def test_the_loop_may_not_cost_much(seconds: float, met: bool) -> None:
    assert [bar.met for bar in loop.bars(both(0.5, seconds))] == [met, met]


def tuned(top1: float, seconds: float, scratch: float) -> dict[str, dict[str, Any]]:
    """Cases of fine-tuning and of the same from scratch."""
    return {
        f"finetuning {name}": {
            "recipe": name, "epochs": 2, "images": 1500, "top1": right, "low": right - 2, "high": right + 2,
            "seconds": seconds, "curve": [50.0, right],
        }
        for name, right in (("finetune", top1), ("scratch", scratch))
    }  # fmt: skip


@pytest.mark.parametrize(
    ("top1", "seconds", "scratch", "met"),
    [(77.0, 300, 62.0, [True, True, True]), (76.9, 301, 62.0, [False, False, False])],
)
def test_fine_tuning_has_to_reach_something_in_time(
    top1: float, seconds: float, scratch: float, met: list[bool]
) -> None:
    cases = tuned(top1, seconds, scratch)
    assert [bar.met for bar in finetuning.bars(cases)] == met
    assert f"| finetune | 2 | {top1} ({top1 - 2:.1f} to {top1 + 2:.1f}) |" in "".join(finetuning.sections(cases))


def test_nothing_measured() -> None:
    assert all(bar.met is None for bar in bars({}))


def test_the_page_has_every_section() -> None:
    cases = both(0.5, 0.101) | tuned(80, 200, 50) | read()
    text = "".join(BENCHMARK.page.sections(cases, ""))
    assert "| 2 | 2.0 | 10 |" in text
    assert "| resnet18 | 101.0 | 100.0 | 1.0 (1.0 to 1.0) |" in text
    assert text.count("## ") == len(SECTIONS)
