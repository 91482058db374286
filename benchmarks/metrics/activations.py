"""Activations: elements of all convolution outputs of one image, as fvcore's ActivationCountAnalysis counts them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.metrics.metric import Column, Metric
from benchmarks.metrics.mult_adds import calls_of
from benchmarks.records.record import Measurement
from zoo.lazy import nn

if TYPE_CHECKING:
    from benchmarks.metrics.subject import Subject

__all__ = ["METRIC"]


def measure(subject: Subject) -> tuple[Measurement, ...]:
    """The count over convolutions and linear layers, and over each of the two."""
    found = {"convolutions": 0, "linear": 0}
    for _, layer, _, output in calls_of(subject.structure, subject.example("meta"), nn.Conv2d, nn.Linear):
        found["convolutions" if isinstance(layer, nn.Conv2d) else "linear"] += output.numel()
    return (
        Measurement(
            name="activations",
            value=sum(found.values()),
            unit="count",
            method="elements of the outputs of convolutions and linear layers for one image",
            details=found,
        ),
    )


METRIC = Metric(
    name="activations",
    title="activations",
    also=("acts",),
    depends_on=("img_size",),
    columns=(Column(name="macts", measurement="activations", factor=1e-6),),
    measure=measure,
    shares_process=True,
)
