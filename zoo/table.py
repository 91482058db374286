"""The paper's table of a network, recomputed: what each row returns, holds and costs, beside what the paper prints.

`layers` and `rows` build the network on the meta device, so they take milliseconds and no memory. Multiply-adds are
those of convolutions and linear layers, for one image; FLOPs = 2 x multiply-adds.
"""

from __future__ import annotations

import functools
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from zoo.factory import build
from zoo.lazy import nn, torch
from zoo.printing import aligned
from zoo.registry import spec as find_spec
from zoo.spec import ModelSpec, Printed

__all__ = ["Layer", "Row", "layers", "printed_for", "render", "rows"]

SILENT = ("Dropout", "Flatten", "ReLU", "ReLU6", "ELU")  # rows without a name in any paper


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A convolution, linear layer or batch norm.

    Args:
        row: the row of the paper's table it belongs to.
        name: its path in the network.
        kind: "conv 3x3", "depthwise 3x3", "linear", "norm".
        weights: numbers in the filters; 0 for a norm.
        biases: numbers in the biases; for a norm its scales and shifts.
        mult_adds: of one image.
    """

    row: str
    name: str
    kind: str
    weights: int
    biases: int
    mult_adds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the table.

    Args:
        name: as the network's child is called.
        output: channels, height and width, or just channels; empty for what only runs in training.
        params: learnable parameters.
        weights: those of them that are filter weights, without biases and norms, as some papers count.
        mult_adds: of one image in inference.
        params_share, mult_adds_share: fraction of the whole network's.
        printed: what the paper prints for it, if it prints anything.
    """

    name: str
    output: tuple[int, ...]
    params: int
    weights: int
    mult_adds: int
    params_share: float
    mult_adds_share: float
    printed: Printed | None = None


def rows(model: str | ModelSpec, *, img_size: int = 0, num_classes: int = 1000) -> tuple[Row, ...]:
    """The table of a model, in the order the rows run; auxiliary classifiers, which only train, come last.

    Args:
        model: label or spec.
        img_size: side of the square image in pixels; 0 takes the spec's.
    """
    spec = find_spec(model) if isinstance(model, str) else model
    outputs, found = _run(spec, img_size or spec.input.size, num_classes)
    printed = printed_for(spec) if img_size in (0, spec.input.size) and num_classes == 1000 else {}
    all_params = sum(layer.weights + layer.biases for layer in found)
    all_mult_adds = sum(layer.mult_adds for layer in found)
    table = []
    for name, output in outputs.items():
        own = [layer for layer in found if layer.row == name]
        params, mult_adds = sum(layer.weights + layer.biases for layer in own), sum(layer.mult_adds for layer in own)
        row = Row(
            name=name,
            output=output,
            params=params,
            weights=sum(layer.weights for layer in own),
            mult_adds=mult_adds,
            params_share=params / all_params,
            mult_adds_share=mult_adds / all_mult_adds,
            printed=printed.get(name),
        )
        table.append(row)
    return tuple(table)


def layers(model: str | ModelSpec, *, img_size: int = 0, num_classes: int = 1000) -> tuple[Layer, ...]:
    """Every layer with weights, for sums over kinds of layers: see `rows`."""
    spec = find_spec(model) if isinstance(model, str) else model
    return _run(spec, img_size or spec.input.size, num_classes)[1]


@functools.lru_cache(maxsize=1)  # the rows of a model and its layers are usually asked for together
def _run(spec: ModelSpec, img_size: int, num_classes: int) -> tuple[Mapping[str, tuple[int, ...]], tuple[Layer, ...]]:
    """Output size by row, and all layers with their costs."""
    model = build(spec, num_classes=num_classes, in_channels=spec.input.channels).eval()
    named = {**dict(model.features.named_children()), **{f"head.{n}": m for n, m in model.head.named_children()}}
    named = {name: module for name, module in named.items() if type(module).__name__ not in SILENT}
    auxiliary = {f"auxiliary.{name}": module for name, module in model.auxiliary.items()}
    outputs: dict[str, tuple[int, ...]] = {name.removeprefix("head."): () for name in (*named, *auxiliary)}
    mult_adds: dict[nn.Module, int] = {}

    def note_output(row: str) -> Any:
        def hook(_module: nn.Module, _inputs: object, output: torch.Tensor) -> None:
            outputs[row] = tuple(output.shape[1:])

        return hook

    def count(layer: Any, _inputs: object, output: torch.Tensor) -> None:
        each = layer.weight.numel() // layer.weight.shape[0]
        mult_adds[layer] = mult_adds.get(layer, 0) + output.numel() * each

    weighted = [
        (row, f"{row}.{path}".rstrip("."), layer)
        for row, module in (named | auxiliary).items()
        for path, layer in module.named_modules()
        if isinstance(layer, (nn.Conv2d, nn.Linear, nn.BatchNorm2d))
    ]
    for name, module in named.items():
        module.register_forward_hook(note_output(name.removeprefix("head.")))
    for _, _, layer in weighted:
        if not isinstance(layer, nn.BatchNorm2d):
            layer.register_forward_hook(count)
    _leave_out(model, nn.BatchNorm2d, nn.LocalResponseNorm, nn.ReLU, nn.ReLU6, nn.ELU, nn.Dropout)
    with torch.no_grad():
        model(torch.empty(1, spec.input.channels, img_size, img_size, device="meta"))
    found = tuple(
        Layer(
            row=row.removeprefix("head."),
            name=path,
            kind=kind_of(layer),
            weights=0 if isinstance(layer, nn.BatchNorm2d) else layer.weight.numel(),
            biases=_biases(layer),
            mult_adds=mult_adds.get(layer, 0),
        )
        for row, path, layer in weighted
    )
    return MappingProxyType(outputs), found


