"""ImageNet: folders of photographs, one a WordNet id, on which published weights are evaluated and networks trained.

Any subset of the 1000 classes will do, each with any number of images: the validation set sorted into folders, a
sample of it, or `train` and `val` with such folders in each. Class numbers follow the sorted WordNet ids, as they do in
every checkpoint the zoo loads. A photograph that cannot be decoded is named and counted, and does not end the run.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from zoo.data.dataset import PARTS, Data, Dataset, Facts, some, ungrouped
from zoo.data.layout import ALIASES
from zoo.data.photographs import Files, Photographs
from zoo.data.places import absent
from zoo.errors import DataError

__all__ = ["IMAGENET", "SETS", "SUFFIXES", "class_names", "class_numbers"]

WNIDS_FILE = Path(__file__).parents[1] / "weights" / "imagenet_wnids.txt"  # "n01440764<tab>tench", a line a class
NUM_CLASSES = 1000
FIRST_BYTES = 4096  # of each file, which its fingerprint is taken of
SUFFIXES = frozenset((".jpeg", ".jpg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm"))


def class_names() -> dict[str, str]:
    """Name by WordNet id, in the order of checkpoints; raises `DataError` unless the packaged list is whole."""
    lines = (line.partition("\t") for line in WNIDS_FILE.read_text(encoding="utf-8").splitlines())
    names = {wnid: name for wnid, _, name in lines}
    if len(names) != NUM_CLASSES or list(names) != sorted(names) or not all(map(_is_wnid, names)):
        raise DataError(f"{WNIDS_FILE} must hold {NUM_CLASSES} sorted WordNet ids; install the package again")
    return names


def class_numbers() -> dict[str, int]:
    """Class number by WordNet id."""
    return {wnid: number for number, wnid in enumerate(class_names())}


class Listing(NamedTuple):
    """What a folder holds: images in order, folders of no class of ImageNet, files that are no images."""

    files: tuple[Path, ...]
    unknown: list[str]
    others: list[str]


def _listing(root: Path) -> Listing:
    numbers = class_numbers()
    folders = sorted(folder for folder in root.iterdir() if folder.is_dir() and not folder.name.startswith("."))
    found = [file for folder in folders if folder.name in numbers for file in sorted(folder.iterdir())]
    return Listing(
        files=tuple(file for file in found if file.suffix.lower() in SUFFIXES),
        unknown=[folder.name for folder in folders if folder.name not in numbers],
        others=[f"{file.parent.name}/{file.name}" for file in found if file.suffix.lower() not in SUFFIXES],
    )


def _parts(root: Path) -> Mapping[str, Path]:
    """The folder of each part: `train` and `val` below `root`, or `root` itself, which is then for evaluation only."""
    numbers = class_numbers()

    def holds_classes(folder: Path) -> bool:
        return folder.is_dir() and any(inner.name in numbers for inner in folder.iterdir())

    if holds_classes(root):
        return {"test": root}
    below = {part: [root / name for name in ALIASES[part] if holds_classes(root / name)] for part in ("train", "val")}
    return {part: folders[0] for part, folders in below.items() if folders} or {"test": root}


def open_folder(data_dir: str, *, val_fraction: float = 0.2, seed: int = 0, group: str | None = None) -> Data:
    """See `Dataset.open`."""
    ungrouped(IMAGENET.name, group)
    reason = unavailable(data_dir)
    if reason is not None:
        raise DataError(reason)
    root = Path(data_dir).expanduser()
    found = {part: _listing(folder) for part, folder in _parts(root).items()}
    unknown = [name for listing in found.values() for name in listing.unknown]
    others = [name for listing in found.values() for name in listing.others]
    if not any(listing.files for listing in found.values()):
        raise DataError(
            f"{data_dir} holds no image of a class of ImageNet: its images stand in one folder a WordNet id "
            "(n01440764 ...)" + (f"; found the folders {some(unknown)}" if unknown else "")
        )
    left_out = {"not among the 1000 classes: folders": unknown, "not images: files": others}
    parts = {part: _photographs(root, listing.files) for part, listing in found.items() if listing.files}
    return Data(
        name=IMAGENET.name,
        class_names=tuple(class_names().values()),
        train=parts.get("train"),
        val=parts.get("val"),
        test=parts.get("test"),
        fingerprint=_digest(root, (file for listing in found.values() for file in listing.files)),
        notes=tuple(f"left out, {what} {some(names)}" for what, names in left_out.items() if names),
    )


def _photographs(root: Path, files: tuple[Path, ...]) -> Photographs:
    import torch

    numbers = class_numbers()
    labels = torch.tensor([numbers[file.parent.name] for file in files])
    return Photographs(files=Files.listed(str(root), _names(root, files)), labels=labels)


def _names(root: Path, files: Iterable[Path]) -> Iterator[str]:
    return (file.relative_to(root).as_posix() for file in files)


def facts(data_dir: str) -> Facts:
    """See `Dataset.facts`."""
    if unavailable(data_dir):
        return Facts(NUM_CLASSES)
    parts = _parts(Path(data_dir).expanduser())
    return Facts(NUM_CLASSES, *(len(_listing(parts[part]).files) if part in parts else 0 for part in PARTS))


def fingerprint(data_dir: str) -> str:
    """See `Dataset.fingerprint`."""
    if unavailable(data_dir):
        return ""
    root = Path(data_dir).expanduser()
    return _digest(root, (file for folder in _parts(root).values() for file in _listing(folder).files))


def _digest(root: Path, files: Iterable[Path]) -> str:
    """Hash of every file's class, name, size and first bytes: the same wherever the folder lies."""
    found = hashlib.sha256()
    for file in files:
        found.update(file.relative_to(root).as_posix().encode(errors="surrogateescape"))
        if file.is_file():  # a pipe or a dangling link is named among the images that could not be read
            with contextlib.suppress(OSError), file.open("rb") as content:
                found.update(str(file.stat().st_size).encode() + content.read(FIRST_BYTES))
    return found.hexdigest()


def unavailable(data_dir: str) -> str | None:
    """See `Dataset.unavailable`."""
    if not data_dir:
        return "ImageNet comes with no package: name a folder of it with --data-dir (one folder a WordNet id)"
    return absent(data_dir)


def _is_wnid(text: str) -> bool:
    return re.fullmatch(r"n\d{8}", text) is not None


IMAGENET = Dataset(
    name="imagenet",
    label="ImageNet",
    title="ImageNet photographs, one folder a WordNet id, for evaluation or with train and val",
    source="https://www.image-net.org",
    licence="research only; see the terms of image-net.org",
    open=open_folder,
    facts=facts,
    fingerprint=fingerprint,
    libraries=("torchvision", "pillow"),
    unavailable=unavailable,
)

SETS = (IMAGENET,)
