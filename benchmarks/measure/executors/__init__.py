"""Where cases are measured: in this machine's processes, or on the nodes of a Ray cluster. A further way is one file
here and one line.
"""

from __future__ import annotations

from pkgutil import resolve_name

from benchmarks.measure.executors.executor import Executor

__all__ = ["EXECUTORS", "open_executor"]

EXECUTORS = {
    "local": "benchmarks.measure.executors.local:Local",
    "ray": "benchmarks.measure.executors.ray:Ray",
}


def open_executor(name: str, **options: object) -> Executor:
    """An executor, a context manager; nothing is imported for one that is not asked for.

    Args:
        options: of the executor (`address`, `ship_code`).

    Raises:
        ExecutorError: it cannot be had here; the message is one line for a person.
    """
    executor: Executor = resolve_name(EXECUTORS[name])(**options)
    return executor
