"""The same network, proved: random weights of another library give that library's logits here, and go back unchanged.

For every model that torchvision, Keras or timm has too: their network gets random weights and random statistics in its
batch norms, is saved in their own file format, and is loaded by `zoo.create(..., weights=FILE)`. Both see the same
random images. Networks with auxiliary classifiers are compared in training mode as well, dropout switched off.
"""

from __future__ import annotations

import itertools
import math
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import zoo
from benchmarks.report.bars import Bar, Cases, CheckPage, judged
from benchmarks.report.page import section
from benchmarks.report.table import TableColumn, table, text_column
from benchmarks.report.words import enumerate_words
from benchmarks.selfcheck.speed.references import settle_norms
from benchmarks.selfcheck.tasks import Benchmark
from zoo.lazy import nn, torch
from zoo.weights import export_weights
from zoo.weights.files import read
from zoo.weights.stored import Stored

__all__ = ["BENCHMARK", "CASES", "Parity", "bars", "measure"]

IMAGES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """One network in two libraries.

    Args:
        model: the zoo's name of it, options in shell form.
        source: the other library.
        theirs: its name there.
        size: side of the images in pixels.
        tolerance: largest difference allowed, relative to the largest logit.
    """

    model: str
    source: str
    theirs: str
    size: int
    tolerance: float = 1e-5

    def __str__(self) -> str:
        return f"{self.source} {self.model} {self.size}"


def _cases() -> Iterator[Parity]:
    for name in zoo.list_models(weights="torchvision"):
        size = zoo.spec(name).input.size
        yield Parity(model=name, source="torchvision", theirs=name, size=size)
        if any(option.name == "auxiliary" for option in zoo.spec(name).declared):
            yield Parity(model=f"{name}:auxiliary=true", source="torchvision", theirs=name, size=size)
    # with one odd size, where the rules of TensorFlow's padding part
    for width, size in (*itertools.product((1.0, 0.75, 0.5, 0.25), (224, 160, 128)), (0.25, 97)):
        model = f"mobilenet_v1:width={width},resolution={size}"
        yield Parity(model=model, source="keras", theirs="MobileNet", size=size, tolerance=1e-4)
    for size in (299, 256):
        yield Parity(model="xception", source="keras", theirs="Xception", size=size, tolerance=1e-4)
    yield Parity(model="mobilenet_v1", source="timm", theirs="mobilenetv1_100", size=224)
    yield Parity(model="mobilenet_v1:head=hidden", source="timm", theirs="mobilenetv1_100h", size=224)
    yield Parity(model="mobilenet_v1:width=1.25", source="timm", theirs="mobilenetv1_125", size=224)
    yield Parity(model="xception", source="timm", theirs="legacy_xception", size=299)


CASES = {str(case): case for case in _cases()}


def measure(case: Parity) -> dict[str, Any]:
    """One comparison, the other library being installed.

    Returns:
        difference: largest absolute difference of a logit.
        scale: largest absolute logit.
        returns: whether the weights, written back under the other library's names, are the same bits.
        agrees: whether that is all it should be.
    """
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(IMAGES, 3, case.size, case.size, generator=generator) * 2 - 1
    open_reference = {"torchvision": _torchvision, "keras": _keras, "timm": _timm}[case.source]
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*does not say which preprocessing")  # no photograph is shown to it
        path, answers = open_reference(case, Path(folder), images, generator)
        model = zoo.create(case.model, weights=path)
        returns = _same(export_weights(model, case.source), read(path).found)
        pairs: list[tuple[torch.Tensor, torch.Tensor]] = []
        for training in (False, True) if model.auxiliary else (False,):
            _without_dropout(model.train(training))
            with torch.no_grad():
                ours = model.forward_train(images) if training else (model(images),)
                pairs += zip(ours, answers(images, training), strict=True)
    difference = max(float((ours - theirs).abs().max()) for ours, theirs in pairs)
    scale = max(float(theirs.abs().max()) for _, theirs in pairs)
    agrees = returns and difference <= case.tolerance * scale
    return {"difference": difference, "scale": scale, "returns": returns, "agrees": agrees}


