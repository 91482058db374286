"""Records of networks that were tried on somebody's photographs."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.records.predictions import pack
from benchmarks.records.record import Measurement, Record
from tests.benchmarks.report.made import latency, record, wilson

CLASSES = ("cat", "dog", "red fox")
COUNTS = (20, 20, 20)


def tried(
    model: str,
    right: Sequence[int],
    *,
    counts: Sequence[int] = COUNTS,
    classes: Sequence[str] = CLASSES,
    part: str = "test",
    first: int = 0,
    details: dict[str, Any] | None = None,
    notes: tuple[str, ...] = (),
    **case: object,
) -> Record:
    """A network that answers so many images of each class rightly, beginning with number `first`, and takes the others
    for the next class.
    """
    labels = np.repeat(np.arange(len(counts)), counts)
    answers = (labels + 1) % len(counts)
    for label, hits in enumerate(right):
        places = np.flatnonzero(labels == label)
        answers[np.roll(places, -first)[:hits]] = label
    correct = answers == labels
    recalls = [hits / count for hits, count in zip(right, counts, strict=True) if count]
    low, high = wilson(correct.mean(), len(labels))
    kept = {
        "labels": pack(labels), "answers": pack(answers[:, None]), "fingerprint": "photos", "part": part,
        "data_name": "photos", "class_names": {str(place): name for place, name in enumerate(classes)},
        "left_out": ["found 62 files = 60 used + 2 left out: 2 of no known format"],
        "mistakes": [{"image": f"{part}/cat/<7>.png", "class": "cat", "answer": "dog", "probability": 0.97}],
        "curve": [{"epoch": epoch, "top1": float(correct.mean()) * epoch / 2} for epoch in (1, 2)],
        "recipe": {"keep": "best"},
        "weights_file": f"trained/{model}-{case.get('seed', 0)}/best.safetensors",
    }  # fmt: skip
    usual = {
        "dataset": "folder", "data": "0a", "data_dir": "photos", "recipe": "finetune", "epochs": 2, "train_images": 200,
        "train_img_size": 224, "weights": "imagenet", "weights_path": "imagenet",
    }  # fmt: skip
    value = sum(recalls) / len(recalls)
    found = record(
        "accuracy", model,
        Measurement(name="top1", value=float(correct.mean()), unit="fraction", low=low, high=high,
                    details=kept | (details or {})),
        Measurement(name="balanced", value=value, unit="fraction", low=max(value - 0.05, 0), high=min(value + 0.05, 1)),
        Measurement(name="test_images", value=len(labels), unit="count"),
        Measurement(name="train_seconds", value=60.0 + len(model), unit="s"),
        Measurement(name="network_bytes", value=1e6 * len(model), unit="B"),
        **(usual | case),  # type: ignore[arg-type]
    )  # fmt: skip
    return dataclasses.replace(found, notes=notes)


def timed(*models: str) -> list[Record]:
    return [latency(model, 0.01 * (1 + place)) for place, model in enumerate(models)]
