"""One training by several processes, as torchrun starts them: PyTorch's launcher, called from here.

They are all of this machine, or this machine's part of them, as `PART` in the environment says.
"""

from __future__ import annotations

import multiprocessing
import os
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psutil

from benchmarks.records.record import Case, Measurement
from zoo.training.processes import GONE, team

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from benchmarks.metrics.subject import Subject

__all__ = ["GONE", "PART", "is_shared", "together"]

Measure = Callable[["Subject"], tuple[Measurement, ...]]
AGAIN_S = 0.2  # how often the launcher looks after its processes
PART = "BENCHMARKS_PART"  # variable: which of how many machines this is, and where they meet: "1 2 10.0.0.7:29500"


def is_shared(case: Case) -> bool:
    """Whether a case is still to be handed to several processes: not within one of them."""
    return case.train_processes > max(team().size, 1)


def together(subject: Subject, measure: Measure) -> tuple[Measurement, ...]:
    """What `measure` finds of a subject where several processes measure it together; the first one's answer counts.

    Each has as many threads as the case says and, on CUDA, a GPU of its own.

    Raises:
        RuntimeError: one of them failed; the message is the first one's.
    """
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    multiprocessing.current_process().daemon = False  # which may not have processes of its own
    heard, told = multiprocessing.get_context("spawn").Pipe(duplex=False)
    rank, machines, meeting = (os.environ.get(PART) or "0 1 localhost:0").split()
    here = subject.case.train_processes // int(machines)
    with tempfile.TemporaryDirectory() as logs, _passing_on(heard, subject):
        config = LaunchConfig(
            min_nodes=int(machines), max_nodes=int(machines), nproc_per_node=here, start_method="spawn",
            run_id=meeting, rdzv_backend="c10d" if machines == "1" else "static", rdzv_endpoint=meeting,
            rdzv_configs={"rank": int(rank)}, local_addr=_own_address(meeting), max_restarts=0,
            monitor_interval=AGAIN_S, logs_specs=DefaultLogsSpecs(log_dir=logs),
        )  # fmt: skip
        first_gpu = _current_gpu(subject.case) * here
        try:
            answers = elastic_launch(config, _member)(
                measure, subject.case, subject.folder, subject.mark, first_gpu, told
            )
        except ChildFailedError as error:
            raise RuntimeError(_reason(error)) from None
        finally:
            told.close()
    found, notes = answers[min(answers)]
    subject.notes += notes
    return tuple(found)


def _member(
    measure: Measure, case: Case, folder: str, mark: str, first_gpu: int, told: Connection
) -> tuple[tuple[Measurement, ...], list[str]]:
    """The whole of it, in one of the processes."""
    import torch

    from benchmarks.metrics.subject import Subject

    torch.set_num_threads(max(case.train_threads, 1))
    mine = team()
    if case.device == "cuda":
        torch.cuda.set_device((first_gpu + mine.local_rank) % torch.cuda.device_count())
    subject = Subject(case, (lambda *done: told.send(done)) if mine.leads else None, folder=folder, mark=mark)
    return measure(subject), subject.notes


@contextmanager
def _passing_on(heard: Connection, subject: Subject) -> Iterator[None]:
    """A block during which the subject is told what is heard."""

    def listen() -> None:
        try:
            while True:
                subject.tell(*heard.recv())
        except (EOFError, OSError):  # the last of those that tell is gone
            return

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    try:
        yield
    finally:
        listener.join()
        heard.close()


def _current_gpu(case: Case) -> int:
    """The lane that the case was given, among those with as many GPUs each as it has processes."""
    import torch

    return torch.cuda.current_device() if case.device == "cuda" else 0


def _own_address(meeting: str) -> str:
    """The address of this machine on the way to where all meet; Gloo is told to use no other network."""
    host, _, port = meeting.rpartition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:  # it sends nothing
        probe.connect((host, int(port) or 1))
        own = str(probe.getsockname()[0])
    for interface, addresses in psutil.net_if_addrs().items():
        if any(each.address == own for each in addresses):
            os.environ.setdefault("GLOO_SOCKET_IFNAME", interface)
    return own


def _reason(error: Any) -> str:
    rank, failure = error.get_first_failure()
    text = failure.message if isinstance(failure.message, str) else str(failure.message.get("message", ""))
    return f"process {rank} of those that train together failed: {text or failure.exitcode}"
