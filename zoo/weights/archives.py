"""PyTorch's two file formats: the zip archive of today and the row of pickles before version 1.6.

Numbers are mapped from the file where it stores them as they are and holds as many as the pickle says; those of a
compressed archive are decompressed, one tensor at a time.
"""

from __future__ import annotations

import itertools
import mmap
import struct
import zipfile
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Any

from zoo.lazy import torch
from zoo.weights.pickles import Storage, unpickle
from zoo.weights.stored import Stored, Unreadable

__all__ = ["read_archive", "read_row"]

LARGEST_DIRECTORY = 16 << 20  # bytes of a zip archive's list of contents
LARGEST_PICKLE = 16 << 20
_END, _END_64 = b"PK\x05\x06", b"PK\x06\x06"
_MAGIC = 0x1950A86A20F9469CFC6C  # of the row of pickles

# what another zip archive is known by, and what it is
_OTHERS = (
    (("constants.pkl", "bytecode.pkl"), "is TorchScript, which is code; torch.save(torch.jit.load(PATH).state_dict())"
     " makes a file of tensors"),
    (("archive_format", "serialized_exported_program.json", "archive_version"), "is an exported program (.pt2), which "
     "is code; save the network's tensors: torch.save(model.state_dict(), PATH)"),
    (("model.weights.h5",), "is a whole saved model of Keras; keras.models.load_model(PATH).save_weights("
     "'x.weights.h5') makes what can be read"),
    (("[Content_Types].xml", "META-INF/MANIFEST.MF", "mimetype"), "is a document or a package in a zip archive, no "
     "weights"),
)  # fmt: skip


def read_archive(path: Path) -> Any:
    """What `torch.save` put into a zip archive, its tensors as `Stored`."""
    _check_directory(path)
    try:
        with zipfile.ZipFile(path) as archive:
            entries = {entry.filename: entry for entry in archive.infolist()}
            root = _root(entries)
            records = _Records(path, root, entries, archive.start_dir)
            if f"{root}/byteorder" in entries and records.bytes_of("byteorder", 16) != b"little":
                raise Unreadable("was written on a machine of another byte order; save it there as safetensors")
            return unpickle(BytesIO(records.bytes_of("data.pkl", LARGEST_PICKLE)), records.tensor)
    except zipfile.BadZipFile as error:
        raise Unreadable(f"is truncated or damaged: {error}") from error


def _check_directory(path: Path) -> None:
    """Raises `Unreadable` where the list of contents is missing or larger than any checkpoint's."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - (1 << 16) - 100))
        tail = file.read()
    at, at_64 = tail.rfind(_END), tail.rfind(_END_64)
    if at < 0:
        raise Unreadable("is truncated: the end of its zip archive is missing")
    directory = int.from_bytes(tail[at + 12 : at + 16], "little")
    if at_64 >= 0:
        directory = int.from_bytes(tail[at_64 + 40 : at_64 + 48], "little")
    if directory > LARGEST_DIRECTORY:
        raise Unreadable(f"is damaged: the list of its contents takes {directory:,} bytes")


def _root(entries: Iterable[str]) -> str:
    """The folder in the archive that holds everything."""
    names = list(entries)
    leaves = {name.rpartition("/")[2] for name in names} | set(names)
    for known, reason in _OTHERS:
        if not leaves.isdisjoint(known):
            raise Unreadable(reason)
    pickles = [name for name in names if name.endswith("/data.pkl")]
    if len(pickles) != 1:
        arrays = any(name.endswith(".npy") for name in names)
        raise Unreadable(
            "is a NumPy archive, no weights of a library that is known here"
            if arrays
            else f"is a zip archive of something else; it begins with {', '.join(names[:2]) or 'nothing'}"
        )
    return pickles[0].removesuffix("/data.pkl")


class _Records:
    """The entries of an archive of `torch.save`.

    Args:
        root: the folder that holds them.
        end: position of the list of contents; no entry reaches into it.
    """

    def __init__(self, path: Path, root: str, entries: dict[str, zipfile.ZipInfo], end: int) -> None:
        self.path, self.root, self.entries = path, root, entries
        self.mapped = _mapped(path)
        self.starts = {name: self._start(entry) for name, entry in entries.items()}
        spans = sorted((self.starts[name], self.starts[name] + entry.compress_size) for name, entry in entries.items())
        for (_, stop), (start, _) in itertools.pairwise([*spans, (end, end)]):
            if stop > start:
                raise Unreadable("is damaged: two entries of its archive share bytes, or one reaches beyond the end")

    def _start(self, entry: zipfile.ZipInfo) -> int:
        """Position of an entry's bytes."""
        head = self.mapped[entry.header_offset : entry.header_offset + 30] if entry.header_offset >= 0 else b""
        if len(head) < 30 or head[:4] != b"PK\x03\x04" or entry.flag_bits & 1:
            raise Unreadable("is damaged or encrypted: an entry of its archive is not where it should be")
        name, extra = struct.unpack("<HH", head[26:30])
        return entry.header_offset + 30 + int(name) + int(extra)

    def _entry(self, name: str) -> zipfile.ZipInfo:
        entry = self.entries.get(f"{self.root}/{name}")
        if entry is None:
            raise Unreadable(f"is damaged: the record {name[:40]!r} is missing from its archive")
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise Unreadable("is a zip archive compressed in a way that is not read here; unpack and zip it again")
        if entry.compress_type == zipfile.ZIP_STORED and entry.file_size != entry.compress_size:
            raise Unreadable("is damaged: an entry of its archive has two sizes")
        return entry

    def bytes_of(self, name: str, limit: int) -> bytes:
        """A small record."""
        entry = self._entry(name)
        if entry.file_size > limit:
            raise Unreadable(f"is damaged: its record {name[:40]!r} takes {entry.file_size:,} bytes")
        if entry.compress_type == zipfile.ZIP_STORED:  # PyTorch may write archives without checksums
            start = self.starts[entry.filename]
            return bytes(self.mapped[start : start + entry.file_size])
        return self._decompressed(entry, entry.file_size)

    def tensor(self, storage: Storage, offset: int, sizes: tuple[int, ...], strides: tuple[int, ...]) -> Stored:
        """See `pickles.Tensor`."""
        entry = self._entry(f"data/{storage.key}")
        if entry.file_size < storage.nbytes:
            raise Unreadable(f"is damaged: record {storage.key[:40]!r} is shorter than the tensors in it")

        def read() -> torch.Tensor:
            if entry.compress_type == zipfile.ZIP_STORED:
                return _view(self.mapped, self.starts[entry.filename], storage, offset, sizes, strides)
            numbers = bytearray(self._decompressed(entry, storage.nbytes))
            return _view(numbers, 0, storage, offset, sizes, strides)

        return Stored(shape=sizes, dtype=storage.dtype, read=read)

    def _decompressed(self, entry: zipfile.ZipInfo, count: int) -> bytes:
        with zipfile.ZipFile(self.path) as archive, archive.open(entry) as record:
            found = record.read(count)
        if len(found) < count:
            raise Unreadable("is truncated or damaged: a compressed record is shorter than it says")
        return found


