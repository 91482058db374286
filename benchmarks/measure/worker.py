"""The process in which a case is measured, and the harness's end of the line to it.

Processes are forked from a server that has imported PyTorch once, so that one starts in tens of milliseconds and what
happens to it happens to nobody else. The harness's own process never imports PyTorch.
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks.measure.handover import Handover
from benchmarks.records.record import Case, Measurement

__all__ = ["Prepared", "Turn", "Worker", "WorkerError", "describe_torch", "die_with_parent", "start_server"]

WARMUP_CALLS, WARMUP_SECONDS = 5, 0.5
BLOCK_SECONDS = 1e-3  # calls shorter than this are timed in blocks, so that the clock's own cost stays out
PROGRESS, PROGRESS_SECONDS = "progress", 1.0  # mark of a message that is no answer yet, and how often one is sent
PRELOAD = (
    "torch",
    "torch._dynamo",
    "torch.utils.flop_counter",
    "zoo.blocks",
    "zoo.classifier",
    "benchmarks.metrics.subject",
)


class WorkerError(RuntimeError):
    """A process that did not answer as it should.

    Args:
        status: "failed", "oom", "crashed" or "timeout", as in `Record.status`.
        reason: one line for a person.
    """

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A case that is loaded and warm.

    Args:
        load_s: building the network, its weights and images.
        first_call_s: the first call, which allocates and selects kernels.
        warmup_calls: calls made and discarded, the first included.
        warmup_s: their time.
        block: calls a timed sample holds.
        resident_bytes: what the process occupies.
    """

    load_s: float
    first_call_s: float
    warmup_calls: int
    warmup_s: float
    block: int
    resident_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What a timed case found in one turn.

    Args:
        again_s: the call that warms the caches up again, which is discarded.
        samples: seconds of each timed call.
        handover_s: of a handover between threads, the longer of before and after; 0 for one thread or on a GPU.
    """

    again_s: float
    samples: tuple[float, ...]
    handover_s: float


def start_server(num_threads: int) -> None:
    """Starts the server that processes are forked from; returns before it has imported PyTorch.

    Args:
        num_threads: the most threads any case will use.
    """
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(max(num_threads, 1))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*PRELOAD, *_imports_of_the_program()])
    from multiprocessing import forkserver

    forkserver.ensure_running()


def _imports_of_the_program() -> list[str]:
    """Modules of this package that the running program names: every process would import them anew."""
    named = [getattr(value, "__module__", None) or getattr(value, "__name__", "") for value in vars(_main()).values()]
    return sorted({name for name in named if isinstance(name, str) and name.startswith("benchmarks.")})


def _main() -> ModuleType:
    return sys.modules["__main__"]


def describe_torch(timeout: float) -> dict[str, str]:
    """PyTorch's build and settings, asked in a process of its own."""
    with contextlib.closing(Worker()) as worker:
        described: dict[str, str] = worker.ask(_describe, timeout=timeout)
    return described


