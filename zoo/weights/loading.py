"""Trained weights into a network: found, read, recognised, checked from end to end, and only then written."""

from __future__ import annotations

import dataclasses
import os
import re
import tempfile
import warnings
from pathlib import Path

from zoo.errors import WeightsError
from zoo.lazy import classifier, nn, torch
from zoo.names import Registry
from zoo.spec import Input, ModelSpec, Weights, resized
from zoo.weights.fetch import fetch
from zoo.weights.files import SUFFIXES, Contents, read
from zoo.weights.keras import KERAS
from zoo.weights.layout import Layout, apply_conventions
from zoo.weights.native import NATIVE, Header, misfits, read_header, write_header
from zoo.weights.timm import TIMM
from zoo.weights.torchvision import TORCHVISION

__all__ = ["LAYOUTS", "export_weights", "load_weights", "locate", "save_weights"]

LAYOUTS = Registry("layout", ((layout.source, layout) for layout in (NATIVE, TORCHVISION, KERAS, TIMM)))

# options that change what a network computes and no shape: no library's weights were trained with another value
UNSEEN_OPTIONS = ("activation", "intermediate_activation", "stride_in")
SHOWN = 4  # mismatches that an error names
RECOGNISED = 0.2  # share of a network's keys that a file must have before its mismatches are worth naming


def load_weights(model: classifier.Classifier, source: str | os.PathLike[str]) -> None:
    """Fills a network with trained weights, and gives it the padding, epsilons and preprocessing they need.

    The library a file comes from is recognised by the keys in it. Everything is checked before the first weight is
    written: after an error the network is what it was.

    * Another number of classes than the file's keeps the network's own last layer, with a warning.
    * A network for 1 channel gets the sum of the filters for red, green and blue, with a warning.
    * A network on the meta device takes the tensors of the file as they lie on the disk, mapped into memory: do not
      overwrite that file in place while the network lives. Any other network gets a copy.

    Args:
        source: "imagenet", "imagenet:TAG", a file (.pth, .safetensors, Keras .h5), or a folder with the model's file.

    Raises:
        WeightsError: absent, damaged, unsafe, or of another network; names the first few mismatches.
    """
    path, row = _locate(model.spec, source)
    contents = read(path)
    layout = _recognised(model, contents)
    header = _header(layout, contents)
    match = _matched(model, layout, contents)
    problems = (misfits(header, model.spec) if header else _unseen(model.spec, layout)) or match.problems
    if problems:
        shown = "; ".join(problems[:SHOWN]) + (f"; and {len(problems) - SHOWN} more" if len(problems) > SHOWN else "")
        raise WeightsError(f"{path} ({layout.source} layout) does not fit {model.spec.label}: {shown}")
    _fill(model, match.state)
    notes = match.notes
    if layout is not NATIVE:
        apply_conventions(model, layout.conventions(model))
        notes += _adopt(model, *_published_input(model.spec, layout, path, row))
    elif header is not None:
        apply_conventions(model, header.conventions)
        notes += _adopt(model, header.input, header.input.size)
    elif any(entry.source != "torchvision" for entry in model.spec.weights):
        notes.append(
            f"{path} does not say whose padding and epsilon its weights need (zoo.save_weights writes it down); "
            "the model keeps its own"
        )
    for note in notes:
        warnings.warn(note, stacklevel=2)


def save_weights(model: classifier.Classifier, path: str | os.PathLike[str]) -> None:
    """Writes a network's weights as safetensors, with the variant, the conventions and the preprocessing beside them.

    A file of this name is replaced as a whole, never overwritten: networks that were loaded from it are safe.

    Raises:
        WeightsError: the name does not end in .safetensors, or the file cannot be written.
    """
    from safetensors.torch import save_file

    target = Path(path)
    if target.suffix != ".safetensors":
        raise WeightsError(f"weights are saved as .safetensors; got {os.fspath(path)!r}")
    state = {key: tensor.contiguous() for key, tensor in model.state_dict().items()}
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as folder:
            written = Path(folder) / target.name
            save_file(state, written, metadata=write_header(model))
            written.replace(target)
    except Exception as error:  # the library's own errors, a full disk, a read-only folder
        raise WeightsError(f"{target} cannot be written: {error}") from error


def export_weights(model: classifier.Classifier, source: str) -> dict[str, torch.Tensor]:
    """A network's state under another library's names ("torchvision", "keras", "timm") and with its axes."""
    if source not in LAYOUTS or not LAYOUTS[source].has(model.spec):
        having = ", ".join(name for name, layout in LAYOUTS.items() if layout.has(model.spec))
        raise WeightsError(f"{model.spec.name!r} can be written for {having}; got {source!r}")
    layout = LAYOUTS[source]
    state = model.state_dict()
    return {theirs: layout.to_theirs(theirs, state[ours]) for ours, theirs in layout.names(model).items()}


