"""Records survive whatever happens to the run that writes them."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.records import store as stores
from benchmarks.records.environment import effective_cpus, observe, read_environment, write_environment
from benchmarks.records.files import replace_file
from benchmarks.records.record import STATUSES, Case, Measurement, Record, RecordError
from benchmarks.records.store import RECORDS, StoreError, open_store, read_records


def record(model: str = "resnet18", metric: str = "params", status: str = "ok", **case: object) -> Record:
    measurements = (Measurement(name="param_count", value=1.0, unit="count"),)
    return Record(case=Case(metric=metric, model=model, **case), status=status, measurements=measurements,
                  machine="here", code="now")  # type: ignore[arg-type]  # fmt: skip


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    written = [record("resnet18"), record("vgg16", status="failed")]
    with open_store(tmp_path) as store:
        for each in written:
            store.append(each)
    with open_store(tmp_path) as store:
        assert list(store.records()) == written
        assert store.notices == ()


def test_a_last_line_that_only_lacks_its_end_is_kept(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.append(record("resnet18"))
    path = tmp_path / RECORDS
    path.write_bytes(path.read_bytes()[:-1])
    assert len(read_records(path).records) == 1
    with open_store(tmp_path) as store:
        assert store.notices == ()
        store.append(record("alexnet"))
        assert len(read_records(path).records) == 2  # at once, whatever becomes of this process
        assert not store.settle()  # nothing had to be written again
    assert [each.case.model for each in read_records(path).records] == ["resnet18", "alexnet"]


def test_a_folder_is_free_as_soon_as_its_store_is_closed(tmp_path: Path) -> None:
    """Whoever still holds the closed one."""
    closed = open_store(tmp_path)
    closed.close()
    with open_store(tmp_path):
        pass
    del closed


def test_a_store_that_cannot_be_opened_locks_nobody_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise StoreError("it cannot be read")

    with monkeypatch.context() as patch, pytest.raises(StoreError, match="cannot be read") as raised:
        patch.setattr(stores, "read_records", fail)
        open_store(tmp_path)
    with open_store(tmp_path):  # though the error still holds what was being opened
        assert raised.tb is not None


@pytest.mark.parametrize("line", [b"{", b"[" * 9999, b"nul", b'"open'])
def test_half_a_line_is_torn_however_deep_it_is(line: bytes, tmp_path: Path) -> None:
    whole = record().to_json().encode() + b"\n"
    (tmp_path / RECORDS).write_bytes(whole + line)
    found = read_records(tmp_path / RECORDS)
    assert (found.content, found.unfinished, len(found.records)) == (whole, False, 1)


@pytest.mark.parametrize("cut", [2, 5, 40])
def test_a_torn_last_line_is_dropped_and_said(tmp_path: Path, cut: int) -> None:
    with open_store(tmp_path) as store:
        store.append(record("resnet18"))
        store.append(record("vgg16"))
    path = tmp_path / RECORDS
    path.write_bytes(path.read_bytes()[:-cut])
    with open_store(tmp_path) as store:
        assert [each.case.model for each in store.records()] == ["resnet18"]
        assert "torn" in store.notices[0]
        store.append(record("alexnet"))
    with open_store(tmp_path) as store:
        assert [each.case.model for each in store.records()] == ["resnet18", "alexnet"]
        assert store.notices == ()


def test_lines_that_are_no_records_cost_nothing_else(tmp_path: Path) -> None:
    other_schema = json.loads(record("vgg16").to_json()) | {"schema": 99}
    lines = [record("resnet18").to_json(), "{}", "\udcff", json.dumps(other_schema), record("alexnet").to_json()]
    (tmp_path / RECORDS).write_bytes(b"".join(line.encode(errors="surrogateescape") + b"\n" for line in lines))
    found = read_records(tmp_path / RECORDS)
    assert [each.case.model for each in found.records] == ["resnet18", "alexnet"]
    assert "3 lines" in found.notices[0]


def test_a_second_run_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    with open_store(tmp_path), pytest.raises(StoreError, match="another run"):
        open_store(tmp_path)
    open_store(tmp_path).close()


def test_a_file_system_without_locks_still_holds_two_runs_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(self: object, **_: object) -> None:
        raise NotImplementedError

    monkeypatch.setattr("benchmarks.records.store.FileLock.acquire", none)
    with open_store(tmp_path) as store:
        store.append(record())
        with pytest.raises(StoreError, match="another run"):
            open_store(tmp_path)
    open_store(tmp_path).close()


def test_what_stands_and_what_is_left(tmp_path: Path) -> None:
    mine, failed = record("resnet18"), record("vgg16", status="failed")
    theirs = dataclasses.replace(record("alexnet", metric="accuracy"), machine="there")
    stale = dataclasses.replace(record("nin"), code="before")
    with open_store(tmp_path) as store:
        for each in (mine, failed, theirs, stale):
            store.append(each)
        standing, reasons = store.standing("here", lambda case: "now")
        assert standing == [mine, failed]
        assert sorted(reasons.values()) == [1, 1]
        assert store.elsewhere(("accuracy", "schemes"), "here", lambda case: "now") == [theirs]
        assert store.elsewhere(("params",), "here", lambda case: "now") == []
        asked = [each.case for each in (mine, failed, stale, stale)]
        assert store.resume(asked, standing) == [failed.case, stale.case]


def test_a_full_disk_ends_with_one_line_and_leaves_the_records_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_store(tmp_path) as store:
        store.append(record("resnet18"))
        with monkeypatch.context() as patch, pytest.raises(StoreError, match=r"No space left.*1 earlier records"):
            patch.setattr(os, "fsync", lambda descriptor: _full())
            store.append(record("vgg16"))
        store.append(record("alexnet"))
    assert [each.case.model for each in read_records(tmp_path / RECORDS).records] == ["resnet18", "alexnet"]


def _full() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_folder_that_cannot_be_used_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot use output folder") as raised:
        open_store(tmp_path / "file" / "reports")
    assert "\n" not in str(raised.value)


def test_fresh_keeps_the_old_records_beside(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.append(record())
    with open_store(tmp_path, fresh=True) as store:
        assert list(store.records()) == []
    assert len(read_records(tmp_path / f"{RECORDS}.old").records) == 1


def test_replacing_a_file_is_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "page.md"
    replace_file(path, "old")
    with monkeypatch.context() as patch, pytest.raises(OSError):
        patch.setattr(os, "fsync", lambda descriptor: _full())
        replace_file(path, "new")
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["page.md"]


def test_the_environment_is_read_back_and_identifies_the_machine(tmp_path: Path) -> None:
    seen = observe("python -m benchmarks.run")
    write_environment(seen, tmp_path)
    back = read_environment(tmp_path)
    assert back is not None
    assert (back.id, back.machine_id, back.command) == (seen.id, seen.machine_id, seen.command)
    assert seen.machine["cpus"] >= effective_cpus() >= 1
    assert seen.software["packages"]["torch"]


TEXT = st.text(max_size=20)
NUMBER = st.floats(-1e29, 1e29).map(lambda number: round(number, 9))
PAIRS = st.lists(st.tuples(TEXT, TEXT | st.booleans() | NUMBER | st.integers(-9, 9)), max_size=3).map(tuple)


@settings(max_examples=100, deadline=None)
@given(
    st.builds(
        Record,
        case=st.builds(
            Case,
            metric=TEXT,
            model=TEXT,
            batch_size=st.integers(0, 10**9),
            settings=PAIRS,
            effort=PAIRS,
            data_dir=TEXT,
        ),
        status=st.sampled_from(STATUSES),
        reason=TEXT,
        notes=st.lists(TEXT, max_size=2).map(tuple),
        measurements=st.lists(
            st.builds(Measurement, name=TEXT, value=NUMBER, unit=TEXT, samples=st.lists(NUMBER, max_size=3).map(tuple)),
            max_size=2,
        ).map(tuple),
        seconds=NUMBER,
    )
)
def test_every_record_goes_to_one_line_and_back(each: Record) -> None:
    line = each.to_json()
    assert "\n" not in line
    back = Record.from_json(line)
    assert back == each
    assert back.case.data_dir == each.case.data_dir


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: data["case"].update(seed=[]), "seed of a case is \\[\\]"),
        (lambda data: data["case"].update(batch_size=-1), "batch_size of a case is -1"),
        (lambda data: data["case"].update(img_size=True), "img_size of a case is True"),
        (lambda data: data["case"].update(model="\ud800"), "model of a case"),
        (lambda data: data["case"].update(effort=[["max_time", None]]), "effort of a case"),
        (lambda data: data.update(started=None), "started of a record is None"),
        (lambda data: data.update(seconds=float("inf")), "Infinity is no number"),
        (lambda data: data.update(notes=[1]), "notes of a record"),
        (lambda data: data["measurements"][0].update(value=float("nan")), "NaN is no number"),
        (lambda data: data["measurements"][0].update(value="12"), "value of a measurement is '12'"),
        (lambda data: data["measurements"][0].update(samples=[1.0], rounds=[1, 2]), "1 samples and 2 rounds"),
        (lambda data: data["measurements"][0].update(details=[]), "details of a measurement"),
    ],
)
def test_values_are_checked_where_records_are_read(change: Callable[[dict[str, Any]], None], said: str) -> None:
    data = json.loads(record().to_json())
    change(data)
    with pytest.raises(RecordError, match=said):
        Record.from_json(json.dumps(data))


def test_numbers_beyond_numbers_and_depths_beyond_depths_are_refused() -> None:
    for line in (record().to_json().replace('"value": 1.0', '"value": 1e999'), "[" * 100_000):
        with pytest.raises(RecordError):
            Record.from_json(line)


@settings(max_examples=200, deadline=None)
@given(st.text() | st.recursive(st.none() | st.integers() | TEXT, lambda inner: st.dictionaries(
    st.sampled_from(["schema", "case", "status", "measurements", "settings"]) | TEXT, inner, max_size=4
) | st.lists(inner, max_size=3)).map(json.dumps))  # fmt: skip
def test_any_other_line_is_refused_in_words(line: str) -> None:
    with pytest.raises(RecordError):
        Record.from_json(line)


@pytest.fixture(params=[1, 1 << 40], ids=["indexed", "held"])
def begun(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one record, which either store opens."""
    monkeypatch.setenv("ZOO_CACHE_DIR", str(tmp_path / "cache"))
    with open_store(tmp_path) as store:
        store.append(record("resnet18"))
    monkeypatch.setattr(stores, "LARGE", request.param)
    return tmp_path


