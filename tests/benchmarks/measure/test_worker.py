"""A process of its own and its answers; the faults it may end by are tested with the whole command."""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from benchmarks.measure import worker
from benchmarks.measure.worker import Worker, WorkerError, start_server, stop_server

ROOT = Path(__file__).resolve().parents[3]


def remember(memory: dict[str, Any], value: int) -> int:
    before: int = memory.get("value", 0)
    memory["value"] = value
    return before


def report_progress(memory: dict[str, Any]) -> str:
    """Says three times how far it is."""
    for done in (1, 2, 3):
        memory["on_progress"](done, 3)
    return "done"


def fail(memory: dict[str, Any], kind: str) -> None:
    raise {"memory": MemoryError, "runtime": RuntimeError}[kind]("two\n lines")


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    monkeypatch.setattr(worker, "PRELOAD", ())
    start_server(1)
    made = Worker(60)
    yield made
    made.close()
    made.close()  # the second time nothing happens


def test_a_process_remembers_from_one_question_to_the_next(process: Worker) -> None:
    assert [process.ask(remember, value) for value in (1, 2, 3)] == [0, 1, 2]


def test_progress_arrives_before_the_answer(process: Worker) -> None:
    seen: list[tuple[int, int]] = []
    process.begin(report_progress, on_progress=lambda done, whole: seen.append((done, whole)))
    while (answer := process.receive()) is None:
        pass
    assert answer == "done"
    assert seen[0] == (1, 3) and set(seen) <= {(1, 3), (2, 3), (3, 3)}


@pytest.mark.parametrize("timeout", [math.inf, 9e6])
def test_a_time_limit_may_be_longer_than_the_system_can_wait(timeout: float, process: Worker) -> None:
    process._timeout = timeout
    assert process.ask(remember, 1) == 0


@pytest.mark.parametrize(("kind", "status"), [("runtime", "failed"), ("memory", "oom")])
def test_what_a_question_raises_is_told_in_one_line(process: Worker, kind: str, status: str) -> None:
    with pytest.raises(WorkerError) as raised:
        process.ask(fail, kind)
    assert raised.value.status == status and raised.value.reason.endswith("Error: two lines")
    assert process.ask(remember, 1) == 0


def test_an_answer_in_time_is_none_too_late_when_it_is_fetched_late(process: Worker) -> None:
    process.begin(remember, 1)
    while not process._connection.poll(10):
        pass
    process.deadline = time.monotonic() - 1
    assert process.receive() == 0


def test_a_server_that_dies_of_what_it_imports_is_replaced(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As PyTorch's own modules do where they can make no cache folder."""
    (tmp_path / "deadly.py").write_text("raise NotADirectoryError('no cache')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(worker, "PRELOAD", ("deadly",))
    stop_server()
    start_server(1)
    with contextlib.closing(Worker(60)) as made:
        assert made.ask(remember, 1) == 0


def test_a_process_that_cannot_be_started_is_told_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refused:
        def start(self) -> None:
            raise OSError(11, "Resource temporarily unavailable")

    class Context:
        set_forkserver_preload = staticmethod(lambda names: None)

    monkeypatch.setattr(worker.time, "sleep", lambda seconds: None)
    with pytest.raises(WorkerError, match=r"no process can be started: .*temporarily unavailable") as raised:
        worker._start(Refused(), Context())
    assert raised.value.status == "crashed"


def test_what_killed_runs_left_among_temporary_files_is_swept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    monkeypatch.setattr(worker.tempfile, "gettempdir", lambda: str(tmp_path))
    gone, folder = tmp_path / f"zoo-worker-{ended.pid}-abc", tmp_path / f"zoo-worker-{ended.pid}-def"
    kept = [tmp_path / f"zoo-worker-{os.getpid()}-abc", tmp_path / "zoo-worker-notes"]
    folder.mkdir()
    for path in (gone, folder / "inner", *kept):
        path.write_text("")
    worker._sweep()
    assert not gone.exists() and not folder.exists()
    assert all(path.exists() for path in kept)


@pytest.mark.parametrize("unusable", ["file", "below a file", "no name"])
def test_where_pytorch_can_make_no_cache_it_is_given_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, unusable: str
) -> None:
    def no_name() -> str:
        raise KeyError("uid not found")

    (tmp_path / "file").write_text("")
    if unusable == "no name":
        monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR", raising=False)
        monkeypatch.setattr(worker.getpass, "getuser", no_name)
    else:
        path = tmp_path / "file" if unusable == "file" else tmp_path / "file" / "below"
        monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(path))
    monkeypatch.setattr(worker.tempfile, "tempdir", str(tmp_path))
    worker._give_cache()
    given = Path(os.environ["TORCHINDUCTOR_CACHE_DIR"])
    assert given.is_dir() and given.name.startswith(f"zoo-worker-{os.getpid()}-")
    worker._give_cache()
    assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == str(given)


