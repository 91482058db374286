"""One plain training loop for all networks, and the count of what they get right."""

from __future__ import annotations

import ctypes
import math
import platform
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo.data.dataset import Batch, Opened, Split
from zoo.lazy import blocks, classifier, nn, torch
from zoo.training.recipes import Recipe

if TYPE_CHECKING:
    from torch import Tensor

    from zoo.classifier import Classifier

__all__ = [
    "Epoch",
    "Predictions",
    "TrainingFailed",
    "TrainingResult",
    "depth",
    "evaluate",
    "keep_freed_memory",
    "train",
]

TOP = 5

Progress = Callable[[int, int], None]  # images done, images in all


class TrainingFailed(RuntimeError):
    """The loss or the logits are no longer finite; the message says when that happened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """What a network answered to every image of a split.

    Args:
        labels: (N), the right classes.
        top: (N, 5), the classes with the highest logits, best first; -1 for an image that could not be read.
        unreadable: reason by position.
        loss: mean cross-entropy of the images that could be read.
    """

    labels: Tensor
    top: Tensor
    unreadable: Mapping[int, str]
    loss: float

    @property
    def count(self) -> int:
        """Images that were counted: all that could be read."""
        return len(self.labels) - len(self.unreadable)

    def correct(self, within: int) -> int:
        """Images whose class is among the best `within` answers."""
        return int((self.top[:, :within] == self.labels[:, None]).sum())


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """One point of the learning curve.

    Args:
        loss: mean training loss without the auxiliary classifiers' part, taken while training.
        train_accuracy: part of the training images answered rightly, taken while training.
        test_loss, test_accuracy: on the test images, behind the epoch.
        seconds: spent training, without the test.
    """

    loss: float
    train_accuracy: float
    test_loss: float
    test_accuracy: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingResult:
    """A finished training: the learning curve, the answers after the last epoch, images seen and seconds taken."""

    curve: tuple[Epoch, ...]
    predictions: Predictions
    images_seen: int
    seconds: float


def train(
    model: Classifier,
    images: Opened,
    recipe: Recipe,
    *,
    seed: int,
    precision: str = "fp32",
    on_progress: Progress | None = None,
) -> TrainingResult:
    """Trains `model` in place and tests it after every epoch; equal seeds give equal results on one machine.

    Args:
        seed: of the order of the images, the mirroring and dropout; the weights are the caller's.
        precision: "fp32", or "bf16" for mixed precision.
        on_progress: told after every step.

    Raises:
        TrainingFailed: the loss is no longer finite.
    """
    if images.train is None:
        raise ValueError("this data set has no images to train on; it evaluates trained weights only")
    size = min(recipe.batch_size, len(images.train.labels))
    steps_an_epoch = len(images.train.labels) // size
    steps = recipe.epochs * steps_an_epoch
    if steps < 1:
        raise ValueError(f"training takes at least 1 epoch; got {recipe.epochs}")
    model.to(memory_format=torch.channels_last)
    optimizer = _optimizer(model, recipe)
    random = torch.Generator().manual_seed(seed)
    curve: list[Epoch] = []
    with torch.random.fork_rng():
        torch.manual_seed(seed)  # dropout draws from the global generator
        for epoch in range(recipe.epochs):
            model.train()
            started = time.perf_counter()
            total_loss, correct = 0.0, 0
            order = torch.randperm(len(images.train.labels), generator=random)[: steps_an_epoch * size]
            for step, positions in enumerate(order.view(-1, size), start=epoch * steps_an_epoch):
                mirrored = torch.rand(size, generator=random) < 0.5 if recipe.mirror else None
                batch = images.train.batch(positions, mirrored=mirrored)
                for group in optimizer.param_groups:
                    group["lr"] = group["peak"] * recipe.schedule(step, steps)
                loss, right = _step(model, batch, optimizer, recipe, precision)
                if not math.isfinite(loss):
                    raise TrainingFailed(
                        f"training diverged: the loss is {loss} at step {step + 1} of {steps} (epoch {epoch + 1})"
                    )
                total_loss, correct = total_loss + loss, correct + right
                if on_progress is not None:
                    on_progress((step + 1) * size, steps * size)
            seconds = time.perf_counter() - started
            predictions = evaluate(model, images.test, precision=precision)
            curve.append(
                Epoch(
                    loss=total_loss / steps_an_epoch,
                    train_accuracy=correct / len(order),
                    test_loss=predictions.loss,
                    test_accuracy=predictions.correct(1) / predictions.count,
                    seconds=seconds,
                )
            )
    return TrainingResult(
        curve=tuple(curve),
        predictions=predictions,
        images_seen=steps * size,
        seconds=sum(epoch.seconds for epoch in curve),
    )


def _step(
    model: Classifier, batch: Batch, optimizer: torch.optim.Optimizer, recipe: Recipe, precision: str
) -> tuple[float, int]:
    """One step; returns the logits' loss, not finite if the gradient is not, and the number of right answers.

    What is minimised is the loss of the logits plus `spec.auxiliary_weight` times each auxiliary classifier's.
    """
    device = next(model.parameters()).device
    inputs, labels = _to(batch, device)
    with _autocast(device, precision):
        logits, *auxiliary = model.forward_train(inputs)
        main, *others = (
            nn.functional.cross_entropy(each, labels, label_smoothing=recipe.label_smoothing)
            for each in (logits, *auxiliary)
        )
        loss = main + model.spec.auxiliary_weight * sum(others) if others else main
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    return main.item(), int((logits.argmax(1) == labels).sum())


def evaluate(
    model: Classifier,
    images: Split,
    *,
    batch_size: int = 50,
    precision: str = "fp32",
    on_progress: Progress | None = None,
) -> Predictions:
    """The model's answers to all images, each counted exactly once; leaves the model in evaluation mode.

    Raises:
        TrainingFailed: a logit is not finite.
        RuntimeError: the split showed an image twice or not at all.
    """
    model.eval().to(memory_format=torch.channels_last)
    device = next(model.parameters()).device
    count = len(images.labels)
    top = torch.full((count, min(TOP, model.num_classes)), -1)
    shown = torch.zeros(count, dtype=torch.long)
    unreadable: dict[int, str] = {}
    loss = 0.0
    with torch.inference_mode(), _autocast(device, precision):
        for batch in images.batches(batch_size):
            unreadable.update(batch.unreadable)
            seen = torch.cat([batch.positions, torch.tensor(list(batch.unreadable), dtype=torch.long)])
            shown.index_add_(0, seen, torch.ones_like(seen))
            if len(batch.positions):
                inputs, labels = _to(batch, device)
                logits = model(inputs).float()
                if not logits.isfinite().all():
                    raise TrainingFailed(f"{model.spec.label} answers with logits that are not finite")
                top[batch.positions] = logits.topk(top.shape[1]).indices.cpu()
                loss += nn.functional.cross_entropy(logits, labels, reduction="sum").item()
            if on_progress is not None:
                on_progress(int(shown.sum()), count)
    if not bool((shown == 1).all()):
        wrong = int((shown != 1).nonzero()[0])
        raise RuntimeError(f"image {images.name(wrong)} was counted {int(shown[wrong])} times instead of once")
    readable = count - len(unreadable)
    if readable == 0:
        raise RuntimeError(f"none of the {count} images could be read; the first: {next(iter(unreadable.values()))}")
    return Predictions(labels=images.labels, top=top, unreadable=unreadable, loss=loss / readable)


def keep_freed_memory(*, reserve: int = 64 << 20) -> bool:
    """Tells glibc to keep freed memory for the next step instead of handing it back to the kernel; True if it could.

    Every training step frees and asks again for the same few hundred megabytes; by default each round trip costs page
    faults, 10 to 19 % of the images per second. For a process that only trains: its memory does not shrink again.

    Args:
        reserve: bytes asked for beyond each need.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    trim_threshold, top_pad, mmap_max = -1, -2, -4  # M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX of malloc.h
    settings = {mmap_max: 0, trim_threshold: 2**31 - 1, top_pad: reserve}
    libc = ctypes.CDLL("libc.so.6")
    return all([libc.mallopt(name, value) == 1 for name, value in settings.items()])


