"""A store of many records: the committed ones with other seeds, opened, added to, gone on from, reported."""

from __future__ import annotations

import dataclasses
import os
import resource
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.measure.basis import code_of
from benchmarks.metrics import METRICS
from benchmarks.records.index import Index, Lines, key_of
from benchmarks.records.record import Record
from benchmarks.records.standing import counting
from benchmarks.records.store import RECORDS, read_records
from benchmarks.report.frame import comparison
from benchmarks.report.joining import by_machine
from benchmarks.selfcheck.scale.simulated import REFERENCE

__all__ = ["ADDED", "COUNTS", "FIRST", "store"]

COUNTS = (10_000, 100_000, 1_000_000)
MARK, STEP = 987_654_321, 100  # what stands for a number to come, and how far seeds lie apart
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


def _committed() -> list[Record]:
    """What was found on one machine, as if computed by the present code."""
    found = [record for record in read_records(REFERENCE / RECORDS).records if record.status == "ok"]
    machine = Counter(record.machine for record in found).most_common(1)[0][0]
    return [dataclasses.replace(record, code=code_of(record.case), machine=machine) for record in found]


def _varied(record: Record, number: int) -> Record:
    """The record with another seed, or where nothing is drawn by another machine."""
    if "seed" not in METRICS[record.case.metric].depends_on:
        return dataclasses.replace(record, machine=f"{record.machine}{number or ''}")
    return dataclasses.replace(record, case=dataclasses.replace(record.case, seed=record.case.seed + number))


def _make(path: Path, count: int) -> None:
    """Writes the committed records again and again, each time varied; only what varies is put together anew."""
    records = _committed()
    marked = [_varied(record, MARK).to_json() for record in records]
    with path.open("w", encoding="utf-8") as file:
        for record in records[:count]:
            file.write(f"{record.to_json()}\n")
        for number in range(len(records), count):
            times, place = divmod(number, len(records))
            record, line = records[place], marked[place]
            if "seed" in METRICS[record.case.metric].depends_on:
                line = line.replace(
                    f'"seed": {record.case.seed + MARK}', f'"seed": {record.case.seed + STEP * times}', 1
                )
            else:
                line = line.replace(f"{record.machine}{MARK}", f"{record.machine}{times}", 1)
            file.write(f"{line}\n")


def _append(path: Path, index: Index) -> float:
    """Median seconds to append one record so that it outlives the process."""
    record = _committed()[0]
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
    records = _committed()
    answered = index.standing(records[0].machine, codes)
    planned = (
        dataclasses.replace(record.case, seed=record.case.seed + STEP * number)
        if number and "seed" in METRICS[record.case.metric].depends_on
        else record.case
        for number in range((len(index) - ADDED) // len(records))
        for record in records
    )
    return {"open": sum(key_of(case) not in answered for case in planned), "answered": len(answered)}


def _report(index: Index) -> dict[str, Any]:
    """Every aggregate, and the rows of the first records."""
    aggregates, medians = len(list(index.select(AGGREGATES))), len(list(index.select(MEDIANS)))
    first = by_machine(Lines(index)[:FIRST])
    rows = sum(len(comparison(counting(records))) for records in first.values())
    return {"aggregates": aggregates, "medians": medians, "rows": rows}
