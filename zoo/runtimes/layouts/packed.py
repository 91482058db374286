"""Layers whose weights lie in the order in which oneDNN reads them, packed once instead of at every call.

The operators are those torch.compile uses for frozen weights.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["PackedConv2d", "PackedLinear"]


def _packable(layer: nn.Conv2d | nn.Linear) -> bool:
    operators = ("_linear_pointwise", "_convolution_pointwise", "_reorder_linear_weight")
    return (
        type(layer.weight) is nn.Parameter  # not a tensor with arithmetic of its own
        and layer.weight.dtype == torch.float32
        and layer.weight.device.type == "cpu"
        and torch.backends.mkldnn.is_available()
        and all(hasattr(torch.ops.mkldnn, name) for name in operators)
    )


class PackedConv2d(nn.Module):
    """The same function as a convolution, with the ReLU after it, for images of one shape; for running only.

    Args:
        conv: a convolution for which `suits` is true.
        shape: (N, channels, height, width) of the images, which are channels last.
        relu: whether a ReLU follows.
    """

    def __init__(self, conv: nn.Conv2d, shape: torch.Size, *, relu: bool = False) -> None:
        super().__init__()
        self.settings = (conv.padding, conv.stride, conv.dilation, conv.groups)
        self.weight = torch.ops.mkldnn._reorder_convolution_weight(conv.weight.detach(), *self.settings, list(shape))
        self.bias = None if conv.bias is None else conv.bias.detach()
        self.activation = "relu" if relu else "none"

    @staticmethod
    def suits(conv: nn.Module) -> bool:
        """Whether a layer is a convolution, of no class derived from it, that can be packed here."""
        return (
            type(conv) is nn.Conv2d
            and conv.padding_mode == "zeros"
            and not isinstance(conv.padding, str)
            and _packable(conv)
        )

    def forward(self, images: Tensor) -> Tensor:
        output: Tensor = torch.ops.mkldnn._convolution_pointwise(
            images, self.weight, self.bias, *self.settings, self.activation, [], ""
        )
        return output


class PackedLinear(nn.Module):
    """The same function as a linear layer, for one batch size; for running only.

    With few images a linear layer takes as long as its weights take to be read, which the packed order does at the
    full rate of the memory.

    Args:
        linear: a layer for which `suits` is true.
        batch_size: images a call.
        relu: whether a ReLU follows.
    """

    def __init__(self, linear: nn.Linear, batch_size: int, *, relu: bool = False) -> None:
        super().__init__()
        self.weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach(), batch_size)
        self.bias = None if linear.bias is None else linear.bias.detach()
        self.activation = "relu" if relu else "none"

    @staticmethod
    def suits(linear: nn.Module) -> bool:
        """Whether a layer is a linear one, of no class derived from it, that can be packed here."""
        return type(linear) is nn.Linear and _packable(linear)

    def forward(self, inputs: Tensor) -> Tensor:
        output: Tensor = torch.ops.mkldnn._linear_pointwise(inputs, self.weight, self.bias, self.activation, [], "")
        return output
