"""Networks trained on somebody's own images by the harness: kept, found again, and told apart."""

from __future__ import annotations

import dataclasses
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import zoo
from benchmarks.metrics import trained as module
from benchmarks.metrics.accuracy import complete, measure
from benchmarks.metrics.subject import Subject
from benchmarks.records.predictions import unpack
from benchmarks.records.record import Case, Measurement, Record
from tests.benchmarks.photos import SMALL, folder, trained

CLASSES = ("cat", "dog", "red fox")


def asked(data: Path, **conditions: object) -> Case:
    usual = {"model": SMALL, "recipe": "scratch:epochs=1,batch_size=4", "img_size": 32}
    return complete(Case(metric="accuracy", dataset="folder", data_dir=str(data), **(usual | conditions)))  # type: ignore[arg-type]


def found(case: Case, run: Path | str = "", mark: str = "0a1b") -> dict[str, Measurement]:
    """What is measured of a case, through JSON and back."""
    subject = Subject(case, folder=str(run), mark=mark)
    record = Record(case=case, status="ok", measurements=measure(subject), notes=tuple(subject.notes))
    return {each.name: each for each in Record.from_json(record.to_json()).measurements}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder(tmp_path_factory.mktemp("data") / "photos", {"train": 4, "val": 2, "test": 3})


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("run")


@pytest.fixture(scope="module")
def first(photos: Path, run: Path) -> dict[str, Measurement]:
    torch.set_num_threads(1)
    return found(asked(photos), run)


def test_a_trained_network_is_kept_and_answers_as_it_is_said(
    first: dict[str, Measurement], photos: Path, run: Path
) -> None:
    details = first["top1"].details
    path = run / details["weights_file"]
    assert path.parent == run / "trained" / f"{SMALL.replace(':', '_')}-photos-scratch-seed0-0a1b"
    evaluation = zoo.evaluate(zoo.load(path), zoo.open_data(photos))
    assert evaluation.correct == round(first["top1"].value * 9)
    assert evaluation.top[:, 0].tolist() == unpack(details["answers"])[:, 0].tolist()
    assert first["balanced"].value == pytest.approx(evaluation.balanced / 100)
    assert first["network_bytes"].value == sum(tensor.nbytes for tensor in zoo.load(path).state_dict().values())


def test_what_a_page_needs_is_in_the_record(first: dict[str, Measurement]) -> None:
    details = first["top1"].details
    assert (details["part"], details["data_name"]) == ("test", "photos")
    assert details["class_names"] == dict(zip("012", CLASSES, strict=True))
    assert np.bincount(unpack(details["labels"])).tolist() == [3, 3, 3]
    wrong = round((1 - first["top1"].value) * 9)
    assert len(details["mistakes"]) == wrong
    assert all(each["image"].startswith("test/") and each["class"] != each["answer"] for each in details["mistakes"])
    sure = [each["probability"] for each in details["mistakes"]]
    assert sure == sorted(sure, reverse=True)
    assert "top5" not in first  # of three classes
    assert details["left_out"][0].startswith("found 27 files = 27 used")


