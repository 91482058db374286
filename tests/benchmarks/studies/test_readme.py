"""README's whole study, done as it says: one file, one line, and there is a page that answers its question."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project in which README was followed."""
    (text,) = re.findall(r"## Add a study\n(.*?)(?=\n## |\Z)", (ROOT / "README.md").read_text(), re.DOTALL)
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (file,) = re.findall(r"`(benchmarks/studies/\w+\.py)`:\n", text)
    ((line, listing),) = re.findall(r"`(\"\w+\",)`[^`]*`(benchmarks/studies/__init__\.py)`", text)
    copy = tmp_path_factory.mktemp("project")
    for package in ("zoo", "benchmarks", "tests"):
        shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / file).write_text(code)
    before = (copy / listing).read_text()
    after = before.replace('        "xception_block",\n', f'        "xception_block",\n        {line}\n')
    assert after.count("\n") == before.count("\n") + 1
    (copy / listing).write_text(after)
    return copy


def run(project: Path, *command: str) -> str:
    done = subprocess.run(
        [sys.executable, *command], cwd=project, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_is_listed(project: Path) -> None:
    assert "  narrow           What does a third of the width cost?" in run(project, "-m", "benchmarks.run", "--list")


@pytest.mark.slow
def test_its_page_answers(project: Path) -> None:
    run(project, "-m", "benchmarks.run", "--studies", "narrow", "--metrics", "params", "--output-dir", "out")
    title, _, first, *rest = (project / "out" / "studies" / "narrow.md").read_text().splitlines()
    assert title == "# What does a third of the width cost?"
    assert first.startswith(
        "**Width 0.75 takes 325 M multiply-adds, width 0.25 41 M.** Not trained here yet: the wider"
    )
    assert "| width 0.25 | `mobilenet_v1:width=0.25` | 0.47 | 0.041 |" in "\n".join(rest)
    assert (project / "out" / "studies" / "figures" / "narrow_stacked.svg").exists()


@pytest.mark.slow
def test_the_projects_own_tests_take_it(project: Path) -> None:
    tests = ("tests/test_house.py", "tests/benchmarks/studies/test_studies.py")
    said = run(
        project, "-m", "pytest", "-n", "0", "-p", "no:cacheprovider", "-q", "-k", "narrow or printed or claims", *tests
    )
    assert "passed" in said
