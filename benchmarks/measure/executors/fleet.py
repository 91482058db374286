"""The nodes of a cluster and what waits for them: which cases go together, what they need, where they may go."""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from benchmarks.measure.engine import comparable
from benchmarks.measure.executors.executor import Job
from benchmarks.measure.executors.node import Facts
from benchmarks.plan.cost import TRAINING_BYTES, kind_of, processors_of, seconds_of
from benchmarks.records.record import Case

__all__ = ["MOST_TRIES", "Node", "Task", "Waiting", "again", "choose", "data_of", "impossible", "tasks_of"]

MOST_TRIES = 3  # of a case whose node or process dies under it, after which that is its record
BATCH_SECONDS, MOST_COUNTS = 10.0, 25  # of counting cases in a task: so that what a task costs is nothing beside them
LOOKED_THROUGH = 1_000  # tasks that wait, for one that a free node can take
SHARE = 4  # tasks of counting cases for every processor at least, so that the last do not keep all others waiting


@dataclass(slots=True, kw_only=True, eq=False)
class Node:
    """A node that has been looked at.

    Args:
        id: the cluster's name for it.
        host: its own name.
        cpus, gpus, memory: what it has; bytes of memory.
        head: whether the cluster's own processes, or the driver, run on it.
        facts: what it said of itself.
        tasks: what it does now.
    """

    id: str
    host: str
    cpus: int
    gpus: int
    memory: float
    head: bool
    facts: Facts
    tasks: list[Task] = field(default_factory=list)
    rests_until: float = 0.0  # by the monotonic clock: whatever died on it, it may be dying itself

    @property
    def is_taken(self) -> bool:
        """Whether it takes nothing now: all of it is in use, or it rests."""
        return any(not task.cpus for task in self.tasks) or time.monotonic() < self.rests_until

    @property
    def machine(self) -> str:
        """The kind of machine it is."""
        return self.facts.environment.machine_id

    @property
    def free_cpus(self) -> int:
        """Processors that nothing of this run has."""
        return self.cpus - sum(task.cpus or self.cpus for task in self.tasks)

    def can_hold(self, task: Task) -> bool:
        """Whether it could take a task if it did nothing else."""
        return (
            task.machine in ("", self.machine)
            and task.cpus <= self.cpus
            and task.gpus <= self.gpus
            and not self.why_not(task)
        )

    def has_room(self, task: Task) -> bool:
        """Whether it can take a task now."""
        if not task.cpus:
            return not self.tasks and not self.is_taken
        memory = self.memory - sum(each.memory for each in self.tasks)
        gpus = self.gpus - sum(each.gpus for each in self.tasks)
        fits = self.free_cpus >= task.cpus and gpus >= task.gpus and memory >= min(task.memory, self.memory)
        return fits and all(each.cpus for each in self.tasks) and not self.is_taken

    def why_not(self, task: Task) -> str:
        """What it lacks for a task's data; empty for nothing."""
        if not self.facts.lacks:
            return ""
        lacking = {data_of(case): reason for case, reason in self.facts.lacks.items()}
        return next((lacking[key] for case in task.cases if (key := data_of(case)) in lacking), "")


@dataclass(slots=True, kw_only=True, eq=False)
class Task:
    """Cases that one node measures one after another, or in rounds.

    Args:
        machine: the kind of machine it is for; empty for any.
        cpus: processors it needs; 0 for a whole node on which nothing else goes on.
        tries: how often it was begun.
        lost: the nodes on which it died.
    """

    cases: list[Case]
    kind: str
    machine: str
    cpus: int
    gpus: int = 0
    memory: float = 0.0
    tries: int = 0
    lost: set[str] = field(default_factory=set)


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
            tasks += [
                Task(cases=[case], kind=kind, machine=machine, cpus=processors_of(case), gpus=_gpus([case]),
                     memory=TRAINING_BYTES * max(case.train_processes, 1))
                for case in cases
            ]  # fmt: skip
    return tasks


def again(task: Task, cases: Sequence[Case], node: str) -> list[Task]:
    """What is to be done again of a task that died on a node: what had no record, each case by itself where it can."""
    groups = [list(cases)] if task.kind == "timed" else [[case] for case in cases]
    return [
        dataclasses.replace(task, cases=group, tries=task.tries + 1, lost={*task.lost, node})
        for group in groups
        if group
    ]


def choose(nodes: Sequence[Node], waiting: Waiting) -> Iterator[tuple[Task, Node]]:
    """Which tasks can begin, and where; each is to be begun, and taken from those that wait, before the next is asked.

    Tasks that need a whole node have first call on one: it takes nothing else meanwhile, unless it is the only one.
    Where the cluster's own processes run is timed only for want of another node of the kind.
    """
    kept: set[str] = set()
    for task in [] if len(nodes) == 1 and waiting.others else list(waiting.whole):
        able = [node for node in nodes if node.can_hold(task) and node.id not in kept and not node.is_taken]
        able.sort(key=lambda node: (node.id in task.lost, node.head, len(node.tasks)))
        if able:
            kept.add(able[0].id)
            if able[0].has_room(task):
                yield task, able[0]
    free = deque(node for node in nodes if node.free_cpus > 0 and node.id not in kept and not node.is_taken)
    for task in list(itertools.islice(waiting.others, LOOKED_THROUGH)):
        if not free:
            return
        order = sorted(free, key=lambda node: node.id in task.lost) if task.lost else free
        chosen = next((node for node in order if node.has_room(task) and node.can_hold(task)), None)
        if chosen is not None:
            yield task, chosen
            free.remove(chosen)
            if chosen.free_cpus > 0:
                free.append(chosen)


def impossible(nodes: Sequence[Node], task: Task) -> str:
    """Why no node can take a task, whatever becomes free; empty where one can."""
    if any(node.can_hold(task) for node in nodes):
        return ""
    of_kind = [node for node in nodes if task.machine in ("", node.machine)]
    if not of_kind:
        return "no node of this kind is left in the cluster" if task.machine else "no node is left in the cluster"
    if reason := next(filter(None, (node.why_not(task) for node in of_kind)), ""):
        return f"no node has what it reads: {reason}"
    most = f"{max(node.cpus for node in of_kind)} processors and {max(node.gpus for node in of_kind)} GPUs"
    return f"needs {max(task.cpus, 1)} processors and {task.gpus} GPUs on one node; the largest have {most}"


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
