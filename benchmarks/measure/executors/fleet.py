"""The nodes of a cluster: what each has and does, and which tasks may begin where."""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from benchmarks.measure.executors.node import Facts
from benchmarks.measure.executors.task import Task, Waiting, data_of

__all__ = ["Node", "choose", "impossible"]

LOOKED_THROUGH = 1_000  # tasks that wait, for one that a free node can take


@dataclass(slots=True, kw_only=True, eq=False)
class Node:
    """A node that has been looked at.

    Args:
        id: the cluster's name for it.
        host: its own name.
        address: where other nodes reach it.
        cpus, gpus, memory: what it has; bytes of memory.
        head: whether the cluster's own processes, or the driver, run on it.
        facts: what it said of itself.
        tasks: what it does now.
    """

    id: str
    host: str
    address: str = "localhost"
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
        """Whether it could take a task, or its part of one, if it did nothing else."""
        return (
            task.machine in ("", self.machine)
            and task.cpus <= self.cpus
            and task.gpus <= self.gpus
            and (task.parts == 1 or self.facts.shares_folder)
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


def choose(nodes: Sequence[Node], waiting: Waiting) -> Iterator[tuple[Task, list[Node]]]:
    """Which tasks can begin, and where; each is to be begun, and taken from those that wait, before the next is asked.

    Tasks that need a whole node have first call on one: it takes nothing else meanwhile, unless it is the only one.
    Where the cluster's own processes run is timed only for want of another node of the kind. A training of several
    processes goes to several nodes where none can hold it whole.
    """
    kept: set[str] = set()
    for task in [] if len(nodes) == 1 and waiting.others else list(waiting.whole):
        able = [node for node in nodes if node.can_hold(task) and node.id not in kept and not node.is_taken]
        able.sort(key=lambda node: (node.id in task.lost, node.head, len(node.tasks)))
        if able:
            kept.add(able[0].id)
            if able[0].has_room(task):
                yield task, able[:1]
    free = deque(node for node in nodes if node.free_cpus > 0 and node.id not in kept and not node.is_taken)
    for task in list(itertools.islice(waiting.others, LOOKED_THROUGH)):
        if not free:
            return
        if task.processes > 1:
            _spread(nodes, task)
        order = sorted(free, key=lambda node: node.id in task.lost) if task.lost else free
        having_room = (node for node in order if node.has_room(task) and node.can_hold(task))
        able = list(itertools.islice(having_room, task.parts))
        if len(able) == task.parts:
            yield task, able
            for node in able:
                free.remove(node)
                if node.free_cpus > 0:
                    free.append(node)


def impossible(nodes: Sequence[Node], task: Task) -> str:
    """Why no node can take a task, whatever becomes free; empty where one can, or several together."""
    if _spread(nodes, task):
        return ""
    of_kind = [node for node in nodes if task.machine in ("", node.machine)]
    if not of_kind:
        return "no node of this kind is left in the cluster" if task.machine else "no node is left in the cluster"
    if reason := next(filter(None, (node.why_not(task) for node in of_kind)), ""):
        return f"no node has what it reads: {reason}"
    most = f"{max(node.cpus for node in of_kind)} processors and {max(node.gpus for node in of_kind)} GPUs"
    shared = ", or an equal share on each of several that see the run's folder" if task.processes > 1 else ""
    return f"needs {max(task.cpus, 1)} processors and {task.gpus} GPUs on one node{shared}; the largest have {most}"


def _spread(nodes: Sequence[Node], task: Task) -> bool:
    """Divides a training among as few nodes as can hold it together; whether there are so many."""
    for parts in range(1, task.processes + 1):
        if task.processes % parts == 0:
            if parts != task.parts:
                task.divide(parts)
            able = (node for node in nodes if node.can_hold(task))
            if sum(1 for _ in itertools.islice(able, parts)) == parts:
                return True
    if task.parts > 1:
        task.divide(1)
    return False
