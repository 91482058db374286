"""What a measuring process can be asked: to measure a case, to prepare a timed case, to give it a turn.

The first argument of a question is the process's own memory, in which one leaves for the next what it needs.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import psutil

from benchmarks.measure.handover import Handover
from benchmarks.metrics import METRICS
from benchmarks.records.environment import host_mark
from benchmarks.records.record import Case, Measurement
from zoo.training.devices import keep_freed_memory
from zoo.turns import elapsed

__all__ = ["Place", "Prepared", "Turn", "conditions", "measure", "prepare", "sentences", "turn"]

WARMUP_CALLS, WARMUP_SECONDS = 5, 0.5
BLOCK_SECONDS = 1e-3  # calls shorter than this are timed in blocks, so that the clock's own cost stays out
LOOKS, LOOK_SECONDS = 3, 2e-3  # at what the process does after a call, with nothing to do
LONGEST_NOTE = 300  # characters
FOR_PROGRAMMERS = (DeprecationWarning, FutureWarning, PendingDeprecationWarning, ResourceWarning)  # no notes


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a case is measured.

    Args:
        folder: of the run, for what a case leaves besides its record; empty for none.
        mark: of the case in the names of such files.
        lane: which of those that go on side by side it is; each has a GPU of its own, where there are several.
    """

    folder: str = ""
    mark: str = ""
    lane: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A case that is loaded and warm.

    Args:
        load_s: building the network, its weights and images.
        warmup: seconds of each call that was discarded; the first allocates and selects kernels.
        block: calls a timed sample holds.
        resident_bytes: what the process occupies.
        notes: what was said meanwhile.
        facts: what the session says of itself.
        where: see `Record.where`.
    """

    load_s: float
    warmup: tuple[float, ...]
    block: int
    resident_bytes: int
    notes: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    where: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What a timed case found in one turn.

    Args:
        again_s: the call that warms the caches up again, which is discarded.
        samples: seconds of each timed call.
        timed_s: of all timed calls.
        handover_s: of a handover between threads, the longer of before and after; 0 for one thread or on a GPU.
    """

    again_s: float
    samples: tuple[float, ...]
    timed_s: float
    handover_s: float


def measure(
    memory: dict[str, Any], case: Case, place: Place = Place()
) -> tuple[tuple[Measurement, ...], tuple[str, ...]]:
    """The measurements of one case, and what was said meanwhile."""
    from benchmarks.metrics.subject import Subject

    _set_threads(case)
    _choose_gpu(case, place.lane)
    measure_subject = METRICS[case.metric].measure
    if measure_subject is None:
        raise TypeError(f"metric {case.metric!r} is timed in rounds")
    subject = Subject(case, memory["on_progress"], folder=place.folder, mark=place.mark)
    with _noted(subject.notes):
        found = measure_subject(subject)
    return found, sentences(subject.notes)


