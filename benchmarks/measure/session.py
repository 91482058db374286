"""Timing many cases against one another: short turns in shuffled rounds, so that drift hits all of them alike.

In every round each case and the anchor take one turn, in an order drawn from a recorded seed. A turn begins with one
call that is thrown away, since the caches hold the previous model's weights. After a few turns a case gets a new
process: where a process happens to lie in memory moves its times by several percent for as long as it lives. The base
that speeds are relative to carries its luck into every ratio, so it runs in two processes at a time, which share its
turns. A case leaves when its measuring time is spent and enough of its rounds count, or all leave together once every
interval is narrow enough; the anchor stays to the end.

A turn rests for a moment before it begins, in which processors that a hypervisor has moved apart may come together
(`benchmarks.measure.handover`). Rounds in which they were apart all the same are kept and counted, and a case goes on
for a while until it has enough others, which medians and ratios are then taken over (`benchmarks.stats.rounds`).
"""

from __future__ import annotations

import bisect
import dataclasses
import itertools
import statistics
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import zoo
from benchmarks.measure.handover import longest_of_close
from benchmarks.measure.noise import Reading, remarks, summary
from benchmarks.measure.questions import Prepared, Turn, prepare, sentences, turn
from benchmarks.measure.worker import Worker, WorkerError
from benchmarks.metrics.columns import BASE
from benchmarks.metrics.metric import Timing
from benchmarks.records.record import FULL, INTEGERS, Case
from benchmarks.stats.intervals import FEWEST_ROUNDS, median_interval, time_interval
from benchmarks.stats.rounds import Rounds, ratios_by_round, round_medians
from zoo.turns import take_turns

__all__ = ["ANCHOR", "Session", "Spent", "anchor_of", "precision_of_group"]

ANCHOR = "resnet18"  # timed in every round, whatever else is, so that sessions can be compared
AT_MOST = 2  # times the rounds asked for, after which a case ends whatever they were, as where processors stay apart
PROCESS_SECONDS = 1.5  # of timed calls, after which a case goes on in a new process,
PROCESS_COSTS = 2.0  # unless the present one took more than a half of its timed calls to load and to warm up
ENOUGH = FEWEST_ROUNDS  # processes before narrow intervals may end a case, where its time has room for as many
GROUP = 32  # cases in one session, so that a round stays short against the machine's moods

Result = tuple[Case, Timing | WorkerError, tuple[str, ...]]  # the times or why there are none, and notes


def anchor_of(case: Case) -> Case:
    """The anchor under the conditions of a case, on PyTorch as it is, in its numbers and at its own image size."""
    size, precision = zoo.spec(ANCHOR).input.size, precision_of_group(case)
    return dataclasses.replace(
        case, model=ANCHOR, runtime="eager", precision=precision, img_size=size, settings=()
    )  # fmt: skip


def precision_of_group(case: Case) -> str:
    """The precision whose cases a case takes turns with: integers with fp32, which they are compared with."""
    return FULL if case.precision == INTEGERS else case.precision


@dataclass(slots=True)
class Spent:
    """Where the time of the sessions went, in seconds."""

    timed: float = 0.0
    warmup: float = 0.0
    loading: float = 0.0


@dataclass(slots=True)
class _Bench:
    """A process at a time of one case.

    Args:
        worker: the present one.
        processes: what each said when it was ready.
        starts: the first round of each.
        timed_s: of timed calls of the present one.
    """

    worker: Worker
    processes: list[Prepared] = field(default_factory=list)
    starts: list[int] = field(default_factory=lambda: [1])
    timed_s: float = 0.0

    @property
    def lasts_s(self) -> float:
        """Seconds of timed calls after which the process is replaced."""
        first = self.processes[0]
        return max(PROCESS_SECONDS, PROCESS_COSTS * (first.load_s + sum(first.warmup)))


@dataclass(slots=True)
class _Seat:
    """A case in the session, with what it has so far.

    Args:
        case: what is timed.
        benches: its processes of the moment; each takes a turn in every round.
        turns: by round, those of all benches together.
        stop: why it is done; empty while it is not.
    """

    case: Case
    benches: list[_Bench] = field(default_factory=list)
    turns: dict[int, Turn] = field(default_factory=dict)
    stop: str = ""

    @property
    def processes(self) -> list[Prepared]:
        """What each of its processes said when it was ready."""
        return [each for bench in self.benches for each in bench.processes]

    @property
    def starts(self) -> list[int]:
        """The rounds in which a process was new."""
        return sorted({start for bench in self.benches for start in bench.starts})

    @property
    def lasts_s(self) -> float:
        """Seconds of timed calls for each of its processes."""
        return self.benches[0].lasts_s

    @property
    def warmup_s(self) -> float:
        """Of calls that were discarded."""
        return sum(sum(each.warmup) for each in self.processes) + sum(each.again_s for each in self.turns.values())

    @property
    def samples(self) -> tuple[float, ...]:
        """Seconds of every timed call."""
        return tuple(itertools.chain.from_iterable(each.samples for each in self.turns.values()))

    @property
    def rounds(self) -> tuple[int, ...]:
        """The round of every timed call."""
        return tuple(number for number, each in self.turns.items() for _ in each.samples)

    @property
    def timed_s(self) -> float:
        """Seconds of timed calls."""
        return sum(each.timed_s for each in self.turns.values())

    def add(self, number: int, found: Turn) -> None:
        """Takes in a turn; those of one round are one."""
        before = self.turns.get(number)
        self.turns[number] = found if before is None else Turn(
            again_s=before.again_s + found.again_s,
            samples=before.samples + found.samples,
            timed_s=before.timed_s + found.timed_s,
            handover_s=max(before.handover_s, found.handover_s),
        )  # fmt: skip


