"""Photographs of one's own: a folder of images, one folder a class.

    DIR/train/<class>/...   DIR/val/<class>/...   DIR/test/<class>/...    (valid, validation and dev are val too)
    DIR/<class>/...                                                       (val is held out by the images' names)

Whatever Pillow opens is an image, whatever its ending; files in deeper folders belong to the class above; hidden ones
are left alone. What is found is used or left out, by a reason and by name, before the first step. Nothing is written.
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zoo.data.contents import beginnings, equal
from zoo.data.dataset import PARTS, Data, Dataset, Facts, some
from zoo.data.layout import Layout, layout
from zoo.data.photographs import Files, Photographs
from zoo.data.places import absent
from zoo.data.splitting import check_split, grouping, hashed, held_out
from zoo.data.walking import LeftOut, Walked, walk
from zoo.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["FOLDER", "SETS", "Listing", "facts", "fingerprint", "holds_only", "listing", "open_folder", "unavailable"]

TRAIN, VAL, TEST = range(len(PARTS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What a folder holds, without PyTorch.

    Args:
        files: of all parts.
        labels: class number of each file.
        rows: by part, the positions of its images in `files`; no entry for a part that the folder does not have.
        class_names: what the class numbers stand for.
        notes, split, fingerprint: see `Data`.
    """

    files: Files
    labels: NDArray[np.int64]
    rows: Mapping[str, NDArray[np.int64]]
    class_names: tuple[str, ...]
    notes: tuple[str, ...]
    split: Mapping[str, object]
    fingerprint: str


def open_folder(data_dir: str, *, val_fraction: float = 0.2, seed: int = 0, group: str | None = None) -> Data:
    """See `Dataset.open`."""
    import torch

    found = listing(data_dir, val_fraction=val_fraction, seed=seed, group=group)
    parts = {
        part: Photographs(files=found.files.take(rows), labels=torch.from_numpy(found.labels[rows]))
        for part, rows in found.rows.items()
    }
    return Data(
        name=os.path.basename(os.path.abspath(os.path.expanduser(data_dir))) or FOLDER.name,
        class_names=found.class_names,
        train=parts.get("train"),
        val=parts.get("val"),
        test=parts.get("test"),
        fingerprint=found.fingerprint,
        notes=found.notes,
        split=found.split,
    )


def listing(data_dir: str, *, val_fraction: float = 0.2, seed: int = 0, group: str | None = None) -> Listing:
    """Which images a folder holds and of which part and class each is; raises `DataError`."""
    val_fraction, seed = check_split(val_fraction, seed)
    reason = _no_folder(data_dir)
    if reason is not None:
        raise DataError(reason)
    root = os.path.expanduser(data_dir)
    arrangement = layout(root)
    if group is not None and not arrangement.split:
        raise DataError(f"{root} says itself which images are val; group is for folders that are split here")
    walked = walk(root, arrangement)
    choice = _Choice(walked)
    choice.leave_broken()
    choice.leave_in_two_classes()
    notes: list[str] = []
    split: dict[str, object] = {}
    if arrangement.split and val_fraction:
        split = {"seed": seed, "val_fraction": val_fraction, "group": group}
        notes.append(choice.hold_out(arrangement, val_fraction, seed, group))
    choice.leave_copies(arrangement.split)
    if "train" in arrangement.parts:
        choice.leave_untrained()
    else:
        notes.append("no train folder: for evaluation only")
    if not choice.used.any() or ("train" in arrangement.parts and not choice.of(TRAIN).any()):
        what = "training image" if choice.used.any() else "image"
        raise DataError(f"{root} holds no {what} that can be used: {choice.account}")
    return choice.listing(arrangement, (*notes, *choice.notes), split)


