"""What every test runs in: one thread of PyTorch, a cache of its own, children that find bytecode ready."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

# threads that wait sleep: two processes of tests and their children have two processors. Read when PyTorch is imported
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """As many processes of tests as processors: a second thread of each would only wait for those of the others."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing is kept among what the person who runs the tests keeps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOO_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def bytecode() -> None:
    """Dozens of tests start Python anew; where nothing may be kept, each compiles the whole project again."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
