"""A network into a file for other programs, which takes its name once it answers what the network does."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import RuntimeUnavailable, shown
from zoo.exporting import onnx_file, openvino_file
from zoo.exporting.card import write_card
from zoo.exporting.facts import Facts, facts_of
from zoo.exporting.opened import ExportedNetwork, run_of
from zoo.lazy import torch
from zoo.names import listed
from zoo.partial import replacing
from zoo.runtimes import onnxruntime, openvino
from zoo.runtimes.agreement import EXACT, INTEGERS, ROUNDED, Agreement, Bound, Proof
from zoo.runtimes.export import example_images
from zoo.runtimes.quantizing.calibration import FEWEST, NOISE, Calibration, calibration_of
from zoo.runtimes.quantizing.choosing import choose, in_batches
from zoo.runtimes.quantizing.comparing import compared, held_to
from zoo.spec import resized

if TYPE_CHECKING:
    from torch import Tensor

    from zoo.classifier import Classifier

__all__ = ["FORMATS", "PRECISIONS", "TARGETS", "export"]

FORMATS = {"onnx": ".onnx", "openvino": ".xml"}
PRECISIONS = {"fp32": EXACT, "fp16": ROUNDED["fp16"], "int8": INTEGERS}
# for which processors: whether their sums of 8-bit products may be cut off, None being this machine's question
TARGETS: Mapping[str, bool | None] = {"here": None, "vnni": False, "any": True}
ROUNDED_ENDS = 1e-2  # largest relative difference of a logit that a file with other ends may have


def export(
    model: Classifier,
    path: str | os.PathLike[str],
    *,
    format: str = "onnx",
    precision: str = "fp32",
    calibration: object = None,
    size: int | None = None,
    batch_size: int | None = None,
    target: str = "here",
    preprocessing: bool = False,
    softmax: bool = False,
    opset: int | None = None,
    keep_fp32: Collection[str] = (),
    slower: bool = False,
    card: Mapping[str, Any] | None = None,
    trained_on: Mapping[str, Any] | None = None,
) -> Agreement:
    """Writes a network to a file for ONNX Runtime or OpenVINO, and a model card beside it.

    The file holds the classes' names and how a photograph becomes its input, and nothing of the machine that wrote it.
    It is run against the network, on real images where `calibration` gives some and on random ones else, before it
    takes its name: until then, and after an error, what was there stays.

    Args:
        model: a network in eval mode.
        path: ends in .onnx, or .xml for OpenVINO, which has its weights beside it in .bin.
        format: "onnx" or "openvino".
        precision: "fp32", "fp16" (half the size; on a CPU seldom faster) or "int8".
        calibration: of int8, and what any file is compared on; see `zoo.open_runtime`.
        size: side of the images in pixels; None is the network's own.
        batch_size: images a call; None lets any number come.
        target: processors that integers are made for: "here", "vnni" or "any", where sums of 8-bit products may be cut
            off.
        preprocessing: scaling, mean and deviation are inside: the file takes `pixels`, uint8 of the cropped image.
        softmax: the file gives `probabilities` instead of `logits`.
        opset: of ONNX; None is the exporter's own.
        keep_fp32: layers, or parts of the network, that stay in fp32 in an int8 file.
        slower: write integers although they are slower than fp32 in the same runtime.
        card: further facts for the card, by title: an accuracy with its interval, a latency, a licence.
        trained_on: name, fingerprint and split of the data that the network has seen, as `zoo train` writes them down;
            kept in the file, so that `zoo evaluate` looks at other images.

    Returns:
        How far the file agrees with the network.

    Raises:
        RuntimeUnavailable: a package is missing, the network cannot be exported, or the file answers something else,
            is slower, or has layers that are no integers.
        DataError: int8 has nothing to calibrate on.
        LookupError: an unknown format, precision or target, or a layer of `keep_fp32` that is none.
        InputSizeError, TypeError, ValueError, OSError: see `zoo.export_onnx`.
    """
    for word, value, allowed in (("format", format, FORMATS), ("precision", precision, PRECISIONS),
                                 ("target", target, TARGETS)):  # fmt: skip
        if value not in allowed:
            raise LookupError(f"no {word} of a file is {shown(value)}; allowed: {listed(allowed)}")
    place = _place(path, format)
    images = example_images(model, 2 if batch_size is None else batch_size, size)
    from zoo.runtimes.folding import uncompiled

    model = uncompiled(model)
    reason = {"onnx": onnxruntime, "openvino": openvino}[format].unavailable()
    if reason is not None:
        raise RuntimeUnavailable(f"cannot export to {format}: {reason}")
    side = images.shape[-1]
    found = None
    if precision == "int8" or calibration is not None:
        found = calibration_of(model, calibration, side)
    graph, agreement = _graph(
        model, images, format, precision, found, opset, keep_fp32=keep_fp32, slower=slower, saturating=TARGETS[target]
    )
    facts = facts_of(
        model, agreement, input=resized(model.spec.input, side) if side != model.spec.input.size else model.spec.input,
        format=format, precision=precision, batch_size=batch_size, preprocessing=preprocessing, softmax=softmax,
        opset=opset, target=target, trained_on=trained_on or {},
    )  # fmt: skip
    check = partial(_checked, model, images, found, facts)
    agreement = dataclasses.replace(_write(graph, place, facts, check), facts=agreement.facts)
    write_card(place, facts, model.spec, card or {})
    return agreement


def _graph(
    model: Classifier,
    images: Tensor,
    format: str,
    precision: str,
    calibration: Calibration | None,
    opset: int | None,
    **options: Any,
) -> tuple[Any, Agreement]:
    """The graph for any number of images, and how it was made."""
    runtime = {"onnx": onnxruntime, "openvino": openvino}[format]
    if precision == "int8" and calibration is not None:
        maker = runtime.maker(model, images, opset=opset) if format == "onnx" else runtime.maker(model, images)
        made = choose(model, images, calibration, maker, bound=INTEGERS, **options)
        return made.graph, made.agreement
    if format == "onnx":
        graph = onnxruntime.graph_of(model, images, opset=opset)
        graph = onnx_file.halved(graph) if precision == "fp16" else graph
    else:
        graph = openvino.graph_of(model, images, any_number=True)
    unknown = Agreement(precision=precision, images=0, source="", relative=0, top1=1, bound=PRECISIONS[precision])
    return graph, unknown


def _write(graph: Any, place: Path, facts: Facts, check: Callable[[Path], Agreement]) -> Agreement:
    """Writes beside, checks, and renames."""
    if facts.format == "onnx":
        if facts.batch_size is not None:
            graph.graph.input[0].type.tensor_type.shape.dim[0].dim_value = facts.batch_size
        content = onnx_file.content(onnx_file.with_ends(graph, facts), facts)
        with replacing(place) as part:
            trial = part.with_suffix(".onnx")
            try:
                trial.write_bytes(content)
                found = check(trial)
                trial.replace(part)
            finally:
                trial.unlink(missing_ok=True)
        return found
    if facts.batch_size is not None:
        graph.reshape([facts.batch_size, facts.in_channels, facts.input.size, facts.input.size])
    ready = openvino_file.with_ends(graph, facts)
    trial = place.with_name(f".{place.stem}.{os.getpid()}.trial.xml")
    try:
        openvino_file.write_pair(ready, trial, facts)
        found = check(trial)
        openvino_file.weights_beside(trial).replace(openvino_file.weights_beside(place))
        trial.replace(place)
    finally:
        trial.unlink(missing_ok=True)
        openvino_file.weights_beside(trial).unlink(missing_ok=True)
    return found


def _checked(model: Classifier, images: Tensor, calibration: Calibration | None, facts: Facts, path: Path) -> Agreement:
    """How far the written file agrees with the network; raises where it is too far off."""
    file = ExportedNetwork(facts, run_of(path)[0])
    bound = PRECISIONS[facts.precision]
    ends = facts.preprocessing or facts.softmax  # pixels are rounded, and logits are known but for a sum

    def same_ends(run: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        return (lambda given: torch.log_softmax(run(given), 1)) if facts.softmax else run

    if calibration is None:
        if not ends:
            return Proof(model, images if facts.batch_size else images[:2]).agreement(file, facts.precision, bound)
        calibration = _random_pixels(model, images.shape[-1])
    run = partial(in_batches, file, facts.batch_size or len(images))
    found = compared(same_ends(model), same_ends(run), calibration, bound, facts.precision)
    if ends and bound.relative is not None:  # pixels are rounded, and so are the smallest probabilities
        found = dataclasses.replace(found, bound=Bound(relative=max(bound.relative, ROUNDED_ENDS)))
    held_to(found)
    return found


def _random_pixels(model: Classifier, side: int) -> Calibration:
    """Pixels of every value as preprocessing makes them, in place of noise, which has values that no pixel has."""
    given = model.spec.input
    pixels = torch.randint(256, (FEWEST, model.in_channels, side, side), generator=torch.Generator().manual_seed(0))
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (given.mean, given.std))
    return dataclasses.replace(
        calibration_of(model, NOISE, side), batches=lambda _: iter([((pixels / 255 - mean) / std, None)])
    )


def _place(path: str | os.PathLike[str], format: str) -> Path:
    given = Path(path)
    if given.suffix != FORMATS[format]:
        raise FileNotFoundError(f"a file of format {format} ends in {FORMATS[format]}; got {shown(str(given))}")
    if given.is_dir() or not given.parent.is_dir():
        raise FileNotFoundError(f"a file is wanted in a folder that exists; got {shown(str(given))}")
    return given
