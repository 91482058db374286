"""The records of an output folder: appended one by one, read back whatever happened, never two writers at once."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from benchmarks.records.record import Record, RecordError

__all__ = ["RECORDS", "Read", "Store", "StoreError", "read_records"]

RECORDS = "results.jsonl"


class StoreError(RuntimeError):
    """The output folder cannot be read or written; the message is one line for a person."""


@dataclass(frozen=True, slots=True)
class Read:
    """What a file of records held.

    Args:
        records: in the order they were written.
        notices: what a person should know, such as a torn last line.
        size: bytes up to the end of the last whole line.
    """

    records: tuple[Record, ...]
    notices: tuple[str, ...]
    size: int


class Store:
    """The records of one folder, open for appending; a context manager.

    Args:
        folder: made if it does not exist.
        fresh: begin anew; the earlier records are kept beside as `results.jsonl.old`.

    Raises:
        StoreError: another run holds the folder, or it cannot be read or written.
    """

    def __init__(self, folder: Path, *, fresh: bool = False) -> None:
        self._path = folder / RECORDS
        with _in_words(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = (folder / ".lock").open("a")
        try:
            self._take(folder)
            if self._path.exists() and not self._path.is_file():
                raise StoreError(f"cannot use output folder {folder}: {RECORDS} is not a regular file")
            with _in_words(folder):
                if fresh and self._path.exists():
                    self._path.replace(self._path.with_name(RECORDS + ".old"))
                found = read_records(self._path)
                self._file = self._path.open("ab")
                self._file.truncate(found.size)
        except StoreError:
            self._lock.close()
            raise
        self.notices = found.notices
        self.records = list(found.records)
        self._size = found.size

    def append(self, record: Record) -> None:
        """Writes one record so that it outlives this process; raises `StoreError` and leaves the file whole."""
        line = record.to_json().encode() + b"\n"
        try:
            self._file.write(line)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            self._drop_unwritten()
            raise StoreError(
                f"cannot write {self._path}: {error.strerror}; the {len(self.records)} earlier records are whole"
            ) from None
        self._size += len(line)
        self.records.append(record)

    def close(self) -> None:
        """Lets the next run have the folder."""
        with contextlib.suppress(OSError):  # what could not be written has been reported
            self._file.close()
        self._lock.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _take(self, folder: Path) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreError(
                f"another run is writing to {folder}; wait for it, or choose another --output-dir"
            ) from None

    def _drop_unwritten(self) -> None:
        """Cuts off the part of a line that may have reached the file, and the part that still waits in the buffer."""
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError):
            os.truncate(self._path, self._size)
        with contextlib.suppress(OSError):
            self._file = self._path.open("ab")


def read_records(path: Path) -> Read:
    """The records of a file. A torn last line is dropped, a line that is no record left out; both are said.

    Raises:
        OSError: the file exists and cannot be read.
    """
    if not path.exists():
        return Read((), (), 0)
    data = path.read_bytes()
    whole, newline, torn = data.rpartition(b"\n")
    records, notices, bad = [], [], []
    for number, line in enumerate(whole.split(b"\n") if newline else (), start=1):
        try:
            records.append(Record.from_json(line.decode()))
        except (RecordError, UnicodeDecodeError) as error:
            bad.append((number, error))
    if torn:
        notices.append(f"{path}: the last line is torn ({len(torn)} bytes) and was dropped; its case is open again")
    if bad:
        first, reason = bad[0]
        notices.append(f"{path}: {len(bad)} lines are not records and were left out; line {first}: {reason}")
    return Read(tuple(records), tuple(notices), len(data) - len(torn))


@contextlib.contextmanager
def _in_words(folder: Path) -> Iterator[None]:
    """Turns what the operating system says of a folder into one line."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"cannot use output folder {folder}: {error.strerror or error}") from None