def test_pictures_that_are_on_both_sides_are_in_the_record(photos: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(photos, tmp_path / "photos")
    source = sorted((copy / "train" / "dog").iterdir())[0]
    with Image.open(source) as image:
        image.save(copy / "test" / "dog" / "again.bmp")
    notes = found(asked(copy), tmp_path / "run")["top1"].details["left_out"]
    (line,) = [note for note in notes if " look like " in note]
    assert line.startswith("1 of 10 test images look like training images")
    assert f"'test/dog/again.bmp' like 'train/dog/{source.name}'" in line


def test_a_training_that_had_ended_is_read_again_and_not_repeated(
    first: dict[str, Measurement], photos: Path, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zoo.training.loop import Run

    monkeypatch.setattr(Run, "epoch", lambda run: pytest.fail("it trains again"))
    again = found(asked(photos), run)
    assert again["top1"].value == first["top1"].value
    for name in ("answers", "labels", "curve", "weights_file"):
        kept, read = first["top1"].details[name], again["top1"].details[name]
        if name == "curve":
            kept, read = ([{**point, "seconds": 0} for point in curve] for curve in (kept, read))
        assert kept == read
    assert again["train_seconds"].value == pytest.approx(first["train_seconds"].value, abs=1e-3)


def test_a_killed_training_goes_on(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = found(case := asked(photos, recipe="scratch:epochs=2,batch_size=4"), tmp_path / "whole")
    from zoo.training.folder import Folder

    done = Folder.epoch_done

    def die(self: Folder, training: object) -> None:
        done(self, training)  # type: ignore[arg-type]
        raise KeyError("killed")

    with monkeypatch.context() as patch, pytest.raises(KeyError):
        patch.setattr(Folder, "epoch_done", die)
        found(case, tmp_path / "killed")
    again = found(case, tmp_path / "killed")
    assert again["top1"].details["answers"] == whole["top1"].details["answers"]
    assert [point["loss"] for point in again["top1"].details["curve"]] == [
        point["loss"] for point in whole["top1"].details["curve"]
    ]


def test_short_trainings_that_tell_networks_apart_keep_nothing(tmp_path: Path) -> None:
    case = complete(Case(metric="accuracy", model=SMALL, epochs=1, train_images=20, img_size=32))
    details = found(case, tmp_path)["top1"].details
    assert not list(tmp_path.iterdir())
    assert not {"part", "class_names", "weights_file"} & details.keys()


def test_weights_are_fine_tuned_and_then_tested_as_they_are(photos: Path, tmp_path: Path) -> None:
    weights = trained(tmp_path / "net.safetensors", ("a", "b"))
    model = f"{SMALL},resolution=32"
    case = asked(photos, model=model, weights_path=str(weights), recipe="finetune:epochs=1,batch_size=4", img_size=0)
    tuned = found(case, tmp_path)
    kept = tmp_path / tuned["top1"].details["weights_file"]
    as_it_is = asked(photos, model=zoo.load(kept).spec.label, weights_path=str(kept), recipe="", img_size=0)
    assert as_it_is.recipe == "" and as_it_is.img_size == 32
    assert found(as_it_is)["top1"].value == tuned["top1"].value


def test_classes_in_another_order_are_matched_by_name(photos: Path, tmp_path: Path) -> None:
    weights = trained(tmp_path / "net.safetensors", ("red fox", "owl", "dog", "cat"))
    details = found(asked(photos, model=f"{SMALL},resolution=32", weights_path=str(weights), recipe="", img_size=0))[
        "top1"
    ].details
    assert np.bincount(unpack(details["labels"]), minlength=4).tolist() == [3, 0, 3, 3]
    assert details["class_names"]["0"] == "red fox"
    assert any("are not in the data: 'owl'" in note for note in details["left_out"])


def test_images_that_were_held_out_identify_themselves(tmp_path: Path) -> None:
    """Two files that were trained on other halves of a folder did not answer the same images."""
    data = folder(tmp_path / "photos", {".": 8})
    model = f"{SMALL},resolution=32"
    prints = []
    for seed in (0, 0, 1):
        network = zoo.load(trained(tmp_path / "net.safetensors", CLASSES))
        split = {"val_fraction": 0.4, "seed": seed, "group": None}
        zoo.weights.saving.save_weights(network, tmp_path / f"{seed}.safetensors", training={"data": {"split": split}})
        case = asked(data, model=model, weights_path=str(tmp_path / f"{seed}.safetensors"), recipe="", img_size=0)
        prints.append(found(case)["top1"].details["fingerprint"])
    assert prints[0] == prints[1] != prints[2]


def test_balanced_counts_each_class_the_same() -> None:
    labels = torch.tensor([0] * 8 + [1] * 2)
    top = torch.tensor([[0]] * 8 + [[1], [0]])
    evaluation = zoo.Evaluation(labels=labels, top=top, probabilities=torch.ones(10), unreadable={}, loss=0.0,
                                num_classes=3)  # fmt: skip
    balanced = module.balanced_of(evaluation)
    assert balanced.value == 0.75
    assert balanced.low is not None and balanced.high is not None
    assert balanced.low < 0.5 and balanced.high == 1.0  # of a class with two images next to nothing is known


def test_every_other_training_has_a_folder_of_its_own(photos: Path) -> None:
    from benchmarks.measure.engine import _mark

    case = asked(photos)
    others = [dataclasses.replace(case, **change) for change in ({"seed": 1}, {"recipe": "scratch"}, {"epochs": 2})]
    marks = {_mark(each, "code") for each in (case, *others)} | {_mark(case, "other code")}
    assert len(marks) == 5
    assert _mark(dataclasses.replace(case, data_dir="elsewhere"), "code") == _mark(case, "code")


def test_the_interval_of_a_balanced_accuracy_is_known_by_hand() -> None:
    """A class of one image counts, too: recalls 1/2 and 1 of shares (1 + 1) / 4 and (1 + 1) / 3."""
    labels = torch.tensor([0, 0, 1])
    evaluation = zoo.Evaluation(labels=labels, top=torch.tensor([[0], [1], [1]]), probabilities=torch.ones(3),
                                unreadable={}, loss=0.0, num_classes=2)  # fmt: skip
    balanced = module.balanced_of(evaluation)
    reach = 1.96 * math.sqrt(0.5 * 0.5 / 2 + 2 / 3 * 1 / 3 / 1) / 2
    assert balanced.value == 0.75 and balanced.low == pytest.approx(0.75 - reach)
    assert balanced.high == 1.0


def test_what_an_ended_training_says_of_itself_is_what_it_said(photos: Path, tmp_path: Path) -> None:
    from zoo.training.recipes import recipe

    network = zoo.create(f"{SMALL},resolution=32", num_classes=3)
    recipes = recipe("scratch", epochs=2, batch_size=8), zoo.open_data(photos)
    first = module.train(network, recipes[1], recipes[0], tmp_path / "run", seed=0)
    again = module.train(zoo.create(f"{SMALL},resolution=32", num_classes=3), recipes[1], recipes[0], tmp_path / "run",
                         seed=0)  # fmt: skip
    assert again.seconds == pytest.approx(sum(epoch.seconds for epoch in first.curve), rel=0.01, abs=0.01)
    assert (again.chose_epoch, again.judged_on, again.images_seen) == (
        first.chose_epoch, first.judged_on, first.images_seen,
    )  # fmt: skip
    assert again.output_dir == first.output_dir and len(again.curve) == 2
