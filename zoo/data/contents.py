"""What files begin with and which are equal: found out before the first step, with as little reading as will do."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, BinaryIO, TypeVar

from zoo.data.photographs import READERS, Files
from zoo.errors import one_line
from zoo.images import readable_formats

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["FIRST_BYTES", "beginnings", "equal"]

FIRST_BYTES = 4096  # of each file, which tell most apart
DIGEST = 16  # bytes
BLOCK = 256  # files that one thread takes at a time
HEIC = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")  # brands of phones' pictures

T = TypeVar("T")


def beginnings(files: Files) -> tuple[dict[str, list[int]], NDArray[np.bytes_]]:
    """Opens every file once, by its header.

    Returns:
        Positions of those that are no images, as far as their headers say, by the reason; and a digest of the first
        bytes of each, (N).
    """
    import numpy as np

    formats = readable_formats()

    digests = np.zeros(len(files), f"S{DIGEST}")

    def look(position: int) -> str | None:
        try:
            with open(files.path(position), "rb") as file:
                first = file.read(FIRST_BYTES)
                file.seek(0)
                digests[position] = hashlib.blake2b(first, digest_size=DIGEST).digest()
                return _why_none(file, first, formats)
        except OSError as error:
            return f"not to be read ({error.strerror or error})"

    broken: dict[str, list[int]] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of odd metadata and large pictures, which decoding looks after
        for position, reason in enumerate(_in_threads(look, range(len(files)))):
            if reason is not None:
                broken.setdefault(reason, []).append(position)
    return broken, digests


def equal(files: Files, sizes: NDArray[np.int64], first: NDArray[np.bytes_]) -> NDArray[np.int64]:
    """A number for each file, the same for files of equal content and -1 for one that has no equal.

    Only files of equal size that begin alike are read.

    Args:
        files: N files.
        sizes: (N), bytes.
        first: (N), digests of the first bytes.
    """
    import numpy as np

    numbers = np.full(len(files), -1, np.int64)
    alike = _repeated(sizes, first)
    digests = np.array(list(_in_threads(lambda position: _digest(files.path(position)), alike.tolist())), f"S{DIGEST}")
    if len(alike):
        _, found, counts = np.unique(digests, return_inverse=True, return_counts=True)
        numbers[alike] = np.where((counts[found] > 1) & (digests != b""), found, -1)
    return numbers


def _why_none(file: BinaryIO, first: bytes, formats: list[str]) -> str | None:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(file, formats=formats):
            return None
    except UnidentifiedImageError:
        if first[4:8] == b"ftyp" and first[8:12] in HEIC:
            return "HEIC, which `pip install pillow-heif` makes readable"
        return "of no known format"
    except Exception as error:  # decoders raise whatever a damaged file makes them trip over
        return f"not to be read ({one_line(str(error), 60) or type(error).__name__})"


def _repeated(sizes: NDArray[np.int64], first: NDArray[np.bytes_]) -> NDArray[np.int64]:
    """Positions of the files that another has the size and beginning of; hardly ever some more."""
    import numpy as np

    words = first.view(np.uint64)[:: DIGEST // 8] ^ sizes.astype(np.uint64)
    _, found, counts = np.unique(words, return_inverse=True, return_counts=True)
    return np.flatnonzero(counts[found] > 1)


def _digest(path: str) -> bytes:
    """Of the whole file; nothing if it cannot be read."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=DIGEST)).digest()
    except OSError:
        return b""


def _in_threads(look: Callable[[int], T], positions: Sequence[int]) -> Iterator[T]:
    """What `look` finds at each position, in order; threads take whole blocks, of which a million are few."""
    blocks = [positions[start : start + BLOCK] for start in range(0, len(positions), BLOCK)]
    with ThreadPoolExecutor(READERS) as readers:
        for found in readers.map(lambda block: [look(position) for position in block], blocks):
            yield from found
