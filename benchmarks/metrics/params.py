"""Learnable parameters, and the bytes they occupy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.metrics.metric import Column, Metric
from benchmarks.records.record import INTEGERS, Measurement

if TYPE_CHECKING:
    from torch import Tensor

    from benchmarks.metrics.subject import Subject

__all__ = ["METRIC"]


def measure(subject: Subject) -> tuple[Measurement, ...]:
    """Counts of the network as `zoo.create` builds it, for 1000 classes."""
    parameters = list(subject.structure.parameters())
    trainable = sum(tensor.numel() for tensor in parameters if tensor.requires_grad)
    precision = subject.case.precision
    integers = precision == INTEGERS
    buffers = sum(_bytes(tensor, precision) for tensor in subject.structure.buffers())
    occupied = [_bytes(tensor, precision) for tensor in parameters]
    statistics = "running statistics of batch normalization"
    return (
        Measurement(name="param_count", value=sum(tensor.numel() for tensor in parameters), unit="count"),
        Measurement(name="trainable_count", value=trainable, unit="count"),
        Measurement(
            name="weights_bytes",
            value=sum(occupied),
            unit="B",
            method="weights of convolutions and linear layers a byte each, all else 4" if integers else "",
        ),
        Measurement(name="buffers_bytes", value=buffers, unit="B", method=statistics),
    )


def _bytes(tensor: Tensor, precision: str) -> int:
    """What a tensor occupies, whatever type it is counted in; of integers only weights are."""
    from benchmarks.metrics.subject import PRECISIONS

    if not tensor.is_floating_point():
        return tensor.nbytes
    if precision == INTEGERS:
        return tensor.numel() * (1 if tensor.dim() > 1 else 4)
    return tensor.numel() * PRECISIONS[precision].itemsize


METRIC = Metric(
    name="params",
    title="parameters",
    also=("parameters", "size", "weights"),
    depends_on=("precision",),
    columns=(
        Column(
            name="param_count",
            measurement="param_count",
            whole=True,
            better="low",
            title="Parameters, M",
            shown=1e-6,
            digits=-2,
            published="params",
            published_column="published_params",
            published_title="published, M",
        ),
        Column(name="weights_mb", measurement="weights_bytes", factor=1e-6),
    ),
    measure=measure,
    shares_process=True,
)
