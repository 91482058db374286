"""What a data set is: a line of facts that needs no PyTorch, and the images behind it once it is opened."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from zoo.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Batch", "Dataset", "DatasetError", "Opened", "Preprocess", "Split", "TrainingSplit"]

Preprocess = Callable[[Any], "Tensor"]  # a PIL image to (channels, height, width)


class DatasetError(DataError):
    """The files of a data set are absent, damaged or not what they should be; the message says what to do."""


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
    """Labelled images that can be walked in order."""

    @property
    def labels(self) -> Tensor:
        """(N), the classes of all N images, readable or not."""
        ...

    def batches(self, batch_size: int) -> Iterator[Batch]:
        """All images in order, each in exactly one batch."""
        ...

    def name(self, position: int) -> str:
        """Which image stands at a position, for a person."""
        ...


class TrainingSplit(Split, Protocol):
    """Labelled images held in memory, from which training draws batches in any order."""

    def batch(self, positions: Tensor, *, mirrored: Tensor | None = None) -> Batch:
        """The images at `positions`; those where `mirrored` is true flipped left to right."""
        ...

    def first(self, count: int) -> TrainingSplit:
        """The first `count` images."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The images of a data set at one resolution.

    Args:
        test: the images accuracy is counted on.
        train: the images networks are trained on, none of them in `test`; None for evaluation only.
        fingerprint: hash of what was read; equal fingerprints mean equal images in equal order.
        notes: what a reader of the result must know, such as folders that were left out.
        preprocessing: what becomes of an image before a network sees it.
    """

    test: Split
    train: TrainingSplit | None = None
    fingerprint: str = ""
    notes: tuple[str, ...] = ()
    preprocessing: str = ""


class Opener(Protocol):
    """See `Dataset.open`."""

    def __call__(self, data_dir: str, *, img_size: int, preprocess: Preprocess | None = None) -> Opened: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A source of real images. A new one is its file and its line in `zoo.data`.

    Args:
        name: name for `--dataset` and `Case.dataset`.
        label: short name for people.
        title: the same with what it holds.
        source: where it comes from.
        licence: under which its images may be used.
        num_classes: length of the logit vector it wants.
        train_images: images to train on; 0 for a data set that only evaluates trained weights.
        test_images: images accuracy is counted on; 0 where that depends on the folder.
        open: reads it from `data_dir` (empty: the embedded or default place); raises `DatasetError`. `preprocess` is
            the transform that belongs to the weights; a data set to train on has its own, to `img_size` pixels.
        libraries: packages whose versions change what its images become.
        fingerprint: hash that identifies its images, read from `data_dir` without PyTorch; empty where there are none.
        unavailable: why it cannot be opened from `data_dir`, for a person; None if nothing speaks against it.
    """

    name: str
    label: str
    title: str
    source: str
    licence: str
    num_classes: int
    train_images: int
    test_images: int
    open: Opener
    fingerprint: Callable[[str], str]
    unavailable: Callable[[str], str | None]
    libraries: tuple[str, ...] = ()
