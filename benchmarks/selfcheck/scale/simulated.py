"""Clusters that are simulated: cases take as long as the committed records say, and one driver serves them."""

from __future__ import annotations

import heapq
import itertools
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.measure.executors.executor import Job
from benchmarks.measure.executors.fleet import Node, choose
from benchmarks.measure.executors.node import Facts
from benchmarks.measure.executors.task import Waiting, tasks_of
from benchmarks.records.environment import observe
from benchmarks.records.record import Record
from benchmarks.records.store import RECORDS, open_store, read_records

__all__ = ["CASES", "MESSAGE_S", "NODES", "REFERENCE", "cluster", "driver"]

REFERENCE = Path(__file__).parents[3] / "reports" / "reference"  # the committed records
NODES, CASES = (10, 100, 1_000, 10_000), (1_000, 10_000, 100_000, 1_000_000)
MESSAGE_S = 2.3e-3  # of the driver, by a task that does nothing, measured with Ray 2.60 on two processors
PLACED = 200  # tasks whose placing is timed
SAMPLES = 300  # records whose writing is timed
SEED = 0


def driver(nodes: int) -> dict[str, Any]:
    """Seconds of the driver for one case: to find it a node, and to write its record down.

    Args:
        nodes: of the cluster, of one processor each.
    """
    environment = observe("scale")
    facts = Facts(environment=environment, code="", versions={}, shares_folder=True, lacks={})
    fleet = [
        Node(id=str(number), host="", cpus=1, gpus=0, memory=1e12, head=False, facts=facts) for number in range(nodes)
    ]
    records = _measured()
    trained = itertools.cycle(Job(case=record.case) for record in records if record.case.metric == "accuracy")
    jobs = list(itertools.islice(trained, nodes + 2 * PLACED))
    waiting = Waiting(tasks_of(jobs, nodes))
    for node, task in zip(fleet, list(waiting.others), strict=False):
        waiting.remove(task)
        node.tasks.append(task)
    started = time.perf_counter()
    for number in range(PLACED):
        free = fleet[number * 7919 % nodes]  # whichever has ended, while all others go on
        free.tasks.clear()
        task, (node,) = next(choose(fleet, waiting))
        waiting.remove(task)
        node.tasks.append(task)
    place_s = (time.perf_counter() - started) / PLACED
    with tempfile.TemporaryDirectory() as folder, open_store(Path(folder)) as store:
        taken = []
        for record in records[:SAMPLES]:
            started = time.perf_counter()
            store.append(Record.from_json(record.to_json()))
            taken.append(time.perf_counter() - started)
    return {"place_s": place_s, "write_s": statistics.median(taken), "record_bytes": _bytes(records)}


def cluster(nodes: int, cases: int, costs: dict[str, float]) -> dict[str, Any]:
    """When the last of so many cases ends on so many nodes, and what the driver does meanwhile.

    Cases go to whichever node is free, as the harness gives them out; every one that ends waits for the driver, which
    serves one after another.

    Args:
        costs: `driver`'s figures for as many nodes.
    """
    rng = random.Random(SEED)
    pool = [record.seconds for record in _measured()]
    each_s = costs["place_s"] + costs["write_s"] + MESSAGE_S
    started = time.perf_counter()
    work = rng.choices(pool, k=cases)
    longest = max(work)
    work.sort(reverse=True)  # the worst order would leave the longest for the last
    free = [(0.0, node) for node in range(min(nodes, cases))]
    busy_until = done = 0.0
    for seconds in work:
        ready, node = heapq.heappop(free)
        busy_until = max(busy_until, ready) + each_s
        done = max(done, busy_until + seconds)
        heapq.heappush(free, (busy_until + seconds, node))
    ideal = max(sum(work) / nodes, longest)
    return {
        "makespan_s": done,
        "ideal_s": ideal,
        "driver_busy": cases * each_s / done,
        "most_nodes": sum(work) / cases / each_s,
        "simulated_s": time.perf_counter() - started,
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "store_bytes": cases * costs["record_bytes"],
    }


def _measured() -> list[Record]:
    return [record for record in read_records(REFERENCE / RECORDS).records if record.status == "ok" and record.seconds]


def _bytes(records: Sequence[Record]) -> float:
    return statistics.mean(len(record.to_json()) + 1 for record in records)
