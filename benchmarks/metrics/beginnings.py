"""What a network of the accuracy metric begins with: which images, whose weights, trained or tested as they are.

Told without PyTorch where that can be: of folders, and of files that `zoo.save_weights` wrote.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import zoo
from benchmarks.records.files import checksum
from benchmarks.records.record import PUBLISHED, Case
from zoo.data import DATASETS
from zoo.data.dataset import Facts
from zoo.data.folder import FOLDER, listing
from zoo.data.imagenet import IMAGENET, class_names
from zoo.registry import spec as find_spec
from zoo.spec import ModelSpec
from zoo.training.recipes import PAPER, Recipe, recipe
from zoo.weights.loading import header_of, imagenet_classes
from zoo.weights.native import Header, read_header
from zoo.weights.sources import locate, open_file

__all__ = [
    "DEFAULT", "FOR_WEIGHTS", "SAMPLE", "SCRATCH", "facts_of", "header_in", "identity",
    "is_kept", "knows_the_classes", "label_of", "notes_of", "own_header", "recipe_of", "split_of", "usual_recipe",
]  # fmt: skip

DEFAULT = "fashion_mnist"  # the data set where none is named
SAMPLE, SCRATCH, FINETUNE = "sample", "scratch", "finetune"
FOR_WEIGHTS = (FINETUNE, "head_only")  # recipes that begin with trained weights
SPLIT = ("val_fraction", "seed", "group")  # how a folder was split, as a trained file says it


# --- data sets --------------------------------------------------------------------------------------------------------


@functools.cache
def facts_of(dataset: str, data_dir: str) -> Facts:
    """See `Dataset.facts`; looked up once a process, for what is told of a run again and again."""
    return DATASETS[dataset].facts(data_dir)


@functools.cache
def _classes_of(dataset: str, data_dir: str, fingerprint: str) -> tuple[str, ...]:
    """The names of the classes of images with this fingerprint; empty where they cannot be opened."""
    try:
        if dataset == FOLDER.name:
            return listing(data_dir).class_names
        if dataset == IMAGENET.name:
            return tuple(class_names().values())
        return DATASETS[dataset].open(data_dir).class_names
    except zoo.DataError:
        return ()


@functools.cache
def notes_of(dataset: str, data_dir: str) -> tuple[str, ...]:
    """What is known of a folder's images before it is opened: how many are used, how many are left out and why."""
    try:
        return listing(data_dir).notes if dataset == FOLDER.name else ()
    except zoo.DataError:
        return ()


# --- weights ----------------------------------------------------------------------------------------------------------


def identity(spec: ModelSpec, weights: str) -> str:
    """What tells weights from others: their tag, or the checksum of the file; as typed where none can be read."""
    try:
        path = locate(spec, weights)
        return weights if path is None else f"sha256:{checksum(path)[:16]}"
    except (zoo.WeightsError, OSError):
        return weights


def header_in(weights: str) -> Header | None:
    """What a file that `zoo.save_weights` wrote says of itself; None for any other, and where there is none.

    Raises:
        WeightsError: the file is damaged.
    """
    path = Path(weights)
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return _header_in(weights, status.st_size, status.st_mtime_ns) if path.is_file() else None


@functools.cache
def _header_in(weights: str, size: int, modified: int) -> Header | None:
    if not weights.endswith(".safetensors"):
        return header_of(open_file(weights))
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(weights, framework="numpy") as file:
            return read_header(file.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise zoo.WeightsError(f"{weights!r:.120} is damaged: {error!s:.100}") from error


def _header_or_none(weights: str) -> Header | None:
    """The same, and None for a damaged file, too: whoever loads it will say what is wrong with it."""
    try:
        return header_in(weights)
    except zoo.WeightsError:
        return None


def label_of(header: Header) -> str:
    """The model in a file, in shell form."""
    return find_spec(header.model).with_options(dict(header.options)).label


def own_header(case: Case) -> Header | None:
    """What the file that a case begins with says of itself, if it is of the case's model."""
    header = _header_or_none(case.weights_path)
    return header if header is not None and label_of(header) == zoo.spec(case.model).label else None


def split_of(header: Header | None) -> Mapping[str, Any]:
    """How the folder that a file was trained on came apart: the same way it is tested on what it has not seen."""
    written = header.training.get("data", {}) if header is not None else {}
    split = written.get("split", {}) if isinstance(written, Mapping) else {}
    return {name: split[name] for name in SPLIT if name in split}


def knows_the_classes(case: Case) -> bool:
    """Whether the classes of the data are among those of the weights, by name: then they can be tested as they are.

    A file that does not name its classes is taken at its word with data sets whose classes have one order, and never
    with somebody's folders.
    """
    published = case.weights_path.partition(":")[0] == PUBLISHED
    if published and case.dataset == IMAGENET.name:
        return True
    header = None if published else _header_or_none(case.weights_path)
    names = imagenet_classes() if published else header.class_names if header is not None else None
    if names is None:
        return case.dataset != FOLDER.name
    return set(_classes_of(case.dataset, case.data_dir, case.data)) <= set(names)


# --- recipes ----------------------------------------------------------------------------------------------------------


def usual_recipe(case: Case) -> str:
    """The recipe where none is named: empty for weights that are tested as they are."""
    if case.weights_path:
        return "" if knows_the_classes(case) else FINETUNE
    return SCRATCH if case.dataset == FOLDER.name else SAMPLE


def recipe_of(case: Case, **changes: object) -> Recipe | None:
    """The recipe that a case is trained with; None where the model's paper is meant and printed none.

    Raises:
        LookupError, UnknownOption, InvalidOption: there is no such recipe.
    """
    spec = zoo.spec(case.model)
    if case.recipe.partition(":")[0] == PAPER and spec.training is None:
        return None
    return dataclasses.replace(recipe(case.recipe, spec), **changes)  # type: ignore[arg-type]


def is_kept(case: Case) -> bool:
    """Whether a trained network is kept for use; those of the short recipe that tells networks apart are not.

    But on somebody's own images every one is.
    """
    return bool(case.recipe) and (case.recipe.partition(":")[0] != SAMPLE or case.dataset == FOLDER.name)
