"""What a study is: a question, its source and the models that answer it, as data."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Study"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A comparison a paper made, to be made again. A new one is its file and its line in `benchmarks.studies`.

    Args:
        name: name for `--studies` and of its page.
        question: what it asks, in one sentence.
        source: publication, tables and figures.
        models: labels of the variants compared.
        metrics: what is measured of each.
        seeds: seeds of each training; differences are paired by seed.
    """

    name: str
    question: str
    source: str
    models: tuple[str, ...]
    metrics: tuple[str, ...]
    seeds: tuple[int, ...] = (0,)
