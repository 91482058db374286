"""`zoo evaluate`: how many images of a folder or a data set a trained network answers rightly."""

from __future__ import annotations

import argparse
import csv
import json
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import zoo
from zoo.commands.words import percent, split_of, training_of, typed_data
from zoo.exporting.opened import is_exported
from zoo.partial import replacing
from zoo.printing import printable
from zoo.runtimes.session import Session

if TYPE_CHECKING:
    from zoo.classifier import Classifier
    from zoo.data.dataset import Data
    from zoo.training.evaluation import Evaluation, Labelled

__all__ = ["add_arguments", "run"]

COLUMNS = ("path", "class", "answer", "probability")
WORST = 5  # mistakes that are printed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--weights", required=True, metavar="FILE", help="a trained file, imagenet or imagenet:TAG")
    parser.add_argument("--model", metavar="NAME", help="which model, where the file does not say it")
    parser.add_argument("--data", required=True, metavar="DATA", help="a folder of images, or the name of a data set")
    parser.add_argument("--data-dir", default="", metavar="DIR", help="where a named data set lies")
    parser.add_argument(
        "--part", choices=("held-out", "val", "test", "train", "all"), default="held-out",
        help="of the data; default what the file was not trained on: test, else val",
    )  # fmt: skip
    parser.add_argument("--predictions", type=Path, metavar="FILE", help="default predictions.csv beside the weights")
    parser.add_argument("--batch-size", type=int, default=50, metavar="N", help="images at once (50)")
    parser.add_argument("--device", default="auto", metavar="DEVICE", help="auto, cpu, cuda, cuda:N or mps")
    parser.add_argument("--json", action="store_true", help="one object: the fields of zoo.Evaluation")
    parser.set_defaults(val_fraction=0.2, split_seed=0, group=None)


def run(given: argparse.Namespace) -> int:
    from zoo.training.devices import named_device
    from zoo.training.evaluation import TrainingFailed, evaluate
    from zoo.training.processes import report, team

    with warnings.catch_warnings():
        warnings.filterwarnings("always", module=r"zoo\.")
        crew = team()
        say = _say if crew.leads else _nothing
        warnings.showwarning = lambda message, *_, **__: say(str(message))
        given.device = named_device(given.device, crew)
        model, training = _network(given)
        data = _data(given, model, training)
        part, images = _part(given, data, training)
        for note in data.notes:
            say(note)
        if given.part == "held-out" and training:
            say(f"the {part} images, which the file was not trained on")
        try:
            evaluation = evaluate(model, images, batch_size=given.batch_size)
        except TrainingFailed as error:
            report(error, f"zoo evaluate: {printable(str(error))}")
            return 1
        if not crew.leads:
            return 1 if evaluation.unreadable else 0
        target = given.predictions or _beside(given.weights)
        _write(target, images, evaluation)
    for position, reason in list(evaluation.unreadable.items())[:WORST]:
        _say(f"left out: {images.name(position)}: {reason}")
    figures = {**evaluation.figures, "part": part, "per_class": evaluation.per_class}
    if given.json:
        print(json.dumps({**figures, "confusion": evaluation.confusion.tolist()}, indent=1))
    else:
        _print(figures, evaluation, images)
        print(f"written: {target}")
    return 1 if evaluation.unreadable else 0


def _network(given: argparse.Namespace) -> tuple[Classifier | Session, dict[str, Any]]:
    """The network or the session of an exported file, and what its file says of its training."""
    if is_exported(given.weights):
        network = zoo.open_exported(given.weights)
        seen = network.facts.trained_on
        return network, {"data": dict(seen)} if seen else {}
    if given.model is not None:
        model = zoo.create(given.model, weights=given.weights, device=given.device)
    elif given.weights.partition(":")[0] == "imagenet":
        raise zoo.WeightsError("name the model of the published weights with --model")
    else:
        model = zoo.load(given.weights, device=given.device)
    return model, training_of(given.weights)