def _same(written: dict[str, torch.Tensor], stored: dict[str, Stored]) -> bool:
    return written.keys() == stored.keys() and all(torch.equal(written[key], stored[key].read()) for key in written)


def _without_dropout(network: nn.Module) -> nn.Module:
    for layer in network.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0
    return network


# --- the other libraries: a file of random weights, and a function from images to their logits -----------------------

Answers = Callable[["torch.Tensor", bool], Sequence["torch.Tensor"]]


def _torchvision(case: Parity, folder: Path, images: torch.Tensor, generator: torch.Generator) -> tuple[Path, Answers]:
    import torchvision

    auxiliary = {"aux_logits": "auxiliary" in case.model} if case.theirs in ("googlenet", "inception_v3") else {}
    with torch.device("meta"):
        network = torchvision.models.get_model(case.theirs, weights=None, **auxiliary)
    _randomise(_without_dropout(network.to_empty(device="cpu")), images, generator)
    path = folder / "weights.pth"
    torch.save(network.state_dict(), path)
    return path, partial(_logits, network)


def _timm(case: Parity, folder: Path, images: torch.Tensor, generator: torch.Generator) -> tuple[Path, Answers]:
    import timm
    from safetensors.torch import save_file

    network = timm.create_model(case.theirs)
    _randomise(network, images, generator)
    path = folder / "weights.safetensors"
    save_file(network.state_dict(), path)
    return path, partial(_logits, network)


def _logits(network: nn.Module, images: torch.Tensor, training: bool) -> Sequence[torch.Tensor]:
    """In training those of the auxiliary classifiers too, as the zoo orders them."""
    output = network.train(training)(images)
    if not training:
        return (output,)
    # the named tuple of GoogLeNet lists the deeper auxiliary classifier first
    return (output[0], *reversed(output[1:]))


def _keras(case: Parity, folder: Path, images: torch.Tensor, generator: torch.Generator) -> tuple[Path, Answers]:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras

    options: dict[str, Any] = {"weights": None, "input_shape": (case.size, case.size, 3), "classifier_activation": None}
    if case.theirs == "MobileNet":
        options["alpha"] = zoo.spec(case.model).settings["width"]
    network = getattr(keras.applications, case.theirs)(**options)
    for weight in network.weights:
        inputs = weight.shape[:2] if "depthwise" in weight.path or "conv_dw" in weight.path else weight.shape[:-1]
        drawn = _drawn(weight.path.rpartition("/")[2], tuple(weight.shape), math.prod(inputs), generator)
        weight.assign(drawn.numpy())
    norms = [layer for layer in network.layers if type(layer).__name__ == "BatchNormalization"]
    for layer in norms:
        layer.momentum = 0.0  # the statistics become those of the next batch
    network(images.permute(0, 2, 3, 1).numpy(), training=True)
    for layer in norms:
        mean, variance = (torch.tensor(weight.numpy()) for weight in (layer.moving_mean, layer.moving_variance))
        _stir(mean, variance, generator)
        layer.moving_mean.assign(mean.numpy())
        layer.moving_variance.assign(variance.numpy())
    path = folder / "weights.h5"
    _write_official(network, path)

    def answers(images: torch.Tensor, training: bool) -> Sequence[torch.Tensor]:
        logits = network(images.permute(0, 2, 3, 1).numpy(), training=training)
        return (torch.as_tensor(keras.ops.convert_to_numpy(logits)),)

    return path, answers


def _write_official(network: Any, path: Path) -> None:
    """The layout of the published files, TensorFlow's names included: `conv_dw_1/depthwise_kernel:0`."""
    import h5py

    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer.name.encode() for layer in network.layers]
        for layer in network.layers:
            group = file.create_group(layer.name)
            depthwise = "depthwise_" if type(layer).__name__ == "DepthwiseConv2D" else ""
            names = [f"{layer.name}/{depthwise}{weight.path.rpartition('/')[2]}:0" for weight in layer.weights]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, weight in zip(names, layer.weights, strict=True):
                group.create_dataset(name, data=weight.numpy())


