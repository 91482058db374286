"""Which folders below one are the parts of a data set and which its classes; see `zoo.data.folder`."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from zoo.data.dataset import some
from zoo.errors import DataError

__all__ = ["ALIASES", "Layout", "hidden", "layout"]

ALIASES = {"train": ("train",), "val": ("val", "valid", "validation", "dev"), "test": ("test",)}  # as people call parts
USAGE = "a folder of images holds one folder a class, or train and val with one a class in each"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The folders of a data set.

    Args:
        parts: by part, the folders of each class below the root, "cat" or "train/cat"; with `split`, those of the
            images to be split are in `train`.
        split: whether the folder does not say which images of `train` choose the epoch.
        prefix: what the paths of the images in `train` begin with before the folder of their class.
        beside: what lies beside the folders that count.
    """

    parts: Mapping[str, Mapping[str, tuple[str, ...]]]
    split: bool
    prefix: str
    beside: tuple[str, ...]


def layout(root: str) -> Layout:
    """How the images below `root` are arranged.

    Raises:
        DataError: not as they should be; the message names the folder that is likely meant.
    """
    folders, files = _entries(root)
    parts = {part: [name for name in folders if _is_part(root, name, names)] for part, names in ALIASES.items()}
    parts = {part: names for part, names in parts.items() if names}
    for part, names in parts.items():
        if len(names) > 1:
            raise DataError(f"{root} holds several folders that may be its {part} part: {some(names)}; leave one")
    others = [name for name in folders if [name] not in parts.values()]
    if parts and others and "train" not in parts:
        raise DataError(
            f"{root} holds {some(others)} beside {some([name for names in parts.values() for name in names])} but no "
            "train folder; move the folders of the classes into one named train"
        )
    if not parts:
        classes, beside = _classes(root, "")
        return Layout(parts={"train": classes}, split=True, prefix="", beside=beside)
    found: dict[str, Mapping[str, tuple[str, ...]]] = {}
    beside = (*others, *files)
    for part, (name,) in parts.items():
        found[part], more = _classes(root, name)
        beside += more
    prefix = f"{parts['train'][0]}/" if "train" in parts else ""
    return Layout(parts=found, split="train" in parts and "val" not in parts, prefix=prefix, beside=beside)


def hidden(name: str) -> bool:
    """Whether a file or folder is one that people do not see."""
    return name.startswith(".")


def _is_part(root: str, name: str, names: tuple[str, ...]) -> bool:
    """Whether a folder is called like a part and is not the folder of a class of that name: it holds folders."""
    if name.casefold() not in names:
        return False
    folders, files = _entries(os.path.join(root, name))
    return bool(folders) or not files


def _classes(root: str, part: str) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]]:
    """The folders of each class of a part, by its name, and what lies beside them."""
    place = os.path.join(root, part) if part else root
    folders, files = _entries(place)
    if not folders and not part:
        images = [name for name in files if not hidden(name)]
        parent = os.path.dirname(os.path.abspath(root))
        raise DataError(
            f"{root} holds {len(images)} files and no folder; {USAGE}" + (f"; is {parent} meant?" if images else "")
        )
    if len(folders) == 1:
        inner, images = _entries(os.path.join(place, folders[0]))
        if len(inner) > 1 and not [name for name in images if not hidden(name)]:
            below = os.path.join(place, folders[0])
            raise DataError(f"{place} holds one folder, which holds {len(inner)}: {some(inner)}; is {below} meant?")
    found: dict[str, tuple[str, ...]] = {}
    prefix = f"{part}/" if part else ""
    for name in folders:
        title = _title(name)
        found[title] = (*found.get(title, ()), f"{prefix}{name}")
    return {title: found[title] for title in sorted(found)}, tuple(f"{prefix}{name}" for name in files)


def _title(name: str) -> str:
    """What a class is called: as its folder, which some systems spell with letters and accents apart."""
    return unicodedata.normalize("NFC", os.fsencode(name).decode("utf-8", "backslashreplace"))


def _entries(place: str) -> tuple[list[str], list[str]]:
    """The names of the folders in one, links to folders included, hidden ones not, and of all else; both sorted."""
    try:
        with os.scandir(place) as entries:
            named = sorted((entry.name, os.path.isdir(entry.path)) for entry in entries)  # False for odd links
    except OSError as error:
        raise DataError(f"{place} cannot be read: {error.strerror or error}") from error
    folders = [name for name, is_folder in named if is_folder and not hidden(name)]
    return folders, [name for name, is_folder in named if not is_folder or hidden(name)]
