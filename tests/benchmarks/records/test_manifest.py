"""Only files that the harness wrote, and nobody has changed since, are replaced or removed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.records import manifest
from benchmarks.records.manifest import MANIFEST, adopt, foreign, remove_own, write_own
from zoo.partial import replacing

PATTERNS = ("README.md", "results-*.csv", "figures/rank.svg")


def strangers(folder: Path, *, worked_in: bool = False) -> list[str]:
    return foreign(folder, lambda: PATTERNS, worked_in=worked_in)


def put(folder: Path, name: str, text: str = "theirs") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["README.md", "results-here.csv", "figures/rank.svg"])
def test_a_file_of_somebody_else_is_named_and_stays(tmp_path: Path, name: str) -> None:
    path = put(tmp_path, name)
    assert strangers(tmp_path) == [name]
    with pytest.raises(FileExistsError, match="not as this harness wrote it"):
        write_own(path, "mine")
    remove_own(path)
    assert path.read_text() == "theirs"


def test_files_that_would_not_be_written_are_nobody_s_concern(tmp_path: Path) -> None:
    for name in ("notes.md", "figures/own.svg", "README.txt", "elsewhere/README.md"):
        put(tmp_path, name)
    assert strangers(tmp_path) == []


def test_a_file_of_one_s_own_is_replaced_and_removed(tmp_path: Path) -> None:
    adopt(tmp_path, worked_in=False)
    (tmp_path / "figures").mkdir()
    for name in ("README.md", "figures/rank.svg"):
        for text in ("first", "second", "second"):
            write_own(tmp_path / name, text)
            assert (tmp_path / name).read_text() == text
    assert strangers(tmp_path) == []
    assert not (tmp_path / "figures" / MANIFEST).exists()
    remove_own(tmp_path / "figures" / "rank.svg")
    assert not (tmp_path / "figures" / "rank.svg").exists()


def test_a_page_that_a_person_changed_is_theirs(tmp_path: Path) -> None:
    write_own(tmp_path / "README.md", "mine")
    put(tmp_path, "README.md", "mine, and a remark")
    assert strangers(tmp_path, worked_in=True) == ["README.md"]
    with pytest.raises(FileExistsError):
        write_own(tmp_path / "README.md", "newer")
    assert (tmp_path / "README.md").read_text() == "mine, and a remark"


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo, lambda path: os.symlink("/dev/zero", path),
                                  lambda path: os.symlink("nowhere", path)])  # fmt: skip
def test_what_is_no_file_is_never_one_s_own(tmp_path: Path, make: object) -> None:
    make(tmp_path / "README.md")  # type: ignore[operator]
    assert strangers(tmp_path) == ["README.md"]


def test_a_folder_from_before_there_was_a_manifest_is_taken_over_once(tmp_path: Path) -> None:
    page = put(tmp_path, "README.md", "of an earlier version")
    assert strangers(tmp_path, worked_in=True) == []
    adopt(tmp_path, worked_in=True)
    write_own(page, "of this one")
    put(tmp_path, "results-here.csv")
    assert strangers(tmp_path, worked_in=True) == ["results-here.csv"]


def test_killed_between_manifest_and_file_it_knows_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_own(tmp_path / "README.md", "first")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(manifest, "replace_file", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        write_own(tmp_path / "README.md", "second")
    assert strangers(tmp_path) == []
    write_own(tmp_path / "README.md", "third")


def test_the_manifest_is_what_sha256sum_reads_and_does_not_grow(tmp_path: Path) -> None:
    for number in range(20):
        write_own(tmp_path / "README.md", f"version {number}")
    adopt(tmp_path, worked_in=True)
    lines = (tmp_path / MANIFEST).read_text().splitlines()
    assert len(lines) == 1
    subprocess.run(["sha256sum", "--check", "--strict", MANIFEST], cwd=tmp_path, check=True, capture_output=True)


KILLED = """
import os, sys
from pathlib import Path
from zoo.partial import replacing
with replacing(Path(sys.argv[1])) as partial:
    partial.write_text("half")
    os._exit(9)
"""


def test_what_killed_processes_left_is_swept(tmp_path: Path) -> None:
    (tmp_path / "studies" / "figures").mkdir(parents=True)
    for name in ("README.md", "studies/figures/rank.svg"):
        assert subprocess.run([sys.executable, "-c", KILLED, tmp_path / name]).returncode == 9
    gone = list(tmp_path.rglob(".*.partial"))
    kept = [put(tmp_path, name) for name in (".lock", ".bashrc.4194305", ".notes.partial")]
    with replacing(tmp_path / "README.md") as ours:
        adopt(tmp_path, worked_in=False)
        assert ours.exists()
    assert len(gone) == 2 and not any(path.exists() for path in gone)
    assert all(path.exists() for path in kept)
