"""What every test runs in: one thread of PyTorch, and children that find the project's bytecode ready."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """As many processes of tests as processors: a second thread of each would only wait for those of the others."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def bytecode() -> None:
    """Dozens of tests start Python anew; where nothing may be kept, each compiles the whole project again."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