def test_a_server_finds_modules_where_this_process_does(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Not in the working directory, which may hold another `zoo`."""
    (tmp_path / "zoo.py").write_text("raise RuntimeError")
    monkeypatch.chdir(tmp_path)
    with worker._imports_found_as_here():
        found = subprocess.run([sys.executable, "-c", "import zoo"], capture_output=True, timeout=60)
    assert found.returncode == 0, found.stderr
    assert os.environ.get("PYTHONSAFEPATH") is None


def test_a_server_that_was_ended_is_started_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that was started a moment ago, whose command line the system does not know yet."""
    monkeypatch.setattr(worker, "PRELOAD", ())
    affinity = getattr(psutil.Process(), "cpu_affinity", lambda *_: [])  # macOS has none
    processors = affinity()
    servers = set()
    try:
        affinity(processors[:1])  # where the server has not run by then
        for _ in range(100):
            stop_server()
            start_server(1)
            servers.add(forkserver._forkserver._forkserver_pid)
    finally:
        stop_server()
        affinity(processors)
    assert len(servers) == 100


def exit_with(memory: dict[str, Any], status: int, said: str) -> None:
    print(said, file=sys.stderr, flush=True)
    os._exit(status)


def end_by(memory: dict[str, Any], number: int) -> None:
    os.kill(os.getpid(), number)


def test_a_process_that_ends_says_how_and_its_first_words(process: Worker) -> None:
    with pytest.raises(WorkerError) as raised:
        process.ask(exit_with, 3, "\nthe first line\nthe second")
    assert str(raised.value) == raised.value.reason
    assert raised.value.reason == "the process exited with status 3 before it answered: the first line"
    assert raised.value.status == "crashed"


def test_a_process_that_a_signal_ends_says_which(process: Worker) -> None:
    with pytest.raises(WorkerError, match="SIGTERM") as raised:
        process.ask(end_by, signal.SIGTERM)
    assert raised.value.status == "crashed"


def test_a_process_that_takes_too_long_says_where_it_was(process: Worker) -> None:
    process.ask(remember, 1)  # by which it has imported what it is asked for
    process._timeout = 0.5
    with pytest.raises(WorkerError, match=r'; it was in ".*test_worker\.py", line \d+ in doze$') as raised:
        process.ask(doze)
    assert raised.value.status == "timeout"


def doze(memory: dict[str, Any]) -> None:
    time.sleep(60)


def test_pytorch_describes_itself() -> None:
    described = worker.describe_torch(60)
    assert described["cpu_capability"] == torch.backends.cpu.get_cpu_capability()
    assert described["onednn"] == "True" and described["deterministic"] == "False"
    assert "=/" not in described["torch_build"]


@pytest.mark.parametrize(("asked", "given"), [(2, "2"), (1, "1"), (0, "1")])
def test_a_server_has_the_threads_of_the_largest_case(asked: int, given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, "7")
    monkeypatch.setattr(worker, "PRELOAD", ())
    start_server(asked)
    assert (os.environ["OMP_NUM_THREADS"], os.environ["MKL_NUM_THREADS"]) == (given, given)


@pytest.mark.parametrize(("text", "count"), [("pgfault 9\noom_kill 3\n", 3), ("pgfault 9\n", 0), ("oom_kill x\n", 0)])
def test_how_often_the_kernel_killed_for_memory(
    text: str, count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "vmstat").write_text(text)
    monkeypatch.setattr(worker, "Path", lambda path: tmp_path / Path(path).name)
    assert worker._oom_kills() == count


LEAVES_LOCKS = """
from benchmarks.measure import worker
from tests.benchmarks.measure.test_worker import hold

worker.PRELOAD = ()
worker.start_server(1)
process = worker.Worker(60)
print(process.ask(hold))
process.close()
"""


def hold(memory: dict[str, Any]) -> str:
    """Keeps a lock that others could wait for, as readers of images do."""
    memory["lock"] = multiprocessing.get_context("spawn").Semaphore()
    return "held"


def test_what_a_killed_process_leaves_is_cleared_up_without_a_word() -> None:
    done = subprocess.run([sys.executable, "-c", LEAVES_LOCKS], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert done.stdout == "held\n" and done.stderr == "" and done.returncode == 0


def test_a_signal_to_the_whole_command_does_not_reach_a_server_that_imports(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C in the seconds that PyTorch takes: a terminal sends it to every process."""
    (tmp_path / "slowly.py").write_text(f"import time\nopen({str(tmp_path / 'begun')!r}, 'w').close()\ntime.sleep(1)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(worker, "PRELOAD", ("slowly",))
    stop_server()
    start_server(1)
    deadline = time.monotonic() + 60
    while not (tmp_path / "begun").exists():
        assert time.monotonic() < deadline, "the server does not start"
        time.sleep(0.01)
    for child in psutil.Process().children():
        for number in (signal.SIGINT, signal.SIGHUP):
            child.send_signal(number)
    with contextlib.closing(Worker(60)) as made:
        assert made.ask(remember, 1) == 0
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (MemoryError(), "oom"), (RuntimeError("CUDA out of memory. Tried to"), "oom"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "oom"),
        (RuntimeError("memory of a wall"), "failed"),
    ],
)  # fmt: skip
def test_want_of_memory_is_no_other_failure(error: Exception, status: str) -> None:
    def question(memory: dict[str, object]) -> None:
        raise error

    found, text = worker._answer(question, {}, ())
    assert found == status and text.startswith(type(error).__name__)


def test_what_is_raised_is_cut_to_a_line() -> None:
    def question(memory: dict[str, object]) -> None:
        raise ValueError("a\n" + "b" * 1000)

    _, text = worker._answer(question, {}, ())
    assert text == "ValueError: a " + "b" * 486


@pytest.mark.parametrize(("kills", "status"), [((3, 4), "oom"), ((3, 3), "crashed")])
def test_a_process_that_the_kernel_killed_for_memory_is_told_from_others(
    process: Worker, monkeypatch: pytest.MonkeyPatch, kills: tuple[int, int], status: str
) -> None:
    before, after = kills
    process._ooms = before
    monkeypatch.setattr(worker, "_oom_kills", lambda: after)
    process._process.kill()
    assert process._obituary().status == status


def test_what_pytorch_says_of_itself_names_no_folder() -> None:
    told = worker._describe({})
    assert "PyTorch built with" in told["torch_build"]
    assert not any(re.search(r"(?<![\w.])/\w+/", text) for text in told.values())