def _data(given: argparse.Namespace, model: Classifier | Session, training: dict[str, Any]) -> Data:
    """The data, a folder without parts split as it was when the file was trained, in the file's order of classes."""
    from zoo.data.dataset import matched

    data = typed_data(given, **split_of(training.get("data", {})))
    if model.class_names is None or model.class_names == data.class_names:
        return data
    return matched(data, model.class_names)


def _part(given: argparse.Namespace, data: Data, training: dict[str, Any]) -> tuple[str, Labelled]:
    """Which images, by the name of the part they are."""
    from zoo.data.joined import Joined

    known = {"train": data.train, "val": data.val, "test": data.test}
    if given.part == "held-out":
        names = ["test" if data.test is not None else "val"]
        trained_on = training.get("data", {})
        elsewhere = trained_on.get("name") != data.name and trained_on.get("fingerprint") != data.fingerprint
        if data.split and elsewhere:  # a folder that nothing was trained on is no training set
            names = ["train", "val"]
    else:
        names = [name for name in known if known[name] is not None] if given.part == "all" else [given.part]
    parts = [part for name in names if (part := known[name]) is not None]
    if not parts:
        there = ", ".join(name for name, part in known.items() if part is not None) or "none"
        raise zoo.DataError(f"{data.name} has no {given.part} images; it has: {there}")
    return " and ".join(names), parts[0] if len(parts) == 1 else Joined(parts)


def _beside(weights: str) -> Path:
    """predictions.csv beside a file, else in the working folder."""
    folder = Path(weights).parent if Path(weights).is_file() else Path()
    return folder / "predictions.csv"


def _write(target: Path, images: Labelled, evaluation: Evaluation) -> None:
    """Path, class, answer and probability of every image; refuses to replace a table that is another."""
    names = evaluation.class_names or tuple(map(str, range(evaluation.num_classes)))
    try:
        if target.exists():
            with target.open(encoding="utf-8") as file:
                if file.readline().strip() != ",".join(COLUMNS):
                    raise zoo.DataError(f"{target} is not a table of predictions; name another with --predictions")
        with (
            replacing(target) as partial,
            partial.open("w", encoding="utf-8", errors="backslashreplace", newline="") as out,
        ):
            writer = csv.writer(out)
            writer.writerow(COLUMNS)
            for position, (label, answer, probability) in enumerate(
                zip(
                    evaluation.labels.tolist(),
                    evaluation.top[:, 0].tolist(),
                    evaluation.probabilities.tolist(),
                    strict=True,
                )
            ):
                told = (names[answer], f"{probability:.6f}") if answer >= 0 else ("", "")
                writer.writerow((images.name(position), names[label], *told))
    except OSError as error:
        raise zoo.DataError(f"{target} cannot be written: {error.strerror or error}") from error


def _print(figures: dict[str, Any], evaluation: Evaluation, images: Labelled) -> None:
    """The figures, the recall of each class, the mistakes it was surest of."""
    print(percent(figures))
    if evaluation.top5 is not None:
        print(f"{evaluation.top5:.2f} % within five")
    present = {name: recall for name, recall in evaluation.per_class.items() if recall is not None}
    if len(present) <= 50:
        print(f"{evaluation.balanced:.2f} % in the mean over classes:")
        width = max(len(printable(name)) for name in present)
        for name, recall in present.items():
            print(f"  {printable(name):{width}}  {recall:6.2f} %")
    names = evaluation.class_names or tuple(map(str, range(evaluation.num_classes)))
    wrong = ((evaluation.top[:, 0] != evaluation.labels) & (evaluation.top[:, 0] >= 0)).nonzero().flatten()
    surest = sorted(wrong.tolist(), key=lambda position: -float(evaluation.probabilities[position]))[:WORST]
    for position in surest:
        answer = printable(names[int(evaluation.top[position, 0])])
        print(f"  {printable(images.name(position))}: taken for {answer} ({evaluation.probabilities[position]:.1%})")


def _nothing(text: str) -> None:
    """The leading process says it."""


def _say(text: str) -> None:
    print(f"zoo evaluate: {printable(text)}", file=sys.stderr, flush=True)
