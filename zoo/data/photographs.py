"""Images that are decoded from their files when they are due."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from array import array
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from zoo.data.dataset import Batch
from zoo.data.reading import batch_of, chosen, read
from zoo.images import picture
from zoo.preprocessing import pipeline

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image
    from torch import Tensor

    from zoo.spec import Input

__all__ = ["READERS", "Files", "Photographs"]

READERS = min(os.cpu_count() or 1, 16)  # threads that read files


@dataclass(frozen=True, slots=True)
class Files:
    """Paths below one folder, packed: a million names are one object, which processes share that are forked off.

    Args:
        root: the folder.
        names: the encoded paths below it, one behind the other.
        starts, ends: (N), the bytes of `names` that each takes.
    """

    root: str
    names: bytes
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]

    @classmethod
    def packed(cls, root: str, names: bytes | bytearray, ends: Sequence[int]) -> Files:
        """Of paths below `root` that stand one behind the other and end at `ends`."""
        import numpy as np

        last = np.array(ends, np.int64)
        return cls(root, bytes(names), np.concatenate((np.zeros(1, np.int64), last))[: len(last)], last)

    @classmethod
    def listed(cls, root: str, names: Iterable[str]) -> Files:
        """Of paths below `root`."""
        packed, ends = bytearray(), array("q")
        for name in names:
            packed += os.fsencode(name)
            ends.append(len(packed))
        return cls.packed(root, packed, ends)

    def __len__(self) -> int:
        return len(self.ends)

    def name(self, position: int) -> str:
        """The path below `root`."""
        return os.fsdecode(self.names[self.starts[position] : self.ends[position]])

    def path(self, position: int) -> str:
        """The whole path."""
        return os.path.join(self.root, self.name(position))

    def digest(self) -> str:
        """Hash of all names in their order."""
        found = hashlib.blake2b(digest_size=16)
        for position in range(len(self)):
            found.update(self.names[self.starts[position] : self.ends[position]] + b"\0")
        return found.hexdigest()

    def take(self, positions: Sequence[int] | NDArray[np.int64]) -> Files:
        """Those at `positions`, in that order; the bytes of the names are shared."""
        import numpy as np

        chosen = np.asarray(positions, np.int64)
        return Files(self.root, self.names, self.starts[chosen], self.ends[chosen])


@dataclass(frozen=True, slots=True, kw_only=True)
class Photographs:
    """Image files that are decoded and preprocessed when their batch is due; see `Split`.

    A file that cannot be read, or no longer, is left out with the reason.

    Args:
        files: one a position.
        labels: (N), class numbers.
        num_threads: threads that decode, one batch ahead of the network.
    """

    files: Files
    labels: Tensor
    num_threads: int = READERS

    def name(self, position: int) -> str:
        """The path below the folder that holds the folders of the classes."""
        return self.files.name(position)

    def image(self, position: int) -> Image:
        """Upright, in RGB; see `zoo.images.picture`."""
        return picture(self.files.path(position))

    def batch(self, positions: Tensor, input: Input, channels: int = 3) -> Batch:
        """See `Split.batch`."""
        return next(self._decoded([positions.tolist()], input, channels))

    def batches(self, batch_size: int, input: Input, channels: int = 3) -> Iterator[Batch]:
        """See `Split.batches`."""
        count = len(self.files)
        chunks = [range(start, min(start + batch_size, count)) for start in range(0, count, batch_size)]
        return self._decoded(chunks, input, channels)

    def subset(self, positions: Sequence[int]) -> Photographs:
        """See `Split.subset`."""
        some = chosen(positions, len(self.labels))
        return dataclasses.replace(self, files=self.files.take(some.numpy()), labels=self.labels[some])

    def relabelled(self, labels: Tensor) -> Photographs:
        """See `Split.relabelled`."""
        return dataclasses.replace(self, labels=labels)

    def _decoded(self, chunks: Sequence[Sequence[int]], input: Input, channels: int) -> Iterator[Batch]:
        """A batch for each chunk of positions; the next is read while the network looks at this one."""
        row = partial(read, self, pipeline(input, channels))
        with ThreadPoolExecutor(self.num_threads) as readers:
            ahead: Iterable[tuple[int, Tensor | str]] = ()
            for number, chunk in enumerate([*chunks, ()]):
                rows = list(ahead)
                ahead = readers.map(row, chunk)
                if number:
                    yield batch_of(rows, self.labels)
