"""What a key map is: one library's names, axes and conventions, beside the zoo's own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from zoo.lazy import blocks, classifier, nn, torch
from zoo.spec import ModelSpec

__all__ = ["Conventions", "Layout", "Rules", "apply_conventions", "conventions_of", "is_norm", "parameters", "renamed"]

# What a library does around the same weights, by path and attribute: {"features.conv_1.norm.eps": 1e-3,
# "features.conv_1.conv.padding_rule": "same"}. Whatever is not listed keeps what the network was built with; padding
# is symmetric unless it is listed.
Conventions = dict[str, float | str]

Rules = Sequence[tuple[str, str]]  # (pattern of a whole layer path here, its name there); the first that matches counts

PADDING_RULES = ("symmetric", "same", "far")


def _as_it_is(theirs: str, tensor: torch.Tensor) -> torch.Tensor:
    return tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How one library writes down the networks that the zoo has too.

    Args:
        source: the library's name, as in `Weights.source`.
        models: shell patterns of the registry names it has.
        names: the keys of a network's state here, and the key of the same tensor there; one to one. Only counts of
            training steps may be left out.
        conventions: padding and epsilon that the library's networks have.
        to_ours: a tensor of theirs, by its name there, with its axes in PyTorch's order.
        to_theirs: the way back.
        auxiliary: pattern of their keys that a network without auxiliary classifiers does without.
    """

    source: str
    models: tuple[str, ...]
    names: Callable[[classifier.Classifier], dict[str, str]]
    conventions: Callable[[classifier.Classifier], Conventions]
    to_ours: Callable[[str, torch.Tensor], torch.Tensor] = _as_it_is
    to_theirs: Callable[[str, torch.Tensor], torch.Tensor] = _as_it_is
    auxiliary: str = "(?!)"

    def has(self, spec: ModelSpec) -> bool:
        """Whether the library has this model."""
        return any(fnmatchcase(spec.name, pattern) for pattern in self.models)


def is_norm(layer: nn.Module) -> bool:
    """Whether a layer is a batch norm, synchronised between processes or not."""
    return isinstance(layer, (nn.BatchNorm2d, nn.SyncBatchNorm))


def parameters(model: nn.Module) -> Iterator[tuple[str, str]]:
    """(path of a layer, name of one of its tensors) for the whole state of a network, in order."""
    for key in model.state_dict():
        path, _, leaf = key.rpartition(".")
        yield path, leaf


def renamed(path: str, rules: Rules) -> str:
    """The name of a layer under `rules`; a layer that no rule knows keeps its own, which is then found missing."""
    for pattern, replacement in rules:
        if match := re.fullmatch(pattern, path):
            return match.expand(replacement)
    return path


def conventions_of(model: nn.Module) -> Conventions:
    """The conventions a network has now."""
    found: Conventions = {}
    for path, layer in model.named_modules():
        if is_norm(layer):
            found[f"{path}.eps"] = layer.eps
        elif (rule := blocks.padding_rule(layer)) != "symmetric":
            found[f"{path}.padding_rule"] = rule
    return found


def apply_conventions(model: nn.Module, conventions: Mapping[str, float | str]) -> None:
    """Gives a network exactly these conventions."""
    for path, layer in model.named_modules():
        if is_norm(layer):
            layer.eps = float(conventions.get(f"{path}.eps", layer.eps))
        elif isinstance(layer, (nn.Conv2d, blocks.MaxPool2d)):
            blocks.set_padding_rule(layer, str(conventions.get(f"{path}.padding_rule", "symmetric")))
