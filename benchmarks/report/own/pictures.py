"""The pictures of somebody's own images: what is taken for what, and how the networks learned."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from benchmarks.report.drawing import Drawing
from benchmarks.report.joining import model_spec
from benchmarks.report.overview import Overview
from benchmarks.report.own import figures
from benchmarks.report.own.candidates import Answers, trials
from benchmarks.report.own.comparing import rank
from benchmarks.report.words import number, told_apart

__all__ = ["confusion", "confusion_scratch", "learning_curves", "names_in_pictures"]

MOST_CLASSES = 100
MOST_PANELS = 36
SCRATCH = ", scratch"  # behind the name of a network of which there may be another with trained weights
LONGEST = 18  # characters of a class's name


def confusion(overview: Overview) -> Drawing | None:
    """Of the best network that began with trained weights, or was trained before."""
    return _confusion(overview, "confusion", scratch=False)


def confusion_scratch(overview: Overview) -> Drawing | None:
    """Of the best network trained from scratch."""
    return _confusion(overview, "confusion_scratch", scratch=True)


def _confusion(overview: Overview, name: str, *, scratch: bool) -> Drawing | None:
    found = trials(overview.rows)
    group = (found[0].scratch if scratch else found[0].weighted) if found else ()
    ordered = rank(group, overview.metric).ordered
    answers = ordered[0].answers() if ordered else []
    classes = _classes(answers)
    if not 2 <= len(classes) <= MOST_CLASSES:
        return None
    counts = [[_count(answers, label, answer) for answer in classes] for label in classes]
    best, images = ordered[0], len(answers[0].labels)
    seeds = f", the mean over {len(answers)} seeds" if len(answers) > 1 else ""
    return Drawing(
        name=name,
        alt=f"Confusion matrix of {best.name} on {images:,} images of {len(classes)} classes",
        caption=(
            f"What {best.name} takes for what: a row is a class, a column an answer, a cell the number of images"
            f"{seeds}, the darker the larger its part of the row."
        ),
        data={"classes": names_in_pictures(classes), "counts": counts},
        draw=figures.confusion,
    )


def _classes(answers: Sequence[Answers]) -> list[str]:
    """The names that occur among the right and the given answers, in the order of their numbers."""
    numbers = {
        int(number) for found in answers for each in (found.labels, found.answers[found.read]) for number in each
    }
    return list(dict.fromkeys(answers[0].name(number) for number in sorted(numbers))) if answers else []


def _count(answers: Sequence[Answers], label: str, answer: str) -> float:
    """Images of a class that are taken for another, the mean over the seeds."""
    counts = [
        int((np.isin(found.labels, _numbers(found, label)) & np.isin(found.answers, _numbers(found, answer))).sum())
        for found in answers
    ]
    mean = sum(counts) / len(counts)
    return round(mean, 1) if mean % 1 else int(mean)


def _numbers(answers: Answers, name: str) -> list[int]:
    known = [number for number, title in answers.names.items() if title == name]
    return known or ([int(name)] if name.isdecimal() else [])


def names_in_pictures(names: Sequence[str]) -> list[str]:
    """Short names that the pictures' font can write; a class that it cannot is called by its place."""
    short = told_apart(names, LONGEST)
    return [name if _can_be_written(name) else f"class {place}" for place, name in enumerate(short, start=1)]


@cache
def _can_be_written(text: str) -> bool:
    from matplotlib.font_manager import FontProperties, findfont, get_font

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        font = get_font(findfont(FontProperties(family="DejaVu Sans")))
    return all(font.get_char_index(ord(sign)) for sign in text if sign != " ")


def learning_curves(overview: Overview) -> Drawing | None:
    """Accuracy on held-out images after each epoch, of the first seed of each network."""
    found = trials(overview.rows)
    groups = found[0].groups if found else []
    candidates = [(each, group is found[0].scratch) for group in groups for each in group]
    drawn: list[dict[str, Any]] = []
    for candidate, scratch in candidates:
        points = [(int(point["epoch"]), 100 * float(point["top1"])) for point in candidate.details.get("curve", ())]
        entry = model_spec(candidate.case.model)
        if len(points) > 1:
            drawn.append(
                {
                    "model": f"{candidate.name}{SCRATCH * (scratch and len(groups) > 1)}",
                    "family": entry.family if entry else "",
                    "curve": points,
                }
            )
    if not drawn:
        return None
    highest = max(drawn, key=lambda each: max(point[1] for point in each["curve"]))
    top = max(point[1] for point in highest["curve"])
    return Drawing(
        name="learning_curves",
        heading="How they learn",
        alt=f"Small panels, one a network: accuracy after each epoch for {len(drawn)} networks",
        caption=(
            "Top-1 after each epoch on the images that chose the epoch, of one seed; the other networks in grey. "
            f"{highest['model']} came highest ({number(top, -1)} %)."
        ),
        data={"curves": drawn[:MOST_PANELS], "up": "top-1, %"},
        draw=figures.curves,
    )
