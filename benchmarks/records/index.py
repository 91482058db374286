"""An index of a file of records that is too long to be read at every start: SQLite, kept on this machine's own disk.

The lines of JSON stay what counts and what is exchanged. The index can be made again from them at any time, so it needs
no lock and lies where no other machine looks for it: files on a network do not lock reliably. What was appended since
is read when it is opened; a file that was changed otherwise is read anew.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import marshal
import os
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any, overload

from benchmarks.records.record import SCHEMA, STATUSES, Case, Measurement, Record, RecordError
from zoo.cache import cache_folder

__all__ = ["Index", "Lines", "key_of"]

TABLES = """
CREATE TABLE records (id INTEGER PRIMARY KEY, begins INTEGER, length INTEGER, key BLOB, kin BLOB, machine TEXT,
                      code TEXT, status TEXT, metric TEXT, model TEXT, seconds REAL, name TEXT, value REAL);
CREATE TABLE file (ends INTEGER, bad INTEGER, sign TEXT);
"""
SIGNED = 4096  # bytes before the place where the index ends, by which the file is known again
CACHE_KIB = 1 << 18  # of the database's pages that are held in memory
BATCH = 20_000  # records written to the index at a time
# what tells cases that one computation answers apart: whatever else a case is, its code is the same
VARIED = ("seed", "batch_size", "num_threads", "train_threads", "effort", "data_dir", "weights_path")
COMPARED = tuple(each.name for each in dataclasses.fields(Case) if each.compare)
# of the keys, which other fields or another way to write them down would change
SCHEME = zlib.crc32(repr(("marshal", COMPARED, VARIED)).encode()) & 0x7FFFFFFF
_all, _kin = attrgetter(*COMPARED), attrgetter(*(name for name in COMPARED if name not in VARIED))


def key_of(case: Case) -> bytes:
    """Sixteen bytes that equal cases share."""
    return hashlib.blake2b(_bytes(_all(case)), digest_size=16).digest()


def _bytes(values: Any) -> bytes:
    """Equal values as equal bytes; a key so takes half the time of one by `repr`, which counts for a million cases."""
    return marshal.dumps(values, 2)  # the last format in which nothing tells one string from another that equals it


class Index:
    """The index of a file of records; a context manager.

    Args:
        path: of the file.
        folder: of the index; that of the zoo's cache where none is named.

    Attributes:
        bad: lines that are no records.
        ends: where the last whole line ends.
    """

    def __init__(self, path: Path, folder: Path | None = None) -> None:
        self.path = path
        place = folder or cache_folder() / "indexes"
        place.mkdir(parents=True, exist_ok=True)
        name = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]
        self._file = place / f"{name}.sqlite"
        self._base = self._opened()
        self.ends, self.bad, sign = self._base.execute("SELECT ends, bad, sign FROM file").fetchone()
        if sign != self._sign(self.ends):
            self._base.close()
            self._file.unlink()
            self._base = self._opened()
            self.ends = self.bad = 0
        self.catch_up()

    def catch_up(self) -> None:
        """Takes in what was appended to the file; a line that is not ended is not."""
        with self.path.open("rb") as file:
            file.seek(self.ends)
            rows: list[tuple[object, ...]] = []
            for line in file:
                if not line.endswith(b"\n"):
                    break
                try:
                    rows.append(_read_row(line, self.ends))
                except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError):
                    self.bad += 1
                self.ends += len(line)
                if len(rows) >= BATCH:
                    self._write(rows)
                    rows = []
        self._write(rows)

    def add(self, record: Record, length: int) -> None:
        """Takes in the line that was appended last."""
        self._base.execute(INSERT, _row(record, self.ends, length))
        self.ends += length

    def select(self, query: str, *values: object) -> Iterator[tuple[object, ...]]:
        """Rows of a question in SQL to the table `records`."""
        return iter(self._base.execute(query, values))

    def standing(self, machine: str, codes: Iterable[tuple[bytes, str]]) -> set[bytes]:
        """Keys of the cases that were answered on a machine by code that still stands.

        Args:
            codes: kin of cases and the code that they are computed by now; see `kin`.
        """
        self._base.execute("CREATE TEMP TABLE IF NOT EXISTS now (kin BLOB, code TEXT, PRIMARY KEY (kin, code))")
        self._base.execute("DELETE FROM now")
        self._base.executemany("INSERT OR IGNORE INTO now VALUES (?, ?)", codes)
        found = self._base.execute(
            "SELECT key FROM records JOIN now USING (kin, code) WHERE machine = ? AND status = 'ok'", (machine,)
        )
        return {key for (key,) in found}

    def kin(self) -> Iterator[tuple[bytes, Record]]:
        """A record of every group of cases that one computation answers."""
        first: dict[bytes, tuple[int, int]] = {}  # sooner found so than by sorting them all in SQL
        for kin, begins, length in self._base.execute("SELECT kin, begins, length FROM records ORDER BY id"):
            first.setdefault(kin, (begins, length))
        with self.path.open("rb") as file:
            for kin, (begins, length) in first.items():
                file.seek(begins)
                with contextlib.suppress(RecordError, UnicodeDecodeError):
                    yield kin, Record.from_json(file.read(length).decode())

    def close(self) -> None:
        """Keeps what was taken in."""
        with contextlib.suppress(sqlite3.Error):
            self._write([])
            self._base.close()

    def __enter__(self) -> Index:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        return int(self._base.execute("SELECT count(*) FROM records").fetchone()[0])

    def _opened(self) -> sqlite3.Connection:
        """The database, a new one where there is none that can be read."""
        for _ in range(2):
            base = sqlite3.connect(self._file, isolation_level=None)
            try:
                base.execute("PRAGMA journal_mode = MEMORY")
                base.execute("PRAGMA synchronous = OFF")  # what a crash leaves is not believed unless the file agrees
                base.execute("PRAGMA temp_store = MEMORY")  # a million records are sorted there several times as fast
                base.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
                if not base.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                    base.executescript(TABLES)
                    base.execute(f"PRAGMA user_version = {SCHEME}")
                    base.execute("INSERT INTO file VALUES (0, 0, ?)", (self._sign(0),))
                if base.execute("PRAGMA user_version").fetchone()[0] != SCHEME:
                    raise sqlite3.DatabaseError("made for other keys")
                base.execute("SELECT ends, bad, sign FROM file").fetchone()
                return base
            except sqlite3.Error:
                base.close()
                self._file.unlink(missing_ok=True)
        raise OSError(f"no index can be kept in {self._file.parent}")

    def _write(self, rows: Sequence[tuple[object, ...]]) -> None:
        if not self._base.in_transaction:
            self._base.execute("BEGIN")
        self._base.executemany(INSERT, rows)
        self._base.execute("UPDATE file SET ends = ?, bad = ?, sign = ?", (self.ends, self.bad, self._sign(self.ends)))
        self._base.execute("COMMIT")

    def _sign(self, ends: int) -> str:
        """What the file holds before a place, by which it is known to be the one that was read."""
        if not os.path.lexists(self.path) or self.path.stat().st_size < ends:
            return "shorter"
        with self.path.open("rb") as file:
            head = file.read(min(SIGNED, ends))
            file.seek(max(ends - SIGNED, 0))
            return hashlib.sha256(head + file.read(min(SIGNED, ends))).hexdigest()[:16]


INSERT = (
    "INSERT INTO records (begins, length, key, kin, machine, code, status, metric, model, seconds, name, value) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


def _read_row(line: bytes, begins: int) -> tuple[object, ...]:
    """A line's row, without all that the line holds being checked: that is done whenever its record is read."""
    data = json.loads(line)
    if data["schema"] != SCHEMA or data["status"] not in STATUSES:
        raise ValueError("no record of this schema")
    case = data["case"]
    for pairs in ("settings", "effort"):
        case[pairs] = tuple((name, value) for name, value in case.get(pairs, ()))
    found = data["measurements"][:1]
    return _row(
        Record(
            case=Case(**case),
            status=data["status"],
            measurements=tuple(Measurement(name=each["name"], value=float(each["value"]), unit="") for each in found),
            machine=str(data["machine"]),
            code=str(data["code"]),
            seconds=float(data["seconds"]),
        ),
        begins,
        len(line),
    )


