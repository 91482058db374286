"""What others printed for a network, and which of several figures counts.

The paper's own comes before the reference implementation's, and that before a checkpoint's; but beside weights stands
what was printed for these weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from benchmarks.stats.digits import agreement, decimals_of
from zoo.spec import ModelSpec, Reference, Weights

__all__ = ["agrees", "first_printed", "printed_for"]


def first_printed(entry: ModelSpec, figure: str, weights: str = "") -> tuple[float, Reference] | None:
    """The figure ("params", "mult_adds", "top1") that counts for exactly this variant, and who printed it."""
    found = ((getattr(reference, figure), reference) for reference in printed_for(entry, weights))
    return next(((value, reference) for value, reference in found if value is not None), None)


def printed_for(entry: ModelSpec, weights: str = "") -> Sequence[Reference]:
    """Everything that is printed for exactly this variant, what counts more before what counts less.

    Args:
        weights: those that the network has, as `benchmarks.records.record.Case` names them; empty for none.
    """
    printed = [reference for reference in entry.references if reference.options == entry.options]
    printed.sort(key=lambda reference: not _is_of_the_paper(entry, reference))
    fitting = [checkpoint for checkpoint in entry.weights if checkpoint.options == entry.options]
    named = [each.published for each in fitting if each.published and weights and _is_named(each, weights)]
    others = [each.published for each in fitting if each.published and each.published not in named]
    return [*named, *printed, *others]


def _is_of_the_paper(entry: ModelSpec, reference: Reference) -> bool:
    """Whether a figure is printed in the paper that published the network."""
    return entry.paper.url.rpartition("/")[2] in reference.source


def _is_named(checkpoint: Weights, weights: str) -> bool:
    """Whether `weights` ("imagenet", "imagenet:TAG" or a file) names this checkpoint."""
    source, _, tag = weights.partition(":")
    return tag in ("", checkpoint.tag) if source == "imagenet" else PurePath(weights).name == checkpoint.file_name


def agrees(counted: float, printed: float) -> str:
    """How a count agrees with the figure printed for it: see `benchmarks.stats.digits.agreement`.

    Figures are printed in millions, and from a billion multiply-adds on in billions where that takes fewer digits; what
    is printed to the last thousand or further is a count itself.
    """
    units = (1e6, 1e9) if printed >= 1e9 else (1e6,)
    unit = min(units, key=lambda unit: decimals_of(printed / unit) + len(f"{printed / unit:.0f}"))
    decimals = decimals_of(printed / unit)
    exact = round(printed) % 1000 != 0  # a figure in another unit comes back with what the change of units rounds
    return agreement(counted, printed, 0) if exact else agreement(counted / unit, printed / unit, decimals)
