"""What a person waits for before anything runs: imports and the static table, timed from outside the process."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from benchmarks.selfcheck.speed.turns import play

__all__ = ["PROGRAMS", "STATIC", "measure"]

STATIC = ("-m", "benchmarks.run", "--models", "all", "--metrics", "params,mult_adds,activations", "--fresh")
PROGRAMS = {
    "import torch": ("-c", "import torch"),
    "import zoo": ("-c", "import zoo"),
    "import torch, torchvision, fvcore.nn": ("-c", "import torch, torchvision, fvcore.nn"),
}
ROUNDS = (7, 7)


def measure() -> dict[str, Any]:
    """Seconds of each program, round by round, as JSON values."""
    with tempfile.TemporaryDirectory() as folder:
        programs = {**PROGRAMS, "static": (*STATIC, "--output-dir", folder)}
        players = {name: partial(_seconds, program) for name, program in programs.items()}
        first = players["static"]()  # fvcore's cross-check is made once and kept; imports are in the disk cache now
        played = play(players, rounds=ROUNDS, seconds=0.0, threaded=False)
    return {"first_static_s": first, **played}


def _seconds(program: Sequence[str]) -> float:
    # Python keeps what it has compiled, unless it is told not to: else every start compiles the source again
    keeping = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    start = time.perf_counter()
    done = subprocess.run([sys.executable, *program], capture_output=True, encoding="utf-8", check=False, env=keeping)
    seconds = time.perf_counter() - start
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(program)} ended with status {done.returncode}: {done.stderr.strip()[-500:]}")
    return seconds
