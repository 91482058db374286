"""The same records give the same bytes, wherever and whenever they are written, without PyTorch."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.studies import STUDIES
from tests.benchmarks.report.made import ENVIRONMENT, accuracy, counted, latency, mult_adds_of
from tests.benchmarks.studies.made import tables_of

ROOT = Path(__file__).parents[3]
SCRIPT = """
import json, sys, time
from pathlib import Path
time.time = lambda: float(sys.argv[3])
from benchmarks.records.record import Environment, Record
from dataclasses import replace
from benchmarks.report import write_report
from benchmarks.report.pictures import PICTURES
from benchmarks.report.studies.page import write_study
from benchmarks.studies import STUDIES
records = [Record.from_json(line) for line in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()]
environment = Environment(**json.loads(sys.argv[4]))
for name in set(PICTURES) - {"accuracy_mult_adds", "mobilenet_grid"}:  # pictures cost seconds
    del PICTURES[name]
study = STUDIES["mobilenet_shallow"]
write_study(replace(study, pictures=study.pictures[-1:]), records, environment, Path(sys.argv[2]))
write_report([each for each in records if each.case.metric != "rows"], environment, sys.argv[2])
assert "torch" not in sys.modules
"""
ELSEWHERE = [
    {"PYTHONHASHSEED": "1", "TZ": "UTC", "LC_ALL": "C", "HOME": "/nowhere"},
    {
        "PYTHONHASHSEED": "2",
        "TZ": "Asia/Tokyo",
        "LC_ALL": "de_DE.UTF-8",
        "MPLBACKEND": "of a notebook",
        "COLUMNS": "40",
    },
]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A small report with the page of a study, written by two processes side by side."""
    names = ("mobilenet_v1:width=0.75", "mobilenet_v1:shallow=true", "mobilenet_v1")
    records = [
        found
        for place, name in enumerate(names)
        for found in (counted(name, 2e6 + place), mult_adds_of(name, 3e8 + place), mult_adds_of(name, 3e7 + place, 64),
                      latency(name, 0.01 + place / 1000), accuracy(name, 0.8 + place / 100))
    ]  # fmt: skip
    home = tmp_path_factory.mktemp("records")
    lines = [each.to_json() for each in (*records, *tables_of(STUDIES["mobilenet_shallow"]))]
    (home / "records.jsonl").write_text("\n".join(lines), encoding="utf-8")
    made_by = json.dumps(dataclasses.asdict(ENVIRONMENT))
    folders, running = [], []
    for place, changes in enumerate(ELSEWHERE):
        folders.append(tmp_path_factory.mktemp(f"a folder ({place})" * (1 + place)))
        arguments = [str(home / "records.jsonl"), str(folders[-1]), str(1e9 * (1 + place)), made_by]
        running.append(
            subprocess.Popen([sys.executable, "-c", SCRIPT, *arguments], cwd=folders[-1],
                             env=os.environ | {"PYTHONPATH": str(ROOT)} | changes)
        )  # fmt: skip
    assert [process.wait(timeout=300) for process in running] == [0, 0]
    return folders


def test_every_page_table_and_picture_is_the_same(folders: list[Path]) -> None:
    found = [
        {
            str(path.relative_to(folder)): path.read_bytes()
            for path in folder.rglob("*.*")
            if not path.name.startswith(".")
        }
        for folder in folders
    ]
    names = set(found[0])
    assert names == set(found[1])
    assert {"README.md", "details.md", "results.csv", "figures/mobilenet_grid.svg", "figures/accuracy_mult_adds.png",
            "studies/mobilenet_shallow.md", "studies/figures/mobilenet_shallow_stacked.svg"} <= names  # fmt: skip
    assert [name for name in sorted(names) if found[0][name] != found[1][name]] == []


def test_pictures_hold_no_date_and_no_version(folders: list[Path]) -> None:
    for path in folders[0].rglob("*.svg"):
        content = path.read_bytes()
        assert b"<dc:date>" not in content and b"Matplotlib v" not in content
    for path in folders[0].rglob("*.png"):
        assert b"Software" not in path.read_bytes()[:2000]
