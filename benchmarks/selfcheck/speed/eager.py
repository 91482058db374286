"""The zoo's plain eager model beside the other library's: the same network written twice."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from benchmarks.selfcheck.speed.references import pair
from benchmarks.selfcheck.speed.turns import TURN, play
from zoo.lazy import nn, torch
from zoo.training.devices import keep_freed_memory
from zoo.turns import settled

__all__ = ["BATCH_SIZES", "measure"]

BATCH_SIZES = (1, 16)
ROUNDS = {1: (20, 60), 16: (7, 20)}
SECONDS = {1: 12.0, 16: 20.0}


def measure(name: str, batch: int) -> dict[str, Any]:
    """Samples and operators as JSON values; to be called in a process of its own."""
    keep_freed_memory()
    model, reference = pair(name)
    side = model.spec.input.size
    images = torch.randn(batch, model.in_channels, side, side, generator=torch.Generator().manual_seed(0))
    networks: dict[str, nn.Module] = {"zoo": model, "reference": reference}
    with torch.inference_mode():
        operators = {kind: _operators(network, images[:1]) for kind, network in networks.items()}
        played = play(
            {kind: _on_a_copy(network, images) for kind, network in networks.items()},
            rounds=ROUNDS[batch],
            seconds=SECONDS[batch],
        )
    return {
        "model": name,
        "batch": batch,
        "operators": {kind: len(called) for kind, called in operators.items()},
        "same_operators": operators["zoo"] == operators["reference"],
        **played,
    }


def _on_a_copy(network: nn.Module, images: torch.Tensor) -> Callable[[], float]:
    """A player whose every turn is on a copy made for it.

    Where in memory its weights happen to lie makes one copy of a network several percent faster than another, for as
    long as both live.
    """

    def turn() -> float:
        one = copy.deepcopy(network)
        return settled(lambda: one(images), TURN)

    return turn


def _operators(network: nn.Module, images: torch.Tensor) -> list[tuple[str, list[tuple[int, ...]]]]:
    """Every operator PyTorch is asked for in a call, with the shapes of its tensors, in order."""
    from torch.utils._python_dispatch import TorchDispatchMode

    called = []

    class Listener(TorchDispatchMode):
        def __torch_dispatch__(self, operator: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            called.append((str(operator), [tuple(each.shape) for each in args if isinstance(each, torch.Tensor)]))
            return operator(*args, **(kwargs or {}))

    with Listener():  # type: ignore[no-untyped-call]
        network(images)
    return called
