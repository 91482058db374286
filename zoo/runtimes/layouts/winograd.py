"""3x3 convolutions with a quarter of the multiplications: Winograd's minimal filtering F(4x4, 3x3).

Source: Lavin, Gray, "Fast Algorithms for Convolutional Neural Networks", arXiv:1509.09308, Sec. 4. Input and filters
are transformed so that each 4x4 tile of the output takes 36 multiplications a pair of channels instead of 144; what
remains are 36 matrix products, at which a CPU is best: as one 1x1 convolution in 36 groups oneDNN makes them at twice
the rate of `torch.bmm`. The transforms are additions along whole rows of channels, which torch.compile turns into one
loop over memory each. Exact up to rounding: about 1e-5 of the largest value.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.runtimes.layouts.packed import PackedConv2d

__all__ = ["WinogradConv2d"]

OUT, TILE = 4, 6  # sides of a tile of the output and of the input that it depends on
AT_ONCE = 400  # tiles at most that are transformed, multiplied and put together at a time; more leave the caches
SMALLEST = 7  # side of the image from which tiles are filled well enough

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


class WinogradConv2d(nn.Module):
    """The same function as a 3x3 convolution of stride 1 and padding 1, with the ReLU after it; images of one shape.

    Args:
        conv: a convolution for which `suits` is true.
        shape: (N, channels, height, width) of the images.
        relu: whether a ReLU follows.
    """

    def __init__(self, conv: nn.Conv2d, shape: torch.Size, *, relu: bool = False) -> None:
        super().__init__()
        rows, columns = _tiles(shape)
        self.rows = _largest_divisor(rows, AT_ONCE // columns)
        self.count = _largest_divisor(shape[0], AT_ONCE // (rows * columns))
        weight = conv.weight.detach()
        transform = weight.new_tensor(FILTER, dtype=torch.float64)
        filters = torch.einsum("ia,ocab,jb->ijoc", transform, weight.double(), transform).to(weight.dtype)
        points = TILE * TILE
        product = nn.Conv2d(
            points * conv.in_channels, points * conv.out_channels, 1, groups=points, bias=False, device="meta"
        )
        product.weight = nn.Parameter(filters.reshape(-1, conv.in_channels, 1, 1), requires_grad=False)
        self.product = PackedConv2d(product, torch.Size((1, product.in_channels, self.count * self.rows, columns)))
        self.bias = weight.new_zeros(conv.out_channels) if conv.bias is None else conv.bias.detach()
        self.least = weight.new_tensor(0.0 if relu else -torch.inf)

    @staticmethod
    def suits(conv: nn.Module) -> bool:
        """Whether a layer is a convolution this form can express, with channels enough for it to pay."""
        return (
            type(conv) is nn.Conv2d
            and PackedConv2d.suits(conv)
            and (conv.kernel_size, conv.stride, conv.dilation, conv.groups) == ((3, 3), (1, 1), (1, 1), 1)
            and conv.padding == (1, 1)
            and min(conv.in_channels, conv.out_channels) >= 32
        )

    def forward(self, images: Tensor) -> Tensor:
        count, _, height, width = images.shape
        rows, columns = _tiles(images.shape)
        results = [
            self._band(images[first : first + self.count].permute(0, 2, 3, 1), row, columns)
            for first in range(0, count, self.count)
            for row in range(0, rows, self.rows)
        ]
        whole = results[0] if len(results) == 1 else torch.cat(results)
        whole = whole.view(count, OUT * rows, OUT * columns, -1)
        return whole[:, :height, :width].permute(0, 3, 1, 2)

    def _band(self, images: Tensor, row: int, columns: int) -> Tensor:
        """The results of some rows of tiles, from images (N, height, width, channels)."""
        split, join = _transforms()
        height, width = images.shape[1:3]
        top, bottom = OUT * row - 1, OUT * (row + self.rows) + 1
        beside = (0, 0, 1, OUT * columns + 1 - width, max(-top, 0), max(bottom - height, 0))
        tiles = split(F.pad(images[:, max(top, 0) : bottom], beside))
        as_image = tiles.view(1, len(tiles), columns, -1).permute(0, 3, 1, 2)
        products = self.product(as_image).permute(0, 2, 3, 1).view(len(tiles), columns, TILE * TILE, -1)
        return join(products, self.bias, self.least)


def _tiles(shape: torch.Size) -> tuple[int, int]:
    """Rows and columns of tiles in images (N, channels, height, width)."""
    return -(-shape[2] // OUT), -(-shape[3] // OUT)


def _largest_divisor(number: int, most: int) -> int:
    return max(each for each in range(1, max(most, 1) + 1) if number % each == 0)


@functools.cache
def _transforms() -> tuple[Callable[[Tensor], Tensor], Callable[[Tensor, Tensor, Tensor], Tensor]]:
    """`_split` and `_join`, compiled once for all sizes: a layer more costs no time."""
    split = torch.compile(_split, dynamic=True, fullgraph=True)
    return split, torch.compile(_join, dynamic=True, fullgraph=True)


def _split(images: Tensor) -> Tensor:
    """Padded images (N, height, width, channels) to transformed tiles (N * rows, columns, 36, channels)."""
    rows, columns = ((side - 2) // OUT for side in images.shape[1:3])
    pixels = [
        [
            images[:, row : row + OUT * rows - OUT + 1 : OUT, column : column + OUT * columns - OUT + 1 : OUT]
            for row in range(TILE)
        ]
        for column in range(TILE)
    ]
    return torch.stack([value for row in _both_ways(INPUT, pixels) for value in row], dim=3).flatten(0, 1)


def _join(products: Tensor, bias: Tensor, least: Tensor) -> Tensor:
    """Products (rows, columns, 36, channels) to results (rows, 4, columns, 4, channels), none below `least`."""
    values = [[products[:, :, TILE * row + column] for row in range(TILE)] for column in range(TILE)]
    pixels = [
        torch.stack([torch.maximum(value + bias, least) for value in row], dim=2) for row in _both_ways(OUTPUT, values)
    ]
    return torch.stack(pixels, dim=1)


def _both_ways(matrix: Sequence[Sequence[float]], columns: Sequence[Sequence[Tensor]]) -> list[list[Tensor]]:
    """`matrix` X `matrix`^T of an X that is given by its columns; the result by its rows."""
    once = [_combined(matrix, column) for column in columns]
    return [_combined(matrix, row) for row in zip(*once, strict=True)]


def _combined(matrix: Sequence[Sequence[float]], values: Sequence[Tensor]) -> list[Tensor]:
    """`matrix` times a column of tensors, term by term without the zeros."""
    return [
        functools.reduce(torch.add, [factor * value for factor, value in zip(row, values, strict=True) if factor])
        for row in matrix
    ]
