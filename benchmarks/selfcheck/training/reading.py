"""From disk to gradient: images a second over five epochs, against torchvision's reference way."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator, Mapping
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any

from benchmarks.measure.noise import NoiseMeter, summary
from benchmarks.report.bars import Bar, Cases, judged
from benchmarks.report.page import section
from benchmarks.report.table import TableColumn, table, text_column
from benchmarks.selfcheck.speed.turns import ratio
from benchmarks.selfcheck.training.contenders import BATCH, EPOCHS, SIZE, WAYS, contest
from benchmarks.selfcheck.training.photographs import KINDS, Kind, make
from benchmarks.stats.intervals import Interval
from zoo.turns import take_turns

__all__ = ["FED", "bars", "measure", "sections"]

MODELS = ("resnet18", "mobilenet_v1:resolution=128,width=0.25")
TRAINED = MODELS[1]  # starts from trained weights: from scratch seeds differ by ten points after five epochs
# how many times the images a second of the reference
GAINS = {
    ("12 megapixels", MODELS[0]): 2.5,
    ("12 megapixels", MODELS[1]): 6.0,
    ("300 to 500 pixels", MODELS[0]): 1.1,
    ("300 to 500 pixels", MODELS[1]): 1.3,
}
FEWER = {("300 to 500 pixels", MODELS[0]): Kind(KINDS["300 to 500 pixels"].sizes, 256, 64)}  # whose steps are long
SEEDS = 3
TELLING = 6  # seeds where accuracy is compared: of one way they differ by four points
POINTS = 1.0  # of accuracy
ENOUGH = 1000  # images tested, from which a point can be told
WAITING = 0.05  # of a step
WORKERS = (1, 2, 3)  # of the reference, which are tried


def measure(kind: str, model: str, inputs: Mapping[str, str]) -> dict[str, Any]:
    """One training of each way and seed, taking turns, as JSON values.

    Args:
        inputs: `data-dir`, natural images with train and val, which are enlarged, and `weights` of `TRAINED`.
    """
    with tempfile.TemporaryDirectory() as folder:
        photographs = make(FEWER.get((kind, model), KINDS[kind]), Path(inputs["data-dir"]), Path(folder))
        weights = inputs["weights"] if model == TRAINED else ""
        one = partial(contest, model=model, folder=photographs, weights=weights)
        tried = {workers: _pace(one("torchvision", seed=0, epochs=1, workers=workers)) for workers in WORKERS}
        best = max(tried, key=tried.__getitem__)
        runs: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}

        def turn(way: str) -> None:
            runs[way].append(one(way, seed=len(runs[way]), workers=best))

        meter = NoiseMeter()
        seeds = TELLING if _enough(kind, model) else SEEDS
        noise = summary([meter.read() for _ in take_turns(WAYS, turn, rounds=(seeds, seeds))])
    return {
        "kind": kind,
        "model": model,
        "falling": True,
        "runs": runs,
        "noisy": noise["noisy"],
        "noise": noise["noise"],
    }


def _pace(run: Mapping[str, Any]) -> float:
    """Images a second, the first epoch included."""
    return float(run["images"] / sum(run["epoch_s"]))


def gain(case: Mapping[str, Any]) -> Interval:
    """How many times the images a second of the reference."""
    ours, theirs = ([_pace(run) for run in case["runs"][way]] for way in WAYS)
    return ratio(ours, theirs)


def _accuracy(case: Mapping[str, Any], way: str) -> float:
    """Percent, in the mean over seeds."""
    return statistics.fmean(100 * run["correct"] / run["tested"] for run in case["runs"][way])


def _peak(case: Mapping[str, Any], way: str) -> float:
    """Megabytes, in the mean over seeds."""
    return statistics.fmean(run["peak_bytes"] for run in case["runs"][way]) / 1e6


def _waiting(case: Mapping[str, Any]) -> float:
    """Part of the time from the second epoch on."""
    return statistics.median(float(run["waiting"]) for run in case["runs"]["zoo"])


def _tested(case: Mapping[str, Any]) -> int:
    return int(case["runs"]["zoo"][0]["tested"])


def bars(cases: Cases) -> list[Bar]:
    """Pace and memory of every case; accuracy and waiting where there are images enough to tell."""
    found = []
    for (kind, model), wanted in GAINS.items():
        case = cases.get(_key(kind, model))
        name = f"{model}, photographs of {kind}"
        found.append(judged(f"{name}: at least {wanted:g} times the images a second", case, partial(_faster, wanted)))
        found.append(judged(f"{name}: peak memory no higher", case, _leaner))
        if _enough(kind, model):
            found.append(judged(f"{name}: final accuracy within {POINTS:g} point", case, _as_good))
            found.append(
                judged(f"{name}: from the second epoch on at most {WAITING:.0%} waiting for images", case, _ready)
            )
    return found


def _enough(kind: str, model: str) -> bool:
    return FEWER.get((kind, model), KINDS[kind]).val >= ENOUGH


def _faster(wanted: float, case: Mapping[str, Any]) -> tuple[str, bool]:
    found = gain(case)
    bounds = f" ({found.low:.2f} to {found.high:.2f})" if found.known else ""
    return f"{found.value:.2f}{bounds}", found.value >= wanted


def _leaner(case: Mapping[str, Any]) -> tuple[str, bool]:
    ours, theirs = (_peak(case, way) for way in WAYS)
    return f"{ours:,.0f} MB against {theirs:,.0f}", ours <= theirs


def _as_good(case: Mapping[str, Any]) -> tuple[str, bool]:
    ours, theirs = (_accuracy(case, way) for way in WAYS)
    return f"{ours:.1f} % against {theirs:.1f}, over {len(case['runs']['zoo'])} seeds", ours >= theirs - POINTS


def _ready(case: Mapping[str, Any]) -> tuple[str, bool]:
    return f"{_waiting(case):.1%}", _waiting(case) <= WAITING


def sections(cases: Cases) -> Iterator[str]:
    """The same in a table."""
    columns = (
        text_column("photographs", itemgetter("kind")),
        text_column("model", itemgetter("model")),
        *(
            TableColumn(f"{way}, images/s", partial(lambda name, case: _paces(case, name), way), -1, better="high")
            for way in WAYS
        ),
        TableColumn("times", gain, -2),
        *(TableColumn(f"{way}, peak MB", partial(lambda name, case: _peak(case, name), way), 0) for way in WAYS),
        *(TableColumn(f"{way}, top-1 %", partial(lambda name, case: _right(case, name), way), -1) for way in WAYS),
        TableColumn("waiting from epoch 2 on, %", lambda case: 100 * _waiting(case), -1),
    )
    found = [cases[key] for pair in GAINS if (key := _key(*pair)) in cases]
    falling = f"SGD at a rate that falls to 0 ({TRAINED} from trained weights)"
    sgd = falling if all(case.get("falling") for case in found) else "SGD at one rate"
    yield section(
        "From disk to gradient",
        f"{EPOCHS} epochs, the first with nothing decoded before, at {SIZE} pixels in batches of {BATCH}, {sgd}, "
        f"random crops and flips; in the mean over {SEEDS} seeds, {TELLING} where top-1 is compared, whose "
        "trainings take turns, each by itself. "
        "The reference is ImageFolder, RandomResizedCrop, RandomHorizontalFlip and a DataLoader with the best of "
        f"{', '.join(map(str, WORKERS))} processes. Photographs are natural images, enlarged. Top-1 only where at "
        f"least {ENOUGH:,} images are tested. Memory is that of all processes together, shared pages counted once.",
        table(columns, found),
    )


def _paces(case: Mapping[str, Any], way: str) -> float:
    return statistics.fmean(map(_pace, case["runs"][way]))


def _right(case: Mapping[str, Any], way: str) -> float | None:
    return _accuracy(case, way) if _tested(case) >= ENOUGH else None


def _key(kind: str, model: str) -> str:
    return f"reading {kind} {model}"


FED = {_key(kind, model): partial(measure, kind, model) for kind, model in GAINS}
