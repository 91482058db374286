"""The modules of the zoo stand above one another: none is needed by what it needs."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import zoo

ROOT = Path(zoo.__file__).parent
PATHS = {
    ".".join(("zoo", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in ROOT.rglob("*.py")
}


def imported(path: Path) -> Iterator[str]:
    """Every module of the zoo that a file names, inside functions and for type hints too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            yield from (name if name in PATHS else node.module for name in names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_no_imports_run_in_a_circle() -> None:
    needs = {name: PATHS.keys() & set(imported(path)) - {name} for name, path in PATHS.items()}
    assert "zoo.errors" in needs["zoo.classifier"]
    TopologicalSorter(needs).prepare()  # raises CycleError, which names the circle
