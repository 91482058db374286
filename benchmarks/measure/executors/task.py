"""What waits for a node: which cases go together, and what they need there."""

from __future__ import annotations

import dataclasses
import itertools
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from benchmarks.measure.engine import comparable
from benchmarks.measure.executors.executor import Job
from benchmarks.plan.cost import TRAINING_BYTES, kind_of, processors_of, seconds_of
from benchmarks.records.record import Case

__all__ = ["Task", "Waiting", "again", "data_of", "tasks_of"]

BATCH_SECONDS, MOST_COUNTS = 10.0, 25  # of counting cases in a task: so that what a task costs is nothing beside them
SHARE = 4  # tasks of counting cases for every processor at least, so that the last do not keep all others waiting


@dataclass(slots=True, kw_only=True, eq=False)
class Task:
    """Cases that one node measures one after another or in rounds, or a training that several nodes share.

    Args:
        machine: the kind of machine it is for; empty for any.
        cpus: processors it needs of each node; 0 for a whole node on which nothing else goes on.
        gpus, memory: the same of GPUs and of bytes.
        processes: of a training, an equal number of which may go to each of several nodes.
        parts: on how many nodes it is.
        tries: how often it was begun.
        lost: the nodes on which it died.
    """

    cases: list[Case]
    kind: str
    machine: str
    cpus: int
    gpus: int = 0
    memory: float = 0.0
    processes: int = 1
    parts: int = 1
    tries: int = 0
    lost: set[str] = field(default_factory=set)

    def divide(self, parts: int) -> None:
        """Shares what it needs among so many nodes, of which its processes are a multiple."""
        self.cpus = self.cpus * self.parts // parts
        self.gpus = self.gpus * self.parts // parts
        self.memory = self.memory * self.parts / parts
        self.parts = parts


class Waiting:
    """Tasks that wait, in order: those that need a whole node, and the others."""

    def __init__(self, tasks: Iterable[Task]) -> None:
        self.whole: list[Task] = []
        self.others: deque[Task] = deque()
        for task in tasks:
            (self.others if task.cpus else self.whole).append(task)

    def put_first(self, tasks: Sequence[Task]) -> None:
        """What is to be done again comes before all else."""
        for task in reversed(tasks):
            (self.others if task.cpus else self.whole).insert(0, task)

    def remove(self, task: Task) -> None:
        """It has begun, or is given up."""
        (self.others if task.cpus else self.whole).remove(task)

    def __iter__(self) -> Iterator[Task]:
        return itertools.chain(self.whole, self.others)

    def __len__(self) -> int:
        return len(self.whole) + len(self.others)


def data_of(case: Case) -> tuple[str, ...]:
    """What a case reads besides the code."""
    return (case.dataset, case.data_dir, case.data, case.weights_path, case.weights, case.runtime)


def tasks_of(jobs: Iterable[Job], processors: int) -> list[Task]:
    """What jobs come to, in the order they are worth beginning.

    Args:
        processors: of all nodes.
    """
    found: dict[tuple[str, str], list[Case]] = {}
    for job in jobs:
        found.setdefault((kind_of(job.case), job.machine), []).append(job.case)
    tasks: list[Task] = []
    for (kind, machine), cases in found.items():
        if kind == "timed":
            tasks += [
                Task(cases=group, kind=kind, machine=machine, cpus=0, gpus=_gpus(group)) for group in comparable(cases)
            ]
        elif kind == "alone":
            tasks += [Task(cases=[case], kind=kind, machine=machine, cpus=0, gpus=_gpus([case])) for case in cases]
        elif kind == "count":
            tasks += [Task(cases=batch, kind=kind, machine=machine, cpus=1) for batch in _batches(cases, processors)]
        else:
            tasks += [_training(case, machine) for case in cases]
    return tasks


def again(task: Task, cases: Sequence[Case], node: str) -> list[Task]:
    """What is to be done again of a task that died on a node: what had no record, each case by itself where it can."""
    groups = [list(cases)] if task.kind == "timed" else [[case] for case in cases]
    return [
        dataclasses.replace(task, cases=group, tries=task.tries + 1, lost={*task.lost, node})
        for group in groups
        if group
    ]


def _training(case: Case, machine: str) -> Task:
    processes = max(case.train_processes, 1)
    return Task(
        cases=[case], kind="training", machine=machine, cpus=processors_of(case), gpus=_gpus([case]),
        memory=TRAINING_BYTES * processes, processes=processes,
    )  # fmt: skip


def _gpus(cases: Sequence[Case]) -> int:
    return max((max(case.train_processes, 1) for case in cases if case.device == "cuda"), default=0)


def _batches(cases: Sequence[Case], processors: int) -> Iterator[list[Case]]:
    """Counting cases in tasks of about equal length."""
    most = max(min(MOST_COUNTS, len(cases) // (SHARE * max(processors, 1))), 1)
    batch: list[Case] = []
    for case in cases:
        batch.append(case)
        if len(batch) >= most or sum(map(seconds_of, batch)) > BATCH_SECONDS:
            yield batch
            batch = []
    yield from itertools.repeat(batch, int(bool(batch)))
