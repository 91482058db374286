"""What a run leaves beside its records: the environment and the report, each file replaced whole."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import zoo
from benchmarks.environment import read_machines, write_environment
from benchmarks.records import Case, Environment, Record
from benchmarks.report import write_report
from benchmarks.store import StoreError, current
from benchmarks.studies import STUDIES
from benchmarks.studies.page import write_study

__all__ = ["publish"]

ACCURACY = "accuracy"
STUDY_METRIC = "rows"  # read by the studies' own pages; the comparison has no column for it


def publish(
    records: Iterable[Record],
    environment: Environment,
    folder: Path,
    *,
    cases: Iterable[Case] = (),
    open_cases: Sequence[Case] = (),
    elsewhere: Iterable[Record] = (),
    sort_key: str = "family",
    asked: Container[str] = (),
) -> None:
    """Writes `environment.json`, the pages of the studies and the report, which links them.

    What a training reaches does not depend on the machine but for rounding. So where this run asks for no accuracy, a
    column of accuracies is taken whole from the machine that has most of them, and the page says so.

    Args:
        records: of one machine, none of them stale.
        cases: what was asked; where the same question was asked with other settings too, these count.
        open_cases: those of them that have no answer yet.
        elsewhere: accuracies from other machines.
        asked: models asked for by name; variants that only a study measured have their row there.

    Raises:
        StoreError: the folder cannot be written; the earlier files are whole.
    """
    cases, machines = list(cases), {environment.machine_id: list(records)}
    if not any(case.metric == ACCURACY for case in cases):
        for record in elsewhere:
            machines.setdefault(record.machine, []).append(record)
    own = environment.machine_id
    standing = {machine: list(current(group, cases).values()) for machine, group in machines.items()}
    try:
        write_environment(environment, folder)
        known = read_machines(folder)
        for study in STUDIES.values():
            chosen = _most_trained(machines, {zoo.spec(arm.model).label for arm in study.arms}, own)
            write_study(study, _with_accuracies(machines, own, chosen), known.get(chosen, {}), folder)
        chosen = _most_trained(standing, set(zoo.list_models()), own)
        shown = [record for record in _with_accuracies(standing, own, chosen) if record.case.metric != STUDY_METRIC]
        trained_on = "" if chosen == own else _in_words(chosen, known.get(chosen, {}))
        write_report(
            shown,
            environment,
            folder,
            open_cases=open_cases,
            sort_key=sort_key,
            asked=asked,
            trained_on=trained_on,
        )
    except OSError as error:
        raise StoreError(f"cannot write the report to {folder}: {error.strerror}; the records are whole") from None


def _most_trained(machines: Mapping[str, Sequence[Record]], models: Container[str], own: str) -> str:
    """The machine that trained the most of some models, and those with the most seeds; of equals this one."""

    def count(machine: str) -> tuple[int, int, bool]:
        trained = [
            record.case.model
            for record in machines[machine]
            if record.case.metric == ACCURACY and record.status == "ok" and record.case.model in models
        ]
        return len(set(trained)), len(trained), machine == own

    return max(machines, key=count)


def _with_accuracies(machines: Mapping[str, Sequence[Record]], own: str, trained_on: str) -> list[Record]:
    """The records of this machine, the accuracies those of the other."""
    return [
        *(record for record in machines[own] if record.case.metric != ACCURACY),
        *(record for record in machines[trained_on] if record.case.metric == ACCURACY),
    ]


def _in_words(machine: str, facts: Mapping[str, Any]) -> str:
    caches = ", ".join(f"{name} {size}" for name, size in dict(facts.get("caches", {})).items())
    return f"{facts['cpu']} ({caches}; {machine})" if facts else machine
