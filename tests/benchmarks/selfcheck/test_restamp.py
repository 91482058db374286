"""Records are stamped again only where the answers are the same to the bit."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.records.record import Case, Measurement, Record
from benchmarks.selfcheck.restamp import Trial, _files, to_try

ROOT = Path(__file__).parents[3]
CASE = Case(metric="accuracy", model="resnet18", recipe="sample")
TRAINED = Record(case=CASE, status="ok", machine="here", seconds=9)


def counted(value: float) -> Record:
    found = Measurement(name="param_count", value=value, unit="count")
    return Record(case=Case(metric="params", model="resnet18"), status="ok", measurements=(found,))


def test_of_a_family_the_fastest_training_is_tried_and_this_machines_first() -> None:
    faster = dataclasses.replace(TRAINED, seconds=5, machine="there")
    larger = dataclasses.replace(TRAINED, case=dataclasses.replace(TRAINED.case, model="resnet50"), seconds=7)
    other = dataclasses.replace(TRAINED, case=dataclasses.replace(TRAINED.case, model="vgg11"), machine="there")
    assert to_try([TRAINED, faster, larger, other], "here") == [larger, other]
    assert to_try([faster, TRAINED], "nowhere") == [faster]


def test_every_count_is_tried_once() -> None:
    failed = dataclasses.replace(counted(1), status="failed")
    assert to_try([counted(1), failed, counted(2)], "here") == [counted(2)]


def test_another_answer_or_none_is_not_the_same() -> None:
    assert Trial(expected=counted(1), found=counted(1), source="").same
    assert not Trial(expected=counted(1), found=counted(2), source="").same
    assert not Trial(expected=counted(1), found=dataclasses.replace(counted(1), status="crashed"), source="").same

    def trained(loss: float, seconds: float) -> Record:
        curve = [{"epoch": 1, "loss": loss, "seconds": seconds}]
        found = Measurement(name="top1", value=0.5, unit="fraction", details={"answers": "same", "curve": curve})
        return dataclasses.replace(TRAINED, measurements=(found,))

    assert Trial(expected=trained(0.5, 1.0), found=trained(0.5, 2.0), source="").same
    assert not Trial(expected=trained(0.5, 1.0), found=trained(0.5 + 1e-9, 1.0), source="").same


def test_files_are_compared_where_nothing_else_moved(tmp_path: Path) -> None:
    timed = Case(metric="latency", model="mobilenet_v1:width=0.25", runtime="onnxruntime", batch_size=1, img_size=64)
    assert _files([timed, dataclasses.replace(timed, runtime="openvino")], ROOT) == {}
    shutil.copytree(ROOT / "zoo", tmp_path / "zoo", ignore=shutil.ignore_patterns("__pycache__"))
    assert list(_files([timed], tmp_path).values()) == [True]
    names = tmp_path / "zoo" / "runtimes" / "onnxruntime.py"
    names.write_text(names.read_text().replace('output_names=["logits"]', 'output_names=["scores"]'))
    assert list(_files([timed], tmp_path).values()) == [False]


@pytest.mark.slow
def test_stamped_after_a_rewording_and_refused_after_a_change(tmp_path: Path) -> None:
    for package in ("zoo", "benchmarks"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)

    def restamp(old: str, new: str, *flags: str) -> int:
        path = tmp_path / "zoo" / "training" / "loop.py"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
        return run(sys.executable, "-m", "benchmarks.selfcheck", "restamp", "--output-dir", "out", *flags).returncode

    def stale() -> bool:
        done = run(sys.executable, "-m", "benchmarks.run", *asked, "--dry-run")
        assert done.returncode == 0
        script = (
            "import sys; from pathlib import Path; from benchmarks.records.store import read_records;"
            "from benchmarks.measure.basis import code_of; found = read_records(Path('out/results.jsonl')).records;"
            "sys.exit(any(record.code != code_of(record.case) for record in found))"
        )
        again = run(sys.executable, "-c", script)
        return again.returncode == 1

    def commit() -> None:
        for command in (
            ["add", "zoo", "benchmarks"],
            ["-c", "user.name=x", "-c", "user.email=x@y", "commit", "-qm", "x"],
        ):
            assert run("git", *command).returncode == 0

    assert run("git", "init", "-q").returncode == 0
    commit()
    asked = ["--models", "mobilenet_v1:width=0.25", "--metrics", "params,accuracy", "--img-size", "32", "--epochs", "1",
             "--output-dir", "out"]  # fmt: skip
    assert run(sys.executable, "-m", "benchmarks.run", *asked, "--quick").returncode == 0
    assert not stale()
    assert restamp("quiet", "silent") == 0 and not stale()
    assert "1 training" in (tmp_path / "out" / "restamp.md").read_text()
    commit()
    assert restamp("silent", "mute", "--short") == 0 and not stale()
    assert "the code of HEAD, here" in (tmp_path / "out" / "restamp.md").read_text()
    commit()
    assert restamp("scale(loss if", "scale(1.01 * loss if", "--short") == 1 and stale()
    assert restamp("scale(1.01 * loss if", "scale(1.02 * loss if") == 1 and stale()
