"""Weight files that are broken or written to do harm: what each of them is, and the file."""

from __future__ import annotations

import io
import itertools
import json
import os
import pickle
import shutil
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

import zoo
from tests.zoo.weight_files import write_keras
from zoo.weights import export_weights

Made = Iterator[tuple[str, Path]]  # what is wrong, and the file

# --- pickles that would run code --------------------------------------------------------------------------------------

MARK = "exploded"  # what each of them would make in the working directory
CALLS: tuple[tuple[str, str, tuple[Any, ...]], ...] = (
    ("os", "mkdir", (MARK,)), ("posix", "mkdir", (MARK,)), ("os", "makedirs", (MARK,)),
    ("os", "system", (f"touch {MARK}",)), ("os", "popen", (f"touch {MARK}",)),
    ("subprocess", "call", (["touch", MARK],)),
    ("subprocess", "Popen", (["touch", MARK],)), ("builtins", "eval", (f"open({MARK!r}, 'w')",)),
    ("builtins", "exec", (f"open({MARK!r}, 'w')",)), ("builtins", "open", (MARK, "w")), ("io", "open", (MARK, "w")),
    ("_io", "FileIO", (MARK, "w")), ("shutil", "copyfile", ("/etc/hostname", MARK)), ("os", "symlink", ("/", MARK)),
    ("torch", "save", ({}, MARK)), ("numpy", "save", (MARK, 1)), ("logging", "FileHandler", (MARK,)),
    ("zipfile", "ZipFile", (MARK, "w")), ("sqlite3", "connect", (MARK,)), ("builtins", "getattr", ("", "join")),
)  # fmt: skip


def _pushed(value: Any) -> bytes:
    return pickle.dumps(value, 2)[2:-1]


