"""What a person waiting for a run sees: the case, the count and the time left."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from benchmarks.metrics import METRICS
from benchmarks.plan.cost import seconds_of
from benchmarks.records.naming import names_of
from benchmarks.records.record import Case, Record

__all__ = ["Display"]


class Display:
    """A bar on a terminal, a line a record elsewhere; a context manager.

    Args:
        cases: all that will be measured.
    """

    def __init__(self, cases: Iterable[Case]) -> None:
        self._names = names_of(cases)
        self._weights = {case: seconds_of(case) for case in self._names}
        self._shares = dict.fromkeys(self._weights, 0.0)
        self._running: dict[Case, str] = {}  # of those that run side by side, what each is doing
        self._finished = 0
        self._console = Console(stderr=True, markup=False, emoji=False, highlight=False)
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
        self._task = self._bar.add_task("", total=sum(self._weights.values()), count=f"0/{len(self._names)}")

    def step(self, case: Case, step: str, share: float) -> None:
        """What is going on, and the share of the case that is done."""
        if case in self._shares:
            self._shares[case] = max(self._shares[case], share)
        text = f"{self._names.get(case, f'{case.metric} {case.model}')} {step}"
        if METRICS[case.metric].slow:
            self._running[case] = text
        self._refresh(" | ".join(self._running.values()) or text)

    def finish(self, record: Record) -> None:
        """A case is done: a line says so where no bar does or where it failed, and one each of what is to be known."""
        self._finished += 1
        self._running.pop(record.case, None)
        self._shares[record.case] = 1.0
        name = self._names[record.case]
        if record.status != "ok" or not self._console.is_terminal:
            self._say(f"{self._count} {record.status} {name}{record.reason and f': {record.reason}'}")
        for note in record.notes:
            self._say(f"note: {name}: {note}")
        self._refresh(name)

    @property
    def _count(self) -> str:
        return f"{self._finished}/{len(self._names)}"

    def _say(self, line: str) -> None:
        self._console.print(line, soft_wrap=not self._console.is_terminal)

    def _refresh(self, text: str) -> None:
        done = sum(weight * self._shares[case] for case, weight in self._weights.items())
        self._bar.update(self._task, completed=done, description=text, count=self._count)

    def __enter__(self) -> Display:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()
