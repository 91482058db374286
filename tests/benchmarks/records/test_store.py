"""Records survive whatever happens to the run that writes them."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import benchmarks.records.staleness
from benchmarks.records.environment import effective_cpus, observe, read_environment, write_environment
from benchmarks.records.files import replace_file
from benchmarks.records.record import STATUSES, Case, Measurement, Record, RecordError
from benchmarks.records.staleness import case_code, weights_checksum
from benchmarks.records.store import RECORDS, Store, StoreError, current, read_records, stale_reason


def record(model: str = "resnet18", metric: str = "params", status: str = "ok", **case: object) -> Record:
    measurements = (Measurement(name="param_count", value=1.0, unit="count"),)
    return Record(case=Case(metric=metric, model=model, **case), status=status, measurements=measurements,
                  machine="here", code="now")  # type: ignore[arg-type]  # fmt: skip


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    written = [record("resnet18"), record("vgg16", status="failed")]
    with Store(tmp_path) as store:
        for each in written:
            store.append(each)
    with Store(tmp_path) as store:
        assert store.records == written
        assert store.notices == ()


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_a_torn_last_line_is_dropped_and_said(tmp_path: Path, cut: int) -> None:
    with Store(tmp_path) as store:
        store.append(record("resnet18"))
        store.append(record("vgg16"))
    path = tmp_path / RECORDS
    path.write_bytes(path.read_bytes()[:-cut])
    with Store(tmp_path) as store:
        assert [each.case.model for each in store.records] == ["resnet18"]
        assert "torn" in store.notices[0]
        store.append(record("alexnet"))
    with Store(tmp_path) as store:
        assert [each.case.model for each in store.records] == ["resnet18", "alexnet"]
        assert store.notices == ()


def test_lines_that_are_no_records_cost_nothing_else(tmp_path: Path) -> None:
    other_schema = json.loads(record("vgg16").to_json()) | {"schema": 99}
    lines = [record("resnet18").to_json(), "{}", "\udcff", json.dumps(other_schema), record("alexnet").to_json()]
    (tmp_path / RECORDS).write_bytes(b"".join(line.encode(errors="surrogateescape") + b"\n" for line in lines))
    found = read_records(tmp_path / RECORDS)
    assert [each.case.model for each in found.records] == ["resnet18", "alexnet"]
    assert "3 lines" in found.notices[0]


def test_a_second_run_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    with Store(tmp_path), pytest.raises(StoreError, match="another run"):
        Store(tmp_path)
    Store(tmp_path).close()


def test_a_full_disk_ends_with_one_line_and_leaves_the_records_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store(tmp_path) as store:
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
        Store(tmp_path / "file" / "reports")
    assert "\n" not in str(raised.value)


def test_fresh_keeps_the_old_records_beside(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.append(record())
    with Store(tmp_path, fresh=True) as store:
        assert store.records == []
    assert len(read_records(tmp_path / f"{RECORDS}.old").records) == 1


def test_replacing_a_file_is_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "page.md"
    replace_file(path, "old")
    with monkeypatch.context() as patch, pytest.raises(OSError):
        patch.setattr(os, "fsync", lambda descriptor: _full())
        replace_file(path, "new")
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["page.md"]


def test_records_of_another_machine_code_or_model_are_stale() -> None:
    fresh = record()
    assert stale_reason(fresh, "here", lambda case: "now") is None
    assert "machine" in (stale_reason(fresh, "there", lambda case: "now") or "")
    assert "code" in (stale_reason(fresh, "here", lambda case: "later") or "")
    assert "know" in (stale_reason(record("resnet17"), "here", case_code) or "")


def test_code_differs_between_families_and_not_between_variants() -> None:
    codes = {name: case_code(Case(metric="params", model=name)) for name in ("resnet18", "resnet50", "vgg16")}
    assert codes["resnet18"] == codes["resnet50"] != codes["vgg16"]
    assert case_code(Case(metric="latency", model="resnet18")) != codes["resnet18"]


def test_of_one_question_the_asked_settings_stand_else_the_newest() -> None:
    short, long = (record(metric="latency", settings=(("max_time", seconds),)) for seconds in (1.0, 9.0))
    assert list(current([short, long])) == [long.case]
    assert list(current([short, long], [short.case])) == [short.case]
    again = dataclasses.replace(short, status="failed")
    assert list(current([short, again]).values()) == [again]


def test_the_environment_is_read_back_and_identifies_the_machine(tmp_path: Path) -> None:
    seen = observe("python -m benchmarks.run")
    write_environment(seen, tmp_path)
    back = read_environment(tmp_path)
    assert back is not None
    assert (back.id, back.machine_id, back.command) == (seen.id, seen.machine_id, seen.command)
    assert seen.machine["cpus"] >= effective_cpus() >= 1
    assert seen.software["packages"]["torch"]


TEXT = st.text(max_size=20)
NUMBER = st.floats(allow_nan=False, allow_infinity=False)


@settings(max_examples=100, deadline=None)
@given(
    st.builds(
        Record,
        case=st.builds(
            Case,
            metric=TEXT,
            model=TEXT,
            batch_size=st.integers(),
            settings=st.lists(st.tuples(TEXT, TEXT | st.booleans() | NUMBER | st.integers()), max_size=3).map(tuple),
        ),
        status=st.sampled_from(STATUSES),
        reason=TEXT,
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
    assert Record.from_json(line) == each


@settings(max_examples=200, deadline=None)
@given(st.text() | st.recursive(st.none() | st.integers() | TEXT, lambda inner: st.dictionaries(
    st.sampled_from(["schema", "case", "status", "measurements", "settings"]) | TEXT, inner, max_size=4
) | st.lists(inner, max_size=3)).map(json.dumps))  # fmt: skip
def test_any_other_line_is_refused_in_words(line: str) -> None:
    with pytest.raises(RecordError):
        Record.from_json(line)


def test_other_weights_or_images_under_the_same_name_are_another_question(tmp_path: Path) -> None:
    weights, images = tmp_path / "weights.h5", tmp_path / "images"
    images.mkdir()
    weights.write_bytes(b"one")
    case = Case(metric="accuracy", model="resnet18", weights=str(weights), dataset="imagenet", data_dir=str(images))
    codes = [case_code(case)]
    assert case_code(case) == codes[0]
    weights.write_bytes(b"two!")
    codes.append(case_code(case))
    (images / "one.jpg").write_bytes(b"pixels")
    benchmarks.records.staleness._listing.cache_clear()  # within one run a folder is looked at once
    codes.append(case_code(case))
    assert len(set(codes)) == 3
    assert weights_checksum(case) == hashlib.sha256(b"two!").hexdigest()
