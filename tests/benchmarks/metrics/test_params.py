"""What the weights of a network occupy, in numbers of each width."""

from __future__ import annotations

import pytest

from benchmarks.metrics.params import METRIC
from benchmarks.metrics.subject import Subject
from benchmarks.records.record import Case

# of ResNet-18: weights of convolutions and the linear layer, and the norms' and the linear layer's vectors
WEIGHTS, VECTORS = 11_678_912, 10_600
STATISTICS = 4 * 2 * 4_800 + 8 * 20  # a mean and a variance a channel of its 20 norms, and how often they were taken


@pytest.mark.parametrize(
    ("precision", "weight", "other"), [("fp32", 4, 4), ("fp16", 2, 2), ("bf16", 2, 2), ("int8", 1, 4)]
)
def test_bytes_follow_from_the_precision(precision: str, weight: int, other: int) -> None:
    assert METRIC.measure is not None
    case = Case(metric="params", model="resnet18", precision=precision)
    found = {each.name: each for each in METRIC.measure(Subject(case))}
    assert found["param_count"].value == found["trainable_count"].value == WEIGHTS + VECTORS
    assert found["weights_bytes"].value == WEIGHTS * weight + VECTORS * other
    assert bool(found["weights_bytes"].method) == (precision == "int8")
    if precision == "fp32":
        assert found["buffers_bytes"].value == STATISTICS
