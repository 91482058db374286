"""The images of an epoch, in an order and with changes that the seed, the epoch and the image alone decide.

So the same weights come out with any number of processes that read images, and a training that goes on in the middle
of an epoch sees what it would have seen.
"""

from __future__ import annotations

import math
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from zoo.data.dataset import Batch, Split
from zoo.data.reading import Read, batch_of, read
from zoo.data.reduced import Reduced
from zoo.lazy import torch
from zoo.preprocessing import FrontDoor, for_channels, normalization
from zoo.spec import Input
from zoo.training.recipes import Recipe

if TYPE_CHECKING:
    from torch import Tensor
    from torchvision.transforms import v2

__all__ = ["Batches", "needed_side", "seed_of", "training_transform"]

Key = tuple[int, int]  # epoch, position
FORKS = sys.platform == "linux"  # also from Python 3.14 on: the server that forks there dies of the training's signals
CROPPED = 1.5  # sides of the network's images in the shorter side of what random crops are taken from


def training_transform(input: Input, channels: int, recipe: Recipe) -> v2.Compose:
    """From an image to the bytes that a network is trained on: cropped, mirrored and changed as the recipe says.

    Their normalization is for whole batches; what random erasing takes out becomes the mean colour, which it makes 0.
    """
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
    steps += [v2.ToImage(), v2.ToPureTensor()]
    if recipe.reprob:
        mean = [round(255 * value) for value in for_channels(input.mean, channels)]
        steps.append(v2.RandomErasing(p=recipe.reprob, value=mean))  # type: ignore[arg-type]  # a list is documented
    return v2.Compose(steps)


def needed_side(input: Input, recipe: Recipe) -> int:
    """Pixels of an image's shorter side that `training_transform` makes use of.

    Without random crops those to which it resizes: what is that large already passes it unchanged. A random crop of
    the mean size is then reduced a little, the smallest of most recipes hardly enlarged.
    """
    return input.resize if recipe.crop_scale == 1 else max(input.resize, math.ceil(CROPPED * input.size))


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
        from torchvision.transforms import v2

        self._split, self._input, self._channels = split, input, channels
        self._size, self._workers = recipe.batch_size, workers
        self._keys: list[list[Key]] = []
        self._loader: Any = None
        self._normalize = v2.Compose(normalization(input, channels))
        if recipe.augmented or recipe.mirror:
            self._loader = torch.utils.data.DataLoader(
                _Images(split, training_transform(input, channels, recipe), seed),  # type: ignore[arg-type]
                batch_sampler=_Keys(self._keys),
                num_workers=workers,
                collate_fn=_as_it_is,  # type: ignore[arg-type]
                generator=torch.Generator(),  # it draws a seed for its workers, and dropout is not to notice
                worker_init_fn=_alone if workers else None,
                persistent_workers=workers > 0,
                multiprocessing_context="fork" if workers and FORKS else None,
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
        normalized = map(self._normalized, self._loader)
        yield from _taken_ahead(normalized) if self._workers else normalized

    def here(self, positions: Tensor) -> Batch:
        """These images of epoch 0, read in this process."""
        if self._loader is None:
            return self._split.batch(positions, self._input, self._channels)
        return self._normalized(self._loader.dataset.__getitems__([(0, position) for position in positions.tolist()]))

    def new(self) -> Tensor:
        """Positions of images that are decoded once more and then kept; none of those that no cache holds."""
        return self._split.waiting() if isinstance(self._split, Reduced) else torch.empty(0, dtype=torch.long)

    def _normalized(self, pixels: Batch) -> Batch:
        return pixels._replace(images=self._normalize(pixels.images)) if len(pixels.positions) else pixels

    def close(self) -> None:
        """Ends the processes that read."""
        iterator = getattr(self._loader, "_iterator", None)
        if iterator is not None and hasattr(iterator, "_shutdown_workers"):
            iterator._shutdown_workers()


def _taken_ahead(batches: Iterator[Batch]) -> Iterator[Batch]:
    """The same batches, each taken over and normalized while the network learns from the one before.

    What another process made is handed over by a thread there that first has to get a word in, a tenth of a step.
    """
    with ThreadPoolExecutor(1) as taker:
        coming = taker.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = taker.submit(next, batches, None)
            yield batch


class _Keys:
    """What the loader asks for which batches come next; their list is filled before each epoch."""

    def __init__(self, keys: list[list[Key]]) -> None:
        self._keys = keys

    def __iter__(self) -> Iterator[list[Key]]:
        return iter(list(self._keys))

    def __len__(self) -> int:
        return len(self._keys)


class _Images:
    """Images by epoch and position, changed as these and the seed decide; bytes, a batch at once."""

    def __init__(self, split: Split, transform: v2.Compose, seed: int) -> None:
        self._split, self._transform, self._seed = split, transform, seed

    def __getitems__(self, keys: list[Key]) -> Batch:
        """What the loader calls, in a process that reads or in the one that trains, whose random numbers stay."""
        return batch_of(list(self._rows(keys)), self._split.labels)

    def _rows(self, keys: list[Key]) -> Iterator[Read]:
        generator = torch.default_generator  # all transforms draw from it
        before = generator.get_state()
        for epoch, position in keys:
            generator.manual_seed(seed_of(self._seed, epoch, position))
            yield read(self._split, self._transform, position)
        generator.set_state(before)


def _as_it_is(batch: Batch) -> Batch:
    return batch


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
