"""Training steps (forward, backward, SGD): the zoo's way and the plain loop, in two processes that take turns."""

from __future__ import annotations

import gc
import multiprocessing
import time
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks.speed.turns import play
from zoo.lazy import nn, torch

__all__ = ["BATCH", "SIZE", "measure"]

SIZE, BATCH = 64, 64
ROUNDS = (6, 16)
SECONDS = 20.0
CHOOSING = 3  # steps of each memory format, the fastest of which decides


def measure(name: str) -> dict[str, Any]:
    """Seconds of a step, round by round, and the peak memory of both processes, as JSON values."""
    context = multiprocessing.get_context("spawn")
    pipes: dict[str, Connection] = {}
    processes = {}
    for kind in ("reference", "zoo"):
        pipes[kind], theirs = context.Pipe()
        processes[kind] = context.Process(target=_worker, args=(kind, name, theirs), daemon=True)
        processes[kind].start()
        theirs.close()
        facts = pipes[kind].recv()  # ready; the next one starts on a quiet machine
        if kind == "zoo":
            memory_format = facts

    def turn(kind: str) -> Callable[[], float]:
        def step() -> float:
            pipes[kind].send("step")
            return float(pipes[kind].recv())

        return step

    played = play(
        {kind: turn(kind) for kind in pipes},
        rounds=ROUNDS,
        seconds=SECONDS,
        pids=[process.pid for process in processes.values() if process.pid],
    )
    memory = {}
    for kind, pipe in pipes.items():
        pipe.send("memory")
        memory[kind] = pipe.recv()
        pipe.send("stop")
        processes[kind].join()
    return {"model": name, "memory_format": memory_format, "peak_bytes": memory, **played.data}


def _worker(kind: str, name: str, pipe: Connection) -> None:
    """Does steps and answers with their seconds until told to stop."""
    step, memory_format = (_zoo_step if kind == "zoo" else _plain_step)(name)
    Path("/proc/self/clear_refs").write_text("5")  # the peak is that of the steps, not of the preparations
    for _ in range(2):
        step()
    pipe.send(memory_format)
    while (message := pipe.recv()) != "stop":
        if message == "memory":
            pipe.send(_peak_bytes())
            continue
        start = time.perf_counter()
        step()
        pipe.send(time.perf_counter() - start)


def _plain_step(name: str) -> tuple[Callable[[], object], str]:
    """The other library's network in the loop every tutorial has."""
    from benchmarks.speed.references import build

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

    return step, "contiguous"


def _zoo_step(name: str) -> tuple[Callable[[], object], str]:
    """The zoo's network in the faster of two memory formats; each weight is updated as soon as its gradient is there.

    So no two gradients need memory at the same time, and a weight is still in the cache when it is updated.
    """
    import zoo
    from benchmarks.training import keep_freed_memory

    torch.manual_seed(0)
    model = zoo.create(name).train()
    images, labels = _batch()

    def step(inputs: torch.Tensor) -> object:
        loss = nn.functional.cross_entropy(model(inputs), labels)
        loss.backward()
        return loss.item()

    optimizers = {weight: torch.optim.SGD([weight], lr=0.01, momentum=0.9, fused=True) for weight in model.parameters()}

    def update(optimizer: torch.optim.SGD, weight: torch.Tensor) -> None:
        optimizer.step()
        weight.grad = None

    for weight, optimizer in optimizers.items():
        weight.register_post_accumulate_grad_hook(partial(update, optimizer))
    seconds = {}
    for memory_format in (torch.contiguous_format, torch.channels_last):
        _change_format(model, optimizers, memory_format)
        inputs = images.contiguous(memory_format=memory_format)
        seconds[memory_format] = min(_seconds(partial(step, inputs)) for _ in range(CHOOSING))
    best = min(seconds, key=seconds.__getitem__)
    _change_format(model, optimizers, best)
    gc.collect()
    keep_freed_memory(reserve=4 << 20)
    words = str(best).removeprefix("torch.").removesuffix("_format")
    return partial(step, images.contiguous(memory_format=best)), words


def _change_format(
    model: nn.Module, optimizers: dict[nn.Parameter, torch.optim.SGD], memory_format: torch.memory_format
) -> None:
    """Lays out weights anew; momentum, which has the old layout, starts again."""
    model.to(memory_format=memory_format)
    for optimizer in optimizers.values():
        optimizer.state.clear()


def _seconds(step: Callable[[], object]) -> float:
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def _batch() -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    images = torch.randn(BATCH, 3, SIZE, SIZE, generator=random)
    return images, torch.randint(1000, (BATCH,), generator=random)


def _peak_bytes() -> int:
    """Largest resident memory of this process since it was ready for its first step."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("this kernel does not tell a process's peak memory")
