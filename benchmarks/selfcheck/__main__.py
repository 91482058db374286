"""`python -m benchmarks.selfcheck`: what this project asks of itself, measured and held against the bars."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pkgutil import resolve_name

from zoo.shell import run_command

CHECKS = {
    "speed": "benchmarks.selfcheck.speed.page:BENCHMARK.main",
    "measurement": "benchmarks.selfcheck.measurement.page:BENCHMARK.main",
    "loading": "benchmarks.selfcheck.loading:BENCHMARK.main",
    "training": "benchmarks.selfcheck.training.page:BENCHMARK.main",
    "parity": "benchmarks.selfcheck.parity:BENCHMARK.main",
    "deploy": "benchmarks.selfcheck.deploy:main",
    "page": "benchmarks.selfcheck.page:BENCHMARK.main",
    "contract": "benchmarks.selfcheck.contract:BENCHMARK.main",
    "tutorial": "benchmarks.selfcheck.tutorial.notebook:main",
    "scale": "benchmarks.selfcheck.scale.page:BENCHMARK.main",
    "gpu": "benchmarks.selfcheck.gpu.page:BENCHMARK.main",
    "restamp": "benchmarks.selfcheck.restamp:main",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Does what the command line says and returns the exit status: of each check its own, 2 for a wrong line."""
    from benchmarks.plan.arguments import Parser  # every task's process imports this module first

    typed = list(sys.argv[1:] if arguments is None else arguments)
    parser = Parser(prog="python -m benchmarks.selfcheck", description=__doc__)
    parser.add_argument("check", choices=list(CHECKS), help="each has a --help of its own")
    check = parser.parse_args(typed[:1]).check
    return int(resolve_name(CHECKS[check])(typed[1:]))


if __name__ == "__main__":
    run_command(main)
