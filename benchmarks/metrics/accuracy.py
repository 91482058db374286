"""Accuracy on real images: of networks trained from scratch with one recipe, or of published weights."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import zoo
from benchmarks.metrics.metric import Metric
from benchmarks.records.predictions import pack
from benchmarks.records.record import Case, Measurement
from benchmarks.records.staleness import weights_checksum
from zoo.data import DATASETS
from zoo.spec import resized
from zoo.training.loop import RECIPE, Predictions, Recipe, TrainingResult, evaluate, keep_freed_memory, train

if TYPE_CHECKING:
    from benchmarks.metrics.subject import Subject
    from zoo.data.dataset import Opened

__all__ = ["METRIC", "label_order", "wilson"]

# what a study may vary of the recipe through `Case.settings`; epochs and image size are fields of `Case`
VARIABLE = tuple(
    field.name for field in dataclasses.fields(Recipe) if field.name not in ("img_size", "epochs", "batch_size")
)
PRECISIONS = ("fp32", "bf16")


def complete(case: Case) -> Case:
    """Default data set, epochs, images and size; nothing of the training where weights are given."""
    spec = zoo.spec(case.model)
    dataset = case.dataset or ("imagenet" if case.weights else "fashion_mnist")
    if case.weights:
        size = case.img_size or spec.input.size
        return dataclasses.replace(case, dataset=dataset, img_size=size, epochs=0, train_images=0, seed=0)
    return dataclasses.replace(
        case,
        dataset=dataset,
        img_size=case.img_size or max(RECIPE.img_size, spec.input.min_size),
        epochs=case.epochs or RECIPE.epochs,
        train_images=case.train_images or DATASETS[dataset].train_images,
    )


def unavailable(case: Case) -> str | None:
    """See `Metric.unavailable`."""
    dataset = DATASETS[case.dataset]
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
    changed = {name: value for name, value in case.settings if name in VARIABLE}
    recipe = dataclasses.replace(RECIPE, img_size=case.img_size, epochs=case.epochs, **changed)  # type: ignore[arg-type]
    images = dataset.open(case.data_dir, img_size=case.img_size)
    if images.train is None:
        raise ValueError(f"{dataset.name} holds no images to train on")
    images = dataclasses.replace(images, train=images.train.first(case.train_images))
    spec = zoo.spec(case.model)
    auxiliary = recipe.auxiliary and "auxiliary" in spec.settings
    torch.manual_seed(case.seed)
    label = spec.vary(auxiliary=True).label if auxiliary else spec.label
    model = zoo.create(label, num_classes=dataset.num_classes, device=case.device)
    result = train(model, images, recipe, seed=case.seed, precision=case.precision, on_progress=subject.on_progress)
    details = {
        "recipe": dataclasses.asdict(recipe),
        "recipe_text": recipe.text,
        "auxiliary_trained": auxiliary,
        "curve": _curve(result),
    }
    return (
        *_accuracy(result.predictions, images, details),
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
        model = zoo.create(case.model, weights=case.weights, num_classes=dataset.num_classes, device=case.device)
    notes = tuple(str(warning.message) for warning in said)
    if any("last layer is new" in note for note in notes):
        raise ValueError(f"{case.weights} cannot tell the {dataset.num_classes} classes of {dataset.name}: {notes[0]}")
    preprocess = zoo.preprocessing(dataclasses.replace(model.spec, input=resized(model.spec.input, case.img_size)))
    images = dataset.open(case.data_dir, img_size=case.img_size, preprocess=preprocess)
    predictions = evaluate(model, images.test, precision=case.precision, on_progress=subject.on_progress)
    images = dataclasses.replace(images, notes=images.notes + notes + label_order(predictions))
    details = {"preprocessing": str(preprocess), "weights_sha256": weights_checksum(case)}
    return _accuracy(predictions, images, details)


def _accuracy(predictions: Predictions, images: Opened, details: Mapping[str, Any]) -> tuple[Measurement, ...]:
    """Top-1, top-5 and the number of images; all details go with top-1."""
    broken = {images.test.name(position): reason for position, reason in sorted(predictions.unreadable.items())}
    answers = {
        "labels": pack(predictions.labels),
        "answers": pack(predictions.top),
        "fingerprint": images.fingerprint,
        "unreadable": broken,
        "notes": list(images.notes),
    }
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
    right = {shift: int((best == predictions.labels + shift).sum()) for shift in (-1, 0, 1)}
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


def _reproducible() -> None:
    """Strict arithmetic and algorithms that give the same result every time, for the life of this process."""
    import torch

    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False


METRIC = Metric(
    name="accuracy",
    title="accuracy",
    depends_on=(
        "dataset", "data_dir", "weights", "epochs", "train_images", "img_size", "device", "precision", "num_threads",
        "seed", *VARIABLE,
    ),
    measure=measure,
    complete=complete,
    unavailable=unavailable,
    slow=True,
)  # fmt: skip
