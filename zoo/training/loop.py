"""One training loop for all networks, recipes and data."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from zoo.data.dataset import Batch, Data, Split
from zoo.errors import DataError
from zoo.lazy import nn, torch
from zoo.training.averaging import Average
from zoo.training.batches import Batches
from zoo.training.course import Epoch, Position, Progress, Sums
from zoo.training.devices import autocast, return_freed_memory, to_device
from zoo.training.evaluation import Evaluation, TrainingFailed, evaluate
from zoo.training.losses import balanced_weights, cross_entropy, mixed
from zoo.training.optimizers import optimizer, train_only_classifier, train_the_rest
from zoo.training.processes import Team, team
from zoo.training.recipes import Recipe

if TYPE_CHECKING:
    from torch import Tensor

    from zoo.classifier import Classifier

__all__ = ["Run"]


class Run:
    """A training under way; `zoo.training.checkpoints` writes it down and puts it back.

    Several processes that train together each have one, and do the same with it in the same order.

    Args:
        model: trained in place.
        data: with images to train on; val, else test, is watched.
        seed: of the order of the images, their changes and dropout; the weights are the caller's.
        precision: "fp32", or "bf16" or "fp16" for mixed precision.
        workers: processes that read images.
        compiled: whether `torch.compile` makes the steps.
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
        compiled: bool = False,
        improved: Callable[[Classifier], None] | None = None,
        on_progress: Callable[[Progress], None] = lambda progress: None,
    ) -> None:
        if data.train is None or not len(data.train.labels):
            raise DataError(f"{data.name} has no images to train on; it evaluates trained weights only")
        watched = data.val or data.test
        if watched is None:
            raise DataError(f"{data.name} has no images to tell how good a network is: neither a val nor a test part")
        self.model = model.to(memory_format=torch.channels_last)
        self.recipe, self.precision, self.seed, self.compiled = recipe, precision, seed, compiled
        self.team: Team = team()
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
        return self._steps_of(self.team.size)

    def _steps_of(self, processes: int) -> int:
        """Steps an epoch of so many processes."""
        return -(-self.count // (self.recipe.batch_size * processes * self.recipe.grad_accum_steps))

    @property
    def batches_now(self) -> int:
        """Batches of the epoch now, for each process."""
        return -(-(self.count - self.position.skipped) // (self.recipe.batch_size * self.team.size))

    @property
    def images_done(self) -> int:
        """Of the epoch now, by all processes."""
        here = self.position
        return min(here.skipped + here.batch * self.recipe.batch_size * self.team.size, self.count)

    @property
    def steps_done(self) -> int:
        """Of all phases, as this number of processes would have done them."""
        a_step = self.recipe.batch_size * self.team.size * self.recipe.grad_accum_steps
        return self.position.epoch * self.steps_an_epoch + -(-self.images_done // a_step)

    @property
    def steps(self) -> int:
        """Steps of the phase now."""
        return self._epochs_of_phase * self.steps_an_epoch

    @property
    def _epochs_of_phase(self) -> int:
        head = min(self.recipe.head_epochs, self.recipe.epochs)
        if self.recipe.head_only:
            return self.recipe.epochs
        return head if self.in_head else self.recipe.epochs - head

    @property
    def finished(self) -> bool:
        return self.position.stopped or self.position.epoch >= self.recipe.epochs

    def _enter_phase(self) -> None:
        from zoo.training.auxiliary import WithAuxiliary

        self.set_modes(head=self.in_head)
        answers: nn.Module = WithAuxiliary(self.model, left_out=self.in_head)
        self.network = self.team.wrapped(answers, unused=self.in_head and len(self.model.auxiliary) > 0)
        if self.compiled:
            self.network = torch.compile(self.network)  # type: ignore[assignment]
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

    def move_to(self, position: Mapping[str, Any], processes: int) -> None:
        """To where a checkpoint was written by so many processes.

        If there are others now, the rest of the epoch is dealt out anew, and the schedule is as far as it was.
        """
        self.position = here = Position(**position)
        step = here.step
        if processes != self.team.size:
            here.skipped = min(here.skipped + here.batch * self.recipe.batch_size * processes, self.count)
            here.batch = 0
            step = round(step * self.steps_an_epoch / self._steps_of(processes))
        self._enter_phase()
        here.step = step

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
        if here.batch < self.batches_now:
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
        here.epoch, here.skipped, here.batch, here.correct, here.images = here.epoch + 1, 0, 0, 0, 0
        here.loss, here.weight, here.seconds = 0.0, 0.0, 0.0
        here.stopped = bool(self.recipe.patience and here.stale >= self.recipe.patience)
        if was_head != self.in_head:
            self._enter_phase()
        self.order_state = self.order.get_state()
        return epoch

    def _train(self, order: Tensor) -> None:
        here, many = self.position, self.recipe.grad_accum_steps
        started, before = time.perf_counter(), here.seconds
        own = self.team.share(order[here.skipped :], self.recipe.batch_size)
        sums = Sums()
        for batch in self.batches.epoch(here.epoch, own, start=here.batch):
            last = (here.batch + 1) % many == 0 or here.batch + 1 == self.batches_now
            if len(batch.positions) or self.team.size > 1:
                self._backward(batch, sums, last=last)
            here.batch += 1
            here.seconds = before + time.perf_counter() - started
            if last:
                self._step(sums)
                sums = Sums()
                self._tell()  # between two steps everything is as a checkpoint can hold it

    def _backward(self, batch: Batch, sums: Sums, *, last: bool) -> None:
        """Adds the gradient of a batch to those that wait.

        Args:
            last: before a step, for which the processes add up what they have.
        """
        here, recipe = self.position, self.recipe
        count = len(batch.positions)
        if not self.team.counts(here.batch, self.count - here.skipped, recipe.batch_size):
            count = 0
        inputs, labels = to_device(batch, self.device) if len(batch.positions) else self._stand_in()
        if len(inputs) == 1 and self.normalized:  # norms find no variance in one value: the image is shown twice
            inputs, labels = inputs.repeat(2, 1, 1, 1), labels.repeat(2)
        seed = (self.seed, here.epoch, self.count + here.batch * self.team.size + self.team.rank)
        inputs, targets = mixed(inputs, labels, recipe, self.model.num_classes, seed)
        if not sums.begun:  # before the activations come, which need the room
            self.optimizer.zero_grad(set_to_none=True)
            sums.begun = True
        quiet = nullcontext() if last or self.team.size == 1 else self.network.no_sync()  # type: ignore[operator]
        with self.team.together(), quiet:
            with autocast(self.device, self.precision):
                logits, *auxiliary = self.network(inputs)
                (main, weight), *others = (
                    cross_entropy(each, targets, recipe.label_smoothing, self.class_weights)
                    for each in (logits, *auxiliary)
                )
                part = self.model.spec.auxiliary_weight
                loss = main + part * sum(other for other, _ in others) if others else main
            value, weight = (main.item(), weight) if count else (0.0, 0)
            self.scaler.scale(loss if self._one_batch_a_step else loss * weight).backward()
        sums.loss += value * (count / recipe.batch_size)
        sums.share += count / recipe.batch_size
        sums.weight = sums.weight + weight
        sums.images += count
        if targets is labels:
            sums.correct += int((logits[:count].argmax(1) == labels[:count]).sum())

    @property
    def _one_batch_a_step(self) -> bool:
        return self.recipe.grad_accum_steps == 1 and self.team.size == 1

    def _stand_in(self) -> tuple[Tensor, Tensor]:
        """What a process is shown that has no image while others have: all wait for one another."""
        side = self.model.spec.input.size
        images = torch.zeros(2, self.model.in_channels, side, side, device=self.device)
        return images, torch.zeros(2, dtype=torch.long, device=self.device)

    def _step(self, sums: Sums) -> None:
        here, groups = self.position, self.optimizer.param_groups
        if self.team.size > 1:
            mine = (sums.loss, sums.share, sums.correct, sums.images, float(sums.weight))
            sums.loss, sums.share, correct, images, sums.weight = self.team.totals(*mine)
            sums.correct, sums.images = int(correct), int(images)
        if not math.isfinite(sums.loss):
            raise TrainingFailed(
                f"training diverged: the loss is {sums.loss / sums.share} at step {here.step + 1} of {self.steps} "
                f"(epoch {here.epoch + 1}); a lower rate may help"
            )
        here.loss, here.weight = here.loss + sums.loss, here.weight + sums.share
        here.correct, here.images = here.correct + sums.correct, here.images + sums.images
        if not sums.weight:
            return
        part = self.recipe.schedule(here.step, self.steps, self.steps_an_epoch, here.reductions)
        for group in groups:
            group["lr"] = group["peak"] * part
        changed = [each for group in groups for each in group["params"] if each.grad is not None]
        if not self._one_batch_a_step:  # what was added up were sums over images, of which DDP takes the mean
            torch._foreach_div_([each.grad for each in changed], float(sums.weight) / self.team.size)
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
        done = here.epoch * self.count + self.images_done
        accuracy = here.correct / here.images if here.images and not (self.recipe.mixup or self.recipe.cutmix) else None
        self.on_progress(
            Progress(
                done, self.recipe.epochs * self.count, here.epoch + 1, self.recipe.epochs,
                self._mean_loss, accuracy, tested > 0, self.left_s(tested),
            )
        )  # fmt: skip

    # --- the test behind it -------------------------------------------------------------------------------------------

    def _test(self) -> tuple[Evaluation, Evaluation | None]:
        return_freed_memory()
        for each in (self.model, self.average.model if self.average else None):
            if each is not None:  # of a step's statistics only those of the leading process go on
                self.team.align(each.buffers())

        def told(done: int, count: int) -> None:
            return_freed_memory()  # pictures of all sizes leave holes that would add up to hundreds of megabytes
            self._tell(tested=done)

        found = [
            evaluate(each, self.watched, precision=self.precision, on_progress=told)
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
