"""Whether a state fits a network.

Every shape is compared before anything is read, and everything is read before anything is written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from zoo.factory import build
from zoo.lazy import classifier, nn, torch
from zoo.names import Registry
from zoo.spec import ModelSpec
from zoo.weights.keras import KERAS
from zoo.weights.layout import Layout
from zoo.weights.native import NATIVE
from zoo.weights.stored import Stored
from zoo.weights.timm import TIMM
from zoo.weights.torchvision import TORCHVISION
from zoo.weights.unwrapping import Found

__all__ = [
    "LAYOUTS",
    "Match",
    "Names",
    "Shapes",
    "class_count",
    "fill",
    "first_convolution",
    "last_layers",
    "match",
    "names_of",
    "shapes_of",
    "unseen",
]

Names = Mapping[str, str]  # from the keys of a network to those of a library
Shapes = Mapping[str, tuple[int, ...]]  # by the keys of a network, with PyTorch's axes

LAYOUTS = Registry("layout", ((layout.source, layout) for layout in (NATIVE, TORCHVISION, KERAS, TIMM)))

# options that change what a network computes and no shape: no library's weights were trained with another value
UNSEEN_OPTIONS = ("activation", "intermediate_activation", "stride_in")
COUNTED = 1 << 14  # numbers of a tensor that are looked at for NaN; a training that diverged spreads them everywhere


@dataclass(slots=True, kw_only=True)
class Match:
    """What of a file goes where in a network.

    Args:
        state: new tensors by the network's keys; layers that start anew are left out.
        problems: why it must not be loaded; then nothing has been read.
        notes: what a person should know when it is.
        same_classes: whether the classifier is the file's.
    """

    state: dict[str, torch.Tensor] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    same_classes: bool = True


def names_of(model: classifier.Classifier) -> dict[str, Names]:
    """The keys of a network's state, and those of each library that has it."""
    return {source: layout.names(model) for source, layout in LAYOUTS.items() if layout.has(model.spec)}


def unseen(spec: ModelSpec, layout: Layout) -> list[str]:
    """Options of the network that another library's weights were not trained with and that no shape shows."""
    return [
        f"{layout.source}'s weights are of {option.name}={option.default}, the model has {spec.settings[option.name]}"
        for option in spec.declared
        if layout is not NATIVE and option.name in UNSEEN_OPTIONS and spec.settings[option.name] != option.default
    ]


def class_count(model: classifier.Classifier, shapes: Shapes) -> int | None:
    """Classes of the classifier in a file, None where it has none.

    Args:
        model: the network with a classifier of any number of classes.
        shapes: see `shapes_of`.
    """
    shape = shapes.get(f"{last_layers(model)[0]}.weight")
    return shape[0] if shape else None


def match(model: classifier.Classifier, found: Found, names: Names, shapes: Shapes) -> Match:
    """Every tensor of the network beside the file's.

    Args:
        names: the file's keys, by those of the network or of the same with a classifier.
        shapes: see `shapes_of`.
    """
    layout, result = LAYOUTS[found.source], Match()
    wanted = model.state_dict()
    names = {ours: theirs for ours, theirs in names.items() if ours in wanted}
    shapes = {ours: shape for ours, shape in shapes.items() if ours in wanted}
    new = _new_layers(model, names, shapes, result)
    first = f"{first_convolution(model)}.weight"
    for ours, tensor in wanted.items():
        theirs = names.get(ours, ours)
        stored = found.tensors.get(theirs)
        if ours.startswith(new):
            continue
        if stored is None:
            if not ours.endswith("num_batches_tracked"):  # counts training steps; old files and Keras's have none
                result.problems.append(f"{theirs} is missing")
        elif not isinstance(stored, Stored):
            result.problems.append(f"{theirs} is no plain tensor of numbers")
        elif shapes[ours] != tensor.shape and not (ours == first and _can_adapt(shapes[ours], tensor.shape)):
            result.problems.append(f"{theirs} has shape {shapes[ours]}, the model's {tuple(tensor.shape)}")
        elif stored.dtype.is_floating_point != tensor.dtype.is_floating_point or stored.dtype.is_complex:
            result.problems.append(f"{theirs} is of {stored.dtype}, the model's of {tensor.dtype}")
    known = set(names.values()) | (_of_classifier(model, layout) if not model.num_classes else set())
    result.problems.extend(
        f"{key[:60]} is not in the model"
        for key in found.tensors
        if key not in known and (model.auxiliary or not re.fullmatch(layout.auxiliary, key))
    )
    if not result.problems:
        for ours, tensor in wanted.items():
            if not ours.startswith(new):
                result.state[ours] = _read(layout, names.get(ours, ours), found, tensor)
        _say_what_was_read(result, first, shapes, names)
        _part(result.state)
    return result


def fill(model: classifier.Classifier, state: Mapping[str, torch.Tensor]) -> None:
    """Writes a checked state; a network on the meta device takes the tensors themselves and starts the other layers."""
    on_meta = any(tensor.is_meta for tensor in model.parameters())
    model.load_state_dict(state, strict=False, assign=on_meta)
    for layer in model.modules() if on_meta else ():
        if any(tensor.is_meta for tensor in layer.parameters(recurse=False)):
            layer.to_empty(device="cpu", recurse=False)
            with torch.no_grad():
                model.spec.initialize(layer)


def first_convolution(model: classifier.Classifier) -> str:
    """Path of the layer that reads the image."""
    path: str = next(path for path, layer in model.named_modules() if isinstance(layer, nn.Conv2d))
    return path


