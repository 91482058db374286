"""The images of an epoch, in an order and with changes that the seed, the epoch and the image alone decide.

So the same weights come out with any number of processes that read images, and a training that goes on in the middle
of an epoch sees what it would have seen.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from zoo.data.dataset import Batch, Split
from zoo.data.reading import Read, batch_of, read
from zoo.lazy import torch
from zoo.preprocessing import FrontDoor, normalization
from zoo.spec import Input
from zoo.training.recipes import Recipe

if TYPE_CHECKING:
    from torch import Tensor
    from torchvision.transforms import v2

__all__ = ["Batches", "seed_of", "training_transform"]

Key = tuple[int, int]  # epoch, position


def training_transform(input: Input, channels: int, recipe: Recipe) -> v2.Compose:
    """From an image to what a network is trained on: cropped, mirrored and changed as the recipe says."""
    from torchvision.transforms import v2

    interpolation = v2.InterpolationMode(input.interpolation)
    steps: list[Any] = [FrontDoor(channels, middle=False)]
    if recipe.crop_scale < 1:
        scale = (recipe.crop_scale, 1.0)
        steps.append(v2.RandomResizedCrop(input.size, scale=scale, interpolation=interpolation, antialias=True))
    else:
        steps += [v2.Resize(input.resize, interpolation=interpolation, antialias=True), v2.CenterCrop(input.size)]
    if recipe.mirror:
        steps.append(v2.RandomHorizontalFlip())
    if recipe.auto_augment:
        kinds = {"randaugment": v2.RandAugment, "trivialaugment": v2.TrivialAugmentWide}
        steps.append(kinds[recipe.auto_augment](interpolation=interpolation))
    if recipe.color_jitter:
        steps.append(v2.ColorJitter(*[recipe.color_jitter] * 3))
    steps += [*normalization(input, channels)]
    if recipe.reprob:
        steps.append(v2.RandomErasing(p=recipe.reprob))
    return v2.Compose(steps)


class Batches:
    """All training images, epoch after epoch.

    Args:
        split: the images.
        input, channels: of the network.
        recipe: its batch size and changes to images.
        seed: of the order and of the changes.
        workers: processes that read images, 0 for none beside this one.
    """

    def __init__(
        self, split: Split, input: Input, channels: int, recipe: Recipe, *, seed: int, workers: int = 0
    ) -> None:
        self._split, self._input, self._channels = split, input, channels
        self._size, self._seed = recipe.batch_size, seed
        self._keys: list[list[Key]] = []
        self._loader: Any = None
        if recipe.augmented or recipe.mirror:
            self._loader = torch.utils.data.DataLoader(
                _Images(split, training_transform(input, channels, recipe), seed),  # type: ignore[arg-type]
                batch_sampler=_Keys(self._keys),
                num_workers=workers,
                collate_fn=list,
                generator=torch.Generator(),  # it draws a seed for its workers, and dropout is not to notice
                worker_init_fn=_alone if workers else None,
                persistent_workers=workers > 0,
            )

    def __len__(self) -> int:
        """Batches an epoch; the last may be smaller."""
        return -(-len(self._split.labels) // self._size)

    def epoch(self, epoch: int, order: Tensor, *, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch from number `start` on.

        Args:
            order: (N), the positions of all images.
        """
        chunks = list(order.split(self._size))[start:]
        if self._loader is None:
            for positions in chunks:
                yield self._split.batch(positions, self._input, self._channels)
            return
        self._keys[:] = [[(epoch, position) for position in chunk.tolist()] for chunk in chunks]
        for rows in self._loader:
            yield batch_of(rows, self._split.labels)

    def here(self, positions: Tensor) -> Batch:
        """These images of epoch 0, read in this process."""
        if self._loader is None:
            return self._split.batch(positions, self._input, self._channels)
        rows = [self._loader.dataset[0, position] for position in positions.tolist()]
        return batch_of(rows, self._split.labels)

    def close(self) -> None:
        """Ends the processes that read."""
        iterator = getattr(self._loader, "_iterator", None)
        if iterator is not None and hasattr(iterator, "_shutdown_workers"):
            iterator._shutdown_workers()


class _Keys:
    """What the loader asks for which batches come next; their list is filled before each epoch."""

    def __init__(self, keys: list[list[Key]]) -> None:
        self._keys = keys

    def __iter__(self) -> Iterator[list[Key]]:
        return iter(list(self._keys))

    def __len__(self) -> int:
        return len(self._keys)


class _Images:
    """An image by epoch and position, changed as these and the seed decide."""

    def __init__(self, split: Split, transform: v2.Compose, seed: int) -> None:
        self._split, self._transform, self._seed = split, transform, seed

    def __getitem__(self, key: Key) -> Read:
        epoch, position = key
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_of(self._seed, epoch, position))
            return read(self._split, self._transform, position)


def seed_of(*numbers: int) -> int:
    """One seed of several numbers, such that neighbours have nothing in common (SplitMix64's mixer)."""
    state = 0
    for number in numbers:
        state = (state ^ number) * 0x9E3779B97F4A7C15 + 0x9E3779B97F4A7C15 & (1 << 64) - 1
        state = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & (1 << 64) - 1
        state = (state ^ state >> 27) * 0x94D049BB133111EB & (1 << 64) - 1
        state ^= state >> 31
    return state >> 1


def _alone(worker: int) -> None:
    """A process that reads uses one thread and leaves signals to the one that trains."""
    torch.set_num_threads(1)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
