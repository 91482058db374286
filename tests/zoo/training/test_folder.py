"""The folder of a training: what it holds, and that a training goes on from it as if nothing had happened."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

import zoo
from tests.zoo.training.small import three_colours
from zoo.data.dataset import Data
from zoo.training import curves
from zoo.training.checkpoints import read_checkpoint
from zoo.training.course import Progress
from zoo.training.folder import Finished, folder_name
from zoo.training.recipes import Recipe, recipe

NAME = "mobilenet_v1:shallow=true,width=0.1"
SHORT = recipe("finetune", epochs=3, batch_size=8, head_epochs=1, patience=3)


def network() -> zoo.Classifier:
    torch.manual_seed(0)
    return zoo.create(NAME, num_classes=3)


def small(data: Data | None = None) -> Data:
    return data or three_colours(20, 9, 6, img_size=32)


def train(
    path: Path | None, chosen: Recipe = SHORT, *, data: Data | None = None, stop: int = 0, **options: Any
) -> zoo.Training:
    """A training that gets a signal when it has told of its progress `stop` times."""
    told = 0

    def count(progress: Progress) -> None:
        nonlocal told
        told += 1
        if told == stop:
            os.kill(os.getpid(), signal.SIGTERM)

    return zoo.train(network(), small(data), chosen, output_dir=path, workers=0, on_progress=count, **options)


def rows(path: Path) -> list[dict[str, str]]:
    with (path / "summary.csv").open(encoding="utf-8", newline="") as file:
        return [{name: value for name, value in row.items() if name != "seconds"} for row in csv.DictReader(file)]


def contents(path: Path) -> dict[str, tuple[int, bytes]]:
    """What stands in a folder and since when, without the lock."""
    return {
        entry.name: (entry.stat().st_mtime_ns, entry.read_bytes()) for entry in path.iterdir() if entry.name != ".lock"
    }


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """A curve costs more than the training that it shows."""
    monkeypatch.setattr(curves, "draw", lambda *_: None)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training that nobody interrupted."""
    path = tmp_path_factory.mktemp("run") / "whole"
    train(path)
    return path


def test_what_is_left(whole: Path) -> None:
    names = {entry.name for entry in whole.iterdir()}
    assert {"config.json", "summary.csv", "last.ckpt", "best.safetensors", "curves.png"} <= names
    config = json.loads((whole / "config.json").read_text(encoding="utf-8"))
    assert config["model"] == NAME
    assert config["classes"] == ["red", "green", "blue"]
    assert config["recipe"]["epochs"] == 3
    assert config["data"]["fingerprint"] == "f00d"
    assert config["result"]["judged_on"] == "test"
    assert [row["epoch"] for row in rows(whole)] == ["1", "2", "3"]


def test_the_file_says_what_it_is_and_answers_as_was_recorded(whole: Path) -> None:
    result = json.loads((whole / "config.json").read_text(encoding="utf-8"))["result"]
    model = zoo.load(whole / "best.safetensors")
    assert model.class_names == ("red", "green", "blue")
    assert zoo.evaluate(model, small()).correct == result["test"]["correct"]
    data = three_colours(20, 9, img_size=32)
    assert zoo.evaluate(model, data).correct == result["correct"]


# every moment: between steps, within the test, at the change of phase, at the end of an epoch
@pytest.mark.parametrize(
    "stop", [pytest.param(stop, marks=[] if stop % 4 == 1 else [pytest.mark.slow]) for stop in range(1, 15)]
)
def test_a_training_that_was_stopped_goes_on_to_the_same_bits(
    whole: Path, tmp_path: Path, stop: int, undrawn: None
) -> None:
    path = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt) as stopped:
        train(path, stop=stop)
    assert stopped.value.status == 128 + signal.SIGTERM  # type: ignore[attr-defined]
    notes: list[str] = []
    train(path, on_note=notes.append)
    assert any(note.startswith(f"goes on in {path} at step ") for note in notes)
    assert rows(path) == rows(whole)
    assert (path / "best.safetensors").read_bytes() == (whole / "best.safetensors").read_bytes()
    last, wanted = read_checkpoint(path), read_checkpoint(whole)
    assert last is not None and wanted is not None
    for name, tensor in wanted["model"].items():
        assert torch.equal(last["model"][name], tensor), name


def test_a_finished_training_says_so_and_more_epochs_go_on(whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "run"
    shutil.copytree(whole, path)
    before = contents(path)
    with pytest.raises(Finished) as finished:
        train(path)
    assert finished.value.result["test"]["images"] == 6
    assert contents(path) == before
    longer = train(path, recipe("finetune", epochs=4, batch_size=8, head_epochs=1, patience=3))
    assert len(longer.curve) == 4
    assert rows(path)[:3] == rows(whole)


@pytest.mark.parametrize(
    ("change", "options", "told"),
    [
        ({"lr": 0.5}, {}, "recipe.lr was 0.002, now 0.5"),
        ({"batch_size": 4}, {}, "recipe.batch_size was 8, now 4"),
        ({"epochs": 2}, {}, "recipe.epochs was 3, now 2"),
        ({}, {"seed": 5}, "seed was 0, now 5"),
        ({}, {"weights": "other.pth"}, "weights was '', now 'other.pth'"),
    ],
)
def test_another_training_is_refused_with_what_differs(
    whole: Path, change: dict[str, Any], options: dict[str, Any], told: str
) -> None:
    before = contents(whole)
    chosen = recipe("finetune", **{"epochs": 3, "batch_size": 8, "head_epochs": 1, "patience": 3, **change})
    with pytest.raises(zoo.DataError) as error:
        train(whole, chosen, **options)
    assert told in str(error.value) and "--fresh" in str(error.value)
    assert contents(whole) == before


def test_other_images_are_refused(whole: Path) -> None:
    other = three_colours(20, 9, 6, img_size=32)
    other = type(other)(
        **{**{name: getattr(other, name) for name in other.__dataclass_fields__}, "fingerprint": "beef"}
    )
    with pytest.raises(zoo.DataError, match=r"data\.fingerprint was 'f00d', now 'beef'"):
        train(whole, data=other)


def test_more_epochs_of_a_training_that_is_not_finished_are_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "run", stop=2)
    with pytest.raises(zoo.DataError, match=r"recipe\.epochs was 3, now 9"):
        train(tmp_path / "run", recipe("finetune", epochs=9, batch_size=8, head_epochs=1, patience=3))


