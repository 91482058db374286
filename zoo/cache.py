"""Where on this machine the project keeps what it worked out once and can work out again."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_path

__all__ = ["cache_folder"]


def cache_folder() -> Path:
    """The folder that `ZOO_CACHE_DIR` names, else this project's in the user's cache folder; it need not exist yet.

    On Linux the latter is `$XDG_CACHE_HOME/comparative-cnn-zoo`, by default in `~/.cache`.
    """
    named = os.environ.get("ZOO_CACHE_DIR")
    return Path(named) if named else user_cache_path("comparative-cnn-zoo", appauthor=False)
