"""The shape of the project: imports point one way, public names are listed, heavy imports wait."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for package in ("zoo", "benchmarks")
    for path in (ROOT / package).rglob("*.py")
)


def imports(module: str) -> set[str]:
    """Modules of this project that a module imports at its top level, type-checking blocks left out."""
    path = ROOT / Path(*module.split("."))
    source = (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text()
    names = set()
    for node in ast.parse(source).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {name for name in names if name.split(".")[0] in ("zoo", "benchmarks", "torch", "torchvision")}


def within(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(package + ".") for package in packages)


@pytest.mark.parametrize("module", [module for module in MODULES if within(module, "zoo")])
def test_the_zoo_does_not_know_the_harness(module: str) -> None:
    assert not [name for name in imports(module) if within(name, "benchmarks")]


@pytest.mark.parametrize("module", [module for module in MODULES if within(module, "zoo.models")])
def test_model_files_hold_no_pytorch_and_no_registry(module: str) -> None:
    forbidden = ("torch", "torchvision", "zoo.registry", "zoo.factory", "zoo.blocks", "zoo.classifier", "zoo.weights")
    assert not [name for name in imports(module) if within(name, *forbidden)]


@pytest.mark.parametrize("module", [module for module in MODULES if within(module, "benchmarks.report")])
def test_the_report_sees_records_only(module: str) -> None:
    forbidden = (
        "torch",
        "torchvision",
        "benchmarks.measure.engine",
        "benchmarks.measure.worker",
        "benchmarks.metrics",
        "zoo.factory",
    )
    assert not [name for name in imports(module) if within(name, *forbidden)]


@pytest.mark.parametrize("module", [module for module in MODULES if within(module, "benchmarks.metrics")])
def test_metrics_do_not_know_the_engine(module: str) -> None:
    assert not [name for name in imports(module) if within(name, "benchmarks.measure.engine", "benchmarks.run")]


@pytest.mark.parametrize("module", MODULES)
def test_public_names_are_listed_and_sorted(module: str) -> None:
    path = ROOT / Path(*module.split("."))
    source = (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text()
    if module.endswith("__main__") or all(isinstance(node, ast.Expr) for node in ast.parse(source).body):
        return  # nothing but a docstring
    names = importlib.import_module(module).__all__
    assert list(names) == sorted(names, key=lambda name: (not name.isupper(), not name[0].isupper(), name))
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("module", ["benchmarks.run", "benchmarks.report", "benchmarks.compare", "zoo", "zoo.__main__"])
def test_heavy_imports_wait(module: str) -> None:
    script = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False, cwd=ROOT).returncode == 0
