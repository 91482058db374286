"""Where on this machine the project keeps what it worked out once and can work out again."""

from __future__ import annotations

import getpass
import os
import tempfile
from pathlib import Path

from platformdirs import user_cache_path

__all__ = ["cache_folder", "torch_folder"]


def cache_folder() -> Path:
    """The folder that `ZOO_CACHE_DIR` names, else this project's in the user's cache folder; it need not exist yet.

    On Linux the latter is `$XDG_CACHE_HOME/comparative-cnn-zoo`, by default in `~/.cache`. For a user without a home it
    is one of their own among the temporary files.
    """
    named = os.environ.get("ZOO_CACHE_DIR")
    if named:
        return Path(os.path.expanduser(named))
    folder = user_cache_path("comparative-cnn-zoo", appauthor=False)
    return folder if folder.is_absolute() else Path(tempfile.gettempdir(), f"comparative-cnn-zoo-{_user()}")


def torch_folder() -> Path:
    """PyTorch's own, where downloads are kept; worked out as `torch.hub.get_dir` does, without PyTorch."""
    caches = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    return Path(os.environ.get("TORCH_HOME", os.path.join(caches, "torch"))).expanduser()


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a number without an entry in the list of users
        return str(os.getuid()) if hasattr(os, "getuid") else "user"
