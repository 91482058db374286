"""One model on a GPU: all ways to run it, precisions and batch sizes, the other library and the card's own limit."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import product
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

from benchmarks.metrics.mult_adds import by_flop_counter
from benchmarks.selfcheck.speed.references import MODELS, pair
from benchmarks.selfcheck.speed.turns import play
from zoo.lazy import nn, torch
from zoo.turns import settled

if TYPE_CHECKING:
    from zoo.classifier import Classifier

__all__ = ["BATCH_SIZES", "GEMM", "PRECISIONS", "RUNTIMES", "make_ready", "measure"]

BATCH_SIZES = (1, 16, 128)
PRECISIONS = ("fp32", "bf16", "fp16")
RUNTIMES = ("eager", "channels_last", "compiled", "cuda_graphs")
GEMM = 8192  # rows and columns of the square matrices whose products are the card's rate
TURN, ROUNDS, SECONDS = 0.02, (5, 12), 1.0

Call = Callable[[], object]


def make_ready() -> dict[str, Any]:
    """Compiles everything on all processors at once, so that the timed processes find it in Inductor's cache."""
    processes = max(1, (os.cpu_count() or 2) - 2)
    os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"  # the processes are the threads
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        jobs = {
            (name, precision, batch): pool.submit(_compile, name, precision, batch)
            for batch, precision, name in product(reversed(BATCH_SIZES), PRECISIONS, MODELS)
        }
        failed = {" ".join(map(str, key)): text for key, job in jobs.items() if (text := job.result())}
    return {"processes": processes, "compiled": len(jobs) - len(failed), "failed": failed}


def _compile(name: str, precision: str, batch: int) -> str:
    """Why it failed; empty where it did not."""
    import zoo

    torch.set_num_threads(1)
    model, _ = pair(name)
    try:
        zoo.open_runtime(model.to("cuda"), _images(model, batch), "compiled", precision=precision)
    except zoo.RuntimeUnavailable as error:
        return str(error)
    return ""


def measure(name: str, device: str = "cuda") -> dict[str, Any]:
    """Samples and facts as JSON values, a list of one entry a precision and batch size; for a process of its own."""
    torch.set_num_threads(1)  # so that weights are those of `make_ready` to the bit, and what it compiled is found
    model, reference = pair(name)
    model.to(device), reference.to(device)
    side = model.spec.input.size
    found = []
    for precision, batch in product(PRECISIONS, BATCH_SIZES):
        calls, agreement, refused = _calls(model, reference, precision, _images(model, batch))
        calls["gemm"] = _product(precision, device)
        players = {way: partial(settled, call, TURN) for way, call in calls.items()}
        played = play(players, rounds=ROUNDS, seconds=SECONDS, threaded=False)
        del calls["gemm"]
        found.append({
            "model": name, "precision": precision, "batch": batch, "agreement": agreement, "refused": refused, **played,
        })  # fmt: skip
    return {
        "model": name,
        "card": torch.cuda.get_device_name() if device == "cuda" else device,
        "img_size": side,
        "mult_adds": by_flop_counter(model.to("meta"), torch.empty(1, model.in_channels, side, side, device="meta")),
        "flags": {
            "cudnn_allow_tf32": torch.backends.cudnn.allow_tf32,
            "cudnn_benchmark": torch.backends.cudnn.benchmark,
            "cudnn": torch.backends.cudnn.version() if device == "cuda" else None,
        },
        "conditions": found,
    }


def _images(model: Classifier, batch: int) -> torch.Tensor:
    side = model.spec.input.size
    pixels = torch.randn(batch, model.in_channels, side, side, generator=torch.Generator().manual_seed(0))
    return pixels.to(next(model.parameters()).device)


def _calls(
    model: Classifier, reference: nn.Module, precision: str, images: torch.Tensor
) -> tuple[dict[str, Call], dict[str, float], dict[str, str]]:
    """By way a call that returns when its logits are there, how far these are from fp32's, and why others cannot."""
    import zoo
    from benchmarks.metrics.subject import PRECISIONS as DTYPES
    from zoo.runtimes.agreement import relative_difference
    from zoo.training.devices import synchronize

    dtype = DTYPES[precision]
    reference.to(dtype)
    answers: dict[str, Callable[[], torch.Tensor]] = {"reference": lambda: reference(images.to(dtype)).to(images.dtype)}
    refused = {}
    for runtime in RUNTIMES:
        try:
            answers[runtime] = partial(zoo.open_runtime(model, images, runtime, precision=precision), images)
        except zoo.RuntimeUnavailable as error:
            refused[runtime] = str(error)

    def waited(answer: Callable[[], torch.Tensor]) -> None:
        with torch.inference_mode():
            answer()
        synchronize(images.device)

    with torch.inference_mode():
        expected = model(images)
        agreement = {way: relative_difference(answer(), expected) for way, answer in answers.items()}
    return {way: partial(waited, answer) for way, answer in answers.items()}, agreement, refused


def _product(precision: str, device: str) -> Call:
    """The product of two large matrices at a precision; at fp32 in TF32, as PyTorch's convolutions are."""
    from benchmarks.metrics.subject import PRECISIONS as DTYPES
    from zoo.training.devices import synchronize

    dtype = DTYPES[precision]
    rows = GEMM if device == "cuda" else 64
    one, other = torch.randn(2, rows, rows, device=device).to(dtype)
    into = torch.empty(rows, rows, device=device, dtype=dtype)

    def multiply() -> None:
        before = torch.backends.cuda.matmul.allow_tf32
        torch.backends.cuda.matmul.allow_tf32 = True
        torch.mm(one, other, out=into)
        torch.backends.cuda.matmul.allow_tf32 = before
        synchronize(device)

    return multiply