def test_fresh_starts_beside_it(whole: Path) -> None:
    before = (whole / "best.safetensors").read_bytes()
    training = train(whole, fresh=True, seed=1)
    assert training.output_dir == whole.with_name("whole-2")
    assert (whole / "best.safetensors").read_bytes() == before


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("all of it")
    with pytest.raises(zoo.DataError, match=r"holds 'thesis.txt' and no training"):
        train(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir() if not entry.name.startswith(".")] == ["thesis.txt"]


def test_a_second_process_in_the_folder_is_refused(whole: Path) -> None:
    import filelock

    with filelock.FileLock(whole / ".lock"), pytest.raises(zoo.DataError, match="another process trains in"):
        train(whole, seed=9)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"\x80\x04K\x01."])
def test_a_broken_checkpoint_is_named(whole: Path, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "run"
    shutil.copytree(whole, path)
    config = json.loads((path / "config.json").read_text(encoding="utf-8"))
    (path / "config.json").write_text(json.dumps({**config, "result": None}))
    (path / "last.ckpt").write_bytes(content)
    with pytest.raises(zoo.DataError, match=r"last\.ckpt cannot be read"):
        train(path)


def test_without_a_folder_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    training = train(None)
    assert training.best is None
    assert list(tmp_path.iterdir()) == []


def test_with_and_without_a_folder_the_answers_are_the_same(whole: Path) -> None:
    training = train(None)
    result = json.loads((whole / "config.json").read_text(encoding="utf-8"))["result"]
    assert training.evaluation.loss == result["test"]["loss"]


@pytest.mark.parametrize(
    ("name", "ema"),
    [
        ("scratch", True),
        ("finetune", False),
        pytest.param("scratch", False, marks=pytest.mark.slow),
        pytest.param("finetune", True, marks=pytest.mark.slow),
        pytest.param("head_only", False, marks=pytest.mark.slow),
        pytest.param("head_only", True, marks=pytest.mark.slow),
    ],
)
def test_auxiliary_heads_are_gone_from_the_file(tmp_path: Path, name: str, ema: bool, undrawn: None) -> None:
    torch.manual_seed(0)
    model = zoo.create("googlenet:auxiliary=true", num_classes=3)
    chosen = recipe(name, epochs=1, batch_size=4, model_ema=ema, head_epochs=0)
    data = three_colours(4, 3, img_size=32)
    training = zoo.train(model, data, chosen, output_dir=tmp_path / "run", workers=0)
    assert training.best is not None
    loaded = zoo.load(training.best)
    assert not loaded.auxiliary
    assert zoo.evaluate(loaded, data).correct == training.evaluation.correct


@pytest.mark.parametrize(
    ("model", "data", "name"),
    [
        ("resnet18", "photos", "resnet18-photos"),
        ("mobilenet_v1:width=0.25,resolution=128", "my photos", "mobilenet_v1_width=0.25_resolution=128-my_photos"),
        ("con", "", "_con"),
        ("../..", "/etc", "etc"),
        ("résumé", "写真", "résumé-写真"),
        ("a" * 300, "b", "a" * 120),
        ("", "", "training"),
        ("com1.x", "", "_com1.x"),
    ],
)
def test_folders_have_names_that_every_system_takes(model: str, data: str, name: str) -> None:
    found = folder_name(model, data)
    assert found == name
    assert found == found.strip(". ") and not set(found) & set('<>:"/\\|?*')


def test_the_remembered_best_is_that_of_all_epochs(tmp_path: Path, undrawn: None) -> None:
    """Stopped behind the best epoch, and worse from there on: the file stays what it was."""
    chosen = recipe("finetune", epochs=4, batch_size=8, head_epochs=0, lr=0.9, warmup=0.0, sched="constant")
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "cut", chosen, stop=8)
    train(tmp_path / "cut", chosen)
    train(tmp_path / "whole", chosen)
    assert (tmp_path / "cut" / "best.safetensors").read_bytes() == (
        tmp_path / "whole" / "best.safetensors"
    ).read_bytes()


def test_tensorboard_shows_each_epoch_once(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "run", stop=9)
    train(tmp_path / "run")
    events = EventAccumulator(str(tmp_path / "run"))
    events.Reload()
    assert [each.step for each in events.Scalars("val_accuracy")] == [1, 2, 3]
    accuracies = [float(row["val_top1"]) for row in rows(tmp_path / "run")]
    assert [each.value for each in events.Scalars("val_accuracy")] == pytest.approx(accuracies)
