"""What is measured: a network that answers as its runtime does, or nothing."""

from __future__ import annotations

from collections.abc import Callable

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
