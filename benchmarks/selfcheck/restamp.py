"""`python -m benchmarks.selfcheck restamp`: records that stood before a change of code stand after it, if answers agree.

A change that moves or rewrites code without changing an answer makes records stale all the same. This command proves
that answers have not changed: of every family the network that trained fastest is trained again, with the record's own
seed and threads, and must give the same answer to every image after the same losses; every count is counted again. Only
then the records that stood at the earlier commit carry the present code's hash, and a page keeps the proof.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import zoo
from benchmarks.measure.basis import code_of
from benchmarks.measure.engine import execute
from benchmarks.metrics import METRICS
from benchmarks.records.environment import observe
from benchmarks.records.files import replace_file
from benchmarks.records.record import Record
from benchmarks.records.store import RECORDS, read_records

__all__ = ["main"]

ROOT = Path(zoo.__file__).resolve().parents[1]
# run in a checkout of the earlier commit: which lines of a file of records stood then
STOOD = """
import json, sys
from pathlib import Path
from benchmarks.measure.basis import code_of
from benchmarks.records.standing import stale_reason
from benchmarks.records.store import read_records
records = read_records(Path(sys.argv[1])).records
print(json.dumps([stale_reason(record, record.machine, code_of) is None for record in records]))
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 all that stood stands; 1 an answer differs or could not be tried here."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.selfcheck restamp", description=str(__doc__).split("\n")[0]
    )
    parser.add_argument("--output-dir", type=Path, default=Path("reports"), help="folder of the records")
    parser.add_argument("--since", default="HEAD", metavar="COMMIT", help="the commit at which they stood")
    given = parser.parse_args(arguments)
    path = given.output_dir / RECORDS
    records = list(read_records(path).records)
    stood = stood_at(given.since, path)
    moved = [
        record for record, before in zip(records, stood, strict=True) if before and record.code != code_of(record.case)
    ]
    if not moved:
        print("every record that stood stands")
        return 0
    environment = observe("python -m benchmarks.selfcheck restamp")
    tried = [*proof(moved, environment.machine_id), *counts(moved)]
    missing = {zoo.spec(record.case.model).family for record in moved if record.case.metric == "accuracy"}
    missing -= {zoo.spec(record.case.model).family for record in tried if record.case.metric == "accuracy"}
    if missing:
        print(f"could not be tried here: no training of {', '.join(sorted(missing))} is this kind of machine's",
              file=sys.stderr)  # fmt: skip
        return 1
    by_case = {record.case: record for record in tried}
    differing, lines = [], []
    for found in execute(list(by_case), environment, timeout=7200.0):
        same = found.status == "ok" and answers(found) == answers(by_case[found.case])
        lines.append(f"{found.case.metric} {found.case.model} seed {found.case.seed}: {'same' if same else 'DIFFERS'}")
        print(lines[-1], file=sys.stderr, flush=True)
        differing += [] if same else [found]
    if differing:
        print(f"{len(differing)} of {len(tried)} answers differ; nothing was stamped", file=sys.stderr)
        return 1
    wanted = {id(record) for record in moved}
    stamped = [
        dataclasses.replace(record, code=code_of(record.case)) if id(record) in wanted else record for record in records
    ]
    replace_file(path, "".join(record.to_json() + "\n" for record in stamped))
    return 0


def stood_at(commit: str, path: Path) -> list[bool]:
    """Whether each record of a file answered its case with the code of a commit."""
    with tempfile.TemporaryDirectory() as folder:
        archive = subprocess.run(["git", "-C", str(ROOT), "archive", commit], capture_output=True, check=True)
        subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
        asked = subprocess.run(
            [sys.executable, "-c", STOOD, str(path.resolve())], cwd=folder, capture_output=True, text=True, check=True
        )
    stood: list[bool] = json.loads(asked.stdout)
    return stood


def proof(records: Iterable[Record], machine: str) -> list[Record]:
    """Of each family the training of this kind of machine that took least time."""
    fastest: dict[str, Record] = {}
    for record in records:
        if record.case.metric == "accuracy" and record.status == "ok" and record.machine == machine:
            held = fastest.setdefault(zoo.spec(record.case.model).family, record)
            if record.seconds < held.seconds:
                fastest[zoo.spec(record.case.model).family] = record
    return list(fastest.values())


def counts(records: Iterable[Record]) -> list[Record]:
    """Every count, one machine's."""
    counted = {r.case: r for r in records if METRICS[r.case.metric].shares_process and r.status == "ok"}
    return list(counted.values())


def answers(record: Record) -> list[Any]:
    """What must be equal to the bit: every figure of a count; of a training every answer, and every loss."""
    if record.case.metric != "accuracy":
        return [(each.name, each.value, each.details) for each in record.measurements]
    top1 = record.find("top1")
    details = dict(top1.details) if top1 else {}
    curve = [{name: value for name, value in point.items() if name != "seconds"} for point in details.get("curve", ())]
    return [details.get(name) for name in ("answers", "labels", "fingerprint", "recipe")] + [curve]
