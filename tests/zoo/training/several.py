"""Processes that do one thing together, forked off the test, so that none has to import PyTorch again."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

__all__ = ["started", "together"]

Started = tuple[Any, Path]


def started(size: int, task: Callable[..., Any], *args: Any) -> list[Started]:
    """The processes of a team that each do `task`, and the files their results go to."""
    for module in ("torch._dynamo", "torch.utils.tensorboard"):  # which wrappers and logs ask for: once, not in each
        importlib.import_module(module)
    folder = Path(tempfile.mkdtemp())
    context = multiprocessing.get_context("fork")
    found = []
    for rank in range(size):
        result = folder / f"{rank}.pt"
        process = context.Process(target=_member, args=(rank, size, folder / "meeting", result, task, args))
        process.start()
        found.append((process, result))
    return found


def together(size: int, task: Callable[..., Any], *args: Any) -> list[Any]:
    """What `task` returns in each process of a team, by rank; of one that failed, the name of what it raised."""
    results = []
    for process, path in started(size, task, *args):
        process.join(100)
        if process.is_alive():  # it waits for another
            process.kill()
            process.join()
        results.append(torch.load(path, weights_only=False) if path.exists() else f"ended with {process.exitcode}")
    return results


def _member(rank: int, size: int, meeting: Path, result: Path, task: Callable[..., Any], args: tuple[Any, ...]) -> None:
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    if size > 1:
        torch.distributed.init_process_group("gloo", init_method=meeting.as_uri(), rank=rank, world_size=size)
    try:
        found = task(*args)
    except BaseException as error:
        found = type(error).__name__
    torch.save(found, result)
    os._exit(0)
