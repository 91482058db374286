"""One model at one batch size: every runtime, `auto`'s choice, the other library and the machine's own limits."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks.metrics.mult_adds import by_flop_counter, calls_of
from benchmarks.selfcheck.speed.references import pair
from benchmarks.selfcheck.speed.turns import TURN, play
from zoo.lazy import nn, torch
from zoo.turns import elapsed, settled

__all__ = ["BANDWIDTH", "BATCH_SIZES", "GEMM", "measure"]

BATCH_SIZES = (1, 8, 16, 32)
GEMM = 2048  # rows and columns of the square float32 matrices whose products are the machine's rate
BANDWIDTH = 64 << 20  # numbers summed to see how fast memory is read: 256 MB, more than the caches hold
ROUNDS = {1: (10, 30), 8: (8, 12), 16: (8, 12), 32: (8, 12)}
SECONDS = {1: 10.0, 8: 8.0, 16: 10.0, 32: 10.0}


def measure(name: str, batch: int) -> dict[str, Any]:
    """Samples and facts as JSON values; to be called in a process of its own."""
    from zoo.runtimes import RUNTIMES, Session
    from zoo.runtimes.agreement import relative_difference
    from zoo.runtimes.auto import hold_trial

    model, reference = pair(name)
    side = model.spec.input.size
    images = torch.randn(batch, model.in_channels, side, side, generator=torch.Generator().manual_seed(0))
    started = time.perf_counter()
    trial = hold_trial(model, images, RUNTIMES)
    first_open = time.perf_counter() - started
    second_open = elapsed(partial(Session.open, model, images, trial.winner, RUNTIMES[trial.winner]))
    sessions = {**trial.sessions, "eager": Session.open(model, images, "eager", RUNTIMES["eager"])}
    calls: dict[str, Callable[[], object]] = {name: partial(session, images) for name, session in sessions.items()}
    if batch != 32:  # nothing is asked of the other library there
        calls["reference"] = partial(reference, images)
    if batch == 1:
        calls |= _limits()
    with torch.inference_mode():
        agreement = {
            "reference": relative_difference(reference(images), model(images)),
            **{name: relative_difference(session(images), model(images)) for name, session in sessions.items()},
        }
        players = {name: partial(settled, call, TURN) for name, call in calls.items()}
        played = play(players, rounds=ROUNDS[batch], seconds=SECONDS[batch])
    meta = torch.empty(1, model.in_channels, side, side, device="meta")
    return {
        "model": name,
        "batch": batch,
        "img_size": side,
        "threads": torch.get_num_threads(),
        "mult_adds": by_flop_counter(model.to("meta"), meta),
        "bytes_moved": bytes_moved(model, meta),
        "choice": trial.winner,
        "trial": trial.summary,
        "first_open_s": first_open,
        "second_open_s": second_open,
        "agreement": agreement,
        **played,
    }


def _limits() -> dict[str, Callable[[], object]]:
    """What no network should beat: the matrix product `torch.mm`, one with packed weights, and reading memory.

    On AMD processors MKL, which does `torch.mm`, leaves the widest vectors unused; oneDNN, which packs, uses them.
    """
    from zoo.runtimes.layouts.packed import PackedLinear

    one, other = torch.randn(2, GEMM, GEMM)
    product, numbers = torch.empty(GEMM, GEMM), torch.ones(BANDWIDTH)
    limits: dict[str, Callable[[], object]] = {
        "gemm": lambda: torch.mm(one, other, out=product),
        "read": lambda: numbers.sum(),
    }
    linear = nn.Linear(GEMM, GEMM, bias=False)
    if PackedLinear.suits(linear):
        packed = PackedLinear(linear, GEMM)
        limits["gemm_packed"] = lambda: packed(one)
    return limits


def bytes_moved(model: nn.Module, images: torch.Tensor) -> int:
    """Bytes of every weight once, and of what each convolution, linear layer and pool reads and writes.

    Norms and activations move nothing of their own where they are fused, as in every fast runtime.
    """
    calls = calls_of(model, images, nn.Conv2d, nn.Linear, nn.MaxPool2d, nn.AdaptiveAvgPool2d)
    weights = sum(weight.numel() for weight in model.parameters())
    return 4 * (weights + sum(given.numel() + output.numel() for _, _, given, output in calls))
