"""Self-checks: tasks measured one by one, each in a process of its own, kept as JSON beside their page.

What was measured on this machine with these versions is kept, so that an interrupted check goes on. A section can be
measured alone; the others then stay as they are, also another machine's, and the page says whose they are.
"""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import shlex
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.measure.worker import die_with_parent, signals_held
from benchmarks.plan.arguments import Parser
from benchmarks.records.environment import observe
from benchmarks.records.files import read_file, replace_file
from benchmarks.records.manifest import adopt, foreign
from benchmarks.records.record import Environment
from benchmarks.records.store import RECORDS, read_records
from benchmarks.report.bars import CheckPage, made_on, measured_ones
from benchmarks.report.drawing import FORMATS

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
        computed: further sections, worked out of the output folder's records with nothing timed.
        inputs: flags for files that do not come with the project, each with its help.
        fed: further tasks, of what these flags say; measured only where all of them are given.
    """

    name: str
    description: str
    tasks: Mapping[str, Task]
    page: CheckPage
    computed: Mapping[str, Callable[[Path], dict[str, Any]]] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    fed: Mapping[str, Callable[[Mapping[str, str]], dict[str, Any]]] = field(default_factory=dict)

    def main(self, arguments: Sequence[str]) -> int:
        """Exit status: 0 all is measured and every bar met; 1 something is not, and the page says what."""
        output_dir, asked, inputs, fresh, report_only = self._parse(arguments)
        path = output_dir / f"{self.name}.json"
        try:
            return self._rewrite_page(path) if report_only else self._measure(path, arguments, asked, inputs, fresh)
        except OSError as error:
            self._say(f"{error.filename or path}: {error.strerror}; or choose another --output-dir")
            return 2 if isinstance(error, FileExistsError) else 1

    def _measure(
        self, path: Path, arguments: Sequence[str], asked: Sequence[str], inputs: Mapping[str, str], fresh: bool
    ) -> int:
        """What is asked for, or missing, each case kept as soon as it is measured; the exit status."""
        environment = observe(shlex.join(["python", "-m", "benchmarks.selfcheck", self.name, *arguments]))
        self._claim(path)
        earlier = {} if fresh else _content(path)
        cases = _kept(earlier, environment, all_of_them=bool(asked))
        content: dict[str, Any] = {
            "machine": dict(environment.machine),
            "software": dict(environment.software),
            "command": environment.command,
            "cases": cases,
            "others": _others(earlier, environment) if asked else [],
        }
        tasks: dict[str, Task] = dict(self.tasks)
        tasks |= {key: partial(work, inputs) for key, work in self.fed.items() if inputs}
        tasks |= {key: partial(work, path.parent) for key, work in self.computed.items()}
        wanted = [key for key in tasks if any(_within(key, each) for each in asked)]
        for key, task in tasks.items():
            if key in wanted if asked else "error" in cases.get(key, {"error": "not measured"}):
                self._say(key)
                try:
                    cases[key] = measured(task, environment)
                except KeyboardInterrupt:
                    self._say("interrupted; what was measured is kept, and the same command goes on from there")
                    raise
                self._write(content, path)
        self._write(content, path)
        errors = {key: cases.get(key, {"error": "not measured"}).get("error") for key in tasks}
        failed = [f"{key}: {error}" for key, error in errors.items() if error is not None]
        missed = [bar for bar in self.page.bars(measured_ones(cases)) if bar.met is False]
        self._say(*failed, *(f"not met: {bar.text}: {bar.found}" for bar in missed))
        return 1 if failed or missed else 0

    @property
    def _sections(self) -> list[str]:
        return [*self.tasks, *self.fed, *self.computed]

    def _claim(self, path: Path) -> None:
        """Begins or goes on with the output folder; raises `FileExistsError` where a file in it is somebody else's."""
        pages = [f"{self.name}.md", *(f"figures/{self.name}.{ending}" for ending in FORMATS)]
        measured_before = "cases" in _content(path)
        records = read_records(path.with_name(RECORDS))
        worked_in = measured_before or (records.own and bool(records.content))
        theirs = [path.name] if os.path.lexists(path) and not measured_before else []
        theirs += foreign(path.parent, lambda: pages, worked_in=worked_in)
        if theirs:
            raise FileExistsError(
                errno.EEXIST, "is not as this harness wrote it; move it away", path.parent / theirs[0]
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        adopt(path.parent, worked_in=worked_in)

    def _write(self, content: Mapping[str, Any], path: Path) -> None:
        replace_file(path, json.dumps(content, indent=1, sort_keys=True, default=str) + "\n")
        self.page.write(content, path.with_suffix(".md"))

    def _rewrite_page(self, path: Path) -> int:
        """The page from what was measured; that, with the command and the commit of the time, stays as it is."""
        content = _content(path)
        if "cases" not in content:
            self._say(f"nothing to report: {path} holds nothing that was measured")
            return 1
        self._claim(path)
        self.page.write(content, path.with_suffix(".md"))
        return 0

    def _say(self, *lines: str) -> None:
        for line in lines:
            print(f"benchmarks.selfcheck {self.name}: {line}", file=sys.stderr, flush=True)

    def _parse(self, arguments: Sequence[str]) -> tuple[Path, list[str], dict[str, str], bool, bool]:
        """Output folder, sections asked for, inputs, whether to measure all again and whether to measure at all."""
        sections = ", ".join(dict.fromkeys(key.partition(" ")[0] for key in self._sections))
        parser = Parser(prog=f"python -m benchmarks.selfcheck {self.name}", description=self.description)
        parser.add_argument("--output-dir", type=Path, default=Path("reports"),
                            help=f"where {self.name}.md, {self.name}.json and figures/ go")  # fmt: skip
        parser.add_argument("--sections", default="", help=f"measure only these, again: of {sections}, or single tasks "
                            f"({list(self._sections)[-1]}); default what is missing")  # fmt: skip
        parser.add_argument("--fresh", action="store_true", help="forget what was measured before")
        parser.add_argument("--report-only", action="store_true", help="write the page from what was measured before")
        for flag, text in self.inputs.items():
            parser.add_argument(f"--{flag}", help=text)
        given = parser.parse_args(arguments)
        asked, pending = [], ""
        for part in filter(None, given.sections.split(",")):
            pending = f"{pending},{part}" if pending else part  # the name of a task may hold commas
            if any(_within(key, pending) for key in self._sections):
                asked.append(pending)
                pending = ""
        if pending:
            parser.error(f"no section is named {pending.partition(',')[0]!r}; there are {sections}")
        inputs = {flag: getattr(given, flag.replace("-", "_")) for flag in self.inputs}
        missing = [f"--{flag}" for flag, value in inputs.items() if value is None]
        starved = [name for name in asked if any(_within(key, name) for key in self.fed)]
        if missing and (starved or len(missing) < len(inputs)):
            parser.error(f"{starved[0] if starved else 'what is measured on files'} needs {' and '.join(missing)} too")
        return given.output_dir, asked, {} if missing else inputs, given.fresh, given.report_only


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
            with signals_held():  # a process of the pool is started by the first task
                answer = pool.submit(task)
            try:
                found = answer.result()
            except KeyboardInterrupt:
                for process in multiprocessing.active_children():
                    process.kill()
                raise
    except Exception as error:  # a broken pool or whatever the task raised: the other tasks go on
        found = {"error": f"{type(error).__name__}: {error}"}
    return {**found, **facts, "wall_s": time.perf_counter() - started}


def _kept(earlier: Mapping[str, Any], environment: Environment, *, all_of_them: bool) -> dict[str, dict[str, Any]]:
    """What was measured before: on this machine with these versions, or all."""
    cases: dict[str, dict[str, Any]] = earlier.get("cases", {})
    return {key: case for key, case in cases.items() if all_of_them or made_on(environment, case)}


def _others(earlier: Mapping[str, Any], environment: Environment) -> list[dict[str, Any]]:
    """The machines, with their versions, that earlier cases were measured on, but for this one."""
    named = [earlier, *earlier.get("others", ())] if earlier else []
    found = [{"machine": each["machine"], "software": each["software"]} for each in named]
    cases = earlier.get("cases", {}).values()
    return [
        each for each in found
        if any(made_on(Environment(**each), case) and not made_on(environment, case) for case in cases)
    ]  # fmt: skip


def _content(path: Path) -> dict[str, Any]:
    """What was kept of a self-check; empty where nothing can be read."""
    try:
        content = json.loads(read_file(path))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) and isinstance(content.get("cases", {}), dict) else {}
