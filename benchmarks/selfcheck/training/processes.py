"""Images a second of two processes that train together, and of one alone; one thread each, taking turns.

And what the networks answer that they train, in the same steps.
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
import tempfile
from collections.abc import Iterator, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks.measure.worker import die_with_parent
from benchmarks.report.bars import Bar, Cases, judged
from benchmarks.report.page import section
from benchmarks.report.table import TableColumn, table, text_column
from benchmarks.selfcheck.speed.turns import play, ratio
from benchmarks.selfcheck.training.ready import ready_run
from benchmarks.stats.intervals import Interval
from zoo.lazy import torch

__all__ = ["TASKS", "bars", "measure", "sections"]

MODEL, SIZE, BATCH, STEPS = "mobilenet_v1:resolution=128", 128, 32, 4
COUNTS = (1, 2)
GAIN = 1.7  # of two processes over one, at least
ROUNDS, SECONDS = (10, 20), 240.0
CASE, LEARNT = "processes", "processes learning"
LEARNER, STEP, SEEDS = "mobilenet_v1", 20, (0, 1, 2)  # trained by the recipe `sample`, whose steps have as many images
CLOSE = 1.0  # points between the mean accuracies, at most


def measure() -> dict[str, Any]:
    """Seconds of an image of each team, round by round, as JSON values."""
    teams = {str(count): _Team(count) for count in COUNTS}
    try:
        played = play({name: team.turn for name, team in teams.items()}, rounds=ROUNDS, seconds=SECONDS)
    finally:
        for team in teams.values():
            team.stop()
    return {"model": MODEL, "batch": BATCH, "size": SIZE, **played}


def answers() -> dict[str, Any]:
    """Accuracy in percent of networks that were trained in the same steps, by processes and seed, as JSON values."""
    from benchmarks.metrics import accuracy
    from benchmarks.metrics.subject import Subject
    from benchmarks.records.record import Case, Record

    found: dict[str, list[float]] = {str(count): [] for count in COUNTS}
    for seed in SEEDS:
        for count in COUNTS:
            recipe = f"sample:batch_size={STEP // count}"
            asked = Case(metric="accuracy", model=LEARNER, recipe=recipe, seed=seed, train_threads=1,
                         train_processes=count)  # fmt: skip
            case = accuracy.complete(asked)
            record = Record(case=case, status="ok", measurements=accuracy.measure(Subject(case)))
            found[str(count)].append(100 * (record.value("top1") or 0.0))
    return {"model": LEARNER, "step": STEP, "seeds": list(SEEDS), "top1": found}


class _Team:
    """Processes that train one network together."""

    def __init__(self, count: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._folder = tempfile.TemporaryDirectory()
        self._pipes, self._processes = list[Connection](), []
        for rank in range(count):
            ours, theirs = context.Pipe()
            meeting = Path(self._folder.name) / "meeting"
            process = context.Process(target=_worker, args=(rank, count, meeting, theirs), daemon=True)
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)
        for pipe in self._pipes:
            pipe.recv()  # ready; the next team starts on a quiet machine

    def turn(self) -> float:
        """Seconds that an image takes when all of them do the same steps."""
        for pipe in self._pipes:
            pipe.send("go")
        slowest = max(pipe.recv() for pipe in self._pipes)
        return float(slowest / (len(self._pipes) * BATCH * STEPS))

    def stop(self) -> None:
        for pipe in self._pipes:
            pipe.send("stop")
        for process in self._processes:
            process.join()
        self._folder.cleanup()


def _worker(rank: int, count: int, meeting: Path, pipe: Connection) -> None:
    """Trains for a few steps whenever it is told to, and answers with their seconds."""
    from zoo.training.devices import keep_freed_memory

    die_with_parent()
    torch.set_num_threads(1)
    keep_freed_memory(lean=True)
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    if count > 1:
        torch.distributed.init_process_group(
            "gloo", init_method=meeting.as_uri(), rank=rank, world_size=count
        )  # fmt: skip
    run = ready_run(MODEL, size=SIZE, batch=BATCH, steps=STEPS, processes=count)
    run.epoch()
    pipe.send("ready")
    while pipe.recv() != "stop":
        pipe.send(run.epoch().seconds)
    if count > 1:
        torch.distributed.destroy_process_group()


def gain(case: Mapping[str, Any]) -> Interval:
    """Images a second of two processes over those of one."""
    one, two = map(str, COUNTS)
    return ratio(case["seconds"][one], case["seconds"][two])


def bars(cases: Cases) -> list[Bar]:
    """What the second process brings, and that it changes nothing else."""
    text = f"Two processes against one, one thread each, {MODEL}: at least {GAIN:g} times the images a second"
    learnt = (f"{LEARNER} trained by two processes and by one in the same steps: within {CLOSE:g} point, "
              f"mean of {len(SEEDS)} seeds")  # fmt: skip
    return [
        judged(text, cases.get(CASE), lambda case: (_written(gain(case)), gain(case).value >= GAIN)),
        judged(learnt, cases.get(LEARNT), lambda case: (f"{_apart(case):+.2f} points", abs(_apart(case)) <= CLOSE)),
    ]


def _apart(case: Mapping[str, Any]) -> float:
    """Points by which two processes' networks answer better than one's."""
    one, two = (statistics.mean(case["top1"][str(count)]) for count in COUNTS)
    return float(two - one)


def _written(found: Interval) -> str:
    return f"{found.value:.2f}" + (f" ({found.low:.2f} to {found.high:.2f})" if found.known else "")


def sections(cases: Cases) -> Iterator[str]:
    """The same in a table."""
    case = cases.get(CASE)
    rows = [] if case is None else [(count, case["seconds"][str(count)]) for count in COUNTS]
    columns = (
        text_column("processes", lambda row: str(row[0])),
        TableColumn("images/s", lambda row: 1 / statistics.median(row[1]), -1),
        TableColumn("rounds", lambda row: len(row[1]), 0),
    )
    yield section(
        "Several processes",
        f"{MODEL}, {BATCH} images of {SIZE}x{SIZE} a step and process, in memory and ready; forward, backward, the "
        "mean of the gradients over the processes, SGD. One thread a process. The teams take turns of "
        f"{STEPS} steps; a team is as fast as its slowest process.",
        table(columns, rows),
    )
    learnt = cases.get(LEARNT)
    if learnt is not None:
        answered = (
            text_column("processes", lambda count: str(count)),
            TableColumn("images a process and step", lambda count: learnt["step"] // count, 0),
            TableColumn("top-1, %", lambda count: statistics.mean(learnt["top1"][str(count)]), -1),
            text_column("by seed", lambda count: " ".join(f"{value:.1f}" for value in learnt["top1"][str(count)])),
        )
        yield section(
            "The same, whoever trains",
            f"{learnt['model']} by the recipe `sample` on Fashion-MNIST, the same {learnt['step']} images a step; "
            "each process normalizes its own part of them by itself.",
            table(answered, COUNTS),
        )


TASKS = {CASE: measure, LEARNT: answers}