# --- finding the file -------------------------------------------------------------------------------------------------


def _locate(spec: ModelSpec, source: str | os.PathLike[str]) -> tuple[Path, Weights | None]:
    """The file that `source` means, fetched where it is a published one, and then its row."""
    path = locate(spec, source)
    if path is None:
        row = _select(spec, str(source).partition(":")[2])
        return fetch(row), row
    return path, None


def locate(spec: ModelSpec, source: str | os.PathLike[str]) -> Path | None:
    """The file on this machine that weights for a model come from; None for a published checkpoint, which is fetched.

    Raises:
        WeightsError: there is no such file, or no such checkpoint of this model.
    """
    if isinstance(source, str) and source.partition(":")[0] == "imagenet":
        _select(spec, source.partition(":")[2])
        return None
    if not isinstance(source, (str, os.PathLike)):
        raise WeightsError(f"weights are 'imagenet', 'imagenet:TAG' or a path; got {source!r}")
    path = Path(source)
    if os.fspath(source) and path.is_dir():
        return _in_folder(spec, path)
    if not path.is_file():
        raise WeightsError(
            f"no file {os.fspath(source)!r}; weights are 'imagenet', 'imagenet:TAG' or a path; {_has(spec)}"
        )
    return path


def _select(spec: ModelSpec, tag: str) -> Weights:
    """The published checkpoint of a variant: of its resolution if there is one, else of the next larger."""
    fitting = [row for row in spec.weights if tag in ("", row.tag) and _fits(spec, row)]
    if not fitting:
        wanted = f"imagenet:{tag}" if tag else "imagenet"
        raise WeightsError(f"no checkpoint {wanted!r} of {spec.label!r}; {_has(spec)}")
    exact = [row for row in fitting if row.input.size == spec.input.size]
    if exact:
        return exact[0]
    sizes = sorted(row.input.size for row in fitting if row.tag == fitting[0].tag)
    size = next((size for size in sizes if size > spec.input.size), sizes[-1])
    return next(row for row in fitting if row.input.size == size)


def _fits(spec: ModelSpec, row: Weights) -> bool:
    """Whether a checkpoint is of this variant, whatever its resolution; auxiliary classifiers are optional."""
    theirs = {option.name: option.default for option in spec.declared} | dict(row.options)
    return all(
        spec.settings[option.name] == theirs[option.name]
        for option in spec.declared
        if option.network and option.name != "auxiliary"
    )


def _has(spec: ModelSpec) -> str:
    """The published checkpoints of a model, as a sentence for an error."""
    if not spec.weights:
        return f"{spec.name!r} has no published ImageNet weights"
    rows = [f"imagenet:{row.tag}" + "".join(f" {name}={value}" for name, value in row.options) for row in spec.weights]
    return f"{spec.name!r} has {', '.join(rows)}"


def _in_folder(spec: ModelSpec, folder: Path) -> Path:
    """The file in a folder that a published checkpoint of the variant is called by, or the only weight file there."""
    named = [folder / row.file_name for row in spec.weights if _fits(spec, row)]
    sized = [folder / row.file_name for row in spec.weights if _fits(spec, row) and row.input.size == spec.input.size]
    for path in (*sized, *named):
        if path.is_file():
            return path
    found = sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES)
    if len(found) != 1:
        looked = ", ".join(path.name for path in named) or "one weight file"
        raise WeightsError(f"{folder} should hold {looked}; it has {len(found)} weight files; name one of them")
    return found[0]


# --- checking ---------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """What of a file goes where in a network.

    Args:
        state: new tensors by the network's keys; a last layer whose classes differ is left out.
        problems: why it must not be loaded.
        notes: what a person should know when it is.
    """

    state: dict[str, torch.Tensor]
    problems: list[str]
    notes: list[str]


def _recognised(model: classifier.Classifier, contents: Contents) -> Layout:
    """The layout that knows most of the file's keys."""
    expected = {
        source: set(layout.names(model).values()) for source, layout in LAYOUTS.items() if layout.has(model.spec)
    }
    known = {source: len(contents.tensors.keys() & keys) for source, keys in expected.items()}
    best = max(known, key=lambda source: known[source])
    if known[best] < RECOGNISED * len(expected[best]):
        raise WeightsError(
            f"{contents.path} does not fit {model.spec.label}: it holds another network; {known[best]} of its "
            f"{len(contents.tensors)} keys are known as {' or '.join(known)} would name them; it begins with "
            f"{', '.join(list(contents.tensors)[:SHOWN]) or 'nothing'}"
        )
    return LAYOUTS[best]


