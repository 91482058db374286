"""What PyTorch and its tools can do with the networks: each cell of the table is a test that ran.

The tests are those of `tests/zoo/test_torch_features.py`, the slow ones too.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import benchmarks
from benchmarks.report.bars import Bar, Cases, CheckPage
from benchmarks.report.page import listed, section
from benchmarks.report.table import table, text_column
from benchmarks.report.words import markdown
from benchmarks.selfcheck.tasks import Benchmark
from zoo.errors import one_line
from zoo.registry import MODELS

__all__ = ["BENCHMARK", "bars", "measure"]

ROOT = Path(benchmarks.__file__).parent.parent
TESTS = ROOT / "tests" / "zoo" / "test_torch_features.py"
FAMILIES = tuple(dict.fromkeys(spec.family for spec in MODELS.values()))
PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"


class Witness:
    """What pytest tells of the tests of one family, which alone are run."""

    def __init__(self, family: str) -> None:
        self.family = family
        self.features: dict[str, dict[str, str]] = {}
        self._names: dict[str, str] = {}

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        items[:] = [item for item in items if item.callspec.params["family"] == self.family]
        self._names = {item.nodeid: item.callspec.params["name"] for item in items}

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.when == "call" or report.outcome != PASSED:  # a fixture that fails counts, too
            if report.outcome == SKIPPED:
                reason = report.longrepr[2].removeprefix("Skipped: ")
            else:
                reason = getattr(getattr(report.longrepr, "reprcrash", None), "message", "")
            self.features[self._names[report.nodeid]] = {"outcome": report.outcome, "reason": one_line(reason)}


def measure(family: str) -> dict[str, Any]:
    """How each test of a family ended, by feature."""
    import pytest

    if not TESTS.is_file():
        raise FileNotFoundError(f"{TESTS}: the tests come with the repository, not with the package")
    os.chdir(ROOT)
    witness = Witness(family)
    pytest.main(["-o", "addopts=", "-q", "-p", "no:cacheprovider", os.fspath(TESTS)], plugins=[witness])
    if not witness.features:
        raise RuntimeError(f"no test of {family} was found in {TESTS}")
    return {"features": witness.features}


def bars(cases: Cases) -> list[Bar]:
    """One a family: nothing failed; what was skipped says why below."""
    found = []
    for family in FAMILIES:
        text = f"{family}: every feature works, or another than this project stands in its way"
        if family not in cases:
            found.append(Bar(text))
            continue
        outcomes = [feature["outcome"] for feature in cases[family]["features"].values()]
        counts = f"{outcomes.count(PASSED)} work, {outcomes.count(SKIPPED)} skipped, {outcomes.count(FAILED)} failed"
        found.append(Bar(text, counts, FAILED not in outcomes))
    return found


def _sections(cases: Cases, picture: str) -> Iterator[str]:
    names = dict.fromkeys(name for case in cases.values() for name in case["features"])
    tried = [family for family in FAMILIES if family in cases]

    def cell(family: str, name: str) -> str:
        outcome = cases[family]["features"].get(name, {"outcome": "-"})["outcome"]
        return {PASSED: "yes", FAILED: "**failed**", SKIPPED: "skipped"}.get(outcome, "-")

    columns = (
        text_column("feature", lambda name: markdown(name)),
        *(text_column(family, partial(cell, family)) for family in tried),
    )
    reasons = [
        f"{name}, {family}: {feature['reason']}"
        for name in names
        for family in tried
        if (feature := cases[family]["features"].get(name)) and feature["outcome"] != PASSED
    ]
    yield section("Feature by feature", "", table(columns, list(names)))
    yield section("What was skipped or failed, and why", "", listed([markdown(reason) for reason in reasons]))


BENCHMARK = Benchmark(
    name="contract",
    description="What PyTorch and its tools can do with a network of each family, tried.",
    tasks={family: partial(measure, family) for family in FAMILIES},
    page=CheckPage(
        title="What a network of the zoo can do",
        remark="Each cell is a test that ran: one network a family, small images.",
        bars=bars,
        sections=_sections,
        method="The tests of tests/zoo/test_torch_features.py, a process a family. Exported programs hold for any "
        "batch and for sides that are multiples of 32 from 96 pixels.",
    ),
)
