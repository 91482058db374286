"""`benchmarks.run` on somebody's own images: what is said, what is kept, what the page answers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import zoo
from benchmarks.plan import cost
from benchmarks.records.environment import effective_cpus
from benchmarks.records.record import Case
from benchmarks.records.store import RECORDS, read_records
from tests.benchmarks.photos import SMALL, folder, trained
from tests.benchmarks.test_run import run

ROOT = Path(__file__).resolve().parents[2]
CLASSES = ("cat", "dog", "red fox")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder(tmp_path_factory.mktemp("data") / "photos", {"train": 6, "val": 3})


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("runs") / "mine" / "best.safetensors", CLASSES)


def test_what_becomes_of_each_network_is_said_before_it_begins(photos: Path, file: Path, tmp_path: Path) -> None:
    typed = ("--models", f"resnet18,{file}", "--dataset", "folder", "--data-dir", str(photos), "--metrics", "accuracy")
    planned = run(tmp_path, *typed, "--dry-run").stdout
    ended = run(tmp_path, *typed)
    assert ended.returncode == 0, ended.stderr
    label = "mobilenet_v1:resolution=32,width=0.25"
    for said in (planned, ended.stderr.partition("1/2 ")[0]):
        assert "found 27 files = 27 used + 0 left out" in said
        assert f"resnet18: trained from scratch with recipe scratch on 18 images of {photos}" in said
        assert f"{label}: {file} is tested as it is, since it knows the classes of {photos}" in said


def test_trainings_side_by_side_have_a_folder_and_a_lane_each(photos: Path, tmp_path: Path) -> None:
    typed = ("--dataset", "folder", "--data-dir", str(photos), "--metrics", "accuracy", "--seeds", "0,1,2")
    assert run(tmp_path, "--models", "resnet18", *typed).returncode == 0
    records = read_records(tmp_path / RECORDS).records
    places = [record.measurements[0].details["place"] for record in records]
    assert {record.case.seed for record in records} == {0, 1, 2}
    assert {place["folder"] for place in places} == {str(tmp_path)}
    assert len({place["mark"] for place in places}) == 3
    assert {place["lane"] for place in places} <= set(range(effective_cpus()))
    assert len({place["lane"] for place in places}) == min(effective_cpus(), 3)


def test_why_a_network_began_without_weights_is_in_its_record(photos: Path, tmp_path: Path) -> None:
    typed = ("--weights", "imagenet", "--dataset", "folder", "--data-dir", str(photos), "--metrics", "accuracy")
    ended = run(tmp_path, "--models", "nin", *typed)
    (record,) = read_records(tmp_path / RECORDS).records
    assert (record.case.recipe, record.case.weights) == ("scratch", "")
    assert "trained from scratch, since its weights are not to be had here" in record.notes[0]
    assert "no published ImageNet weights" in ended.stderr.partition("1/1 ")[0]


def test_begun_afresh_the_trained_networks_are_set_aside(photos: Path, tmp_path: Path) -> None:
    typed = ("--models", "resnet18", "--dataset", "folder", "--data-dir", str(photos), "--metrics", "accuracy")
    (tmp_path / "trained").mkdir()
    (tmp_path / "trained" / "mine").touch()
    assert run(tmp_path, *typed, "--fresh").returncode == 0
    assert (tmp_path / "trained.old" / "mine").exists() and not (tmp_path / "trained").exists()


@pytest.mark.parametrize(("visible", "lanes"), [(None, 3), ("0,2", 2), ("", 1), ("-1", 1)])
def test_one_training_a_gpu(visible: str | None, lanes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "gpus", lambda: ["one", "two", "three"])
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert cost.at_a_time("training", [Case(metric="accuracy", model="resnet18", device="cuda")] * 8) == lanes


@pytest.mark.slow
def test_the_whole_command_answers_which_is_best(photos: Path, file: Path, tmp_path: Path) -> None:
    command = [
        sys.executable, "-m", "benchmarks.run", "--models", f"{SMALL},{file}", "--dataset", "folder", "--data-dir",
        str(photos), "--recipe", "scratch:epochs=1,batch_size=4", "--img-size", "32", "--metrics", "accuracy,params",
        "--output-dir", str(tmp_path),
    ]  # fmt: skip
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr
    page = (tmp_path / "README.md").read_text()
    assert "## Which network is best for photos?" in page and "figures/confusion.svg" in page
    top1 = {
        each["case"]["weights"] != "": next(found for found in each["measurements"] if found["name"] == "top1")
        for each in map(json.loads, (tmp_path / RECORDS).read_text().splitlines())
        if each["case"]["metric"] == "accuracy"
    }
    assert set(top1) == {True, False}
    for found in top1.values():
        kept = zoo.load(tmp_path / found["details"]["weights_file"])
        assert zoo.evaluate(kept, zoo.open_data(photos)).correct == round(found["value"] * 9)
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert again.returncode == 0 and "4 of 4 cases are done already" in again.stderr
