"""What others may do to an output folder before and during a run: nothing of theirs is lost, and no record."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.records.environment import read_environment, read_machines
from benchmarks.records.files import checksum, read_file
from benchmarks.records.store import RECORDS, NotOwn, StoreError, open_store, read_records
from tests.benchmarks.records.test_store import record


def test_records_are_never_overwritten_however_often_one_begins_again(tmp_path: Path) -> None:
    for model in ("resnet18", "vgg16", "alexnet"):
        with open_store(tmp_path, fresh=True) as store:
            assert list(store.records()) == []
            store.append(record(model))
    open_store(tmp_path, fresh=True).close()
    kept = [read_records(tmp_path / f"{RECORDS}.old{number}").records[0].case.model for number in ("", 2, 3)]
    assert kept == ["resnet18", "vgg16", "alexnet"]


def _delete(path: Path) -> None:
    path.unlink()


def _delete_folder(path: Path) -> None:
    shutil.rmtree(path.parent)


def _replace(path: Path) -> None:
    path.with_name("another").write_text("theirs\n")
    path.with_name("another").replace(path)


def _empty(path: Path) -> None:
    path.write_text("")


def _add(path: Path) -> None:
    with path.open("a") as file:
        file.write("theirs\n")


@pytest.mark.parametrize("change", [_delete, _delete_folder, _replace, _empty, _add])
@pytest.mark.parametrize("last", [True, False])
def test_records_that_vanish_during_a_run_are_written_again(
    tmp_path: Path, change: Callable[[Path], None], last: bool
) -> None:
    path = tmp_path / "out" / RECORDS
    path.parent.mkdir()
    path.write_text(json.dumps({"case": {}, "schema": 99}) + "\n")  # a line of another version stays, too
    with open_store(path.parent) as store:
        store.append(record("resnet18"))
        change(path)
        if not last:
            store.append(record("vgg16"))
        said = store.settle()
        assert len(said) == 1 and "1 records were written again" in said[0]
        assert store.settle() == said
    found = read_records(path)
    assert [each.case.model for each in found.records] == ["resnet18", "vgg16"][: 1 if last else 2]
    assert "1 lines are not records" in found.notices[0]
    kept = path.with_name(f"{RECORDS}.old")
    assert ("theirs" in kept.read_text()) if change in (_replace, _add) else not kept.exists()


@pytest.mark.parametrize("content", ["model,top1\n", '{"name": 1}\n', "# notes", '[{"case": {}}]', "\udcff\n"])
def test_a_file_of_somebody_else_in_the_place_of_the_records(tmp_path: Path, content: str) -> None:
    path = tmp_path / RECORDS
    path.write_bytes(content.encode(errors="surrogateescape"))
    for fresh in (False, True):
        with pytest.raises(NotOwn, match=r"results\.jsonl would be replaced.*choose another --output-dir"):
            open_store(tmp_path, fresh=fresh)
    assert [each.name for each in tmp_path.iterdir()] == [RECORDS]
    assert path.read_bytes() == content.encode(errors="surrogateescape")


@pytest.mark.parametrize("content", ["", "\n", '{"ca', '{"case": {"batch', '{"case": {"metric": "x"}, "schema": 1}\n'])
def test_beginnings_and_other_versions_are_the_harness_s_own(tmp_path: Path, content: str) -> None:
    (tmp_path / RECORDS).write_text(content)
    open_store(tmp_path).close()


@pytest.mark.parametrize("name", ["README.md", "results.csv", "environment.json", "figures/rank.svg", "studies/a.md"])
def test_a_page_of_somebody_else_stops_a_run_before_it_begins(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("theirs")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(NotOwn, match=f"{name} would be replaced") as raised:
        open_store(tmp_path, writes=lambda: [name, "other.md"])
    assert "\n" not in str(raised.value) and len(str(raised.value)) < 300
    assert sorted(tmp_path.rglob("*")) == before and path.read_text() == "theirs"
    open_store(tmp_path, writes=lambda: ["other.md"]).close()


@pytest.mark.parametrize("error", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_every_way_a_file_system_says_that_it_has_no_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    def refuse(self: object, **_: object) -> None:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr("benchmarks.records.store.FileLock.acquire", refuse)
    with open_store(tmp_path), pytest.raises(StoreError, match="another run"):
        open_store(tmp_path)


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: os.symlink("/dev/zero", path)])
def test_nothing_but_files_is_read(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "x")
    for read in (read_records, read_file, checksum):
        with pytest.raises(OSError, match="not a regular file"):
            read(tmp_path / "x")
    make(tmp_path / "environment.json")
    assert read_environment(tmp_path) is None and read_machines(tmp_path) == {}


def test_names_of_another_encoding_do_not_cost_a_record(tmp_path: Path) -> None:
    odd = dataclasses.replace(record(data_dir="/photos/\udcff"), notes=("not read: a\udcff.jpg, \U0001f600 \\ud8ff",))
    with open_store(tmp_path) as store:
        store.append(odd)
    (kept,) = read_records(tmp_path / RECORDS).records
    assert (kept.case, kept.notes) == (odd.case, ("not read: a?.jpg, \U0001f600 \\ud8ff",))
