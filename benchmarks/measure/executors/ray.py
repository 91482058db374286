"""The nodes of a Ray cluster. Ray carries tasks and messages; what goes where, and what again, is decided here."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.measure.executors.cluster import Cluster
from benchmarks.measure.executors.course import Course, Lost
from benchmarks.measure.executors.executor import Executor, ExecutorError, Job, Say, Tell, is_own
from benchmarks.measure.executors.fleet import Node, choose
from benchmarks.measure.executors.ledger import Ledger
from benchmarks.measure.executors.members import Members
from benchmarks.measure.executors.task import Task
from benchmarks.records.record import Case, Environment, Record

__all__ = ["Ray"]

EVERY = 2.0  # seconds between two looks at which nodes there are


class Ray(Executor):
    """Measures on every node that has this project's code, its libraries' versions and the data.

    Args:
        address: see `Cluster`; ship_code: likewise.
    """

    all_at_once = True

    def __init__(self, *, address: str = "", ship_code: bool = False) -> None:
        self._address, self._ship_code = address, ship_code
        self._by_client = address.startswith("ray://")
        self._cluster: Cluster | None = None
        self._members: Members | None = None
        self._running: dict[Any, Course] = {}  # by stream

    def machines(self, cases: Sequence[Case], here: Environment, folder: Path, say: Say) -> list[Environment]:
        """See `Executor.machines`; here the cluster is joined or started, and every node is looked at."""
        self._here = here
        self._cluster = Cluster(self._address, ship_code=self._ship_code, say=say)
        self._members = Members(cases, here, folder, say)
        self._members.gather()
        if not self._nodes:
            raise ExecutorError("no node of the cluster can measure; what each lacks is said above")
        kinds = {node.machine: node.facts.environment for node in self._nodes}
        for machine in kinds if self._address and any(is_own(case) for case in cases) else ():
            of_kind = [node for node in self._nodes if node.machine == machine]
            if all(node.head for node in of_kind):
                say(f"{of_kind[0].host} is timed although the cluster's own processes run on it: it has no like")
        return sorted(kinds.values(), key=lambda each: each.machine_id != here.machine_id)

    def execute(self, jobs: Sequence[Job], *, timeout: float, tell: Tell, folder: str) -> Generator[Record, None, None]:
        """See `Executor.execute`."""
        import ray

        ledger = Ledger(jobs, sum(node.cpus for node in self._nodes), self._here)
        looked = time.monotonic()
        try:
            while ledger.waiting or self._running:
                for task, nodes in choose(self._nodes, ledger.waiting):
                    ledger.waiting.remove(task)
                    try:
                        course = Course(task, nodes, timeout=timeout, folder=folder, by_client=self._by_client)
                    except Lost as lost:
                        yield from self._lost(ledger, task, lost)
                    else:
                        self._running |= dict.fromkeys(course.streams, course)
                if not self._running:
                    time.sleep(EVERY / 10)
                ready = ray.wait(list(self._running), timeout=EVERY / 4)[0] if self._running else []
                for stream in ready:
                    if stream in self._running:  # else it has gone with another of its task
                        yield from self._hear(ledger, stream, tell)
                if time.monotonic() - looked > EVERY:
                    self._known.refresh()
                    yield from ledger.hopeless(self._nodes)
                    for course in {each for each in self._running.values() if each.is_overdue}:
                        course.end()
                        yield course.joined()
                        self._forget(course)
                    looked = time.monotonic()
        finally:
            for course in {*self._running.values()}:
                course.end()

    @property
    def said(self) -> str:
        """See `Executor.said`."""
        cases = sum(len(course.task.cases) for course in {*self._running.values()})
        return f"{len(self._nodes)} node{'s' * (len(self._nodes) != 1)}, {cases} cases there" if self._cluster else ""

    def lanes(self, kind: str) -> int:
        """See `Executor.lanes`."""
        nodes = self._nodes
        return len({node.machine for node in nodes}) if kind in ("alone", "timed") else sum(node.cpus for node in nodes)

    @property
    def _nodes(self) -> list[Node]:
        return [*self._members.nodes.values()] if self._members is not None else []

    def close(self) -> None:
        """See `Executor.close`."""
        if self._members is not None:
            self._members.close()
        if self._cluster is not None:
            self._cluster.close()
        self._cluster = self._members = None

    @property
    def _known(self) -> Members:
        if self._members is None:
            raise ExecutorError("the cluster is asked for work before it is joined")
        return self._members

    def _hear(self, ledger: Ledger, stream: Any, tell: Tell) -> Iterator[Record]:
        """What a task tells next; records it brings, or what becomes of cases it has lost."""
        course = self._running[stream]
        task, node = course.task, course.streams[stream]
        try:
            for kind, content in course.hear(stream):
                if kind == "tell":
                    tell(*content)
                elif content.code != ledger.codes[content.case]:
                    self._known.leave_out(node, f"its code for {content.case.metric} is not this machine's")
                    course.cancel()
                else:
                    task.cases.remove(content.case)
                    yield content
        except Lost as lost:
            yield from self._lost(ledger, task, lost)
        self._forget(course)

    def _lost(self, ledger: Ledger, task: Task, lost: Lost) -> Iterator[Record]:
        if lost.is_gone:
            self._known.lose(lost.node)
        return ledger.lost(task, lost.node, str(lost), status=lost.status, began=lost.began)

    def _forget(self, course: Course) -> None:
        """Its streams that have ended."""
        for stream in course.all_streams:
            if stream not in course.streams:
                self._running.pop(stream, None)
