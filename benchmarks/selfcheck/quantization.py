"""What each choice of a quantization scheme costs a trained network, in ONNX Runtime's integers, beside the papers."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.report.bars import Cases
from benchmarks.report.page import section
from benchmarks.report.table import TableColumn, table, text_column
from benchmarks.selfcheck.held_out import network_of, rounds_of
from benchmarks.stats.digits import number
from benchmarks.stats.intervals import Interval
from benchmarks.stats.pairs import paired_difference

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["SCHEMES", "Scheme", "quantization", "sections"]

IMAGES = 100  # that are calibrated on, if a scheme does not say otherwise
EXACT_SUMS = "session.x64quantprecision"  # adds products of bytes in 32 bits on every processor, more slowly
CLAIM = (
    "arXiv:1806.08342 says two things of MobileNetV1: weights with one scale a layer lose nearly every answer (70.9 % "
    "becomes 0.1 %), and one scale a channel brings most back (59.1 %)"
)
NEARLY_ALL = 0.1  # of fp32's right answers, at most, that are left where nearly every one is lost


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """How a network becomes integers; minima and maxima of the images say how wide they reach, nothing is corrected.

    Args:
        name: on the page.
        per_channel: weights have a scale for each channel, else one for the layer.
        symmetric_weights, symmetric_activations: zero is in the middle of the bytes' range.
        reduce_range: weights of 7 bits.
        exact_sums: products are added in 32 bits whatever the processor, else as it does.
        images: that are calibrated on; 0 is noise.
    """

    name: str
    per_channel: bool = True
    symmetric_weights: bool = True
    symmetric_activations: bool = False
    reduce_range: bool = False
    exact_sums: bool = True
    images: int = IMAGES


BASE = Scheme(name="a scale a channel, asymmetric activations")
LAYER = replace(BASE, name="a scale a layer", per_channel=False)
SCHEMES = (
    BASE,
    LAYER,
    replace(LAYER, name="a scale a layer, asymmetric weights", symmetric_weights=False),
    replace(BASE, name="symmetric activations", symmetric_activations=True),
    replace(BASE, name="calibrated on noise", images=0),
    replace(BASE, name="calibrated on 10 images", images=10),
    replace(BASE, name="calibrated on 1000 images", images=1000),
    replace(BASE, name="7-bit weights", reduce_range=True),
    replace(BASE, name="sums as this processor adds them", exact_sums=False),
    replace(BASE, name="sums as this processor adds them, 7-bit weights", exact_sums=False, reduce_range=True),
)


def quantization(weights: str, model: str, data_dir: str) -> dict[str, Any]:
    """Right answers of every scheme and of fp32 on the same held-out images, and which of each pair differ."""
    from tempfile import TemporaryDirectory

    import torch

    from zoo.runtimes.onnxruntime import write_onnx
    from zoo.runtimes.quantizing.instructions import instruction_set
    from zoo.training.evaluation import evaluate

    network = network_of(weights, model)
    side = network.spec.input.size
    right: dict[str, list[bool]] = {"fp32": []}
    used: dict[str, int] = {}
    short: dict[str, str] = {}
    with TemporaryDirectory() as folder:
        path = Path(folder) / "fp32.onnx"
        write_onnx(network, path, torch.zeros(2, network.in_channels, side, side), dynamic_batch=True)
        for data, tried in rounds_of(network, data_dir):
            plain = evaluate(network, tried)
            right["fp32"] += (plain.top[:, 0] == plain.labels).tolist()
            batches = [(images, labels) for images, labels in _batches(network, tried)]
            train: Any = data.train
            for scheme in SCHEMES:
                if scheme.images > len(train.labels):
                    short[scheme.name] = f"{len(train.labels)} images to calibrate on"
                    continue
                given = _calibrating(network, train, scheme.images)
                used[scheme.name] = len(given)
                run = _integers(path, given, scheme)
                right.setdefault(scheme.name, [])
                right[scheme.name] += [
                    bool(same) for images, labels in batches for same in run(images).argmax(1) == labels
                ]
    return {
        "weights": Path(weights).name,
        "model": network.spec.label,
        "instructions": instruction_set(),
        "images": len(right["fp32"]),
        "calibrated_on": used,
        "left_out": short,
        "right": {name: sum(found) for name, found in right.items()},
        "only": {f"{one}|{other}": sum(a and not b for a, b in zip(right[one], right[other], strict=True))
                 for one in right for other in right if one != other},
    }  # fmt: skip


def _batches(network: Any, split: Any, size: int = 25) -> Iterator[tuple[Tensor, Tensor]]:
    """Images as the network sees them, and labels."""
    import torch

    for positions in torch.arange(len(split.labels)).split(size):
        batch = split.batch(positions, network.spec.input, network.in_channels)
        if batch.unreadable:
            raise ValueError(f"images that cannot be read: {next(iter(batch.unreadable.values()))}")
        yield batch.images, batch.labels


def _calibrating(network: Any, train: Any, count: int) -> Tensor:
    """The first so many training images in an order by chance; noise of ten images where there are none."""
    import torch

    if count == 0:
        side = network.spec.input.size
        generator = torch.Generator().manual_seed(0)
        return torch.randn(10, network.in_channels, side, side, generator=generator)
    order = torch.randperm(len(train.labels), generator=torch.Generator().manual_seed(0))[:count].tolist()
    return torch.cat([images for images, _ in _batches(network, train.subset(order))])


def _integers(path: Path, images: Tensor, scheme: Scheme) -> Any:
    """What runs images on ONNX Runtime with the weights and activations of a scheme in bytes."""
    import logging
    from tempfile import TemporaryDirectory

    import onnxruntime
    import torch
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    from zoo.runtimes.onnxruntime import options

    class Images(CalibrationDataReader):
        def __init__(self) -> None:
            self._rest = iter(images.split(1))

        def get_next(self) -> Any:
            image = next(self._rest, None)
            return None if image is None else {name: image.numpy()}

    chosen = options()
    name = onnxruntime.InferenceSession(str(path), chosen).get_inputs()[0].name
    with TemporaryDirectory() as folder:
        target = Path(folder) / "int8.onnx"
        logging.getLogger().setLevel(logging.ERROR)  # it advises to pre-process what is folded already
        quantize_static(
            str(path), str(target), Images(), quant_format=QuantFormat.QDQ, per_channel=scheme.per_channel,
            reduce_range=scheme.reduce_range, activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8 if scheme.symmetric_weights else QuantType.QUInt8,
            extra_options={"WeightSymmetric": scheme.symmetric_weights,
                           "ActivationSymmetric": scheme.symmetric_activations},
        )  # fmt: skip
        if scheme.exact_sums:
            chosen.add_session_config_entry(EXACT_SUMS, "1")
        session = onnxruntime.InferenceSession(str(target), chosen, providers=["CPUExecutionProvider"])

    def run(images: Tensor) -> Tensor:
        return torch.from_numpy(session.run(None, {name: images.numpy()})[0])

    return run


# --- the page ---------------------------------------------------------------------------------------------------------


def difference(case: Mapping[str, Any], one: str, other: str) -> Interval:
    """Points that `one` has right more than `other` on the same images, with its 95 % interval."""
    only = case["only"]
    return paired_difference(only[f"{one}|{other}"], only[f"{other}|{one}"], case["images"]).scaled(100)


def verdict(case: Mapping[str, Any]) -> str:
    """The two halves of the paper's claim held against the case, in sentences."""
    right, images = case["right"], case["images"]
    left, before = (100 * right[name] / images for name in (LAYER.name, "fp32"))
    lost, back = difference(case, "fp32", LAYER.name), difference(case, BASE.name, LAYER.name)
    if right[LAYER.name] <= NEARLY_ALL * right["fp32"]:
        first = "The first holds here"
    elif lost.low > 0:
        first = (
            "The first does not hold here, although much is lost"
            if lost.value > before / 4
            else ("The first does not hold here, although something is lost")
        )
    else:
        first = "The first does not hold here"
    if lost.low <= 0:
        second = "Of the second nothing can be said: no loss is certain"
    elif back.low > lost.value / 2:
        second = "The second holds here"
    elif back.high < lost.value / 2:
        second = "The second does not hold here"
    else:
        second = "The second is not decided here"
    return (
        f"{CLAIM}. {first}: {number(before)} % becomes {number(left)} %, a loss of {_points(lost)}. {second}: one "
        f"scale a channel has {_points(back)} more right than one a layer. On {images} images of {case['model']}."
    )


