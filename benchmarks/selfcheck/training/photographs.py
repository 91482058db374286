"""Folders of photographs to train on, made by enlarging natural images: large ones, and some as they are on the web."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

__all__ = ["KINDS", "Kind", "make"]

QUALITY = 88  # of a JPEG


class Kind(NamedTuple):
    """Photographs of one size.

    Args:
        sizes: width and height, which images take in turns.
        train, val: images in each part.
    """

    sizes: tuple[tuple[int, int], ...]
    train: int
    val: int


KINDS = {
    "12 megapixels": Kind(((4000, 3000), (3000, 4000)), 64, 32),
    "300 to 500 pixels": Kind(((500, 375), (400, 300), (375, 500), (500, 333)), 1500, 1500),
}


def make(kind: Kind, source: Path, target: Path) -> Path:
    """A folder with train and val, one folder a class in each, of images of such a one; classes take turns."""
    jobs: list[tuple[Path, Path, tuple[int, int]]] = []
    for part, count in (("train", kind.train), ("val", kind.val)):
        classes = [sorted(folder.iterdir()) for folder in sorted((source / part).iterdir())]
        for number in range(min(count, len(classes) * min(map(len, classes)))):
            file = classes[number % len(classes)][number // len(classes)]
            goal = target / part / file.parent.name / f"{file.stem}.jpg"
            goal.parent.mkdir(parents=True, exist_ok=True)
            jobs.append((file, goal, kind.sizes[number % len(kind.sizes)]))
    with ProcessPoolExecutor() as pool:
        list(pool.map(_enlarge, *zip(*jobs, strict=True), chunksize=16))
    return target


def _enlarge(file: Path, goal: Path, size: Sequence[int]) -> None:
    from PIL import Image

    with Image.open(file) as image:
        large = image.convert("RGB").resize((size[0], size[1]), Image.Resampling.BICUBIC)
    large.save(goal, quality=QUALITY)
