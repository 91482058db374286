"""Activations: elements of all convolution outputs of one image, as fvcore's ActivationCountAnalysis counts them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.metrics.metric import Column, Metric
from benchmarks.records.record import Measurement

if TYPE_CHECKING:
    from torch import Tensor, nn

    from benchmarks.metrics.subject import Subject

__all__ = ["METRIC"]


def measure(subject: Subject) -> tuple[Measurement, ...]:
    """The count over convolutions, and over convolutions and linear layers."""
    convolutions, linear = count(subject.structure, subject.example("meta"))
    return (
        Measurement(
            name="activations",
            value=convolutions + linear,
            unit="count",
            method="elements of the outputs of convolutions and linear layers for one image",
            details={"convolutions": convolutions, "linear": linear},
        ),
    )


def count(model: nn.Module, images: Tensor) -> tuple[int, int]:
    """Elements that convolutions and linear layers put out in a forward pass; works on meta tensors."""
    import torch
    from torch import nn

    found = {"convolutions": 0, "linear": 0}

    def add(layer: nn.Module, _inputs: object, output: Tensor) -> None:
        found["convolutions" if isinstance(layer, nn.Conv2d) else "linear"] += output.numel()

    layers = [layer for layer in model.modules() if isinstance(layer, (nn.Conv2d, nn.Linear))]
    handles = [layer.register_forward_hook(add) for layer in layers]
    try:
        with torch.no_grad():
            model(images)
    finally:
        for handle in handles:
            handle.remove()
    return found["convolutions"], found["linear"]


METRIC = Metric(
    name="activations",
    title="activations",
    depends_on=("img_size",),
    columns=(Column(name="macts", measurement="activations", factor=1e-6),),
    measure=measure,
    shares_process=True,
)
