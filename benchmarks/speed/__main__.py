"""Measures and writes: `python -m benchmarks.speed --output-dir reports`."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.environment import observe
from benchmarks.files import replace_file
from benchmarks.records import Environment
from benchmarks.speed import inference, starting, training
from benchmarks.speed.page import write_page
from benchmarks.speed.references import MODELS

__all__ = ["main"]

FILE = "speed.json"
SECTIONS = ("starting", "inference", "training")

Task = Callable[[], dict[str, Any]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 all was measured; 1 something failed, and the page says what; 2 the command line was wrong."""
    given = _parse(sys.argv[1:] if arguments is None else arguments)
    environment = observe(shlex.join(["python", "-m", "benchmarks.speed", *(arguments or sys.argv[1:])]))
    folder = Path(given.output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    cases = {} if given.fresh else _earlier(folder / FILE, environment)
    asked = given.sections.split(",") if given.sections else None
    tasks = _tasks()
    for key, task in tasks.items():
        section = key.partition(" ")[0]
        if given.report_only or (asked is None and "error" not in cases.get(key, {"error": ""})):
            continue
        if asked is not None and section not in asked:
            continue
        print(f"benchmarks.speed: {key}", file=sys.stderr, flush=True)
        cases[key] = _measured(task, environment)
        _write(folder, environment, cases)
    _write(folder, environment, cases)
    failed = [key for key in tasks if "error" in cases.get(key, {"error": "not measured"})]
    for key in failed:
        print(f"benchmarks.speed: {key}: {cases.get(key, {}).get('error', 'not measured')}", file=sys.stderr)
    return 1 if failed else 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__)
    parser.add_argument("--output-dir", default="reports", help="where speed.md, speed.json and figures/ go")
    parser.add_argument(
        "--sections", help=f"measure only these, again: of {', '.join(SECTIONS)}; default what is missing"
    )
    parser.add_argument("--fresh", action="store_true", help="forget what was measured before")
    parser.add_argument("--report-only", action="store_true", help="write the page from what was measured before")
    given = parser.parse_args(arguments)
    unknown = [name for name in (given.sections or SECTIONS[0]).split(",") if name not in SECTIONS]
    if unknown:
        parser.error(f"no section is named {unknown[0]!r}; there are {', '.join(SECTIONS)}")
    return given


def _tasks() -> dict[str, Task]:
    """What there is to measure, by "section [model [batch]]"."""
    tasks: dict[str, Task] = {"starting": starting.measure}
    for name in MODELS:
        for batch in inference.BATCH_SIZES:
            tasks[f"inference {name} {batch}"] = partial(inference.measure, name, batch)
    for name in MODELS:
        tasks[f"training {name}"] = partial(training.measure, name)
    return tasks


def _measured(task: Task, environment: Environment) -> dict[str, Any]:
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
        with ProcessPoolExecutor(1, mp_context=context) as pool:
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


def _write(folder: Path, environment: Environment, cases: dict[str, dict[str, Any]]) -> None:
    content = {
        "machine": dict(environment.machine),
        "software": dict(environment.software),
        "command": environment.command,
        "cases": cases,
    }
    replace_file(folder / FILE, json.dumps(content, indent=1, sort_keys=True, default=str) + "\n")
    write_page(content, folder)


if __name__ == "__main__":
    sys.exit(main())
