"""`tests.benchmarks.fake_run` on a system that is no Linux: what only Linux or Unix has is taken from the project.

Run as `python -m tests.benchmarks.elsewhere ARGUMENTS...`; the processes it starts import this module, too.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from pathlib import Path
from typing import Any

import psutil  # noqa: F401  # which itself needs on Linux what is taken from the project below

LACKING = ("fork", "forkpty", "killpg", "getpgid", "getloadavg", "sched_getaffinity", "sched_setaffinity", "mkfifo")

sys.modules["fcntl"] = sys.modules["resource"] = None  # type: ignore[assignment]
for lacking in LACKING:
    if hasattr(os, lacking):
        delattr(os, lacking)
multiprocessing.get_all_start_methods = lambda: ["spawn"]  # type: ignore[method-assign]


def _without_linux(method: Any, nothing: Any = None) -> Any:
    def called(self: Path, *arguments: Any, **options: Any) -> Any:
        if self.parts[:2] not in (("/", "proc"), ("/", "sys")):
            return method(self, *arguments, **options)
        if nothing is not None:
            return nothing
        raise FileNotFoundError(2, "there is no such folder here", str(self))

    return called


for name in ("open", "stat", "iterdir"):
    setattr(Path, name, _without_linux(getattr(Path, name)))
Path.glob = _without_linux(Path.glob, ())  # type: ignore[method-assign]

if __name__ == "__main__":
    from tests.benchmarks import fake_run
    from zoo.shell import run_command

    fake_run.fake()
    from benchmarks import run

    run_command(run.main)
