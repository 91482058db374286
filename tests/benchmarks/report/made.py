"""Records made up for the report, and the pages written from them."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path

import zoo
from benchmarks.records.record import Case, Environment, Measurement, Record
from benchmarks.report import write_report
from benchmarks.report.answers import answers
from benchmarks.report.joining import model_spec
from benchmarks.report.overview import survey
from benchmarks.studies.mobilenets import GRID, label
from zoo.counts import COUNTED

# name: parameters, M; multiply-adds, G; latency, ms; top-1 of 2,000 test images
MODELS = {
    "alexnet": (61.100840, 0.714, 29.7, 0.8805),
    "alexnet_2012": (60.965224, 0.724, 37.9, 0.8720),
    "alexnet_bn": (62.379560, 1.135, 41.2, 0.8875),
    "vgg11": (132.863336, 7.609, 152.0, 0.8860),
    "vgg13": (133.047848, 11.308, 224.0, 0.8890),
    "vgg16": (138.357544, 15.470, 299.0, 0.8840),
    "vgg19": (143.667240, 19.632, 371.0, 0.8690),
    "vgg11_bn": (132.868840, 7.609, 158.0, 0.9015),
    "vgg13_bn": (133.053736, 11.308, 236.0, 0.9060),
    "vgg16_bn": (138.365992, 15.470, 312.0, 0.9080),
    "vgg19_bn": (143.678248, 19.632, 390.0, 0.9035),
    "vgg16_c": (133.638952, 11.771, 241.0, 0.8830),
    "googlenet": (6.624904, 1.498, 81.0, 0.8990),
    "googlenet_2014": (6.998552, 1.583, 74.0, 0.8550),
    "resnet18": (11.689512, 1.814, 41.0, 0.8985),
    "resnet34": (21.797672, 3.664, 73.0, 0.9000),
    "resnet50": (25.557032, 4.089, 96.0, 0.8950),
    "resnet101": (44.549160, 7.801, 176.0, 0.8905),
    "resnet152": (60.192808, 11.514, 255.0, 0.8870),
    "mobilenet_v1": (4.231976, 0.569, 20.1, 0.8625),
    "xception": (22.855952, 8.357, 210.0, 0.8910),
}
IMAGES = 2000
TESTED_AT = 64  # pixels
ROUNDS = 8
ENVIRONMENT = Environment(
    machine={"cpu": "Example CPU 2.0 GHz", "cores": 2, "memory_bytes": 8e9},
    software={"python": "3.11.9", "torch": "2.14.1", "commit": "0123abc", "os": "Linux"},
    command="python -m benchmarks.run --models all",
)


def record(
    metric: str, model: str, *measurements: Measurement, status: str = "ok", reason: str = "", **case: object
) -> Record:
    entry = model_spec(model)
    sized = metric not in ("params", "accuracy")
    size = {"img_size": entry.input.size if entry else 224} if sized else {}
    return Record(
        case=Case(metric=metric, model=model, **(size | case)),  # type: ignore[arg-type]
        status=status,
        reason=reason,
        measurements=measurements,
        environment=ENVIRONMENT.id,
        machine=ENVIRONMENT.machine_id,
        started="2025-01-01T00:00:00+00:00",
    )


def wilson(right: float, images: int) -> tuple[float, float]:
    from scipy.stats import binomtest

    interval = binomtest(round(right * images), images).proportion_ci(method="wilson")
    return interval.low, interval.high


def accuracy(model: str, top1: float, images: int = IMAGES, **case: object) -> Record:
    low, high = wilson(top1, images)
    epochs = 8
    curve = [{"epoch": at, "top1": top1 * (1 - 0.75 * 0.55**at)} for at in range(1, epochs + 1)]
    return record(
        "accuracy",
        model,
        Measurement(name="top1", value=top1, unit="fraction", low=low, high=high, details={"curve": curve}),
        Measurement(name="top5", value=min(0.99 + top1 / 100, 1), unit="fraction"),
        Measurement(name="train_samples_per_sec", value=300.0, unit="1/s"),
        **{"dataset": "fashion_mnist", "epochs": epochs, "train_img_size": TESTED_AT, "train_images": 6000} | case,
    )


def latency(
    model: str, seconds: float, *, run: str = "a", spread: float = 0.01, turns: int = ROUNDS, **case: object
) -> Record:
    noise = random.Random(model)
    samples, rounds = [], []
    for turn in range(turns):
        drift = 1 + 0.05 * turn  # hits every model alike
        for _ in range(5):
            samples.append(seconds * drift * (1 + spread * noise.uniform(-1, 1)))
            rounds.append(turn)
    middle = sorted(samples)[len(samples) // 2]
    return record(
        "latency",
        model,
        Measurement(
            name="latency_s",
            value=middle,
            unit="s",
            low=middle * (1 - 3 * spread),
            high=middle * (1 + 3 * spread),
            samples=tuple(samples),
            rounds=tuple(rounds),
            details={"run": run, "iqr": middle * spread, "stop_reason": "target reached"},
        ),
        **{"num_threads": 2} | case,
    )


def model_size(model: str) -> int:
    """Side in pixels of the images a model is published for."""
    entry = model_spec(model)
    return entry.input.size if entry else 224


def counted(model: str, params: float) -> Record:
    return record("params", model, Measurement(name="param_count", value=params, unit="count"))


def mult_adds_of(model: str, count: float, size: int = 0) -> Record:
    found = Measurement(name="mult_adds", value=count, unit="count")
    return record("mult_adds", model, found, img_size=size or model_size(model))


def full_records() -> list[Record]:
    """Every model, every metric, and the sixteen MobileNets' sizes."""
    records = []
    for model, (params, mult_adds, milliseconds, top1) in MODELS.items():
        records += [
            record("params", model, Measurement(name="param_count", value=COUNTED[model][0], unit="count")),
            mult_adds_of(model, COUNTED[model][1]),
            mult_adds_of(model, mult_adds * 1e9 * (TESTED_AT / model_size(model)) ** 2, TESTED_AT),
            record("activations", model, Measurement(name="activations", value=mult_adds * 4e6, unit="count")),
            latency(model, milliseconds / 1e3),
            record(
                "memory",
                model,
                Measurement(name="weights_bytes", value=params * 4e6, unit="B"),
                Measurement(name="peak_rss_bytes", value=params * 4.5e6 + 4e7, unit="B"),
                num_threads=2,
            ),
            accuracy(model, top1),
        ]
    sixteen = (zoo.spec(label(width=width, resolution=resolution)).label for width, resolution in GRID)
    for name in sorted({*sixteen} - {"mobilenet_v1"}):
        params, mult_adds = COUNTED[name]
        records += [
            record("params", name, Measurement(name="param_count", value=params, unit="count")),
            record("mult_adds", name, Measurement(name="mult_adds", value=mult_adds, unit="count")),
        ]
    return records


def chosen(*names: str) -> list[Record]:
    return [record for record in full_records() if record.case.model in names]


def page_of(records: Iterable[Record], folder: Path, name: str = "details.md", **options: object) -> str:
    """A page of a run's report."""
    return (write_report(records, ENVIRONMENT, folder, **options).parent / name).read_text()  # type: ignore[arg-type]


def answer(records: Iterable[Record], need: str) -> str:
    """The sentence that answers a need; empty where none does."""
    return next((sentence for sentence in answers(survey(records, ENVIRONMENT)) if need in sentence), "")
