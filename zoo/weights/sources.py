"""What `weights=` may be: a published checkpoint, a file, a folder, a dictionary of tensors, an open file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from zoo.errors import WeightsError, shown
from zoo.lazy import nn, torch
from zoo.names import listed
from zoo.spec import ModelSpec, Weights
from zoo.weights.fetch import fetch
from zoo.weights.files import SUFFIXES, Contents, can_read, read, regular
from zoo.weights.stored import Stored, Unreadable, short

__all__ = ["Opened", "Source", "fits", "locate", "open_file", "open_source", "published"]

Source = str | os.PathLike[str] | Mapping[str, Any] | IO[bytes]
LARGEST_STREAM = 8 << 30  # bytes of an open file that are read; a checkpoint of VGG-19 with its optimizer has 1.7e9
DEEPEST = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """Weights that were found, none of them read yet.

    Args:
        contents: what is in them.
        row: the published checkpoint they are.
        path: the file they are in.
        notes: what a person should know.
    """

    contents: Contents
    row: Weights | None = None
    path: Path | None = None
    notes: tuple[str, ...] = ()


def open_source(spec: ModelSpec, source: Source) -> Opened:
    """The contents of whatever weights were given for a model.

    Raises:
        WeightsError: there is no such file or checkpoint, or it cannot be read.
    """
    if isinstance(source, nn.Module):
        raise WeightsError(
            f"weights are a file or tensors by name, got a {type(source).__name__}; pass its state_dict()"
        )
    if isinstance(source, Mapping):
        return Opened(contents=Contents(name="the dictionary of weights", found=_as_stored(source, 0)))
    if callable(getattr(source, "read", None)):
        return Opened(contents=_of_stream(source))  # type: ignore[arg-type]
    path = locate(spec, source)  # type: ignore[arg-type]
    if path is not None:
        return Opened(contents=read(path), row=_of_name(spec, path), path=path)
    row, notes = _select(spec, str(source).partition(":")[2])
    path = fetch(row)
    return Opened(contents=read(path), row=row, path=path, notes=notes)


def locate(spec: ModelSpec, source: str | os.PathLike[str]) -> Path | None:
    """The file on this machine that weights for a model come from; None for a published checkpoint, which is fetched.

    Raises:
        WeightsError: there is no such file, or no such checkpoint of this model.
    """
    if isinstance(source, str) and source.partition(":")[0] == "imagenet":
        _select(spec, source.partition(":")[2])
        return None
    given = _path(source)
    path = Path(given)
    try:
        if given and path.is_dir():
            return _in_folder(spec, path)
        missing = not given or not path.exists()
    except (OSError, ValueError) as error:
        raise WeightsError(f"{short(given)} cannot be read: {error}") from error
    if missing:
        raise WeightsError(
            f"no file {short(given)!r}; weights are 'imagenet', 'imagenet:TAG', a path, an open file or tensors by "
            f"name; {_has(spec)}"
        )
    try:
        regular(path)
    except Unreadable as error:
        raise WeightsError(f"{short(path)} {error}") from error
    return path


def open_file(path: str | os.PathLike[str]) -> Opened:
    """The contents of a file; raises `WeightsError` where it is none or cannot be read."""
    file = Path(_path(path))
    return Opened(contents=read(file), path=file)


def _path(source: object) -> str:
    given = os.fspath(source) if isinstance(source, os.PathLike) else source
    if not isinstance(given, str):
        raise WeightsError(
            f"weights are 'imagenet', 'imagenet:TAG', a path, an open file or tensors by name; got {shown(source)}"
        )
    return given


# --- what is in memory ------------------------------------------------------------------------------------------------


def _as_stored(inside: Mapping[Any, Any], depth: int) -> dict[Any, Any]:
    """A dictionary with its tensors as those of a file; whoever gave it keeps its own."""
    found: dict[Any, Any] = {}
    for key, value in inside.items():
        if isinstance(value, torch.Tensor):
            plain = value.layout is torch.strided and not value.is_quantized and not value.is_meta
            found[key] = _in_memory(value) if plain else value
        else:
            found[key] = _as_stored(value, depth + 1) if isinstance(value, Mapping) and depth < DEEPEST else value
    return found


def _in_memory(tensor: torch.Tensor) -> Stored:
    return Stored(
        shape=tuple(tensor.shape), dtype=tensor.dtype, read=lambda: tensor.detach().to("cpu", copy=True).contiguous()
    )


def _of_stream(file: IO[bytes]) -> Contents:
    """The contents of an open file from where it stands to its end, by way of a file that can be mapped."""
    try:
        with tempfile.TemporaryDirectory(prefix="zoo-weights-", ignore_cleanup_errors=True) as folder:
            path = Path(folder) / "open file of weights"
            with path.open("wb") as copy:
                while chunk := file.read(1 << 20):
                    if not isinstance(chunk, bytes):
                        raise WeightsError(
                            f"an open file of weights gives bytes, got {shown(chunk)}; open it with 'rb'"
                        )
                    copy.write(chunk)
                    if copy.tell() > LARGEST_STREAM:
                        raise WeightsError(f"the open file of weights does not end within {LARGEST_STREAM:,} bytes")
            contents = read(path)  # mapped or open from here on, so the name can go
    except WeightsError as error:
        raise WeightsError(str(error).replace(short(path), "the open file of weights")) from error
    except Exception as error:  # whatever reading somebody's object may raise
        raise WeightsError(f"the open file of weights cannot be read: {type(error).__name__}: {error}") from error
    return Contents(name="the open file of weights", found=contents.found, metadata=contents.metadata)


# --- published checkpoints --------------------------------------------------------------------------------------------


def published(spec: ModelSpec, source: str | os.PathLike[str]) -> Weights | None:
    """The published checkpoint that weights for a model are, by its tag or its file's name; nothing is fetched.

    Raises:
        WeightsError: there is no such file or checkpoint.
    """
    path = locate(spec, source)
    return _select(spec, str(source).partition(":")[2])[0] if path is None else _of_name(spec, path)


def _of_name(spec: ModelSpec, path: Path) -> Weights | None:
    return next((row for row in spec.weights if row.file_name == path.name), None)


def _select(spec: ModelSpec, tag: str) -> tuple[Weights, tuple[str, ...]]:
    """The published checkpoint of a variant: of its resolution if there is one, else of the next larger.

    Of several sources the first counts whose files can be read here, which is then said.
    """
    fitting = [row for row in spec.weights if tag in ("", row.tag) and fits(spec, row)]
    if not fitting:
        wanted = f"imagenet:{tag}" if tag else "imagenet"
        raise WeightsError(f"no checkpoint {shown(wanted)} of {spec.label!r}; {_has(spec)}")
    readable = [row for row in fitting if can_read(row.file_name)]
    if not readable:
        raise WeightsError(
            f"imagenet:{fitting[0].tag} of {spec.label} is an HDF5 file of Keras; reading it needs h5py: "
            "pip install 'comparative-cnn-zoo[keras]'"
        )
    row = _of_size(spec, [row for row in readable if row.tag == readable[0].tag])
    if row.tag == fitting[0].tag:
        return row, ()
    note = (
        f"imagenet:{fitting[0].tag} of {spec.label} cannot be read without h5py; imagenet:{row.tag} is loaded instead"
    )
    return row, (note,)


def _of_size(spec: ModelSpec, rows: list[Weights]) -> Weights:
    sizes = sorted(row.input.size for row in rows)
    size = next((size for size in sizes if size >= spec.input.size), sizes[-1])
    return next(row for row in rows if row.input.size == size)


def fits(spec: ModelSpec, row: Weights) -> bool:
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
    inputs = {option.name for option in spec.declared if not option.network}
    rows = (
        f"imagenet:{row.tag}" + "".join(f" {name}={value}" for name, value in row.options if name not in inputs)
        for row in spec.weights
    )
    return f"{spec.name!r} has {listed(dict.fromkeys(rows))}"


def _in_folder(spec: ModelSpec, folder: Path) -> Path:
    """The file in a folder that a published checkpoint of the variant is called by, or the only weight file there."""
    named = [folder / row.file_name for row in spec.weights if fits(spec, row)]
    sized = [folder / row.file_name for row in spec.weights if fits(spec, row) and row.input.size == spec.input.size]
    for path in (*sized, *named):
        if path.is_file():
            return path
    found = sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES and path.is_file())
    if len(found) != 1:
        looked = listed(path.name for path in named) if named else "one weight file"
        raise WeightsError(f"{short(folder)} should hold {looked}; it has {len(found)} weight files; name one of them")
    return found[0]