def test_each_record_is_on_disk_before_the_next_is_measured(begun: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forced: list[int] = []
    before = os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: (forced.append(descriptor), before(descriptor)))
    with open_store(begun) as store:
        forced.clear()
        for count, model in enumerate(("alexnet", "vgg16"), start=1):
            store.append(record(model))
            assert len(forced) == count
            assert len(read_records(begun / RECORDS).records) == 1 + count


def test_a_full_disk_leaves_whole_records_in_either_store(begun: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_store(begun) as store:
        with monkeypatch.context() as patch, pytest.raises(StoreError, match="No space left"):
            patch.setattr(os, "fsync", lambda descriptor: _full())
            store.append(record("vgg16"))
        assert [each.case.model for each in read_records(begun / RECORDS).records] == ["resnet18"]
        store.append(record("alexnet"))
    assert [each.case.model for each in read_records(begun / RECORDS).records] == ["resnet18", "alexnet"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"low": -1.0, "high": 2.0}, "is below 0"),
        ({"samples": (1.0, -0.5), "rounds": (1, 2)}, "is below 0"),
        ({"samples": (1.0, 0.0), "rounds": (1, 2)}, "is 0"),
        ({"samples": (1.0, 2.0), "rounds": (1,)}, "2 samples and 1 rounds"),
        ({"low": 2.0, "high": 1.0}, "interval from 2 to 1"),
    ],
)
def test_quantities_are_never_negative(fields: dict[str, Any], said: str) -> None:
    each = record()
    wrong = Measurement(name="latency_s", value=1.0, unit="s", **fields)
    with pytest.raises(RecordError, match=said):
        Record.from_json(dataclasses.replace(each, measurements=(wrong,)).to_json())
