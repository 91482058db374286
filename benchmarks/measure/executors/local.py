"""This machine's own processes."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path

from benchmarks.measure import worker
from benchmarks.measure.engine import execute, most_threads
from benchmarks.measure.executors.executor import Executor, Job, Say, Tell
from benchmarks.measure.worker import WorkerError
from benchmarks.records.environment import observe
from benchmarks.records.record import Case, Environment, Record

__all__ = ["Local"]

DESCRIBED_WITHIN = 600.0  # seconds that PyTorch may take to say what it is


class Local(Executor):
    """Measures here."""

    def machines(self, cases: Sequence[Case], here: Environment, folder: Path, say: Say) -> list[Environment]:
        """This one, with what PyTorch says of itself, asked in another process; cases: where none, it is not asked."""
        self._environment = here
        if cases:
            worker.start_server(most_threads(cases))
            try:
                details = worker.describe_torch(DESCRIBED_WITHIN)
                self._environment = observe(here.command, torch_details=details)
            except WorkerError as error:
                say(f"PyTorch cannot be described: {error.reason}")
        return [self._environment]

    def execute(self, jobs: Sequence[Job], *, timeout: float, tell: Tell, folder: str) -> Generator[Record, None, None]:
        """See `Executor.execute`."""
        cases = [job.case for job in jobs]
        if cases:  # else it was never asked what it is
            yield from execute(cases, self._environment, timeout=timeout, tell=tell, folder=folder)
