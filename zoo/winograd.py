"""3x3 convolutions with a quarter of the multiplications: Winograd's minimal filtering F(4x4, 3x3).

Source: Lavin, Gray, "Fast Algorithms for Convolutional Neural Networks", arXiv:1509.09308, Sec. 4. Input and filters
are transformed so that each 4x4 tile of the output takes 36 multiplications a pair of channels instead of 144; what
remains are 36 matrix products, at which a CPU is best. Exact up to rounding: about 1e-5 of the largest value.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["Scratch", "WinogradConv2d"]

OUT, TILE = 4, 6  # sides of a tile of the output and of the input that it depends on

# B^T, G and A^T of Lavin and Gray, Sec. 4.3
INPUT = (
    (4, 0, -5, 0, 1, 0), (0, -4, -4, 1, 1, 0), (0, 4, -4, -1, 1, 0),
    (0, -2, -1, 2, 1, 0), (0, 2, -1, -2, 1, 0), (0, 4, 0, -5, 0, 1),
)  # fmt: skip
FILTER = (
    (1 / 4, 0, 0), (-1 / 6, -1 / 6, -1 / 6), (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6), (1 / 24, -1 / 12, 1 / 6), (0, 0, 1),
)  # fmt: skip
OUTPUT = ((1, 1, 1, 1, 1, 0), (0, 1, -1, 2, -2, 0), (0, 1, 1, 4, 4, 0), (0, 1, -1, 8, -8, 1))


class Scratch:
    """Memory for intermediate results that all layers of a network use in turn; fresh memory costs page faults."""

    def __init__(self) -> None:
        self._blocks: dict[str, Tensor] = {}

    def take(self, name: str, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """An uninitialised tensor, valid until the next `take` of that name."""
        count = torch.Size(shape).numel()
        block = self._blocks.get(name)
        if block is None or block.numel() < count or block.dtype != like.dtype:
            self._blocks[name] = block = like.new_empty(count)
        return block[:count].view(shape)


class WinogradConv2d(nn.Module):
    """The same function as a 3x3 convolution of stride 1 and padding 1; for running only.

    Args:
        conv: a convolution for which `suits` is true.
        scratch: shared by the layers of one network, which therefore runs one call at a time.
    """

    def __init__(self, conv: nn.Conv2d, scratch: Scratch) -> None:
        super().__init__()
        weight = conv.weight.detach()
        transform = weight.new_tensor(FILTER, dtype=torch.float64)
        filters = torch.einsum("ia,ocab,jb->ijco", transform, weight.double(), transform)
        self.filters = filters.to(weight.dtype).reshape(TILE * TILE, conv.in_channels, conv.out_channels).contiguous()
        self.bias = weight.new_zeros(conv.out_channels) if conv.bias is None else conv.bias.detach()
        self.input_transform = torch.kron(*[weight.new_tensor(INPUT)] * 2)
        self.output_transform = torch.kron(*[weight.new_tensor(OUTPUT)] * 2)
        self.scratch = scratch

    @staticmethod
    def suits(conv: nn.Module) -> bool:
        """Whether a layer is a convolution this form can express, with channels enough for it to pay."""
        return (
            isinstance(conv, nn.Conv2d)
            and (conv.kernel_size, conv.stride, conv.dilation, conv.groups) == ((3, 3), (1, 1), (1, 1), 1)
            and conv.padding == (1, 1)
            and conv.padding_mode == "zeros"
            and getattr(conv, "padding_rule", "symmetric") == "symmetric"
            and min(conv.in_channels, conv.out_channels) >= 32
        )

    def forward(self, images: Tensor) -> Tensor:
        count, channels, height, width = images.shape
        rows, columns = -(-height // OUT), -(-width // OUT)
        tiles, out_channels = count * rows * columns, self.filters.shape[2]
        take = self.scratch.take

        # (36, tiles * channels): position in the tile first, overlapping tiles copied apart
        padded = F.pad(images, (1, OUT * columns + 1 - width, 1, OUT * rows + 1 - height)).permute(0, 2, 3, 1)
        parts = take("parts", (TILE, TILE, count, rows, columns, channels), images)
        parts.copy_(padded.as_strided(parts.shape, _tiled(padded, stride=OUT)))
        inputs = take("inputs", (TILE * TILE, tiles * channels), images)
        torch.mm(self.input_transform, parts.view(TILE * TILE, -1), out=inputs)

        products = take("parts", (TILE * TILE, tiles, out_channels), images)
        torch.bmm(inputs.view(TILE * TILE, tiles, channels), self.filters, out=products)

        outputs = take("inputs", (OUT * OUT, tiles * out_channels), images)
        torch.mm(self.output_transform, products.view(TILE * TILE, -1), out=outputs)
        result = images.new_empty(count, OUT * rows, OUT * columns, out_channels)
        tiled = result.as_strided((OUT, OUT, count, rows, columns, out_channels), _tiled(result, stride=OUT))
        torch.add(outputs.view(tiled.shape), self.bias, out=tiled)
        return result[:, :height, :width].permute(0, 3, 1, 2)


def _tiled(images: Tensor, *, stride: int) -> tuple[int, ...]:
    """Strides that show (N, height, width, channels) as (row, column in a tile, N, row, column of tiles, channels)."""
    image, row, column, channel = images.stride()
    return (row, column, image, stride * row, stride * column, channel)
