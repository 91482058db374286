"""What is shipped under reports/reference/: no trace of the machine's user, and every record still counted."""

from __future__ import annotations

import re
from collections import Counter
from importlib.metadata import version
from pathlib import Path

import pytest

from benchmarks.measure.basis import code_of
from benchmarks.records.standing import stale_reason
from benchmarks.records.store import read_records

REPORTS = Path(__file__).parent.parent / "reports" / "reference"
TORCH = "2.14.1"
TEXTS = sorted(path for path in REPORTS.rglob("*") if path.suffix in (".md", ".csv", ".json", ".jsonl", ".svg"))


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(REPORTS)))
def test_no_absolute_path_and_no_home(path: Path) -> None:
    found = re.search(r"(?<![\w.:/])(/(home|root|Users|tmp|opt|usr|var)/[^\s\"']*|[A-Z]:\\\\\S+)", path.read_text())
    assert found is None, found.group()


def test_every_record_counts() -> None:
    """A change of code that alters no answer is followed by `python -m benchmarks.selfcheck restamp`."""
    if version("torch") != TORCH:
        pytest.skip(f"the records were made with PyTorch {TORCH}")
    found = read_records(REPORTS / "results.jsonl")
    assert found.notices == ()
    reasons = Counter(stale_reason(record, record.machine, code_of) for record in found.records)
    assert reasons == {None: len(found.records)}
    assert len(found.records) >= 646
