"""What a data set is: a line of facts that needs no PyTorch, and the images behind it once it is opened."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from zoo.errors import DataError, shown

if TYPE_CHECKING:
    from torch import Tensor

    from zoo.spec import Input

__all__ = ["PARTS", "Batch", "Data", "Dataset", "Facts", "Opener", "Split", "matched", "some", "ungrouped"]

PARTS = ("train", "val", "test")


class Batch(NamedTuple):
    """Images that go through a network together.

    Args:
        images: (N, channels, height, width), ready for the network.
        labels: (N), class numbers.
        positions: (N), the place of each image in its split, by which evaluation counts each exactly once.
        unreadable: reason by position of images that could not be read; they are in no batch.
    """

    images: Tensor
    labels: Tensor
    positions: Tensor
    unreadable: Mapping[int, str] = {}


class Split(Protocol):
    """Labelled images of one part of a data set, as they lie on the disk or in memory, before any preprocessing."""

    @property
    def labels(self) -> Tensor:
        """(N), the classes of all N images, readable or not."""
        ...

    def name(self, position: int) -> str:
        """Which image stands at a position, for a person."""
        ...

    def image(self, position: int) -> Any:
        """An upright RGB PIL image or a uint8 tensor (channels, height, width); raises `DataError` if there is none."""
        ...

    def batches(self, batch_size: int, input: Input, channels: int = 3) -> Iterator[Batch]:
        """All images in order as evaluation sees them, each in one batch: in its images or among its unreadable."""
        ...

    def batch(self, positions: Tensor, input: Input, channels: int = 3) -> Batch:
        """The images at `positions`, as evaluation sees them."""
        ...

    def subset(self, positions: Sequence[int]) -> Split:
        """The images at `positions`, in that order."""
        ...

    def relabelled(self, labels: Tensor) -> Split:
        """The same images with other class numbers, (N)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """The images of a data set.

    Args:
        name: of the data set in the registry, or of the folder.
        class_names: what each class number stands for.
        train: the images networks are trained on; None for evaluation only.
        val: the images that choose the epoch and stop a training, none of them in `train`.
        test: the images that are looked at once, at the end, none of them in `train` or `val`.
        fingerprint: hash of what was read; the same wherever the folder lies.
        notes: what a reader of the result must know, such as files that were left out.
        statistics: mean and standard deviation of the pixels, scaled to [0, 1], of a data set that is used with its
            own and not with ImageNet's.
        split: how `train` and `val` came apart, as JSON has it; empty where the data set says it.
        img_size: side in pixels the images are wanted at, where that is not the network's own.
    """

    name: str
    class_names: tuple[str, ...]
    train: Split | None = None
    val: Split | None = None
    test: Split | None = None
    fingerprint: str = ""
    notes: tuple[str, ...] = ()
    statistics: tuple[float, float] | None = None
    split: Mapping[str, object] = field(default_factory=dict)
    img_size: int | None = None


class Facts(NamedTuple):
    """How large a data set is: known without PyTorch, for folders after a look into them.

    Args:
        num_classes: length of the logit vector it wants.
        train_images, val_images, test_images: in each part; 0 for a part that it does not have.
    """

    num_classes: int
    train_images: int = 0
    val_images: int = 0
    test_images: int = 0


class Opener(Protocol):
    """See `Dataset.open`."""

    def __call__(
        self, data_dir: str, *, val_fraction: float = 0.2, seed: int = 0, group: str | None = None
    ) -> Data: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A source of real images. A new one is its file and its line in `zoo.data`.

    Args:
        name: name for `--dataset` and `Case.dataset`.
        label: short name for people.
        title: the same with what it holds.
        source: where it comes from.
        licence: under which its images may be used.
        open: reads it from `data_dir` (empty: the embedded or default place); raises `DataError`. The other options say
            how a folder without a val part is split, see `zoo.open_data`.
        facts: how large it is, read from `data_dir` without PyTorch; all 0 but the classes where there is nothing.
        fingerprint: hash that identifies its images, read likewise; empty where there are none.
        unavailable: why it cannot be opened from `data_dir`, for a person; None if nothing speaks against it.
        libraries: packages whose versions change what its images become.
    """

    name: str
    label: str
    title: str
    source: str
    licence: str
    open: Opener
    facts: Callable[[str], Facts]
    fingerprint: Callable[[str], str]
    unavailable: Callable[[str], str | None]
    libraries: tuple[str, ...] = ()


def matched(data: Data, class_names: Sequence[str]) -> Data:
    """The same images with the class numbers of a network that was trained on `class_names`.

    Classes are matched by name. The data may lack some of the network's classes, which is noted.

    Raises:
        DataError: the data has classes the network does not know, or knows twice.
    """
    names = tuple(class_names)
    if names == data.class_names:
        return data
    additional = [name for name in data.class_names if name not in names]
    if additional:
        raise DataError(
            f"{data.name} has {len(additional)} of {len(data.class_names)} classes that the network was not trained "
            f"on: {some(additional)}; leave them out, or train on them; it knows {some(names)}"
        )
    twice = [name for name, count in Counter(names).items() if count > 1 and name in data.class_names]
    if twice:
        raise DataError(f"the network has several classes named {some(twice)}; {data.name} cannot be matched by name")
    import torch

    numbers = torch.tensor([names.index(name) for name in data.class_names], dtype=torch.long)
    parts = {part: getattr(data, part) for part in PARTS}
    known = {part: split and split.relabelled(numbers[split.labels]) for part, split in parts.items()}
    absent = [name for name in names if name not in data.class_names]
    note = f"{len(absent)} of the network's {len(names)} classes are not in the data: {some(absent)}"
    return dataclasses.replace(data, class_names=names, notes=data.notes + ((note,) if absent else ()), **known)


def some(names: Sequence[str]) -> str:
    """The first few names in words."""
    text = ", ".join(shown(name) for name in names[:5])
    return text if len(names) <= 5 else f"{text} and {len(names) - 5:,} more"


def ungrouped(name: str, group: str | None) -> None:
    """Raises `DataError` if images of a data set that says itself which are held out were to be grouped."""
    if group is not None:
        raise DataError(f"{name} says itself which images are held out; group is for folders that are split here")
