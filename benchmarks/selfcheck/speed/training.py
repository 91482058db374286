"""Training steps (forward, backward, SGD): the zoo's way and the plain loop, in two processes that take turns."""

from __future__ import annotations

import itertools
import multiprocessing
import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.measure.worker import die_with_parent
from benchmarks.metrics.memory import peak_bytes, reset_peak
from benchmarks.selfcheck.speed.turns import play
from zoo.lazy import nn, torch
from zoo.turns import elapsed

__all__ = ["BATCH", "LARGE", "SIZE", "WAYS", "measure"]

SIZE, BATCH = 64, 64
ROUNDS = (10, 60)
SECONDS = 45.0
LARGE = 32 << 20  # bytes of the large blocks; the most that glibc takes
TRIAL_ROUNDS = (5, 5)  # in which the ways take turns, before the fastest is chosen


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How the zoo's steps are done; none changes what is computed.

    Args:
        memory_format: "contiguous" or "channels_last", of images and weights.
        keep_large: whether freed blocks of `LARGE` bytes and more are kept for the next step, like smaller ones. The
            holes they leave may raise the peak; blocks that go back to the kernel at once cost page faults.
    """

    memory_format: str
    keep_large: bool


WAYS = tuple(
    Way(memory_format=memory_format, keep_large=keep_large)
    for memory_format, keep_large in itertools.product(("contiguous", "channels_last"), (False, True))
)


def measure(name: str) -> dict[str, Any]:
    """Seconds of a step, round by round, and the peak memory of both processes, as JSON values."""
    steppers = {"reference": _Stepper(name)} | {str(position): _Stepper(name, way) for position, way in enumerate(WAYS)}
    players = {each: partial(stepper.ask, "step") for each, stepper in steppers.items()}
    trial = play(players, rounds=TRIAL_ROUNDS, seconds=0.0)["seconds"]
    peaks = {each: stepper.ask("memory") for each, stepper in steppers.items()}
    lean = [each for each in steppers if each != "reference" and peaks[each] <= peaks["reference"]]
    chosen = min(
        lean or [min(peaks.keys() - {"reference"}, key=peaks.__getitem__)],
        key=lambda each: statistics.median(trial[each]),
    )
    for other in steppers.keys() - {"reference", chosen}:
        steppers[other].stop()
    pair = {"reference": "reference", "zoo": chosen}
    played = play({kind: players[each] for kind, each in pair.items()}, rounds=ROUNDS, seconds=SECONDS)
    memory = {kind: steppers[each].ask("memory") for kind, each in pair.items()}
    for each in pair.values():
        steppers[each].stop()
    return {"model": name, **asdict(WAYS[int(chosen)]), "peak_bytes": memory, **played}


class _Stepper:
    """A process ready to do steps: of the zoo's way or, without one, of the plain loop."""

    def __init__(self, name: str, way: Way | None = None) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self.process = context.Process(target=_worker, args=(name, way, theirs), daemon=True)
        self.process.start()
        theirs.close()
        self._pipe.recv()  # ready; the next one starts on a quiet machine

    def ask(self, what: str) -> float:
        """Seconds of a "step", or the bytes of "memory"."""
        self._pipe.send(what)
        return float(self._pipe.recv())

    def stop(self) -> None:
        self._pipe.send("stop")
        self.process.join()


def _worker(name: str, way: Way | None, pipe: Connection) -> None:
    """Does steps and answers with their seconds until told to stop."""
    die_with_parent()
    step = _zoo_step(name, way) if way else _plain_step(name)
    reset_peak()  # that counts is the peak of the steps, not of the preparations
    for _ in range(2):
        step()
    pipe.send("ready")
    while (message := pipe.recv()) != "stop":
        pipe.send(peak_bytes() if message == "memory" else elapsed(step))


def _plain_step(name: str) -> Callable[[], object]:
    """The other library's network in the loop every tutorial has."""
    from benchmarks.selfcheck.speed.references import build

    torch.manual_seed(0)
    reference = build(name).train()
    optimizer = torch.optim.SGD(reference.parameters(), lr=0.01, momentum=0.9)
    images, labels = _batch()
    loss_of = nn.CrossEntropyLoss()

    def step() -> object:
        optimizer.zero_grad()
        loss = loss_of(reference(images), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def _zoo_step(name: str, way: Way) -> Callable[[], object]:
    """The zoo's network, each weight of which is updated as soon as its gradient is there.

    So no two gradients need memory at the same time, and a weight is still in the cache when it is updated.
    """
    import zoo
    from zoo.training.devices import keep_freed_memory

    layout = torch.channels_last if way.memory_format == "channels_last" else torch.contiguous_format
    torch.manual_seed(0)
    model = zoo.create(name).train().to(memory_format=layout)
    images, labels = _batch()
    images = images.contiguous(memory_format=layout)

    def update(optimizer: torch.optim.SGD, weight: torch.Tensor) -> None:
        optimizer.step()
        weight.grad = None

    for weight in model.parameters():
        optimizer = torch.optim.SGD([weight], lr=0.01, momentum=0.9, fused=True)
        weight.register_post_accumulate_grad_hook(partial(update, optimizer))

    def step() -> object:
        loss = nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        return loss.item()

    keep_freed_memory(reserve=4 << 20, lean=not way.keep_large, large=LARGE)
    return step


def _batch() -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    images = torch.randn(BATCH, 3, SIZE, SIZE, generator=random)
    return images, torch.randint(1000, (BATCH,), generator=random)
