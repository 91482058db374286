"""A store of many records: the committed ones with other seeds, opened, added to, gone on from, reported."""

from __future__ import annotations

import dataclasses
import itertools
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.measure.basis import code_of
from benchmarks.records.index import Index, Lines, key_of
from benchmarks.records.record import Record
from benchmarks.records.store import RECORDS, read_records
from benchmarks.report.frame import comparison
from benchmarks.report.joining import by_machine
from benchmarks.selfcheck.scale.simulated import REFERENCE

__all__ = ["ADDED", "COUNTS", "FIRST", "store"]

COUNTS = (10_000, 100_000, 1_000_000)
ADDED = 200  # records that are appended one by one
FIRST = 1_000  # records of which the rows are made
AGGREGATES = """
    SELECT machine, metric, model, status, count(*), avg(value), min(value), max(value), sum(seconds)
    FROM records GROUP BY machine, metric, model, status
"""
MEDIANS = """
    SELECT machine, metric, model, avg(value) FROM (
        SELECT machine, metric, model, value,
               row_number() OVER (PARTITION BY machine, metric, model ORDER BY value) AS place,
               count(*) OVER (PARTITION BY machine, metric, model) AS many
        FROM records WHERE status = 'ok' AND value IS NOT NULL
    ) WHERE place IN ((many + 1) / 2, (many + 2) / 2) GROUP BY machine, metric, model
"""


def store(count: int) -> dict[str, Any]:
    """Seconds of everything a run does with its records, at a number of them, and the memory of it all.

    The index lies in a folder of its own for the time; so do the records.
    """
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / RECORDS
        found["write_s"] = _timed(lambda: _make(path, count))
        found["file_bytes"] = path.stat().st_size
        started = time.perf_counter()
        with Index(path, folder) as index:
            found["index_s"] = time.perf_counter() - started
        found["index_bytes"] = sum(each.stat().st_size for each in folder.glob("*.sqlite"))
        started = time.perf_counter()
        with Index(path, folder) as index:
            found["open_s"] = time.perf_counter() - started
            found["append_s"] = _append(path, index)
            found["resume_s"] = _timed(lambda: found.update(_resume(index)))
            found["report_s"] = _timed(lambda: found.update(_report(index)))
    found["peak_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return found


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _many() -> Iterator[Record]:
    """The committed records again and again, with other seeds, as if computed by the present code."""
    records = [record for record in read_records(REFERENCE / RECORDS).records if record.status == "ok"]
    codes = {record.case: code_of(record.case) for record in records}
    for seed in itertools.count():
        for record in records:
            case = dataclasses.replace(record.case, seed=record.case.seed + 100 * seed)
            yield dataclasses.replace(record, case=case, code=codes[record.case])


def _make(path: Path, count: int) -> None:
    """Writes the records; only what the seed changes is put together anew."""
    first: list[tuple[str, int]] = []
    with path.open("w", encoding="utf-8") as file:
        made = _many()
        own = len([record for record in read_records(REFERENCE / RECORDS).records if record.status == "ok"])
        for record in itertools.islice(made, min(own, count)):
            line = record.to_json()
            first.append((line.replace(f'"seed": {record.case.seed},', '"seed": {},', 1), record.case.seed))
            file.write(f"{line}\n")
        for number in range(own, count):
            line, seed = first[number % own]
            head, mark, tail = line.partition('"seed": {},')
            file.write(f"{head}{mark.replace('{}', str(seed + 100 * (number // own)))}{tail}\n")


def _append(path: Path, index: Index) -> float:
    """Median seconds to append one record so that it outlives the process."""
    record = next(_many())
    taken = []
    with path.open("ab") as file:
        for number in range(ADDED):
            started = time.perf_counter()
            line = dataclasses.replace(record, started=str(number)).to_json().encode() + b"\n"
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
            index.add(record, len(line))
            taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def _resume(index: Index) -> dict[str, Any]:
    """Which of as many cases as there are records are open, by the index; the cases are made meanwhile, as a plan's."""
    codes = [(kin, code_of(record.case)) for kin, record in index.kin()]
    machine = str(next(index.select("SELECT machine FROM records GROUP BY machine ORDER BY count(*) DESC"))[0])
    answered = index.standing(machine, codes)
    planned = (record.case for record in itertools.islice(_many(), len(index)))
    return {"open": sum(key_of(case) not in answered for case in planned), "answered": len(answered)}


def _report(index: Index) -> dict[str, Any]:
    """Every aggregate, and the rows of the first records."""
    aggregates, medians = len(list(index.select(AGGREGATES))), len(list(index.select(MEDIANS)))
    first = by_machine(Lines(index)[:FIRST])
    rows = sum(len(comparison(records)) for records in first.values())
    return {"aggregates": aggregates, "medians": medians, "rows": rows}
