"""The records of an output folder: appended one by one, read back whatever happened, never two writers at once.

`Store` is what the harness knows; `open_store` gives the kind a folder has: lines of JSON, held in memory, or from some
size on the same lines with an index (`benchmarks.records.index`), of which each is read when it is asked for.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout

from benchmarks.records.files import read_file, replace_file, set_aside
from benchmarks.records.index import Index, Lines
from benchmarks.records.manifest import adopt, foreign
from benchmarks.records.record import Case, Record, RecordError
from benchmarks.records.standing import stale_reason

__all__ = ["RECORDS", "NotOwn", "Read", "Store", "StoreError", "open_store", "read_records"]

RECORDS = "results.jsonl"
LARGE = 256 << 20  # bytes of records from which on they are not held in memory
BEGINNING = b'{"case": {'  # of a file of records, of this or another version
# what file systems without locks answer to who asks for one
LOCKLESS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)


Check = Callable[[Record], None]


def _any(record: Record) -> None:
    """Takes every record."""


class StoreError(RuntimeError):
    """The output folder cannot be read or written; the message is one line for a person."""


class NotOwn(StoreError):
    """The output folder holds a file that would be written and that is somebody else's; nothing has been touched."""


class Store(ABC):
    """The records of one folder, open for appending; a context manager.

    Args:
        notices: what a person should know of what was found on opening.
    """

    notices: tuple[str, ...] = ()

    @abstractmethod
    def records(self) -> Sequence[Record]:
        """All records, in the order they were written."""

    @abstractmethod
    def append(self, record: Record) -> None:
        """Writes one record so that it outlives this process; raises `StoreError` and leaves the others whole."""

    @abstractmethod
    def settle(self) -> Sequence[str]:
        """Sees to it that all records are there still; what had to be done for that since the store was opened."""

    @abstractmethod
    def close(self) -> None:
        """Lets the next run have the folder."""

    def standing(self, machine: str, code: Callable[[Case], str]) -> tuple[list[Record], Counter[str]]:
        """The records that answer their case on a machine, and how many do not, by reason: see `stale_reason`."""
        records: list[Record] = []
        reasons: Counter[str] = Counter()
        for record in self.records():
            reason = stale_reason(record, machine, code)
            if reason is None:
                records.append(record)
            else:
                reasons[reason] += 1
        return records, reasons

    def elsewhere(self, metrics: Collection[str], machine: str, code: Callable[[Case], str]) -> list[Record]:
        """What other machines found of some metrics with the same code."""
        return [
            record
            for record in self.records()
            if record.case.metric in metrics
            and record.machine != machine
            and stale_reason(record, record.machine, code) is None
        ]

    @staticmethod
    def resume(cases: Iterable[Case], standing: Iterable[Record]) -> list[Case]:
        """The cases that have no answer yet, each once."""
        answered = {record.case for record in standing if record.status == "ok"}
        return [case for case in dict.fromkeys(cases) if case not in answered]

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_store(
    folder: Path, *, fresh: bool = False, writes: Callable[[], Iterable[str]] = tuple, check: Check = _any
) -> Store:
    """The store of a folder, which is made if it does not exist.

    Args:
        fresh: begin again; the earlier records are kept beside as `results.jsonl.old`, `results.jsonl.old2` ...
        writes: patterns of the names of all files that will be written besides.
        check: raises `RecordError` for a record that is left out besides those that are none.

    Raises:
        NotOwn: a file of such a name is there and is not the harness's own.
        StoreError: another run holds the folder, or it cannot be read or written.
    """
    path = folder / RECORDS
    if not fresh and path.is_file() and path.stat().st_size >= LARGE:
        return _Indexed(folder, writes)
    return _JsonLines(folder, fresh=fresh, writes=writes, check=check)


