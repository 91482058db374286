"""From cases to records: each case in a process of its own, and a record of it whatever becomes of the process."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import os
import queue
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

import psutil

import zoo
from benchmarks.measure.basis import code_of
from benchmarks.measure.noise import NoiseMeter
from benchmarks.measure.rounds import Plan, Spent, play
from benchmarks.measure.worker import Prepared, Turn, Worker, WorkerError, measure, prepare, start_server, turn
from benchmarks.metrics import METRICS
from benchmarks.metrics.metric import Timing
from benchmarks.plan.cases import skip_reason
from benchmarks.records.environment import effective_cpus
from benchmarks.records.record import Case, Environment, Measurement, Record

__all__ = ["REFERENCE", "execute"]

REFERENCE = "resnet18"  # timed in every round, whatever else is
MEMORY_SHARE = 0.5  # of the available memory that the cases of one timed session may occupy
MOST_COUNTERS = 8  # processes that count at the same time
TRAINING_BYTES = 5e9  # of memory that a training may take: VGG-19 with Adam's means of 144 M gradients
Tell = Callable[[Case, str, float], None]  # the case, what is done with it, the share of it that is done


def execute(
    cases: Sequence[Case],
    environment: Environment,
    *,
    timeout: float,
    tell: Tell = lambda case, step, share: None,
    spent: Spent | None = None,
) -> Iterator[Record]:
    """One record for every case as it ends: the untimed ones first, then the timed ones.

    Args:
        timeout: seconds after which a case is given up.
        tell: what is going on, for the progress bar.
        spent: is told where the time of the timed cases goes.
    """
    stamp = _Stamp(environment, cases)
    able = []
    for case in cases:
        reason = skip_reason(case)
        if reason:
            yield stamp(case, "skipped", reason)
        else:
            able.append(case)
    if not able:
        return
    start_server(max(case.num_threads or case.train_threads or effective_cpus() for case in able))
    yield from _measure_untimed([case for case in able if METRICS[case.metric].prepare is None], timeout, tell, stamp)
    for group in _comparable([case for case in able if METRICS[case.metric].prepare is not None]):
        yield from _measure_timed(group, timeout, tell, stamp, Spent() if spent is None else spent)


class _Stamp:
    """Makes records of one environment, each with the time since it began or, where rounds mix them, since the last.

    The code of a case is the one there was before it was measured, whatever is edited meanwhile.
    """

    def __init__(self, environment: Environment, cases: Iterable[Case]) -> None:
        self._environment = environment
        self._codes = {case: code_of(case) for case in cases}
        self._last = time.monotonic()

    def __call__(
        self,
        case: Case,
        status: str,
        reason: str = "",
        measurements: tuple[Measurement, ...] = (),
        since: float | None = None,
    ) -> Record:
        now = time.monotonic()
        seconds, self._last = now - (self._last if since is None else since), now
        started = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=seconds)
        return Record(
            case=case,
            status=status,
            reason=reason,
            measurements=measurements,
            environment=self._environment.id,
            machine=self._environment.machine_id,
            code=self._codes[case],
            started=started.isoformat(),
            seconds=seconds,
        )


def _measure_untimed(cases: Sequence[Case], timeout: float, tell: Tell, stamp: _Stamp) -> Iterator[Record]:
    """Counts several at a time, then what wants the machine for itself, then one training a processor."""
    counts = [case for case in cases if METRICS[case.metric].shares_process]
    trainings = [case for case in cases if METRICS[case.metric].slow]
    alone = [case for case in cases if not (METRICS[case.metric].shares_process or METRICS[case.metric].slow)]
    yield from _side_by_side(counts, min(effective_cpus(), MOST_COUNTERS), timeout, tell, stamp)
    yield from _side_by_side(alone, 1, timeout, tell, stamp)
    yield from _side_by_side(trainings, _trainings_at_a_time(trainings), timeout, tell, stamp)


def _trainings_at_a_time(cases: Iterable[Case]) -> int:
    """As many as there are processors and memory for; one where they share a GPU."""
    asked = [(case.device == "cpu" and case.train_threads) or effective_cpus() for case in cases]
    room = int(psutil.virtual_memory().available // TRAINING_BYTES)
    return max(min(effective_cpus() // max(asked, default=1), room), 1)


def _side_by_side(cases: Sequence[Case], at_a_time: int, timeout: float, tell: Tell, stamp: _Stamp) -> Iterator[Record]:
    """A record of each case as it ends. Counts go on in one another's processes, every other case in a fresh one."""
    idle: queue.SimpleQueue[_Player] = queue.SimpleQueue()
    players = [_Player(timeout) for _ in range(min(at_a_time, len(cases)))]
    for player in players:
        idle.put(player)

    def answer(case: Case) -> tuple[float, tuple[Measurement, ...] | WorkerError]:
        player = idle.get()
        started = time.monotonic()
        tell(case, "", 0.0)
        try:
            if player.worn and not METRICS[case.metric].shares_process:
                player.renew()
            return started, player.measure(case, _images(case, tell))
        except WorkerError as error:
            player.renew()
            return started, error
        finally:
            idle.put(player)

    pool = ThreadPoolExecutor(max(len(players), 1))
    futures = {pool.submit(answer, case): case for case in cases}
    try:
        for future in as_completed(futures):
            started, found = future.result()
            if isinstance(found, WorkerError):
                yield stamp(futures[future], found.status, found.reason, since=started)
            else:
                yield stamp(futures[future], "ok", measurements=found, since=started)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        while not all(future.done() for future in futures):
            for player in players:
                player.kill()  # so that nobody waits for an answer; only then may it be closed
            time.sleep(0.05)
        for player in players:
            player.close()


