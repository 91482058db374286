"""Small folders of images, and what is said of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from PIL import Image

from zoo.data.dataset import Data, Split


def image(path: Path, content: str | None = None) -> Path:
    """An image of 8x8 pixels that depends on `content`, or on its path; folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.blake2b((content or str(path)).encode(errors="surrogateescape")).digest()
    Image.frombytes("RGB", (8, 8), digest * 3).save(path, format="PNG")
    return path


def images(root: Path, names: Iterable[str]) -> Path:
    """A folder of images of these paths, all of them different."""
    for name in names:
        image(root / name, name)
    return root


def numbered(name: str, count: int) -> list[str]:
    """Paths of the images of a class."""
    return [f"{name}/{number:03}.png" for number in range(count)]


def names(split: Split | None) -> list[str]:
    """What the images of a part are called."""
    return [] if split is None else [split.name(position) for position in range(len(split.labels))]


def by_class(data: Data, part: str) -> dict[str, list[str]]:
    """The images of a part by the name of their class."""
    found: dict[str, list[str]] = {}
    split = getattr(data, part)
    for name, label in zip(names(split), split.labels.tolist(), strict=True):
        found.setdefault(data.class_names[label], []).append(name)
    return found
