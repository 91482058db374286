"""What is counted and measured of a study's arms: what printed figures are held against."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any

from benchmarks.stats.intervals import Interval
from benchmarks.studies.evidence import Evidence
from benchmarks.studies.finding import Count, Finding, combined

__all__ = [
    "accuracy", "exactly", "in_words", "mult_adds", "outputs", "params", "share", "time_ratio", "time_share",
    "trained_cost", "weights",
]  # fmt: skip


def params(model: str, *rows: str) -> Count:
    """Learnable parameters of a model, or of some of its rows."""
    return Finding(lambda evidence: evidence.params(model, *rows), (model,))


def weights(model: str, *rows: str) -> Count:
    """Filter weights of a model, or of some of its rows, without biases and norms."""
    return Finding(lambda evidence: evidence.weights(model, *rows), (model,))


def mult_adds(model: str, *rows: str) -> Count:
    """Multiply-adds of one image, or of some rows."""
    return Finding(lambda evidence: evidence.mult_adds(model, *rows), (model,))


def outputs(model: str, *rows: str) -> Count:
    """Numbers that some rows return for one image."""
    table = Finding(lambda evidence: evidence.rows(model), (model,))
    return combined(lambda found: sum(math.prod(found[row]["output"]) for row in rows), table)


def share(model: str, kind: str, quantity: str) -> Count:
    """Part of a model's "weights", "biases" or "mult_adds" that is in one kind of layers ("conv 1x1")."""

    def part(kinds: Mapping[str, Mapping[str, int]]) -> float:
        return kinds.get(kind, {}).get(quantity, 0) / sum(sums[quantity] for sums in kinds.values())

    return combined(part, Finding(lambda evidence: evidence.kinds(model), (model,)))


def accuracy(title: str) -> Count:
    """Top-1 of an arm, the mean over its seeds."""
    return _value(Finding(lambda evidence: evidence.accuracy(evidence.by_title[title]), titles=(title,)))


def trained_cost(title: str) -> Count:
    """Multiply-adds of one image as large as those an arm was trained and tested on."""
    return Finding(lambda evidence: evidence.trained_cost(evidence.by_title[title]), titles=(title,))


def time_ratio(left: str, right: str) -> Count:
    """How many times as long as arm `right` arm `left` takes."""

    def of(evidence: Evidence) -> Interval | None:
        return evidence.time_ratio(evidence.by_title[left], evidence.by_title[right])

    return _value(Finding(of, titles=(left, right)))


def time_share(model: str, *rows: str) -> Count:
    """The part of its time that some rows of a model take."""
    return _value(Finding(lambda evidence: evidence.time_share(model, rows), (model,)))


def _value(found: Finding[Any]) -> Count:
    """The figure itself of one with an interval."""
    return combined(attrgetter("value"), found)


def exactly(value: float) -> Count:
    """What arithmetic says without any record."""
    return Finding(lambda evidence: value)


def in_words(text: str, counts: Sequence[Finding[Any]]) -> Finding[str]:
    """A sentence, the counts in its braces as `str.format` writes them."""
    return combined(text.format, *counts)
