"""Batch normalization over the images of all processes, while they train together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from zoo.lazy import nn, torch

if TYPE_CHECKING:
    from zoo.classifier import Classifier

__all__ = ["synchronized"]


@contextmanager
def synchronized(model: Classifier) -> Iterator[None]:
    """Within the block norms take the statistics of all processes' images; behind it they are what they were."""
    nn.SyncBatchNorm.convert_sync_batchnorm(model)
    try:
        yield
    finally:
        for parent in list(model.modules()):
            for name, layer in parent.named_children():
                if isinstance(layer, nn.SyncBatchNorm):
                    setattr(parent, name, _alone(layer))


def _alone(layer: nn.SyncBatchNorm) -> nn.BatchNorm2d:
    """The same norm, its parameters and statistics the very tensors."""
    with torch.device("meta"):
        norm = nn.BatchNorm2d(
            layer.num_features, layer.eps, layer.momentum, layer.affine, layer.track_running_stats
        )  # fmt: skip
    norm.weight, norm.bias = layer.weight, layer.bias
    norm.running_mean, norm.running_var = layer.running_mean, layer.running_var
    norm.num_batches_tracked = layer.num_batches_tracked
    return norm.train(layer.training)
