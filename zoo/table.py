"""The paper's table of a network, recomputed: what each row returns, holds and costs, beside what the paper prints.

`layers` and `rows` build the network on the meta device, so they take milliseconds and no memory. Multiply-adds are
those of convolutions and linear layers, for one image; FLOPs = 2 x multiply-adds.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from zoo.factory import build
from zoo.lazy import nn, torch
from zoo.registry import spec as find_spec
from zoo.spec import ModelSpec

__all__ = ["PRINTED", "Layer", "Printed", "Row", "layers", "printed_for", "render", "rows"]

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
class Printed:
    """What a paper prints for a row, in its own words.

    Args:
        source: table or section.
        output: size of the output.
        params: parameters.
        mult_adds: multiply-adds.
        slip: why the printed figure is not the counted one; empty where they agree.
        covers: the rows the figures belong to, where they are more than this one.
    """

    source: str
    output: str = ""
    params: str = ""
    mult_adds: str = ""
    slip: str = ""
    covers: tuple[str, ...] = ()


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


def printed_for(spec: ModelSpec) -> Mapping[str, Printed]:
    """What the paper prints for the rows of exactly this variant, by row."""
    return PRINTED.get(spec.label, {})


def render(table: Iterable[Row]) -> str:
    """The table as aligned text, with a column for the paper where it prints anything, and its slips below."""
    table = tuple(table)
    paper = any(row.printed for row in table)
    header = ["row", "output", "parameters", "share", "multiply-adds", "share"] + (
        ["the paper prints"] if paper else []
    )
    lines = [header]
    notes: list[str] = []
    for row in table:
        line = [
            row.name,
            "x".join(map(str, row.output[1:] + row.output[:1])) or "training only",
            f"{row.params:,}",
            f"{row.params_share:.2%}",
            f"{row.mult_adds:,}",
            f"{row.mult_adds_share:.2%}",
        ]
        if paper:
            line.append(_in_words(row.printed, notes))
        lines.append(line)
    total = ["total", "", f"{sum(row.params for row in table):,}", "", f"{sum(row.mult_adds for row in table):,}", ""]
    lines.append(total + ([""] if paper else []))
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    text = [
        "  ".join(
            cell.rjust(width) if 2 <= column <= 5 else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    rule = "-" * max(map(len, text))
    return "\n".join([text[0], rule, *text[1:-1], rule, text[-1], *notes])


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


def _sizes(source: str, sizes: Mapping[str, str]) -> dict[str, Printed]:
    return {row: Printed(source=source, output=output) for row, output in sizes.items()}


def _googlenet() -> dict[str, Printed]:
    """arXiv:1409.4842, Table 1: filter weights in units of 1024, and multiply-adds."""
    dense = "the printed figures fit a separable 7x7 convolution; the dense one has 9.2K weights and 118M multiply-adds"
    follow = "follow from the printed filters"
    figures = {
        "conv1": ("112x112x64", "2.7K", "34M", dense),
        "pool1": ("56x56x64", "", "", ""),
        "conv2": ("56x56x192", "112K", "360M", ""),
        "pool2": ("28x28x192", "", "", ""),
        "inception3a": ("28x28x256", "159K", "128M", ""),
        "inception3b": ("28x28x480", "380K", "304M", f"379.0K weights {follow}"),
        "pool3": ("14x14x480", "", "", ""),
        "inception4a": ("14x14x512", "364K", "73M", f"366.8K weights {follow}"),
        "inception4b": ("14x14x512", "437K", "88M", f"438.0K weights {follow}"),
        "inception4c": ("14x14x512", "463K", "100M", f"497.5K weights {follow}"),
        "inception4d": ("14x14x528", "580K", "119M", f"590.5K weights {follow}"),
        "inception4e": ("14x14x832", "840K", "170M", f"847.0K weights {follow}"),
        "pool4": ("7x7x832", "", "", ""),
        "inception5a": ("7x7x832", "1072K", "54M", f"1018.0K weights and 51.1M multiply-adds {follow}"),
        "inception5b": ("7x7x1024", "1388K", "71M", f"1409.0K weights {follow}"),
        "pool": ("1x1x1024", "", "", ""),
        "fc": ("1x1x1000", "1000K", "1M", ""),
    }
    return {
        row: Printed(
            source="Table 1",
            output=output,
            params=params,
            mult_adds=mult_adds,
            slip=slip,
            covers=("conv2_reduce", "conv2") if row == "conv2" else (),
        )
        for row, (output, params, mult_adds, slip) in figures.items()
    }


def _mobilenet() -> dict[str, Printed]:
    """arXiv:1704.04861, Table 1: the input of each row is the output of the one before."""
    sides = {2: 112, 3: 56, 4: 56, 5: 28, 6: 28, 7: 14, **dict.fromkeys(range(8, 13), 14), 13: 7, 14: 7}
    channels = {1: 32, 2: 64, 3: 128, 4: 128, 5: 256, 6: 256, **dict.fromkeys(range(7, 13), 512), 13: 1024, 14: 1024}
    sizes = {"conv_1": "112x112x32"}
    for row, side in sides.items():
        sizes[f"dw_{row}"] = f"{side}x{side}x{channels[row - 1]}"
        sizes[f"pw_{row}"] = f"{side}x{side}x{channels[row]}"
    printed = _sizes("Table 1", {**sizes, "pool": "1x1x1024", "fc": "1x1x1000"})
    last = "its stride is printed as 2, but its input and its output are both printed as 7x7"
    return {**printed, "dw_14": Printed(source="Table 1", output=sizes["dw_14"], slip=last)}


def _alexnet() -> dict[str, Printed]:
    """NIPS 2012, Figure 2: the number of neurons of each layer."""
    names = ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8")
    neurons = (253_440, 186_624, 64_896, 64_896, 43_264, 4096, 4096, 1000)
    printed = _sizes("Figure 2", {name: f"{count:,} neurons" for name, count in zip(names, neurons, strict=True)})
    first = "253,440 neurons are printed; 96 maps of 55x55 have 290,400"
    return {**printed, "conv1": Printed(source="Figure 2", output="253,440 neurons", slip=first)}


RESNET = _sizes(
    "Table 1",
    {"conv1": "112x112", "conv2_x": "56x56", "conv3_x": "28x28", "conv4_x": "14x14", "conv5_x": "7x7", "pool": "1x1"},
)
RESNET_VARIANTS = tuple(
    f"resnet{depth}{options}"
    for depth in (18, 34, 50, 101, 152)
    for options in ("", ":shortcut=pad", ":shortcut=none", ":stride_in=1x1")
    if depth >= 50 or options != ":stride_in=1x1"
)

PRINTED: Mapping[str, Mapping[str, Printed]] = MappingProxyType(
    {
        "alexnet_2012": _alexnet(),
        "googlenet_2014": _googlenet(),
        **dict.fromkeys(RESNET_VARIANTS, RESNET),
        "mobilenet_v1": _mobilenet(),
        "xception": _sizes("Figure 5", {"entry3": "19x19x728", "middle8": "19x19x728", "pool": "2048"}),
    }
)
"""Where papers print sizes or costs by row; VGG, Inception V3 and NIN print none beyond the filters themselves."""
