"""The first way of making integers that keeps accuracy and speed, of those that a runtime has for this processor."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from zoo.errors import RuntimeUnavailable
from zoo.lazy import torch
from zoo.runtimes.quantizing.comparing import compared, held_to
from zoo.runtimes.quantizing.instructions import instruction_set
from zoo.runtimes.quantizing.post_training import NotQuantized, check_names, left_out, weighted_layers
from zoo.runtimes.quantizing.reading import check_integers
from zoo.runtimes.quantizing.ways import Way, here
from zoo.runtimes.race import Race
from zoo.turns import settled

if TYPE_CHECKING:
    from torch import Tensor

    from zoo.classifier import Classifier
    from zoo.runtimes.agreement import Agreement, Bound
    from zoo.runtimes.quantizing.calibration import Calibration

__all__ = ["Integers", "Maker", "choose", "in_batches", "speed_up"]

Run = Callable[["Tensor"], "Tensor"]
ROUNDS = (5, 25)
SECONDS = 1.0  # of calls that two runs are compared in
SLOWER = 1.1  # times fp32's time, at the least, from which a file is called slower


@dataclass(frozen=True, slots=True)
class Maker:
    """How one runtime makes and starts integers.

    Args:
        ways: to try, in order.
        quantized: a graph with quantizers in it, of a way and the layers that it leaves in fp32.
        started: what runs a graph on images of the shape at hand, and those of the layers, all of which are given, that
            it does not run in integers.
        fp32: what runs the network in fp32 in the same runtime.
        file_bytes: what a graph takes in a file.
    """

    ways: tuple[Way, ...]
    quantized: Callable[[Calibration, Way, tuple[str, ...]], Any]
    started: Callable[[Any, tuple[str, ...]], tuple[Run, tuple[str, ...]]]
    fp32: Run
    file_bytes: Callable[[Any], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Integers:
    """A network in integers.

    Args:
        graph: as the runtime's library holds it.
        run: on images of the shape at hand.
        agreement: with the network, how it was made among its facts.
        kept: names of the layers in fp32.
    """

    graph: Any
    run: Run
    agreement: Agreement
    kept: tuple[str, ...]


def choose(
    model: Classifier,
    images: Tensor,
    calibration: Calibration,
    maker: Maker,
    *,
    bound: Bound,
    keep_fp32: Collection[str] = (),
    slower: bool = False,
    saturating: bool | None = None,
) -> Integers:
    """The first way that agrees with the network, runs in integers throughout, and is not slower than fp32.

    Args:
        images: an example of those that will come.
        keep_fp32: names of layers, or of parts of the network, that stay in fp32.
        slower: take it although it is slower than fp32.
        saturating: whether it is for processors whose 8-bit sums are cut off; None asks this machine.

    Raises:
        RuntimeUnavailable: no way does; the message has each one's reason.
        LookupError: a name in `keep_fp32` is none of the network's.
    """
    check_names(model, keep_fp32)
    refused = []
    stumbled = set()  # corrections of biases that the library cannot make of this graph
    for way in here(maker.ways, saturating=saturating):
        if way.fast_bias_correction in stumbled:
            continue
        kept = left_out(model, way, keep_fp32)
        try:
            graph = maker.quantized(calibration, way, kept)
            run, floats = maker.started(graph, weighted_layers(model))
            check_integers(floats, kept)
            agreement = compared(model, partial(in_batches, run, len(images)), calibration, bound, "int8")
            held_to(agreement)
            ratio = speed_up(run, maker.fp32, images)
            if ratio is not None and ratio[1] < 1 / SLOWER and not slower:
                raise RuntimeUnavailable(f"slower than fp32 in the same runtime: {1 / ratio[0]:.2f} times its time")
        except RuntimeUnavailable as error:
            refused.append(f"{way.name}: {error}")
            if isinstance(error, NotQuantized):
                stumbled.add(way.fast_bias_correction)
            continue
        facts = {
            "way": way.name,
            "instructions": instruction_set(),
            "calibration_source": calibration.name,
            "calibration_images": calibration.images,
            "calibration_fingerprint": calibration.fingerprint,
            "apart": calibration.apart,
            "kept_fp32": list(kept),
            "file_bytes": maker.file_bytes(graph),
            "speed_up": None if ratio is None else ratio[0],
        }
        return Integers(graph=graph, run=run, agreement=dataclasses.replace(agreement, facts=facts), kept=kept)
    raise RuntimeUnavailable(f"no integers keep accuracy and speed: {'; '.join(refused)}")


def speed_up(run: Run, other: Run, images: Tensor) -> tuple[float, float] | None:
    """How many times as fast `run` is as `other`, and an upper bound of it, in turns; None where neither was timed."""
    with torch.inference_mode():
        race = Race({"int8": partial(settled, partial(run, images)), "fp32": partial(settled, partial(other, images))})
        race.run(rounds=ROUNDS, seconds=SECONDS)
    if not race.seconds["int8"] or not race.seconds["fp32"]:
        return None
    return 1 / race.ratio("int8", "fp32"), 1 / race.at_least("int8", "fp32")


def in_batches(run: Run, size: int, images: Tensor) -> Tensor:
    """The logits of any number of images from what takes just `size` at once."""
    logits = []
    for part in images.split(size):
        missing = size - len(part)
        whole = torch.cat([part, part[-1:].expand(missing, -1, -1, -1)]) if missing else part
        logits.append(run(whole.contiguous())[: len(part)].clone())
    return torch.cat(logits)
