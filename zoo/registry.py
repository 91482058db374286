"""Every model of the zoo by name, read without PyTorch."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from fnmatch import fnmatchcase

from zoo.errors import InvalidOption, UnknownModel, shown
from zoo.models import FAMILIES
from zoo.names import Registry
from zoo.spec import ModelSpec
from zoo.weights.checkpoints import CHECKPOINTS

__all__ = ["MODELS", "list_models", "spec"]


def _by_name() -> list[ModelSpec]:
    """The specs of all families with their published checkpoints, sorted by name."""
    entries = (entry for family in FAMILIES for entry in family.SPECS)
    complete = (dataclasses.replace(entry, weights=CHECKPOINTS.get(entry.name, ())) for entry in entries)
    return sorted(complete, key=lambda entry: entry.name)


MODELS = Registry("model", ((entry.name, entry) for entry in _by_name()))


def list_models(
    patterns: str | Iterable[str] = "*",
    *,
    exclude: str | Iterable[str] = (),
    family: str | None = None,
    weights: str | None = None,
) -> list[str]:
    """Names of the registered models, sorted.

    Args:
        patterns: shell pattern, or several, of which a name must match one ("resnet*").
        exclude: patterns of names to leave out.
        family: keep only this model file's.
        weights: "any" keeps models with ImageNet weights; a tag ("torchvision", "keras", "timm") those with that one.

    Raises:
        UnknownModel: there is no such family, or no model has weights of such a tag.
        TypeError: a pattern is not a string.
    """
    wanted, unwanted = _patterns("patterns", patterns), _patterns("exclude", exclude)
    families = (entry.family for entry in MODELS.values())
    tags = ("any", *(row.tag for entry in MODELS.values() for row in entry.weights))
    for kind, chosen, names in (("family", family, families), ("weights tag", weights, tags)):
        known = Registry(kind, dict.fromkeys(names).items())
        if chosen is not None and not (isinstance(chosen, str) and chosen in known):
            raise UnknownModel(known.unknown(chosen))
    return [
        name
        for name, entry in MODELS.items()
        if any(fnmatchcase(name, pattern) for pattern in wanted)
        and not any(fnmatchcase(name, pattern) for pattern in unwanted)
        and family in (None, entry.family)
        and (weights is None or any(weights in ("any", checkpoint.tag) for checkpoint in entry.weights))
    ]


def _patterns(argument: str, given: str | Iterable[str]) -> list[str]:
    """Shell patterns, given as one or as several."""
    patterns = []
    for pattern in given if isinstance(given, Iterable) and not isinstance(given, str) else [given]:
        if not isinstance(pattern, str):
            raise TypeError(f"{argument} takes a shell pattern such as 'resnet*', or several; got {shown(pattern)}")
        patterns.append(pattern)
    return patterns


def spec(name: str) -> ModelSpec:
    """What is known of a model: `spec("resnet50")`, `spec("mobilenet_v1:width=0.5,resolution=160")`.

    Raises:
        UnknownModel: no model has this name; the message holds the near misses.
        UnknownOption: the model declares no such option.
        InvalidOption: the option does not take this value.
    """
    if not isinstance(name, str):
        raise UnknownModel(f"a model is named by a string; got {shown(name)}")
    base, colon, text = name.partition(":")
    if base not in MODELS:
        raise UnknownModel(f"{MODELS.unknown(base)}; zoo.list_models() has all {len(MODELS)}")
    entry = MODELS[base]
    return entry.with_options(_parse_options(name, text)) if colon else entry


def _parse_options(name: str, text: str) -> dict[str, object]:
    """The pairs after the colon: "width=0.5,resolution=160"."""
    options: dict[str, object] = {}
    for pair in text.split(","):
        key, equals, value = (part.strip() for part in pair.partition("="))
        if not (key and equals and value):
            raise InvalidOption(
                f"options are written name=value, separated by commas; got {shown(pair)} in {shown(name)}"
            )
        if key in options:
            raise InvalidOption(f"option {shown(key)} is given twice in {shown(name)}")
        options[key] = value
    return options
