"""Reading weight files: recognised by their first bytes, never by running what is in them."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.errors import WeightsError
from zoo.lazy import torch
from zoo.weights.keras import read_hdf5

__all__ = ["SUFFIXES", "Contents", "read"]

SUFFIXES = (".pth", ".pt", ".safetensors", ".h5", ".hdf5")
_HDF5 = b"\x89HDF\r\n\x1a\n"
_ZIP = b"PK\x03\x04"
_WRAPPERS = ("state_dict", "model")  # where training scripts put the weights in a checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """The tensors of a file by the names they have in it, and what a safetensors header says beside them."""

    path: Path
    tensors: dict[str, torch.Tensor]
    metadata: dict[str, str]


def read(path: Path) -> Contents:
    """The contents of a file, on the CPU.

    PyTorch's zip files and safetensors are mapped, not read: a page comes into memory when it is first used, and the
    file must not be overwritten in place meanwhile (`zoo.save_weights` puts a new file in its place).

    Raises:
        WeightsError: the file is truncated, damaged, of an unknown kind, or would run code.
    """
    try:
        with path.open("rb") as file:
            start = file.read(9)
        metadata: dict[str, str] = {}
        if start.startswith(_HDF5):
            tensors = _read_hdf5(path)
        elif start[8:9] == b"{":
            tensors, metadata = _read_safetensors(path)
        else:
            tensors = _read_pickle(path, mapped=start.startswith(_ZIP))
    except WeightsError:
        raise
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{path} is refused: it is not a plain file of tensors, reading it could run code ({_first_line(error)}); "
            "ask for a file of tensors only, made by torch.save(model.state_dict(), ...) or safetensors"
        ) from error
    except Exception as error:  # a damaged file can fail anywhere in three libraries
        raise WeightsError(f"{path} cannot be read as weights, it may be truncated: {_first_line(error)}") from error
    for name, tensor in tensors.items():
        if tensor.layout is not torch.strided or tensor.is_quantized or tensor.is_meta:
            raise WeightsError(f"{path}: {name!r} is not a plain tensor of numbers")
    return Contents(path=path, tensors=tensors, metadata=metadata)


def _read_pickle(path: Path, *, mapped: bool) -> dict[str, torch.Tensor]:
    found: Any = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    for wrapper in _WRAPPERS:
        if isinstance(found, dict) and isinstance(found.get(wrapper), dict):
            found = found[wrapper]
    if not isinstance(found, dict) or not found:
        raise WeightsError(f"{path} holds a {type(found).__name__}; weights are a dictionary of tensors by name")
    for name, value in found.items():
        if not isinstance(name, str) or not isinstance(value, torch.Tensor):
            raise WeightsError(f"{path} holds a {type(value).__name__} under {name!r}; weights are tensors by name")
    return found


def _read_safetensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118


def _read_hdf5(path: Path) -> dict[str, torch.Tensor]:
    try:
        import h5py
    except ImportError as error:
        raise WeightsError(
            f"{path} is an HDF5 file of Keras; reading it needs h5py: pip install 'comparative-cnn-zoo[keras]'"
        ) from error
    with h5py.File(path, "r") as file:
        return read_hdf5(file)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:200]
