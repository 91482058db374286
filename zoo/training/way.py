"""The way a training is run on a machine, as against how a network is trained: see `zoo.training.recipes`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from zoo.errors import InvalidOption, shown
from zoo.training.devices import PRECISIONS

__all__ = ["Way"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How a training is run.

    Args:
        precision: "fp32", or "bf16" or "fp16" for mixed precision.
        compiled: whether `torch.compile` makes the steps.
        sync_bn: whether norms take the statistics of all processes' images; on CUDA.
        save_minutes: a checkpoint at least so often, besides that behind every epoch.
        save_steps: the same in steps; 0 for any number.
    """

    precision: str = "fp32"
    compiled: bool = False
    sync_bn: bool = False
    save_minutes: float = 10.0
    save_steps: int = 0

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise InvalidOption(f"networks are trained in fp32, bf16 or fp16; got {shown(self.precision)}")
        if not self.save_minutes > 0 or self.save_steps < 0:
            raise InvalidOption(
                f"a checkpoint is written every save_minutes, above 0, and every save_steps, from 0; got "
                f"{shown(self.save_minutes)} and {shown(self.save_steps)}"
            )

    @property
    def identity(self) -> dict[str, Any]:
        """What of it changes the weights that come out."""
        return {"precision": self.precision, "compiled": self.compiled, "sync_bn": self.sync_bn}
