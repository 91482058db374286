"""Benchmarks beside the harness: tasks measured one by one, each in a process of its own, kept as JSON.

What was measured on this machine with these versions is kept, so that an interrupted benchmark goes on, and a section
can be measured alone.
"""

from __future__ import annotations

import argparse
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
from benchmarks.records.environment import observe
from benchmarks.records.files import replace_file
from benchmarks.records.record import Environment

__all__ = ["Benchmark", "Task"]

Task = Callable[[], dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """Tasks and their page.

    Args:
        name: of the module behind `python -m benchmarks.`, of the JSON file and of the page.
        description: one line for `--help`.
        sections: first words of the tasks' keys, which can be measured alone.
        tasks: what there is to measure, by "section [more words]"; they return JSON values.
        write_page: writes the page of what was measured into a folder; keys "cases", "machine", "software", "command".
    """

    name: str
    description: str
    sections: Sequence[str]
    tasks: Mapping[str, Task]
    write_page: Callable[[Mapping[str, Any], Path], None]

    def main(self, arguments: Sequence[str] | None = None) -> int:
        """Exit status: 0 all was measured; 1 something failed, and the page says what; 2 the command line was wrong."""
        typed = list(sys.argv[1:] if arguments is None else arguments)
        given = self._parse(typed)
        if given.report_only:
            return self._rewrite_page(Path(given.output_dir))
        environment = observe(shlex.join(["python", "-m", f"benchmarks.{self.name}", *typed]))
        folder = Path(given.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name}.json"
        cases = {} if given.fresh else _earlier(path, environment)
        asked = given.sections.split(",") if given.sections else None

        def write() -> None:
            content = {
                "machine": dict(environment.machine),
                "software": dict(environment.software),
                "command": environment.command,
                "cases": cases,
            }
            replace_file(path, json.dumps(content, indent=1, sort_keys=True, default=str) + "\n")
            self.write_page(content, folder)

        for key, task in self.tasks.items():
            missing = "error" in cases.get(key, {"error": "not measured"})
            if not (missing if asked is None else any(_within(key, each) for each in asked)):
                continue
            print(f"benchmarks.{self.name}: {key}", file=sys.stderr, flush=True)
            cases[key] = measured(task, environment)
            write()
        write()
        errors = {key: cases.get(key, {"error": "not measured"}).get("error") for key in self.tasks}
        for key, error in errors.items():
            if error is not None:
                print(f"benchmarks.{self.name}: {key}: {error}", file=sys.stderr)
        return 1 if any(error is not None for error in errors.values()) else 0

    def _rewrite_page(self, folder: Path) -> int:
        """The page anew; the file behind it, with the command and the commit that measured, stays as it is."""
        path = folder / f"{self.name}.json"
        try:
            content = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            print(f"benchmarks.{self.name}: nothing to report: {path}: {error}", file=sys.stderr)
            return 1
        self.write_page(content, folder)
        return 0

    def _parse(self, arguments: Sequence[str]) -> argparse.Namespace:
        parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{self.name}", description=self.description)
        parser.add_argument(
            "--output-dir", default="reports", help=f"where {self.name}.md, {self.name}.json and figures/ go"
        )
        parser.add_argument(
            "--sections",
            help=f"measure only these, again: of {', '.join(self.sections)}, or single tasks ({list(self.tasks)[-1]}); "
            "default what is missing",
        )
        parser.add_argument("--fresh", action="store_true", help="forget what was measured before")
        parser.add_argument("--report-only", action="store_true", help="write the page from what was measured before")
        given = parser.parse_args(arguments)
        asked = (given.sections or self.sections[0]).split(",")
        unknown = [name for name in asked if not any(_within(key, name) for key in self.tasks)]
        if unknown:
            parser.error(f"no section is named {unknown[0]!r}; there are {', '.join(self.sections)}")
        return given


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