class _JsonLines(Store):
    """A record a line, in one file."""

    def __init__(self, folder: Path, *, fresh: bool, writes: Callable[[], Iterable[str]], check: Check) -> None:
        self._path = folder / RECORDS
        with _in_one_line(folder):
            found = read_records(self._path)
            theirs = [] if found.own else [RECORDS]
            worked_in = found.own and bool(found.content)
            theirs += foreign(folder, writes, worked_in=worked_in)
            if theirs:
                raise NotOwn(
                    f"{folder / theirs[0]} would be replaced and is not as this harness wrote it"
                    f"{f' ({len(theirs)} such files)' if len(theirs) > 1 else ''}; move it away, or choose another "
                    "--output-dir"
                )
            folder.mkdir(parents=True, exist_ok=True)
        self._lock = _locked(folder)
        try:
            with _in_one_line(folder):
                adopt(folder, worked_in=worked_in)
                if fresh:
                    self._keep()
                found = read_records(self._path, check)
                self._file = self._path.open("ab")
                self._file.truncate(len(found.content))
                if found.unfinished:
                    self._file.write(b"\n")
                    self._file.flush()
        except StoreError:
            self._lock.release()
            raise
        self.notices = found.notices
        self._records = list(found.records)
        self._content = bytearray(found.content + b"\n" * found.unfinished)
        self._settled: list[str] = []

    def records(self) -> Sequence[Record]:
        return self._records

    def append(self, record: Record) -> None:
        line = record.to_json().encode() + b"\n"
        try:
            self._restore()
            self._file.write(line)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            self._drop_unwritten()
            raise StoreError(
                f"cannot write {self._path}: {error.strerror}; the {len(self._records)} earlier records are whole"
            ) from None
        self._content += line
        self._records.append(record)

    def settle(self) -> Sequence[str]:
        with _in_one_line(self._path.parent):
            self._restore()
        return self._settled

    def close(self) -> None:
        with contextlib.suppress(OSError):  # what could not be written has been reported
            self._file.close()
        self._lock.release()

    def _restore(self) -> None:
        """Writes all lines again where the file is gone or another one; what is there instead is kept beside."""
        held = os.fstat(self._file.fileno())
        with contextlib.suppress(FileNotFoundError):
            found = self._path.stat()
            if os.path.samestat(found, held) and found.st_size == len(self._content):
                return
        self._file.close()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        kept = self._keep()
        replace_file(self._path, bytes(self._content))
        self._file = self._path.open("ab")
        self._settled.append(
            f"{self._path} was {f'changed during the run, which is kept as {kept.name}' if kept else 'gone'}; "
            f"its {len(self._records)} records were written again"
        )

    def _keep(self) -> Path | None:
        """Gives what there is in the place of the records a name that nothing has; None where there is nothing."""
        if self._path.is_file() and not self._path.stat().st_size:
            return None
        return set_aside(self._path)

    def _drop_unwritten(self) -> None:
        """Cuts off the part of a line that may have reached the file, and the part that still waits in the buffer."""
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError):
            os.truncate(self._path, len(self._content))
        with contextlib.suppress(OSError):
            self._file = self._path.open("ab")


