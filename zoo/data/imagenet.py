"""ImageNet: a folder of photographs, one folder a WordNet id, on which published weights are evaluated.

Any subset of the 1000 classes will do, each with any number of images: the validation set sorted into folders, a
sample of it, Imagenette. Class numbers follow the sorted WordNet ids, as they do in every checkpoint the zoo loads.
A photograph that cannot be decoded is named and counted, and does not end the run.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import zoo
from zoo.data.dataset import Batch, Dataset, DatasetError, Opened, Preprocess
from zoo.errors import DataError, one_line
from zoo.images import picture

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["IMAGENET", "SETS", "Photographs", "class_numbers"]

WNIDS_FILE = Path(zoo.__file__).with_name("weights") / "imagenet_wnids.txt"  # "n01440764<tab>tench", a line a class
NUM_CLASSES = 1000
FIRST_BYTES = 4096  # of each file, which its fingerprint is taken of
SUFFIXES = frozenset((".jpeg", ".jpg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm"))


@dataclass(frozen=True, slots=True)
class Photographs:
    """Image files that are decoded and preprocessed when their batch is due.

    Args:
        files: one file a position.
        labels: (N), class numbers.
        preprocess: from an upright PIL image in RGB to the network's input.
        num_threads: threads that decode, one batch ahead of the network.
    """

    files: tuple[Path, ...]
    labels: Tensor
    preprocess: Preprocess
    num_threads: int = 1

    def batches(self, batch_size: int) -> Iterator[Batch]:
        """All files in order, each in exactly one batch: in its images or among its unreadable."""
        chunks = [
            range(start, min(start + batch_size, len(self.files))) for start in range(0, len(self.files), batch_size)
        ]
        with ThreadPoolExecutor(self.num_threads) as readers:
            ahead = readers.map(self._read, chunks[0])
            for following in [*chunks[1:], range(0)]:
                rows = list(ahead)
                ahead = readers.map(self._read, following)  # while the network looks at this batch
                yield self._collate(rows)

    def name(self, position: int) -> str:
        """Folder and file name."""
        file = self.files[position]
        return f"{file.parent.name}/{file.name}"

    def _read(self, position: int) -> tuple[int, Tensor | str]:
        """The position with its preprocessed image, or with the reason why there is none."""
        try:
            return position, self.preprocess(picture(self.files[position]))
        except DataError as error:
            return position, str(error)
        except Exception as error:  # transforms raise whatever an odd image makes them trip over
            return position, one_line(f"{type(error).__name__}: {error}")

    def _collate(self, rows: list[tuple[int, Tensor | str]]) -> Batch:
        import torch

        images = {position: image for position, image in rows if not isinstance(image, str)}
        unreadable = {position: reason for position, reason in rows if isinstance(reason, str)}
        positions = torch.tensor(list(images), dtype=torch.long)
        stacked = torch.stack(list(images.values())) if images else torch.empty(0)
        return Batch(stacked, self.labels[positions], positions, unreadable)


def class_numbers() -> dict[str, int]:
    """Class number by WordNet id; raises `DatasetError` unless the packaged list is the one checkpoints follow."""
    wnids = [line.split("\t")[0] for line in WNIDS_FILE.read_text(encoding="utf-8").splitlines()]
    if len(wnids) != NUM_CLASSES or wnids != sorted(set(wnids)) or not all(map(_is_wnid, wnids)):
        raise DatasetError(f"{WNIDS_FILE} must hold {NUM_CLASSES} sorted WordNet ids; install the package again")
    return {wnid: number for number, wnid in enumerate(wnids)}


class Listing(NamedTuple):
    """What a folder holds: images in order, folders of no class of ImageNet, files that are no images."""

    files: tuple[Path, ...]
    unknown: list[str]
    others: list[str]


def _listing(data_dir: str) -> Listing:
    root = Path(data_dir).expanduser()
    numbers = class_numbers()
    folders = sorted(folder for folder in root.iterdir() if folder.is_dir() and not folder.name.startswith("."))
    found = [file for folder in folders if folder.name in numbers for file in sorted(folder.iterdir())]
    return Listing(
        files=tuple(file for file in found if file.suffix.lower() in SUFFIXES),
        unknown=[folder.name for folder in folders if folder.name not in numbers],
        others=[f"{file.parent.name}/{file.name}" for file in found if file.suffix.lower() not in SUFFIXES],
    )


def open_folder(data_dir: str, *, img_size: int, preprocess: Preprocess | None = None) -> Opened:
    """See `Dataset.open`; `preprocess` decides the size, `img_size` is not looked at."""
    import torch

    if preprocess is None:
        raise DatasetError("ImageNet photographs need the preprocessing of the weights; give --weights")
    reason = unavailable(data_dir)
    if reason is not None:
        raise DatasetError(reason)
    found = _listing(data_dir)
    files = found.files
    if not files:
        raise DatasetError(
            f"{data_dir} holds no image of a class of ImageNet: its images stand in one folder a WordNet id "
            "(n01440764 ...)" + (f"; found the folders {_some(found.unknown)}" if found.unknown else "")
        )
    left_out = {"not among the 1000 classes: folders": found.unknown, "not images: files": found.others}
    notes = tuple(f"left out, {what} {_some(names)}" for what, names in left_out.items() if names)
    numbers = class_numbers()
    labels = torch.tensor([numbers[file.parent.name] for file in files])
    test = Photographs(files, labels, preprocess, num_threads=min(os.cpu_count() or 1, 16))
    return Opened(test=test, fingerprint=_digest(files), notes=notes, preprocessing=str(preprocess))


def fingerprint(data_dir: str) -> str:
    """See `Dataset.fingerprint`."""
    return "" if unavailable(data_dir) else _digest(_listing(data_dir).files)


def _digest(files: Iterable[Path]) -> str:
    """Hash of every file's class, name, size and first bytes: the same wherever the folder lies."""
    found = hashlib.sha256()
    for file in files:
        found.update(f"{file.parent.name}/{file.name}".encode(errors="surrogateescape"))
        if file.is_file():  # a pipe or a dangling link is named among the images that could not be read
            with contextlib.suppress(OSError), file.open("rb") as content:
                found.update(str(file.stat().st_size).encode() + content.read(FIRST_BYTES))
    return found.hexdigest()


def unavailable(data_dir: str) -> str | None:
    """See `Dataset.unavailable`."""
    if not data_dir:
        return "ImageNet comes with no package: name a folder of it with --data-dir (one folder a WordNet id)"
    if not Path(data_dir).expanduser().is_dir():
        return f"--data-dir {data_dir} is not a folder"
    return None


def _is_wnid(text: str) -> bool:
    return re.fullmatch(r"n\d{8}", text) is not None


def _some(names: list[str]) -> str:
    """The first few names in words."""
    shown = ", ".join(repr(name) for name in names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"


IMAGENET = Dataset(
    name="imagenet",
    label="ImageNet",
    title="ImageNet photographs, one folder a WordNet id, evaluation of trained weights only",
    source="https://www.image-net.org",
    licence="research only; see the terms of image-net.org",
    num_classes=NUM_CLASSES,
    train_images=0,
    test_images=0,
    open=open_folder,
    fingerprint=fingerprint,
    libraries=("torchvision", "pillow"),
    unavailable=unavailable,
)

SETS = (IMAGENET,)
