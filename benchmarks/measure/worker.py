"""The process in which a case is measured, and the harness's end of the line to it.

Processes are forked from a server that has imported PyTorch once, so that one starts in tens of milliseconds and what
happens to it happens to nobody else. Where a system cannot fork each imports PyTorch itself. The harness's own process
never does.
"""

from __future__ import annotations

import contextlib
import faulthandler
import getpass
import multiprocessing
import os
import re
import shutil
import signal
import sys
import tempfile
import threading
import time
import types
from collections.abc import Callable, Iterator
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil

from zoo.shell import SIGNALS, open_streams

__all__ = [
    "LONGEST_WAIT", "Worker", "WorkerError", "describe_torch", "die_with_parent", "signals_held", "start_server",
    "stop_server",
]  # fmt: skip

LONGEST_WAIT = 86_400.0  # seconds that the system's calls can count in any case
PROGRESS, PROGRESS_SECONDS = "progress", 1.0  # mark of a message that is no answer yet, and how often one is sent
OUTPUT = "zoo-worker-"  # file of what a worker's libraries print; the number of the process that reads it follows
UNSAID = "ignore::UserWarning:multiprocessing.resource_tracker"  # that it clears up after who was ended by force
Progress = Callable[[int, int], None]  # how many images are done, of how many
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


def start_server(num_threads: int) -> None:
    """Starts the server that processes are forked from, where there can be one, before it has imported PyTorch.

    What workers of a run that was killed have left is removed.

    Args:
        num_threads: the most threads any case will use.
    """
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(max(num_threads, 1)))
    _sweep()
    _give_cache()
    context = _context()
    if context.get_start_method() == "forkserver":
        context.set_forkserver_preload([*PRELOAD, *_imports_of_the_program()])
        from multiprocessing import forkserver

        with signals_held(), _imports_found_as_here():
            forkserver.ensure_running()


def _sweep() -> None:
    """Removes what workers of runs that were killed have left among the temporary files."""
    for path in Path(tempfile.gettempdir()).glob(f"{OUTPUT}*-*"):
        pid = path.name.removeprefix(OUTPUT).partition("-")[0]
        if pid.isdecimal() and not psutil.pid_exists(int(pid)):
            with contextlib.suppress(OSError):  # another user's
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def _give_cache() -> None:
    """Names a folder for PyTorch's cache where it can make none: then it cannot even be imported."""
    try:
        named = os.environ.get("TORCHINDUCTOR_CACHE_DIR")
        folder = Path(named or Path(tempfile.gettempdir(), f"torchinductor_{getpass.getuser()}"))
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK | os.X_OK):
            return
    except (OSError, KeyError):  # the second: a user without a name
        pass
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = tempfile.mkdtemp(prefix=f"{OUTPUT}{os.getpid()}-")


def stop_server() -> None:
    """Ends the server, which may be busy importing, and so what it would have started."""
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error, ChildProcessError):
            while not (command := child.cmdline()):  # of one that is only being started; one that is dead raises
                time.sleep(0.001)
            if "multiprocessing.forkserver" in " ".join(command):
                child.kill()
                # until it is dead `forkserver` takes it for alive; that it is, `forkserver` itself must be told
                os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)


@contextlib.contextmanager
def signals_held() -> Iterator[None]:
    """What a terminal sends to every process of a command waits until afterwards; processes started meanwhile never
    get it: only the harness's own knows what to do.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    held = set(SIGNALS) - {signal.SIGTERM}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, held)
    try:
        sys.warnoptions.append(UNSAID)
        resource_tracker.ensure_running()  # whose start lets signals through again
        signal.pthread_sigmask(signal.SIG_BLOCK, held)
        yield
    finally:
        sys.warnoptions.remove(UNSAID)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _imports_found_as_here() -> Iterator[None]:
    """A Python started meanwhile looks for modules where this one does, not in the working directory first."""
    here = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONSAFEPATH": "1"}
    before = {name: os.environ.get(name) for name in here}
    os.environ.update(here)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _without_script() -> Iterator[None]:
    """A Python started meanwhile does not run again the script this one runs, which may have no guard against that.

    A module that was started by its name is imported again: it is this project's, or else made to be imported.
    """
    main = sys.modules["__main__"]
    if getattr(main, "__spec__", None) is not None:
        yield
        return
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _context() -> Any:
    """How processes are started: forked from a server, or afresh where there is no forking."""
    methods = multiprocessing.get_all_start_methods()
    return multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")


def _imports_of_the_program() -> list[str]:
    """Modules of this package that the running program names: every process would import them again."""
    values = vars(sys.modules["__main__"]).values()
    named = [getattr(value, "__module__", None) or getattr(value, "__name__", "") for value in values]
    return sorted({name for name in named if isinstance(name, str) and name.startswith("benchmarks.")})


def describe_torch(timeout: float) -> dict[str, str]:
    """PyTorch's build and settings, asked in a process of its own."""
    with contextlib.closing(Worker(timeout)) as worker:
        described: dict[str, str] = worker.ask(_describe)
    return described


