"""What fine-tuning with its default settings reaches on a folder, and what the same time from scratch does."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from functools import partial
from operator import itemgetter
from typing import Any

from benchmarks.report.bars import Bar, Cases, judged
from benchmarks.report.page import section
from benchmarks.report.table import TableColumn, table, text_column
from benchmarks.stats.intervals import Interval

__all__ = ["FED", "INPUTS", "bars", "measure", "sections"]

MODEL = "mobilenet_v1:resolution=128,width=0.25"
SIZE, CLASSES = 128, 10
LEAST, LONGEST_S, GAIN = 77.0, 300.0, 15.0  # percent, seconds, points over scratch
TUNED, SCRATCH, HEAD = (f"finetuning {recipe}" for recipe in ("finetune", "scratch", "head_only"))
INPUTS = {
    "data-dir": f"a folder of images of {CLASSES} classes with the parts train and val, for what fine-tuning reaches",
    "weights": f"a file of trained weights of {MODEL}",
}


def measure(recipe_name: str, inputs: Mapping[str, str]) -> dict[str, Any]:
    """Trains once as `zoo train` does, by the recipe as it stands, but from scratch in the epochs of fine-tuning.

    Returns JSON values.

    An epoch from scratch takes no less time than one of fine-tuning, whose first trains the classifier alone.
    """
    import zoo
    from zoo.training.devices import keep_freed_memory
    from zoo.training.recipes import recipe
    from zoo.training.start import pretrained, untrained

    keep_freed_memory(lean=True)
    data = zoo.open_data(inputs["data-dir"])
    spec = zoo.spec(MODEL)
    started = time.perf_counter()
    if recipe_name == "scratch":
        chosen = recipe("scratch", spec, epochs=recipe("finetune", spec).epochs)
        model = untrained(spec, data, chosen, seed=0)
    else:
        chosen = recipe(recipe_name, spec)
        model, data, _ = pretrained(MODEL, inputs["weights"], data, chosen, seed=0)
    training = zoo.train(model, data, chosen, seed=0)
    found = training.evaluation
    return {
        "recipe": recipe_name,
        "epochs": len(training.curve),
        "images": found.images,
        "correct": found.correct,
        "top1": found.top1,
        "low": found.top1_ci95[0],
        "high": found.top1_ci95[1],
        "seconds": time.perf_counter() - started,
        "curve": [100 * epoch.val_accuracy for epoch in training.curve],
    }


def bars(cases: Cases) -> list[Bar]:
    """What is reached, in which time, and how much of it is the weights' merit."""
    tuned, scratch = cases.get(TUNED), cases.get(SCRATCH)
    both = None if tuned is None or scratch is None else (tuned, scratch)
    return [
        judged(f"finetune as it stands: at least {LEAST:g} % of the images right", tuned, _right),
        judged(f"finetune as it stands: within {LONGEST_S / 60:g} minutes, tests included", tuned, _in_time),
        judged(f"finetune: at least {GAIN:g} points more than scratch in as many epochs", both, _beats),
    ]


def _right(case: Mapping[str, Any]) -> tuple[str, bool]:
    return f"{case['top1']:.1f} ({case['low']:.1f} to {case['high']:.1f})", case["top1"] >= LEAST


def _in_time(case: Mapping[str, Any]) -> tuple[str, bool]:
    return f"{case['seconds'] / 60:.1f} minutes", case["seconds"] <= LONGEST_S


def _beats(both: tuple[Mapping[str, Any], Mapping[str, Any]]) -> tuple[str, bool]:
    tuned, scratch = both
    gain = tuned["top1"] - scratch["top1"]
    return f"{gain:.1f} points, in {tuned['seconds'] / scratch['seconds']:.2f} times its time", gain >= GAIN


def sections(cases: Cases) -> Iterator[str]:
    """The same in a table."""
    columns = (
        text_column("recipe", itemgetter("recipe")),
        TableColumn("epochs", itemgetter("epochs"), 0),
        TableColumn("right, %", lambda case: Interval(case["top1"], case["low"], case["high"]), -1),
        TableColumn("images", itemgetter("images"), 0),
        TableColumn("minutes", lambda case: case["seconds"] / 60, -1),
        text_column("right after each epoch, %", lambda case: " ".join(f"{value:.0f}" for value in case["curve"])),
    )
    rows = [cases[key] for key in FED if key in cases]
    if rows:
        yield section(
            "Fine-tuning",
            f"{MODEL} on {CLASSES} classes in folders, {SIZE}x{SIZE} pixels, seed 0. The images that are answered also "
            "chose the epoch that is kept, for each recipe alike. The interval is Wilson's, of the images alone: "
            "another seed would move the figure besides.",
            table(columns, rows),
        )


FED = {key: partial(measure, key.partition(" ")[2]) for key in (TUNED, SCRATCH, HEAD)}