def read_row(path: Path) -> Any:
    """What `torch.save` wrote before its archives: pickles one after another, then the numbers of each storage."""
    storages: dict[str, Storage] = {}
    starts: dict[str, int] = {}
    mapped = _mapped(path)

    def tensor(storage: Storage, offset: int, sizes: tuple[int, ...], strides: tuple[int, ...]) -> Stored:
        if storages.setdefault(storage.key, storage) != storage:
            raise Unreadable("is damaged: it describes one storage twice")
        return Stored(
            shape=sizes,
            dtype=storage.dtype,
            read=lambda: _view(mapped, starts[storage.key], storage, offset, sizes, strides),
        )

    with path.open("rb") as file:
        if unpickle(file, tensor) != _MAGIC:
            raise Unreadable("is a plain pickle; weights are saved by torch.save or as safetensors")
        unpickle(file, tensor)  # the version of the format, always 1001
        machine = unpickle(file, tensor)
        if not isinstance(machine, dict) or machine.get("little_endian") is not True:
            raise Unreadable("was written on a machine of another byte order; save it there as safetensors")
        found = unpickle(file, tensor)
        keys = unpickle(file, tensor)
        position = file.tell()
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise Unreadable("is damaged: it does not list its storages")
    for key in keys:
        storage = storages.get(key)
        if storage is None:
            raise Unreadable("is damaged: it holds a storage that no tensor is in")
        (count,) = struct.unpack("<q", mapped[position : position + 8].ljust(8, b"\0"))
        starts[key] = position + 8
        position += 8 + storage.nbytes
        if position > len(mapped):
            raise Unreadable(f"is truncated: it ends before storage {len(starts)} of {len(keys)} does")
        if count != storage.count:
            raise Unreadable("is damaged: a storage has another length than its tensors say")
    if storages.keys() != starts.keys():
        raise Unreadable("is damaged: the numbers of a tensor are not in it")
    return found


def _mapped(path: Path) -> mmap.mmap:
    """The file in memory, page by page as it is used; what is written there stays out of the file."""
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)


def _view(
    memory: mmap.mmap | bytearray,
    start: int,
    storage: Storage,
    offset: int,
    sizes: tuple[int, ...],
    strides: tuple[int, ...],
) -> torch.Tensor:
    """A tensor in memory that holds its storage from `start` on."""
    if 0 in sizes:
        return torch.empty(sizes, dtype=storage.dtype)
    if start % storage.dtype.itemsize:  # numbers between two places where they may stand
        memory, start = bytearray(memory[start : start + storage.nbytes]), 0
    flat = torch.frombuffer(memory, dtype=storage.dtype, count=storage.count, offset=start)
    return flat.as_strided(sizes, strides, offset)
