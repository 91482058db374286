"""Every file below the folders of the classes: its path, size and class, or why it is no image of one."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from array import array
from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from zoo.data.dataset import PARTS
from zoo.data.layout import Layout, hidden
from zoo.data.photographs import Files

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["LeftOut", "Walked", "walk"]

LeftOut = dict[str, list[str]]  # paths below the root by the reason why they are not used

HIDDEN = "hidden"
BESIDE = "in no folder of a class"
KINDS = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
TROUBLES = {errno.ENOENT: "a link to nothing", errno.ELOOP: "a link in a circle", errno.EACCES: "not permitted to read"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Walked:
    """The regular files below a folder, in an order that depends on their names alone; equal while none changes.

    Args:
        files: N files.
        labels: (N), places in `classes`.
        parts: (N), places in `PARTS`.
        sizes: (N), bytes.
        classes: sorted names of the classes of all parts, with images or without.
        left_out: everything else.
        signature: hash that changes when a file does, by its name, size and time.
    """

    files: Files
    labels: NDArray[np.int32]
    parts: NDArray[np.int8]
    sizes: NDArray[np.int64]
    classes: tuple[str, ...]
    left_out: LeftOut
    signature: str

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Walked) and (self.files.root, self.signature) == (other.files.root, other.signature)

    def __hash__(self) -> int:
        return hash((self.files.root, self.signature))


def walk(root: str, found: Layout) -> Walked:
    """Looks at every file once, by its entry; opens none."""
    import numpy as np

    classes = tuple(sorted({title for titles in found.parts.values() for title in titles}))
    columns = _Columns()
    for name in found.beside:
        columns.left_out[HIDDEN if hidden(os.path.basename(name)) else BESIDE].append(name)
    for part, titles in found.parts.items():
        for title, folders in titles.items():
            columns.add(root, folders, PARTS.index(part), classes.index(title))
    return Walked(
        files=Files.packed(root, columns.names, columns.ends),
        labels=np.array(columns.labels, np.int32),
        parts=np.array(columns.parts, np.int8),
        sizes=np.array(columns.sizes, np.int64),
        classes=classes,
        left_out=dict(columns.left_out),
        signature=columns.signature.hexdigest(),
    )


@dataclass(slots=True)
class _Columns:
    """What a walk collects: a row a file in arrays, since a million files are many objects."""

    names: bytearray = field(default_factory=bytearray)
    ends: array[int] = field(default_factory=lambda: array("q"))
    labels: array[int] = field(default_factory=lambda: array("i"))
    parts: array[int] = field(default_factory=lambda: array("b"))
    sizes: array[int] = field(default_factory=lambda: array("q"))
    left_out: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    signature: hashlib.blake2b = field(default_factory=lambda: hashlib.blake2b(digest_size=16))

    def add(self, root: str, folders: tuple[str, ...], part: int, label: int) -> None:
        """The files of one class of one part."""
        for name, about in _below(root, folders):
            if isinstance(about, str):
                self.left_out[about].append(name)
                continue
            self.names += os.fsencode(name)
            self.ends.append(len(self.names))
            self.labels.append(label)
            self.parts.append(part)
            self.sizes.append(about.size)
            self.signature.update(os.fsencode(f"{name}\0{part}\0{label}\0{about}\0"))


class _About(NamedTuple):
    """What the entry of a regular file says."""

    size: int
    time: int
    number: int


def _below(root: str, folders: tuple[str, ...]) -> Iterator[tuple[str, _About | str]]:
    """Everything in and below some folders: a regular file, or why something is not looked at.

    Links are followed, after all else: a folder that is reached in several ways counts once, by the way without them.
    """
    seen: set[tuple[int, int]] = set()
    waiting, links = [*reversed(folders)], deque[str]()
    while waiting or links:
        name = waiting.pop() if waiting else links.popleft()
        try:
            found = os.stat(f"{root}/{name}")
        except OSError as error:
            yield name, _trouble(error)
            continue
        if stat.S_ISDIR(found.st_mode):
            if (found.st_dev, found.st_ino) in seen:
                yield name, "a link to a folder that is there already"
                continue
            seen.add((found.st_dev, found.st_ino))
            try:
                with os.scandir(f"{root}/{name}") as entries:
                    inner = sorted((entry.is_symlink(), entry.name) for entry in entries)
            except OSError as error:
                yield name, _trouble(error)
                continue
            yield from ((f"{name}/{each}", HIDDEN) for _, each in inner if hidden(each))
            waiting += [f"{name}/{each}" for is_link, each in reversed(inner) if not (is_link or hidden(each))]
            links += [f"{name}/{each}" for is_link, each in inner if is_link and not hidden(each)]
        elif not stat.S_ISREG(found.st_mode):
            yield name, KINDS.get(stat.S_IFMT(found.st_mode), "no regular file")
        else:
            about = _About(found.st_size, found.st_mtime_ns, found.st_ino)
            yield name, about if found.st_size else "empty"


def _trouble(error: OSError) -> str:
    return TROUBLES.get(error.errno or 0, f"not to be read ({error.strerror or error})")
