"""`zoo predict`: what a trained network sees in images."""

from __future__ import annotations

import argparse
import csv
import glob
import json
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import zoo
from zoo.exporting.opened import is_exported
from zoo.preprocessing import pipeline
from zoo.printing import printable
from zoo.runtimes.session import Session

if TYPE_CHECKING:
    import torch

    from zoo.classifier import Classifier

__all__ = ["add_arguments", "run"]

TOP = 5
BATCH = 16


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", metavar="NAME", help="which model; a file that zoo.save_weights wrote says it")
    parser.add_argument("--weights", metavar="SOURCE", help="a file, imagenet (if --model is given) or imagenet:TAG")
    parser.add_argument("--topk", type=_count, default=TOP, metavar="N", help=f"classes an image ({TOP})")
    parser.add_argument("--batch-size", type=_count, default=BATCH, metavar="N", help=f"images at once ({BATCH})")
    parser.add_argument("--json", action="store_true", help="a list, one object an image: path, top, and error or null")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="also written there, a line a class")
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="files, folders, or patterns: 'photos/**/*.jpg'")


def run(given: argparse.Namespace) -> int:
    with warnings.catch_warnings(), ExitStack() as closing:
        warnings.filterwarnings("always", module=r"zoo\.")  # whatever PYTHONWARNINGS says
        warnings.showwarning = lambda message, *_, **__: _complain(str(message))
        model = _loaded(given.model, given.weights)
        table = None
        if given.csv is not None:
            try:
                table = closing.enter_context(
                    given.csv.open("w", encoding="utf-8", errors="backslashreplace", newline="")
                )
            except OSError as error:
                _complain(f"--csv {given.csv} cannot be written: {error.strerror}")
                return 2
            csv.writer(table).writerow(("path", "rank", "class", "name", "probability"))
        answers = []
        for answer in _answers(model, _files(given.images), given.topk, given.batch_size):
            answers.append(answer)
            _report(answer, as_text=not given.json, table=table)
        if given.json:
            print(json.dumps(answers, indent=1))
    return 1 if any(answer["error"] for answer in answers) else 0


def _loaded(name: str | None, weights: str | None) -> Classifier | Session:
    """The network in evaluation mode, or an exported file; raises `WeightsError` where nothing says which."""
    if name is None and is_exported(weights):
        return zoo.open_exported(str(weights))
    if name is not None:
        model = zoo.create(name, weights=weights or "imagenet")
    elif weights is None or weights.partition(":")[0] == "imagenet":
        raise zoo.WeightsError("name a file with --weights, or a model with --model")
    else:
        try:
            model = zoo.load(weights)
        except zoo.WeightsError as error:
            raise zoo.WeightsError(
                f"{error} (--model NAME here)" if "which model" in str(error) else str(error)
            ) from error
    if model.num_classes == 0:
        raise zoo.WeightsError(f"{weights} holds {model.spec.label} without a classifier: it has no classes to name")
    return model.eval()


def _files(given: Sequence[str]) -> Iterator[str]:
    """The paths that are meant: of a folder the images in and below it, of a pattern what it matches."""
    from zoo.data.imagenet import SUFFIXES

    for text in given:
        found: list[str] = []
        if os.path.isdir(text):
            below = (os.path.join(folder, name) for folder, _, names in os.walk(text) for name in names)
            found = sorted(path for path in below if os.path.splitext(path)[1].lower() in SUFFIXES)
        elif glob.has_magic(text) and not os.path.lexists(text):
            found = sorted(path for path in glob.iglob(text, recursive=True) if not os.path.isdir(path))
        yield from found or [text]  # what nothing matches is named among what cannot be read


def _answers(
    model: Classifier | Session, paths: Iterator[str], count: int, batch_size: int
) -> Iterator[dict[str, Any]]:
    """One answer a path, in order: path, top (class, name and probability, best first), error."""
    transform = pipeline(model.spec.input, model.in_channels)
    dtype = model.dtype if isinstance(model, Session) else next(model.parameters()).dtype
    waiting: list[tuple[str, torch.Tensor | str]] = []

    def answered() -> Iterator[dict[str, Any]]:
        import torch

        images = [image for _, image in waiting if not isinstance(image, str)]
        with torch.inference_mode():
            logits = iter(_logits(model, torch.stack(images).to(dtype)).float() if images else ())
        for path, image in waiting:
            yield _answer(model, path, count, image if isinstance(image, str) else next(logits))
        waiting.clear()

    for path in paths:
        waiting.append((path, _image(transform, path)))
        if len(waiting) == batch_size:
            yield from answered()
    yield from answered()


def _logits(model: Classifier | Session, images: torch.Tensor) -> torch.Tensor:
    if not isinstance(model, Session):
        logits: torch.Tensor = model(images)
        return logits
    from zoo.runtimes.quantizing.choosing import in_batches

    return in_batches(model, model.batch_size or len(images), images)


def _image(transform: Any, path: str) -> torch.Tensor | str:
    """The network's input, or why there is none."""
    try:
        image: torch.Tensor = transform(path)
    except zoo.DataError as error:
        return str(error)
    except Exception as error:  # out of memory, perhaps: the other images are not to pay for it
        return f"{path} cannot be read as an image: {type(error).__name__} {error}"
    return image


def _answer(model: Classifier | Session, path: str, count: int, logits: torch.Tensor | str) -> dict[str, Any]:
    if isinstance(logits, str):
        return {"path": path, "top": [], "error": logits}
    if not bool(logits.isfinite().all()):
        return {"path": path, "top": [], "error": f"{model.spec.label} answers {path} with numbers that are not finite"}
    names = model.class_names
    best = logits.softmax(dim=0).topk(min(count, len(logits)))
    top = [
        {"class": number, "name": names[number] if names else None, "probability": probability}
        for probability, number in zip(best.values.tolist(), best.indices.tolist(), strict=True)
    ]
    return {"path": path, "top": top, "error": None}


def _report(answer: dict[str, Any], *, as_text: bool, table: TextIO | None) -> None:
    """Prints an answer and adds it to the table."""
    if answer["error"]:
        _complain(answer["error"])
    elif as_text:
        print(printable(answer["path"]))
        for best in answer["top"]:
            name = printable(best["name"] or f"class {best['class']}")
            print(f"  {best['probability']:7.2%}  {name}")
    if table is not None:
        for rank, best in enumerate(answer["top"], start=1):
            texts = _cell(answer["path"]), _cell(best["name"] or "")
            csv.writer(table).writerow((texts[0], rank, best["class"], texts[1], best["probability"]))


def _cell(text: str) -> str:
    """Text that a spreadsheet takes for text: what begins like a formula gets an apostrophe in front."""
    return f"'{text}" if text[:1] in tuple("=+-@\t\r") and text else text


def _complain(text: str) -> None:
    print(f"zoo predict: {printable(text)}", file=sys.stderr)


def _count(text: str) -> int:
    try:
        count = int(text)
    except ValueError:
        count = 0
    if count < 1:
        raise argparse.ArgumentTypeError(f"takes a whole number of at least 1; got {text!r}")
    return count
