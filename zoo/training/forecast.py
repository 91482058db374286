"""How long a training will take, from a few steps that change nothing, and how much of it is left."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from zoo.lazy import nn, torch
from zoo.training.devices import autocast, synchronize, to_device
from zoo.turns import elapsed

if TYPE_CHECKING:
    from torch import Tensor

    from zoo.training.loop import Run

__all__ = ["Forecast", "duration"]

TRIES = 3
READ = 8  # images whose reading is timed


class Forecast:
    """Seconds that the parts of a training are expected to take; what it takes in fact corrects them.

    Args:
        run: the training, at its start or where it goes on.
        head_s, all_s: an image, in the phases in which the classifier and in which everything is trained.
        test_s: an image that is tested.
        step_s: a step of the phase now.
        once_s: all that is done once for each image, in the first epoch from here: decoding what is then kept.
    """

    def __init__(
        self, run: Run, *, head_s: float, all_s: float, test_s: float, step_s: float, once_s: float = 0.0
    ) -> None:
        self._head_s, self._all_s, self._test_s, self._step_s = head_s, all_s, test_s, step_s
        self._once_s, self._first = once_s, run.position.epoch
        self._total_s = self._expected_s(run, run.recipe.epochs, 0)
        self._before_s = self._expected_s(run, run.position.epoch, run.images_done)
        self._started = time.monotonic()

    @classmethod
    def of(cls, run: Run) -> Forecast:
        """Tries a batch; the network, its statistics and the random numbers are as before."""
        positions = torch.arange(min(run.count, run.recipe.batch_size))
        new = run.batches.new()
        tried = (new if len(new) else positions)[:READ]
        first_s, read_s = (elapsed(lambda: run.batches.here(tried)) / len(tried) for _ in range(2))
        held = torch.arange(min(READ, len(run.watched.labels)))
        look_s = elapsed(lambda: run.watched.batch(held, run.model.spec.input, run.model.in_channels)) / len(held)
        batch = run.batches.here(positions)
        if not len(batch.images):
            return cls(
                run, head_s=read_s, all_s=read_s, test_s=read_s, step_s=read_s * len(positions)
            )  # none could be read
        images, labels = to_device(batch, run.device)
        if len(images) == 1:
            images, labels = images.repeat(2, 1, 1, 1), labels.repeat(2)
        kept = [buffer.clone() for buffer in run.model.buffers()]
        with torch.random.fork_rng():
            times = {}
            for head in {run.recipe.head_only or run.recipe.head_epochs > 0, run.recipe.head_only}:
                run.set_modes(head=head)
                times[head] = _median(lambda: _step(run, images, labels), run.device) / len(images)
            run.model.eval()
            test_s = _median(lambda: _answer(run, images), run.device) / len(images)
        run.model.zero_grad(set_to_none=True)
        with torch.no_grad():
            for buffer, before in zip(run.model.buffers(), kept, strict=True):
                buffer.copy_(before)
        on_cpu = run.device.type == "cpu"

        processors = os.cpu_count() or 1  # on which images are read beside a network, or beside a card that has it

        def with_reading(seconds: float, reading: float) -> float:
            return seconds + reading if on_cpu else max(seconds, reading)

        now = times[run.in_head]
        return cls(
            run,
            head_s=with_reading(times.get(True, 0.0), read_s / processors) / run.team.size,
            all_s=with_reading(times.get(False, 0.0), read_s / processors) / run.team.size,
            test_s=with_reading(test_s, look_s) * (2 if run.recipe.model_ema else 1) / run.team.size,
            step_s=now * run.recipe.batch_size * run.recipe.grad_accum_steps,
            once_s=max(0.0, first_s - read_s) / processors * len(new),
        )

    @property
    def text(self) -> str:
        """One line for a person."""
        return f"a step takes {self._step_s:.2g} s; about {duration(self._total_s - self._before_s)} to the end"

    def left_s(self, run: Run, tested: int) -> float:
        """Seconds left, from what was expected and what it took so far; never negative."""
        done = self._expected_s(run, run.position.epoch, run.images_done) + tested * self._test_s
        expected, took = done - self._before_s, time.monotonic() - self._started
        pace = took / expected if expected > 0 and took > 2 else 1.0
        return max(0.0, (self._total_s - done) * pace)

    def _expected_s(self, run: Run, epochs: int, images: int) -> float:
        """For so many epochs, and so many images of the next."""
        head = run.recipe.epochs if run.recipe.head_only else min(run.recipe.head_epochs, run.recipe.epochs)
        one = self._head_s if epochs < head else self._all_s
        whole = min(epochs, head) * self._head_s + max(0, epochs - head) * self._all_s
        once = self._once_s * (1.0 if epochs > self._first else images / run.count if epochs == self._first else 0.0)
        return whole * run.count + epochs * len(run.watched.labels) * self._test_s + images * one + once


def duration(seconds: float) -> str:
    """40 s, 5 min, 2 h 10 min, 3 days 4 h."""
    whole = round(seconds)
    if whole < 90:
        return f"{max(1, whole)} s"
    if whole < 5400:
        return f"{round(whole / 60)} min"
    if whole < 172_800:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86_400} days {whole % 86_400 // 3600} h"


def _median(call: Callable[[], object], device: torch.device) -> float:
    """Seconds, the first call left out."""
    times = []
    for _ in range(TRIES):
        started = time.perf_counter()
        call()
        synchronize(device)
        times.append(time.perf_counter() - started)
    return statistics.median(times[1:])


def _step(run: Run, images: Tensor, labels: Tensor) -> None:
    with autocast(run.device, run.precision):
        logits = run.model.forward_train(images)
        loss = sum(nn.functional.cross_entropy(each, labels) for each in logits)
    loss.backward()  # type: ignore[union-attr]


def _answer(run: Run, images: Tensor) -> None:
    with torch.inference_mode(), autocast(run.device, run.precision):
        run.model(images)
