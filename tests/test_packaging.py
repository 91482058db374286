"""The wheel is whole: installed anywhere it lists the zoo, has its data and licences, and runs a job."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PARTS = ("zoo", "benchmarks", "pyproject.toml", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that a wheel, built from a copy of the sources, was installed into."""
    folder = tmp_path_factory.mktemp("wheel")
    (folder / "sources").mkdir()
    for part in PARTS:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, folder / "sources" / part)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run(
        [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", ".", "./sources"], cwd=folder, check=True
    )
    (wheel,) = folder.glob("*.whl")
    subprocess.run(
        [*pip, "install", "--no-deps", "--no-compile", "--target", "site", str(wheel)], cwd=folder, check=True
    )
    return folder / "site"


def run(installed: Path, folder: Path, *arguments: str) -> str:
    """What a command prints that finds the project only where the wheel was installed."""
    environment = os.environ | {"PYTHONPATH": str(installed)}
    ended = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, encoding="utf-8", timeout=300
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_every_file_is_in_the_wheel(installed: Path) -> None:
    sources = (path for package in ("zoo", "benchmarks") for path in (ROOT / package).rglob("*.*"))
    wanted = {path.relative_to(ROOT) for path in sources if path.is_file() and "__pycache__" not in path.parts}
    assert [path.as_posix() for path in sorted(wanted) if not (installed / path).is_file()] == []


def test_the_licences_are_in_the_wheel_and_named(installed: Path) -> None:
    (metadata,) = installed.glob("comparative_cnn_zoo-*.dist-info/METADATA")
    lines = metadata.read_text(encoding="utf-8").splitlines()
    assert "License-Expression: MIT" in lines and "License-File: LICENSE" in lines
    assert len(list(metadata.parent.rglob("*LICENSE*"))) == 2


def test_what_is_installed_works_away_from_its_sources(installed: Path, tmp_path: Path) -> None:
    where = run(installed, tmp_path, "-c", "import zoo, benchmarks; print(zoo.__file__, benchmarks.__file__)")
    assert where.split() == [str(installed / package / "__init__.py") for package in ("zoo", "benchmarks")]
    assert "mobilenet_v1" in run(installed, tmp_path, "-m", "zoo", "list")
    run(installed, tmp_path, "-m", "benchmarks.run", "--models", "mobilenet_v1", "--metrics", "params")
    assert "4.23" in (tmp_path / "reports" / "README.md").read_text(encoding="utf-8")