def last_layers(model: classifier.Classifier) -> list[str]:
    """Paths of the layers that have one output a class: the head's, and that of each auxiliary classifier."""
    branches = ["head", *(f"auxiliary.{row}" for row in model.auxiliary)]
    return [
        [
            f"{branch}.{path}"
            for path, layer in model.get_submodule(branch).named_modules()
            if isinstance(layer, (nn.Linear, nn.Conv2d))
        ][-1]
        for branch in branches
    ]


# --- shapes -----------------------------------------------------------------------------------------------------------


def shapes_of(found: Found, names: Names) -> Shapes:
    """The shapes of a file's tensors by the network's keys, with its axes."""
    layout = LAYOUTS[found.source]
    return {
        ours: _turned(layout, theirs, stored.shape)
        for ours, theirs in names.items()
        if isinstance(stored := found.tensors.get(theirs), Stored)
    }


def _turned(layout: Layout, theirs: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    if layout.to_ours is NATIVE.to_ours:  # as it is
        return shape
    try:
        return tuple(layout.to_ours(theirs, torch.empty(shape, device="meta")).shape)
    except RuntimeError:  # more numbers than can be counted
        return shape


def _new_layers(model: classifier.Classifier, names: Names, shapes: Shapes, result: Match) -> tuple[str, ...]:
    """Beginnings of the keys of layers that start anew: the last ones if the file has other classes or none."""
    head = ("head.", "auxiliary.")
    whole = not any(ours.startswith(head) for ours in shapes)
    result.same_classes = model.num_classes > 0
    if not model.num_classes:
        if whole and any(ours.startswith(head) for ours in model.state_dict()):
            result.notes.append("the file has no head: features are loaded, the layers of the head are new")
        return head if whole else ()
    last = tuple(f"{path}." for path in last_layers(model))
    rows = {names[ours]: shape[0] for ours, shape in shapes.items() if ours.startswith(last) and shape}
    if not rows:
        result.same_classes = False
        result.notes.append(
            f"the file has no classifier: features are loaded, the last layer is new, of {model.num_classes} classes"
        )
        return head if whole else last
    if len(set(rows.values())) > 1:
        few = ", ".join(f"{theirs} {count}" for theirs, count in list(rows.items())[:4])
        result.problems.append(f"the last layers of the file have different numbers of classes: {few}")
        return last
    (classes,) = set(rows.values())
    own = {ours: tensor.shape for ours, tensor in model.state_dict().items() if ours.startswith(last)}
    others = all(ours in shapes and shapes[ours][1:] == shape[1:] for ours, shape in own.items())
    if classes == model.num_classes or not others:
        return ()
    result.same_classes = False
    result.notes.append(
        f"the file has {classes} classes, the model {model.num_classes}: features are loaded, the last layer is new"
    )
    return last


def _of_classifier(model: classifier.Classifier, layout: Layout) -> set[str]:
    """The keys in a file that a network without classifier does without."""
    whole = build(model.spec, num_classes=1, in_channels=model.in_channels)
    return {theirs for ours, theirs in layout.names(whole).items() if ours.startswith(("head.", "auxiliary."))}


def _can_adapt(shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    """Whether filters for RGB can become those of a network for other channels."""
    return len(shape) == 4 and shape[1] == 3 and (shape[0], *shape[2:]) == (wanted[0], *wanted[2:])


# --- numbers ----------------------------------------------------------------------------------------------------------


def _read(layout: Layout, theirs: str, found: Found, wanted: torch.Tensor) -> torch.Tensor:
    """A tensor of the file as the network has it; it keeps the file's memory if the types agree."""
    stored = found.tensors.get(theirs)
    if stored is None:
        return torch.zeros((), dtype=wanted.dtype)
    tensor = layout.to_ours(theirs, stored.read())
    if tensor.dim() == 4 and tensor.shape[1] != wanted.shape[1]:
        tensor = _for_channels(tensor, wanted.shape[1])
    return tensor.to(wanted.dtype).contiguous()


def _for_channels(filters: torch.Tensor, channels: int) -> torch.Tensor:
    """Filters for RGB as filters for other channels, as timm does it: their sum for grey, else taken in turns.

    Filters taken in turns are scaled so that an image with the same value in every channel gives what it gave before.
    """
    if channels == 1:
        return filters.sum(dim=1, keepdim=True)
    turns = [channel % 3 for channel in range(channels)]
    return filters[:, turns] * (3 / channels)


def _say_what_was_read(
    result: Match, first: str, shapes: Mapping[str, tuple[int, ...]], names: Mapping[str, str]
) -> None:
    channels = result.state[first].shape[1]
    if channels != shapes[first][1]:
        how = (
            "the sum of those for red, green, blue"
            if channels == 1
            else f"those for red, green, blue in turns, times 3/{channels}"
        )
        result.notes.append(f"the model reads {channels} channel{'s' * (channels > 1)}: its first filters are {how}")
    broken = [ours for ours, tensor in result.state.items() if not _is_finite(tensor)]
    if broken:
        result.notes.append(
            f"{len(broken)} of the file's tensors hold NaN or infinite numbers, the first is "
            f"{names.get(broken[0], broken[0])}: so will the network's answers"
        )


def _is_finite(tensor: torch.Tensor) -> bool:
    """Whether the first numbers of a tensor are; all of a large one would have to be fetched from the disk."""
    return not tensor.is_floating_point() or bool(tensor.flatten()[:COUNTED].isfinite().all())


def _part(state: dict[str, torch.Tensor]) -> None:
    """Gives every tensor memory of its own: in a file two may lie in one place, and training one would move both."""
    end = 0
    for ours, tensor in sorted(state.items(), key=lambda entry: entry[1].data_ptr()):
        if tensor.numel() and tensor.data_ptr() < end:
            state[ours] = tensor.clone()
        end = max(end, tensor.data_ptr() + tensor.nbytes)
