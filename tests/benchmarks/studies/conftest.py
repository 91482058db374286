from __future__ import annotations

import pytest

from benchmarks.records.record import Record
from benchmarks.studies import STUDIES
from tests.benchmarks.studies.made import STUDY, tables_of


@pytest.fixture(scope="session")
def counted() -> list[Record]:
    """The tables of every model of every study, the toy among them."""
    return tables_of(STUDY, *STUDIES.values())
