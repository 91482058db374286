"""The shape of the project: rooms, imports that run one way, public names that are listed, heavy imports that wait."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from benchmarks.metrics import METRICS
from zoo.data import DATASETS
from zoo.runtimes import RUNTIMES

ROOT = Path(__file__).parent.parent
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for package in ("zoo", "benchmarks")
    for path in (ROOT / package).rglob("*.py")
)
# what each room of the harness may know of the others; all may know the zoo
MAY_KNOW = {
    "stats": set(),
    "records": set(),
    "metrics": {"stats", "records"},
    "studies": {"stats", "records", "metrics"},
    "plan": {"records", "metrics", "studies"},
    "measure": {"stats", "records", "metrics", "plan"},
    "report": {"stats", "records", "metrics", "studies"},
    "selfcheck": {"stats", "records", "metrics", "studies", "plan", "measure", "report"},
    "compare": {"stats", "records", "metrics", "plan"},
    "recommend": {"stats", "records", "metrics", "studies", "plan", "measure", "report"},
    "run": {"stats", "records", "metrics", "studies", "plan", "measure", "report", "selfcheck"},
}


def source(module: str) -> str:
    path = ROOT / Path(*module.split("."))
    return (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text()


def imports(module: str, *, everywhere: bool = False) -> set[str]:
    """Modules of this project, and PyTorch's, that a module imports at its top level; or anywhere in it."""
    tree = ast.parse(source(module))
    names = set()
    for node in ast.walk(tree) if everywhere else tree.body:
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {name for name in names if name.split(".")[0] in ("zoo", "benchmarks", "torch", "torchvision")}


def within(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(package + ".") for package in packages)


def rooms() -> Iterator[tuple[str, str, str]]:
    """Module, its room and another room that it imports something of."""
    for module in MODULES:
        if module.count(".") and within(module, "benchmarks"):
            room = module.split(".")[1]
            for name in imports(module, everywhere=True):
                if name.count(".") and within(name, "benchmarks") and name.split(".")[1] != room:
                    yield module, room, name.split(".")[1]


def test_every_room_is_known_and_what_a_person_types_lies_flat() -> None:
    assert {module.split(".")[1] for module in MODULES if within(module, "benchmarks") and "." in module} == set(
        MAY_KNOW
    )
    assert {path.stem for path in (ROOT / "benchmarks").glob("*.py")} == {"__init__", "run", "compare", "recommend"}


def test_imports_between_rooms_run_one_way() -> None:
    against = [f"{module} imports {other}" for module, room, other in rooms() if other not in MAY_KNOW[room]]
    assert against == []


def test_no_file_imports_in_a_circle() -> None:
    known = {module: {name for name in imports(module, everywhere=True) if name in MODULES and name != module}
             for module in MODULES}  # fmt: skip
    # a package's face knows its files, and a file that names the package's face asks for something it holds
    graph = {module: {name for name in names if not module.startswith(f"{name}.")} for module, names in known.items()}
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


@pytest.mark.parametrize("module", [module for module in MODULES if within(module, "zoo")])
def test_the_zoo_does_not_know_the_harness(module: str) -> None:
    assert not [name for name in imports(module, everywhere=True) if within(name, "benchmarks")]


@pytest.mark.parametrize("module", [module for module in MODULES if within(module, "zoo.models")])
def test_model_files_hold_no_pytorch_and_no_registry(module: str) -> None:
    forbidden = ("torch", "torchvision", "zoo.registry", "zoo.factory", "zoo.blocks", "zoo.classifier", "zoo.weights")
    assert not [name for name in imports(module) if within(name, *forbidden)]


@pytest.mark.parametrize("kind", ["metrics", "studies"])
def test_entries_of_a_list_do_not_know_one_another_s_list(kind: str) -> None:
    """A metric or study may build on another's file, never on the list that both are in."""
    for module in MODULES:
        if within(module, f"benchmarks.{kind}") and module != f"benchmarks.{kind}" and not module.endswith("columns"):
            assert f"benchmarks.{kind}" not in {name for name in imports(module) if name.count(".") == 1} or not {
                name for name in imports(module) if name.rpartition(".")[2].isupper() and name.count(".") == 2
            }


@pytest.mark.parametrize("module", MODULES)
def test_files_are_short(module: str) -> None:
    assert source(module).count("\n") <= 400


@pytest.mark.parametrize("module", MODULES)
def test_public_names_are_listed_and_sorted(module: str) -> None:
    if module.endswith("__main__") or all(isinstance(node, ast.Expr) for node in ast.parse(source(module)).body):
        return  # nothing but a docstring
    names = importlib.import_module(module).__all__
    assert list(names) == sorted(names, key=lambda name: (not name.isupper(), not name[0].isupper(), name))
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    "module",
    ["benchmarks.run", "benchmarks.report", "benchmarks.compare", "benchmarks.recommend", "zoo", "zoo.__main__"],
)
def test_heavy_imports_wait(module: str) -> None:
    script = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False, cwd=ROOT).returncode == 0


def test_every_library_that_answers_depend_on_is_pinned() -> None:
    pinned = {Requirement(line).name.lower() for line in (ROOT / "constraints.txt").read_text().splitlines()
              if line and not line.startswith("#")}  # fmt: skip
    named = {"torch"}.union(
        *(metric.libraries for metric in METRICS.values()),
        *(runtime.LIBRARIES for runtime in RUNTIMES.values()),
        *(dataset.libraries for dataset in DATASETS.values()),
    )
    assert named <= pinned
    installed = {Requirement(line).name.lower() for line in requires("comparative-cnn-zoo") or ()}
    assert pinned <= installed | {"torchvision"}