def _row(record: Record, begins: int, length: int) -> tuple[object, ...]:
    case, found = record.case, record.measurements
    kin = hashlib.blake2b(_bytes(_kin(case)), digest_size=8).digest()
    return (
        begins, length, key_of(case), kin, record.machine, record.code, record.status, case.metric, case.model,
        record.seconds, found[0].name if found else None, found[0].value if found else None,
    )  # fmt: skip


class Lines(Sequence[Record]):
    """The records of an indexed file, each read when it is asked for; going through them leaves out what is none."""

    def __init__(self, index: Index) -> None:
        self._index = index

    def __len__(self) -> int:
        return len(self._index)

    @overload
    def __getitem__(self, position: int) -> Record: ...
    @overload
    def __getitem__(self, position: slice) -> list[Record]: ...
    def __getitem__(self, position: int | slice) -> Record | list[Record]:
        if isinstance(position, slice):
            return [self[each] for each in range(*position.indices(len(self)))]
        count = len(self)
        if not -count <= position < count:
            raise IndexError(position)
        for record in self._read("WHERE id = ?", position % count + 1):
            return record
        raise RecordError(f"line {position % count + 1} is no record")

    def __iter__(self) -> Iterator[Record]:
        return self._read("ORDER BY id")

    def _read(self, which: str, *values: object) -> Iterator[Record]:
        with self._index.path.open("rb") as file:
            for begins, length in self._index.select(f"SELECT begins, length FROM records {which}", *values):
                file.seek(int(str(begins)))
                with contextlib.suppress(RecordError, UnicodeDecodeError):
                    yield Record.from_json(file.read(int(str(length))).decode())
