"""From cases to records: each case in a process of its own, and a record of it whatever becomes of the process."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import math
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from functools import partial
from multiprocessing.connection import wait
from typing import Any

from benchmarks.measure.basis import code_of
from benchmarks.measure.noise import NoiseMeter
from benchmarks.measure.questions import Place, conditions, measure
from benchmarks.measure.session import Session, Spent, precision_of_group
from benchmarks.measure.worker import LONGEST_WAIT, Worker, WorkerError, start_server
from benchmarks.metrics import METRICS
from benchmarks.plan.cases import skip_reason
from benchmarks.plan.cost import KINDS, at_a_time, kind_of
from benchmarks.records.environment import effective_cpus
from benchmarks.records.limits import available_memory
from benchmarks.records.record import Case, Environment, Measurement, Record

__all__ = ["comparable", "execute", "most_threads"]

MEMORY_SHARE = 0.5  # of the available memory that the cases of one timed session may occupy
Tell = Callable[[Case, str, float], None]  # the case, what is done with it, the share of it that is done


def execute(
    cases: Sequence[Case],
    environment: Environment,
    *,
    timeout: float,
    tell: Tell = lambda case, step, share: None,
    spent: Spent | None = None,
    folder: str = "",
    lanes: int = 0,
) -> Generator[Record, None, None]:
    """One record for every case as it ends: the untimed ones first, then the timed ones.

    Args:
        timeout: seconds after which a measurement is given up; a training takes as long as it takes.
        tell: what is going on, for the progress bar.
        spent: is told where the time of the timed cases goes.
        folder: of the run, in which trained networks are kept; empty for none.
        lanes: how many cases that are not timed go on side by side; 0 for as many as there is room for.
    """
    codes = {case: code_of(case) for case in cases}  # as it is now, whatever is edited meanwhile
    since = time.monotonic()
    marks = {case: _mark(case, code) for case, code in codes.items()}
    for record in _records(cases, timeout, tell, spent or Spent(), folder, marks, lanes):
        seconds = record.seconds or time.monotonic() - since
        started = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=seconds)
        yield dataclasses.replace(
            record,
            environment=environment.id,
            machine=environment.machine_id,
            code=codes[record.case],
            started=started.isoformat(),
            seconds=seconds,
        )
        since = time.monotonic()


def _mark(case: Case, code: str) -> str:
    """Eight digits for a case and what it is measured by, wherever its files lie."""
    plain = dataclasses.replace(case, data_dir="", weights_path="")
    return hashlib.sha256(f"{plain!r}{code}".encode()).hexdigest()[:8]


def most_threads(cases: Iterable[Case]) -> int:
    """The most threads that any of the cases uses."""
    all_there_are = effective_cpus()
    return max(case.num_threads or case.train_threads or all_there_are for case in cases)


def _records(
    cases: Sequence[Case],
    timeout: float,
    tell: Tell,
    spent: Spent,
    folder: str,
    marks: Mapping[Case, str],
    lanes: int,
) -> Iterator[Record]:
    """What came of each case; rounds mix the timed ones, of which none has its own seconds."""
    reasons = {case: skip_reason(case) for case in cases}
    yield from (Record(case=case, status="skipped", reason=reason) for case, reason in reasons.items() if reason)
    able = [case for case, reason in reasons.items() if not reason]
    if not able:
        return
    start_server(most_threads(able))
    of_kind = {kind: [case for case in able if kind_of(case) == kind] for kind in KINDS}
    for kind in ("count", "alone", "training"):
        yield from _side_by_side(
            of_kind[kind], lanes or at_a_time(kind, of_kind[kind]), math.inf if kind == "training" else timeout, tell,
            folder, marks,
        )  # fmt: skip
    for group in comparable(of_kind["timed"]):
        yield from _in_rounds(group, timeout, tell, spent)


def _side_by_side(
    cases: Iterable[Case], lanes: int, timeout: float, tell: Tell, folder: str, marks: Mapping[Case, str]
) -> Iterator[Record]:
    """A record of each case as it ends. Counts go on in one another's processes, every other case in a fresh one."""
    waiting, ended = list(cases), list[Record]()
    idle: list[Worker] = []
    busy: dict[Worker, tuple[Case, float, int]] = {}  # what each measures, since when, in which lane
    try:
        while waiting or busy or ended:
            while waiting and len(busy) < lanes:  # first of all: whoever takes a record may take its time over it
                case = waiting.pop(0)
                try:
                    worker = idle.pop() if idle else Worker(timeout)
                except WorkerError as error:
                    ended.append(Record(case=case, status=error.status, reason=error.reason))
                    continue
                lane = min(set(range(lanes)) - {taken for _, _, taken in busy.values()})
                busy[worker] = case, time.monotonic(), lane
                tell(case, "", 0.0)
                place = Place(folder=folder, mark=marks[case], lane=lane)
                worker.begin(measure, case, place, on_progress=partial(_tell_images, tell, case))
            while ended:
                yield ended.pop(0)
            for worker in _with_news(busy):
                case, started, _ = busy[worker]
                try:
                    answer = worker.receive()
                    if answer is None:
                        continue
                    measurements, notes = answer
                    record = _done(case, measurements, notes, worker.ask(conditions, case))
                except WorkerError as error:
                    record = Record(case=case, status=error.status, reason=error.reason)
                del busy[worker]
                if record.status == "ok" and METRICS[case.metric].shares_process:
                    idle.append(worker)
                else:
                    worker.close()
                ended.append(dataclasses.replace(record, seconds=time.monotonic() - started))
    finally:
        for worker in (*idle, *busy):
            worker.close()


