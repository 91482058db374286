"""`python -m tests.mutants`: puts faults into a clone, one at a time, and sees whether the tests notice.

A fault is one small change of the syntax tree: another operator, a negated condition, a number one larger, a call left
out, nothing returned. The files and the size of the sample are in pyproject.toml, `[tool.mutants]`. Which tests reach a
line is found by running the fast suite once under coverage (pytest-cov); for a fault the most specific of them are run
and its file's own, for a line may run only in processes that coverage does not see. Works on HEAD, in temporary clones,
never in the working tree. Takes an hour or two; prints a Markdown page. With `--outcomes FILE` it goes on from what an
earlier run of the same commit has found out.
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from queue import Queue

ROOT = Path(__file__).parent.parent
MOST_TESTS = 40  # for one fault, those that reach the fewest lines besides
SECONDS = 300  # after which a fault has made something endless, which is noticed too

OPERATORS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Lt: ast.GtE, ast.LtE: ast.Gt, ast.Gt: ast.LtE, ast.GtE: ast.Lt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip
NAMES = {"max": "min", "min": "max", "any": "all", "all": "any", "sum": "max", "sorted": "list"}


@dataclass(frozen=True, slots=True)
class Fault:
    """Change number `place` of those possible in a file."""

    path: str
    place: int
    kind: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line} {self.kind}: `{self.text}`"


def sites(tree: ast.Module) -> Iterator[tuple[ast.AST, str]]:
    """Every node that can be changed and what the change is.

    None in annotations, decorators, imports, messages or docstrings, which compute nothing.
    """
    untouched: set[int] = set()
    for node in ast.walk(tree):
        parts = [getattr(node, "annotation", None), getattr(node, "returns", None)]
        parts += getattr(node, "decorator_list", ())
        if isinstance(node, (ast.Import, ast.ImportFrom, ast.Raise, ast.JoinedStr)):
            parts.append(node)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            parts.append(node)
        untouched |= {id(inner) for part in parts if part is not None for inner in ast.walk(part)}
    for node in ast.walk(tree):
        if id(node) in untouched:
            continue
        match node:
            case ast.BinOp(op=op) | ast.BoolOp(op=op) | ast.Compare(ops=[op, *_]) if type(op) in OPERATORS:
                yield node, "operator"
            case ast.If() | ast.IfExp():
                yield node, "condition"
            case ast.Call(func=ast.Name(id=name)) if name in NAMES:
                yield node, "function"
            case ast.Constant(value=bool() | int() | float()):
                yield node, "number"
            case ast.Return(value=ast.Constant(value=None)):
                pass  # as it is
            case ast.Return(value=ast.expr()):
                yield node, "return"
            case ast.Expr(value=ast.Call()) | ast.AugAssign():
                yield node, "left out"


def change(node: ast.AST, kind: str) -> None:
    """Makes the fault in the tree."""
    match node:
        case ast.BinOp() | ast.BoolOp():
            node.op = OPERATORS[type(node.op)]()  # type: ignore[assignment]
        case ast.Compare():
            node.ops[0] = OPERATORS[type(node.ops[0])]()  # type: ignore[call-overload]
        case ast.If() | ast.IfExp():
            node.test = ast.UnaryOp(ast.Not(), node.test)
        case ast.Call(func=ast.Name() as function):
            function.id = NAMES[function.id]
        case ast.Constant(value=bool() | int() | float() as value):
            node.value = not value if isinstance(value, bool) else value + 1
        case ast.Return():
            node.value = ast.Constant(None)
        case _:
            node.__class__, node._fields = ast.Pass, ()  # type: ignore[assignment, misc]


def faults_in(root: Path, patterns: list[str]) -> list[Fault]:
    """Every fault that can be made in the files."""
    found = []
    for path in sorted({path for pattern in patterns for path in root.glob(pattern)}):
        lines = path.read_text(encoding="utf-8").splitlines()
        for place, (node, kind) in enumerate(sites(ast.parse("\n".join(lines)))):
            line: int = node.lineno  # type: ignore[attr-defined]
            found.append(Fault(str(path.relative_to(root)), place, kind, line, lines[line - 1].strip()[:80]))
    return found


class Reach:
    """Which tests reach a line, from coverage's database."""

    def __init__(self, database: Path) -> None:
        from coverage.numbits import numbits_to_nums

        self._lines: dict[str, dict[int, set[str]]] = {}
        self._size: dict[str, int] = {}
        rows = sqlite3.connect(database).execute(
            "select path, context, numbits from line_bits join file on file.id = file_id "
            "join context on context.id = context_id where context != ''"
        )
        for path, context, numbits in rows:
            test, lines = context.partition("|")[0], numbits_to_nums(numbits)
            self._size[test] = self._size.get(test, 0) + len(lines)
            reached = self._lines.setdefault(path, {})
            for line in lines:
                reached.setdefault(line, set()).add(test)

    @cache  # noqa: B019 (one instance lives as long as the run)
    def tests(self, path: str, line: int) -> tuple[str, ...]:
        """The most specific tests that reach the line, else those that reach its file, and all of its file's own."""
        reached = self._lines.get(path, {})
        own = f"tests/{Path(path).parent}/test_{Path(path).name}"
        tests = reached.get(line) or set().union(*reached.values())
        others = [test for test in tests if not test.startswith(f"{own}::")]
        first = sorted(others, key=lambda test: (self._size[test], test))[:MOST_TESTS]
        return (*([own] if (ROOT / own).exists() else []), *first)


