from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.report import drawing, write_report
from tests.benchmarks.report.made import ENVIRONMENT, full_records


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures cost seconds; most pages are the same without drawing them."""
    monkeypatch.setattr(drawing, "render", lambda draw, data, mark="": (mark.encode(), b"png"))


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a whole run; its pictures are the marks of what would be drawn."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drawing, "render", lambda draw, data, mark="": (mark.encode(), b"png"))
        return write_report(full_records(), ENVIRONMENT, tmp_path_factory.mktemp("report")).parent
