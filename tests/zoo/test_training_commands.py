"""`zoo train` and `zoo evaluate` at a shell: a folder of images in, a file that answers out."""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from PIL import Image

import zoo
from tests.zoo.training.small import folder_of_colours
from zoo.__main__ import main

MODEL = "mobilenet_v1:resolution=32,shallow=true,width=0.1"
TRAIN = f"train --model {MODEL} --batch-size 8 --workers 0 --num-threads 1"


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of_colours(tmp_path_factory.mktemp("data") / "photos", {"blue sky": 14, "grün": 12, "赤": 13})


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "start.safetensors"
    zoo.save_weights(zoo.create(MODEL, num_classes=7), path)
    return path


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(command: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    status = main(shlex.split(command))
    printed = capsys.readouterr()
    return status, printed.out, printed.err


def written(folder: Path) -> dict[str, int]:
    """When each file of a folder was written, without the lock."""
    return {entry.name: entry.stat().st_mtime_ns for entry in folder.iterdir() if entry.name != ".lock"}


def test_from_a_folder_to_a_file_that_answers(
    here: Path, photos: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = f"{TRAIN} --data {photos} --weights {weights} --epochs 3 --lr 0.01"
    status, out, err = run(command, capsys)
    assert status == 0
    folder = Path("runs/mobilenet_v1_resolution=32_shallow=true_width=0.1-photos")
    total = len(zoo.create(MODEL).state_dict())
    for line in (
        "39 files = ", f"{total - 2} of {total} tensors taken; new classifier for 3 classes",
        f"new training in {folder}", "8 images a step = 8 x 1 process x 1 accumulation, rate 0.01", "a step takes",
    ):  # fmt: skip
        assert line in err, line
    assert "right on val (the images that chose the epoch)" in out
    best = folder / "best.safetensors"
    assert f"python -m zoo predict --weights {shlex.quote(str(best))} IMAGE..." in out

    recorded = json.loads((folder / "config.json").read_text(encoding="utf-8"))["result"]["val"]
    status, out, err = run(f"evaluate --weights {best} --data {photos} --json", capsys)
    found = json.loads(out)
    assert (found["correct"], found["images"], found["part"]) == (recorded["correct"], recorded["images"], "val")
    assert "which the file was not trained on" in err
    assert list(found["per_class"]) == ["blue sky", "grün", "赤"]
    assert sum(map(sum, found["confusion"])) == found["images"]
    with (folder / "predictions.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == found["images"]
    assert sum(row["class"] == row["answer"] for row in rows) == found["correct"]
    assert all((photos / row["path"]).is_file() for row in rows)

    status, out, _ = run(f"predict --weights {best} --json {photos}", capsys)
    answers = {os.path.relpath(each["path"], photos): each["top"][0]["name"] for each in json.loads(out)}
    assert {row["path"]: row["answer"] for row in rows}.items() <= answers.items()

    before = written(folder)
    status, _, err = run(command, capsys)
    assert status == 0
    assert f"{folder} is finished: " in err and "more --epochs goes on" in err
    assert written(folder) == before

    status, _, err = run(f"{command} --seed 4", capsys)
    assert status == 2
    assert "holds another training: seed was 0, now 4" in err
    status, _, err = run(
        f"{TRAIN} --data {photos} --weights {best} --epochs 1 --split-seed 5 --output-dir again", capsys
    )
    assert status == 0 and f"{total} of {total} tensors taken; the classifier goes on" in err
    told = re.search(rf"{best} was trained on (\d+) of the (\d+) images that are held out now; ", err)
    assert told is not None and 0 < int(told[1]) <= int(told[2])
    status, out, err = run(f"{TRAIN} --data {photos} --weights {weights} --epochs 4 --lr 0.01", capsys)
    assert status == 0 and f"goes on in {folder} at step 12 of 16" in err


def test_pictures_that_are_on_both_sides_are_said_and_kept_with_the_training(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = folder_of_colours(here / "photos", {"train/a": 6, "train/b": 6, "val/a": 3, "val/b": 3})
    with Image.open(folder / "train/b/002.png") as image:
        image.resize((64, 64)).save(folder / "val/b/again.png")
    status, _, err = run(f"{TRAIN} --data photos --epochs 1 --output-dir runs/one", capsys)
    assert status == 0
    said = "1 of 7 val images look like training images (resized, encoded anew or cut a little) and say little of new "
    assert f"zoo train: {said}pictures: 'val/b/again.png' like 'train/b/002.png'\n" in err
    notes = json.loads(Path("runs/one/config.json").read_text(encoding="utf-8"))["notes"]
    assert any(note.startswith(said) for note in notes)


def test_from_scratch_without_weights(here: Path, photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(f"{TRAIN} --data {photos} --epochs 1 --output-dir out --set normalized_step=0.02", capsys)
    assert status == 0
    recipe = json.loads(Path("out/config.json").read_text(encoding="utf-8"))["recipe"]
    assert (recipe["opt"], recipe["normalized_step"], recipe["epochs"]) == ("layerwise", 0.02, 1)
    assert "rates relative to the weights" in err


def test_a_file_evaluated_on_a_folder_it_was_not_trained_on_counts_all(
    here: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = zoo.create(MODEL, num_classes=3)
    model.class_names = ("blue sky", "grün", "赤")
    zoo.save_weights(model, "mine.safetensors")
    status, out, _ = run(f"evaluate --weights mine.safetensors --data {photos} --json", capsys)
    assert status == 0 and json.loads(out)["images"] == 39
    subset = folder_of_colours(tmp_path / "two", {"赤": 2, "grün": 2})
    status, out, _ = run(f"evaluate --weights mine.safetensors --data {subset} --json", capsys)
    assert json.loads(out)["per_class"]["blue sky"] is None
    more = folder_of_colours(tmp_path / "more", {"赤": 2, "violett": 2})
    status, _, err = run(f"evaluate --weights mine.safetensors --data {more}", capsys)
    assert status == 2 and "violett" in err and err.count("\n") == 1


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (f"{TRAIN} --data PHOTOSS", "photos"),
        (f"{TRAIN} --data nowhere", "nowhere"),
        (f"{TRAIN} --data fashion_mnits", "did you mean fashion_mnist"),
        (f"{TRAIN} --data PHOTOS --recipe finetun", "did you mean finetune"),
        (f"{TRAIN} --data PHOTOS --epochs many", "'epochs' of a recipe takes a whole number; got 'many'"),
        (f"{TRAIN} --data PHOTOS --set rate=1", "a recipe has no field 'rate'"),
        (f"{TRAIN} --data PHOTOS --lr 0.1", "gives each tensor a rate of its own"),
        (f"{TRAIN} --data PHOTOS --weights nowhere.pth", "nowhere.pth"),
        ("train --data PHOTOS --weights imagenet", "name a model with --model"),
        ("evaluate --weights imagenet --data PHOTOS", "name the model"),
        ("evaluate --weights nowhere.safetensors --data PHOTOS", "nowhere.safetensors"),
    ],
)
def test_what_is_typed_wrong_costs_one_line_and_makes_nothing(
    here: Path, photos: Path, command: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = run(command.replace("PHOTOS", str(photos)), capsys)
    assert status == 2
    assert told in err and "Traceback" not in err and out == ""
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("number", [pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGTERM])
def test_a_signal_leaves_a_checkpoint_and_no_process(here: Path, photos: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "zoo", *shlex.split(f"{TRAIN} --data {photos} --epochs 500 --output-dir out")]
    command[command.index("--workers") + 1] = "1"
    started = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, encoding="utf-8", start_new_session=True)
    deadline = time.monotonic() + 60
    while not Path("out/summary.csv").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(started.pid, number)
    _, err = started.communicate(timeout=60)
    assert started.returncode == 128 + number
    assert "the same command goes on" in err and "Traceback" not in err
    assert Path("out/last.ckpt").is_file()
    with pytest.raises(ProcessLookupError):
        os.killpg(started.pid, 0)
