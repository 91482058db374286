"""A task that goes on: what its nodes tell, by Ray, until all of them have ended."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.measure.executors import node as remote
from benchmarks.measure.executors.fleet import Node
from benchmarks.measure.executors.ledger import joined
from benchmarks.measure.executors.members import free_port, on
from benchmarks.measure.executors.task import Task
from benchmarks.records.record import Record

__all__ = ["Course", "Lost"]

OTHERS_END_WITHIN = 60.0  # seconds after one of the nodes that share a training has failed; Ray needs some for a node
take, take_all = remote.take, remote.take_all


class Lost(RuntimeError):
    """A node, a process or the task itself has gone before it had answered.

    Args:
        node: that it was on.
        error: Ray's.
    """

    def __init__(self, node: Node, error: Exception) -> None:
        import ray

        super().__init__(f"{node.host}: {str(error).strip().splitlines()[0][:200]}")
        unschedulable = isinstance(error, ray.exceptions.TaskUnschedulableError)
        self.node = node
        self.began = not unschedulable
        self.is_gone = unschedulable or isinstance(error, ray.exceptions.NodeDiedError)
        self.status = "oom" if isinstance(error, ray.exceptions.OutOfMemoryError) else "crashed"


class Course:
    """A task on its nodes, from its beginning.

    Args:
        nodes: one, or those that share a training.
        timeout, folder: see `Executor.execute`.
        by_client: whether Ray's client is between, which carries no streams: what is found comes at the end.

    Raises:
        Lost: the first node is gone.
    """

    def __init__(self, task: Task, nodes: Sequence[Node], *, timeout: float, folder: str, by_client: bool) -> None:
        import ray

        self.task, self.folder, self._by_client = task, Path(folder), by_client
        self.streams: dict[Any, Node] = {}  # by which there is more to come
        self._nodes, self._found = list(nodes), dict[Node, Record]()
        self._ends_by = float("inf")
        meeting = ""
        if len(nodes) > 1:
            try:
                meeting = f"{nodes[0].address}:{ray.get(on(nodes[0].id, free_port, 0, 0).remote())}"
            except ray.exceptions.RayError as error:
                raise Lost(nodes[0], error) from None
        how, options = (take_all, {}) if by_client else (take, {"num_returns": "streaming"})
        for rank, node in enumerate(nodes):
            part = f"{rank} {len(nodes)} {meeting}" if meeting else ""
            stream = on(node.id, how, task.cpus or node.cpus, task.gpus, **options).remote(
                task.cases, node.facts.environment, timeout, folder, node.facts.shares_folder, part
            )
            self.streams[stream] = node
            node.tasks.append(task)
        self.all_streams = (*self.streams,)

    def hear(self, stream: Any) -> Iterator[tuple[str, Any]]:
        """What one of its nodes tells next: how far a case is ("tell") or a record ("record").

        Files of trained networks are written to the run's folder. What nodes that share a training find is told when
        all of them have ended.

        Raises:
            Lost: one of them has gone; none goes on.
        """
        import ray

        node = self.streams[stream]
        try:
            messages = ray.get(stream) if self._by_client else [ray.get(next(stream))]
        except StopIteration:
            messages = []
            self._leave(stream)
        except ray.exceptions.RayError as error:
            self.end()
            raise Lost(node, error) from None
        if self._by_client:
            self._leave(stream)
        for kind, content in messages:
            if kind == "file":
                self._write(*content)
            elif kind == "record":
                yield from self._record(node, Record.from_json(content))
            else:
                yield kind, content
        if len(self._nodes) > 1 and not self.streams and self._found:
            yield "record", self.joined()

    @property
    def is_overdue(self) -> bool:
        """Whether a node that shares its training has failed, and the others have waited for it long enough."""
        return time.monotonic() > self._ends_by

    def joined(self) -> Record:
        """What the nodes that share a training have found."""
        return joined([self._found[node] for node in self._nodes if node in self._found])

    def cancel(self) -> None:
        """Has it ended on all its nodes; that it has is heard."""
        import ray

        for stream in self.streams:
            ray.cancel(stream, force=True)

    def end(self) -> None:
        """Ends it on all its nodes; nothing more is heard."""
        self.cancel()
        for stream in list(self.streams):
            self._leave(stream)

    def _record(self, node: Node, record: Record) -> Iterator[tuple[str, Any]]:
        if len(self._nodes) == 1:
            yield "record", record
            return
        self._found[node] = record
        if record.status != "ok":
            self._ends_by = time.monotonic() + OTHERS_END_WITHIN

    def _leave(self, stream: Any) -> None:
        self.streams.pop(stream).tasks.remove(self.task)

    def _write(self, name: str, begins: int, piece: bytes) -> None:
        """A piece of a trained network whose node does not see the run's folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab" if begins else "wb") as file:
            file.write(piece)