def _optimizer(model: Classifier, recipe: Recipe) -> torch.optim.Optimizer:
    normalized = any(isinstance(layer, nn.BatchNorm2d) for layer in model.modules())
    step = recipe.normalized_step if normalized else recipe.plain_step / depth(model)
    groups: list[dict[str, Any]] = []
    for parameter in model.parameters():
        is_weight = parameter.dim() > 1
        rms = parameter.detach().square().mean().sqrt().item() if is_weight else 0.0
        groups.append({"params": [parameter], "peak": step * rms if is_weight else recipe.bias_rate})
    return torch.optim.Adam(groups, lr=0.0, betas=(recipe.beta1, recipe.beta2), fused=True)


def depth(module: nn.Module) -> int:
    """Convolutions and linear layers an image passes one after the other; of parallel branches the longest counts."""
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        return 1
    if isinstance(module, classifier.Classifier):
        return depth(module.features) + depth(module.head)
    parts = [depth(part) for part in module.children()]
    return max(parts) if isinstance(module, blocks.Concat) else sum(parts)


def _to(batch: Batch, device: torch.device) -> tuple[Tensor, Tensor]:
    images = batch.images.to(device).contiguous(memory_format=torch.channels_last)
    return images, batch.labels.to(device)


def _autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    if precision not in ("fp32", "bf16"):
        raise ValueError(f"accuracy is measured in precision fp32 or bf16; got {precision!r}")
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")
