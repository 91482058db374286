"""What `auto` chooses where other programs kept the machine busy at first: raced beside them, then opened again."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from benchmarks.measure.worker import die_with_parent
from benchmarks.selfcheck.speed.turns import TURN, play
from zoo.lazy import torch
from zoo.turns import settled

if TYPE_CHECKING:
    from zoo.classifier import Classifier

__all__ = ["BUSY", "OPENINGS", "measure"]

BUSY = 2  # programs that do nothing but keep a processor busy
OPENINGS = 3  # on the quiet machine, after one beside them
CLOSE = 1.3  # runtimes within this of the fastest in the last race are timed beside the choices
ROUNDS, SECONDS = (6, 20), 6.0


def measure(name: str) -> dict[str, Any]:
    """Choices, what they cost and the samples of each beside the other runtimes', as JSON values."""
    with TemporaryDirectory() as folder:
        busy = [_started(_spin) for _ in range(BUSY)]
        try:
            openings = [_in_a_process(_choose, name, folder)]
        finally:
            for process in busy:
                process.kill()
                process.join()
        time.sleep(1.0)  # until the scheduler's view of the machine is quiet too
        openings += [_in_a_process(_choose, name, folder) for _ in range(OPENINGS)]
        return {"model": name, "openings": openings, **_compared(name, folder, [each["runtime"] for each in openings])}


def _compared(name: str, folder: str, chosen: list[str]) -> dict[str, Any]:
    """The chosen runtimes and those that came close to them, interleaved."""
    from zoo.runtimes import RUNTIMES, open_runtime
    from zoo.runtimes.memory import place_of, recall

    os.environ["ZOO_CACHE_DIR"] = folder
    model, images = _network(name)
    choice = recall(place_of(model, images, RUNTIMES))
    close = [each for each, ratio in choice.relative.items() if ratio <= CLOSE] if choice else []
    started = time.perf_counter()
    sessions = {chosen[-1]: open_runtime(model, images, chosen[-1])}
    alone = time.perf_counter() - started
    for each in dict.fromkeys((*chosen, *close)):
        sessions.setdefault(each, open_runtime(model, images, each))
    players = {each: partial(settled, partial(session, images), TURN) for each, session in sessions.items()}
    return {"alone_s": alone, **play(players, rounds=ROUNDS, seconds=SECONDS)}


def _choose(name: str, folder: str) -> dict[str, Any]:
    """What is opened and the seconds that takes, in a process that has opened nothing before."""
    from zoo.runtimes import open_runtime

    os.environ["ZOO_CACHE_DIR"] = folder
    model, images = _network(name)
    started = time.perf_counter()
    session = open_runtime(model, images)
    seconds = time.perf_counter() - started
    kept = sorted(Path(folder, "runtimes").glob("*.json"))
    return {
        "runtime": session.runtime,
        "seconds": seconds,
        "record": kept[0].read_text(encoding="utf-8") if kept else "",
    }


def _network(name: str) -> tuple[Classifier, torch.Tensor]:
    import zoo

    torch.manual_seed(0)
    model = zoo.create(name).eval()
    side = model.spec.input.size
    return model, torch.randn(1, model.in_channels, side, side)


def _in_a_process(function: Callable[..., dict[str, Any]], *arguments: object) -> dict[str, Any]:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, initializer=die_with_parent) as pool:
        return pool.submit(function, *arguments).result()


def _started(function: Callable[[], None]) -> BaseProcess:
    process = multiprocessing.get_context("spawn").Process(target=function, daemon=True)
    process.start()
    return process


def _spin() -> None:
    die_with_parent()
    while True:
        pass