def prepare(memory: dict[str, Any], case: Case) -> Prepared:
    """Loads a timed case, warms it up and keeps it.

    The process keeps what it frees: by default glibc hands it back to the kernel and asks again in every call or in
    none, as the heap happens to lie, and the page faults make one process up to half again as slow as another.
    """
    from benchmarks.metrics.subject import Subject, facts_of

    keep_freed_memory()
    _set_threads(case)
    _choose_gpu(case, 0)
    prepare_subject = METRICS[case.metric].prepare
    if prepare_subject is None:
        raise TypeError(f"metric {case.metric!r} is not timed")
    subject = Subject(case)
    with _noted(subject.notes):
        started = time.perf_counter()
        call = prepare_subject(subject)
        load_s = time.perf_counter() - started
        times = [elapsed(call)]
        while len(times) < WARMUP_CALLS or sum(times) < WARMUP_SECONDS:
            times.append(elapsed(call))
        where = {**conditions(memory, case), "spinning": round(_spinning(call), 2)}
    typical = sorted(times)[len(times) // 2]
    block = max(1, round(BLOCK_SECONDS / typical)) if typical < BLOCK_SECONDS else 1
    gc.collect()
    gc.freeze()
    gc.disable()  # for the life of this process, which does nothing but timed calls from here on
    memory |= {"call": call, "block": block, "handover": Handover() if case.device == "cpu" else None}
    return Prepared(
        load_s=load_s,
        warmup=tuple(times),
        block=block,
        resident_bytes=psutil.Process().memory_info().rss,
        notes=sentences(subject.notes),
        facts=facts_of(subject.session),
        where=where,
    )


def turn(memory: dict[str, Any], seconds: float, longest_handover: float) -> Turn:
    """The time of each call until `seconds` are filled, after one that warms the caches up again.

    Args:
        longest_handover: seconds; while handovers take longer the turn waits a little (`benchmarks.measure.handover`).
    """
    call, block, handover = memory["call"], memory["block"], memory["handover"]
    before = handover.rest(longest_handover) if handover else 0.0
    again = elapsed(call)
    blocks: list[float] = []
    timed_s = 0.0
    while timed_s < seconds:
        blocks.append(elapsed(call, block))
        timed_s += blocks[-1]
    after = handover.seconds() if handover else 0.0
    return Turn(
        again_s=again,
        samples=tuple(taken / block for taken in blocks),
        timed_s=timed_s,
        handover_s=max(before, after),
    )


def conditions(_memory: dict[str, Any], case: Case) -> dict[str, Any]:
    """What this process finds itself to be: see `Record.where`."""
    torch = sys.modules.get("torch")  # which whatever was measured has imported, if it needs it
    found: dict[str, Any] = {"node": host_mark(), "nice": int(psutil.Process().nice())}
    if torch is not None:
        found["threads"] = torch.get_num_threads()
    if torch is not None and case.device == "cuda":
        card = torch.cuda.get_device_properties(torch.cuda.current_device())
        found["gpu"] = f"{card.name} {card.uuid}"
    return found


def sentences(lines: Iterable[str]) -> tuple[str, ...]:
    """Each line once, short and without line breaks; PyTorch's warnings without the place in its source."""
    plain = (" ".join(line.partition("(Triggered internally at ")[0].split()) for line in lines)
    return tuple(dict.fromkeys(line if len(line) <= LONGEST_NOTE else f"{line[:LONGEST_NOTE]}..." for line in plain))


@contextlib.contextmanager
def _noted(notes: list[str]) -> Iterator[None]:
    """Adds to `notes` what is said meanwhile in Python's warnings and in those of this project's loggers."""
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: notes.append(record.getMessage())  # type: ignore[method-assign]
    with warnings.catch_warnings(record=True) as said, contextlib.ExitStack() as stack:
        for logger in map(logging.getLogger, ("zoo", "benchmarks")):
            logger.addHandler(handler)
            stack.callback(logger.removeHandler, handler)
        yield
    notes += [str(warning.message) for warning in said if not issubclass(warning.category, FOR_PROGRAMMERS)]


def _spinning(call: Callable[[], object]) -> float:
    """Processors that the process keeps busy right after a call, by threads that spin: they wait without sleeping.

    Such threads answer the next call sooner, and take the processors from whatever else runs in between.
    """
    shares = []
    for _ in range(LOOKS):
        call()
        start, busy = time.perf_counter(), time.process_time()
        time.sleep(LOOK_SECONDS)
        shares.append((time.process_time() - busy) / (time.perf_counter() - start))
    return statistics.median(shares)


def _choose_gpu(case: Case, lane: int) -> None:
    """Each lane has a GPU of its own; a case for processors sees none, whatever the machine has."""
    if case.device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    elif case.device == "cuda":
        import torch

        torch.cuda.set_device(lane % max(torch.cuda.device_count(), 1))


def _set_threads(case: Case) -> None:
    import torch

    if case.num_threads or case.train_threads:
        torch.set_num_threads(case.num_threads or case.train_threads)