def _points(found: Interval) -> str:
    return f"{number(found.value)} points ({number(found.low)} to {number(found.high)})"


@cache
def published() -> tuple[Mapping[str, str], ...]:
    """Figures that others printed, as rows of the table beside this file."""
    text = files("benchmarks.selfcheck").joinpath("published_int8.csv").read_text(encoding="utf-8")
    return tuple(csv.DictReader(text.splitlines()))


PRINTED = (
    text_column("model", lambda row: row["model"]),
    text_column("scheme", lambda row: row["scheme"]),
    text_column("fp32, %", lambda row: row["fp32_top1"] or "-"),
    text_column("int8, %", lambda row: row["int8_top1"]),
    text_column("source", lambda row: f"{row['source']}, {row['locator']}".rstrip(", ")),
    text_column("note", lambda row: ", ".join(filter(None, (row["hardware"], row["note"]))) or "-"),
)


def _columns(case: Mapping[str, Any]) -> Sequence[TableColumn]:
    def points(scheme: str, other: str) -> Interval | None:
        return None if scheme == other else difference(case, scheme, other)

    return (
        text_column("scheme", lambda scheme: scheme),
        TableColumn("images calibrated on", lambda scheme: case["calibrated_on"].get(scheme), 0),
        TableColumn("top-1, %", lambda scheme: 100 * case["right"][scheme] / case["images"]),
        TableColumn("points more than fp32", lambda scheme: points(scheme, "fp32")),
        TableColumn("points more than the first scheme", lambda scheme: points(scheme, BASE.name)),
    )


def sections(cases: Cases) -> Iterable[str]:
    """A table a network, and what others printed."""
    found = [case for key, case in cases.items() if key.startswith("quantization")]
    for case in found:
        text = (
            f"{case['weights']}, held-out images, {case['instructions']}. One thing at a time is changed in the first "
            f"scheme, which has symmetric 8-bit weights, {IMAGES} images and sums in 32 bits. Intervals are of 95 %, "
            "of the paired difference. ONNX Runtime has no kernels for asymmetric weights with a scale a channel."
        )
        gone = "; ".join(f"{name}: there are only {reason}" for name, reason in case["left_out"].items())
        text += f" Left out: {gone}." if gone else ""
        rows = table(_columns(case), ["fp32", *(each.name for each in SCHEMES if each.name in case["right"])])
        yield section(f"Schemes: {case['model']}", text, rows, verdict(case))
    if found:
        text = "What others printed, of other weights, images and machines: for the direction, not to subtract."
        yield section("Schemes: published", text, table(PRINTED, published()))