class _Choice:
    """Which of the files of a folder are used; the others are left out one reason after another."""

    def __init__(self, walked: Walked) -> None:
        import numpy as np

        self.walked = walked
        self.parts = walked.parts.copy()
        self.left_out: LeftOut = {reason: list(names) for reason, names in walked.left_out.items()}
        self.used = np.ones(len(walked.files), np.bool_)
        self.reasons, self.fingerprint, self.numbers = _examined(walked)

    def of(self, part: int) -> NDArray[np.bool_]:
        """The images of a part that are used."""
        chosen: NDArray[np.bool_] = self.used & (self.parts == part)
        return chosen

    def leave(self, rows: NDArray[np.bool_], reason: str) -> None:
        """Leaves these out, if they are used so far."""
        import numpy as np

        names = [self.walked.files.name(row) for row in np.flatnonzero(rows & self.used).tolist()]
        if names:
            self.left_out.setdefault(reason, []).extend(names)
            self.used &= ~rows

    def leave_broken(self) -> None:
        """What is no image by its header."""
        for reason, rows in self.reasons.items():
            self.leave(_mask(rows, len(self.used)), reason)

    def leave_in_two_classes(self) -> None:
        """All copies of an image that stands in several classes: nobody knows which is right."""
        import numpy as np

        copies = self.used & (self.numbers >= 0)
        pairs = set(zip(self.numbers[copies].tolist(), self.walked.labels[copies].tolist(), strict=True))
        several = [number for number, classes in Counter(number for number, _ in pairs).items() if classes > 1]
        self.leave(np.isin(self.numbers, several), "in several classes")

    def hold_out(self, found: Layout, val_fraction: float, seed: int, group: str | None) -> str:
        """Moves images from train to val; says how many."""
        import numpy as np

        rows = np.flatnonzero(self.of(TRAIN))
        files = self.walked.files
        paths = (files.name(row).removeprefix(found.prefix) for row in rows.tolist())
        hashes, alone = hashed(paths, grouping(group, files.root, found.prefix), seed)
        held = held_out(hashes, self.walked.labels[rows], val_fraction)
        self.parts[rows[held]] = VAL
        note = f"no val folder: {held.sum():,} of {len(rows):,} images are held out, by their names and seed {seed}"
        if group is None:
            return note
        return f"{note}, groups whole; {alone:,} images belong to no group and stand for themselves"

    def leave_copies(self, split: bool) -> None:
        """Of an image that stands in several parts, the copies that are not in the last of them.

        Where images were split here, no class loses the only images it trains on.
        """
        import numpy as np

        labels, gone = self.walked.labels, dict[str, list[int]]()
        trained = np.bincount(labels[self.of(TRAIN)], minlength=len(self.walked.classes))
        rows = np.flatnonzero(self.used & (self.numbers >= 0))
        rows = rows[np.argsort(self.numbers[rows], kind="stable")]
        for copies in np.split(rows, np.flatnonzero(np.diff(self.numbers[rows])) + 1):
            parts = self.parts[copies]
            kept, in_train = parts.max(initial=0), copies[parts == TRAIN]
            if split and kept == VAL and 0 < len(in_train) == trained[labels[copies[0]]]:
                kept = TRAIN
            for row in copies[parts != kept]:
                reason = f"copies in {PARTS[self.parts[row]]} of images in {PARTS[kept]}"
                gone.setdefault(reason, []).append(int(row))
            if kept != TRAIN and len(in_train):
                trained[labels[copies[0]]] -= len(in_train)
        for reason, found in gone.items():
            self.leave(_mask(found, len(self.used)), reason)

    def leave_untrained(self) -> None:
        """Held-out images of classes that have no training images."""
        import numpy as np

        trained = np.unique(self.walked.labels[self.of(TRAIN)])
        self.leave((self.parts != TRAIN) & ~np.isin(self.walked.labels, trained), "of a class without training images")

    @property
    def account(self) -> str:
        """One line: found = used + left out, by reason."""
        used, left = int(self.used.sum()), sum(map(len, self.left_out.values()))
        many = "file" if used + left == 1 else "files"
        line = f"found {used + left:,} {many} = {used:,} used + {left:,} left out"
        reasons = [f"{len(names):,} {reason}" for reason, names in self.left_out.items()]
        return f"{line}: {'; '.join(reasons)}" if reasons else line

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes that have images."""
        import numpy as np

        return tuple(self.walked.classes[label] for label in np.unique(self.walked.labels[self.used]))

    @property
    def notes(self) -> tuple[str, ...]:
        """The account and the names behind it."""
        names = [f"left out, {reason}: {some(names)}" for reason, names in self.left_out.items()]
        absent_classes = [name for name in self.walked.classes if name not in self.classes]
        if absent_classes:
            names.append(f"without images to use, and no classes here: {some(absent_classes)}")
        return (self.account, *names)

    def listing(self, found: Layout, notes: tuple[str, ...], split: Mapping[str, object]) -> Listing:
        """What is used, with the classes numbered anew."""
        import numpy as np

        rows = {part: np.flatnonzero(self.of(number)) for number, part in enumerate(PARTS)}
        held = {"val"} if split else set()
        rows = {part: chosen for part, chosen in rows.items() if part in {*found.parts, *held} and len(chosen)}
        present = np.unique(self.walked.labels[self.used])
        labels = np.searchsorted(present, self.walked.labels)
        for part in ("val", "test"):
            unseen = np.setdiff1d(present, self.walked.labels[rows[part]]) if part in rows else present[:0]
            if len(unseen):
                missing = [self.walked.classes[label] for label in unseen]
                notes += (f"no {part} images of {len(missing)} of {len(present)} classes: {some(missing)}",)
        return Listing(
            files=self.walked.files,
            labels=labels.astype(np.int64),
            rows=rows,
            class_names=self.classes,
            notes=notes,
            split=split,
            fingerprint=self.fingerprint,
        )


@functools.lru_cache(maxsize=1)
def _examined(walked: Walked) -> tuple[Mapping[str, list[int]], str, NDArray[np.int64]]:
    """What a look into the files finds, once as long as none of them changes.

    Returns:
        Positions by the reason why they are no images; the folder's fingerprint; a number for files of equal content.
    """
    import numpy as np

    broken, first = beginnings(walked.files)
    images = np.ones(len(first), np.bool_)
    for rows in broken.values():
        images[rows] = False
    found = hashlib.sha256()
    for position in np.flatnonzero(images).tolist():
        found.update(os.fsencode(walked.files.name(position)))
        found.update(int(walked.sizes[position]).to_bytes(8, "big") + first[position])
    return broken, found.hexdigest(), equal(walked.files, walked.sizes, first)


def _mask(rows: Sequence[int], count: int) -> NDArray[np.bool_]:
    import numpy as np

    mask = np.zeros(count, np.bool_)
    mask[rows] = True
    return mask


def _no_folder(data_dir: str) -> str | None:
    return absent(data_dir) if data_dir else "a folder of images is named with --data-dir (one folder a class)"


def holds_only(data_dir: str, class_names: Collection[str]) -> bool:
    """Whether a folder is one of images of these classes, or of some of them."""
    if _no_folder(data_dir):
        return False
    try:
        parts = layout(os.path.expanduser(data_dir)).parts.values()
    except DataError:
        return False
    return {title for titles in parts for title in titles}.issubset(class_names)


def facts(data_dir: str) -> Facts:
    """See `Dataset.facts`; split as `open_folder` does without being told otherwise."""
    found = _tried(data_dir)
    if isinstance(found, str):
        return Facts(0)
    return Facts(len(found.class_names), *(len(found.rows.get(part, ())) for part in PARTS))


def fingerprint(data_dir: str) -> str:
    """See `Dataset.fingerprint`."""
    found = _tried(data_dir)
    return "" if isinstance(found, str) else found.fingerprint


def unavailable(data_dir: str) -> str | None:
    """See `Dataset.unavailable`."""
    found = _tried(data_dir)
    return found if isinstance(found, str) else None


def _tried(data_dir: str) -> Listing | str:
    """What a folder holds, or why it is no data set."""
    try:
        return listing(data_dir)
    except DataError as error:
        return str(error)


FOLDER = Dataset(
    name="folder",
    label="own images",
    title="photographs of one's own, one folder a class",
    source="the folder named with --data-dir",
    licence="that of the photographs",
    open=open_folder,
    facts=facts,
    fingerprint=fingerprint,
    libraries=("torchvision", "pillow"),
    unavailable=unavailable,
)

SETS = (FOLDER,)
