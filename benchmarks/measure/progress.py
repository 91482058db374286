"""What a person waiting for a run sees: how many cases are done, the time taken and left, and what goes on now."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from benchmarks.metrics import METRICS
from benchmarks.plan.cost import kind_of
from benchmarks.plan.forecast import Forecast, duration
from benchmarks.records.naming import conditions_of, names_of
from benchmarks.records.record import Case, Record

__all__ = ["Display"]

EVERY = 30.0  # seconds between two lines where there is no terminal
MOST_LINES = 4  # of cases that go on side by side


class Display:
    """A bar on a terminal; elsewhere a line a case and one each half minute. A context manager.

    Args:
        cases: all that will be measured.
        records: what earlier runs found on this machine, for the time left.
        jobs: how many records there will be; 0 for one a case.
        lanes: how many cases of a kind go on side by side; 0 for as many as this machine has room for.
        where: where they do, in words; empty for here.
    """

    def __init__(
        self,
        cases: Iterable[Case],
        records: Iterable[Record] = (),
        *,
        jobs: int = 0,
        lanes: Callable[[str], int] = lambda kind: 0,
        where: Callable[[], str] = lambda: "",
    ) -> None:
        self._names = names_of(cases, _told)
        self._forecast = Forecast(self._names, records, lanes=lanes)
        self._jobs, self._where = jobs or len(self._names), where
        self._now: dict[Case, str] = {}  # what goes on: trainings side by side, or else one case
        self._finished = 0
        self._lock = threading.RLock()  # the bar is drawn, and lines are written, by a thread of their own
        self._console = Console(stderr=True, markup=False, emoji=False, highlight=False)
        self._live = Live(self, console=self._console, refresh_per_second=2)
        self._over = threading.Event()

    def step(self, case: Case, step: str, share: float) -> None:
        """What is going on, and the share of the case that is done."""
        name = self._names.get(case) or " ".join([case.metric, case.model, *conditions_of(case, _told(case))])
        with self._lock:
            self._forecast.step(case, share)
            # trainings go on side by side, and all cases on a cluster; whatever else there was is over, and a network
            # that is only timed for its rounds to be compared, which is no case of the run, never says so
            kind = kind_of(case)
            side = {
                each: said
                for each, said in self._now.items()
                if kind_of(each) == kind == "training" or (self._where() and kind_of(each) != kind)
            }
            self._now = side | {case: f"{name} {step}".strip()}

    def finish(self, record: Record) -> None:
        """A case is done: a line says so where no bar does or where it failed, and one each of what is to be known."""
        name = self._names[record.case]
        with self._lock:
            self._finished += 1
            self._now.pop(record.case, None)
            self._forecast.finish(record)
            if record.status != "ok" or not self._console.is_terminal:
                self._say(f"{self._count} {record.status} {name}{record.reason and f': {record.reason}'}")
            for note in record.notes:
                self._say(f"note: {name}: {note}")

    @property
    def line(self) -> str:
        """Where the run is, in one line: cases done, time taken and left, what goes on."""
        with self._lock:
            return f"{self._count} done, {self._times}{': ' if self._now else ''}{' | '.join(self._now.values())}"

    @property
    def _count(self) -> str:
        return f"{self._finished}/{self._jobs}"

    @property
    def _times(self) -> str:
        left = "" if self._over.is_set() else f", about {duration(self._forecast.left)} left"
        where = self._where()
        return f"{where}{where and ', '}{duration(self._forecast.elapsed)} elapsed{left}"

    def __rich__(self) -> RenderableType:
        """A line with the count and the times, however narrow the terminal, and a line for each case that goes on."""
        with self._lock:
            bar = Table.grid(expand=True, padding=(0, 1, 0, 0))
            for ratio in (None, 1, None):
                bar.add_column(no_wrap=True, ratio=ratio)
            elapsed, left = self._forecast.elapsed, 0.0 if self._over.is_set() else self._forecast.left
            bar.add_row(self._count, ProgressBar(total=elapsed + left, completed=elapsed), self._times)
            lines = [f"  {text}" for text in self._now.values()]
        if len(lines) > MOST_LINES:
            lines[MOST_LINES - 1 :] = [f"  and {len(lines) - MOST_LINES + 1} more"]
        return Group(bar, *(Text(line, no_wrap=True, overflow="ellipsis") for line in lines))

    def _say(self, line: str) -> None:
        self._console.print(line, soft_wrap=not self._console.is_terminal)

    def _say_where(self) -> None:
        while not self._over.wait(EVERY):
            self._say(self.line)

    def __enter__(self) -> Display:
        if self._console.is_terminal:
            self._live.start()
        else:
            threading.Thread(target=self._say_where, daemon=True, name="progress").start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._live.stop()
        if not self._console.is_terminal:
            self._say(self.line)


def _told(case: Case) -> set[str]:
    """What the name of a case says of it in any event: the runtime, where there is one."""
    return {"runtime"} & set(METRICS[case.metric].depends_on)
