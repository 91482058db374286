"""Photographs as training needs them: decoded once, at no more than the size that its crops are taken from."""

from __future__ import annotations

import dataclasses
import os
import statistics
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo.data.dataset import Batch, Data, Split
from zoo.data.photographs import Files, Photographs
from zoo.data.reading import batch_of, read
from zoo.data.store import Store, stamp
from zoo.errors import one_line
from zoo.images import picture, readable_formats
from zoo.preprocessing import pipeline

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

    from zoo.spec import Input

__all__ = ["CACHE_GB", "Reduced", "reduced"]

CACHE_GB = 20.0  # of decoded images that a training keeps, where nobody says otherwise
GB = 1e9
TRIED = 32  # images whose size tells how much room all of them need


@dataclass(frozen=True, slots=True, kw_only=True)
class Reduced:
    """Photographs whose shorter side is at most `side` pixels; see `Split`. Smaller ones stay as they are.

    What an image is does not depend on whether it is kept: it is decoded and reduced in one way, and its very pixels
    are kept.

    Args:
        photographs: the files.
        side: pixels of the shorter side of larger images.
        interpolation: by which they are reduced.
        store: where their pixels are kept, at the same positions; None for nowhere.
    """

    photographs: Photographs
    side: int
    interpolation: str
    store: Store | None = None

    @property
    def labels(self) -> Tensor:
        """See `Split.labels`."""
        return self.photographs.labels

    def name(self, position: int) -> str:
        """See `Split.name`."""
        return self.photographs.name(position)

    def image(self, position: int) -> Image:
        """Upright, in RGB, reduced."""
        import numpy as np
        from PIL import Image

        path = self.photographs.files.path(position)
        if self.store is None:
            return self._decoded(path)
        try:
            now = stamp(path)
        except OSError:
            return self._decoded(path)  # which says what is wrong
        pixels = self.store.get(position, now)
        if pixels is not None:
            return Image.fromarray(pixels)
        image = self._decoded(path)
        self.store.put(position, now, np.asarray(image))
        return image

    def waiting(self) -> Tensor:
        """Positions of the images that are not kept yet and will be, as far as there is room."""
        import torch

        if self.store is None or not self.store.room:
            return torch.empty(0, dtype=torch.long)
        return torch.from_numpy(self.store.empty())

    def batch(self, positions: Tensor, input: Input, channels: int = 3) -> Batch:
        """The reduced images at `positions`, with what evaluation would make of them."""
        transform = pipeline(input, channels)
        return batch_of([read(self, transform, position) for position in positions.tolist()], self.labels)

    def batches(self, batch_size: int, input: Input, channels: int = 3) -> Iterator[Batch]:
        """See `Split.batches`; of the photographs as they are, which alone are evaluated on."""
        return self.photographs.batches(batch_size, input, channels)

    def subset(self, positions: Sequence[int]) -> Reduced:
        """See `Split.subset`; what is kept is kept of all of them together."""
        return dataclasses.replace(self, photographs=self.photographs.subset(positions), store=None)

    def relabelled(self, labels: Tensor) -> Reduced:
        """See `Split.relabelled`."""
        return dataclasses.replace(self, photographs=self.photographs.relabelled(labels))

    def _decoded(self, path: str) -> Image:
        from torchvision.transforms import v2

        image: Any = picture(path, least=self.side)  # torchvision's types know tensors alone
        if min(image.size) > self.side:
            interpolation = v2.InterpolationMode(self.interpolation)
            image = v2.functional.resize(image, [self.side], interpolation=interpolation, antialias=True)
        return image  # type: ignore[no-any-return]


def reduced(data: Data, side: int, interpolation: str, *, cache_gb: float = CACHE_GB) -> tuple[Split | None, list[str]]:
    """The training images at the size that training needs, and what a person should know of where they are kept.

    Args:
        data: only photographs are reduced; images that lie in memory stay as they are.
        side, interpolation: see `Reduced`.
        cache_gb: gigabytes of decoded images to keep; what does not fit is decoded each time. 0 for none.
    """
    photographs = data.train
    if not isinstance(photographs, Photographs):
        return photographs, []
    small = Reduced(photographs=photographs, side=side, interpolation=interpolation)
    files, count = photographs.files, len(photographs.files)
    if not cache_gb or not count:
        return small, []
    import PIL
    import torchvision

    about = {
        "data": data.name,
        "folder": os.path.abspath(files.root),
        "fingerprint": data.fingerprint,
        "images": f"{count:,} of at most {side} pixels, {interpolation}",
        "names": files.digest(),
        "side": side,
        "interpolation": interpolation,
        "libraries": [PIL.__version__, torchvision.__version__],
    }
    store = Store(about, count, int(cache_gb * GB))
    try:
        store.open()
        return dataclasses.replace(small, store=store), [_note(store, files, side, cache_gb)]
    except (OSError, ValueError) as error:
        where, why = one_line(str(store.folder), 100), one_line(str(getattr(error, "strerror", None) or error), 80)
        return small, [f"decoded images cannot be kept in {where} ({why}): all are decoded again in every epoch"]


def _note(store: Store, files: Files, side: int, cache_gb: float) -> str:
    """Where the images are kept, how much room they take, and which are decoded each time."""
    count, used = store.count, store.used
    there = count - len(store.empty())
    where = f"in {one_line(str(store.folder), 100)}"
    if there == count:
        return f"all {count:,} images are decoded already, {where} ({used / GB:.2g} GB)"
    needed = _bytes(files, side) * count
    begun = f", {there:,} are there" if there else ""
    line = f"{count:,} images are decoded once and kept {where}: about {needed / GB:.2g} GB{begun}"
    if needed <= used + store.room:
        return line
    fits = (used + store.room) / needed
    why = f"--cache-gb {cache_gb:g}" if store.limit - used <= store.room else "the free disk"
    return f"{line}; {why} holds about {fits:.0%} of them, the others are decoded again in every epoch"


def _bytes(files: Files, side: int) -> float:
    """Of an image in the mean, by the headers of some."""
    from PIL import Image

    sizes = []
    step = max(1, len(files) // TRIED)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of large pictures and odd metadata
        for position in range(0, len(files), step):
            try:
                with Image.open(files.path(position), formats=readable_formats()) as image:
                    width, height = image.size
            except Exception:  # which decoding says
                continue
            scale = min(1.0, side / min(width, height))
            sizes.append(3.0 * scale * width * scale * height)
    return statistics.fmean(sizes) if sizes else 0.0
