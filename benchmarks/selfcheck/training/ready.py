"""A training whose images lie in memory, ready for the network, so that nothing but training takes time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from zoo.data.dataset import Batch, Data
from zoo.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor

    from zoo.spec import Input
    from zoo.training.loop import Run

__all__ = ["Ready", "ready_run"]

CLASSES = 10


class Ready:
    """The same few images again and again, handed over as they lie in memory; see `zoo.data.dataset.Split`.

    Args:
        images: (batch, 3, size, size), all there are.
        count: as how many they count.
    """

    def __init__(self, images: Tensor, count: int) -> None:
        self._images = images
        self.labels = torch.arange(count) % CLASSES

    def name(self, position: int) -> str:
        return f"image {position}"

    def image(self, position: int) -> Tensor:
        return self._images[position % len(self._images)]

    def batch(self, positions: Tensor, input: Input, channels: int = 3) -> Batch:
        return Batch(self._images[: len(positions)], self.labels[positions], positions)

    def batches(self, batch_size: int, input: Input, channels: int = 3) -> Iterator[Batch]:
        for positions in torch.arange(len(self.labels)).split(min(batch_size, len(self._images))):
            yield self.batch(positions, input, channels)

    def subset(self, positions: Sequence[int]) -> Ready:
        return Ready(self._images, len(positions))

    def relabelled(self, labels: Tensor) -> Ready:
        return self


def ready_run(model: str, *, size: int, batch: int, steps: int, processes: int = 1) -> Run:
    """A training from scratch with SGD, of as many steps an epoch; every call of its `epoch` is one.

    Args:
        model: name, with options.
        size: side of the images in pixels.
        batch: images a step and process.
        processes: that train together; each calls this.
    """
    import zoo
    from zoo.training.loop import Run
    from zoo.training.recipes import recipe

    torch.manual_seed(0)
    network = zoo.create(model, num_classes=CLASSES)
    images = torch.randn(batch, 3, size, size).contiguous(memory_format=torch.channels_last)
    data = Data(
        name="ready",
        class_names=tuple(map(str, range(CLASSES))),
        train=Ready(images, batch * steps * processes),
        val=Ready(images, processes),
    )
    chosen = recipe("sample", batch_size=batch, epochs=1_000_000, opt="sgd", lr=1e-3)
    return Run(network, data, chosen, seed=0)
