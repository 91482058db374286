"""`zoo cache`: what is kept on this machine beside people's own files, and how to be rid of it; no PyTorch."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from zoo.cache import cache_folder, torch_folder
from zoo.data.places import place
from zoo.data.store import ABOUT, stores_folder
from zoo.printing import aligned, printable
from zoo.registry import list_models
from zoo.registry import spec as find_spec

__all__ = ["KINDS", "Kept", "add_arguments", "run"]

STORE = re.compile(r"[0-9a-f]{24}")
COLUMNS = ("kind", "MB", "last used", "what", "where")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One thing that is kept.

    Args:
        kind: of `KINDS`.
        path: a file or a folder.
        bytes: on the disk.
        used: when it was last used or written, in seconds since 1970.
        what: for a person.
    """

    kind: str
    path: str
    bytes: int
    used: float
    what: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--clear", nargs="*", choices=list(KINDS), metavar="KIND",
        help=f"removes {', '.join(KINDS)}; without a name those that are made here: {', '.join(MADE)}",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="a list of objects, sizes in bytes")


def run(given: argparse.Namespace) -> int:
    kept = [one for kind, find in KINDS.items() for one in find(kind)]
    if given.clear is None:
        _show(kept, as_json=given.json)
        return 0
    chosen = [one for one in kept if one.kind in (given.clear or MADE)]
    left = [one for one in chosen if not _removed(one.path)]
    freed = sum(one.bytes for one in chosen if one not in left)
    if given.json:
        print(json.dumps([asdict(one) for one in chosen if one not in left], indent=1))
    else:
        print(f"{len(chosen) - len(left)} removed, {freed / 1e6:,.1f} MB")
    for one in left:
        print(f"zoo cache: {printable(one.path)} could not be removed", file=sys.stderr)
    return 1 if left else 0


def _show(kept: list[Kept], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps([asdict(one) for one in kept], indent=1))
        return
    if not kept:
        print(f"nothing is kept in {printable(str(cache_folder()))} or {printable(str(torch_folder()))}")
        return
    lines = [
        [
            one.kind,
            f"{one.bytes / 1e6:,.1f}",
            datetime.datetime.fromtimestamp(one.used).strftime("%Y-%m-%d"),
            printable(one.what),
            printable(one.path),
        ]
        for one in kept
    ]
    total = ["", f"{sum(one.bytes for one in kept) / 1e6:,.1f}", "", "in all", ""]
    print(*aligned([list(COLUMNS), *lines, total], right=(1,)), sep="\n")


def _images(kind: str) -> Iterator[Kept]:
    """Decoded images of trainings, a folder for each set and size."""
    for folder in _within(stores_folder()):
        about = folder / ABOUT
        if STORE.fullmatch(folder.name) and about.is_file():
            try:
                found = json.loads(about.read_text(encoding="utf-8"))
                what = f"{found['data']}: {found['images']}, of {found['folder']}"
            except (OSError, ValueError, KeyError, TypeError):
                what = "decoded images"
            yield Kept(kind=kind, path=str(folder), bytes=_bytes(folder), used=about.stat().st_mtime, what=what)


def _answers(kind: str) -> Iterator[Kept]:
    """Small files of what was worked out once: which runtime is fastest for a network, counts of operations."""
    root = cache_folder()
    for what, files in (("counts", root.glob("*.json")), ("choice of a runtime", (root / "runtimes").glob("*.json"))):
        yield from (_file(kind, file, what) for file in sorted(files))


def _weights(kind: str) -> Iterator[Kept]:
    """Published weights that were downloaded; files of other projects lie in the same folder."""
    folder = torch_folder() / "hub" / "checkpoints"
    rows = {row.file_name: f"{name}, {row.tag}" for name in list_models() for row in find_spec(name).weights}
    yield from (_file(kind, folder / name, what) for name, what in rows.items() if (folder / name).is_file())


def _data(kind: str) -> Iterator[Kept]:
    """Data sets that were downloaded."""
    for path in _within(place("")):
        yield Kept(kind=kind, path=str(path), bytes=_bytes(path), used=path.stat().st_mtime, what=path.name)


def _file(kind: str, file: Path, what: str) -> Kept:
    found = file.stat()
    return Kept(kind=kind, path=str(file), bytes=found.st_size, used=found.st_mtime, what=what)


def _within(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _bytes(path: Path) -> int:
    """Of a file, or of all files below a folder."""
    if not path.is_dir():
        return path.stat().st_size
    return sum(os.lstat(os.path.join(place, name)).st_size for place, _, names in os.walk(path) for name in names)


def _removed(path: str) -> bool:
    try:
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            os.unlink(path)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


KINDS: dict[str, Callable[[str], Iterator[Kept]]] = {
    "images": _images, "answers": _answers, "weights": _weights, "data": _data,
}  # fmt: skip
MADE = ("images", "answers")
