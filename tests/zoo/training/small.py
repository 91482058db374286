"""Networks and images that are small enough to train in a blink."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

import zoo
from zoo.blocks import conv_relu, named
from zoo.classifier import Classifier
from zoo.data.dataset import Batch, Data
from zoo.data.reading import batch_of, read
from zoo.preprocessing import pipeline
from zoo.spec import Input

__all__ = ["Few", "folder_of_colours", "three_colours", "tiny"]


def tiny(*, auxiliary: bool = False, classes: int = 10, norm: bool = True, dropout: float = 0.0) -> Classifier:
    """One convolution and a linear layer: enough for half of the clothes, and for colours."""
    torch.manual_seed(0)
    features = named(conv=conv_relu(3, 8, 5, stride=2, padding=0), norm=nn.BatchNorm2d(8) if norm else nn.Identity())
    pool = nn.AdaptiveAvgPool2d(4)
    head = named(pool=pool, flatten=nn.Flatten(), drop=nn.Dropout(dropout), fc=nn.Linear(128, classes))
    taps = {"conv": named(pool=pool, flatten=nn.Flatten(), fc=nn.Linear(128, classes))} if auxiliary else None
    model = Classifier(features, head, taps)
    spec = zoo.spec("googlenet")
    small = dataclasses.replace(spec.input, min_size=8, size=16, resize=16)
    model.bind(dataclasses.replace(spec, input=small), spec.initialize)
    return model


class Few:
    """Labelled images that are made when they are asked for: one plain colour a class, with a little noise.

    Args:
        labels: (N), class numbers.
        broken: positions that cannot be read.
        shown: how often evaluation is shown an image, where that is not once.
    """

    def __init__(
        self, labels: Sequence[int], *, broken: tuple[int, ...] = (), shown: dict[int, int] | None = None
    ) -> None:
        self.labels = torch.tensor(list(labels), dtype=torch.long)
        self.broken, self.shown = broken, shown or {}

    def name(self, position: int) -> str:
        return f"image {position}"

    def image(self, position: int) -> Tensor:
        if position in self.broken:
            raise zoo.DataError("cut off")
        noise = torch.randint(0, 40, (3, 16, 16), generator=torch.Generator().manual_seed(position), dtype=torch.uint8)
        noise[int(self.labels[position]) % 3] += 200
        return noise

    def batch(self, positions: Tensor, input: Input, channels: int = 3) -> Batch:
        transform = pipeline(input, channels)
        return batch_of([read(self, transform, position) for position in positions.tolist()], self.labels)

    def batches(self, batch_size: int, input: Input, channels: int = 3) -> Iterator[Batch]:
        order = [position for position in range(len(self.labels)) for _ in range(self.shown.get(position, 1))]
        for start in range(0, len(order), batch_size):
            yield self.batch(torch.tensor(order[start : start + batch_size]), input, channels)

    def subset(self, positions: Sequence[int]) -> Few:
        some = Few(self.labels[list(positions)].tolist())
        some.image = lambda position: self.image(positions[position])  # type: ignore[method-assign]
        return some

    def relabelled(self, labels: Tensor) -> Few:
        return Few(labels.tolist(), broken=self.broken, shown=self.shown)


def three_colours(train: int = 24, val: int = 9, test: int = 0, **options: object) -> Data:
    """Red, green and blue images in turns."""
    parts = {
        part: Few([position % 3 for position in range(count)]) if count else None
        for part, count in (("train", train), ("val", val), ("test", test))
    }
    return Data(name="colours", class_names=("red", "green", "blue"), fingerprint="f00d", **parts, **options)  # type: ignore[arg-type]


def folder_of_colours(root: Path, counts: dict[str, int] | None = None, size: int = 32) -> Path:
    """A folder of PNGs, a class a colour."""
    from PIL import Image

    random = torch.Generator().manual_seed(0)
    for number, (name, count) in enumerate((counts or {"blue": 10, "green": 10, "red": 10}).items()):
        (root / name).mkdir(parents=True)
        for image in range(count):
            pixels = torch.randint(0, 60, (size, size, 3), generator=random, dtype=torch.uint8)
            pixels[:, :, 2 - number % 3] += 180
            Image.fromarray(pixels.numpy()).save(root / name / f"{image:03}.png")
    return root
