"""PyTorch, channels last, with the 3x3 convolutions in Winograd's form where that is faster."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from zoo.errors import RuntimeUnavailable
from zoo.lazy import nn, torch
from zoo.runtimes.session import Run

if TYPE_CHECKING:
    from zoo.classifier import Classifier

__all__ = ["ANY_SHAPE", "open", "unavailable"]

ANY_SHAPE = False
TRIES = 4  # calls of both forms of a convolution, the faster of which stays


def unavailable() -> str | None:
    return None


def open(model: Classifier, images: torch.Tensor) -> Run:
    from zoo.inference import inference_copy
    from zoo.winograd import Scratch, WinogradConv2d

    if images.device.type != "cpu" or images.dtype not in (torch.float32, torch.float64):
        raise RuntimeUnavailable(f"runs float32 or float64 on the CPU; got {images.dtype} on {images.device}")
    network = inference_copy(model).to(memory_format=torch.channels_last)
    layers = {name: layer for name, layer in network.named_modules() if WinogradConv2d.suits(layer)}
    if not layers:
        raise RuntimeUnavailable(f"{model.spec.label} has no 3x3 convolution of stride 1 between 32 channels or more")

    def run(images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = network(images.contiguous(memory_format=torch.channels_last))
        return logits

    scratch = Scratch()
    with torch.inference_mode():
        shapes = _input_shapes(layers, run, images)
        for name, layer in layers.items():
            example = torch.randn(shapes[layer], dtype=images.dtype).contiguous(memory_format=torch.channels_last)
            other = WinogradConv2d(layer, scratch)
            times = [(_seconds(layer, example), _seconds(other, example)) for _ in range(TRIES)]
            direct, transformed = map(min, zip(*times, strict=True))
            if transformed < direct:
                network.set_submodule(name, other)
    return run


def _input_shapes(layers: dict[str, nn.Conv2d], run: Run, images: torch.Tensor) -> dict[nn.Module, torch.Size]:
    """What each layer is given when the network runs on `images`."""
    shapes: dict[nn.Module, torch.Size] = {}

    def note(layer: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        shapes[layer] = inputs[0].shape

    hooks = [layer.register_forward_pre_hook(note) for layer in layers.values()]
    run(images)
    for hook in hooks:
        hook.remove()
    return shapes


def _seconds(layer: nn.Module, images: torch.Tensor) -> float:
    start = time.perf_counter()
    layer(images)
    return time.perf_counter() - start
