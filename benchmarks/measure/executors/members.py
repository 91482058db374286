"""Which nodes of a Ray cluster may measure: those with this project's code, its libraries' versions and the data."""

from __future__ import annotations

import functools
import platform
import socket
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.measure.executors import loaded
from benchmarks.measure.executors import node as remote
from benchmarks.measure.executors.executor import Say
from benchmarks.measure.executors.fleet import Node
from benchmarks.measure.executors.task import data_of
from benchmarks.records.record import Case, Environment

__all__ = ["Members", "free_port", "on"]

LOOKED_AT_WITHIN = 180.0  # seconds that the first nodes may take to say what they are; PyTorch is imported meanwhile
HEAD = "node:__internal_head__"  # a resource of the node that the cluster's own processes run on
look = remote.look


def on(node: str, function: Callable[..., Any], cpus: int, gpus: int, **options: Any) -> Any:
    """What calls a function on a node, once: whatever happens to it there, Ray does not try again."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    place = NodeAffinitySchedulingStrategy(node_id=node, soft=False)
    return _task(function).options(num_cpus=cpus, num_gpus=gpus, max_retries=0, scheduling_strategy=place, **options)


def free_port() -> int:
    """A port of this node at which others can meet."""
    with socket.socket() as found:
        found.bind(("", 0))
        return int(found.getsockname()[1])


@functools.cache
def _task(function: Callable[..., Any]) -> Any:
    import ray

    return ray.remote(function)


class Members:
    """The nodes there are now; each is looked at before it is given anything.

    Args:
        cases: that will be measured.
        here: this machine.
        folder: of the run, which nodes may or may not see.
        say: told of every node that is left out, why, and of every one that is lost.
    """

    def __init__(self, cases: Sequence[Case], here: Environment, folder: Path, say: Say) -> None:
        self.nodes: dict[str, Node] = {}
        self._say, self._command, self._folder = say, here.command, folder
        self._shown = list({data_of(case): case for case in cases}.values())
        libraries = loaded.libraries_of(cases)
        self._wanted = {
            "code": loaded.loaded_code(),
            "python": here.software["python"],
            **loaded.versions_of(libraries),
        }
        self._libraries = libraries
        self._asked: dict[Any, tuple[str, dict[str, Any]]] = {}
        self._seen: set[str] = set()
        self._sign = tempfile.NamedTemporaryFile(prefix=".seen-", dir=folder)  # noqa: SIM115  # for as long as this is

    def gather(self) -> None:
        """Waits until every node of the beginning has said what it is."""
        deadline = time.monotonic() + LOOKED_AT_WITHIN
        self.refresh()
        while self._asked and time.monotonic() < deadline:
            self.refresh(wait=1.0)

    def refresh(self, wait: float = 0.0) -> None:
        """Forgets the nodes that are gone, asks those that are new, hears those that were asked."""
        import ray

        nodes: Any = ray.nodes
        alive = {str(node["NodeID"]): node for node in nodes() if node["Alive"]}
        for gone in self.nodes.keys() - alive.keys():
            self.lose(self.nodes[gone])
        for id in alive.keys() - self._seen:
            self._seen.add(id)
            if alive[id]["Resources"].get("CPU", 0) >= 1:
                self._ask(id, alive[id])
        ready = ray.wait(list(self._asked), num_returns=1, timeout=wait)[0] if self._asked else []
        for answer in ready:
            id, node = self._asked.pop(answer)
            try:
                self._admit(id, node, ray.get(answer))
            except ray.exceptions.RayError as error:
                self._say(f"{node['NodeManagerHostname']} is left out: {str(error).strip().splitlines()[-1][:200]}")

    def close(self) -> None:
        """Removes what the nodes were to see."""
        self._sign.close()

    def lose(self, node: Node) -> None:
        """A node is gone, whether the cluster has noticed or not."""
        if self.nodes.pop(node.id, None) is not None:
            self._say(f"{node.host} is gone; what went on there is begun elsewhere")

    def leave_out(self, node: Node, reason: str) -> None:
        """Gives a node nothing more."""
        if self.nodes.pop(node.id, None) is not None:
            self._say(f"{node.host} is left out: {reason}")

    def _ask(self, id: str, node: dict[str, Any]) -> None:
        sign = self._sign.name
        answer = on(id, look, 1, 0).remote(self._command, self._libraries, self._shown, sign)
        self._asked[answer] = id, node

    def _admit(self, id: str, node: dict[str, Any], facts: remote.Facts) -> None:
        """Takes a node that would find the same answers."""
        has = {"code": facts.code, "python": facts.environment.software["python"], **facts.versions}
        unlike = [
            f"{name} {has[name]} instead of {wanted}" for name, wanted in self._wanted.items() if has[name] != wanted
        ]
        found = node["Resources"]
        host = node["NodeManagerHostname"]
        if unlike:
            self._say(f"{host} is left out: {', '.join(unlike)}")
            return
        for reason in dict.fromkeys(facts.lacks.values()):
            self._say(f"{host} takes no case that reads what it lacks: {reason}")
        self.nodes[id] = Node(
            id=id,
            host=host,
            address=node["NodeManagerAddress"],
            cpus=int(found["CPU"]),
            gpus=int(found.get("GPU", 0)),
            memory=float(found.get("memory", 0.0)),
            head=HEAD in found or node["NodeManagerHostname"] == platform.node(),
            facts=facts,
        )
