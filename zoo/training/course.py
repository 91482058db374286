"""The course of a training: how far it is, what it found so far, and that it was asked to end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Epoch", "Position", "Progress", "Stopped", "Sums"]


class Stopped(Exception):
    """Somebody asked for the end; everything is where a later call goes on."""


class Progress(NamedTuple):
    """How far a training is: images and all of them, the epoch now and of how many, what it finds, seconds left."""

    done: int
    total: int
    epoch: int
    epochs: int
    loss: float
    accuracy: float | None
    testing: bool = False
    left_s: float | None = None


@dataclass(slots=True, kw_only=True)
class Epoch:
    """One point of the learning curve.

    Args:
        loss: mean training loss without the auxiliary classifiers' part, taken while training.
        train_accuracy: part of the training images answered rightly, taken while training; None where they are mixed.
        val_loss, val_accuracy: on the images that are watched, behind the epoch.
        ema_accuracy: the same of the running mean of the weights; None without one.
        lr: highest rate of the last step.
        seconds: spent training, without the test.
    """

    loss: float
    train_accuracy: float | None
    val_loss: float
    val_accuracy: float
    ema_accuracy: float | None
    lr: float
    seconds: float


@dataclass(slots=True, kw_only=True)
class Position:
    """How far a training is, and the sums of the epoch it is in.

    Args:
        epoch: epochs that are complete, the test behind each included.
        skipped: images of the epoch now that another number of processes has done.
        batch: batches done of the epoch now, those images apart; every process has done one of each number.
        step: steps done of the phase now.
        loss, weight: sum over the batches done of the mean loss, each with its part of a whole batch, and of the parts.
        correct, images: sums over the batches done.
        seconds: spent training on them.
        stale: epochs since the best.
        waited: epochs since the best or since the rate was last lowered.
        reductions: how often the rate was lowered because of a plateau.
        stopped: training ended before the last epoch, for want of progress.
    """

    epoch: int = 0
    skipped: int = 0
    batch: int = 0
    step: int = 0
    loss: float = 0.0
    weight: float = 0.0
    correct: int = 0
    images: int = 0
    seconds: float = 0.0
    stale: int = 0
    waited: int = 0
    reductions: int = 0
    stopped: bool = False


@dataclass(slots=True)
class Sums:
    """Of the batches whose gradients wait for a step: see `Position`, and how much the batches weigh."""

    loss: float = 0.0
    share: float = 0.0
    correct: int = 0
    images: int = 0
    weight: Tensor | float = 0.0
    begun: bool = False
