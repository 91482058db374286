"""What a run leaves beside its records: the table, the environment and the page, each replaced whole."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.environment import write_environment
from benchmarks.files import replace_file
from benchmarks.records import Case, Environment, Record
from benchmarks.report.tables import comparison
from benchmarks.store import StoreError, current

__all__ = ["publish"]


def publish(
    records: Iterable[Record],
    environment: Environment,
    folder: Path,
    *,
    cases: Iterable[Case] = (),
    open_cases: Sequence[Case] = (),
    sort_key: str = "family",
) -> None:
    """Writes `results.csv`, `environment.json` and the report.

    Args:
        records: of one machine, none of them stale.
        cases: what was asked; where the same question was asked with other settings too, these count.
        open_cases: those of them that have no answer yet.

    Raises:
        StoreError: the folder cannot be written; the earlier files are whole.
    """
    standing = list(current(records, cases).values())
    try:
        replace_file(folder / "results.csv", comparison(standing, sort_key=sort_key).to_csv(index=False))
        write_environment(environment, folder)
    except OSError as error:
        raise StoreError(f"cannot write the report to {folder}: {error.strerror}; the records are whole") from None
