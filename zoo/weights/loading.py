"""Trained weights into a network: found, read, recognised, checked from end to end, and only then written."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from zoo.errors import InvalidOption, WeightsError, shown
from zoo.lazy import classifier
from zoo.spec import Input, ModelSpec, resized
from zoo.weights.layout import apply_conventions
from zoo.weights.matching import LAYOUTS, Match, Names, Shapes, fill, match, names_of, shapes_of, unseen
from zoo.weights.native import NATIVE, Header, check_input, misfits, read_header
from zoo.weights.provenance import input_of
from zoo.weights.sources import Opened, Source, open_source
from zoo.weights.unwrapping import Found, find

__all__ = ["Recognised", "Written", "header_of", "imagenet_classes", "load_weights", "recognise", "say", "write"]

SHOWN = 2  # mismatches that an error names


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """Weights whose layout is known.

    Args:
        opened: what they are in.
        found: the state in it.
        names: the keys in it, by those of the network.
        shapes: of its tensors, by the keys of the network.
        header: what a file of the zoo's own says of itself.
        notes: what a person should know.
    """

    opened: Opened
    found: Found
    names: Names
    shapes: Shapes
    header: Header | None
    notes: list[str]


class Written(NamedTuple):
    """What was written into a network: what a person should know, and how many of its tensors came from the file."""

    notes: list[str]
    taken: int


def load_weights(
    model: classifier.Classifier, source: Source, *, input: Input | None = None, ema: bool = False
) -> None:
    """Fills a network with trained weights, and gives it the padding, epsilons and preprocessing they need.

    The library that weights come from is recognised by their keys, and so is where they are in what a training script
    saved, whatever wrapped the network then. Everything is checked before the first weight is written: after an error
    the network is what it was. What a person should know is said as a warning:

    * Another number of classes than the file's, or a file without a classifier, keeps the network's own last layer.
    * A network for 1 channel gets the sum of the filters for red, green and blue; one for 2, 4 or more takes them in
      turns, scaled so that an image with the same value in every channel gives what it gave before.
    * Weights that do not say which preprocessing they want get that of their library's published ones.
    * A network on the meta device takes the tensors of the file as they lie on the disk, mapped into memory: do not
      overwrite that file in place while the network lives. Any other network gets a copy.

    Args:
        source: "imagenet", "imagenet:TAG", a file (.pth, .safetensors, Keras .h5), a folder with the model's file,
            tensors by name, or a file open for reading bytes.
        input: the preprocessing that the weights want, where they cannot tell.
        ema: the averaged weights of a training checkpoint that holds both.

    Raises:
        WeightsError: absent, damaged, unsafe, or of another network; names the first few mismatches.
        TypeError: `model` is no network of the zoo.
        InvalidOption: `input` is none.
    """
    if not isinstance(model, classifier.Classifier):
        raise TypeError(f"zoo.load_weights fills a network of the zoo; got {shown(model)}")
    say(write(model, recognise(model, open_source(model.spec, source), ema=ema), input=input).notes)


def recognise(model: classifier.Classifier, opened: Opened, *, ema: bool = False) -> Recognised:
    """Finds the weights for a network in what was opened; `model` may have any number of classes."""
    header, spec = header_of(opened), model.spec
    if header is not None and (problems := misfits(header, spec)):
        raise WeightsError(f"{opened.contents.name} does not fit {spec.label}: {'; '.join(problems[:SHOWN])}")
    names = {"zoo": names_of(model)["zoo"]} if header else names_of(model)
    expected = {source: set(keys.values()) for source, keys in names.items()}
    found, notes = find(opened.contents, expected, spec.label, ema=ema)
    return Recognised(
        opened=opened,
        found=found,
        names=names[found.source],
        shapes=shapes_of(found, names[found.source]),
        header=header,
        notes=[*opened.notes, *(() if header else notes)],
    )


def header_of(opened: Opened) -> Header | None:
    """What a file of the zoo's own says of itself; None for any other."""
    try:
        return read_header(opened.contents.metadata or opened.contents.found)
    except WeightsError as error:
        raise WeightsError(f"{opened.contents.name}: {error}") from error


