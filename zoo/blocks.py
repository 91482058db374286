"""The few building blocks from which every network of the zoo is put together.

A model file composes these and PyTorch's own layers; every `forward` in the zoo is in this file or in
`zoo/classifier.py`. All take and return images of shape (N, channels, height, width).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = [
    "Concat",
    "GlobalAveragePool",
    "MaxPool2d",
    "OneSidedConv2d",
    "Repeat",
    "Residual",
    "ZeroPadShortcut",
    "classifier_head",
    "conv_norm_act",
    "conv_relu",
    "named",
    "padding_rule",
    "relu",
    "set_padding_rule",
]

Activation = Callable[[], nn.Module]


def relu() -> nn.Module:
    """ReLU that overwrites its input: right after a convolution or a norm nothing else reads that tensor."""
    return nn.ReLU(inplace=True)


def named(**layers: nn.Module) -> nn.Sequential:
    """A `Sequential` whose children carry the names of the paper's rows."""
    sequence = nn.Sequential()
    for name, layer in layers.items():
        sequence.add_module(name, layer)
    return sequence


class OneSidedConv2d(nn.Conv2d):
    """Convolution with the zero padding of the framework its weights were trained in.

    The padding belongs to the weights, not to the network: networks are built with PyTorch's own layer, and
    `set_padding_rule` puts this one in its place. Its filters must be at least as large as its stride.

    * `symmetric`: the same on both sides, as PyTorch and Caffe pad.
    * `same`: TensorFlow's 'same'; a stride of 2 over an even size pads only the far side.
    * `far`: only the far side whatever the size, as Keras pads MobileNet's strided depthwise layers.

    With 3x3 filters and stride 2 all three give outputs of the same size for even inputs, shifted by one pixel.
    """

    padding_rule: str

    def forward(self, images: Tensor) -> Tensor:
        top, bottom = self.zeros(images.shape[2], self.kernel_size[0], self.stride[0])
        left, right = self.zeros(images.shape[3], self.kernel_size[1], self.stride[1])
        padded = F.pad(images, [left, right, top, bottom])
        return F.conv2d(padded, self.weight, self.bias, self.stride, [0, 0], self.dilation, self.groups)

    def zeros(self, size: int, kernel: int, stride: int) -> tuple[int, int]:
        """Zeros before and after one axis."""
        if self.padding_rule == "far":
            return 0, kernel - stride
        total = kernel - stride + (stride - size % stride) % stride
        return total // 2, total - total // 2


def padding_rule(layer: nn.Module) -> str:
    """The rule of `OneSidedConv2d` by which a layer pads."""
    return str(getattr(layer, "padding_rule", "symmetric"))


def set_padding_rule(layer: nn.Module, rule: str) -> None:
    """Gives a convolution or a `MaxPool2d` another rule; the layer keeps its place, its tensors and its hooks."""
    if padding_rule(layer) == rule:
        return
    if isinstance(layer, nn.Conv2d):
        layer.__class__ = nn.Conv2d if rule == "symmetric" else OneSidedConv2d
    layer.padding_rule = rule  # type: ignore[assignment]


class MaxPool2d(nn.Module):
    """3x3 max pooling of stride 2 to ceil(size / 2), with PyTorch's or TensorFlow's alignment of the windows.

    `padding_rule` is as in `OneSidedConv2d`: `symmetric` pads one pixel on both sides, `same` only where the size is
    odd.
    """

    def __init__(self) -> None:
        super().__init__()
        self.padding_rule = "symmetric"

    def forward(self, images: Tensor) -> Tensor:
        if self.padding_rule == "symmetric":
            return F.max_pool2d(images, 3, 2, 1)
        return F.max_pool2d(images, 3, 2, [images.shape[2] % 2, images.shape[3] % 2], ceil_mode=True)


def conv_relu(
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    *,
    stride: int = 1,
    padding: int | None = None,
    groups: int = 1,
) -> nn.Sequential:
    """Convolution with bias and ReLU, the layer of the networks before batch normalization."""
    padding = kernel_size // 2 if padding is None else padding
    return named(conv=nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, groups=groups), relu=relu())


