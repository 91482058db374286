"""What is measured: a network that answers as its runtime does, or nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from benchmarks.metrics import subject
from benchmarks.metrics.subject import RuntimeDisagrees, Subject
from benchmarks.records.record import Case

CASE = Case(metric="latency", model="mobilenet_v1:width=0.25", runtime="packed", img_size=32, num_threads=1)


@pytest.mark.parametrize(
    ("change", "right"),
    [
        (lambda logits: logits, True),
        (lambda logits: logits * (1 + 1e-5), True),
        (lambda logits: logits * 1.01, False),
        (lambda logits: logits.roll(1, 1), False),
        (lambda logits: logits * float("nan"), False),
    ],
)
def test_a_runtime_with_other_answers_is_not_timed(
    change: Callable[[torch.Tensor], torch.Tensor], right: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def open_runtime(model: torch.nn.Module, images: torch.Tensor, runtime: str) -> Callable[..., torch.Tensor]:
        assert runtime == CASE.runtime
        return lambda batch: change(model(batch).detach())

    monkeypatch.setattr(subject.zoo, "open_runtime", open_runtime)
    asked = Subject(CASE)
    if right:
        assert asked.call() is not None
    else:
        with pytest.raises(RuntimeDisagrees, match="a wrong answer is not timed"):
            _ = asked.call


def test_a_slowdown_is_as_long_as_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0

    def look() -> float:
        nonlocal now
        now += 0.25
        return now

    monkeypatch.setattr(subject.time, "perf_counter", look)
    assert subject._slowed(lambda: "done", 2.0)() == "done"
    assert now == pytest.approx(0.25 + 0.25 + 2 * 0.25)


def test_images_have_the_size_of_the_case_and_else_the_networks_own() -> None:
    xception = Case(metric="latency", model="xception", num_threads=1)
    assert Subject(xception).img_size == 299 and Subject(CASE).img_size == 32
    assert Subject(CASE).images.shape == Subject(CASE).example("meta").shape == (1, 3, 32, 32)


def test_random_weights_keep_activations_at_their_size() -> None:
    """Weights of variance 2 / fan-in, biases and norms of 1: nothing vanishes and nothing overflows."""
    network = torch.nn.Sequential(torch.nn.Conv2d(8, 64, 3), torch.nn.BatchNorm2d(64), torch.nn.Linear(2048, 1024))
    subject.fill(network.requires_grad_(False))
    convolution, norm, linear = network
    assert float(convolution.weight.square().mean()) == pytest.approx(2 / (8 * 9), rel=0.1)  # type: ignore[operator]
    assert float(linear.weight.square().mean()) == pytest.approx(2 / 2048, rel=0.01)  # type: ignore[operator]
    assert all(bool((vector == 1).all()) for vector in (convolution.bias, norm.weight, norm.bias, linear.bias))
    filled = linear.weight.flatten()  # type: ignore[operator]
    assert torch.equal(filled[: 1 << 20], filled[1 << 20 :])  # one block, again and again


def test_facts_of_a_session_are_json_however_deep() -> None:
    agreement = SimpleNamespace(precision="int8", images=9, source="photos", relative=0.1, top1=0.75, real=True,
                                facts={"layers": {1: ("a", Path("b"))}, "kept": {"c"}, "none": None})  # fmt: skip
    told = subject.facts_of(SimpleNamespace(agreement=agreement))
    assert told["precision"] == "int8" and told["top1"] == 0.75
    assert (told["layers"], told["kept"], told["none"]) == ({"1": ["a", "b"]}, ["c"], None)
