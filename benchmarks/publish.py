"""What a run leaves beside its records: the environment and the report, each file replaced whole."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.environment import write_environment
from benchmarks.records import Case, Environment, Record
from benchmarks.report import write_report
from benchmarks.store import StoreError, current
from benchmarks.studies import STUDIES
from benchmarks.studies.page import write_pages

__all__ = ["publish"]

STUDY_METRIC = "rows"  # read by the studies' own pages; the comparison has no column for it


def publish(
    records: Iterable[Record],
    environment: Environment,
    folder: Path,
    *,
    cases: Iterable[Case] = (),
    open_cases: Sequence[Case] = (),
    sort_key: str = "family",
) -> None:
    """Writes `environment.json`, the pages of the studies and the report, which links them.

    Args:
        records: of one machine, none of them stale.
        cases: what was asked; where the same question was asked with other settings too, these count.
        open_cases: those of them that have no answer yet.

    Raises:
        StoreError: the folder cannot be written; the earlier files are whole.
    """
    records = list(records)
    standing = [record for record in current(records, cases).values() if record.case.metric != STUDY_METRIC]
    try:
        write_environment(environment, folder)
        write_pages(STUDIES.values(), records, environment, folder)
        write_report(standing, environment, folder, open_cases=open_cases, sort_key=sort_key)
    except OSError as error:
        raise StoreError(f"cannot write the report to {folder}: {error.strerror}; the records are whole") from None