def _with_news(workers: Iterable[Worker]) -> list[Worker]:
    """Those from which there is something to receive or whose time is over, as soon as there is one."""
    left = min((worker.deadline for worker in workers), default=0.0) - time.monotonic()
    speaking: list[Any] = wait(list[Any](workers), min(max(left, 0.0), LONGEST_WAIT))
    return speaking or [worker for worker in workers if worker.deadline <= time.monotonic()]


def _tell_images(tell: Tell, case: Case, done: int, whole: int) -> None:
    tell(case, f"{done:,} of {whole:,} images", done / whole)


def comparable(cases: Iterable[Case]) -> list[list[Case]]:
    """Timed cases in groups whose rounds compare: the same metric, device, precision, batch, threads and settings."""
    groups: dict[tuple[object, ...], list[Case]] = {}
    for case in cases:
        key = (case.metric, case.device, precision_of_group(case), case.batch_size, case.num_threads, case.effort)
        groups.setdefault(key, []).append(case)
    return list(groups.values())


def _in_rounds(waiting: list[Case], timeout: float, tell: Tell, spent: Spent) -> Iterator[Record]:
    """A record of each of the cases whose rounds compare, as soon as there is one, in as many sessions as it takes."""
    while waiting:
        session = Session(
            waiting=waiting,
            start_worker=partial(Worker, timeout),
            read_noise=NoiseMeter().read,
            memory_bytes=MEMORY_SHARE * available_memory(),
            tell=tell,
            spent=spent,
        )
        for case, found, notes in session.results():
            if isinstance(found, WorkerError):
                yield Record(case=case, status=found.status, reason=found.reason, notes=notes)
            else:
                summarize = METRICS[case.metric].summarize
                measurements = summarize(case, found) if summarize else ()
                yield _done(case, measurements, notes, session.where.get(case, {}))


def _done(
    case: Case, measurements: tuple[Measurement, ...], notes: tuple[str, ...], where: Mapping[str, Any]
) -> Record:
    """The record of a case that was measured, which says so where it had not what it asked for."""
    asked, had = case.num_threads or case.train_threads, where.get("threads")
    if asked and had not in (None, asked):
        notes = (*notes, f"{asked} threads were asked for, and {had} were used")
    if where.get("nice", 0) > 0 and METRICS[case.metric].prepare is not None:
        notes = (*notes, f"timed at priority nice {where['nice']}: whatever else runs on the node goes first")
    return Record(case=case, status="ok", measurements=measurements, notes=notes, where=where)
