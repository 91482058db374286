"""What the commands that train and evaluate have in common."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.data.dataset import Data

__all__ = ["percent", "split_of", "training_of", "typed_data"]

SPLIT = ("val_fraction", "seed", "group")  # what a file's own record says of how its folder came apart


def typed_data(given: argparse.Namespace, **split: Any) -> Data:
    """The data that a command line names, split as it says or as `split` does."""
    import zoo

    options = {"val_fraction": given.val_fraction, "seed": given.split_seed, "group": given.group} | split
    return zoo.open_data(given.data, data_dir=given.data_dir, **options)


def training_of(weights: str | None) -> dict[str, Any]:
    """What a file says of its training; empty for anything that says nothing of it."""
    from zoo.weights.loading import header_of
    from zoo.weights.sources import open_file

    if weights is None or weights.partition(":")[0] == "imagenet":
        return {}
    header = header_of(open_file(weights))
    return header.training if header is not None else {}


def split_of(trained_on: Mapping[str, Any]) -> dict[str, Any]:
    """How the folder came apart that a file was trained on, as `zoo.open_data` takes it."""
    split = trained_on.get("split", {})
    return {name: split[name] for name in SPLIT if name in split}


def percent(figures: Mapping[str, Any]) -> str:
    """The figures of an evaluation in a few words."""
    low, high = figures["top1_ci95"]
    return f"{figures['top1']:.2f} % of {figures['images']:,} images right (95 %: {low:.1f} to {high:.1f})"
