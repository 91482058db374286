"""What the training loop costs beside forward, backward and optimizer."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from functools import partial
from operator import itemgetter
from typing import Any

from benchmarks.report.bars import Bar, Cases, judged
from benchmarks.report.page import section
from benchmarks.report.table import TableColumn, table, text_column
from benchmarks.selfcheck.speed.turns import play, ratio
from benchmarks.selfcheck.training.ready import ready_run
from benchmarks.stats.intervals import Interval
from zoo.lazy import nn, torch
from zoo.turns import elapsed

__all__ = ["TASKS", "bars", "measure", "sections"]

MODELS = ("mobilenet_v1:resolution=128,width=0.25", "resnet18")
SIZE, BATCH, STEPS = 128, 32, 4
MOST = 0.03  # of a step
ROUNDS, SECONDS = (12, 40), 90.0


def measure(model: str) -> dict[str, Any]:
    """Seconds of a step of the whole loop and of its bare arithmetic, round by round, as JSON values."""
    from zoo.training.devices import keep_freed_memory

    keep_freed_memory(lean=True)
    run = ready_run(model, size=SIZE, batch=BATCH, steps=STEPS)
    bare = ready_run(model, size=SIZE, batch=BATCH, steps=STEPS)
    batch = bare.batches.here(torch.arange(BATCH))

    def step() -> None:
        bare.optimizer.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(bare.model(batch.images), batch.labels).backward()
        bare.optimizer.step()

    def steps() -> float:
        bare.model.train()
        return elapsed(step, STEPS) / STEPS

    players = {"loop": lambda: run.epoch().seconds / STEPS, "bare": steps}
    for player in players.values():
        player()
    return {"model": model, **play(players, rounds=ROUNDS, seconds=SECONDS)}


def share(case: Mapping[str, Any]) -> Interval:
    """The part of a step that is neither forward nor backward nor optimizer."""
    bare = ratio(case["seconds"]["bare"], case["seconds"]["loop"])
    return Interval(1 - bare.value, 1 - bare.high, 1 - bare.low)


def bars(cases: Cases) -> list[Bar]:
    """One a network."""
    return [
        judged(f"{model}: the loop itself costs at most {MOST:.0%} of a step", cases.get(f"loop {model}"), _within)
        for model in MODELS
    ]


def _within(case: Mapping[str, Any]) -> tuple[str, bool]:
    found = share(case)
    bounds = f" ({found.low:.1%} to {found.high:.1%})" if found.known else ""
    return f"{found.value:.1%}{bounds}", found.value <= MOST


def sections(cases: Cases) -> Iterator[str]:
    """The same in a table."""

    def milliseconds(player: str) -> partial[float]:
        return partial(lambda name, case: 1e3 * statistics.median(case["seconds"][name]), player)

    columns = (
        text_column("model", itemgetter("model")),
        TableColumn("whole loop, ms a step", milliseconds("loop"), -1),
        TableColumn("forward, backward, optimizer, ms a step", milliseconds("bare"), -1),
        TableColumn("the loop's own, %", lambda case: share(case).scaled(100), -1),
    )
    yield section(
        "The loop itself",
        f"{BATCH} images of {SIZE}x{SIZE} a step, in memory and ready, SGD. The loop also counts right answers, adds "
        "up losses, sets the rate, watches for signals and for a loss that is not finite. Both take turns of "
        f"{STEPS} steps on two copies of one network; the share is of steps of the same round.",
        table(columns, [cases[key] for model in MODELS if (key := f"loop {model}") in cases]),
    )


TASKS = {f"loop {model}": partial(measure, model) for model in MODELS}