class Worker:
    """A process of its own that answers questions one after another.

    A question is a function of this module (or of any importable one) and its arguments; the first argument it
    receives is the process's own memory, a dict.
    """

    def __init__(self) -> None:
        context = multiprocessing.get_context("forkserver")
        self._ooms = _oom_kills()
        handle, name = tempfile.mkstemp(prefix="zoo-worker-")
        os.close(handle)
        self._output = Path(name)
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, name), daemon=True)
        self._process.start()
        theirs.close()

    @property
    def pid(self) -> int | None:
        """Process id."""
        return self._process.pid

    def ask(
        self,
        question: Callable[..., Any],
        *arguments: Any,
        timeout: float,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> Any:
        """The answer to a question.

        Args:
            timeout: seconds until the answer.
            on_progress: told how many of how many images are done, where the answer takes that long.

        Raises:
            WorkerError: the question raised, or the process died or took longer than `timeout` seconds.
        """
        try:
            self._connection.send((question, arguments))
            until = time.monotonic() + timeout
            while True:
                if not self._connection.poll(max(until - time.monotonic(), 0)):
                    raise WorkerError("timeout", f"no answer within {timeout:g} s{self._whereabouts()}")
                status, answer = self._connection.recv()
                if status != PROGRESS:
                    break
                if on_progress is not None:
                    on_progress(*answer)
        except (EOFError, OSError):
            raise self._obituary() from None
        if status != "ok":
            raise WorkerError(status, answer)
        return answer

    def kill(self) -> None:
        """Ends the process; who waits for its answer is told."""
        with contextlib.suppress(ValueError):  # another thread has just closed it
            self._process.kill()

    def close(self) -> None:
        """Ends the process, whatever it is doing; nobody may be waiting for its answer."""
        self._connection.close()
        self._process.kill()
        self._process.join()
        self._process.close()
        self._output.unlink(missing_ok=True)

    def _obituary(self) -> WorkerError:
        """What the process died of."""
        self._process.join(10)
        code = self._process.exitcode
        if code is not None and code < 0:
            name = signal.Signals(-code).name
            if code == -signal.SIGKILL and _oom_kills() > self._ooms:
                return WorkerError("oom", "killed by the kernel because memory ran out (SIGKILL)")
            return WorkerError("crashed", f"the process was killed by {name}{self._last_words()}")
        return WorkerError("crashed", f"the process exited with status {code} before it answered{self._last_words()}")

    def _whereabouts(self) -> str:
        """Ends a process that does not answer, and says where it was."""
        if self._process.pid is not None:
            os.kill(self._process.pid, signal.SIGABRT)  # on which faulthandler writes where each thread is
        self._process.join(2)
        self._process.kill()
        with contextlib.suppress(OSError):
            said = self._output.read_text(errors="replace")
            main = said.partition("Current thread")[2].splitlines()[1:2]
            return f"; it was in {main[0].strip().removeprefix('File ')}" if main else ""
        return ""

    def _last_words(self) -> str:
        """The first line the process left on its standard error."""
        with contextlib.suppress(OSError):
            lines = [line.strip() for line in self._output.read_text(errors="replace").splitlines() if line.strip()]
            if lines:
                return f": {lines[0][:200]}"
        return ""


def measure(memory: dict[str, Any], case: Case) -> tuple[Measurement, ...]:
    """Question: the measurements of one case."""
    from benchmarks.metrics import METRICS
    from benchmarks.metrics.subject import Subject

    _set_threads(case)
    measure_subject = METRICS[case.metric].measure
    if measure_subject is None:
        raise TypeError(f"metric {case.metric!r} is timed in rounds")
    return measure_subject(Subject(case, memory["on_progress"]))


def prepare(memory: dict[str, Any], case: Case) -> Prepared:
    """Question: load a timed case, warm it up, keep it.

    The process keeps what it frees: by default glibc hands it back to the kernel and asks again in every call or in
    none, as the heap happens to lie, and the page faults make one process up to half again as slow as another.
    """
    import psutil

    from benchmarks.metrics import METRICS
    from benchmarks.metrics.subject import Subject
    from zoo.training.loop import keep_freed_memory

    keep_freed_memory()
    _set_threads(case)
    prepare_subject = METRICS[case.metric].prepare
    if prepare_subject is None:
        raise TypeError(f"metric {case.metric!r} is not timed")
    started = time.perf_counter()
    call = prepare_subject(Subject(case))
    load_s = time.perf_counter() - started
    times = [_timed(call, 1)]
    while len(times) < WARMUP_CALLS or sum(times) < WARMUP_SECONDS:
        times.append(_timed(call, 1))
    typical = sorted(times)[len(times) // 2]
    block = max(1, round(BLOCK_SECONDS / typical)) if typical < BLOCK_SECONDS else 1
    gc.collect()
    gc.freeze()
    gc.disable()  # for the life of this process, which does nothing but timed calls from here on
    memory |= {"call": call, "block": block, "handover": Handover() if case.device == "cpu" else None}
    return Prepared(
        load_s=load_s,
        first_call_s=times[0],
        warmup_calls=len(times),
        warmup_s=sum(times),
        block=block,
        resident_bytes=psutil.Process().memory_info().rss,
    )


def turn(memory: dict[str, Any], seconds: float, longest_handover: float) -> Turn:
    """Question: the time of each call until `seconds` are filled, behind one that warms the caches up again.

    Args:
        longest_handover: seconds; while handovers take longer the turn waits a little (`benchmarks.measure.handover`).
    """
    call, block, handover = memory["call"], memory["block"], memory["handover"]
    before = handover.rest(longest_handover) if handover else 0.0
    again = _timed(call, 1)
    samples: list[float] = []
    spent = 0.0
    while spent < seconds:
        sample = _timed(call, block)
        samples.append(sample / block)
        spent += sample
    after = handover.seconds() if handover else 0.0
    return Turn(again_s=again, samples=tuple(samples), handover_s=max(before, after))


def _timed(call: Callable[[], object], count: int) -> float:
    start = time.perf_counter_ns()
    for _ in range(count):
        call()
    return (time.perf_counter_ns() - start) * 1e-9


def _describe(_memory: dict[str, Any]) -> dict[str, str]:
    import torch

    return {
        "torch_build": " ".join(torch.__config__.show().split()),
        "torch_parallel": " ".join(torch.__config__.parallel_info().split()),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "onednn": str(torch.backends.mkldnn.is_available()),
        "tf32_matmul": str(torch.backends.cuda.matmul.allow_tf32),
        "cudnn_benchmark": str(torch.backends.cudnn.benchmark),
        "deterministic": str(torch.are_deterministic_algorithms_enabled()),
    }


def _set_threads(case: Case) -> None:
    import torch

    if case.num_threads or case.train_threads:
        torch.set_num_threads(case.num_threads or case.train_threads)


def _serve(connection: Connection, output: str) -> None:
    """Answers questions until the line is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the harness's to handle
    _redirect(output)
    faulthandler.enable()
    die_with_parent()
    memory: dict[str, Any] = {"on_progress": _reporter(connection)}
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            question, arguments = connection.recv()
            connection.send(_answer(question, memory, arguments))


def _reporter(connection: Connection) -> Callable[[int, int], None]:
    """Tells the harness how far an answer is, from time to time."""
    last = 0.0

    def report(done: int, whole: int) -> None:
        nonlocal last
        if time.monotonic() - last > PROGRESS_SECONDS:
            last = time.monotonic()
            connection.send((PROGRESS, (done, whole)))

    return report


def _answer(question: Callable[..., Any], memory: dict[str, Any], arguments: tuple[Any, ...]) -> tuple[str, Any]:
    try:
        return "ok", question(memory, *arguments)
    except Exception as error:  # whatever it is, it is the answer
        text = " ".join(str(error).split())
        reason = f"{type(error).__name__}: {text}"[:500]
        return ("oom" if _means_out_of_memory(error, text) else "failed"), reason


def _means_out_of_memory(error: Exception, text: str) -> bool:
    said = text.lower()
    return isinstance(error, MemoryError) or "out of memory" in said or "can't allocate memory" in said


def _redirect(output: str) -> None:
    """Sends what libraries print to a file, away from the progress bar."""
    sys.stdout.flush()
    sys.stderr.flush()
    target = os.open(output, os.O_WRONLY | os.O_APPEND)
    os.dup2(target, 1)
    os.dup2(target, 2)
    os.close(target)


def die_with_parent() -> None:
    """Ends this process when the one that started it is gone, however it went."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="watch-parent").start()


def _oom_kills() -> int:
    """How many processes the kernel has killed for memory since it started; 0 where it does not say."""
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/vmstat").read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0
