"""The self-check of a GPU: its bars can be met and missed, and its page says what ran, what did not, and how fast."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from benchmarks.selfcheck.gpu import inference, learning
from benchmarks.selfcheck.gpu.page import BENCHMARK, bars
from benchmarks.selfcheck.speed.references import MODELS

NAMES = list(learning.MODELS)


def condition(precision: str, batch: int, **changes: Any) -> dict[str, Any]:
    """The library in 4 ms, the plain network in the same, a recorded graph in 1 and the card's product in 2."""
    seconds = {"reference": 4e-3, "eager": 4e-3, "channels_last": 3e-3, "cuda_graphs": 1e-3, "gemm": 2e-3}
    seconds |= changes.get("seconds", {})
    return {
        "model": "resnet50", "precision": precision, "batch": batch,
        "agreement": {**dict.fromkeys(seconds, 1e-3), **changes.get("agreement", {})},
        "refused": {"compiled": "resnet50 cannot run on compiled: no compiler"},
        "seconds": {way: [each] * 8 for way, each in seconds.items()},
    }  # fmt: skip


def cases(*, faster: float = 2.0, right: int = 1200, **changes: Any) -> dict[str, Any]:
    """One network at two conditions, and both trainings: the reference 100 images a second, 1,200 of 1,500 right."""
    found: dict[str, Any] = {
        "inference resnet50": {
            "model": "resnet50", "card": "a card", "img_size": 224, "mult_adds": 4_000_000_000,
            "conditions": [condition("fp32", 1), condition("fp16", 128, **changes)],
        }
    }  # fmt: skip
    run = {"images": 500, "tested": 1500, "correct": 1200, "epoch_s": [9.0, 1.0, 1.0, 1.0, 1.0]}
    ours = {**run, "correct": right, "epoch_s": [9.0, *[1 / faster] * 4]}
    for model, trained in learning.MODELS.items():
        runs = {"zoo": [ours] * 3, "torchvision": [run] * 3}
        found[learning.key(model)] = {"model": model, "trained": trained, "workers": 7, "runs": runs}
    return found


def test_all_is_met() -> None:
    found = bars(cases())
    assert len(found) == 5 and all(bar.met for bar in found)


@pytest.mark.parametrize(
    ("changes", "missed"),
    [
        ({"agreement": {"cuda_graphs": 0.03}}, "logits"), ({"agreement": {"cuda_graphs": math.inf}}, "logits"),
        ({"agreement": {"eager": math.nan}}, "logits"), ({"seconds": {"eager": 5e-3}}, "no slower"),
        ({"faster": 0.99}, "as many images"), ({"right": 1184}, "final accuracy"),
    ],
)  # fmt: skip
def test_each_can_be_missed(changes: dict[str, Any], missed: str) -> None:
    failed = [bar.text for bar in bars(cases(**changes)) if not bar.met]
    assert failed and all(missed in text for text in failed)


def test_nothing_measured() -> None:
    assert all(bar.met is None for bar in bars({}))


def test_the_page_says_how_fast_and_how_far_from_the_limit() -> None:
    text = "\n".join(BENCHMARK.page.sections(cases(), ""))
    whole = " (1.00 to 1.00) | 4.00 (4.00 to 4.00) |"
    assert f"| resnet50 | fp16 | 128 | torchvision | 4.00 | 4.00 | 3.00 |  | **1.00** | 1.00{whole}" in text
    assert "compiled: resnet50 cannot run on compiled: no compiler" in text
    product = inference.GEMM**3 / 2e-3
    assert f"up to {2e-12 * product:,.0f} TFLOP/s at fp32" in text
    share = 100 * 128 * 4e9 / 1e-3 / product
    assert f"| resnet50 | fp16 | 128 | {share / 4:.1f} | {share:.1f} | cuda_graphs | 128,000 |" in text
    assert f"| {NAMES[0]} | from trained weights | **200** | 100 | 2.00 | 9.0 | 9.0 | 80.0 | 80.0 | 7 |" in text


def test_every_bar_has_its_task() -> None:
    assert {f"inference {name}" for name in MODELS} < BENCHMARK.tasks.keys()
    assert {learning.key(model) for model in NAMES} == BENCHMARK.fed.keys()


@pytest.mark.slow
def test_the_ways_are_timed_on_whatever_device_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("BATCH_SIZES", (1,)), ("PRECISIONS", ("fp32",)), ("RUNTIMES", ("eager", "channels_last")),
                        ("ROUNDS", (2, 2))):  # fmt: skip
        monkeypatch.setattr(inference, name, value)
    found = inference.measure("mobilenet_v1", "cuda" if torch.cuda.is_available() else "cpu")
    (one,) = found["conditions"]
    assert one["seconds"].keys() == {"reference", "eager", "channels_last", "gemm"} and not one["refused"]
    assert all(len(seconds) == 2 and min(seconds) > 0 for seconds in one["seconds"].values())
    assert max(one["agreement"].values()) <= 2e-2 and found["mult_adds"] == 568_740_352
