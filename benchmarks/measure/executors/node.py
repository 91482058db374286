"""What runs on a node of a cluster: it says what it is, and takes cases. Nothing here knows the cluster's library.

A node measures as a single machine does, with the same engine, in processes that are children of the cluster's own: so
threads, priority and memory are known, and nothing of one task is left for the next but counting processes.
"""

from __future__ import annotations

import dataclasses
import os
import queue
import shutil
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.measure import worker
from benchmarks.measure.engine import execute
from benchmarks.measure.executors.loaded import loaded_code, versions_of
from benchmarks.metrics.together import PART
from benchmarks.metrics.trained import TRAINED
from benchmarks.plan.cases import canonical, skip_reason
from benchmarks.plan.cost import kind_of
from benchmarks.records.environment import observe
from benchmarks.records.record import Case, Environment

__all__ = ["Facts", "files_of", "lacking", "look", "take", "take_all"]

PIECE = 1 << 20  # bytes of a file that are sent at a time
DESCRIBED_WITHIN = 600.0  # seconds that PyTorch may take to say what it is
Message = tuple[str, Any]  # "record", "tell", "file" or "end", and what it holds


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a node says of itself.

    Args:
        environment: as of any machine.
        code: hash of this project as it is loaded there.
        versions: of the libraries that were asked about.
        shares_folder: whether it sees the run's output folder.
        lacks: what of the cases that were shown it cannot answer, and why.
    """

    environment: Environment
    code: str
    versions: dict[str, str]
    shares_folder: bool
    lacks: dict[Case, str]


def look(command: str, libraries: Sequence[str], shown: Sequence[Case], sign: str) -> Facts:
    """What this node is and has.

    Args:
        command: the run's command line.
        libraries: packages whose versions are wanted.
        shown: a case of each kind of data and weights.
        sign: a file in the run's folder that nobody else has.
    """
    worker.start_server(1)
    details = worker.describe_torch(DESCRIBED_WITHIN)
    return Facts(
        environment=observe(command, torch_details=details),
        code=loaded_code(),
        versions=versions_of(libraries),
        shares_folder=os.path.exists(sign),
        lacks={case: reason for case in shown if (reason := lacking(case))},
    )


def lacking(case: Case) -> str:
    """Why the data or weights of a case, which are others', are not to be had here as they are elsewhere."""
    try:
        if reason := skip_reason(case):
            return reason
        found = canonical(dataclasses.replace(case, data="", weights=""))
    except (LookupError, OSError, RuntimeError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    return "" if found == case else f"other images in {case.data_dir or case.dataset} or other weights"


def take(
    cases: Sequence[Case], environment: Environment, timeout: float, folder: str, shared: bool, part: str = ""
) -> Iterator[Message]:
    """Measures cases and tells of it as it goes on: what is done, each record, files that nobody else sees.

    Args:
        folder: of the run, where this node sees it.
        shared: whether it does.
        part: of a training that several nodes share, this one's, as `benchmarks.metrics.together` reads it.
    """
    os.environ[PART] = part
    own = "" if shared else tempfile.mkdtemp(prefix=f"{worker.OUTPUT}{os.getpid()}-")
    said: queue.SimpleQueue[Message] = queue.SimpleQueue()
    counting = all(kind_of(case) == "count" for case in cases)

    def work() -> None:
        try:
            if not counting:
                worker.stop_server()  # which has the threads and cards of the task before
            found = execute(
                cases, environment, timeout=timeout, tell=lambda *done: said.put(("tell", done)), folder=own or folder,
                lanes=1 if counting else 0,
            )  # fmt: skip
            for record in found:
                said.put(("record", record.to_json()))
            if not counting:
                worker.stop_server()
            said.put(("end", ""))
        except BaseException as error:  # whatever it is: who waits for the next message must hear of it
            said.put(("end", f"{type(error).__name__}: {error}"))

    threading.Thread(target=work, daemon=True, name="cases").start()
    try:
        while (message := said.get())[0] != "end":
            if message[0] == "record" and own:
                yield from files_of(Path(own))
            yield message
        if message[1]:
            raise RuntimeError(message[1])
    finally:
        if own:
            shutil.rmtree(own, ignore_errors=True)


def take_all(*arguments: Any) -> list[Message]:
    """What `take` tells, at the end and without how far it was."""
    return [message for message in take(*arguments) if message[0] != "tell"]


def files_of(folder: Path) -> Iterator[Message]:
    """The networks that were trained, in pieces: name below the run's folder, where a piece begins, what it holds."""
    for path in sorted((folder / TRAINED).rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                begins = 0
                while (piece := file.read(PIECE)) or not begins:
                    yield "file", (path.relative_to(folder).as_posix(), begins, piece)
                    begins += len(piece)
                    if len(piece) < PIECE:
                        break
            path.unlink()