def conv_norm_act(
    in_channels: int,
    out_channels: int,
    kernel_size: int | tuple[int, int],
    *,
    stride: int = 1,
    padding: int | tuple[int, int] | None = None,
    groups: int = 1,
    bias: bool = False,
    eps: float = 1e-5,
    activation: Activation | None = relu,
) -> nn.Sequential:
    """Convolution, batch normalization, activation; `activation=None` leaves the last one out.

    Args:
        padding: zeros on every side; None keeps the size at stride 1.
        bias: a convolution bias, which the norm makes redundant; only torchvision's VGG keeps it.
        eps: added to the variance in the batch norm.
    """
    if padding is None:
        kernel = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
        padding = (kernel[0] // 2, kernel[1] // 2)
    layers: dict[str, nn.Module] = {
        "conv": nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, groups=groups, bias=bias),
        "norm": nn.BatchNorm2d(out_channels, eps=eps),
    }
    if activation is not None:
        layers["act"] = activation()
    return named(**layers)


class Residual(nn.Module):
    """`act(body(x) + shortcut(x))`: the shortcut addition of ResNet and Xception.

    Args:
        body: the layers around which the shortcut goes.
        shortcut: identity, projection or padding; None leaves the shortcut out (the paper's plain networks).
        act: what follows the addition; None for pre-activation blocks.
    """

    def __init__(self, body: nn.Module, shortcut: nn.Module | None, act: nn.Module | None = None) -> None:
        super().__init__()
        self.body = body
        self.shortcut = shortcut
        self.act = act

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.body(images)
        if self.shortcut is not None:
            features += self.shortcut(images)
        if self.act is not None:
            features = self.act(features)
        return features


class ZeroPadShortcut(nn.Module):
    """ResNet's option A: subsample the input and fill the new channels with zeros; no parameters."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.extra_channels = out_channels - in_channels
        self.stride = stride

    def forward(self, images: Tensor) -> Tensor:
        return F.pad(images[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.extra_channels))


class Concat(nn.Module):
    """Runs its branches side by side on one input and stacks their channels: the Inception module's filter concat."""

    def __init__(self, **branches: nn.Module) -> None:
        super().__init__()
        for name, branch in branches.items():
            self.add_module(name, branch)

    def forward(self, images: Tensor) -> Tensor:
        maps = []
        for branch in self.children():  # TorchScript knows no comprehension over modules
            maps.append(branch(images))
        return torch.cat(maps, dim=1)


class Repeat(nn.Module):
    """One block applied several times with the same weights."""

    def __init__(self, block: nn.Module, times: int) -> None:
        super().__init__()
        self.block = block
        self.times = times

    def forward(self, images: Tensor) -> Tensor:
        for _ in range(self.times):
            images = self.block(images)
        return images


class GlobalAveragePool(nn.Module):
    """Mean over height and width: (N, channels, height, width) to (N, channels)."""

    def forward(self, images: Tensor) -> Tensor:
        return images.mean(dim=(2, 3), keepdim=True).flatten(1)  # quantized maps can only be averaged with `keepdim`


def classifier_head(kind: str, in_channels: int, num_classes: int, *, dropout: float = 0.0) -> nn.Sequential:
    """The heads without hidden layers, for the fully-connected against 1x1-convolution comparison.

    * `global_pool`: average over space, then one linear layer (GoogLeNet, ResNet, Xception).
    * `conv1x1`: a 1x1 convolution to one map a class, then the average over space (Network in Network).

    Both hold `in_channels * num_classes` weights and give the same function when the weights are the same.
    """
    if kind == "conv1x1":
        return named(dropout=nn.Dropout(dropout), fc=nn.Conv2d(in_channels, num_classes, 1), pool=GlobalAveragePool())
    return named(pool=GlobalAveragePool(), dropout=nn.Dropout(dropout), fc=nn.Linear(in_channels, num_classes))