class _Indexed(Store):
    """The same file, too long to be held: an index on this machine's disk tells where each record lies."""

    def __init__(self, folder: Path, writes: Callable[[], Iterable[str]]) -> None:
        self._path = folder / RECORDS
        with _in_one_line(folder):
            with self._path.open("rb") as file:
                theirs = [] if file.read(len(BEGINNING)) == BEGINNING else [RECORDS]
            theirs += foreign(folder, writes, worked_in=not theirs)
        if theirs:
            raise NotOwn(
                f"{folder / theirs[0]} is not as this harness wrote it; move it, or choose another --output-dir"
            )
        self._lock = _locked(folder)
        try:
            with _in_one_line(folder):
                adopt(folder, worked_in=True)
                self._index = Index(self._path)
                self._file = self._path.open("ab")
                torn = self._path.stat().st_size - self._index.ends
                self._file.truncate(self._index.ends)
        except StoreError:
            self._lock.release()
            raise
        lost = f"{self._path}: {{}}".format
        self.notices = (
            *((lost(f"the last line is torn ({torn} bytes) and was dropped; its case is open again"),) if torn else ()),
            *((lost(f"{self._index.bad} lines are not records and were left out"),) if self._index.bad else ()),
        )

    def records(self) -> Sequence[Record]:
        return Lines(self._index)

    def append(self, record: Record) -> None:
        line = record.to_json().encode() + b"\n"
        try:
            self._file.write(line)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            with contextlib.suppress(OSError):
                os.truncate(self._path, self._index.ends)
            raise StoreError(f"cannot write {self._path}: {error.strerror}; the earlier records are whole") from None
        self._index.add(record, len(line))

    def settle(self) -> Sequence[str]:
        with _in_one_line(self._path.parent):
            if self._path.stat().st_size != self._index.ends:
                raise StoreError(
                    f"{self._path} was changed during the run; what was appended is in it if nothing else is"
                )
        return ()

    def close(self) -> None:
        self._index.close()
        with contextlib.suppress(OSError):
            self._file.close()
        self._lock.release()


@dataclass(frozen=True, slots=True)
class Read:
    """What a file of records held.

    Args:
        records: in the order they were written.
        notices: what a person should know, such as a torn last line.
        content: the bytes up to the end of the last record.
        unfinished: whether that record lacks the end of its line.
        own: whether the harness wrote it: nothing at all is its own, too, and so is the beginning of a first line.
    """

    records: tuple[Record, ...]
    notices: tuple[str, ...]
    content: bytes = b""
    unfinished: bool = False
    own: bool = True


def read_records(path: Path, check: Check = _any) -> Read:
    """The records of a file. A torn last line is dropped, a line that is no record left out; both are said.

    Args:
        check: see `open_store`.

    Raises:
        OSError: there is something, which cannot be read or is no regular file.
    """
    if not os.path.lexists(path):
        return Read((), ())
    data = read_file(path)
    *lines, last = data.split(b"\n")
    records, notices, bad = [], [], []
    torn = 0 if _is_whole(last) else len(last)
    for number, line in enumerate([*lines, *([] if torn or not last else [last])], start=1):
        try:
            record = Record.from_json(line.decode())
            check(record)
            records.append(record)
        except (RecordError, UnicodeDecodeError) as error:
            bad.append((number, error))
    if torn:
        notices.append(f"{path}: the last line is torn ({torn} bytes) and was dropped; its case is open again")
    if bad:
        first, reason = bad[0]
        notices.append(f"{path}: {len(bad)} lines are not records and were left out; line {first}: {reason}")
    return Read(
        tuple(records),
        tuple(notices),
        content=data[: len(data) - torn],
        unfinished=bool(last) and not torn,
        own=bool(records) or not data.strip() or data.startswith(BEGINNING) or BEGINNING.startswith(data),
    )


def _is_whole(line: bytes) -> bool:
    """Whether a line without its end is all there, whatever it says."""
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _locked(folder: Path) -> BaseFileLock:
    """The lock of a folder, taken; raises `StoreError` where another run holds it."""
    lock: BaseFileLock = FileLock(folder / ".lock", timeout=0)
    try:
        with _in_one_line(folder):
            try:
                lock.acquire()
            except (NotImplementedError, OSError) as error:
                if isinstance(error, OSError) and error.errno not in LOCKLESS:
                    raise
                # a file system without locks: a file that is there stands for one
                lock = SoftFileLock(folder / ".lock.held", timeout=0)
                lock.acquire()
    except Timeout:
        raise StoreError(f"another run is writing to {folder}; wait for it, or choose another --output-dir") from None
    return lock


@contextlib.contextmanager
def _in_one_line(folder: Path) -> Iterator[None]:
    """Turns what the operating system says of a folder into one line."""
    try:
        yield
    except Timeout:
        raise
    except OSError as error:
        raise StoreError(f"cannot use output folder {folder}: {error.strerror or error}") from None
