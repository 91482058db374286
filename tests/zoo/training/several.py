"""Processes that train, alone or together, forked off one that has PyTorch ready and computes nothing.

What is forked off the test itself cannot train once a test in the same process has given autograd threads.
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

__all__ = ["FORKED", "started", "together"]

FORKED = multiprocessing.get_context("forkserver")
# what wrappers and logs ask for as well: imported once, not in each
FORKED.set_forkserver_preload(["torch._dynamo", "torch.utils.tensorboard", "zoo.training.train"])

Started = tuple[Any, Path]


def started(size: int, task: Callable[..., Any], *args: Any) -> list[Started]:
    """The processes of a team that each do `task`, and the files their results go to."""
    folder = Path(tempfile.mkdtemp())
    found = []
    for rank in range(size):
        result = folder / f"{rank}.pt"
        process = FORKED.Process(target=_member, args=(rank, size, folder / "meeting", result, task, args))
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
    torch.set_num_threads(1)
    if size > 1:
        torch.distributed.init_process_group("gloo", init_method=meeting.as_uri(), rank=rank, world_size=size)
    try:
        found = task(*args)
    except BaseException as error:
        found = type(error).__name__
    torch.save(found, result)
    os._exit(0)
