"""Decoded pixels on the disk: what took long once is there the next time, for every process of this machine.

A store is a folder below `zoo.cache.cache_folder()`:

    about.json       which images, of which folder, at which size
    index            a slot an image: where its pixels are, and of which state of its file
    pixels-1, ...    pixels one image behind the other; a file each process that wrote some

Nothing is locked. A process appends to a file of its own and fills an image's slot only when its pixels are written; a
slot or pixels that do not fit their checksums, as a kill or a full disk may leave them, count as absent.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import shutil
import struct
import warnings
import zlib
from collections.abc import Mapping
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from zoo.cache import cache_folder
from zoo.errors import one_line
from zoo.partial import replacing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["ABOUT", "IMAGES", "Stamp", "Store", "stamp", "stores_folder"]

IMAGES = "images"  # below the cache folder
ABOUT, INDEX, PIXELS = "about.json", "index", "pixels-"
SLOT = struct.Struct("<IIQIIqQ")  # file, checksum, offset, height, width, the image file's time and size
SLOT_BYTES = 48  # with the slot's own checksum behind it
SPARE = 1 << 30  # bytes of the disk that are left free
CHANNELS = 3


class Stamp(NamedTuple):
    """Which state of a file something was made of: time of its last change in nanoseconds, and bytes."""

    time: int
    size: int


def stamp(path: str) -> Stamp:
    """Of a file now; raises `OSError`."""
    found = os.stat(path)
    return Stamp(found.st_mtime_ns, found.st_size)


def stores_folder() -> Path:
    """Where the stores are."""
    return cache_folder() / IMAGES


class Store:
    """Pixels by position, shared by processes; what goes wrong with it costs time and never an image.

    Args:
        about: what the pixels depend on; where it differs, it is another store.
        count: images.
        limit: bytes that it may take.
    """

    def __init__(self, about: Mapping[str, object], count: int, limit: int) -> None:
        self._forget()
        text = json.dumps({**about, "count": count}, sort_keys=True)
        self.folder = stores_folder() / hashlib.blake2b(text.encode(), digest_size=12).hexdigest()
        self.count, self.limit = count, limit
        self._about = dict(about)

    def _forget(self) -> None:
        """Nothing is open yet."""
        self._index: mmap.mmap | None = None
        self._files: dict[int, FileIO] = {}
        self._checked: bytearray = bytearray()
        self._writer: FileIO | None = None
        self._number = self._process = 0
        self._full = False

    def __getstate__(self) -> dict[str, Any]:
        names = ("folder", "count", "limit", "_about")
        return {name: getattr(self, name) for name in names}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._forget()

    def open(self) -> None:
        """Makes the folder, or finds it.

        Raises:
            OSError: it cannot be written, or not be mapped into memory.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        if not (self.folder / ABOUT).is_file():
            with replacing(self.folder / ABOUT) as partial:
                partial.write_text(json.dumps(self._about, indent=1) + "\n", encoding="utf-8")
        os.utime(self.folder / ABOUT)  # tells when it was last used
        with (self.folder / INDEX).open("ab") as index:
            index.truncate(self.count * SLOT_BYTES)
        self._map()

    def close(self) -> None:
        """Closes the files that this process has open; the next call opens them again."""
        for file in (*self._files.values(), self._writer, self._index):
            if file is not None:
                file.close()
        self._forget()

    def __del__(self) -> None:
        self.close()

    @property
    def used(self) -> int:
        """Bytes of pixels on the disk."""
        with os.scandir(self.folder) as entries:
            return sum(entry.stat().st_size for entry in entries if entry.name.startswith(PIXELS))

    @property
    def room(self) -> int:
        """Bytes that may be written still: within the limit, and on this disk."""
        return max(0, min(self.limit - self.used, shutil.disk_usage(self.folder).free - SPARE))

    def empty(self) -> NDArray[np.int64]:
        """Positions of the images whose pixels are not here, of any state of their files."""
        import numpy as np

        slots = np.frombuffer(bytes(self._map()), np.uint8).reshape(self.count, SLOT_BYTES)
        return np.flatnonzero(~slots.any(axis=1))

    def get(self, position: int, made_of: Stamp) -> NDArray[np.uint8] | None:
        """(height, width, 3), the pixels that were made of this state of an image's file; None if they are not here."""
        try:
            slot = self._slot(position)
            if slot is None or slot[5:] != made_of:
                return None
            return self._pixels(position, *slot[:5])
        except (OSError, ValueError):  # the folder is being cleared, or a file of it is cut off
            return None

    def put(self, position: int, made_of: Stamp, pixels: NDArray[np.uint8]) -> None:
        """Keeps pixels, if there is room."""
        if self._full:
            return
        content = pixels.tobytes()
        try:
            if len(content) > self.room:
                self._full = True
                return
            offset = self._append(content)
            checksum = zlib.crc32(content)
            slot = SLOT.pack(self._number, checksum, offset, *pixels.shape[:2], *made_of)
            start = position * SLOT_BYTES
            self._map()[start : start + SLOT.size + 4] = slot + zlib.crc32(slot).to_bytes(4, "little")
            self._checked[position] = 0
        except (OSError, ValueError) as error:
            self._full = True
            warnings.warn(
                f"decoded images are no longer kept in {one_line(str(self.folder), 100)}: {one_line(str(error), 80)}",
                stacklevel=2,
            )

    def _map(self) -> mmap.mmap:
        if self._index is None:
            with (self.folder / INDEX).open("rb+") as index:
                self._index = mmap.mmap(index.fileno(), self.count * SLOT_BYTES)
            self._checked = bytearray(self.count)
        return self._index

    def _slot(self, position: int) -> tuple[int, ...] | None:
        start = position * SLOT_BYTES
        slot = self._map()[start : start + SLOT.size + 4]
        whole = zlib.crc32(slot[: SLOT.size]) == int.from_bytes(slot[SLOT.size :], "little")
        return SLOT.unpack(slot[: SLOT.size]) if whole else None

    def _pixels(
        self, position: int, number: int, checksum: int, offset: int, height: int, width: int
    ) -> NDArray[np.uint8] | None:
        """What a slot points to, mapped for this moment only: so a process holds no more than the image it reads."""
        import numpy as np

        file = self._files.get(number)
        if file is None:
            file = self._files[number] = FileIO(self.folder / f"{PIXELS}{number}")
        length = height * width * CHANNELS
        start = offset - offset % mmap.ALLOCATIONGRANULARITY
        with mmap.mmap(file.fileno(), offset + length - start, access=mmap.ACCESS_READ, offset=start) as mapped:
            content = mapped[offset - start :]
        if not self._checked[position]:
            if zlib.crc32(content) != checksum:
                return None
            self._checked[position] = 1
        return np.frombuffer(content, np.uint8).reshape(height, width, CHANNELS)

    def _append(self, content: bytes) -> int:
        """Writes behind what this process wrote before; returns where. A child that was forked off has its own file."""
        if self._writer is None or self._process != os.getpid():
            if self._writer is not None:
                self._writer.close()  # here alone: the process that opened it has its own descriptor
            self._writer, self._number = self._new_file()
            self._process = os.getpid()
        offset, rest = self._writer.tell(), memoryview(content)
        while rest:
            rest = rest[self._writer.write(rest) :]
        return offset

    def _new_file(self) -> tuple[FileIO, int]:
        numbers = (int(path.name.removeprefix(PIXELS)) for path in self.folder.glob(f"{PIXELS}*"))
        number = max(numbers, default=0)
        while True:
            number += 1
            try:
                return FileIO(self.folder / f"{PIXELS}{number}", "xb"), number
            except FileExistsError:  # another process was faster
                continue
