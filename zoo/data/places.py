"""Where data sets lie, and what to say where they do not."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable
from pathlib import Path

from zoo.cache import torch_folder
from zoo.errors import DataError, one_line

__all__ = ["absent", "downloaded", "meant", "place"]


def place(data_dir: str) -> Path:
    """The folder a data set is looked for in: the one that is named, or `datasets` beside PyTorch's hub."""
    return Path(data_dir).expanduser() if data_dir else torch_folder() / "datasets"


def absent(data_dir: str) -> str | None:
    """What to say of a folder that is named and not there; None if it is, or if none is named."""
    path = os.path.expanduser(data_dir)
    if not data_dir or os.path.isdir(path):
        return None
    what = "no folder" if os.path.lexists(path) else "not there"
    return f"--data-dir {one_line(data_dir, 120)} is {what}{meant(path)}"


def meant(path: str) -> str:
    """A question after folders with nearly this path; nothing if there are none."""
    parent, name = os.path.split(os.path.normpath(path))
    try:
        with os.scandir(parent or ".") as entries:
            folders = sorted(entry.name for entry in entries if os.path.isdir(entry.path))
    except OSError:
        return ""
    near = [os.path.join(parent, found) for found in difflib.get_close_matches(name, folders, n=1)]
    return f"; did you mean {one_line(near[0], 120)}?" if near else ""


def downloaded(title: str, data_dir: str, fetch: Callable[[str], object], wanted: str) -> Path:
    """The folder into which a data set was downloaded.

    Args:
        title: of the data set.
        data_dir: where to; a folder that is named must be there.
        fetch: downloads it, with a progress bar, into a folder.
        wanted: the files or folders to put there by hand where there is no network.

    Raises:
        DataError: there is no such folder, or it could not be downloaded.
    """
    reason = absent(data_dir)
    if reason is not None:
        raise DataError(reason)
    root = place(data_dir)
    try:
        fetch(str(root))
    except (OSError, RuntimeError) as error:
        raise DataError(
            f"{title} is not in {one_line(str(root), 80)} and could not be downloaded ({one_line(str(error), 70)}); "
            f"put {wanted} into a folder and name it with --data-dir"
        ) from None
    return root
