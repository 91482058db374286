"""Counts of a network as functions of the evidence, for figures in print to be held against.

Each answers None while the model's table has not been counted.
"""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.studies.evidence import Evidence

__all__ = ["Count", "exactly", "mult_adds", "params", "weights"]

Count = Callable[[Evidence], float | None]


def params(model: str, *rows: str) -> Count:
    """Learnable parameters of a model, or of some of its rows."""
    return lambda evidence: evidence.params(model, *rows)


def weights(model: str, *rows: str) -> Count:
    """Filter weights of a model, or of some of its rows, without biases and norms."""
    return lambda evidence: evidence.weights(model, *rows)


def mult_adds(model: str, *rows: str) -> Count:
    """Multiply-adds of one image, or of some rows."""
    return lambda evidence: evidence.mult_adds(model, *rows)


def exactly(value: float) -> Count:
    """What arithmetic says without any record."""
    return lambda evidence: value
