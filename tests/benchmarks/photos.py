"""Folders of tiny photographs, and networks that were trained on them, for tests."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

import zoo
from zoo.spec import resized

COLOURS = {"cat": (220, 40, 40), "dog": (40, 220, 40), "red fox": (40, 40, 220)}
SMALL = "mobilenet_v1:width=0.25"


def folder(root: Path, parts: Mapping[str, int], classes: Sequence[str] = tuple(COLOURS)) -> Path:
    """Images of 8x8 pixels, so many a class and part, each class of another colour."""
    chance = np.random.default_rng(0)
    for part, count in parts.items():
        for place, name in enumerate(classes):
            (root / part / name).mkdir(parents=True)
            colour = COLOURS.get(name, (60 * place, 100, 200))
            for number in range(count):
                pixels = np.clip(chance.normal(colour, 20, (8, 8, 3)), 0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(root / part / name / f"{number}.png")
    return root


def trained(path: Path, classes: Sequence[str], size: int = 32, *, as_option: bool = True) -> Path:
    """A file of the zoo's own that names its classes; nobody has trained it.

    Args:
        as_option: the size of its images is an option of the model; else only the file's input says it.
    """
    network = zoo.create(f"{SMALL},resolution={size}" if as_option else SMALL, num_classes=len(classes))
    network.bind(dataclasses.replace(network.spec, input=resized(network.spec.input, size)), network.spec.initialize)
    network.class_names = tuple(classes)
    path.parent.mkdir(parents=True, exist_ok=True)
    zoo.save_weights(network, path)
    return path
