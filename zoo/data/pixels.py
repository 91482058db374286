"""Images that are small enough to lie in memory as they are."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zoo.data.dataset import Batch
from zoo.data.reading import batch_of, chosen, read
from zoo.preprocessing import pipeline

if TYPE_CHECKING:
    from torch import Tensor

    from zoo.spec import Input

__all__ = ["Pixels"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pixels:
    """Bytes in memory, grey or in colour, that become floats only when a batch is made; see `Split`.

    A network whose input has the `statistics` of the set is shown all of each image, stretched to its size and
    normalised, a grey channel as often as the network has channels. Any other sees what `zoo.preprocessing` makes of
    it.

    Args:
        pixels: (N, channels, height, width), bytes.
        labels: (N), class numbers.
        part: of the data set.
        numbers: (N), of each image in its official files.
        statistics: mean and standard deviation of the pixels scaled to [0, 1], for a set that has its own.
    """

    pixels: Tensor
    labels: Tensor
    part: str
    numbers: Tensor
    statistics: tuple[float, float] | None = None

    def name(self, position: int) -> str:
        """Part and number in the official files."""
        return f"{self.part}/{int(self.numbers[position])}"

    def image(self, position: int) -> Tensor:
        """(channels, height, width), bytes."""
        return self.pixels[position]

    def batch(self, positions: Tensor, input: Input, channels: int = 3) -> Batch:
        """See `Split.batch`."""
        if self._stretched(input, channels):
            return Batch(self._stretch(positions, input, channels), self.labels[positions], positions)
        transform = pipeline(input, channels)
        return batch_of([read(self, transform, position) for position in positions.tolist()], self.labels)

    def batches(self, batch_size: int, input: Input, channels: int = 3) -> Iterator[Batch]:
        """See `Split.batches`."""
        import torch

        count = len(self.labels)
        for start in range(0, count, batch_size):
            yield self.batch(torch.arange(start, min(start + batch_size, count)), input, channels)

    def subset(self, positions: Sequence[int]) -> Pixels:
        """See `Split.subset`."""
        some = chosen(positions, len(self.labels))
        parts = {name: getattr(self, name)[some] for name in ("pixels", "labels", "numbers")}
        return dataclasses.replace(self, **parts)

    def relabelled(self, labels: Tensor) -> Pixels:
        """See `Split.relabelled`."""
        return dataclasses.replace(self, labels=labels)

    def _stretched(self, input: Input, channels: int) -> bool:
        return self.statistics is not None and (
            (set(input.mean), set(input.std)) == ({self.statistics[0]}, {self.statistics[1]})
            and self.pixels.shape[1] in (1, channels)
        )

    def _stretch(self, positions: Tensor, input: Input, channels: int) -> Tensor:
        """(N, channels, size, size) of all that the images show, bilinear."""
        import torch.nn.functional as F

        mean, std = self.statistics or (0.0, 1.0)
        images = (self.pixels[positions].float() / 255 - mean) / std
        size = (input.size, input.size)
        images = F.interpolate(images, size=size, mode="bilinear", align_corners=False, antialias=True)
        return images.expand(-1, channels, -1, -1)
