"""PyTorch, channels last, each layer in the form that is fastest here: as it is, packed for oneDNN, or Winograd's."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING

from zoo.errors import RuntimeUnavailable
from zoo.lazy import nn, torch
from zoo.runtimes.compiled import unavailable as no_compiler
from zoo.runtimes.session import Run
from zoo.turns import elapsed, take_turns

if TYPE_CHECKING:
    from zoo.classifier import Classifier

__all__ = ["ANY_SHAPE", "LIBRARIES", "open", "unavailable"]

ANY_SHAPE = False
LIBRARIES: tuple[str, ...] = ()
TRIES = 5  # calls of each form of a layer, the fastest of which stays
ENOUGH = 0.5  # seconds of such calls after which no more are made


def unavailable() -> str | None:
    return None


def open(model: Classifier, images: torch.Tensor) -> Run:
    from zoo.runtimes.folding import inference_copy

    if images.device.type != "cpu" or images.dtype not in (torch.float32, torch.float64):
        raise RuntimeUnavailable(f"runs float32 or float64 on the CPU; got {images.dtype} on {images.device}")
    network = inference_copy(model).to(memory_format=torch.channels_last)
    vars(network)["check"] = _nothing_to_check  # the network's own looks for its first convolution

    def run(images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = network(images.contiguous(memory_format=torch.channels_last))
        return logits

    with torch.inference_mode():
        shapes = _input_shapes(network, run, images)
        for parent, name, relu in list(_places(network)):
            layer = parent.get_submodule(name)
            if len(shapes.get(layer, ())) == 1:
                (shape,) = shapes[layer]
                best = _fastest(layer, shape, images.dtype, relu=bool(relu))
                if best is not layer:
                    parent.set_submodule(name, best)
                    if relu:
                        parent.set_submodule(relu, nn.Identity())
    return run


def _nothing_to_check(_images: torch.Tensor) -> None:
    """The session has checked the images."""


def _places(network: nn.Module) -> Iterator[tuple[nn.Module, str, str]]:
    """Every layer as its parent, its name there and the name of the ReLU right after it, if there is one."""
    for parent in network.modules():
        # not named_children, which leaves out the second place of a layer that stands in two
        children = [
            (name, child)
            for name, child in parent._modules.items()
            if child is not None and type(child) is not nn.Identity
        ]
        in_a_row = type(parent) is nn.Sequential
        for (name, _), (following, other) in itertools.pairwise([*children, ("", parent)]):
            yield parent, name, following if in_a_row and type(other) is nn.ReLU else ""


def _input_shapes(network: nn.Module, run: Run, images: torch.Tensor) -> dict[nn.Module, set[torch.Size]]:
    """All that each convolution and linear layer is given when the network runs on `images`."""
    shapes: dict[nn.Module, set[torch.Size]] = defaultdict(set)

    def note(layer: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        shapes[layer].add(inputs[0].shape)

    layers = [layer for layer in network.modules() if type(layer) in (nn.Conv2d, nn.Linear)]
    hooks = [layer.register_forward_pre_hook(note) for layer in layers]
    run(images)
    for hook in hooks:
        hook.remove()
    return shapes


def _fastest(layer: nn.Module, shape: torch.Size, dtype: torch.dtype, *, relu: bool) -> nn.Module:
    """The layer itself or another form of it and the ReLU after it."""
    example = torch.randn(shape, dtype=dtype)
    if len(shape) == 4:
        example = example.contiguous(memory_format=torch.channels_last)
    forms = {layer: nn.Sequential(layer, nn.ReLU(inplace=True)) if relu else layer}
    forms |= {form: form for form in _forms(layer, shape, relu=relu)}
    for form in forms.values():
        form(example)  # which may compile
    seconds: dict[nn.Module, list[float]] = {form: [] for form in forms}

    def turn(form: nn.Module) -> None:
        seconds[form].append(elapsed(lambda: forms[form](example)))

    for _ in take_turns(forms, turn, rounds=(1, TRIES), seconds=ENOUGH):
        pass
    return min(forms, key=lambda form: min(seconds[form]))


def _forms(layer: nn.Module, shape: torch.Size, *, relu: bool) -> Iterator[nn.Module]:
    from zoo.runtimes.layouts.packed import PackedConv2d, PackedLinear
    from zoo.runtimes.layouts.winograd import SMALLEST, WinogradConv2d

    if PackedLinear.suits(layer) and len(shape) == 2:
        yield PackedLinear(layer, shape[0], relu=relu)  # type: ignore[arg-type]
    if PackedConv2d.suits(layer):
        yield PackedConv2d(layer, shape, relu=relu)  # type: ignore[arg-type]
    if WinogradConv2d.suits(layer) and min(shape[2:]) >= SMALLEST and no_compiler() is None:
        yield WinogradConv2d(layer, shape, relu=relu)  # type: ignore[arg-type]