def pytest(root: Path, *arguments: str, seconds: float | None = None) -> bool:
    """Whether these tests pass there."""
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    try:
        ended = subprocess.run(command, cwd=root, env=environment, capture_output=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        return False
    return ended.returncode == 0


def survives(fault: Fault, root: Path, tests: tuple[str, ...]) -> bool:
    """Whether the tests pass with the fault in."""
    path = root / fault.path
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    node, kind = list(sites(tree))[fault.place]
    change(node, kind)
    try:
        path.write_text(ast.unparse(ast.fix_missing_locations(tree)), encoding="utf-8")
        return pytest(root, "-x", "-n", "0", *tests, seconds=SECONDS)
    finally:
        path.write_text(text, encoding="utf-8")


def main() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mutants"]
    parser = argparse.ArgumentParser(prog="tests.mutants", description="Sees whether the tests notice faults.")
    parser.add_argument("--faults", type=int, default=settings["faults"], help="how many are tried")
    parser.add_argument("--seed", type=int, default=settings["seed"], help="of the sample")
    parser.add_argument("--files", nargs="*", default=settings["files"], help="patterns")
    parser.add_argument("--processes", type=int, default=2, help="side by side")
    parser.add_argument("--outcomes", type=Path, help="file that keeps what has become of each fault")
    parser.add_argument("--coverage", type=Path, help="coverage database of an earlier run of HEAD")
    given = parser.parse_args()
    commit = subprocess.check_output(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, text=True).strip()
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        clones: Queue[Path] = Queue()
        for number in range(given.processes):
            clone = Path(folder) / str(number)
            subprocess.run(["git", "clone", "-q", "--local", ROOT, clone], check=True)
            clones.put(clone)
        first = Path(folder) / "0"
        database = given.coverage or first / ".coverage"
        if not given.coverage:
            pytest(first, "--cov=zoo", "--cov=benchmarks", "--cov-context=test", "--cov-report=")
            shutil.copy(database, Path(tempfile.gettempdir()) / f"mutants-{commit}.coverage")
        reach = Reach(database)
        pool = faults_in(first, given.files)
        sample = random.Random(given.seed).sample(pool, min(given.faults, len(pool)))

        outcomes: Path | None = given.outcomes
        kept = outcomes.read_text(encoding="utf-8").splitlines() if outcomes and outcomes.exists() else []

        def lives(fault: Fault) -> bool:
            said = {True: f"{commit} lives {fault} ({fault.place})", False: f"{commit} dies {fault} ({fault.place})"}
            for alive, line in said.items():
                if line in kept:
                    return alive
            tests = reach.tests(fault.path, fault.line)
            clone = clones.get()
            try:
                alive = not tests or survives(fault, clone, tests)
            finally:
                clones.put(clone)
            print(said[alive], file=sys.stderr, flush=True)
            if outcomes:
                with outcomes.open("a", encoding="utf-8") as file:
                    print(said[alive], file=file)
            return alive

        with ThreadPoolExecutor(given.processes) as executor:
            alive = [fault for fault, lived in zip(sample, executor.map(lives, sample), strict=True) if lived]
    died = len(sample) - len(alive)
    print(
        "# Faults put in on purpose\n\n"
        f"{died} of {len(sample)} faults ({died / len(sample):.1%}) were noticed by the fast suite: a random sample "
        f"(seed {given.seed}) of the {len(pool)} that can be made in {', '.join(given.files)}, at commit {commit}.\n\n"
        "`python -m tests.mutants`\n\n## Not noticed\n"
    )
    print(*(f"- {fault}" for fault in sorted(alive, key=str)), sep="\n")


if __name__ == "__main__":
    main()