class Worker:
    """A process of its own that answers questions one after another.

    A question is an importable function and its arguments; the first argument it receives is the process's own memory,
    a dict. Its answer is never None.

    Args:
        timeout: seconds that every answer may take; `math.inf` for as long as it takes.
    """

    def __init__(self, timeout: float) -> None:
        context = _context()
        self._timeout = timeout
        self._ooms = _oom_kills()
        handle, name = tempfile.mkstemp(prefix=f"{OUTPUT}{os.getpid()}-")
        os.close(handle)
        self._output = Path(name)
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, name), daemon=True)
        try:
            _start(self._process, context)
        except WorkerError:
            self._output.unlink(missing_ok=True)
            raise
        theirs.close()

    def fileno(self) -> int:
        """For `multiprocessing.connection.wait`, which tells when there is something to receive."""
        return int(self._connection.fileno())

    def ask(self, question: Callable[..., Any], *arguments: Any) -> Any:
        """The answer to a question; raises `WorkerError`."""
        self.begin(question, *arguments)
        while (answer := self.receive()) is None:
            pass
        return answer

    def begin(self, question: Callable[..., Any], *arguments: Any, on_progress: Progress | None = None) -> None:
        """Asks a question whose answer is received later.

        Args:
            on_progress: told how far it is, from time to time.
        """
        self.deadline = time.monotonic() + self._timeout
        self._on_progress = on_progress
        with contextlib.suppress(OSError):  # a process that is gone is noticed when its answer is received
            self._connection.send((question, arguments))

    def receive(self) -> Any:
        """The answer to the question that was begun; None where something else came, which says how far it is.

        Raises:
            WorkerError: the question raised, or the process died or took too long.
        """
        try:
            while not self._connection.poll(min(max(self.deadline - time.monotonic(), 0), LONGEST_WAIT)):
                if time.monotonic() >= self.deadline:
                    raise WorkerError("timeout", f"no answer within {self._timeout:g} s{self._whereabouts()}")
            status, content = self._connection.recv()
        except (EOFError, OSError):
            raise self._obituary() from None
        if status == PROGRESS:
            if self._on_progress:
                self._on_progress(*content)
            return None
        if status != "ok":
            raise WorkerError(status, content)
        return content

    def close(self) -> None:
        """Ends the process, whatever it is doing; nothing happens the second time."""
        with contextlib.suppress(ValueError):  # it is closed
            self._process.kill()
            self._process.join()
            self._process.close()
        self._connection.close()
        self._output.unlink(missing_ok=True)

    def _obituary(self) -> WorkerError:
        """What the process died of."""
        self._process.join(10)
        code = self._process.exitcode
        if code is not None and code < 0:
            name = signal.Signals(-code).name
            if name == "SIGKILL" and _oom_kills() > self._ooms:
                return WorkerError("oom", "killed by the kernel because memory ran out (SIGKILL)")
            return WorkerError("crashed", f"the process was killed by {name}{self._last_words()}")
        return WorkerError("crashed", f"the process exited with status {code} before it answered{self._last_words()}")

    def _whereabouts(self) -> str:
        """Ends a process that does not answer, and says where it was."""
        if self._process.pid is not None:
            os.kill(self._process.pid, signal.SIGABRT)  # on which faulthandler writes where each thread is
        self._process.join(2)
        self._process.kill()
        main = self._said().partition("Current thread")[2].splitlines()[1:2]
        return f"; it was in {main[0].strip().removeprefix('File ')}" if main else ""

    def _last_words(self) -> str:
        """The first line the process left on its standard error."""
        first = self._said().strip().splitlines()[:1]
        return f": {first[0][:200]}" if first else ""

    def _said(self) -> str:
        with contextlib.suppress(OSError):
            return self._output.read_text(encoding="utf-8", errors="replace")
        return ""


def _start(process: Any, context: Any) -> None:
    """Starts a process. A server that died of what it was to import is replaced by one that imports nothing.

    Raises:
        WorkerError: that one is gone, too.
    """
    for pause in (0.1, 1.0, 0.0):  # seconds until it is gone for the system, too
        try:
            with signals_held(), _without_script():
                process.start()
            return
        except (EOFError, OSError) as error:
            reason = f"no process can be started: {type(error).__name__}: {error}"
            context.set_forkserver_preload([])
            time.sleep(pause)
    raise WorkerError("crashed", reason)


def _describe(_memory: dict[str, Any]) -> dict[str, str]:
    import torch

    return {
        "torch_build": re.sub(r"=/[^ ,]*/", "=", " ".join(torch.__config__.show().split())),  # folders say nothing
        "torch_parallel": " ".join(torch.__config__.parallel_info().split()),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "onednn": str(torch.backends.mkldnn.is_available()),
        "tf32_matmul": str(torch.backends.cuda.matmul.allow_tf32),
        "cudnn_benchmark": str(torch.backends.cudnn.benchmark),
        "deterministic": str(torch.are_deterministic_algorithms_enabled()),
    }


def _serve(connection: Connection, output: str) -> None:
    """Answers questions until the line is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the harness's to handle, where signals cannot be held
    open_streams()  # from Python 3.14 on a server hands on that they were closed
    _redirect(output)
    faulthandler.enable()
    die_with_parent()
    memory: dict[str, Any] = {"on_progress": _reporter(connection)}
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            question, arguments = connection.recv()
            connection.send(_answer(question, memory, arguments))


def _reporter(connection: Connection) -> Progress:
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
        oom = isinstance(error, MemoryError) or re.search("out of memory|can't allocate memory", text, re.IGNORECASE)
        return ("oom" if oom else "failed"), f"{type(error).__name__}: {text}"[:500]


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
        for line in Path("/proc/vmstat").read_text(encoding="utf-8").splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0