def write(model: classifier.Classifier, recognised: Recognised, *, input: Input | None = None) -> Written:
    """Fills a network with recognised weights if they fit."""
    opened, found, header = recognised.opened, recognised.found, recognised.header
    name, layout, spec = opened.contents.name, LAYOUTS[found.source], model.spec
    _check(input)
    problems = unseen(spec, layout)
    matched = Match(problems=problems) if problems else match(model, found, recognised.names, recognised.shapes)
    if problems := matched.problems:
        more = f"; and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        raise WeightsError(
            f"{name} ({layout.source} layout) does not fit {spec.label}: {'; '.join(problems[:SHOWN])}{more}"
        )
    fill(model, matched.state)
    notes = [*recognised.notes, *matched.notes]
    if layout is not NATIVE:
        apply_conventions(model, layout.conventions(model))
        images, trained_size, said = (input, input.size, []) if input else input_of(spec, opened, layout.source)
        notes += said
    elif header is not None:
        apply_conventions(model, header.conventions)
        images = input or header.input
        trained_size = images.size
    else:
        images, trained_size = input or spec.input, None
        if not input and any(
            row.source != "torchvision" or _own(row.input, spec) != spec.input for row in spec.weights
        ):
            notes.append(
                f"{name} does not say whose padding, epsilon and preprocessing its weights need (zoo.save_weights "
                "writes it down), it keeps its own; zoo.load_weights(model, PATH, input=zoo.Input(...)) states another"
            )
    notes += _adopt(model, images, trained_size)
    if matched.same_classes:
        model.class_names = _class_names(model, recognised)
    return Written(notes, len(matched.state))


def say(notes: Iterable[str]) -> None:
    """Warns whoever called the function of the zoo that called this."""
    for note in notes:
        warnings.warn(note, stacklevel=3)


@cache
def imagenet_classes() -> tuple[str, ...]:
    """The 1000 classes of ILSVRC-2012, in the order of their WordNet ids as all published weights have them."""
    lines = files("zoo.weights").joinpath("imagenet_wnids.txt").read_text(encoding="utf-8").splitlines()
    return tuple(line.partition("\t")[2] for line in lines)


def _class_names(model: classifier.Classifier, recognised: Recognised) -> tuple[str, ...] | None:
    """The names that belong to the weights; where they do not tell, those that the network has."""
    names = recognised.header.class_names if recognised.header is not None else None
    if recognised.opened.row is not None and recognised.header is None:
        names = imagenet_classes()
    return names if names is not None and len(names) == model.num_classes else model.class_names


def _check(images: Input | None) -> None:
    try:
        if images is not None and not isinstance(images, Input):
            raise ValueError(f"not {shown(images)}")
        if images is not None:
            check_input(images)
    except (ValueError, TypeError) as error:
        raise InvalidOption(f"input takes a zoo.Input such as zoo.spec(NAME).input: {error}") from error


def _adopt(model: classifier.Classifier, images: Input, trained_size: int | None) -> list[str]:
    """Gives the network's spec the preprocessing of its weights, at the network's own size; says if that differs."""
    spec = model.spec
    model.bind(dataclasses.replace(spec, input=_own(images, spec)), spec.initialize)
    if trained_size in (None, spec.input.size):
        return []
    return [f"the weights were trained at {trained_size} pixels, {spec.label} takes {spec.input.size}"]


def _own(images: Input, spec: ModelSpec) -> Input:
    """Preprocessing at the size that a network takes."""
    sized = resized(images, spec.input.size) if images.size != spec.input.size else images
    return dataclasses.replace(sized, min_size=spec.input.min_size, channels=spec.input.channels)
