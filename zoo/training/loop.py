"""One training loop for all networks, recipes and data."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from zoo.data.dataset import Batch, Data, Split
from zoo.errors import DataError
from zoo.lazy import nn, torch
from zoo.training.averaging import Average
from zoo.training.batches import Batches
from zoo.training.devices import autocast, to_device
from zoo.training.evaluation import Evaluation, TrainingFailed, evaluate
from zoo.training.losses import balanced_weights, cross_entropy, mixed
from zoo.training.optimizers import optimizer, train_only_classifier, train_the_rest
from zoo.training.recipes import Recipe

if TYPE_CHECKING:
    from torch import Tensor

    from zoo.classifier import Classifier

__all__ = ["Epoch", "Position", "Progress", "Run", "Stopped"]


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
        batch: batches done of the epoch now.
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


class Run:
    """A training under way; `zoo.training.checkpoints` writes it down and puts it back.

    Args:
        model: trained in place.
        data: with images to train on; val, else test, is watched.
        seed: of the order of the images, their changes and dropout; the weights are the caller's.
        precision: "fp32", or "bf16" or "fp16" for mixed precision.
        workers: processes that read images.
        improved: told when the watched images are answered better than ever before, with the network that does.
        on_progress: told after every batch; may raise `Stopped`.

    Raises:
        DataError: there is nothing to train on.
    """

    def __init__(
        self,
        model: Classifier,
        data: Data,
        recipe: Recipe,
        *,
        seed: int,
        precision: str = "fp32",
        workers: int = 0,
        improved: Callable[[Classifier], None] | None = None,
        on_progress: Callable[[Progress], None] = lambda progress: None,
    ) -> None:
        if data.train is None or not len(data.train.labels):
            raise DataError(f"{data.name} has no images to train on; it evaluates trained weights only")
        watched = data.val or data.test
        if watched is None:
            raise DataError(f"{data.name} has no images to tell how good a network is: neither a val nor a test part")
        self.model = model.to(memory_format=torch.channels_last)
        self.recipe, self.precision, self.seed = recipe, precision, seed
        self.device = next(model.parameters()).device
        self.watched: Split = watched
        self.count = len(data.train.labels)
        self.batches = Batches(data.train, model.spec.input, model.in_channels, recipe, seed=seed, workers=workers)
        weights = balanced_weights(data.train.labels, model.num_classes) if recipe.class_weights else None
        self.class_weights = None if weights is None else weights.to(self.device)
        self.normalized = any(isinstance(layer, nn.modules.batchnorm._BatchNorm) for layer in model.modules())
        self.improved, self.on_progress = improved or self._remember, on_progress
        self.order = torch.Generator().manual_seed(seed)
        self.order_state = self.order.get_state()
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=precision == "fp16")
        self.position = Position()
        self.curve: list[Epoch] = []
        self.best_state: dict[str, Any] = {}
        self.best_weights: dict[str, Tensor] = {}
        self.evaluation: Evaluation | None = None
        self.left_s: Callable[[int], float | None] = lambda tested: None
        self.average: Average | None = None
        for layer in model.modules():
            if recipe.dropout is not None and isinstance(layer, nn.Dropout):
                layer.p = recipe.dropout
        self.restart()

    # --- phases -------------------------------------------------------------------------------------------------------

    @property
    def in_head(self) -> bool:
        """Whether only the classifier is trained now."""
        return self.recipe.head_only or self.position.epoch < self.recipe.head_epochs

    @property
    def steps_an_epoch(self) -> int:
        return -(-len(self.batches) // self.recipe.grad_accum_steps)

    @property
    def steps(self) -> int:
        """Steps of the phase now."""
        head = min(self.recipe.head_epochs, self.recipe.epochs)
        if self.recipe.head_only:
            return self.recipe.epochs * self.steps_an_epoch
        return (head if self.in_head else self.recipe.epochs - head) * self.steps_an_epoch

    @property
    def finished(self) -> bool:
        return self.position.stopped or self.position.epoch >= self.recipe.epochs

    def _enter_phase(self) -> None:
        self.set_modes(head=self.in_head)
        self.optimizer = optimizer(self.model, self.recipe, head=self.in_head)
        self.position.step = 0

    def set_modes(self, *, head: bool) -> None:
        """What is trained, and what is as in evaluation."""
        if head:
            train_only_classifier(self.model)
        else:
            train_the_rest(self.model, freeze_bn=self.recipe.freeze_bn)

    def restart(self) -> None:
        """After the weights were changed from outside, before the first step."""
        self._enter_phase()
        if self.recipe.model_ema:
            self.average = Average(self.model, self.recipe.model_ema_decay)

    def move_to(self, position: Mapping[str, Any]) -> None:
        """To where a checkpoint was written."""
        self.position = Position(**position)
        step = self.position.step
        self._enter_phase()
        self.position.step = step

    def take_history(self, curve: list[dict[str, Any]], best: dict[str, Any]) -> None:
        """What a checkpoint says of the epochs before it."""
        self.curve = [Epoch(**each) for each in curve]
        self.best_state = best

    # --- an epoch -----------------------------------------------------------------------------------------------------

    def epoch(self) -> Epoch:
        """Trains for the rest of the epoch, and tests behind it."""
        here = self.position
        self.order_state = self.order.get_state()
        order = torch.randperm(self.count, generator=self.order)
        if here.batch < len(self.batches):
            self.set_modes(head=self.in_head)
            self._train(order)
        evaluation, ema = self._test()
        mixed_up = self.recipe.mixup or self.recipe.cutmix
        epoch = Epoch(
            loss=self._mean_loss,
            train_accuracy=None if mixed_up else here.correct / max(1, here.images),
            val_loss=evaluation.loss,
            val_accuracy=evaluation.correct / evaluation.images,
            ema_accuracy=ema.correct / ema.images if ema else None,
            lr=max(group["lr"] for group in self.optimizer.param_groups),
            seconds=here.seconds,
        )
        self.curve.append(epoch)
        self._judge(evaluation, ema)
        was_head = self.in_head
        here.epoch, here.batch, here.correct, here.images = here.epoch + 1, 0, 0, 0
        here.loss, here.weight, here.seconds = 0.0, 0.0, 0.0
        here.stopped = bool(self.recipe.patience and here.stale >= self.recipe.patience)
        if was_head != self.in_head:
            self._enter_phase()
        self.order_state = self.order.get_state()
        return epoch

    def _train(self, order: Tensor) -> None:
        here, many = self.position, self.recipe.grad_accum_steps
        started, before = time.perf_counter(), here.seconds
        weight: Tensor | float = 0.0  # of the batches whose gradients wait for a step
        for batch in self.batches.epoch(here.epoch, order, start=here.batch):
            if len(batch.positions):
                weight = weight + self._backward(batch, first=isinstance(weight, float) and not weight)
            here.batch += 1
            here.seconds = before + time.perf_counter() - started
            if here.batch % many == 0 or here.batch == len(self.batches):
                if weight:
                    self._step(weight)
                weight = 0.0
                self._tell()  # between two steps everything is as a checkpoint can hold it

    def _backward(self, batch: Batch, *, first: bool) -> Tensor | int:
        """Adds the gradient of a batch to those that wait, unless it is the `first`; returns its weight."""
        here, recipe = self.position, self.recipe
        inputs, labels = to_device(batch, self.device)
        if len(inputs) == 1 and self.normalized:  # norms find no variance in one value: the image is shown twice
            inputs, labels = inputs.repeat(2, 1, 1, 1), labels.repeat(2)
        seed = (self.seed, here.epoch, self.count + here.batch)
        inputs, targets = mixed(inputs, labels, recipe, self.model.num_classes, seed)
        with autocast(self.device, self.precision):
            logits, *auxiliary = (self.model(inputs),) if self.in_head else self.model.forward_train(inputs)
            (main, weight), *others = (
                cross_entropy(each, targets, recipe.label_smoothing, self.class_weights)
                for each in (logits, *auxiliary)
            )
            part = self.model.spec.auxiliary_weight
            loss = main + part * sum(other for other, _ in others) if others else main
        value = main.item()
        if not math.isfinite(value):
            raise TrainingFailed(
                f"training diverged: the loss is {value} at step {here.step + 1} of {self.steps} "
                f"(epoch {here.epoch + 1}); a lower rate may help"
            )
        if first:
            self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss if recipe.grad_accum_steps == 1 else loss * weight).backward()
        count = len(batch.positions)
        here.loss += value * (count / recipe.batch_size)
        here.weight += count / recipe.batch_size
        here.images += count
        if targets is labels:
            here.correct += int((logits[:count].argmax(1) == labels[:count]).sum())
        return weight

    def _step(self, weight: Tensor | float) -> None:
        here, groups = self.position, self.optimizer.param_groups
        part = self.recipe.schedule(here.step, self.steps, self.steps_an_epoch, here.reductions)
        for group in groups:
            group["lr"] = group["peak"] * part
        changed = [each for group in groups for each in group["params"] if each.grad is not None]
        if self.recipe.grad_accum_steps > 1:  # what was added up were sums over images
            torch._foreach_div_([each.grad for each in changed], float(weight))
        if self.recipe.clip_grad:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(changed, self.recipe.clip_grad)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        here.step += 1
        if self.average is not None:
            self.average.update()

    @property
    def _mean_loss(self) -> float:
        return self.position.loss / self.position.weight if self.position.weight else 0.0

    def _tell(self, tested: int = 0) -> None:
        here = self.position
        done = here.epoch * self.count + min(here.batch * self.recipe.batch_size, self.count)
        accuracy = here.correct / here.images if here.images and not (self.recipe.mixup or self.recipe.cutmix) else None
        self.on_progress(
            Progress(
                done, self.recipe.epochs * self.count, here.epoch + 1, self.recipe.epochs,
                self._mean_loss, accuracy, tested > 0, self.left_s(tested),
            )
        )  # fmt: skip

    # --- the test behind it -------------------------------------------------------------------------------------------

    def _test(self) -> tuple[Evaluation, Evaluation | None]:
        found = [
            evaluate(each, self.watched, precision=self.precision, on_progress=lambda done, _: self._tell(tested=done))
            for each in (self.model, self.average.model if self.average else None)
            if each is not None
        ]
        self.evaluation = found[0]
        return found[0], found[1] if len(found) > 1 else None

    def _judge(self, evaluation: Evaluation, ema: Evaluation | None) -> None:
        """Keeps what answers best, and counts the epochs in which nothing did."""
        here = self.position
        plain = (evaluation.correct, -evaluation.loss)
        mean = (ema.correct, -ema.loss) if ema else plain
        best = (self.best_state["correct"], -self.best_state["loss"]) if self.best_state else (-1, 0.0)
        candidate, whose = (mean, "ema") if mean > plain else (plain, "weights")
        if candidate > best or self.recipe.keep == "last":
            self.best_state = {
                "epoch": here.epoch + 1, "correct": candidate[0], "loss": -candidate[1], "of": whose,
                "images": evaluation.images,
            }  # fmt: skip
            chosen = self.average.model if whose == "ema" and self.average else self.model
            self.improved(chosen)
        better = candidate[0] > best[0]
        here.stale = 0 if better else here.stale + 1
        here.waited = 0 if better else here.waited + 1
        if self.recipe.sched == "plateau" and here.waited >= self.recipe.decay_epochs:
            here.waited, here.reductions = 0, here.reductions + 1

    def _remember(self, model: Classifier) -> None:
        if self.recipe.keep == "best":
            self.best_weights = copy.deepcopy(model.state_dict())
