"""Training on a GPU: images a second and accuracy, against torchvision's reference way."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.selfcheck.training.contenders import EPOCHS, WAYS, contest
from benchmarks.selfcheck.training.photographs import KINDS, Kind, make
from zoo.turns import take_turns

__all__ = ["FED", "INPUTS", "MODELS", "SEEDS", "TRAIN", "VAL", "key", "measure"]

MODELS = {"mobilenet_v1:resolution=128,width=0.25": True, "resnet18": False}  # whether from trained weights
TRAIN, VAL, SEEDS = 3000, 1500, 3
SIZES = KINDS["300 to 500 pixels"].sizes
INPUTS = {
    "data-dir": "a folder of natural images with the parts train and val, which are enlarged and trained on",
    "weights": "a file of trained weights of mobilenet_v1:resolution=128,width=0.25",
}


def key(model: str) -> str:
    """Of its case."""
    return f"learning {'trained' if MODELS[model] else 'scratch'}"


def measure(model: str, inputs: Mapping[str, str], device: str = "cuda") -> dict[str, Any]:
    """One training of each way and seed, taking turns, as JSON values; the reference with the best number of readers.

    Args:
        inputs: `data-dir` and `weights`.
    """
    weights = inputs["weights"] if MODELS[model] else ""
    processors = os.cpu_count() or 2
    with tempfile.TemporaryDirectory() as folder:
        photographs = make(Kind(SIZES, TRAIN, VAL), Path(inputs["data-dir"]), Path(folder))
        one = partial(contest, model=model, folder=photographs, weights=weights, device=device)
        tried = {
            workers: min(one("torchvision", seed=0, epochs=2, workers=workers)["epoch_s"])
            for workers in sorted({max(1, processors // 2), max(1, processors - 1)})
        }
        best = min(tried, key=tried.__getitem__)
        runs: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}

        def turn(way: str) -> None:
            runs[way].append(one(way, seed=len(runs[way]), epochs=EPOCHS, workers=best))

        for _ in take_turns(WAYS, turn, rounds=(SEEDS, SEEDS)):
            pass
    return {"model": model, "trained": MODELS[model], "workers": best, "runs": runs}


FED = {key(model): partial(measure, model) for model in MODELS}
