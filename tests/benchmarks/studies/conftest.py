from __future__ import annotations

import pytest

from benchmarks.records.record import Record
from benchmarks.report import drawing
from benchmarks.studies import STUDIES
from tests.benchmarks.studies.made import STUDY, tables_of


@pytest.fixture(scope="session")
def counted() -> list[Record]:
    """The tables of every model of every study, the toy among them."""
    return tables_of(STUDY, *STUDIES.values())


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures cost seconds; a page is the same without drawing them."""
    monkeypatch.setattr(drawing, "render", lambda draw, data, mark="": (mark.encode(), b"png"))
