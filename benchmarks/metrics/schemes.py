"""What each way of making integers of a network costs in right answers: of networks trained here, or of given weights.

The same held-out images are answered in fp32 and under every scheme, in one pass, and which answers are right is kept
image by image: so any two schemes can be compared on the same images from the record alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.metrics.accuracy import TOP1, network_of, origin
from benchmarks.metrics.accuracy import complete as completed
from benchmarks.metrics.accuracy import unavailable as untrainable
from benchmarks.metrics.metric import Metric
from benchmarks.records.predictions import is_packed, pack, unpack
from benchmarks.records.record import FULL, PLAIN, Case, Measurement, Record
from benchmarks.stats.intervals import Interval
from benchmarks.stats.pairs import paired_difference
from zoo.runtimes import RUNTIMES
from zoo.training.evaluation import held_out, wilson

if TYPE_CHECKING:
    from torch import Tensor

    import zoo
    from benchmarks.metrics.subject import Subject
    from zoo.data.dataset import Data, Split

__all__ = [
    "BASE", "IMAGES", "LAYER", "LAYER_ASYMMETRIC", "METRIC", "NOISE", "NO_ZERO_POINT", "PLAIN_SUMS",
    "PLAIN_SUMS_SEVEN_BITS", "SCHEMES", "SEVEN_BITS", "TEN", "THOUSAND", "Answers", "Scheme", "answered", "answers_of",
    "integers", "rounds",
]  # fmt: skip

IMAGES = 100  # that are calibrated on, if a scheme does not say otherwise
NOISY = 10  # images of noise, where noise is calibrated on
TOGETHER = 50  # images in memory at a time, as evaluation takes them
EXACT_SUMS = "session.x64quantprecision"  # adds products of bytes in 32 bits on every processor, more slowly
SCHEME = "scheme:"  # before a scheme's name in the measurements


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """How a network becomes integers; minima and maxima of the images say how wide they reach, nothing is corrected.

    Args:
        name: for people.
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
LAYER_ASYMMETRIC = replace(LAYER, name="a scale a layer, asymmetric weights", symmetric_weights=False)
NO_ZERO_POINT = replace(BASE, name="symmetric activations", symmetric_activations=True)
NOISE = replace(BASE, name="calibrated on noise", images=0)
TEN = replace(BASE, name="calibrated on 10 images", images=10)
THOUSAND = replace(BASE, name="calibrated on 1000 images", images=1000)
SEVEN_BITS = replace(BASE, name="7-bit weights", reduce_range=True)
PLAIN_SUMS = replace(BASE, name="sums as this processor adds them", exact_sums=False)
PLAIN_SUMS_SEVEN_BITS = replace(PLAIN_SUMS, name=f"{PLAIN_SUMS.name}, 7-bit weights", reduce_range=True)
SCHEMES = (
    BASE, LAYER, LAYER_ASYMMETRIC, NO_ZERO_POINT, NOISE, TEN, THOUSAND, SEVEN_BITS, PLAIN_SUMS, PLAIN_SUMS_SEVEN_BITS,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Which of the same images a network has right in fp32 and under each scheme.

    Args:
        right: by the scheme's name, `FULL` among them, whether each image is right.
        calibrated: images that each scheme was calibrated on.
        left_out: schemes that could not be tried, and why.
        classes: among which an answer is chosen.
        instructions: what the processor adds products of bytes with.
    """

    right: Mapping[str, NDArray[np.bool_]]
    calibrated: Mapping[str, int]
    left_out: Mapping[str, str]
    classes: int
    instructions: str

    @property
    def images(self) -> int:
        """How many images were answered."""
        return len(self.right[FULL])

    def share(self, name: str) -> float:
        """The share of the images that is right."""
        return float(self.right[name].mean())

    def difference(self, one: str, other: str) -> Interval:
        """The share that `one` has right minus that of `other`, on the same images, with its 95 % interval."""
        first, second = self.right[one], self.right[other]
        return paired_difference(int((first & ~second).sum()), int((second & ~first).sum()), self.images)


def answers_of(record: Record) -> Answers | None:
    """What a record of this metric says, None where it holds no answers; needs no PyTorch."""
    top1 = record.find("top1")
    if record.case.metric != METRIC.name or top1 is None or "right" not in top1.details:
        return None
    named = {each.name.removeprefix(SCHEME): each for each in record.measurements if each.name.startswith(SCHEME)}
    right = {name: unpack(each.details["right"]) == 1 for name, each in {FULL: top1, **named}.items()}
    right = {name: each for name, each in right.items() if each.ndim == 1 and each.shape == right[FULL].shape}
    if FULL not in right:
        return None
    return Answers(
        right=right,
        calibrated={name: int(each.details["calibration_images"]) for name, each in named.items()},
        left_out=dict(top1.details["left_out"]),
        classes=max(int(top1.details["classes"]), 1),
        instructions=str(top1.details["instructions"]),
    )


# --- the plan ---------------------------------------------------------------------------------------------------------


def complete(case: Case) -> Case:
    """As accuracy understands it, in one process; runtime and precision are those of the schemes."""
    return completed(replace(case, runtime=PLAIN, precision=FULL, train_processes=0))


def unavailable(case: Case) -> str | None:
    """See `Metric.unavailable`."""
    reason: str | None = RUNTIMES["onnxruntime"].unavailable()
    return reason or untrainable(case)


def basis(case: Case) -> Sequence[object]:
    """See `Metric.basis`."""
    return (*origin(case), measure)


# --- the answers ------------------------------------------------------------------------------------------------------


def measure(subject: Subject) -> tuple[Measurement, ...]:
    """Top-1 in fp32 and under every scheme, with which images are right."""
    network, data, details = network_of(subject)
    found = answered(network.to("cpu"), rounds(data), None if subject.case.recipe else subject.tell)
    subject.notes += [f"left out, {name}: {reason}" for name, reason in found.left_out.items()]
    about = {"classes": found.classes, "instructions": found.instructions, "left_out": dict(found.left_out)}
    return tuple(
        Measurement(
            name="top1" if name == FULL else f"{SCHEME}{name}",
            value=value,
            unit="fraction",
            low=low,
            high=high,
            method="every held-out image counted once; 95 % Wilson interval",
            details={"right": pack(right)} | (
                {**details, **about} if name == FULL else {"calibration_images": found.calibrated[name]}
            ),
        )
        for name, right in found.right.items()
        for value, low, high in [wilson(int(right.sum()), len(right))]
    )  # fmt: skip


def rounds(data: Data) -> list[tuple[Data, Split]]:
    """Data to calibrate on and images to try: training images and held-out ones.

    Images without such a division are halved, and each half is calibrated on while the other is tried, so that every
    image counts once and none was calibrated on.
    """
    import torch

    held = data.test or data.val
    if data.train is not None and held is not None:
        return [(data, held)]
    whole = data.train or held_out(data)
    order = torch.randperm(len(whole.labels), generator=torch.Generator().manual_seed(0)).tolist()
    halves = [whole.subset(order[place::2]) for place in (0, 1)]
    return [(dataclasses.replace(data, train=halves[place]), halves[1 - place]) for place in (0, 1)]


def answered(
    network: zoo.Classifier,
    tried: Iterable[tuple[Data, Split]],
    on_progress: Callable[[int, int], None] | None = None,
) -> Answers:
    """Answers of a network on the CPU in fp32 and under every scheme; a scheme that lacks images is left out.

    Args:
        tried: see `rounds`.
        on_progress: told how many of how many images are answered, round by round.

    Raises:
        DataError: none of the images could be read.
    """
    from tempfile import TemporaryDirectory

    import torch

    import zoo
    from zoo.runtimes.onnxruntime import write_onnx
    from zoo.runtimes.quantizing.instructions import instruction_set

    side = network.spec.input.size
    right: dict[str, list[bool]] = {FULL: []}
    calibrated: dict[str, int] = {}
    left_out: dict[str, str] = {}
    with TemporaryDirectory() as folder, torch.inference_mode():
        path = Path(folder) / "fp32.onnx"
        write_onnx(network.eval(), path, torch.zeros(2, network.in_channels, side, side), dynamic_batch=True)
        network.to(memory_format=torch.channels_last)  # as evaluation does
        for data, images in tried:
            runs: dict[str, Callable[[Tensor], Tensor]] = {FULL: network}
            for scheme in SCHEMES:
                given = _calibrating(network, data.train, scheme.images)
                if len(given) < scheme.images:
                    left_out[scheme.name] = f"{len(given)} images to calibrate on"
                    continue
                calibrated[scheme.name] = len(given)
                runs[scheme.name] = integers(path, given, scheme)
            done = 0
            for batch in images.batches(TOGETHER, network.spec.input, network.in_channels):
                for name, run in runs.items() if len(batch.positions) else ():
                    right.setdefault(name, []).extend((run(batch.images).argmax(1) == batch.labels).tolist())
                done += len(batch.positions) + len(batch.unreadable)
                if on_progress is not None:
                    on_progress(done, len(images.labels))
    if not right[FULL]:
        raise zoo.DataError("none of the held-out images could be read")
    return Answers(
        right={name: np.array(each, bool) for name, each in right.items() if name not in left_out},
        calibrated=calibrated,
        left_out=left_out,
        classes=network.num_classes,
        instructions=instruction_set(),
    )


def _calibrating(network: zoo.Classifier, train: Split | None, count: int) -> Tensor:
    """The first so many training images in an order by chance, or as many as there are; noise where none is asked."""
    import torch

    side = network.spec.input.size
    if count == 0:
        generator = torch.Generator().manual_seed(0)
        return torch.randn(NOISY, network.in_channels, side, side, generator=generator)
    if train is None:
        return torch.zeros(0, network.in_channels, side, side)
    order = torch.randperm(len(train.labels), generator=torch.Generator().manual_seed(0))[:count].tolist()
    batches = train.subset(order).batches(TOGETHER, network.spec.input, network.in_channels)
    return torch.cat([batch.images for batch in batches if len(batch.positions)])


def integers(path: Path, images: Tensor, scheme: Scheme) -> Callable[[Tensor], Tensor]:
    """What runs images on ONNX Runtime with the weights and activations of a scheme in bytes.

    Args:
        path: of the network in fp32, as `zoo.runtimes.onnxruntime.write_onnx` writes it.
        images: to calibrate on.
    """
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
    with TemporaryDirectory() as folder, _silent():
        target = Path(folder) / "int8.onnx"
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


@contextmanager
def _silent() -> Iterator[None]:
    """Without advice to pre-process what is folded already."""
    import logging

    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)


METRIC = Metric(
    name="schemes",
    title="accuracy in integers, by how they are made",
    also=("quantization",),
    depends_on=(
        "device", "img_size", "weights", "dataset", "data", "recipe", "epochs", "train_images", "train_img_size",
        "train_threads", "seed",
    ),
    measure=measure,
    details={
        "top1": {**TOP1, "right": is_packed, "classes": int, "instructions": str, "left_out": {str: str}},
        f"{SCHEME}*": {"right": is_packed, "calibration_images": int},
    },
    basis=basis,
    complete=complete,
    unavailable=unavailable,
    libraries=("torch", *RUNTIMES["onnxruntime"].LIBRARIES),
    slow=True,
    tests=2 * (len(SCHEMES) + 1),  # every scheme answers the images and is calibrated before
    default=False,
)  # fmt: skip
