"""What a run on a cluster still waits for, and what becomes of what dies under way; nothing here knows Ray.

A cluster's own retries are off: it would run a task again whose result died with its node, and for ever one that was
killed for memory. This process, which alone writes the records, keeps count by case.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Sequence

from benchmarks.measure.basis import code_of
from benchmarks.measure.executors.executor import Job
from benchmarks.measure.executors.fleet import Node, impossible
from benchmarks.measure.executors.task import Task, Waiting, again, data_of, tasks_of
from benchmarks.metrics.together import GONE
from benchmarks.records.record import Environment, Record

__all__ = ["Ledger", "joined"]

MOST_TRIES = 3  # of a case whose node or process dies under it, after which that is its record
RESTS = 6.0  # seconds for which a node takes nothing after something died on it
GRACE = 12.0  # seconds for which a case that no node can take waits for one that can


class Ledger:
    """The tasks that wait, and how often each was tried.

    Args:
        jobs: all there is to do.
        processors: of all nodes.
        here: this machine.
    """

    def __init__(self, jobs: Sequence[Job], processors: int, here: Environment) -> None:
        self.codes = {job.case: code_of(job.case) for job in jobs}
        self.waiting = Waiting(tasks_of(jobs, processors))
        self._here = here
        self._hopeless: dict[Task, float] = {}

    def lost(self, task: Task, node: Node, reason: str, *, status: str, began: bool) -> Iterator[Record]:
        """What a task that died had not answered goes elsewhere, or is given up with a record that says why.

        Args:
            node: on which it died.
            status: of the record, if it comes to that.
            began: whether it had; else this is no try.
        """
        node.rests_until = time.monotonic() + RESTS
        task.tries -= not began
        if task.tries + 1 < MOST_TRIES:
            self.waiting.put_first(again(task, task.cases, node.id))
        else:
            yield from self._given_up(task, status, f"{reason} (tried {MOST_TRIES} times)", node.machine)

    def hopeless(self, nodes: Sequence[Node]) -> Iterator[Record]:
        """A record for every case that no node could take for a while."""
        reasons: dict[tuple[object, ...], str] = {}
        for task in list(self.waiting):
            need = (task.machine, task.cpus, task.gpus, task.processes, *map(data_of, task.cases[:1]))
            if need not in reasons:
                reasons[need] = impossible(nodes, task)
            reason = reasons[need]
            if not reason:
                self._hopeless.pop(task, None)
            elif time.monotonic() - self._hopeless.setdefault(task, time.monotonic()) > GRACE:
                self.waiting.remove(task)
                yield from self._given_up(task, "failed", reason, task.machine or self._here.machine_id)

    def _given_up(self, task: Task, status: str, reason: str, machine: str) -> Iterator[Record]:
        for case in task.cases:
            yield Record(case=case, status=status, reason=reason, code=self.codes[case], machine=machine,
                         environment=self._here.id)  # fmt: skip


def joined(records: Sequence[Record]) -> Record:
    """The record of a training that several nodes shared: the first one's, or of the node that failed for a reason.

    Args:
        records: of every node, the first one's first.
    """
    failed = [record for record in records if record.status != "ok"]
    for_a_reason = [record for record in failed if GONE not in record.reason]
    chosen = [*for_a_reason, *failed, *records][0]
    return dataclasses.replace(chosen, where={**chosen.where, "nodes": [each.where.get("node") for each in records]})
