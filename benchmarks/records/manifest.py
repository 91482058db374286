"""Which files of an output folder are the harness's own: it replaces and removes no others.

`.written` in the folder has a line for every file as it was written, in the form of sha256sum. A file that is not as
one of its lines says, because somebody else made or changed it, is theirs.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from operator import itemgetter
from pathlib import Path

from benchmarks.records.files import read_file, replace_file
from zoo.partial import sweep

__all__ = ["MANIFEST", "adopt", "foreign", "remove_own", "write_own"]

MANIFEST = ".written"
FOLDERS = (".", "figures", "studies", "studies/figures")  # of an output folder
ENDINGS = (".csv", ".html", ".json", ".md", ".png", ".svg")


def write_own(path: Path, content: str | bytes) -> None:
    """Writes a file of an output folder, whole or not at all, and remembers what was written.

    Raises:
        FileExistsError: the file there is somebody else's; it is untouched.
        OSError: the disk is full or the folder read-only; the earlier file is untouched.
    """
    data = content.encode() if isinstance(content, str) else content
    digest = hashlib.sha256(data).hexdigest()
    folder = _folder_of(path)
    name = path.relative_to(folder).as_posix()
    found = _digest(path)
    if found is not None and found not in {digest, *_listed(folder)[name]}:
        raise FileExistsError(errno.EEXIST, f"{name} there is not as this harness wrote it; move it away", str(path))
    if digest not in _listed(folder)[name]:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / MANIFEST).open("a", encoding="utf-8", newline="\n") as file:
            file.write(f"{digest}  {name}\n")  # first, so that whoever is killed in between knows the file again
    if found != digest:
        replace_file(path, data)


def remove_own(path: Path) -> None:
    """Removes a file of an output folder if it is there and the harness's own."""
    folder = _folder_of(path)
    if _digest(path) in _listed(folder)[path.relative_to(folder).as_posix()]:
        path.unlink()


def foreign(folder: Path, patterns: Callable[[], Iterable[str]], *, worked_in: bool) -> list[str]:
    """Names of files in an output folder that would be written, and are somebody else's.

    Args:
        patterns: of the names, relative to the folder, that may be written there; asked only where it matters.
        worked_in: whether the harness has worked in the folder: then, if there is no manifest, it did so before there
            were any, and all is taken for its own.
    """
    if worked_in and not (folder / MANIFEST).exists():
        return []
    listed = _listed(folder)
    strange = [name for name in _names(folder) if _digest(folder / name) not in listed[name]]
    written = list(patterns()) if strange else []
    return [name for name in strange if any(fnmatchcase(name, pattern) for pattern in written)]


def adopt(folder: Path, *, worked_in: bool) -> None:
    """Begins or goes on with an output folder in which `foreign` found nothing.

    What a run was killed in the middle of is swept, and no line is kept that nothing corresponds to.
    """
    for each in FOLDERS:
        sweep(folder / each)
    if worked_in and not (folder / MANIFEST).exists():
        lines = [(digest, name) for name in _names(folder) if (digest := _digest(folder / name))]
    else:
        known = ((digest, name) for name, digests in _listed(folder).items() for digest in digests)
        lines = sorted(
            ((digest, name) for digest, name in known if digest == _digest(folder / name)), key=itemgetter(1)
        )
    replace_file(folder / MANIFEST, "".join(f"{digest}  {name}\n" for digest, name in lines))


def _folder_of(path: Path) -> Path:
    """The output folder a file belongs to: the nearest that has a manifest, else that around figures and studies."""
    around = list(path.parents)[:3]
    outer = next((folder for folder in around if folder.name not in FOLDERS), path.parent)
    return next((folder for folder in around if (folder / MANIFEST).is_file()), outer)


def _listed(folder: Path) -> defaultdict[str, set[str]]:
    """The checksums that were written, by name; a torn line is none."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    try:
        text = read_file(folder / MANIFEST).decode(errors="replace")
    except OSError:
        return found
    for line in text.splitlines():
        digest, _, name = line.partition("  ")
        found[name].add(digest)
    return found


def _names(folder: Path) -> list[str]:
    """What there is, of whatever kind, with names that files of the harness may have."""
    found = []
    for each in FOLDERS:
        if (folder / each).is_dir():
            names = (name for name in os.listdir(folder / each) if name.endswith(ENDINGS))
            found += [(folder / each / name).relative_to(folder).as_posix() for name in names]
    return sorted(found)


def _digest(path: Path) -> str | None:
    """Checksum of a file; None where there is nothing, empty where there is something else."""
    if not os.path.lexists(path):
        return None
    try:
        return "" if path.is_symlink() else hashlib.sha256(read_file(path)).hexdigest()
    except OSError:
        return ""
