"""Keras's HDF5 files: plain datasets behind hard links, and nothing else that HDF5 can do.

A dataset may lie in other files, be made of other datasets or be packed a thousandfold; a link may lead to another
file or to a pipe. None of that is opened: each step of a path must be a hard link, and a dataset must lie in this file
as a whole. What is read is read later, once its shape is known to be wanted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.lazy import torch
from zoo.weights.stored import Stored, Unreadable

if TYPE_CHECKING:
    import h5py

__all__ = ["KERNEL_NAMES", "NORM_NAMES", "read_hdf5"]

NORM_NAMES = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
KERNEL_NAMES = {"weight": "kernel", "bias": "bias"}
MOST_NAMES = 100_000  # in one attribute


def read_hdf5(path: Path) -> dict[str, Stored]:
    """The tensors of a Keras file by layer and kind: "conv1/kernel", "conv1_bn/gamma".

    Reads `model.save_weights("x.h5")`, the `model_weights` of a whole saved model, and Keras 3's `x.weights.h5`. Within
    a layer the order counts and not the name, as for Keras itself, whose names changed over its versions.
    """
    import h5py

    file = h5py.File(path, "r")  # stays open while its tensors are wanted
    if "layers" in file:
        layers = _keras_3(_inside(file, "layers"))
    else:
        layers = _keras_2(_inside(file, "model_weights") if "model_weights" in file else file)
    named = _numbered_shortcuts({name: arrays for name, arrays in layers.items() if arrays})
    return {f"{layer}/{kind}": tensor for layer, tensors in named.items() for kind, tensor in _kinds(tensors).items()}


def _keras_2(group: h5py.Group) -> dict[str, list[Stored]]:
    layers = {}
    for layer in _strings(group, "layer_names"):
        inside = _inside(group, layer)
        layers[layer] = [_stored(inside, weight) for weight in _strings(inside, "weight_names")]
    return layers


def _keras_3(group: h5py.Group) -> dict[str, list[Stored]]:
    layers = {}
    for name in group:
        weights = _inside(_inside(group, name), "vars")
        order = sorted(weights, key=int)
        layers[_text(weights, "name")[0]] = [_stored(weights, key) for key in order]
    return layers


# --- steps ------------------------------------------------------------------------------------------------------------


def _inside(group: h5py.Group, name: str) -> Any:
    """What a path leads to, every step of it by a hard link."""
    import h5py

    here = group
    for step in filter(None, name.split("/")):
        if not isinstance(here, h5py.Group) or not isinstance(here.get(step, getlink=True), h5py.HardLink):
            raise Unreadable(f"is refused: {name[:60]!r} in it is missing or a link to elsewhere")
        here = here[step]
    return here


def _stored(group: h5py.Group, name: str) -> Stored:
    import h5py
    import numpy as np

    dataset = _inside(group, name)
    if not isinstance(dataset, h5py.Dataset):
        raise Unreadable(f"is damaged: {name[:60]!r} in it is no dataset")
    _check_layout(dataset, name)  # even asking for the shape of a virtual dataset opens what it is made of
    shape = tuple(int(size) for size in dataset.shape or ())
    if dataset.dtype.kind not in "fiu" or dataset.dtype.itemsize > 8:
        raise Unreadable(f"is refused: {name[:60]!r} in it holds no plain numbers")
    nbytes = dataset.dtype.itemsize
    for size in shape:
        nbytes *= size
    if dataset.chunks is None:
        complete = dataset.id.get_storage_size() == nbytes
    else:
        steps = [-(-size // chunk) for size, chunk in zip(shape, dataset.chunks, strict=True)]
        complete = all(steps) and dataset.id.get_num_chunks() == _product(steps)
        complete &= _product(dataset.chunks) * dataset.dtype.itemsize <= max(nbytes, 1 << 16)
    if not complete:
        raise Unreadable(f"is damaged: {name[:60]!r} in it is not stored as a whole")
    kind = dataset.dtype.newbyteorder("=")
    return Stored(
        shape=shape,
        dtype=torch.from_numpy(np.empty(0, kind)).dtype,
        read=lambda: torch.from_numpy(dataset[()].astype(kind, copy=False)),
    )


def _check_layout(dataset: h5py.Dataset, name: str) -> None:
    """Raises `Unreadable` unless the numbers lie in this file, as they are or in chunks that h5py itself can unpack."""
    from h5py import h5d, h5z

    properties = dataset.id.get_create_plist()
    filters = {properties.get_filter(number)[0] for number in range(properties.get_nfilters())}
    plain = {h5z.FILTER_DEFLATE, h5z.FILTER_SHUFFLE, h5z.FILTER_FLETCHER32}
    here = (h5d.COMPACT, h5d.CONTIGUOUS, h5d.CHUNKED)
    if properties.get_layout() not in here or properties.get_external_count() or not filters <= plain:
        raise Unreadable(f"is refused: {name[:60]!r} in it does not lie in this file as a plain dataset")


def _product(sizes: Iterable[int]) -> int:
    product = 1
    for size in sizes:
        product *= int(size)
    return product


# --- names ------------------------------------------------------------------------------------------------------------


def _strings(group: h5py.Group, attribute: str) -> list[str]:
    """A list of names; Keras cuts lists beyond HDF5's limit into `attribute0`, `attribute1`, and so on."""
    if attribute in group.attrs:
        return _text(group, attribute)
    names: list[str] = []
    part = 0
    while f"{attribute}{part}" in group.attrs:
        names += _text(group, f"{attribute}{part}")
        part += 1
    if not part:
        raise Unreadable(f"is an HDF5 file, but not of Keras weights: {group.name} has no attribute {attribute!r}")
    return names


