"""Lists of models as they are typed: names, patterns, options and sweeps of them, and files that somebody trained."""

from __future__ import annotations

import glob
import itertools
import os
import re
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

import zoo
from benchmarks.metrics.beginnings import header_in, label_of
from zoo.errors import shown
from zoo.weights.files import SUFFIXES

__all__ = ["TrainedFile", "excluding", "expand_models", "files_of", "is_file", "is_pattern", "items_of"]


class TrainedFile(NamedTuple):
    """A file that says which model it holds, and the side in pixels of its images."""

    path: str
    model: str
    img_size: int


def is_file(item: str) -> bool:
    """Whether an item of a list of models is a path of weights, or a pattern of such."""
    return item.endswith(SUFFIXES) or os.sep in item or "/" in item


def _found(item: str) -> list[TrainedFile]:
    """The files that a path or a pattern names, in the order of their names.

    Raises:
        ValueError: there is none, or one does not say which model it holds.
    """
    pattern = os.path.expanduser(item)
    paths = sorted(glob.glob(pattern)) if re.search(r"[*?[]", pattern) and not Path(pattern).exists() else [pattern]
    if not paths:
        raise ValueError(f"no file matches {shown(item)}; zoo train leaves its network in runs/*/best.safetensors")
    return [_trained(path) for path in paths]


def _trained(path: str) -> TrainedFile:
    if not Path(path).is_file():
        raise ValueError(f"{shown(path)} is no file of weights; --models takes names, and files that zoo train wrote")
    try:
        header = header_in(path)
        if header is not None:
            return TrainedFile(path, label_of(header), header.input.size)
    except (zoo.WeightsError, zoo.UnknownModel, zoo.UnknownOption, zoo.InvalidOption) as error:
        raise ValueError(str(error.args[0] if error.args else error)) from error
    raise ValueError(
        f"{shown(path)} does not say which model it holds; --models NAME --weights {shown(path)} takes it for that one"
    )


def expand_models(text: str) -> list[str]:
    """Labels in a comma list of names, globs and options: "resnet*,mobilenet_v1:width=0.5,resolution=160,all".

    An option may be swept, "mobilenet_v1:width=0.25|0.5,resolution=128|160": every value with every other's. Paths of
    trained files, which may be among them, are passed over: see `files_of`.

    Raises:
        UnknownModel, UnknownOption, InvalidOption: as `zoo.spec`.
        ValueError: the list is empty or a pattern matches nothing.
    """
    every = items_of(text)
    items = [item for item in every if not is_file(item)]
    if not every:
        raise ValueError(f"a list of models is wanted; got {shown(text)}; --list shows all {len(zoo.list_models())}")
    labels: dict[str, None] = {}
    for item in items:
        name, colon, options = item.partition(":")
        matches = zoo.list_models("*" if name == "all" else name) if is_pattern(name) else [name]
        if not matches:
            raise ValueError(f"no model matches {shown(name)}; --list shows all {len(zoo.list_models())}")
        every_way = [f"{match}{colon}{ways}" for match in matches for ways in _swept(options)]
        labels |= dict.fromkeys(zoo.spec(each).label for each in every_way)
    return list(labels)


def _swept(options: str) -> list[str]:
    """Options without sweeps: each choice of one value for every option, in the order they are typed."""
    swept = []
    for part in options.split(","):
        name, equals, values = part.partition("=")
        if "" in (choices := [value.strip() for value in values.split("|")]) and len(choices) > 1:
            raise ValueError(f"a sweep has a value on either side of each |; got {shown(part)}")
        swept.append([f"{name}{equals}{choice}" for choice in choices])
    return [",".join(chosen) for chosen in itertools.product(*swept)]


def items_of(text: str) -> list[str]:
    """The parts of a list of models, each with its options."""
    items: list[str] = []
    for part in (part.strip() for part in text.split(",")):
        if re.match(r"\w+\s*=", part) and items and ":" in items[-1]:
            items[-1] += f",{part}"  # an option of the model before the comma
        elif part:
            items.append(part)
    return items


def files_of(text: str) -> tuple[TrainedFile, ...]:
    """The trained files in a list of models, each once."""
    found = (file for item in items_of(text) if is_file(item) for file in _found(item))
    return tuple(dict.fromkeys(found))


def is_pattern(name: str) -> bool:
    return name == "all" or re.search(r"[*?[]", name) is not None


def excluding(text: str) -> Callable[[str], bool]:
    """Whether a label is among those to leave out; a name stands for every variant of that model."""
    if not text:
        return lambda label: False
    expand_models(text)  # refuses names that mean nothing
    patterns = [part.strip() for part in text.split(",")]
    labels = set(expand_models(text))

    def excluded(label: str) -> bool:
        name = label.partition(":")[0]
        return label in labels or any(fnmatchcase(name, "*" if part == "all" else part) for part in patterns)

    return excluded
