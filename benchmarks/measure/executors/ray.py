"""The nodes of a Ray cluster. Ray carries tasks and messages; what goes where and what is tried again is decided here.

Ray runs a task again whose result died with its node, and one that was killed for memory for ever; so it is told to try
each once, and this process, which alone writes the records, keeps count.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.measure.basis import code_of
from benchmarks.measure.executors import node as remote
from benchmarks.measure.executors.cluster import Cluster
from benchmarks.measure.executors.executor import Executor, ExecutorError, Job, Say, Tell, is_own
from benchmarks.measure.executors.fleet import (
    MOST_TRIES,
    Node,
    Task,
    Waiting,
    again,
    choose,
    data_of,
    impossible,
    tasks_of,
)
from benchmarks.measure.executors.members import Members, on
from benchmarks.records.record import Case, Environment, Record

__all__ = ["Ray"]

EVERY = 2.0  # seconds between two looks at which nodes there are
RESTS = 6.0  # seconds for which a node takes nothing after something died on it
GRACE = 12.0  # seconds for which a case that no node can take waits for one that can
take, take_all = remote.take, remote.take_all


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
        self._running: dict[Any, tuple[Task, Node]] = {}
        self._waiting = Waiting(())

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

        members = self._known
        self._codes = {job.case: code_of(job.case) for job in jobs}
        self._waiting = Waiting(tasks_of(jobs, sum(node.cpus for node in self._nodes)))
        looked, hopeless = time.monotonic(), dict[Task, float]()
        try:
            while self._waiting or self._running:
                for task, node in choose(self._nodes, self._waiting):
                    self._begin(task, node, timeout, folder)  # before the next is chosen
                if not self._running:
                    time.sleep(EVERY / 10)
                ready = ray.wait(list(self._running), timeout=EVERY / 4)[0] if self._running else []
                for stream in ready:
                    yield from self._hear(stream, tell, Path(folder))
                if time.monotonic() - looked > EVERY:
                    members.refresh()
                    yield from self._hopeless(hopeless)
                    looked = time.monotonic()
        finally:
            for stream in self._running:
                ray.cancel(stream, force=True)

    @property
    def said(self) -> str:
        """See `Executor.said`."""
        cases = sum(len(task.cases) for task, _ in self._running.values())
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

    def _begin(self, task: Task, node: Node, timeout: float, folder: str) -> None:
        # Ray's client carries no streams: what its tasks find comes at their end
        how, options = (take_all, {}) if self._by_client else (take, {"num_returns": "streaming"})
        stream = on(node.id, how, task.cpus or node.cpus, task.gpus, **options).remote(
            task.cases, node.facts.environment, timeout, folder, node.facts.shares_folder
        )
        self._waiting.remove(task)
        self._running[stream] = task, node
        node.tasks.append(task)

    def _hear(self, stream: Any, tell: Tell, folder: Path) -> Iterator[Record]:
        """The next message of a task; records it brings, or what becomes of cases it has lost."""
        import ray

        task, node = self._running[stream]
        try:
            said = ray.get(stream) if self._by_client else [ray.get(next(stream))]
        except StopIteration:
            self._end(stream)
            return
        except ray.exceptions.RayError as error:  # the node, the process or the task itself is gone
            self._end(stream)
            yield from self._lost(task, node, error)
            return
        for kind, content in said:
            yield from self._take_in(kind, content, stream, tell, folder)
        if self._by_client:
            self._end(stream)

    def _take_in(self, kind: str, content: Any, stream: Any, tell: Tell, folder: Path) -> Iterator[Record]:
        """What a message says: how far a case is, a piece of a trained network, a record."""
        import ray

        task, node = self._running[stream]
        if kind == "tell":
            tell(*content)
        elif kind == "file":
            name, begins, piece = content
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            with (folder / name).open("ab" if begins else "wb") as file:
                file.write(piece)
        elif (record := Record.from_json(content)).code != self._codes[record.case]:
            self._known.leave_out(node, f"its code for {record.case.metric} is not this machine's")
            ray.cancel(stream, force=True)
        else:
            case = next(case for case in task.cases if case == record.case)
            task.cases.remove(case)
            yield record

    def _lost(self, task: Task, node: Node, error: Exception) -> Iterator[Record]:
        """What a task that died had not answered goes elsewhere, or is given up with a record that says why."""
        import ray

        node.rests_until = time.monotonic() + RESTS
        if isinstance(error, (ray.exceptions.TaskUnschedulableError, ray.exceptions.NodeDiedError)):
            self._known.lose(node)
        if isinstance(error, ray.exceptions.TaskUnschedulableError):  # it never began
            task.tries -= 1
        reason = f"{node.host}: {str(error).strip().splitlines()[0][:200]}"
        if task.tries + 1 < MOST_TRIES:
            self._waiting.put_first(again(task, task.cases, node.id))
            return
        status = "oom" if isinstance(error, ray.exceptions.OutOfMemoryError) else "crashed"
        yield from self._given_up(task, status, f"{reason} (tried {MOST_TRIES} times)", node.machine)

    def _given_up(self, task: Task, status: str, reason: str, machine: str) -> Iterator[Record]:
        for case in task.cases:
            yield Record(case=case, status=status, reason=reason, code=self._codes[case], machine=machine,
                         environment=self._here.id)  # fmt: skip

    def _hopeless(self, since: dict[Task, float]) -> Iterator[Record]:
        """A record for every case that no node could take for a while."""
        reasons: dict[tuple[object, ...], str] = {}
        for task in list(self._waiting):
            need = (task.machine, task.cpus, task.gpus, *map(data_of, task.cases[:1]))
            if need not in reasons:
                reasons[need] = impossible(self._nodes, task)
            reason = reasons[need]
            if not reason:
                since.pop(task, None)
            elif time.monotonic() - since.setdefault(task, time.monotonic()) > GRACE:
                self._waiting.remove(task)
                yield from self._given_up(task, "failed", reason, task.machine or self._here.machine_id)

    def _end(self, stream: Any) -> None:
        task, node = self._running.pop(stream)
        node.tasks.remove(task)
