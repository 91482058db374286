"""What the commands that train and evaluate have in common."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.data.dataset import Data

__all__ = ["percent", "typed_data"]


def typed_data(given: argparse.Namespace, **split: Any) -> Data:
    """The data that a command line names, split as it says or as `split` does."""
    import zoo

    options = {"val_fraction": given.val_fraction, "seed": given.split_seed, "group": given.group} | split
    return zoo.open_data(given.data, data_dir=given.data_dir, **options)


def percent(figures: Mapping[str, Any]) -> str:
    """The figures of an evaluation in a few words."""
    low, high = figures["top1_ci95"]
    return f"{figures['top1']:.2f} % of {figures['images']:,} images right (95 %: {low:.1f} to {high:.1f})"
