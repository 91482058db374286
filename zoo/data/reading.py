"""From an image to its place in a batch, or to the reason why it has none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from zoo.data.dataset import Batch, Split
from zoo.errors import DataError, one_line

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Read", "batch_of", "chosen", "read"]

Read = tuple[int, "Tensor | str"]  # position, what the network sees or why there is nothing


def read(split: Split, transform: Callable[[Any], Tensor], position: int) -> Read:
    """The position with what the transform makes of its image, or with the reason why there is nothing."""
    try:
        return position, transform(split.image(position))
    except DataError as error:
        return position, str(error)
    except Exception as error:  # transforms raise whatever an odd image makes them trip over
        return position, one_line(f"{type(error).__name__}: {error}")


def batch_of(rows: Iterable[Read], labels: Tensor) -> Batch:
    """One batch of what was read.

    Args:
        labels: (N), of all images of the split.
    """
    import torch

    rows = tuple(rows)
    images = {position: image for position, image in rows if not isinstance(image, str)}
    unreadable = {position: reason for position, reason in rows if isinstance(reason, str)}
    positions = torch.tensor(list(images), dtype=torch.long)
    stacked = torch.stack(list(images.values())) if images else torch.empty(0)
    return Batch(stacked, labels[positions], positions, unreadable)


def chosen(positions: Sequence[int], count: int) -> Tensor:
    """Positions of some of `count` images, for a subset of them; raises `DataError` for none or others."""
    import torch

    wanted = torch.as_tensor(positions, dtype=torch.long)
    if not len(wanted) or not bool(((wanted >= 0) & (wanted < count)).all()):
        raise DataError(
            f"{count:,} images have positions from 0 to {count - 1:,}; a subset takes some of them, at least one"
        )
    return wanted
