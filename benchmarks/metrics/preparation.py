"""Preparation: from the bytes of a photograph to the tensor a network takes, as a person who waits would see it."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.metrics.latency import DETAILS, LEFT_OUT, apart_rounds, figures
from benchmarks.metrics.metric import Column, Metric, Timing
from benchmarks.records.record import Case, Measurement
from benchmarks.stats.intervals import FEWEST_ROUNDS, time_interval
from benchmarks.stats.rounds import Rounds, round_medians
from zoo.spec import resized

if TYPE_CHECKING:
    from benchmarks.metrics.subject import Subject

__all__ = ["METRIC", "photograph"]

WIDTH, HEIGHT = 500, 375  # of ImageNet's most common photographs
QUALITY = 90  # of the JPEG


def photograph() -> bytes:
    """A JPEG of the size of ImageNet's: random at several scales, so that it has as much to decode as a photograph."""
    from PIL import Image

    chance = np.random.default_rng(0)
    pixels = np.zeros((HEIGHT, WIDTH, 3))
    for grain in (125, 25, 5, 1):
        coarse = chance.normal(size=(HEIGHT // grain, WIDTH // grain, 3)) * grain**0.5
        pixels += coarse.repeat(grain, 0).repeat(grain, 1)
    scaled = 127.5 + 127.5 * pixels / np.abs(pixels).max()
    kept = io.BytesIO()
    Image.fromarray(scaled.astype(np.uint8)).save(kept, "JPEG", quality=QUALITY)
    return kept.getvalue()


def prepare(subject: Subject) -> Callable[[], object]:
    """Decoding one photograph, resizing, cropping and normalizing it."""
    from PIL import Image

    import zoo

    images = resized(subject.spec.input, subject.img_size)
    transform = zoo.preprocessing(dataclasses.replace(subject.spec, input=images))
    content = photograph()

    def call() -> object:
        with Image.open(io.BytesIO(content)) as image:
            return transform(image.convert("RGB"))

    return call


def summarize(case: Case, timing: Timing) -> tuple[Measurement, ...]:
    """Median of the rounds' medians with its interval."""
    found = Measurement(
        name="preparation_s",
        unit="s",
        value=0.0,
        samples=timing.samples,
        rounds=timing.rounds,
        details={**timing.details, "apart_rounds": list(timing.apart)},
    )
    return (derive(case, found),)


def derive(case: Case, found: Measurement) -> Measurement:
    """The measurement with the value and the interval that its samples have by the present rules."""
    if found.name != "preparation_s" or not found.rounds:
        return found
    medians = Rounds(round_medians(found.samples, found.rounds), apart_rounds(found))
    return dataclasses.replace(
        found,
        **figures(time_interval(medians.counting)),
        method=f"a JPEG of {WIDTH} x {HEIGHT} pixels decoded, resized, cropped, normalized; median over rounds, "
        f"{LEFT_OUT}; 95 % interval by rank, from {FEWEST_ROUNDS} rounds on",
    )


METRIC = Metric(
    name="preparation",
    title="preparing a photograph",
    also=("preprocessing", "decoding", "resizing"),
    depends_on=("device", "img_size", "num_threads"),
    columns=(Column(name="preparation_ms", measurement="preparation_s", factor=1e3, better="low", rare=True),),
    prepare=prepare,
    summarize=summarize,
    details={"preparation_s": DETAILS},
    derive=derive,
    libraries=("torch", "torchvision", "pillow"),
    default=False,
)