def _leave_out(model: nn.Module, *kinds: type[nn.Module]) -> None:
    """Puts identities in place of layers that change no shape: on meta tensors they take most of the time."""
    for path in [path for path, layer in model.named_modules() if isinstance(layer, kinds)]:
        model.set_submodule(path, nn.Identity())


def kind_of(layer: nn.Conv2d | nn.Linear | nn.BatchNorm2d) -> str:
    """ "conv 1x7", "depthwise 3x3", "linear" or "norm"."""
    if isinstance(layer, nn.BatchNorm2d):
        return "norm"
    if isinstance(layer, nn.Linear):
        return "linear"
    height, width = layer.kernel_size
    depthwise = layer.groups == layer.in_channels > 1
    return f"{'depthwise' if depthwise else 'conv'} {height}x{width}"


def _biases(layer: nn.Conv2d | nn.Linear | nn.BatchNorm2d) -> int:
    bias = 0 if layer.bias is None else layer.bias.numel()
    return bias + layer.weight.numel() if isinstance(layer, nn.BatchNorm2d) else bias


def printed_for(spec: ModelSpec) -> dict[str, Printed]:
    """What the paper prints for the rows of exactly this variant, by row."""
    return {printed.row: printed for printed in spec.printed if spec.options in printed.variants}


def render(table: Iterable[Row], width: int | None = None) -> str:
    """The table as aligned text, with a column for the paper where it prints anything, and its slips below.

    Args:
        width: columns there are; where they do not hold the paper's, what it prints stands below the table, and where
            they do not hold the shares, these are left out.
    """
    table = tuple(table)
    notes: list[str] = []
    words = [_in_words(row.printed, notes) for row in table]
    header = ["row", "output", "parameters", "share", "multiply-adds", "share"]
    lines = [
        [
            row.name,
            "x".join(map(str, row.output[1:] + row.output[:1])) or "training only",
            f"{row.params:,}",
            f"{row.params_share:.2%}",
            f"{row.mult_adds:,}",
            f"{row.mult_adds_share:.2%}",
        ]
        for row in table
    ]
    total = ["total", "", f"{sum(row.params for row in table):,}", "", f"{sum(row.mult_adds for row in table):,}", ""]
    figures = range(2, 6)
    if width is not None and _widest([header, *lines, total]) > width:
        header, total, *lines = ([*line[:3], line[4]] for line in (header, total, *lines))
        figures = range(2, 4)
    if any(words):
        beside = [[*line, said] for line, said in zip(lines, words, strict=True)]
        if width is None or _widest([[*header, "the paper prints"], *beside, [*total, ""]]) <= width:
            header, lines, total = [*header, "the paper prints"], beside, [*total, ""]
        else:
            printed = [f"{row.name}: {said}" for row, said in zip(table, words, strict=True) if said]
            notes = ["the paper prints", *printed, *notes]
    text = aligned([header, *lines, total], right=figures)
    if width is not None:
        notes = [part for note in notes for part in textwrap.wrap(note, width, subsequent_indent="    ")]
    rule = "-" * max(map(len, text))
    return "\n".join([text[0], rule, *text[1:-1], rule, text[-1], *notes])


def _widest(lines: list[list[str]]) -> int:
    """Columns of the terminal that these lines take."""
    return max(map(len, aligned(lines, right=range(9))))


def _in_words(printed: Printed | None, notes: list[str]) -> str:
    if printed is None:
        return ""
    figures = [
        printed.output,
        f"{printed.params} parameters" if printed.params else "",
        f"{printed.mult_adds} multiply-adds" if printed.mult_adds else "",
        f"for {' and '.join(printed.covers)}" if printed.covers else "",
    ]
    mark = ""
    if printed.slip:
        notes.append(f"[{len(notes) + 1}] {printed.source}: {printed.slip}")
        mark = f" [{len(notes)}]"
    return ", ".join(filter(None, figures)) + mark
