"""How weights start: one function a published scheme, each with its source.

Every function fills all weights of a module in place: convolutions, linear layers and batch norms.
"""

from __future__ import annotations

from collections.abc import Callable

from zoo.lazy import nn, torch

__all__ = ["gaussian", "glorot_uniform", "he_fan_out", "pytorch_default", "truncated_normal", "xavier_caffe"]


def pytorch_default(module: nn.Module) -> None:
    """Each layer's own `reset_parameters`: what torchvision's AlexNet is trained from."""
    for layer in module.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear, nn.BatchNorm2d)):
            layer.reset_parameters()


def he_fan_out(module: nn.Module, *, linear_std: float | None = None) -> None:
    """He et al.'s normal initialisation over the fan-out (arXiv:1502.01852, Eq. 14), as torchvision's ResNet and VGG.

    Args:
        linear_std: standard deviation of linear layers, biases 0 (torchvision's VGG: 0.01); None leaves PyTorch's own.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Linear) and linear_std is None:
            layer.reset_parameters()
        elif isinstance(layer, nn.Linear):
            _fill(layer, lambda weight: nn.init.normal_(weight, 0.0, linear_std or 0.0))
        elif isinstance(layer, nn.Conv2d):
            _fill(layer, lambda weight: nn.init.kaiming_normal_(weight, mode="fan_out", nonlinearity="relu"))
        elif isinstance(layer, nn.BatchNorm2d):
            layer.reset_parameters()


def gaussian(module: nn.Module, *, std: float, bias: float = 0.0) -> None:
    """Normal weights of one standard deviation and constant biases."""
    _fill_all(module, lambda weight: nn.init.normal_(weight, 0.0, std), bias)


def truncated_normal(module: nn.Module, *, std: float) -> None:
    """Normal weights cut at two standard deviations, biases 0: TensorFlow's and TF-Slim's `truncated_normal`."""
    _fill_all(module, lambda weight: nn.init.trunc_normal_(weight, 0.0, std, -2 * std, 2 * std))


def glorot_uniform(module: nn.Module) -> None:
    """Glorot and Bengio's uniform initialisation (AISTATS 2010, Eq. 16), biases 0: the default of Keras layers."""
    _fill_all(module, nn.init.xavier_uniform_)


def xavier_caffe(module: nn.Module, *, bias: float = 0.0) -> None:
    """Caffe's `xavier` filler: uniform in +-sqrt(3 / fan_in); BVLC's GoogLeNet starts its biases at 0.2."""
    _fill_all(module, lambda weight: nn.init.kaiming_uniform_(weight, nonlinearity="linear"), bias)


def _fill_all(module: nn.Module, fill: Callable[[torch.Tensor], object], bias: float = 0.0) -> None:
    for layer in module.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            _fill(layer, fill, bias)
        elif isinstance(layer, nn.BatchNorm2d):
            layer.reset_parameters()


def _fill(layer: nn.Conv2d | nn.Linear, fill: Callable[[torch.Tensor], object], bias: float = 0.0) -> None:
    fill(layer.weight)
    if layer.bias is not None:
        nn.init.constant_(layer.bias, bias)
