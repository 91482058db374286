"""What the harness asks of whoever measures its cases, wherever that is done."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from benchmarks.plan.cost import kind_of
from benchmarks.records.record import Case, Environment, Record
from benchmarks.records.standing import stale_reason
from benchmarks.records.store import Store
from zoo.errors import one_line

__all__ = ["Executor", "ExecutorError", "Job", "Say", "Tell", "is_own", "jobs_of", "standing_of"]

Tell = Callable[[Case, str, float], None]  # the case, what is done with it, the share of it that is done
Say = Callable[[str], None]  # one line for a person
BY_MACHINE = ("alone", "timed")  # kinds of cases whose answer is a machine's own


class ExecutorError(RuntimeError):
    """An executor that cannot be had, in one line."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A case and where it is wanted.

    Args:
        case: what is measured.
        machine: `Environment.machine_id` of the kind of machine; empty for any.
    """

    case: Case
    machine: str = ""


class Executor(ABC):
    """Measures cases, each exactly once; a context manager, after which nothing that it started is left.

    Args:
        all_at_once: whether it is best given everything there is to do, short and long, at one time.
    """

    all_at_once = False

    @abstractmethod
    def machines(self, cases: Sequence[Case], here: Environment, folder: Path, say: Say) -> list[Environment]:
        """The kinds of machines that measure, that of the report's own page first; what a person should know is said.

        Args:
            cases: that will be measured.
            here: this machine.
            folder: of the run.
            say: takes one line for a person.

        Raises:
            ExecutorError: none can.
        """

    @abstractmethod
    def execute(self, jobs: Sequence[Job], *, timeout: float, tell: Tell, folder: str) -> Generator[Record, None, None]:
        """A record of every job as it ends; closing it ends whatever is still measured.

        Args:
            timeout: seconds after which a measurement is given up; a training takes as long as it takes.
            tell: what is going on, for the progress bar.
            folder: of the run, in which trained networks are kept.
        """

    @property
    def said(self) -> str:
        """Where it measures at the moment, for the line of progress; empty for here."""
        return ""

    def lanes(self, kind: str) -> int:
        """How many cases of a kind go on side by side; 0 for as many as this machine has room for."""
        return 0

    def close(self) -> None:  # noqa: B027  # here there is nothing to end
        """Ends what was started."""

    def __enter__(self) -> Executor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def is_own(case: Case) -> bool:
    """Whether the answer is a machine's own, such as a time: each kind of machine is asked for its own."""
    return kind_of(case) in BY_MACHINE


def jobs_of(
    cases: Sequence[Case], records: Sequence[Record], machines: Sequence[Environment], *, ended: bool = False
) -> list[Job]:
    """What has no answer yet: where the answer is a machine's own, of each kind of machine; else once.

    Args:
        records: those that stand.
        ended: whether a failure is an answer, too.
    """
    answered = {
        (record.case, record.machine if is_own(record.case) else "")
        for record in records
        if ended or record.status == "ok"
    }
    wanted = (
        Job(case=case, machine=machine)
        for case in dict.fromkeys(cases)
        for machine in (dict.fromkeys(each.machine_id for each in machines) if is_own(case) else ("",))
    )
    return [job for job in wanted if (job.case, job.machine) not in answered]


def standing_of(
    store: Store, machines: Sequence[Environment], code: Callable[[Case], str]
) -> tuple[list[Record], Counter[str]]:
    """The records that answer their case for these machines, and how many do not, by reason.

    A count or a training stands wherever it was made.
    """
    kinds = {machine.machine_id for machine in machines}
    records: list[Record] = []
    reasons: Counter[str] = Counter()
    for record in store.records():
        reason = stale_reason(record, record.machine, code)
        if reason is None and is_own(record.case) and record.machine not in kinds:
            reason = "made on another machine"
        if reason is None:
            records.append(record)
        else:
            reasons[reason] += 1
    return records, reasons