def _header(layout: Layout, contents: Contents) -> Header | None:
    try:
        return read_header(contents.metadata) if layout is NATIVE else None
    except WeightsError as error:
        raise WeightsError(f"{contents.path}: {error}") from error


def _unseen(spec: ModelSpec, layout: Layout) -> list[str]:
    """Options of the network that another library's weights were not trained with and that no shape shows."""
    return [
        f"{layout.source}'s weights are of {option.name}={option.default}, the model has {spec.settings[option.name]}"
        for option in spec.declared
        if layout is not NATIVE and option.name in UNSEEN_OPTIONS and spec.settings[option.name] != option.default
    ]


def _matched(model: classifier.Classifier, layout: Layout, contents: Contents) -> Match:
    """Every tensor of the network beside the file's; one that fits keeps the file's memory if the types agree."""
    names = layout.names(model)
    first = f"{_first_convolution(model)}.weight"
    last = tuple(f"{path}." for path in _last_layers(model))
    match = Match(state={}, problems=[], notes=[])
    classes = 0
    for ours, wanted in model.state_dict().items():
        theirs = names.get(ours, ours)
        if theirs not in contents.tensors:
            if ours.endswith("num_batches_tracked"):  # counts training steps; old files and Keras's have none
                match.state[ours] = torch.zeros((), dtype=wanted.dtype)
            else:
                match.problems.append(f"{theirs} is missing")
            continue
        tensor = layout.to_ours(theirs, contents.tensors[theirs])
        if ours == first and tensor.dim() == 4 and tensor.shape[1] == 3 and wanted.shape[1] == 1:
            tensor = tensor.sum(dim=1, keepdim=True)
            match.notes.append("the model reads 1 channel: its first filters are the sum of those for red, green, blue")
        if ours.startswith(last) and tensor.dim() == wanted.dim() and tensor.shape[1:] == wanted.shape[1:]:
            classes = classes or (tensor.shape[0] if tensor.shape[0] != wanted.shape[0] else 0)
            if classes:
                continue
        if tensor.shape != wanted.shape:
            match.problems.append(f"{theirs} has shape {tuple(tensor.shape)}, the model's {tuple(wanted.shape)}")
        elif tensor.is_floating_point() != wanted.is_floating_point():
            match.problems.append(f"{theirs} is of {tensor.dtype}, the model's of {wanted.dtype}")
        else:
            match.state[ours] = tensor.to(wanted.dtype).contiguous()
    expected = set(names.values())
    match.problems.extend(
        f"{key} is not in the model"
        for key in contents.tensors
        if key not in expected and (model.auxiliary or not re.fullmatch(layout.auxiliary, key))
    )
    if classes:
        match.notes.append(
            f"the file has {classes} classes, the model {model.num_classes}: features are loaded, the last layer is new"
        )
    return match


def _first_convolution(model: classifier.Classifier) -> str:
    """Path of the layer that reads the image."""
    path: str = next(path for path, layer in model.named_modules() if isinstance(layer, nn.Conv2d))
    return path


def _last_layers(model: classifier.Classifier) -> list[str]:
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


# --- writing ----------------------------------------------------------------------------------------------------------


def _fill(model: classifier.Classifier, state: dict[str, torch.Tensor]) -> None:
    """Writes a checked state; a network on the meta device takes the tensors themselves and starts new layers."""
    on_meta = any(tensor.is_meta for tensor in model.parameters())
    for path in _last_layers(model):
        if on_meta and f"{path}.weight" not in state:
            layer = model.get_submodule(path).to_empty(device="cpu")
            with torch.no_grad():
                model.spec.initialize(layer)
    model.load_state_dict(state, strict=False, assign=on_meta)


def _published_input(spec: ModelSpec, layout: Layout, path: Path, row: Weights | None) -> tuple[Input, int | None]:
    """Preprocessing of a library's file, and the size it was trained at if that is known.

    A file that is not known by its name gets what its library does for this variant, else for this model.
    """
    rows = [entry for entry in spec.weights if entry.source == layout.source]
    row = row or next((entry for entry in rows if entry.file_name == path.name), None)
    if row is not None:
        return row.input, row.input.size
    usual = next((entry for entry in rows if _fits(spec, entry)), rows[0] if rows else None)
    return (usual.input if usual else spec.input), None


def _adopt(model: classifier.Classifier, images: Input, trained_size: int | None) -> list[str]:
    """Gives the network's spec the preprocessing of its weights, at the network's own size; says if that differs."""
    spec = model.spec
    own = resized(images, spec.input.size) if images.size != spec.input.size else images
    model.bind(dataclasses.replace(spec, input=dataclasses.replace(own, min_size=spec.input.min_size)), spec.initialize)
    if trained_size in (None, spec.input.size):
        return []
    return [f"the weights were trained at {trained_size} pixels, {spec.label} takes {spec.input.size}"]
