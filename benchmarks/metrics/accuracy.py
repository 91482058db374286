"""Accuracy on real images: of networks trained from scratch with one recipe, or of published weights."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import zoo
from benchmarks.metrics.metric import Column, Metric
from benchmarks.records.files import checksum
from benchmarks.records.predictions import is_packed, pack
from benchmarks.records.record import Case, Measurement
from benchmarks.records.shapes import ABSENT, Shape
from zoo.data import DATASETS
from zoo.factory import fresh
from zoo.spec import ModelSpec, resized
from zoo.training.loop import Predictions, TrainingResult, evaluate, keep_freed_memory, train
from zoo.training.recipes import Recipe, recipe
from zoo.weights.matching import LAYOUTS
from zoo.weights.sources import locate

if TYPE_CHECKING:
    from benchmarks.metrics.subject import Subject
    from zoo.data.dataset import Opened

__all__ = ["METRIC", "label_order", "wilson"]

PRECISIONS = ("fp32", "bf16")


def complete(case: Case) -> Case:
    """What is left open, by the recipe or by the weights; images and weights become what identifies them.

    Accuracy is counted in PyTorch, whatever runtimes are timed.
    """
    spec = zoo.spec(case.model)
    dataset = DATASETS[case.dataset or ("imagenet" if case.weights_path else "fashion_mnist")]
    case = dataclasses.replace(
        case, runtime="eager", dataset=dataset.name, data=dataset.fingerprint(case.data_dir)[:16]
    )
    if case.weights_path:
        return dataclasses.replace(
            case,
            weights=identity(spec, case.weights_path),
            img_size=case.img_size or spec.input.size,
            num_threads=0, recipe="", epochs=0, train_images=0, train_img_size=0, train_threads=0, seed=0,
        )  # fmt: skip
    chosen = recipe(case.recipe or "sample")
    return dataclasses.replace(
        case,
        img_size=0,
        num_threads=0,
        recipe=case.recipe or "sample",
        epochs=case.epochs or chosen.epochs,
        train_images=case.train_images or dataset.train_images,
        train_img_size=case.train_img_size or case.img_size or max(chosen.img_size, spec.input.min_size),
        train_threads=case.train_threads or case.num_threads,
    )


def identity(spec: ModelSpec, weights: str) -> str:
    """What tells weights from others: their tag, or the checksum of the file; as typed where none can be read."""
    try:
        path = locate(spec, weights)
        return weights if path is None else f"sha256:{checksum(path)[:16]}"
    except (zoo.WeightsError, OSError):
        return weights


def unavailable(case: Case) -> str | None:
    """See `Metric.unavailable`."""
    dataset = DATASETS[case.dataset]
    if case.weights_path:
        try:
            locate(zoo.spec(case.model), case.weights_path)
        except zoo.WeightsError as error:
            return str(error)
    if not case.weights and not dataset.train_images:
        return f"{dataset.name} holds no images to train on; give the weights to evaluate with --weights"
    if case.weights.startswith("imagenet") and dataset.name != "imagenet":
        return f"weights {case.weights!r} know the classes of ImageNet, not of {dataset.name}; use --dataset imagenet"
    if case.train_images > dataset.train_images:
        return f"{dataset.name} has {dataset.train_images:,} training images; {case.train_images:,} were asked for"
    if case.precision not in PRECISIONS:
        return f"accuracy is measured in precision {' or '.join(PRECISIONS)}, not {case.precision}"
    return dataset.unavailable(case.data_dir)


def measure(subject: Subject) -> tuple[Measurement, ...]:
    """Top-1 and top-5 with every answer, and how the network came by them."""
    _reproducible()
    return _of_weights(subject) if subject.case.weights else _of_training(subject)


def _of_training(subject: Subject) -> tuple[Measurement, ...]:
    """Trains from scratch, then tests."""
    import torch

    case = subject.case
    keep_freed_memory()
    dataset = DATASETS[case.dataset]
    chosen = recipe(case.recipe, img_size=case.train_img_size, epochs=case.epochs)
    images = dataset.open(case.data_dir, img_size=case.train_img_size)
    if images.train is None:
        raise ValueError(f"{dataset.name} holds no images to train on")
    images = dataclasses.replace(images, train=images.train.first(case.train_images))
    spec = zoo.spec(case.model)
    auxiliary = chosen.auxiliary and "auxiliary" in spec.settings
    torch.manual_seed(case.seed)
    model = fresh(
        spec.vary(auxiliary=True) if auxiliary else spec,
        num_classes=dataset.num_classes,
        in_channels=spec.input.channels,
        device=case.device,
    )
    result = train(model, images, chosen, seed=case.seed, precision=case.precision, on_progress=subject.on_progress)
    details = {
        "recipe": dataclasses.asdict(chosen),
        "auxiliary_trained": auxiliary,
        "curve": _curve(result),
    }
    return (
        *_accuracy(subject, result.predictions, images, details),
        Measurement(name="train_images", value=case.train_images, unit="count", method="distinct images"),
        Measurement(
            name="train_samples_per_sec",
            value=result.images_seen / result.seconds,
            unit="1/s",
            method="images trained on / wall time of all epochs, without the tests between them",
            details={"threads": torch.get_num_threads()},
        ),
        Measurement(name="train_seconds", value=result.seconds, unit="s"),
    )


def _of_weights(subject: Subject) -> tuple[Measurement, ...]:
    """Tests trained weights as they are, with the preprocessing that belongs to them."""
    case = subject.case
    dataset = DATASETS[case.dataset]
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        model = zoo.create(case.model, weights=case.weights_path, num_classes=dataset.num_classes, device=case.device)
    notes = [str(warning.message) for warning in said]
    if new := [note for note in notes if "last layer is new" in note]:
        raise ValueError(
            f"{case.weights_path} cannot tell the {dataset.num_classes} classes of {dataset.name}: {new[0]}"
        )
    preprocess = zoo.preprocessing(dataclasses.replace(model.spec, input=resized(model.spec.input, case.img_size)))
    images = dataset.open(case.data_dir, img_size=case.img_size, preprocess=preprocess)
    predictions = evaluate(model, images.test, precision=case.precision, on_progress=subject.on_progress)
    subject.notes += [*notes, *label_order(predictions)]
    return _accuracy(subject, predictions, images, {"preprocessing": images.preprocessing})


def _accuracy(
    subject: Subject, predictions: Predictions, images: Opened, details: Mapping[str, Any]
) -> tuple[Measurement, ...]:
    """Top-1, top-5 and the number of images; all details go with top-1, what was left out becomes a note."""
    broken = {images.test.name(position): reason for position, reason in sorted(predictions.unreadable.items())}
    answers = {
        "labels": pack(predictions.labels),
        "answers": pack(predictions.top),
        "fingerprint": images.fingerprint,
        "unreadable": broken,
    }
    subject.notes += images.notes
    if broken:
        first, reason = next(iter(broken.items()))
        many = "1 image" if len(broken) == 1 else f"{len(broken):,} images"
        subject.notes.append(f"left out, {many} that could not be read: {first!r}: {reason}")
    found = []
    for within in (1, 5):
        value, low, high = wilson(predictions.correct(within), predictions.count)
        found.append(
            Measurement(
                name=f"top{within}",
                value=value,
                unit="fraction",
                low=low,
                high=high,
                method="every test image counted once; 95 % Wilson interval",
                details={**details, **answers} if within == 1 else {},
            )
        )
    count = Measurement(name="test_images", value=predictions.count, unit="count", details={"unreadable": len(broken)})
    return (*found, count)


def wilson(right: int, count: int) -> tuple[float, float, float]:
    """The fraction `right / count` and the ends of its 95 % Wilson interval."""
    from scipy.stats import binomtest

    interval = binomtest(right, count).proportion_ci(confidence_level=0.95, method="wilson")
    return right / count, float(interval.low), float(interval.high)


def label_order(predictions: Predictions) -> tuple[str, ...]:
    """A warning if the answers fit better with all class numbers moved by one: the mark of a list of 1001 classes."""
    best = predictions.top[:, 0]
    answered = best >= 0  # what could not be read has no answer that could be moved
    right = {shift: int((answered & (best == predictions.labels + shift)).sum()) for shift in (-1, 0, 1)}
    shift = max(right, key=lambda each: right[each])
    if right[shift] <= 2 * right[0] or right[shift] < 5:
        return ()
    return (
        f"the order of classes looks wrong: {right[0]} of {predictions.count} images are right, but {right[shift]} "
        f"would be if every class number were moved by {-shift:+d}; do the weights count a background class?",
    )


def _curve(result: TrainingResult) -> list[dict[str, float]]:
    return [
        {
            "epoch": number,
            "loss": epoch.loss,
            "train_top1": epoch.train_accuracy,
            "test_loss": epoch.test_loss,
            "top1": epoch.test_accuracy,
            "seconds": epoch.seconds,
        }
        for number, epoch in enumerate(result.curve, start=1)
    ]


def basis(case: Case) -> Sequence[object]:
    """How the network is come by, the images, and for weights their key map and preprocessing."""
    spec, dataset = zoo.spec(case.model), DATASETS[case.dataset]
    if case.weights:
        rows = [(row.url, row.source, row.input, row.options) for row in spec.weights]
        sources = {row.source for row in spec.weights} if case.weights.startswith("imagenet") else LAYOUTS.keys()
        return (_reproducible, _of_weights, dataset.open, *rows, *(LAYOUTS[source] for source in sorted(sources)))
    return (_reproducible, _of_training, dataset.open, spec.initialize, spec.auxiliary_weight, spec.input.channels)


def _reproducible() -> None:
    """Strict arithmetic and algorithms that give the same result every time, for the life of this process."""
    import torch

    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False


POINT: Shape = {"epoch": int, "loss": float, "train_top1": float, "test_loss": float, "top1": float, "seconds": float}
TOP1: Mapping[str, Shape] = {
    "labels": (is_packed, ABSENT),
    "answers": (is_packed, ABSENT),
    "fingerprint": (str, ABSENT),
    "unreadable": ({str: str}, ABSENT),
    "preprocessing": (str, ABSENT),
    "recipe": ({each.name: type(each.default) for each in dataclasses.fields(Recipe)}, ABSENT),
    "auxiliary_trained": (bool, ABSENT),
    "curve": ([POINT], ABSENT),
}

METRIC = Metric(
    name="accuracy",
    title="accuracy",
    also=("acc", "top-1", "top-5", "error", "training"),
    depends_on=(
        "runtime", "device", "precision", "img_size", "weights", "dataset", "data", "recipe", "epochs", "train_images",
        "train_img_size", "train_threads", "seed",
    ),
    columns=(
        Column(
            name="top1",
            measurement="top1",
            factor=100,
            better="high",
            title="{dataset} top-1 here, % [95 %]",
            digits=-1,
            published="top1",
            published_column="published_top1",
            published_title="ImageNet top-1, % (published)",
        ),
        Column(name="top1_ci95_lo", measurement="top1", part="low", factor=100),
        Column(name="top1_ci95_hi", measurement="top1", part="high", factor=100),
        Column(name="top5", measurement="top5", factor=100, better="high"),
        Column(name="train_samples_per_sec", measurement="train_samples_per_sec", better="high"),
    ),
    measure=measure,
    details={"top1": TOP1},
    basis=basis,
    complete=complete,
    unavailable=unavailable,
    slow=True,
)  # fmt: skip
