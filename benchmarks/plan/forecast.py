"""The time a run has left: what its cases are expected to take, corrected by what it has seen of them so far."""

from __future__ import annotations

import dataclasses
import datetime
import heapq
import statistics
import time
from collections.abc import Callable, Iterable, Mapping

from benchmarks.plan.cost import (
    KINDS,
    at_a_time,
    by_cost,
    call_seconds,
    counts_of,
    end_of,
    kind_of,
    seconds_of,
    start_of,
)
from benchmarks.records.record import FULL, PLAIN, Case, Record

__all__ = ["Forecast", "duration"]

BEGINNING = 8.0  # seconds until PyTorch is imported and the first process measures
REPORT = 5.0  # seconds in which a report is written: before the trainings, and at the end
PRIOR = {"count": 5.0, "alone": 5.0, "timed": 15.0, "training": 40.0}  # expected seconds that evidence must outweigh
OWN = 0.1  # of a training that must be done before its own pace outweighs that of the others
CALLS = ("latency_s", "whole_s")  # measurements of one inference


class Forecast:
    """What is left of a run, in seconds.

    Each kind of case has a pace: seconds taken over seconds expected. Trainings begin with the pace of earlier ones,
    else with that of single inferences. A network that was trained with another seed takes as long again.

    Args:
        cases: all that will be measured.
        records: what earlier runs found on this machine.
        clock: seconds since some moment.
        lanes: how many cases of a kind go on side by side; 0 for as many as this machine has room for.
    """

    def __init__(
        self,
        cases: Iterable[Case],
        records: Iterable[Record] = (),
        clock: Callable[[], float] = time.monotonic,
        *,
        lanes: Callable[[str], int] = lambda kind: 0,
    ) -> None:
        earlier = [record for record in records if record.status == "ok"]
        self._clock, self._began = clock, clock()
        self._waiting = dict.fromkeys(cases)
        self._usual: Mapping[Case, float] = {}  # expected seconds of every case, in the order of trainings
        self._lanes = {kind: lanes(kind) or at_a_time(kind, self._of(kind, self._waiting)) for kind in KINDS}
        self._running: dict[Case, float] = {}  # what was begun, and the share of it that is done
        self._since: dict[Case, float] = {}  # when
        self._timed_since = 0.0  # when the first of the timed cases began, which share their time
        self._last = 0.0  # when the last case ended
        self._taken = dict.fromkeys(KINDS, 0.0)  # seconds, by cases that ended
        self._expected = dict.fromkeys(KINDS, 0.0)
        self._counted = counts_of(earlier)
        self._calls: list[float] = []  # measured over expected seconds of single inferences
        self._alike: dict[Case, float] = {}  # seconds of trainings, whatever the seed
        self._plan(self._waiting)
        trained = [record for record in earlier if kind_of(record.case) == "training"]
        self._earlier = [record.seconds / seconds_of(record.case, self._counted) for record in trained]
        for record in earlier:
            self._learn(record, record.seconds)

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return self._clock() - self._began

    def step(self, case: Case, share: float) -> None:
        """A case has begun, and this share of it is done."""
        if case in self._waiting:
            del self._waiting[case]
            self._running[case], self._since[case] = 0.0, self._clock()
            if kind_of(case) == "timed":
                self._timed_since = self._timed_since or self._clock()
        if case in self._running:
            self._running[case] = max(self._running[case], share)

    def finish(self, record: Record) -> None:
        """A case has ended."""
        case, kind = record.case, kind_of(record.case)
        self._last = self._clock()
        self._waiting.pop(case, None)
        begun = self._running.pop(case, None) is not None
        if record.status == "ok" and begun:
            self._learn(record, self._last - self._since[case])
            self._taken[kind] += self._last - self._since[case]
            self._expected[kind] += self._usual[case]

    def expected(self, case: Case) -> float:
        """Seconds that a case takes from its beginning to its end."""
        return self._expect(case, self._pace(kind_of(case)))

    @property
    def left(self) -> float:
        """Seconds until the run is over."""
        kinds = [kind for kind in KINDS if self._of(kind, self._waiting) or self._of(kind, self._running)]
        if not self._usual:
            return 0.0
        reports = REPORT if kinds else REPORT - (self._clock() - self._last)
        if "training" in kinds and len(kinds) > 1:
            reports += REPORT
        beginning = 0.0 if self._last or self._running else BEGINNING - self.elapsed
        return sum(map(self._until_over, kinds)) + max(beginning, 0.0) + max(reports, 1.0)

    def _until_over(self, kind: str) -> float:
        """Seconds that the cases of a kind need from now on, as many side by side as there are lanes."""
        pace = self._pace(kind)
        lanes = sorted(self._rest(case, pace) for case in self._of(kind, self._running))
        waiting = [self._expect(case, pace) for case in self._of(kind, self._usual) if case in self._waiting]
        if self._lanes[kind] == 1:
            return sum(lanes) + sum(waiting)
        lanes = [0.0] * (self._lanes[kind] - len(lanes)) + lanes
        for seconds in waiting:
            heapq.heapreplace(lanes, lanes[0] + seconds)
        return max(lanes, default=0.0)

    def _pace(self, kind: str) -> float:
        """Seconds that cases of a kind take over seconds that they are expected to take."""
        known = (self._earlier or self._calls) if kind == "training" else ()
        prior = statistics.median(known) if known else 1.0
        running = self._of(kind, self._running)
        taken = self._taken[kind] + sum(self._clock() - self._since[case] for case in running)
        if kind == "timed":
            taken = self._clock() - self._timed_since if self._timed_since else 0.0
        return (PRIOR[kind] * prior + taken) / (PRIOR[kind] + self._expected[kind] + sum(map(self._done, running)))

    def _expect(self, case: Case, pace: float) -> float:
        return self._alike.get(_whatever_seed(case)) or self._usual[case] * pace

    def _rest(self, case: Case, pace: float) -> float:
        """Seconds that a case which runs still needs; a training's own pace counts the more, the more of it is done."""
        usual, done = self._usual[case], self._done(case)
        if kind_of(case) == "training":
            pace = self._expect(case, pace) / usual
            pace = (OWN * usual * pace + self._clock() - self._since[case]) / (OWN * usual + done)
        return (usual - done) * pace

    def _done(self, case: Case) -> float:
        """What is done of a case that runs, in seconds that it is expected to take for it."""
        start = start_of(case)
        told = (self._usual[case] - start) * (1 - end_of(case))
        return min(self._clock() - self._since[case], start) + told * self._running[case]

    def _learn(self, record: Record, seconds: float) -> None:
        """What a record says of the trainings to come: how large networks are, how fast the machine is."""
        case = record.case
        if counted := counts_of([record]):
            self._counted |= counted
            self._plan(self._usual)
        if kind_of(case) == "training":
            self._alike[_whatever_seed(case)] = seconds
        elif (case.runtime, case.device, case.precision) == (PLAIN, "cpu", FULL):
            found = [value for name in CALLS if (value := record.value(name))]
            self._calls += [value / call_seconds(case, self._counted) for value in found]

    def _plan(self, cases: Iterable[Case]) -> None:
        """Expects of every case what the counts there are tell of it."""
        self._usual = {case: seconds_of(case, self._counted) for case in by_cost(cases, self._counted)}

    @staticmethod
    def _of(kind: str, cases: Iterable[Case]) -> list[Case]:
        return [case for case in cases if kind_of(case) == kind]


def _whatever_seed(case: Case) -> Case:
    return dataclasses.replace(case, seed=0)


def duration(seconds: float) -> str:
    """Hours, minutes and seconds: "0:04:32"."""
    return str(datetime.timedelta(seconds=round(seconds)))
