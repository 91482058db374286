"""Multiply-adds of one image: three independent counts that must agree on convolutions and linear layers.

1. torch's FlopCounterMode, which sees the operators PyTorch executes (it counts two operations a multiply-add);
2. closed-form arithmetic from each layer's hyper-parameters and output size;
3. fvcore's counter, which traces the network. Its tracer needs real tensors, so its count is made once for each network
   and version of the libraries and kept in the user's cache folder.

FLOPs = 2 x multiply-adds. What fvcore and torchinfo add beyond convolutions and linear layers is kept in the details.
"""

from __future__ import annotations

import contextlib
import json
import logging
import warnings
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.metrics.metric import Column, Metric
from benchmarks.records.files import read_file, replace_file
from benchmarks.records.record import Measurement
from benchmarks.records.shapes import ABSENT
from benchmarks.records.staleness import fingerprint
from zoo.cache import cache_folder
from zoo.lazy import nn, torch

if TYPE_CHECKING:
    from benchmarks.metrics.subject import Subject

__all__ = ["METRIC", "CountsDisagree", "by_flop_counter", "by_layer", "calls_of"]

LIBRARIES = ("torch", "fvcore", "torchinfo")  # that count


class CountsDisagree(RuntimeError):
    """The three counters do not agree on convolutions and linear layers; the message holds the counts."""


def measure(subject: Subject) -> tuple[Measurement, ...]:
    """The count, once all three counters agree on it."""
    images = subject.example("meta")
    others = _cross_check(subject)
    counts = {
        "FlopCounterMode": by_flop_counter(subject.structure, images),
        "closed form": sum(by_layer(subject.structure, images).values()),
        "fvcore": others["fvcore"],
    }
    if len(set(counts.values())) > 1:
        found = ", ".join(f"{name} {count:,}" for name, count in counts.items())
        raise CountsDisagree(f"counts of convolutions and linear layers disagree: {found}")
    return (
        Measurement(
            name="mult_adds",
            value=counts["FlopCounterMode"],
            unit="count",
            method="convolutions and linear layers of one image; FlopCounterMode, closed form and fvcore agree",
            details={"counts": counts, "others": others["others"]},
        ),
    )


def by_flop_counter(model: nn.Module, images: torch.Tensor) -> int:
    """Multiply-adds torch's FlopCounterMode sees in a forward pass; works on meta tensors."""
    from torch.utils.flop_counter import FlopCounterMode

    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        model(images)
    return int(counter.get_total_flops()) // 2


def by_layer(model: nn.Module, images: torch.Tensor) -> dict[str, int]:
    """Multiply-adds of each convolution and linear layer by its name, from hyper-parameters and output sizes."""
    found: dict[str, int] = {}
    for name, layer, _, output in calls_of(model, images, nn.Conv2d, nn.Linear):
        if isinstance(layer, nn.Conv2d):
            each = layer.in_channels // layer.groups * layer.kernel_size[0] * layer.kernel_size[1]
        else:
            each = layer.in_features
        found[name] = found.get(name, 0) + output.numel() * each
    return found


def calls_of(
    model: nn.Module, images: torch.Tensor, *kinds: type[nn.Module]
) -> list[tuple[str, Any, torch.Tensor, torch.Tensor]]:
    """Name, layer, input and output of each call of a layer of these kinds in a forward pass; works on meta tensors."""
    calls: list[tuple[str, Any, torch.Tensor, torch.Tensor]] = []

    def note(name: str, layer: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        calls.append((name, layer, inputs[0], output))

    with contextlib.ExitStack() as hooks, torch.no_grad():
        for name, layer in model.named_modules():
            if isinstance(layer, kinds):
                hooks.enter_context(layer.register_forward_hook(partial(note, name)))
        model(images)
    return calls


def _cross_check(subject: Subject) -> dict[str, Any]:
    """fvcore's count and what other counters add, from the cache or made now and kept."""
    path = cache_folder() / "mult_adds.json"
    key = f"{subject.spec.label}|{subject.img_size}|{fingerprint([subject.spec.build], LIBRARIES)}"
    kept = _read(path)
    if key not in kept:
        counted = _count_on_real_tensors(subject)
        kept = _read(path) | {key: counted}
        with contextlib.suppress(OSError):  # a folder that cannot be written costs the same count the next time
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(path, json.dumps(kept, indent=1, sort_keys=True))
    result: dict[str, Any] = kept[key]
    return result


def _count_on_real_tensors(subject: Subject) -> dict[str, Any]:
    import torchinfo
    from fvcore.nn import FlopCountAnalysis

    images = torch.zeros((1, *subject.example("meta").shape[1:]))
    model = subject.random_network.float()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # its tracer repeats what PyTorch says about tracing
        logging.getLogger("fvcore").setLevel(logging.ERROR)
        analysis = FlopCountAnalysis(model, images)
        operators = {str(name): int(count) for name, count in analysis.by_operator().items()}
        uncounted = {str(name): int(count) for name, count in analysis.unsupported_ops().items()}
        whole = torchinfo.summary(model, input_data=images, verbose=0).total_mult_adds
    return {
        "fvcore": operators.get("conv", 0) + operators.get("linear", 0),
        "others": {"fvcore": operators, "fvcore_uncounted": uncounted, "torchinfo_total": int(whole)},
    }


def _read(path: Path) -> dict[str, Any]:
    try:
        kept = json.loads(read_file(path))
    except (OSError, ValueError):
        return {}  # nothing kept yet, or not readable: count again
    return kept if isinstance(kept, dict) else {}


METRIC = Metric(
    name="mult_adds",
    title="multiply-adds",
    also=("flops", "macs", "madds", "operations", "compute"),
    depends_on=("img_size",),
    columns=(
        Column(
            name="gmacs",
            measurement="mult_adds",
            factor=1e-9,
            better="low",
            title="Multiply-adds, G",
            published="mult_adds",
            published_column="published_gmacs",
            published_title="published, G",
        ),
        Column(name="gflops", measurement="mult_adds", factor=2e-9),
    ),
    measure=measure,
    details={
        "mult_adds": {
            "counts": ({str: int}, ABSENT),
            "others": ({"fvcore": {str: int}, "fvcore_uncounted": {str: int}, "torchinfo_total": int}, ABSENT),
        }
    },
    libraries=LIBRARIES,
    shares_process=True,
)
