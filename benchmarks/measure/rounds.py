"""Timing many cases against one another: short turns in shuffled rounds, so that drift hits all of them alike.

In every round each case and the reference model take one turn, in an order drawn from a recorded seed. A turn begins
with one call that is thrown away, since the caches hold the previous model's weights. After a few turns a case gets a
new process: where a process happens to lie in memory moves its times by several percent for as long as it lives. A case
leaves when its measuring time is spent, or all leave together once every interval is narrow enough; the reference stays
to the end.

A turn rests for a moment before it begins, in which processors that a hypervisor has moved apart may come together
(`benchmarks.measure.handover`). Rounds in which they were apart all the same are kept and counted, and left out of
medians and ratios.
"""

from __future__ import annotations

import bisect
import random
import statistics
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from benchmarks.measure.handover import longest_of_close
from benchmarks.measure.noise import Reading, summary
from benchmarks.measure.worker import Prepared, Turn, WorkerError
from benchmarks.metrics.metric import Timing
from benchmarks.records.record import Case
from benchmarks.stats.intervals import median_interval, round_medians

__all__ = ["Plan", "Player", "Spent", "play"]

AT_LEAST = 3  # rounds of a case, however long a call takes
PROCESS_SECONDS = 2.5  # of timed calls, after which a case goes on in a new process,
PROCESS_COSTS = 2.0  # unless the present one took more than a half of its timed calls to load and to warm up
ENOUGH = 6  # processes before narrow intervals may end a case, as many as an interval of their medians needs,
ENOUGH_ROUNDS = 8  # or rounds, where the measuring time has no room for as many processes
GROUP = 32  # cases in one session, so that a round stays short against the machine's moods


class Player(Protocol):
    """A case that waits for its turns."""

    def prepare(self, case: Case) -> Prepared:
        """Loads and warms the case up; raises `WorkerError`."""

    def turn(self, seconds: float, longest_handover: float) -> Turn:
        """Calls for so many seconds, begun when handovers are shorter if that can be had; raises `WorkerError`."""

    def close(self) -> None:
        """Ends it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How long to time.

    Args:
        max_time: seconds of timed calls a case.
        rounds: rounds over which `max_time` is divided.
        target_ci: relative half-width of the 95 % interval at which a case is done.
        seed: of the order of turns.
        memory_bytes: what the loaded cases of one session may occupy together.
    """

    max_time: float
    rounds: int
    target_ci: float
    seed: int = 0
    memory_bytes: float = float("inf")

    @property
    def turn_s(self) -> float:
        """Seconds of timed calls in one turn."""
        return self.max_time / self.rounds


@dataclass(slots=True)
class Spent:
    """Where the time of the sessions went, in seconds."""

    timed: float = 0.0
    warmup: float = 0.0
    loading: float = 0.0


@dataclass(slots=True)
class _Seat:
    """A case in the session, with what it has so far."""

    case: Case
    player: Player
    prepared: Prepared  # the first process
    block: int
    samples: list[float] = field(default_factory=list)
    rounds: list[int] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)  # the first round of each process
    handovers: dict[int, float] = field(default_factory=dict)  # seconds, by round
    process_s: float = 0.0  # of timed calls in the present process
    timed_s: float = 0.0
    warmup_s: float = 0.0
    warmup_calls: int = 0
    stop: str = ""

    @property
    def done(self) -> bool:
        return bool(self.stop)

    @property
    def lasts_s(self) -> float:
        """Seconds of timed calls after which the process is replaced."""
        return max(PROCESS_SECONDS, PROCESS_COSTS * (self.prepared.load_s + self.prepared.warmup_s))


def play(
    cases: Sequence[Case],
    reference: Case,
    plan: Plan,
    *,
    open_player: Callable[[], Player],
    read_noise: Callable[[], Reading],
    tell: Callable[[Case, str, float], None],
    spent: Spent,
) -> Iterator[tuple[Case, Timing | WorkerError]]:
    """The timing of each case, or why there is none, as soon as it is known.

    Args:
        cases: under the same conditions, so that their rounds compare.
        reference: timed in every round of every session; it may be one of the cases.
        open_player: a new process.
        read_noise: conditions since it was last called.
        tell: what is going on and the share of a case that is done, for the progress bar.
        spent: is told where the time goes.
    """
    waiting = [case for case in cases if case != reference]
    asked = set(cases)
    while asked:
        session = _Session(plan, open_player, tell, spent)
        try:
            session.seat(reference)
            while waiting and session.room():
                session.seat(waiting.pop(0))
            for case, result in session.results(reference, read_noise):
                if case in asked:
                    yield case, result
        finally:
            session.close()
        asked = set(waiting)