@dataclass(kw_only=True)
class Session:
    """Cases that are loaded at the same time, each in a process of its own, and their rounds.

    Args:
        waiting: cases under the same conditions, so that their rounds compare; those that there is room for are taken
            from the list.
        start_worker: a new process.
        read_noise: what else the machine did since it was last asked.
        memory_bytes: what the loaded cases may occupy together.
        tell: what is going on and the share of a case that is done, for the progress bar.
        spent: is told where the time goes.
        seed: of the order of turns.
    """

    waiting: list[Case]
    start_worker: Callable[[], Worker]
    read_noise: Callable[[], Reading]
    memory_bytes: float
    tell: Callable[[Case, str, float], None]
    spent: Spent
    seed: int = 0

    def __post_init__(self) -> None:
        effort = dict(self.waiting[0].effort)
        self._max_time, self._rounds = float(effort["max_time"]), int(effort["rounds"])
        self._target_ci = float(effort["target_ci"])
        self._at_least = min(FEWEST_ROUNDS, self._rounds)  # with the processors close, however long a call takes
        self._anchor = anchor_of(self.waiting[0])
        self._asked = set(self.waiting)
        self._id = uuid.uuid4().hex[:12]
        self._seats: dict[Case, _Seat] = {}
        self._players: dict[tuple[Case, int], _Bench] = {}  # of every seat
        self._readings: list[Reading] = []
        self._handovers: list[float] = []  # of all cases and rounds
        self._done: list[Result] = []
        self.where: dict[Case, Mapping[str, Any]] = {}  # what the first process of each case found itself to be

    def results(self) -> Iterator[Result]:
        """Plays rounds until every case is done, and gives out each as soon as it is, the anchor last."""
        try:
            self._load()
            self.read_noise()
            rounds = take_turns(self._players, self._turn, seed=self.seed)
            while any(not seat.stop for seat in self._seats.values() if seat.case in self._asked):
                next(rounds)
                self._readings.append(self.read_noise())
                for seat in list(self._seats.values()):
                    self._judge(seat)
                    if seat.stop == "max-time" and seat.case != self._anchor:
                        self._leave(seat, self._timing(seat))
                while self._done:
                    yield self._done.pop(0)
            for seat in sorted(self._seats.values(), key=lambda seat: seat.case == self._anchor):
                self._leave(seat, self._timing(seat))
            yield from self._done
        finally:
            for seat in list(self._seats.values()):
                self._close(seat)

    def _load(self) -> None:
        """Loads and warms up the anchor and, of those that wait, as many as there is room for, one in any case."""
        if self._anchor in self._asked:
            self.waiting.remove(self._anchor)
        self._seat(self._anchor)
        while self.waiting and self._room():
            self._seat(self.waiting.pop(0))

    def _room(self) -> bool:
        occupied = sum(bench.processes[0].resident_bytes for bench in self._players.values())
        return len(self._seats) < 2 or (occupied < self.memory_bytes and len(self._seats) <= GROUP)

    def _seat(self, case: Case) -> None:
        self.tell(case, "warming up", 0.0)
        seat = self._seats[case] = _Seat(case)
        try:
            for place in range(2 if case.model == BASE else 1):
                bench = self._players[case, place] = _Bench(self.start_worker())
                seat.benches.append(bench)
                bench.processes.append(bench.worker.ask(prepare, case))
                self.where[case] = bench.processes[0].where
        except WorkerError as error:
            self._leave(seat, error)

    def _turn(self, player: tuple[Case, int]) -> None:
        """A turn in the present process or, when that has lived long enough, in a new one."""
        case, bench = player[0], self._players[player]
        seat, number = self._seats[case], len(self._readings) + 1
        self.tell(case, f"round {number}", min((number - 1) / self._rounds, 1.0))
        try:
            if bench.timed_s >= bench.lasts_s:
                bench.worker.close()
                bench.worker, bench.timed_s = self.start_worker(), 0.0
                bench.processes.append(bench.worker.ask(prepare, case))
                bench.starts.append(number)
            seconds = self._max_time / self._rounds / len(seat.benches)
            found = bench.worker.ask(turn, seconds, longest_of_close(self._handovers))
        except WorkerError as error:
            self._leave(seat, error)
            return
        bench.timed_s += found.timed_s
        seat.add(number, found)
        self._handovers.append(found.handover_s)

    def _leave(self, seat: _Seat, result: Timing | WorkerError) -> None:
        self._close(seat)
        if seat.case in self._asked:
            said = itertools.chain.from_iterable(each.notes for each in seat.processes)
            self._done.append((seat.case, result, sentences([*said, *remarks(self._readings)])))

    def _close(self, seat: _Seat) -> None:
        del self._seats[seat.case]
        for place, bench in enumerate(seat.benches):
            del self._players[seat.case, place]
            bench.worker.close()
        self.spent.loading += sum(each.load_s for each in seat.processes)
        self.spent.warmup += seat.warmup_s
        self.spent.timed += seat.timed_s

    def _judge(self, seat: _Seat) -> None:
        """Notes that a case is done, and why: its intervals are narrow, or its time is spent."""
        close = len(seat.turns) - len(self._apart(seat))
        enough = close >= self._at_least or len(seat.turns) >= AT_MOST * self._rounds
        if enough and seat.timed_s >= self._max_time * 0.999:
            seat.stop = "max-time"
        elif enough and self._half_width(seat) <= self._target_ci:
            seat.stop = "target-ci"

    def _half_width(self, seat: _Seat) -> float:
        """The wider of the relative intervals of a case's median and of its ratio to the anchor.

        They are taken over processes, which vary more than the rounds of one process do, where there is time for enough
        of them.
        """
        own, anchor = self._medians(seat), self._seats.get(self._anchor, seat)
        medians, ratios = own.counting, {} if anchor is seat else ratios_by_round(own, self._medians(anchor))
        if ENOUGH * seat.lasts_s > self._max_time:
            intervals = [time_interval(medians), *([median_interval(list(ratios.values()))] if ratios else [])]
        else:
            grouped = (_by_process(each, seat.starts) for each in (medians, ratios) if each)
            intervals = [median_interval(list(each.values())) for each in grouped]
        return max(interval.half_width for interval in intervals)

    def _medians(self, seat: _Seat) -> Rounds:
        return Rounds(round_medians(seat.samples, seat.rounds), self._apart(seat))

    def _apart(self, seat: _Seat) -> tuple[int, ...]:
        """The rounds in which the processors were far from one another while a case ran."""
        longest = longest_of_close(self._handovers)
        return tuple(number for number, each in seat.turns.items() if each.handover_s > longest)

    def _timing(self, seat: _Seat) -> Timing:
        first, anchor = seat.processes[0], self._seats.get(self._anchor, _Seat(self._anchor))
        return Timing(
            samples=seat.samples,
            rounds=seat.rounds,
            reference=anchor.samples,
            reference_rounds=anchor.rounds,
            apart=self._apart(seat),
            reference_apart=self._apart(anchor),
            details={
                "run": self._id,
                "order_seed": self.seed,
                "stop": seat.stop,
                "n_rounds": len(seat.turns),
                "process_starts": seat.starts,
                "handover_us": [round(1e6 * each.handover_s, 2) for each in seat.turns.values()],
                "block": first.block,
                "load_s": first.load_s,
                "first_call_s": first.warmup[0],
                "warmup_calls": sum(len(each.warmup) for each in seat.processes) + len(seat.turns) * len(seat.benches),
                "warmup_s": seat.warmup_s,
                "reference": ANCHOR if anchor.turns else "",
                **({"session": dict(first.facts)} if first.facts else {}),
                "drift": _drift(self._medians(anchor).counting),
                **summary(self._readings),
            },
        )


def _by_process(values: Mapping[int, float], starts: Sequence[int]) -> dict[int, float]:
    """The median of the rounds of each process, by its first round."""
    groups: dict[int, list[float]] = {}
    for number, value in values.items():
        groups.setdefault(starts[bisect.bisect_right(starts, number) - 1], []).append(value)
    return {start: statistics.median(group) for start, group in groups.items()}


def _drift(by_round: Mapping[int, float]) -> Mapping[str, Any]:
    """How the anchor's times moved over the session: its last third against its first, and its range."""
    medians = list(by_round.values())
    if not medians:
        return {}
    third = max(len(medians) // 3, 1)
    return {
        "last_third_over_first": statistics.median(medians[-third:]) / statistics.median(medians[:third]),
        "range": (max(medians) - min(medians)) / statistics.median(medians),
    }