def _randomise(network: nn.Module, images: torch.Tensor, generator: torch.Generator) -> None:
    """Random weights, and statistics near those of a batch of images: every tensor matters, logits stay near one."""
    for key, tensor in network.state_dict().items():
        if tensor.is_floating_point():
            kind = key.rpartition(".")[2]
            kind = "gamma" if kind == "weight" and tensor.dim() == 1 else kind
            tensor.copy_(_drawn(kind, tuple(tensor.shape), math.prod(tensor.shape[1:]), generator))
        else:
            tensor.zero_()
    for layer in settle_norms(network, images):
        if layer.running_mean is not None and layer.running_var is not None:
            _stir(layer.running_mean, layer.running_var, generator)


def _stir(mean: torch.Tensor, variance: torch.Tensor, generator: torch.Generator) -> None:
    """Moves statistics away from the batch's own, in place."""
    mean += (torch.rand(mean.shape, generator=generator) - 0.5) * 0.2 * variance.sqrt()
    variance *= torch.rand(variance.shape, generator=generator) * 0.4 + 0.8


def _drawn(kind: str, shape: tuple[int, ...], inputs: int, generator: torch.Generator) -> torch.Tensor:
    """Random values for a tensor of this kind: uniform, of He's variance for kernels."""
    values = torch.rand(shape, generator=generator)
    if kind in ("gamma", "running_var", "moving_variance"):
        return values + 0.5
    if kind in ("bias", "beta", "running_mean", "moving_mean"):
        return (values - 0.5) * 0.4
    return (values * 2 - 1) * math.sqrt(6 / inputs)


# --- the page ---------------------------------------------------------------------------------------------------------


def bars(cases: Cases) -> list[Bar]:
    """Every network of every library."""

    def judge(found: Cases) -> tuple[str, bool]:
        others = [key for key, case in found.items() if not case["agrees"]]
        return f"not {enumerate_words(others)}" if others else f"{len(found)} of {len(found)}", not others

    found = []
    for source in dict.fromkeys(case.source for case in CASES.values()):
        keys = [key for key, case in CASES.items() if case.source == source]
        own = {key: cases[key] for key in keys} if cases.keys() >= set(keys) else None
        text = f"Every network of {source} gives its logits here, and its weights go back to the bit"
        found.append(judged(text, own, judge))
    return found


COLUMNS = (
    text_column("model", lambda row: row[0].model),
    text_column("source", lambda row: f"{row[0].source} {row[0].theirs}"),
    TableColumn("input, px", lambda row: row[0].size, 0),
    TableColumn("max difference, millionths", lambda row: 1e6 * row[1]["difference"], 2),
    TableColumn("largest logit", lambda row: row[1]["scale"]),
    TableColumn("relative, millionths", lambda row: 1e6 * row[1]["difference"] / row[1]["scale"], 2),
    text_column("back to the bit", lambda row: "yes" if row[1]["returns"] else "**no**"),
    TableColumn("published top-1, %", lambda row: _published(row[0]), -2),
)


def _sections(cases: Cases, picture: str) -> Iterator[str]:
    yield section(
        "Model by model",
        "Random weights and batch norm statistics, saved in the library's own format, loaded here, and written back. "
        f"Largest difference of a logit over {IMAGES} random images; auxiliary classifiers are compared in training "
        "mode too. Published: top-1 accuracy of the library's ImageNet checkpoint.",
        table(COLUMNS, [(CASES[key], case) for key, case in cases.items() if key in CASES]),
    )


def _published(case: Parity) -> float | None:
    """Top-1 of the checkpoint of exactly this variant and size, from the same library, in percent."""
    spec = zoo.spec(case.model)
    for row in spec.weights:
        options = tuple(pair for pair in spec.options if pair[0] != "auxiliary")
        if row.source == case.source and row.options == options and row.input.size == case.size and row.published:
            return None if row.published.top1 is None else 100 * row.published.top1
    return None


BENCHMARK = Benchmark(
    name="parity",
    description="The same network, proved: random weights of another library give that library's logits here.",
    tasks={key: partial(measure, case) for key, case in CASES.items()},
    page=CheckPage(
        title="Parity with the libraries the weights come from",
        remark="The same network in two libraries, with the same random weights.",
        bars=bars,
        sections=_sections,
    ),
)