def _global(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def _vehicles(module: str, name: str, arguments: tuple[Any, ...]) -> dict[str, bytes]:
    """Ways to have a function called by a pickle."""
    function, given = _global(module, name), _pushed(arguments)
    call = function + given + b"R"
    rebuild = _global("torch._utils", "_rebuild_tensor_v2")
    of_type = _global("torch._tensor", "_rebuild_from_type_v2")
    return {
        "alone": call,
        "by a name on the stack": _pushed(module) + _pushed(name) + b"\x93" + given + b"R",
        "as an old instance": b"(" + b"".join(_pushed(each) for each in arguments) + f"i{module}\n{name}\n".encode(),
        "as an object": b"(" + function + b"".join(_pushed(each) for each in arguments) + b"o",
        "as a new object": function + given + b"\x81",
        "as a new object with keywords": function + given + b"}\x92",
        "as a value": b"}" + _pushed("conv1.weight") + call + b"s",
        "as a key": b"}" + call + _pushed(1) + b"s",
        "in a list": b"]" + call + b"a",
        "in arguments of a script": _global("argparse", "Namespace") + b")R}" + _pushed("seed") + call + b"sb",
        "in an ordered dictionary": _global("collections", "OrderedDict")
        + b"]]"
        + _pushed("a")
        + b"a"
        + call
        + b"aa\x85R",
        "as the hooks of a tensor": rebuild + b"(NK\x00))I00\n" + call + b"tR",
        "as a reference to a storage": call + b"Q",
        "as the maker of a subclass": of_type + b"(" + function + b"N" + given + b"NtR",
        "as a state": _global("datetime", "timedelta") + b")R" + call + b"b",
    }


def archive(pickled: bytes, **records: bytes) -> bytes:
    """A zip archive as torch.save makes it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as zipped:
        zipped.writestr("archive/data.pkl", pickled)
        zipped.writestr("archive/byteorder", b"little")
        for name, content in records.items():
            zipped.writestr(f"archive/data/{name}", content)
        zipped.writestr("archive/version", b"3\n")
    return buffer.getvalue()


def row(pickled: bytes) -> bytes:
    """The row of pickles that torch.save made before its archives."""
    first = (0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True, "type_sizes": {}})
    return b"".join(pickle.dumps(value, 2) for value in first) + pickled + pickle.dumps([], 2)


def pickles(folder: Path) -> Made:
    """300 that would run code."""
    formats: tuple[Callable[[bytes], bytes], ...] = (archive, row, bytes)
    for number, (module, name, arguments) in enumerate(CALLS):
        for turn, (how, instructions) in enumerate(_vehicles(module, name, arguments).items()):
            path = folder / f"code-{number}-{turn}.pth"
            path.write_bytes(formats[(number + turn) % 3](b"\x80\x02" + instructions + b"."))
            yield f"{module}.{name} {how}", path


# --- truncated --------------------------------------------------------------------------------------------------------


def truncations(folder: Path, files: dict[str, Path]) -> Made:
    """80 that end too early."""
    for name, path in files.items():
        whole = path.read_bytes()
        lengths = {0, 1, 2, 7, 8, 9, 30, 100, 600, len(whole) - 8, len(whole) - 40}
        lengths |= {len(whole) * part // 10 for part in range(1, 10)}
        for length in sorted(lengths):
            cut = folder / f"cut-{length}-{name}"
            cut.write_bytes(whole[:length])
            yield f"{name} after {length} of {len(whole)} bytes", cut


# --- HDF5 -------------------------------------------------------------------------------------------------------------


def hdf5(folder: Path, model: zoo.Classifier) -> Made:
    """72 whose tensors are not simply in them."""
    import h5py

    write_keras(folder / "good.h5", export_weights(model, "keras"))
    secret = folder / "secret"
    secret.write_bytes(bytes(1 << 20))
    pipe = folder / "pipe"
    if not pipe.exists():
        os.mkfifo(pipe)
    for key in ("conv1/kernel", "conv_dw_5_bn/gamma", "conv_preds/bias"):
        for number, (how, change) in enumerate(_changes(folder, secret, pipe).items()):
            path = folder / f"hdf5-{key.replace('/', '-')}-{number}.h5"
            shutil.copyfile(folder / "good.h5", path)
            layer = key.partition("/")[0]
            with h5py.File(path, "r+") as file:
                group, name = file[layer], f"{key}:0"
                shape = group[name].shape
                if how.startswith("attribute"):
                    change(file, group, path)
                else:
                    del group[name]
                    change(group, name, shape)
            yield f"{how} for {key}", path


def _changes(folder: Path, secret: Path, pipe: Path) -> dict[str, Callable[..., None]]:
    import h5py
    import numpy as np

    def virtual(source: str) -> Callable[..., None]:
        def change(group: Any, name: str, shape: tuple[int, ...]) -> None:
            layout = h5py.VirtualLayout(shape=shape, dtype="f4")
            file = group.file.filename if source == "itself" else source
            place = f"{group.name}/{name}" if source == "itself" else "data"
            layout[...] = h5py.VirtualSource(file, place, shape=shape)
            group.create_virtual_dataset(name, layout)

        return change

    def link(target: Any) -> Callable[..., None]:
        def change(group: Any, name: str, shape: tuple[int, ...]) -> None:
            group.file.create_dataset("elsewhere", data=np.zeros(shape, "f4"))
            group[name] = target

        return change

    def made(**options: Any) -> Callable[..., None]:
        def change(group: Any, name: str, shape: tuple[int, ...]) -> None:
            given = {"shape": shape, "dtype": "f4"} | options
            if callable(given["shape"]):
                given["shape"] = given["shape"](shape)
            group.create_dataset(name, **given)

        return change

    def partly(group: Any, name: str, shape: tuple[int, ...]) -> None:
        dataset = group.create_dataset(name, (*shape[:-1], max(shape[-1], 2)), "f4", chunks=(1,) * len(shape))
        dataset[(0,) * len(shape)] = 1

    def in_a_group(group: Any, name: str, shape: tuple[int, ...]) -> None:
        group.create_group(name)

    def a_type(group: Any, name: str, shape: tuple[int, ...]) -> None:
        group[name] = np.dtype("f4")

    def round_about(group: Any, name: str, shape: tuple[int, ...]) -> None:
        group[name] = group

    def names(value: Any, *, of_file: bool = False) -> Callable[..., None]:
        def change(file: Any, group: Any, path: Path) -> None:
            holder = file if of_file else group
            key = "layer_names" if of_file else "weight_names"
            del holder.attrs[key]
            if value is not None:
                holder.attrs[key] = value

        return change

    return {
        "another file's bytes": made(external=[(str(secret), 0, h5py.h5f.UNLIMITED)]),
        "bytes of a pipe": made(external=[(str(pipe), 0, h5py.h5f.UNLIMITED)]),
        "a soft link": link(h5py.SoftLink("/elsewhere")),
        "a soft link to nothing": link(h5py.SoftLink("/nowhere")),
        "a link to another file": link(h5py.ExternalLink(str(secret), "/data")),
        "a link to a pipe": link(h5py.ExternalLink(str(pipe), "/data")),
        "a virtual dataset of another file": virtual(str(secret)),
        "a virtual dataset of a pipe": virtual(str(pipe)),
        "a virtual dataset of itself": virtual("itself"),
        "two gigabytes in chunks": made(shape=(512, 1024, 1024), chunks=(1, 1024, 1024), compression="gzip"),
        "never written": made(shape=lambda shape: (*shape, 1), chunks=True),
        "partly written": partly,
        "one number too many": made(shape=lambda shape: (*shape[:-1], shape[-1] + 1), data=None),
        "another rank": made(shape=lambda shape: (1, *shape)),
        "no numbers": made(dtype=h5py.string_dtype()),
        "numbers of two parts": made(dtype=np.dtype([("a", "f4"), ("b", "f4")])),
        "references": made(dtype=h5py.ref_dtype),
        "lists of any length": made(dtype=h5py.vlen_dtype("f4")),
        "a group": in_a_group,
        "a type": a_type,
        "its own group": round_about,
        "attribute of numbers": names(np.zeros(4)),
        "attribute that is missing": names(None, of_file=True),
        "attribute that leads outside": names([b"../conv1/kernel:0", b"/etc/passwd"]),
    }


# --- headers that lie -------------------------------------------------------------------------------------------------


def _safetensors(header: bytes, body: bytes = b"", length: int | None = None) -> bytes:
    return struct.pack("<Q", len(header) if length is None else length) + header + body


def headers(folder: Path, model: zoo.Classifier) -> Made:
    """Over 70 safetensors files whose header says what is not so."""
    good = folder / "good.safetensors"
    zoo.save_weights(model, good)
    whole = good.read_bytes()
    (length,) = struct.unpack("<Q", whole[:8])
    fields = json.loads(whole[8 : 8 + length])
    body = whole[8 + length :]
    key = "features.conv_1.conv.weight"
    entry = fields[key]
    lies: dict[str, bytes] = {}
    for number in (0, 1, 7, length - 1, length + 1, len(whole), 1 << 27, 1 << 40, (1 << 63) - 1, (1 << 64) - 1):
        lies[f"a header of {number} bytes"] = _safetensors(whole[8 : 8 + length], body, number)
    entries: dict[str, Any] = {
        "no entry": None, "a number": 3, "a list": [], "nothing": {}, "no type": {**entry, "dtype": None},
        "another type": {**entry, "dtype": "I32"}, "an unknown type": {**entry, "dtype": "F33"},
        "a smaller type": {**entry, "dtype": "F16"}, "a larger type": {**entry, "dtype": "F64"},
        "no shape": {**entry, "shape": None}, "a flat shape": {**entry, "shape": [10**18]},
        "a negative shape": {**entry, "shape": [-1, 3, 3, 3]}, "a huge shape": {**entry, "shape": [2**62, 2**62]},
        "a shape of fractions": {**entry, "shape": [0.5, 3, 3, 3]}, "an empty shape": {**entry, "shape": []},
        "a shape with nothing": {**entry, "shape": [0, 3, 3, 3]}, "a longer shape": {**entry, "shape": [2, 3, 3, 3, 3]},
        "no place": {**entry, "data_offsets": None}, "one offset": {**entry, "data_offsets": [0]},
        "offsets turned round": {**entry, "data_offsets": entry["data_offsets"][::-1]},
        "negative offsets": {**entry, "data_offsets": [-216, 0]},
        "a place beyond": {**entry, "data_offsets": [10**12, 10**12 + 216]},
        "huge offsets": {**entry, "data_offsets": [2**63, 2**63 + 216]},
        "another's place": {**entry, "data_offsets": [0, 4]},
        "an offset of text": {**entry, "data_offsets": ["0", "216"]},
    }  # fmt: skip
    for what, value in entries.items():
        lies[f"{what} for the first filters"] = _safetensors(json.dumps({**fields, key: value}).encode(), body)
    texts: dict[str, bytes] = {
        "no JSON": b"{" * 50, "deep JSON": b'{"a":' + b"[" * 20000 + b"]" * 20000 + b"}", "an open string": b'{"a',
        "no UTF-8": b'{"\xff": 1}', "a list": b'{}[1, 2]', "only spaces": b"{" + b" " * 1000, "nothing in it": b"{}",
        "one key twice": b'{"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}, '
        b'"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}',
        "a number that is none": b'{"a": NaN}', "a huge number": b'{"a": 1' + b"0" * 5000 + b"}",
    }  # fmt: skip
    for what, text in texts.items():
        lies[what] = _safetensors(text, body)
    own = json.loads(fields["__metadata__"]["comparative-cnn-zoo"])
    changes: dict[str, Any] = {
        "format": 99, "model": "resnet50", "options": [["width", 9]], "num_classes": 10**12, "class_names": ["a"],
        "in_channels": 0, "conventions": {"features.conv_1.norm.eps": -1}, "input": None, "versions": 3,
    }  # fmt: skip
    images: dict[str, Any] = {
        "resize": 40000, "size": 0, "mean": [], "std": [0, 0, 0], "interpolation": "nearest", "rounding": 1,
        "channels": -3, "min_size": 1e9, "surplus": 1,
    }  # fmt: skip
    wrong = [{**own, name: value} for name, value in changes.items()]
    wrong += [{**own, "input": {**own["input"], name: value}} for name, value in images.items()]
    wrong += [
        {**own, "input": {**own["input"], "mean": [value] * 3}} for value in (float("nan"), 1e999, "a", None, True)
    ]
    wrong += [
        {name: value for name, value in own.items() if name != left}
        for left in own
        if left not in ("format", "versions", "class_names")
    ]
    for number, each in enumerate([*map(json.dumps, wrong), "{", "[]", "null", "3", '"text"', "[" * 9999]):
        metadata = {**fields["__metadata__"], "comparative-cnn-zoo": each}
        lies[f"what the zoo says, {number}: {each[:40]}"] = _safetensors(
            json.dumps({**fields, "__metadata__": metadata}).encode(), body
        )
    for number, (what, content) in enumerate(lies.items()):
        path = folder / f"header-{number}.safetensors"
        path.write_bytes(content)
        yield what, path


def _tensor(key: str, kind: str, count: Any, offset: Any, sizes: Any, strides: Any) -> bytes:
    """A tensor as a pickle describes it."""
    storage = (
        b"(" + _pushed("storage") + _global("torch", kind) + _pushed(key) + _pushed("cpu") + _pushed(count) + b"tQ"
    )
    rest = (
        _pushed(offset) + _pushed(sizes) + _pushed(strides) + b"I00\n" + _global("collections", "OrderedDict") + b")R"
    )
    return _global("torch._utils", "_rebuild_tensor_v2") + b"(" + storage + rest + b"tR"


def archives(folder: Path, model: zoo.Classifier) -> Made:
    """Over 70 zip archives that say what is not so."""
    state = {key: tensor for key, tensor in model.state_dict().items()}
    key, filters = "features.conv_1.conv.weight", model.state_dict()["features.conv_1.conv.weight"]
    content, count, sizes, strides = filters.numpy().tobytes(), filters.numel(), tuple(filters.shape), filters.stride()
    kinds = ("FloatStorage", "DoubleStorage", "LongStorage", "QInt8Storage")
    told: list[tuple[Any, ...]] = [
        ("0", "FloatStorage", 10**9, 0, sizes, strides), ("0", "FloatStorage", 2**62, 0, sizes, strides),
        ("0", "FloatStorage", -1, 0, sizes, strides), ("0", "FloatStorage", 1.5, 0, sizes, strides),
        ("0", "FloatStorage", count, -1, sizes, strides), ("0", "FloatStorage", count, 1, sizes, strides),
        ("0", "FloatStorage", count, 2**62, sizes, strides), ("0", "FloatStorage", count, 0, (10**9,), (1,)),
        ("0", "FloatStorage", count, 0, (10**9,), (0,)), ("0", "FloatStorage", count, 0, (2**62, 2**62), (0, 0)),
        ("0", "FloatStorage", count, 0, (-1, 3, 3, 3), strides), ("0", "FloatStorage", count, 0, sizes, (27, 9, 3, -1)),
        ("0", "FloatStorage", count, 0, sizes, (2**40, 9, 3, 1)), ("0", "FloatStorage", count, 0, sizes, (1,)),
        ("0", "FloatStorage", count, 0, "1333", strides), ("0", "FloatStorage", count, 0, None, None),
        ("0", "FloatStorage", count, 0, (sizes,), (strides,)), ("9", "FloatStorage", count, 0, sizes, strides),
        ("../data.pkl", "FloatStorage", count, 0, sizes, strides), ("", "FloatStorage", count, 0, sizes, strides),
        *(("0", kind, count, 0, sizes, strides) for kind in kinds[1:]),
        ("0", "FloatStorage", count, 0, (sizes[0], 3, 3, 10**9), (0, 0, 0, 0)),
    ]  # fmt: skip
    lies: dict[str, bytes] = {}
    for tensor in told:
        pickled = b"\x80\x02}" + _pushed(key) + _tensor(*tensor) + b"s."
        lies[f"a tensor told as {tensor}"] = archive(pickled, **{"0": content})
    buffer = io.BytesIO()
    torch.save(state, buffer)
    whole = buffer.getvalue()
    with zipfile.ZipFile(io.BytesIO(whole)) as zipped:
        entries = zipped.infolist()
        start = zipped.start_dir
    end = whole.rindex(b"PK\x05\x06")
    fields = {"entries": (end + 10, 2), "length of the list": (end + 12, 4), "place of the list": (end + 16, 4)}
    fields |= {"way of packing": (start + 10, 2), "packed size": (start + 20, 4), "size": (start + 24, 4),
               "length of a name": (start + 28, 2), "length of the extra": (start + 30, 2), "place": (start + 42, 4),
               "flags": (start + 8, 2), "its own signature": (0, 4), "its own name's length": (26, 2)}  # fmt: skip
    for (what, (place, width)), value in itertools.product(fields.items(), (0, 1, 255, 2**16 - 1, 2**32 - 1)):
        lies[f"{what} of {value}"] = (
            whole[:place] + (value % 256**width).to_bytes(width, "little") + whole[place + width :]
        )
    data = next(entry for entry in entries if entry.filename.endswith("data.pkl"))
    lies["a long pickle"] = archive(b"\x80\x02" + b"]" * 500_000 + b".")
    lies["a bomb"] = _packed(b"\x80\x02" + b"]0" * 9_000_000 + b".")
    lies["a far memory"] = archive(b"\x80\x02]r" + struct.pack("<I", 2**31) + b".")
    lies["a large bytearray"] = archive(b"\x80\x05\x96" + struct.pack("<Q", 10**10) + b".")
    lies["a large text"] = archive(b"\x80\x04\x8d" + struct.pack("<Q", 10**10) + b"a.")
    lies["a key of many tuples"] = archive(b"\x80\x02})" + b"2\x86" * 200 + b"Ns.")
    lies["its own list"] = archive(b"\x80\x02]q\x00h\x00a.")
    lies["a name of many lists"] = archive(b"\x80\x02]" + b"2\x86" * 100 + b"U\x01a\x93.")
    lies["two of everything"] = whole[: data.header_offset] + whole
    for number, (what, content) in enumerate(lies.items()):
        path = folder / f"archive-{number}.pth"
        path.write_bytes(content)
        yield what, path


def _packed(pickled: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("archive/data.pkl", pickled)
    return buffer.getvalue()
