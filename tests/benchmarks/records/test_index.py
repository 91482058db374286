"""The index of a long file of records: it agrees with the file whatever happened to either."""

from __future__ import annotations

import dataclasses
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from benchmarks.measure.basis import code_of
from benchmarks.metrics import METRICS
from benchmarks.records import index as indexes
from benchmarks.records import store as stores
from benchmarks.records.index import VARIED, Index, Lines, key_of
from benchmarks.records.record import Case, Measurement, Record
from benchmarks.records.store import RECORDS, open_store, read_records


def record(seed: int = 0, **fields: str) -> Record:
    case = Case(metric="params", model="resnet18", seed=seed)
    return Record(case=case, status="ok", **{"machine": "here", "code": "now"} | fields)


def write(path: Path, *records: Record) -> None:
    with path.open("a") as file:
        file.writelines(f"{each.to_json()}\n" for each in records)


def test_every_record_is_found_where_it_lies(tmp_path: Path) -> None:
    path = tmp_path / RECORDS
    write(path, *(record(seed) for seed in range(5)))
    with Index(path, tmp_path) as index:
        assert tuple(Lines(index)) == read_records(path).records
        assert Lines(index)[-1] == record(4) and Lines(index)[1:3] == [record(1), record(2)]
        with pytest.raises(IndexError):
            Lines(index)[5]


def test_what_was_appended_is_taken_in_and_what_was_changed_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / RECORDS
    write(path, record(0), record(1))
    with Index(path, tmp_path):
        pass
    write(path, record(2))
    with Index(path, tmp_path) as index:
        assert [each.case.seed for each in Lines(index)] == [0, 1, 2]
    path.write_text(path.read_text().replace('"seed": 1', '"seed": 7'))
    with Index(path, tmp_path) as index:
        assert [each.case.seed for each in Lines(index)] == [0, 7, 2]
    path.write_text("")
    with Index(path, tmp_path) as index:
        assert len(index) == 0


def test_lines_that_are_no_records_are_counted(tmp_path: Path) -> None:
    path = tmp_path / RECORDS
    write(path, record(0))
    with path.open("a") as file:
        file.write("{\n[]\n")
    write(path, record(1))
    with Index(path, tmp_path) as index:
        assert index.bad == 2 and tuple(Lines(index)) == (record(0), record(1))


def test_equal_cases_have_one_key_however_their_strings_came_about() -> None:
    made = record(7).case
    read = Record.from_json(record(7).to_json()).case
    assert read == made and key_of(read) == key_of(made) != key_of(record(8).case)
    assert key_of(dataclasses.replace(made, model="".join(["resnet", "18"]))) == key_of(made)


def test_an_index_of_other_keys_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / RECORDS
    write(path, record(0))
    with monkeypatch.context() as earlier:
        earlier.setattr(indexes, "SCHEME", 1)
        earlier.setattr(indexes, "_bytes", lambda values: repr(values).encode())
        with Index(path, tmp_path):
            pass
    with Index(path, tmp_path) as index:
        kin = {kin: "now" for kin, _ in index.kin()}
        assert index.standing("here", kin.items()) == {key_of(record(0).case)}


def test_an_index_that_is_no_database_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / RECORDS
    write(path, record(0))
    with Index(path, tmp_path):
        pass
    next(tmp_path.glob("*.sqlite")).write_bytes(b"not a database" * 1000)
    with Index(path, tmp_path) as index:
        assert len(index) == 1


def test_what_stands_is_known_by_machine_and_code(tmp_path: Path) -> None:
    path = tmp_path / RECORDS
    write(
        path, record(0), record(1, machine="there"), record(2, code="old"), dataclasses.replace(record(3), status="oom")
    )
    with Index(path, tmp_path) as index:
        codes = [(kin, "now") for kin, _ in index.kin()]
        assert index.standing("here", codes) == {key_of(record(0).case)}


def test_the_code_of_a_case_does_not_depend_on_what_its_kin_differ_in() -> None:
    """One code is asked for each group of cases."""
    for metric in METRICS.values():
        case = Case(metric=metric.name, model="resnet18", img_size=224, recipe="sample", dataset="fashion_mnist")
        other = dataclasses.replace(case, seed=5, batch_size=8, num_threads=3, train_threads=2, effort=(("rounds", 3),))
        assert code_of(case) == code_of(other)
    assert {"seed", "batch_size", "num_threads", "train_threads", "effort"} <= set(VARIED)


def test_a_long_store_is_as_a_short_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_CACHE_DIR", str(tmp_path / "cache"))
    with open_store(tmp_path) as store:
        for seed in range(3):
            store.append(record(seed))
    with (tmp_path / RECORDS).open("a") as file:
        file.write('{"case": {"torn')
    monkeypatch.setattr(stores, "LARGE", 1)
    with open_store(tmp_path) as store:
        assert "torn" in store.notices[0]
        store.append(record(3))
        found, _ = store.standing("here", lambda case: "now")
        assert [each.case.seed for each in found] == [0, 1, 2, 3]
        assert not store.settle()
    assert [each.case.seed for each in read_records(tmp_path / RECORDS).records] == [0, 1, 2, 3]


def test_a_row_tells_what_a_record_holds_first(tmp_path: Path) -> None:
    path = tmp_path / RECORDS
    counts = (Measurement(name="param_count", value=7.0, unit="count"), Measurement(name="other", value=8.0, unit="B"))
    full = dataclasses.replace(record(1), measurements=counts, seconds=2.5)
    write(path, record(0), full)
    with Index(path, tmp_path) as index:
        index.add(dataclasses.replace(full, case=record(2).case, seconds=1.5), len(full.to_json()) + 1)
        rows = list(index.select("SELECT name, value, seconds FROM records ORDER BY id"))
    assert rows == [(None, None, 0.0), ("param_count", 7.0, 2.5), ("param_count", 7.0, 1.5)]


def test_where_no_index_can_be_kept_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that cannot be read is made again, once."""
    path = tmp_path / RECORDS
    write(path, record(0))
    tried: list[Path] = []

    def connect(file: Path, **options: Any) -> sqlite3.Connection:
        tried.append(file)
        if len(tried) > broken:
            return before(file, **options)
        file.write_text("no database at all, however long one looks at it")
        return before(file, **options)

    before, broken = sqlite3.connect, 1
    monkeypatch.setattr(indexes.sqlite3, "connect", connect)
    with Index(path, tmp_path) as index:
        assert len(index) == 1 and len(tried) == 2
    tried.clear()
    broken = 2
    with pytest.raises(OSError, match="no index can be kept in"):
        Index(path, tmp_path)
    assert len(tried) == 2


def test_one_record_of_each_kind_is_read_from_where_it_lies(tmp_path: Path) -> None:
    path = tmp_path / RECORDS
    kinds = [dataclasses.replace(record(), case=Case(metric=metric, model=model))
             for metric in ("params", "mult_adds") for model in ("nin", "vgg11")]  # fmt: skip
    write(path, *(each for kind in kinds for each in (kind, dataclasses.replace(kind, seconds=1.0))))
    with Index(path, tmp_path) as index:
        found = [each for _, each in index.kin()]
    assert found == kinds


def test_what_was_read_once_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / RECORDS
    write(path, record(0), record(1))
    with Index(path, tmp_path) as index:
        index.add(record(2), len(record(2).to_json()) + 1)
        write(path, record(2))
    read: list[int] = []
    before = indexes._read_row
    monkeypatch.setattr(indexes, "_read_row", lambda line, begins: read.append(begins) or before(line, begins))
    with Index(path, tmp_path) as index:
        assert len(index) == 3 and not read
