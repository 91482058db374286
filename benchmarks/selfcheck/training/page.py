"""The benchmark of training: its sections, their bars and training.md. Imports no torch.

A section is a module with `TASKS` or `FED`, by "section [more words]", and the functions `bars` and `sections` of
their cases.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.report.bars import Bar, Cases, CheckPage
from benchmarks.selfcheck.tasks import Benchmark
from benchmarks.selfcheck.training import finetuning, loop, processes, reading

__all__ = ["BENCHMARK", "bars"]

SECTIONS = (finetuning, reading, processes, loop)


def bars(cases: Cases) -> list[Bar]:
    """Everything that was asked of training, with its figure."""
    return [bar for each in SECTIONS for bar in each.bars(cases)]


def _sections(cases: Cases, picture: str) -> Iterator[str]:
    for each in SECTIONS:
        yield from each.sections(cases)


BENCHMARK = Benchmark(
    name="training",
    description="How fast networks are trained, and what of that is not arithmetic.",
    tasks={key: task for each in (processes, loop) for key, task in each.TASKS.items()},
    inputs=finetuning.INPUTS,
    fed={key: task for each in (finetuning, reading) for key, task in each.FED.items()},
    page=CheckPage(
        title="Training",
        remark="The bars compare what took turns in the same rounds, by the median of the ratios within a round.",
        method="In each round everything that is compared takes one turn, in shuffled order. A ratio is the median "
        "over rounds of the ratio within a round, its interval is over rounds.",
        bars=bars,
        sections=_sections,
    ),
)