def _images(case: Case, tell: Tell) -> Callable[[int, int], None]:
    return lambda done, whole: tell(case, f"{done:,} of {whole:,} images", done / whole)


def _comparable(cases: Iterable[Case]) -> list[list[Case]]:
    """Timed cases in groups whose rounds compare: the same metric, device, precision, batch, threads and settings."""
    groups: dict[tuple[object, ...], list[Case]] = {}
    for case in cases:
        key = (case.metric, case.device, case.precision, case.batch_size, case.num_threads, case.effort)
        groups.setdefault(key, []).append(case)
    return list(groups.values())


def _measure_timed(cases: Sequence[Case], timeout: float, tell: Tell, stamp: _Stamp, spent: Spent) -> Iterator[Record]:
    effort = dict(cases[0].effort)
    rounds = Plan(
        max_time=float(effort["max_time"]),
        rounds=int(effort["rounds"]),
        target_ci=float(effort["target_ci"]),
        memory_bytes=MEMORY_SHARE * psutil.virtual_memory().available,
    )
    reference = _reference(cases[0])
    players: list[_Player] = []

    def open_player() -> _Player:
        players.append(_Player(timeout))
        return players[-1]

    meter = NoiseMeter(lambda: [os.getpid(), *(player.pid for player in players if player.pid is not None)])
    with contextlib.ExitStack() as stack:
        results = play(cases, reference, rounds, open_player=open_player, read_noise=meter.read, tell=tell, spent=spent)
        stack.callback(results.close)  # type: ignore[attr-defined]
        for case, result in results:
            if isinstance(result, Timing):
                summarize = METRICS[case.metric].summarize
                measurements = summarize(case, result) if summarize else ()
                yield stamp(case, "ok", measurements=measurements)
            else:
                yield stamp(case, result.status, result.reason)


def _reference(case: Case) -> Case:
    """The reference model under the conditions of a case, at its own image size."""
    size = zoo.spec(REFERENCE).input.size
    return dataclasses.replace(case, model=REFERENCE, runtime="eager", img_size=size, settings=())


class _Player:
    """A process for one case after the other, or for a timed case, as `benchmarks.measure.rounds` wants it."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._worker: Worker | None = Worker()
        self.worn = False

    @property
    def pid(self) -> int | None:
        return self._worker.pid if self._worker else None

    def measure(self, case: Case, on_progress: Callable[[int, int], None]) -> tuple[Measurement, ...]:
        self.worn = True
        found: tuple[Measurement, ...] = self._ask(measure, case, on_progress=on_progress)
        return found

    def kill(self) -> None:
        if self._worker:
            self._worker.kill()

    def renew(self) -> None:
        self.close()
        self._worker = Worker()
        self.worn = False

    def prepare(self, case: Case) -> Prepared:
        prepared: Prepared = self._ask(prepare, case)
        return prepared

    def turn(self, seconds: float, longest_handover: float) -> Turn:
        timed: Turn = self._ask(turn, seconds, longest_handover)
        return timed

    def close(self) -> None:
        if self._worker:
            self._worker.close()
            self._worker = None

    def _ask(
        self, question: Callable[..., Any], *arguments: object, on_progress: Callable[[int, int], None] | None = None
    ) -> Any:
        if self._worker is None:
            raise WorkerError("crashed", "the process is gone")
        return self._worker.ask(question, *arguments, timeout=self._timeout, on_progress=on_progress)
