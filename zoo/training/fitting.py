"""Out of memory: which batch would fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.lazy import nn, torch
from zoo.training.devices import autocast

if TYPE_CHECKING:
    from zoo.training.loop import Run

__all__ = ["is_out_of_memory", "largest_batch"]

SAID = ("out of memory", "not enough memory", "can't allocate memory", "failed to allocate")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says so; on a processor PyTorch has no type for it."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error).lower() for text in SAID)


def largest_batch(run: Run) -> int:
    """The largest of half, a quarter, ... of the batch for which a step finds room; 0 if none does."""
    run.optimizer.zero_grad(set_to_none=True)
    size = run.recipe.batch_size // 2
    side, channels = run.model.spec.input.size, run.model.in_channels
    while size:
        try:
            with autocast(run.device, run.precision):
                images = torch.zeros(max(2, size), channels, side, side, device=run.device)
                labels = torch.zeros(len(images), dtype=torch.long, device=run.device)
                losses = [nn.functional.cross_entropy(each, labels) for each in run.model.forward_train(images)]
            torch.stack(losses).sum().backward()
            return size
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            size //= 2
        finally:
            run.optimizer.zero_grad(set_to_none=True)
    return 0