def _text(group: h5py.Group, attribute: str) -> list[str]:
    """The strings of an attribute."""
    import h5py

    kept = group.attrs.get_id(attribute)
    size = _product(kept.shape)
    if size == 0:
        return []
    string = h5py.check_string_dtype(kept.dtype)
    if size > MOST_NAMES or string is None or (string.length or 0) > 4096:
        raise Unreadable(f"is damaged: the attribute {attribute!r} of {group.name} is no list of names")
    value = group.attrs[attribute]
    names = [value] if isinstance(value, (str, bytes)) else list(value)
    return [name.decode() if isinstance(name, bytes) else str(name) for name in names]


_AUTOMATIC = re.compile(r"(conv2d|convolution2d|batch_?normalization)(?:_(\d+))?")


def _numbered_shortcuts(layers: Mapping[str, list[Stored]]) -> dict[str, list[Stored]]:
    """Xception's shortcuts are named by a running counter (`conv2d_7`); here `shortcut_1`, `shortcut_1_bn`."""
    found: dict[bool, list[tuple[int, str]]] = {False: [], True: []}
    for name in layers:
        if match := _AUTOMATIC.fullmatch(name):
            found["norm" in match[1]].append((int(match[2] or 0), name))
    names = {name: name for name in layers}
    for is_norm, numbered in found.items():
        for number, (_, name) in enumerate(sorted(numbered), start=1):
            names[name] = f"shortcut_{number}{'_bn' if is_norm else ''}"
    return {names[name]: arrays for name, arrays in layers.items()}


def _kinds(tensors: list[Stored]) -> dict[str, Stored]:
    """Names the tensors of one layer by their order and rank, as Keras's layout does."""
    kernels = [tensor for tensor in tensors if len(tensor.shape) > 1]
    vectors = [tensor for tensor in tensors if len(tensor.shape) <= 1]
    if not kernels and len(vectors) == 4:
        return dict(zip(NORM_NAMES.values(), vectors, strict=True))
    kinds = ["kernel"] if len(kernels) == 1 else ["depthwise_kernel", "pointwise_kernel"]
    if len(kernels) != len(kinds) or len(vectors) > 1:
        shapes = ", ".join(str(tensor.shape) for tensor in tensors[:4])
        raise Unreadable(f"holds another network: no layer here has tensors of the shapes {shapes}")
    return dict(zip(kinds, kernels, strict=True)) | dict(zip(["bias"], vectors, strict=False))
