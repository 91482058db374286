"""Modules that wait until they are used.

A model file holds data (the paper's table, the specs) beside functions that build networks. Its data must be readable
without PyTorch, whose import takes seconds: `zoo.spec`, `--help` and the report only read data. So model files name
PyTorch through here, and the first network that is built imports it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__all__ = ["blocks", "classifier", "nn", "torch"]

if TYPE_CHECKING:
    import torch
    from torch import nn

    from zoo import blocks, classifier
else:

    class _Lazy:
        """A module by name, imported at the first use of one of its attributes."""

        def __init__(self, name: str) -> None:
            self._name = name

        def __getattr__(self, attribute: str) -> Any:
            return getattr(importlib.import_module(self._name), attribute)

    torch = _Lazy("torch")
    nn = _Lazy("torch.nn")
    blocks = _Lazy("zoo.blocks")
    classifier = _Lazy("zoo.classifier")
