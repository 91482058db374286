"""Networks that are trained here and kept: where, how one that had ended is found again, what is said of them."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import zoo
from benchmarks.metrics.beginnings import is_kept
from benchmarks.records.record import Measurement
from benchmarks.records.shapes import Shape
from zoo.training.course import Epoch
from zoo.training.evaluation import held_out
from zoo.training.folder import BEST, SUMMARY, Finished, folder_name

if TYPE_CHECKING:
    from benchmarks.metrics.subject import Subject
    from zoo.data.dataset import Data, Split

__all__ = ["MISTAKE", "TRAINED", "balanced_of", "curve_of", "mistakes_of", "network_bytes", "output_of", "train"]

TRAINED = "trained"  # folder of the networks, in that of a run
LONGEST = 90  # characters of a folder's name before its mark
MOST_MISTAKES = 20
MISTAKE: Shape = {"image": str, "class": str, "answer": str, "probability": float}


def output_of(subject: Subject, data: Data) -> Path | None:
    """The folder of a training in that of the run; None for one that is not kept.

    It has the case's mark in its name: a training of other images, another recipe or by other code is another one.
    """
    case = subject.case
    if not subject.folder or not is_kept(case):
        return None
    recipe = case.recipe.partition(":")[0]
    name = folder_name(case.model, f"{data.name}-{recipe}-seed{case.seed}")[:LONGEST].rstrip("._ ")
    return Path(subject.folder, TRAINED, f"{name}-{subject.mark}")


def train(model: zoo.Classifier, data: Data, recipe: zoo.Recipe, output: Path | None, **options: Any) -> zoo.Training:
    """`zoo.train`; one that had ended before anybody wrote its result down is read again instead."""
    try:
        return zoo.train(model, data, recipe, output_dir=output, **options)
    except Finished as finished:
        kept = zoo.load(finished.path / BEST, device=next(model.parameters()).device)
        model.auxiliary = kept.auxiliary
        model.load_state_dict(kept.state_dict())
        curve = _read_curve(finished.path / SUMMARY)
        return zoo.Training(
            curve=curve,
            evaluation=zoo.evaluate(model, held_out(data)),
            judged_on=str(finished.result["judged_on"]),
            chose_epoch=recipe.keep == "best" and data.test is None,
            images_seen=(len(data.train.labels) if data.train is not None else 0) * len(curve),
            seconds=sum(epoch.seconds for epoch in curve),
            output_dir=finished.path,
        )


def _read_curve(summary: Path) -> tuple[Epoch, ...]:
    """The learning curve as the training wrote it down."""
    with summary.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))

    def figure(row: dict[str, str], name: str) -> float | None:
        return float(row[name]) if row[name] else None

    return tuple(
        Epoch(
            loss=float(row["train_loss"]),
            train_accuracy=figure(row, "train_top1"),
            val_loss=float(row["val_loss"]),
            val_accuracy=float(row["val_top1"]),
            ema_accuracy=figure(row, "ema_top1"),
            lr=float(row["lr"]),
            seconds=float(row["seconds"]),
        )
        for row in rows
    )


def curve_of(training: zoo.Training) -> list[dict[str, float | None]]:
    """The learning curve as a record holds it."""
    return [
        {
            "epoch": number,
            "loss": epoch.loss,
            "train_top1": epoch.train_accuracy,
            "test_loss": epoch.val_loss,
            "top1": epoch.val_accuracy,
            "seconds": epoch.seconds,
        }
        for number, epoch in enumerate(training.curve, start=1)
    ]


def balanced_of(evaluation: zoo.Evaluation) -> Measurement:
    """The mean recall over the classes, with a normal interval; each class counts the same however many images it has.

    The variance of a recall is taken with two images more, one of them right: none of three is not surely none.
    """
    confusion = evaluation.confusion
    counts, right = confusion.sum(1).tolist(), confusion.diagonal().tolist()
    known = [(hit, count) for hit, count in zip(right, counts, strict=True) if count]
    shares = [(hit + 1) / (count + 2) for hit, count in known]
    variance = sum(share * (1 - share) / count for share, (_, count) in zip(shares, known, strict=True))
    value, reach = evaluation.balanced / 100, 1.96 * math.sqrt(variance) / len(known)
    return Measurement(
        name="balanced",
        value=value,
        unit="fraction",
        low=max(value - reach, 0.0),
        high=min(value + reach, 1.0),
        method="mean of the classes' recalls; 95 % normal interval of the test images",
    )


def mistakes_of(evaluation: zoo.Evaluation, images: Split, names: tuple[str, ...]) -> list[dict[str, str | float]]:
    """The wrong answers that the network was surest of, the surest first."""
    answers = evaluation.top[:, 0]
    wrong = ((answers != evaluation.labels) & (answers >= 0)).nonzero().flatten().tolist()
    surest = sorted(wrong, key=lambda position: -float(evaluation.probabilities[position]))[:MOST_MISTAKES]
    return [
        {
            "image": images.name(position),
            "class": names[int(evaluation.labels[position])],
            "answer": names[int(answers[position])],
            "probability": float(evaluation.probabilities[position]),
        }
        for position in surest
    ]


def network_bytes(model: zoo.Classifier) -> Measurement:
    """What the weights and statistics of a network occupy, those of auxiliary classifiers left out."""
    kept = (value for name, value in model.state_dict().items() if not name.startswith("auxiliary."))
    return Measurement(name="network_bytes", value=sum(value.nbytes for value in kept), unit="B")