class _Session:
    """The cases that are loaded at the same time, and their rounds."""

    def __init__(
        self, plan: Plan, open_player: Callable[[], Player], tell: Callable[[Case, str, float], None], spent: Spent
    ) -> None:
        self.plan, self.open_player, self.tell, self.spent = plan, open_player, tell, spent
        self.id = uuid.uuid4().hex[:12]
        self.seats: list[_Seat] = []
        self.lost: list[tuple[Case, WorkerError]] = []
        self.readings: list[Reading] = []
        self.handovers: list[float] = []  # of all cases and rounds

    def room(self) -> bool:
        """Whether another case may be loaded; the reference and one case always may."""
        occupied = sum(seat.prepared.resident_bytes for seat in self.seats)
        return len(self.seats) < 2 or (occupied < self.plan.memory_bytes and len(self.seats) <= GROUP)

    def seat(self, case: Case) -> None:
        """Loads a case and warms it up, or notes why that failed."""
        self.tell(case, "warming up", 0.0)
        player = self.open_player()
        try:
            prepared = player.prepare(case)
        except WorkerError as error:
            self.lost.append((case, error))
            player.close()
            return
        except BaseException:
            player.close()
            raise
        self.seats.append(
            _Seat(
                case, player, prepared, prepared.block, warmup_s=prepared.warmup_s, warmup_calls=prepared.warmup_calls
            )
        )
        self.spent.loading += prepared.load_s
        self.spent.warmup += prepared.warmup_s

    def results(
        self, reference: Case, read_noise: Callable[[], Reading]
    ) -> Iterator[tuple[Case, Timing | WorkerError]]:
        """Plays rounds until every case is done. The reference, timed in each of them, is given out last."""
        order = random.Random(self.plan.seed)
        read_noise()
        while any(not seat.done for seat in self.seats if seat.case != reference or len(self.seats) == 1):
            number = len(self.readings) + 1
            order.shuffle(self.seats)
            for seat in list(self.seats):
                self.tell(seat.case, f"round {number}", min((number - 1) / self.plan.rounds, 1.0))
                self._turn(seat, number)
            self.readings.append(read_noise())
            anchor = self._anchor(reference)
            for seat in self.seats:
                self._judge(seat, anchor)
            for seat in [seat for seat in self.seats if seat is not anchor and seat.stop == "max-time"]:
                self._leave(seat)
                yield seat.case, self._timing(seat, anchor)
            yield from self._losses()
        yield from self._losses()
        anchor = self._anchor(reference)
        for seat in [seat for seat in self.seats if seat is not anchor]:
            self._leave(seat)
            yield seat.case, self._timing(seat, anchor)
        if anchor:
            yield anchor.case, self._timing(anchor, anchor)

    def close(self) -> None:
        """Ends every process."""
        for seat in self.seats:
            seat.player.close()

    def _turn(self, seat: _Seat, number: int) -> None:
        try:
            if seat.process_s >= seat.lasts_s:
                self._renew(seat)
            found = seat.player.turn(self.plan.turn_s, longest_of_close(self.handovers))
        except WorkerError as error:
            self.lost.append((seat.case, error))
            self._leave(seat)
            return
        seat.samples += found.samples
        seat.rounds += [number] * len(found.samples)
        seat.handovers[number] = found.handover_s
        self.handovers.append(found.handover_s)
        if seat.process_s == 0.0:
            seat.starts.append(number)
        timed = sum(found.samples) * seat.block
        seat.process_s += timed
        seat.timed_s += timed
        seat.warmup_s += found.again_s
        seat.warmup_calls += 1
        self.spent.warmup += found.again_s
        self.spent.timed += timed

    def _renew(self, seat: _Seat) -> None:
        """Goes on in a new process; times of loading and of the first call remain those of the first."""
        seat.player.close()
        seat.player = self.open_player()
        prepared = seat.player.prepare(seat.case)
        seat.block = prepared.block
        seat.process_s = 0.0
        seat.warmup_s += prepared.warmup_s
        seat.warmup_calls += prepared.warmup_calls
        self.spent.loading += prepared.load_s
        self.spent.warmup += prepared.warmup_s

    def _losses(self) -> Iterator[tuple[Case, WorkerError]]:
        while self.lost:
            yield self.lost.pop(0)

    def _leave(self, seat: _Seat) -> None:
        self.seats.remove(seat)
        seat.player.close()

    def _anchor(self, reference: Case) -> _Seat | None:
        return next((seat for seat in self.seats if seat.case == reference), None)

    def _judge(self, seat: _Seat, anchor: _Seat | None) -> None:
        """Notes that a case is done, and why: its intervals are narrow, or its time is spent."""
        if seat.timed_s >= self.plan.max_time * 0.999 and len(set(seat.rounds)) >= AT_LEAST:
            seat.stop = "max-time"
        elif self._half_width(seat, anchor) <= self.plan.target_ci:
            seat.stop = "target-ci"

    def _half_width(self, seat: _Seat, anchor: _Seat | None) -> float:
        """The wider of the relative intervals of a case's median and of its ratio to the reference.

        They are taken over processes, which vary more than the rounds of one process do, where there is time for enough
        of them.
        """
        medians = self._medians(seat)
        several = ENOUGH * seat.lasts_s <= self.plan.max_time
        if (len(seat.starts) < ENOUGH) if several else (len(medians) < ENOUGH_ROUNDS):
            return float("inf")
        values = [medians]
        if anchor and anchor is not seat:
            beside = self._medians(anchor)
            values.append({number: medians[number] / beside[number] for number in medians.keys() & beside.keys()})
        if several:
            values = [_by_process(each, seat.starts) for each in values]
        return max(median_interval(list(each.values()), seed=self.plan.seed).half_width for each in values if each)

    def _medians(self, seat: _Seat) -> dict[int, float]:
        return round_medians(seat.samples, seat.rounds, self._apart(seat))

    def _apart(self, seat: _Seat) -> tuple[int, ...]:
        """The rounds in which the processors were far from one another while a case ran."""
        longest = longest_of_close(self.handovers)
        return tuple(number for number, seconds in seat.handovers.items() if seconds > longest)

    def _timing(self, seat: _Seat, anchor: _Seat | None) -> Timing:
        return Timing(
            samples=tuple(seat.samples),
            rounds=tuple(seat.rounds),
            reference=tuple(anchor.samples) if anchor else (),
            reference_rounds=tuple(anchor.rounds) if anchor else (),
            apart=self._apart(seat),
            reference_apart=self._apart(anchor) if anchor else (),
            details={
                "run": self.id,
                "order_seed": self.plan.seed,
                "stop": seat.stop,
                "n_rounds": len(set(seat.rounds)),
                "process_starts": seat.starts,
                "handover_us": [round(1e6 * seconds, 2) for seconds in seat.handovers.values()],
                "block": seat.prepared.block,
                "load_s": seat.prepared.load_s,
                "first_call_s": seat.prepared.first_call_s,
                "warmup_calls": seat.warmup_calls,
                "warmup_s": seat.warmup_s,
                "reference": anchor.case.model if anchor else "",
                "drift": _drift(self._medians(anchor) if anchor else {}),
                **summary(self.readings),
            },
        )


def _by_process(values: Mapping[int, float], starts: Sequence[int]) -> dict[int, float]:
    """The median of the rounds of each process, by its first round."""
    groups: dict[int, list[float]] = {}
    for number, value in values.items():
        groups.setdefault(starts[bisect.bisect_right(starts, number) - 1], []).append(value)
    return {start: statistics.median(group) for start, group in groups.items()}


def _drift(by_round: Mapping[int, float]) -> Mapping[str, Any]:
    """How the reference model's times moved over the session: its last third against its first, and its range."""
    medians = list(by_round.values())
    if not medians:
        return {}
    third = max(len(medians) // 3, 1)
    whole = statistics.median(medians)
    return {
        "last_third_over_first": statistics.median(medians[-third:]) / statistics.median(medians[:third]),
        "range": (max(medians) - min(medians)) / whole,
    }
