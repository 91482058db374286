"""The bars and the page of what becomes of the harness at sizes that no machine here has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from benchmarks.report.bars import Bar, Cases, CheckPage, judged
from benchmarks.report.page import section
from benchmarks.report.table import table, text_column
from benchmarks.selfcheck.scale import counted, records, simulated
from benchmarks.selfcheck.tasks import Benchmark, Task

__all__ = ["BENCHMARK", "bars"]

MOST = max(records.COUNTS)
REPORT_S, REPORT_BYTES, RESUME_S = 60.0, 2e9, 10.0
OVERHEAD_S = 0.03  # of the driver, a case; and of everything that is not the case itself
LONGER = 1.3  # times what counting cases take by themselves, on all processors
NEAR = 1.1  # times the ideal: a cluster whose driver keeps nobody waiting


def bars(cases: Cases) -> list[Bar]:
    """What was asked for, with its figure."""
    largest = cases.get(f"store {MOST}")
    costs = {nodes: cases[f"driver {nodes}"] for nodes in simulated.NODES if f"driver {nodes}" in cases}
    hundred, carried = costs.get(100), cases.get("counted ray")
    return [
        judged(f"{MOST:,} records: every aggregate and the rows of the first {records.FIRST:,} in {REPORT_S:.0f} s",
               largest, lambda each: (f"{each['report_s']:.1f} s", each["report_s"] <= REPORT_S)),
        judged(f"{MOST:,} records: all of it in {REPORT_BYTES / 1e9:.0f} GB of memory",
               largest, lambda each: (f"{each['peak_bytes'] / 1e9:.2f} GB", each["peak_bytes"] <= REPORT_BYTES)),
        judged(f"{MOST:,} records: what is open of {MOST:,} cases known in {RESUME_S:.0f} s",
               largest, lambda each: (f"{each['resume_s']:.1f} s", each["resume_s"] <= RESUME_S)),
        judged(f"100 nodes: the driver spends at most {1e3 * OVERHEAD_S:.0f} ms on a case", hundred,
               lambda each: (f"{1e3 * _each(each):.1f} ms", _each(each) <= OVERHEAD_S)),
        judged(f"{counted.CASES:,} counting cases on Ray: at most {LONGER:g} times their own time on all processors",
               carried, lambda each: (f"{_longer(each):.2f} times", _longer(each) <= LONGER)),
        judged(f"{counted.CASES:,} counting cases on Ray: at most {1e3 * OVERHEAD_S:.0f} ms beside each", carried,
               lambda each: (f"{1e3 * _beside(each):.1f} ms", _beside(each) <= OVERHEAD_S)),
    ]  # fmt: skip


def _each(costs: Mapping[str, Any]) -> float:
    """Seconds of the driver for one case."""
    return float(costs["place_s"] + costs["write_s"] + simulated.MESSAGE_S)


def _longer(case: Mapping[str, Any]) -> float:
    """Times as long as the cases by themselves, shared evenly by the processors."""
    return float(case["wall_s"] * case["processors"] / case["own_s"])


def _beside(case: Mapping[str, Any]) -> float:
    """Seconds that pass for each case beside its own."""
    return float(case["wall_s"] - case["own_s"] / case["processors"]) / counted.CASES


def _sections(cases: Cases, _picture: str) -> Iterator[str]:
    runs = {key: case for key, case in cases.items() if key.startswith("cluster ")}
    yield section("Where it breaks", "", _breaks(cases, runs))
    if runs:
        rows = [
            (nodes, count, runs[f"cluster {nodes} {count}"])
            for nodes in simulated.NODES
            for count in simulated.CASES
            if f"cluster {nodes} {count}" in runs
        ]
        columns = (
            text_column("nodes", lambda row: f"{row[0]:,}"),
            text_column("cases", lambda row: f"{row[1]:,}"),
            text_column("all done after", lambda row: _time(row[2]["makespan_s"])),
            text_column("at best", lambda row: _time(row[2]["ideal_s"])),
            text_column("times as long", lambda row: f"{row[2]['makespan_s'] / row[2]['ideal_s']:.2f}"),
            text_column("driver busy", lambda row: f"{row[2]['driver_busy']:.0%}"),
            text_column("records, GB", lambda row: f"{row[2]['store_bytes'] / 1e9:.3g}"),
        )
        note = ("Simulated: cases take as long as the committed records of this project, a node has one processor, and "
                "the driver gives out and writes down one case after another.")  # fmt: skip
        yield section("Clusters", note, table(columns, rows))
    driven = [(nodes, cases[f"driver {nodes}"]) for nodes in simulated.NODES if f"driver {nodes}" in cases]
    if driven:
        driving = (
            text_column("nodes", lambda row: f"{row[0]:,}"),
            text_column("finding a node, ms", lambda row: f"{1e3 * row[1]['place_s']:.2f}"),
            text_column("writing the record, ms", lambda row: f"{1e3 * row[1]['write_s']:.2f}"),
            text_column("messages, ms", lambda row: f"{1e3 * simulated.MESSAGE_S:.2f}"),
            text_column("nodes it keeps busy", lambda row: f"{_most(cases, row[0]):,.0f}"),
        )
        yield section("The driver, for one case", "", table(driving, driven))
    carried = [(name, cases[f"counted {name}"]) for name in counted.EXECUTORS if f"counted {name}" in cases]
    if carried:
        carrying = (
            text_column("executor", lambda row: row[0]),
            text_column("ready after, s", lambda row: f"{row[1]['ready_s']:.1f}"),
            text_column("all counted after, s", lambda row: f"{row[1]['wall_s']:.1f}"),
            text_column("the cases by themselves, s", lambda row: f"{row[1]['own_s'] / row[1]['processors']:.1f}"),
            text_column("times as long", lambda row: f"{_longer(row[1]):.2f}"),
            text_column("beside each case, ms", lambda row: f"{1e3 * _beside(row[1]):.1f}"),
        )
        note = ("Parameters and multiply-adds of widths of MobileNetV1, on this machine; Ray starts a cluster of its "
                "own for it, which is what it waits for before the first.")  # fmt: skip
        yield section(f"{counted.CASES:,} counting cases", note, table(carrying, carried))
    kept = [(count, cases[f"store {count}"]) for count in records.COUNTS if f"store {count}" in cases]
    if kept:
        keeping = (
            text_column("records", lambda row: f"{row[0]:,}"),
            text_column("file, GB", lambda row: f"{row[1]['file_bytes'] / 1e9:.2f}"),
            text_column("index, GB", lambda row: f"{row[1]['index_bytes'] / 1e9:.2f}"),
            text_column("first index, s", lambda row: f"{row[1]['index_s']:.1f}"),
            text_column("open, s", lambda row: f"{row[1]['open_s']:.3f}"),
            text_column("append, ms", lambda row: f"{1e3 * row[1]['append_s']:.2f}"),
            text_column("resume, s", lambda row: f"{row[1]['resume_s']:.1f}"),
            text_column("report, s", lambda row: f"{row[1]['report_s']:.1f}"),
            text_column("memory, GB", lambda row: f"{row[1]['peak_bytes'] / 1e9:.2f}"),
        )
        note = ("Lines of JSON as they are written by a run, with an index in SQLite that is kept in the cache of the "
                "machine that reads them and can be made again at any time: it needs no lock, and the folder of the "
                "records may lie on a network.")  # fmt: skip
        yield section("The store", note, table(keeping, kept))


def _most(cases: Cases, nodes: int) -> float:
    """Nodes that a driver of so many nodes keeps busy."""
    run = next((cases[key] for count in simulated.CASES if (key := f"cluster {nodes} {count}") in cases), None)
    return float(run["most_nodes"]) if run is not None else 0.0


def _breaks(cases: Cases, runs: Cases) -> str:
    """The first sizes at which something is no longer as it should be, in words."""
    lines = []
    slow = [(nodes, count, each) for nodes in simulated.NODES for count in simulated.CASES
            if (each := runs.get(f"cluster {nodes} {count}")) and each["driver_busy"] > 1 / NEAR]  # fmt: skip
    if slow:
        nodes, count, each = slow[0]
        lines.append(f"**The driver** is the bottleneck from {nodes:,} nodes and {count:,} cases on: "
                     f"it is busy {each['driver_busy']:.0%} of the time, and all takes "
                     f"{each['makespan_s'] / each['ideal_s']:.1f} times as long as at best. Larger clusters are better "
                     "used by several runs, each with an output folder of its own.")  # fmt: skip
    elif runs:
        lines.append("**The driver** keeps every cluster that was tried busy.")
    first = cases.get(f"store {MOST}")
    if first is not None:
        lines.append(f"**The first index** of {MOST:,} records takes {first['index_s']:.0f} s, once on each machine; "
                     "afterwards only what was appended is read.")  # fmt: skip
        lines.append("**A run's own pages** are made of records that are held in memory, "
                     f"{first['file_bytes'] / MOST / 1e3:.1f} KB each as lines and about three times that as objects: "
                     "at a million standing records of one machine `--report-only` needs more memory than most have. "
                     "The aggregates above come from the index.")  # fmt: skip
    return "\n".join(f"- {line}" for line in lines)


def _time(seconds: float) -> str:
    for unit, length in (("days", 86_400.0), ("h", 3_600.0), ("min", 60.0)):
        if seconds >= length:
            return f"{seconds / length:,.1f} {unit}"
    return f"{seconds:.1f} s"


def _cluster(nodes: int, cases: int) -> dict[str, Any]:
    return simulated.cluster(nodes, cases, simulated.driver(nodes))


TASKS: dict[str, Task] = {
    **{f"counted {name}": partial(counted.measure, name) for name in counted.EXECUTORS},
    **{f"driver {nodes}": partial(simulated.driver, nodes) for nodes in simulated.NODES},
    **{f"cluster {nodes} {count}": partial(_cluster, nodes, count) for nodes in simulated.NODES
       for count in simulated.CASES},
    **{f"store {count}": partial(records.store, count) for count in records.COUNTS},
}  # fmt: skip

BENCHMARK = Benchmark(
    name="scale",
    description="What becomes of the harness with thousands of nodes and a million records.",
    tasks=TASKS,
    page=CheckPage(
        title="Past these machines: thousands of nodes, a million records",
        remark="Large clusters are simulated with times that were measured; the store and the counting are real.",
        bars=bars,
        sections=_sections,
    ),
)
