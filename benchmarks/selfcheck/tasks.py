"""Self-checks: tasks measured one by one, each in a process of its own, kept as JSON beside their page.

What was measured on this machine with these versions is kept, so that an interrupted check goes on, and a section can
be measured alone.
"""

from __future__ import annotations

import json
import multiprocessing
import shlex
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measure.worker import die_with_parent
from benchmarks.plan.arguments import Parser
from benchmarks.records.environment import observe
from benchmarks.records.files import replace_file
from benchmarks.records.record import Environment
from benchmarks.report.bars import CheckPage, measured_ones

__all__ = ["Benchmark", "Task"]

Task = Callable[[], dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """Tasks and their page.

    Args:
        name: for `python -m benchmarks.selfcheck`, and of the JSON file and the page.
        description: one line for `--help`.
        tasks: what there is to measure, by "section [more words]"; they return JSON values. Sections can be measured
            alone.
        page: what is made of it.
    """

    name: str
    description: str
    tasks: Mapping[str, Task]
    page: CheckPage

    def main(self, arguments: Sequence[str]) -> int:
        """Exit status: 0 all is measured and every bar met; 1 something is not, and the page says what."""
        output_dir, asked, fresh, report_only = self._parse(arguments)
        path = output_dir / f"{self.name}.json"
        if report_only:
            return self._rewrite_page(path)
        environment = observe(shlex.join(["python", "-m", "benchmarks.selfcheck", self.name, *arguments]))
        output_dir.mkdir(parents=True, exist_ok=True)
        cases = {} if fresh else _earlier(path, environment)
        content = {
            "machine": dict(environment.machine),
            "software": dict(environment.software),
            "command": environment.command,
            "cases": cases,
        }
        for key, task in self.tasks.items():
            missing = "error" in cases.get(key, {"error": "not measured"})
            if any(_within(key, each) for each in asked) if asked else missing:
                self._say(key)
                cases[key] = measured(task, environment)
                self._write(content, path)
        self._write(content, path)
        errors = {key: cases.get(key, {"error": "not measured"}).get("error") for key in self.tasks}
        failed = [f"{key}: {error}" for key, error in errors.items() if error is not None]
        missed = [bar for bar in self.page.bars(measured_ones(cases)) if bar.met is False]
        self._say(*failed, *(f"not met: {bar.text}: {bar.found}" for bar in missed))
        return 1 if failed or missed else 0

    def _write(self, content: Mapping[str, Any], path: Path) -> None:
        replace_file(path, json.dumps(content, indent=1, sort_keys=True, default=str) + "\n")
        self.page.write(content, path.with_suffix(".md"))

    def _rewrite_page(self, path: Path) -> int:
        """The page from what was measured; that, with the command and the commit of the time, stays as it is."""
        try:
            content = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            self._say(f"nothing to report: {path}: {error}")
            return 1
        self.page.write(content, path.with_suffix(".md"))
        return 0

    def _say(self, *lines: str) -> None:
        for line in lines:
            print(f"benchmarks.selfcheck {self.name}: {line}", file=sys.stderr, flush=True)

    def _parse(self, arguments: Sequence[str]) -> tuple[Path, list[str], bool, bool]:
        """Output folder, sections asked for, whether to measure all again and whether to measure at all."""
        sections = ", ".join(dict.fromkeys(key.partition(" ")[0] for key in self.tasks))
        parser = Parser(prog=f"python -m benchmarks.selfcheck {self.name}", description=self.description)
        parser.add_argument("--output-dir", type=Path, default=Path("reports"),
                            help=f"where {self.name}.md, {self.name}.json and figures/ go")  # fmt: skip
        parser.add_argument("--sections", default="", help=f"measure only these, again: of {sections}, or single tasks "
                            f"({list(self.tasks)[-1]}); default what is missing")  # fmt: skip
        parser.add_argument("--fresh", action="store_true", help="forget what was measured before")
        parser.add_argument("--report-only", action="store_true", help="write the page from what was measured before")
        given = parser.parse_args(arguments)
        asked = list(filter(None, given.sections.split(",")))
        unknown = [name for name in asked if not any(_within(key, name) for key in self.tasks)]
        if unknown:
            parser.error(f"no section is named {unknown[0]!r}; there are {sections}")
        return given.output_dir, asked, given.fresh, given.report_only


def _within(key: str, section: str) -> bool:
    return f"{key} ".startswith(f"{section} ")


def measured(task: Task, environment: Environment) -> dict[str, Any]:
    """A task's findings from a process of its own; a failure is a finding too."""
    started = time.perf_counter()
    facts = {
        "machine": environment.machine_id,
        "packages": environment.software.get("packages", {}),
        "commit": environment.software.get("commit", ""),
        "utc": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    context = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(1, mp_context=context, initializer=die_with_parent) as pool:
            found = pool.submit(task).result()
    except Exception as error:  # a broken pool or whatever the task raised: the other tasks go on
        found = {"error": f"{type(error).__name__}: {error}"}
    return {**found, **facts, "wall_s": time.perf_counter() - started}


def _earlier(path: Path, environment: Environment) -> dict[str, dict[str, Any]]:
    """What was measured before on this machine with these versions."""
    try:
        cases: dict[str, dict[str, Any]] = json.loads(path.read_text())["cases"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    packages = environment.software.get("packages", {})
    return {
        key: case
        for key, case in cases.items()
        if case.get("machine") == environment.machine_id and case.get("packages") == packages
    }
