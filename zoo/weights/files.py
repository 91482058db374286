"""Reading weight files: recognised by their first bytes, checked before anything is read, never by running them."""

from __future__ import annotations

import json
import re
import stat
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from zoo.errors import WeightsError
from zoo.lazy import torch
from zoo.weights.archives import read_archive, read_row
from zoo.weights.hdf5 import read_hdf5
from zoo.weights.stored import Stored, Unreadable, short

__all__ = ["SUFFIXES", "Contents", "can_read", "read", "regular"]

SUFFIXES = (".pth", ".pt", ".safetensors", ".h5", ".hdf5")
LARGEST_HEADER = 8 << 20  # bytes of a safetensors header
_HDF5 = b"\x89HDF\r\n\x1a\n"
_ZIP = b"PK"

# what a file is that is none of weights, by a pattern of its first bytes
_OTHERS = (
    (rb"version https://git-lfs", "is a Git LFS pointer, not the file it stands for; git lfs pull fetches that"),
    (rb"(\xef\xbb\xbf)?\s*<(!doctype|html|head|\?xml|!--)", "is a web page: what was downloaded is not the file"),
    (rb"\x1f\x8b", "is compressed by gzip; gunzip it first"),
    (rb"BZh[1-9]|\xfd7zXZ\x00|\x28\xb5\x2f\xfd|7z\xbc\xaf|Rar!", "is a compressed archive; unpack it first"),
    (rb"(?s).{257}ustar", "is a tar archive; unpack it first"),
    (rb"\x89PNG|\xff\xd8\xff|GIF8|BM.{4}\x00\x00\x00\x00|(?s:RIFF.{4}WEBP)|II\*\x00|MM\x00\*", "is an image"),
    (rb"%PDF", "is a document"),
    (rb"\x93NUMPY", "is a NumPy array; weights are tensors by name"),
    (rb"(?s).{4}TFL3", "is a TensorFlow Lite model; convert its weights to Keras's .h5 first"),
    (rb"\x7fELF|MZ|#!", "is a program"),
    (rb"([\t\n\r -~]|[\xc2-\xf4][\x80-\xbf]{1,3}){8,}.{0,3}\Z", "is a text file"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a file holds.

    Args:
        name: what messages call it.
        found: tensors by name, in a training script's checkpoint with other things beside and around them.
        metadata: what a safetensors header says beside the tensors.
    """

    name: str
    found: dict[Any, Any]
    metadata: dict[str, str] = field(default_factory=dict)


def read(path: Path) -> Contents:
    """The contents of a file; tensors are not read yet.

    PyTorch's files and safetensors are mapped, not read: a page comes into memory when it is first used, and the
    file must not be overwritten in place meanwhile (`zoo.save_weights` puts a new file in its place).

    Raises:
        WeightsError: the file is truncated, damaged, of an unknown kind, or would run code.
    """
    try:
        regular(path)
        with path.open("rb") as file:
            start = file.read(512)
        metadata: dict[str, str] = {}
        found: Any
        if start.startswith(_HDF5):
            _check_h5py()
            found = read_hdf5(path)
        elif start[8:9] == b"{":
            found, metadata = _read_safetensors(path)
        elif start.startswith(_ZIP):
            found = read_archive(path)
        else:
            _check_kind(start, path)
            found = read_row(path)
        if not isinstance(found, dict) or not found:
            raise Unreadable(f"holds {_kind(found)}; weights are a dictionary of tensors by name")
    except Unreadable as error:
        raise WeightsError(f"{short(path)} {error}") from error
    except Exception as error:  # a damaged file can fail anywhere in four libraries
        lines = str(error).strip().splitlines()
        reason = (lines[0] if lines else type(error).__name__)[:120]
        raise WeightsError(f"{short(path)} cannot be read as weights, it may be truncated: {reason}") from error
    return Contents(name=short(path), found=found, metadata=metadata)


def can_read(file_name: str) -> bool:
    """Whether the libraries that reading such a file takes are installed."""
    return not file_name.endswith((".h5", ".hdf5")) or find_spec("h5py") is not None


def regular(path: Path) -> None:
    """Raises `Unreadable` unless the path is that of a file with something in it; opens nothing."""
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        raise Unreadable(f"cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if not stat.S_ISREG(status.st_mode):
        kinds = ((stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"))
        raise Unreadable(f"is {next((kind for test, kind in kinds if test(status.st_mode)), 'a device')}, not a file")
    if status.st_size == 0:
        raise Unreadable("is empty")


def _check_kind(start: bytes, path: Path) -> None:
    for pattern, reason in _OTHERS:
        if re.match(pattern, start, re.IGNORECASE):
            raise Unreadable(reason)
    if path.suffix == ".onnx":
        raise Unreadable("is an ONNX model, a program rather than weights by name")
    if not start.startswith((b"\x80", b"(", b"}", b"]")):  # how a pickle begins
        raise Unreadable(f"is neither of PyTorch nor safetensors nor Keras's HDF5; it begins with {start[:8]!r}")


def _check_h5py() -> None:
    try:
        import h5py  # noqa: F401
    except ImportError as error:
        raise Unreadable(
            "is an HDF5 file of Keras; reading it needs h5py: pip install 'comparative-cnn-zoo[keras]'"
        ) from error


def _read_safetensors(path: Path) -> tuple[dict[str, Stored], dict[str, str]]:
    from safetensors import SafetensorError, safe_open

    _check_header(path)
    try:
        file: Any = safe_open(path, framework="pt")  # stays open while its tensors are wanted
        return {name: _slice(file, name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118
    except SafetensorError as error:
        raise Unreadable(f"is damaged: {error}") from error


def _check_header(path: Path) -> None:
    """Raises `Unreadable` where the header is too long to be one, or the file shorter than it says."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > LARGEST_HEADER:
            raise Unreadable(f"is damaged: it claims a header of {length:,} bytes")
        text = file.read(length)
    if len(text) < length:
        raise Unreadable("is truncated: it ends within its header")
    try:
        fields = json.loads(text)
        ends = [entry["data_offsets"][1] for name, entry in fields.items() if name != "__metadata__"]
        end = 8 + length + max(ends, default=0)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
        raise Unreadable(f"is damaged: its header makes no sense: {error!r:.80}") from error
    if end > size:
        raise Unreadable(f"is truncated: it has {size:,} of {end:,} bytes")


def _slice(file: Any, name: str) -> Stored:
    part = file.get_slice(name)
    shape, dtype = tuple(part.get_shape()), _dtype(part.get_dtype())
    return Stored(shape=shape, dtype=dtype, read=lambda: file.get_tensor(name))


def _dtype(name: str) -> torch.dtype:
    names = {
        "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I64": "int64", "I32": "int32",
        "I16": "int16", "I8": "int8", "U8": "uint8", "BOOL": "bool",
    }  # fmt: skip
    if name not in names:
        raise Unreadable(f"holds numbers of type {name[:20]}, which no network here has")
    dtype: torch.dtype = getattr(torch, names[name])
    return dtype


def _kind(found: Any) -> str:
    if isinstance(found, dict):
        return "nothing"
    return "one tensor" if isinstance(found, Stored) else f"a {type(found).__name__}"
