"""last.ckpt: everything that a training needs to go on as if nothing had happened."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import DataError, one_line
from zoo.lazy import torch
from zoo.partial import replacing
from zoo.training.devices import set_random_states

if TYPE_CHECKING:
    from torch import Tensor

    from zoo.training.loop import Run

__all__ = ["LAST", "read_checkpoint", "restore", "state_of", "write_checkpoint"]

LAST = "last.ckpt"
FORMAT = 2


def state_of(run: Run, random: Sequence[tuple[Tensor, list[Tensor]]]) -> dict[str, Any]:
    """All that changes in the course of a training: tensors and plain numbers, nothing that is run when it is read.

    Args:
        random: `zoo.training.devices.random_states` of all processes, by rank.
    """
    return {
        "format": FORMAT,
        "model": run.model.state_dict(),
        "optimizer": run.optimizer.state_dict(),
        "average": None if run.average is None else (run.average.model.state_dict(), run.average.steps),
        "scaler": run.scaler.state_dict(),
        "order": run.order_state,
        "processes": run.team.size,
        "random": [list(states) for states in random],
        "position": dataclasses.asdict(run.position),
        "curve": [dataclasses.asdict(epoch) for epoch in run.curve],
        "best": run.best_state,
    }


def restore(run: Run, state: dict[str, Any]) -> None:
    """Puts a training where it was."""
    run.model.load_state_dict(state["model"])
    run.move_to(state["position"], state["processes"])
    run.optimizer.load_state_dict(state["optimizer"])
    if run.average is not None:
        run.average.model.load_state_dict(state["average"][0])
        run.average.steps = state["average"][1]
    run.scaler.load_state_dict(state["scaler"])
    run.order.set_state(state["order"])
    if state["processes"] == run.team.size:  # else each goes on from the seed it has
        set_random_states(*state["random"][run.team.rank])
    run.take_history(state["curve"], state["best"])


def write_checkpoint(state: Mapping[str, Any], folder: Path) -> None:
    """Written whole or not at all; the one before stays until then.

    Args:
        state: see `state_of`.

    Raises:
        DataError: it cannot be written, or there is no room for it; what the training needs to go on stands.
    """
    path = folder / LAST
    needed = sum(tensor.nbytes for tensor in _tensors(state))
    free = shutil.disk_usage(folder).free
    if free < 1.1 * needed:
        raise DataError(
            f"{path} needs {needed / 1e6:,.0f} MB and {free / 1e6:,.0f} MB are free; make room and run the same command"
        )
    try:
        with replacing(path) as partial:
            torch.save(state, partial)
    except (OSError, RuntimeError) as error:  # PyTorch's writer reports a full disk as the second
        raise DataError(f"{path} cannot be written: {one_line(str(error), 100)}; the last good one stays") from error


def read_checkpoint(folder: Path) -> dict[str, Any] | None:
    """What was written last, None where nothing was; raises `DataError` for a file that is none of ours."""
    path = folder / LAST
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        if state["format"] != FORMAT:
            raise ValueError(f"it is of format {state['format']}, this version reads {FORMAT}")
    except Exception as error:
        raise DataError(f"{path} cannot be read: {one_line(str(error), 120)}; --fresh starts anew beside it") from error
    return state


def _tensors(value: Any) -> list[Any]:
    if isinstance(value, torch.Tensor):
        return [value]
    parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, (list, tuple)) else ()
    return [tensor for part in parts for tensor in _tensors(part)]
