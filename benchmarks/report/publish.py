"""What a run leaves beside its records: the environment and the report, each file replaced whole."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Container, Iterable, Sequence
from pathlib import Path
from typing import Any

import zoo
from benchmarks.metrics import derived
from benchmarks.records.environment import FILE, read_machines, write_environment
from benchmarks.records.manifest import adopt
from benchmarks.records.record import Case, Environment, Record
from benchmarks.records.standing import counting
from benchmarks.records.store import StoreError
from benchmarks.report import write_report
from benchmarks.report.drawing import FORMATS
from benchmarks.report.page import provenance, section, write_page
from benchmarks.report.pictures import PICTURES
from benchmarks.report.precisions import PAGE, precision_sections
from benchmarks.report.studies.page import write_study
from benchmarks.report.words import machine_in_words
from benchmarks.studies import STUDIES

__all__ = ["publish", "publish_all", "written"]

ACCURACY = "accuracy"
PAGES = ("README.md", PAGE, "details.md", "index.html", "results.csv", "results-*.csv", FILE)
MACHINES = "machines"  # folder of the reports of further kinds of machines
STUDY_METRIC = "rows"  # read by the studies' own pages; the comparison has no column for it


def written() -> list[str]:
    """Patterns of the names of all files that `publish` may write, relative to the output folder."""
    pictures = [*(f"figures/{name}" for name in PICTURES), *(f"studies/figures/{name}_*" for name in STUDIES)]
    return [
        *PAGES,
        *(f"studies/{name}.md" for name in STUDIES),
        *(f"{picture}.{ending}" for picture in pictures for ending in FORMATS),
    ]


def publish_all(
    records: Iterable[Record],
    machines: Sequence[Environment],
    folder: Path,
    *,
    anywhere: Callable[[Case], bool],
    elsewhere: Iterable[Record] = (),
    **options: Any,
) -> None:
    """A report for each kind of machine that measured: the first's in the folder, the others' in `machines/` below it.

    Each has its own table, file and pictures; no time of one machine stands beside another's. What does not depend on
    the machine, or only by rounding, is in all of them, and a training says where it was made.

    Args:
        records: of all these machines.
        anywhere: whether the answer to a case is no machine's own.
        elsewhere, options: see `publish`.
    """
    records = list(records)
    for machine in machines[1:]:
        below = folder / MACHINES / machine.machine_id
        try:
            below.mkdir(parents=True, exist_ok=True)
            adopt(below, worked_in=False)
            write_environment(machine, folder)  # whose facts the folder keeps
        except OSError as error:
            raise StoreError(f"cannot write the report to {below}: {error.strerror}") from None
        publish(_seen_from(machine, records, anywhere), machine, below, **options)
    own = records if len(machines) < 2 else _seen_from(machines[0], records, anywhere)
    publish(own, machines[0], folder, elsewhere=elsewhere, **options)


def _seen_from(machine: Environment, records: Iterable[Record], anywhere: Callable[[Case], bool]) -> list[Record]:
    """A machine's own records and those that are no machine's own, which say where they were made."""
    found = []
    for record in records:
        if record.machine == machine.machine_id:
            found.append(record)
        elif anywhere(record.case):
            host = f"host {record.where['node']}, " if record.where.get("node") else ""
            note = f"trained on {host}another kind of machine: rounding differs there"
            notes = (*record.notes, note) if record.case.metric == ACCURACY else record.notes
            found.append(dataclasses.replace(record, machine=machine.machine_id, notes=notes))
    return found


def publish(
    records: Iterable[Record],
    environment: Environment,
    folder: Path,
    *,
    cases: Iterable[Case] = (),
    open_cases: Sequence[Case] = (),
    elsewhere: Iterable[Record] = (),
    sort_key: str = "family",
    metric: str = "top1",
    asked: Container[str] = (),
) -> None:
    """Writes `environment.json`, the pages of the studies and the report, which links them.

    What a training reaches does not depend on the machine but for rounding. So where this run asks for no accuracy, a
    column of accuracies is taken whole from the machine that has most of them, a study takes those of each
    seed from one machine, and the page says so. A study whose page cannot be made costs no other page; one line on
    standard error names it.

    Args:
        records: of one machine, none of them stale.
        cases: what was asked; where the same question was asked with other settings too, these count.
        open_cases: those of them that have no answer yet.
        elsewhere: what was counted, or learned, on other machines.
        metric: what the best network for somebody's own images is the best in.
        asked: models asked for by name; variants that only a study measured have their row there.

    Raises:
        StoreError: the folder cannot be written; the earlier files are whole.
    """
    cases = list(cases)
    found = [*map(derived, records), *(() if any(case.metric == ACCURACY for case in cases) else elsewhere)]
    try:
        write_environment(environment, folder)
        machines = read_machines(folder)
        for study in STUDIES.values():
            try:
                write_study(study, found, environment, folder, machines)
            except OSError:
                raise
            except Exception as error:  # whatever a study's own code throws: its page stays as it is, the others come
                print(f"study {study.name}: no page: {type(error).__name__}: {error}", file=sys.stderr)
        standing = counting(found, cases)
        if deployed := precision_sections(
            record for record in standing if record.machine == environment.machine_id or record.case.metric == ACCURACY
        ):
            origin = provenance(environment.machine, environment.software, environment.command)
            write_page(folder / PAGE, [*deployed, section("Where it was measured", "", origin)])
        trained_on = _most_trained(standing, environment.machine_id)
        write_report(
            [
                record
                for record in standing
                if record.machine == (trained_on if record.case.metric == ACCURACY else environment.machine_id)
                and record.case.metric != STUDY_METRIC
            ],
            environment,
            folder,
            open_cases=open_cases,
            sort_key=sort_key,
            metric=metric,
            asked=asked,
            trained_on="" if trained_on == environment.machine_id else machine_in_words(machines.get(trained_on, {})),
        )
    except OSError as error:
        raise StoreError(f"cannot write the report to {folder}: {error.strerror}; the records are whole") from None


def _most_trained(records: Iterable[Record], own: str) -> str:
    """The machine that trained the most models; of equals this one."""
    trained: dict[str, set[str]] = {own: set()}
    for record in records:
        if record.case.metric == ACCURACY and record.status == "ok" and record.case.model in zoo.list_models():
            trained.setdefault(record.machine, set()).add(record.case.model)
    return max(trained, key=lambda machine: (len(trained[machine]), machine == own))
