"""What a person waiting for a run sees: the case, the count and the time left."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from benchmarks.metrics import METRICS
from benchmarks.plan.cost import seconds_of
from benchmarks.records.record import Case, Record

__all__ = ["Display"]


class Display:
    """A bar on a terminal, a line a record elsewhere; a context manager.

    Args:
        cases: all that will be measured.
    """

    def __init__(self, cases: Iterable[Case]) -> None:
        self._weights = {case: seconds_of(case) for case in cases}
        self._shares = dict.fromkeys(self._weights, 0.0)
        self._running: dict[Case, str] = {}  # of those that run side by side, what each is doing
        self._finished = 0
        self._console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.fields[count]}"),
            BarColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.description}", markup=False),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("", total=sum(self._weights.values()), count=self._count)

    def step(self, case: Case, step: str, share: float) -> None:
        """What is going on, and the share of the case that is done."""
        if case in self._shares:
            self._shares[case] = max(self._shares[case], share)
        text = " ".join(filter(None, (case.metric, case.model, step)))
        if METRICS[case.metric].slow:
            self._running[case] = text
        self._refresh(" | ".join(list(self._running.values())) or text)

    def finish(self, record: Record) -> None:
        """A case is done."""
        self._finished += 1
        self._running.pop(record.case, None)
        self._shares[record.case] = 1.0
        text = f"{record.case.metric} {record.case.model}"
        if record.status != "ok" and self._console.is_terminal:
            self._console.print(f"{record.status}: {text}: {record.reason}", markup=False, highlight=False)
        elif not self._console.is_terminal:
            reason = f": {record.reason}" if record.reason else ""
            print(f"{self._count} {record.status} {text}{reason}", file=sys.stderr, flush=True)
        self._refresh(text)

    @property
    def _count(self) -> str:
        return f"{self._finished}/{len(self._weights)}"

    def _refresh(self, text: str) -> None:
        done = sum(weight * self._shares[case] for case, weight in self._weights.items())
        self._bar.update(self._task, completed=done, description=text, count=self._count)

    def __enter__(self) -> Display:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()
