"""Training steps (forward, backward, SGD): the zoo's way and the plain loop, in two processes that take turns."""

from __future__ import annotations

import ctypes
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
FORMATS = ("contiguous", "channels_last")
CHOOSING = 3  # steps of each memory format, the fastest of which decides
KEPT = 8 << 20  # bytes; larger blocks go back to the kernel when freed, since the holes they leave raise the peak


def measure(name: str) -> dict[str, Any]:
    """Seconds of a step, round by round, and the peak memory of both processes, as JSON values."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1, maxtasksperchild=1) as pool:  # each in a process of its own, whose leavings nobody inherits
        seconds = {each: pool.apply(_seconds, (name, each)) for each in FORMATS}
    memory_format = min(seconds, key=seconds.__getitem__)
    pipes: dict[str, Connection] = {}
    processes = {}
    for kind in ("reference", "zoo"):
        pipes[kind], theirs = context.Pipe()
        processes[kind] = context.Process(target=_worker, args=(kind, name, memory_format, theirs), daemon=True)
        processes[kind].start()
        theirs.close()
        pipes[kind].recv()  # ready; the next one starts on a quiet machine

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


def _worker(kind: str, name: str, memory_format: str, pipe: Connection) -> None:
    """Does steps and answers with their seconds until told to stop."""
    step = _zoo_step(name, memory_format) if kind == "zoo" else _plain_step(name)
    Path("/proc/self/clear_refs").write_text("5")  # the peak is that of the steps, not of the preparations
    for _ in range(2):
        step()
    pipe.send("ready")
    while (message := pipe.recv()) != "stop":
        pipe.send(_peak_bytes() if message == "memory" else _timed(step))


def _plain_step(name: str) -> Callable[[], object]:
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

    return step


def _zoo_step(name: str, memory_format: str) -> Callable[[], object]:
    """The zoo's network in one of `FORMATS`; each weight is updated as soon as its gradient is there.

    So no two gradients need memory at the same time, and a weight is still in the cache when it is updated.
    """
    import zoo
    from benchmarks.training import keep_freed_memory

    layout = torch.channels_last if memory_format == "channels_last" else torch.contiguous_format
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

    if keep_freed_memory(reserve=4 << 20):
        _return_blocks_over(KEPT)
    return step


def _return_blocks_over(size: int) -> None:
    """Lets glibc hand freed blocks of at least that many bytes back to the kernel at once."""
    mmap_threshold, mmap_max = -3, -4  # M_MMAP_THRESHOLD, M_MMAP_MAX of malloc.h
    libc = ctypes.CDLL("libc.so.6")
    libc.mallopt(mmap_threshold, size)
    libc.mallopt(mmap_max, 65536)


def _seconds(name: str, memory_format: str) -> float:
    """Of the fastest of a few steps."""
    step = _zoo_step(name, memory_format)
    return min(_timed(step) for _ in range(CHOOSING))


def _timed(step: Callable[[], object]) -> float:
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
