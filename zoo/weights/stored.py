"""A tensor that lies in a file: its shape is known, nothing of it has been read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from zoo.lazy import torch

__all__ = ["Stored", "Unreadable", "short"]

PATH = 90  # characters of a path in a message


class Unreadable(Exception):
    """What is wrong with a file, to be said after its name: "is truncated"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A plain tensor of a file.

    Args:
        shape: its sizes.
        dtype: type of its numbers.
        read: makes the tensor; it may share memory with the file or with other tensors of it.
    """

    shape: tuple[int, ...]
    dtype: torch.dtype
    read: Callable[[], torch.Tensor]


def short(path: Path | str) -> str:
    """A path as a message names it: of a long one its end."""
    text = str(path)
    return text if len(text) <= PATH else f"…{text[-PATH:]}"
