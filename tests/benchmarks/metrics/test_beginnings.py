"""What becomes of weights on somebody's own images: tested as they are, fine-tuned, or trained from scratch."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.metrics import beginnings
from benchmarks.metrics.accuracy import complete, unavailable
from benchmarks.metrics.beginnings import knows_the_classes
from benchmarks.records.record import Case
from tests.benchmarks.photos import SMALL, folder, trained

ROOT = Path(__file__).parents[3]


def asked(data: Path, weights: str | Path = "", model: str = f"{SMALL},resolution=32", **conditions: object) -> Case:
    return complete(
        Case(metric="accuracy", model=model, dataset="folder", data_dir=str(data), weights_path=str(weights),
             **conditions)  # type: ignore[arg-type]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("classes", "recipe"),
    [
        (("cat", "dog", "red fox"), ""),
        (("red fox", "dog", "cat"), ""),  # in another order
        (("cat", "dog", "owl", "red fox"), ""),  # the images lack one of them
        (("cat", "dog"), "finetune"),
        (("cat", "dog", "wolf"), "finetune"),
    ],
)
def test_weights_are_tested_where_they_know_the_classes_and_else_fine_tuned(
    classes: tuple[str, ...], recipe: str, tmp_path: Path
) -> None:
    data = folder(tmp_path / "photos", {"train": 2, "val": 1})
    found = asked(data, trained(tmp_path / "net.safetensors", classes))
    assert found.recipe == recipe
    assert (found.epochs > 0) == bool(recipe)
    assert unavailable(found) is None
    assert complete(found) == found


def test_a_file_that_names_no_classes_is_no_judge_of_folders(tmp_path: Path) -> None:
    import torch

    import zoo

    data = folder(tmp_path / "photos", {"train": 2, "val": 1})
    torch.save(zoo.create(SMALL, num_classes=3).state_dict(), tmp_path / "net.pth")
    assert asked(data, tmp_path / "net.pth", SMALL).recipe == "finetune"


def test_imagenet_knows_its_own_classes_whatever_their_number(tmp_path: Path) -> None:
    assert asked(folder(tmp_path / "fish", {"val": 1}, ("tench", "goldfish")), "imagenet", SMALL).recipe == ""
    assert asked(folder(tmp_path / "photos", {"train": 2, "val": 1}), "imagenet", SMALL).recipe == "finetune"


def test_a_recipe_that_is_named_trains_in_any_case(tmp_path: Path) -> None:
    data = folder(tmp_path / "photos", {"train": 2, "val": 1})
    weights = trained(tmp_path / "net.safetensors", ("cat", "dog", "red fox"))
    assert asked(data, weights, recipe="head_only").recipe == "head_only"
    assert asked(data, weights, recipe="scratch:epochs=4").epochs == 4
    assert asked(data).recipe == "scratch"


def test_a_trained_file_keeps_the_size_of_its_images(tmp_path: Path) -> None:
    data = folder(tmp_path / "photos", {"train": 2, "val": 1})
    same = trained(tmp_path / "same.safetensors", ("cat", "dog", "red fox"), 48)
    other = trained(tmp_path / "other.safetensors", ("a", "b"), 48)
    assert asked(data, same, f"{SMALL},resolution=48").img_size == 48
    assert asked(data, other, f"{SMALL},resolution=48").train_img_size == 48


def test_what_cannot_be_says_why(tmp_path: Path) -> None:
    only = folder(tmp_path / "only", {"val": 1})
    assert "no images to train on" in str(unavailable(asked(only)))
    both = folder(tmp_path / "both", {"train": 2, "val": 1})
    assert (
        "prints no recipe" in str(unavailable(asked(both, model="nin", recipe="paper")))
        or asked(both, model="nin", recipe="paper").epochs
    )
    assert "not there" in str(unavailable(asked(tmp_path / "absent")))
    assert "at least" not in str(unavailable(asked(both, precision="fp16")))


def test_other_images_in_the_same_folder_are_another_question(tmp_path: Path) -> None:
    data = folder(tmp_path / "photos", {"train": 2, "val": 1})
    weights = trained(tmp_path / "net.safetensors", ("cat", "dog", "red fox"))
    assert asked(data, weights).recipe == ""
    folder(data, {"train": 1}, ("owl",))
    assert asked(data, weights).recipe == "finetune"


def test_a_damaged_file_costs_its_own_case_only(tmp_path: Path) -> None:
    data = folder(tmp_path / "photos", {"train": 2, "val": 1})
    for name in ("net.safetensors", "net.pth"):
        (tmp_path / name).write_bytes(b"no weights")
        assert asked(data, tmp_path / name).weights.startswith("sha256:")


def test_no_pytorch_is_needed_to_decide(tmp_path: Path) -> None:
    data = folder(tmp_path / "photos", {"train": 2, "val": 1})
    weights = trained(tmp_path / "net.safetensors", ("cat", "dog", "red fox"))
    script = (
        "import sys; from benchmarks.metrics.accuracy import complete; from benchmarks.records.record import Case\n"
        f"found = complete(Case(metric='accuracy', model={f'{SMALL},resolution=32'!r}, dataset='folder', "
        f"data_dir={str(data)!r}, weights_path={str(weights)!r}))\n"
        "sys.exit(bool(found.recipe) or 'torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False).returncode == 0


def test_names_decide_for_data_sets_with_a_name_too(tmp_path: Path) -> None:
    from zoo.data.fashion_mnist import CLASSES

    weights = trained(tmp_path / "net.safetensors", CLASSES)
    case = Case(metric="accuracy", model=SMALL, dataset="fashion_mnist", weights_path=str(weights))
    assert knows_the_classes(case)
    other = trained(tmp_path / "other.safetensors", [f"{name}s" for name in CLASSES])
    assert not knows_the_classes(Case(metric="accuracy", model=SMALL, dataset="fashion_mnist", weights_path=str(other)))


def test_a_files_header_is_read_where_there_is_one(tmp_path: Path) -> None:
    kept = beginnings._header_or_none(str(trained(tmp_path / "net.safetensors", ("cat", "dog", "red fox"))))
    assert kept is not None and kept.model == "mobilenet_v1" and "width=0.25" in beginnings.label_of(kept)
    (tmp_path / "torn.safetensors").write_bytes(b"no weights")
    assert beginnings._header_or_none(str(tmp_path / "torn.safetensors")) is None


def test_what_is_known_of_a_folder_is_told_before_it_is_opened(tmp_path: Path) -> None:
    data = folder(tmp_path / "photos", {"train": 2, "val": 1})
    (data / "train" / "cat" / "notes.txt").write_text("no image")
    beginnings.notes_of.cache_clear()
    told = " ".join(beginnings.notes_of("folder", str(data)))
    assert told.startswith("found 10 files = 9 used")
    assert beginnings.notes_of("folder", str(tmp_path / "gone")) == ()
    assert beginnings.notes_of("fashion_mnist", str(data)) == ()


def test_a_file_of_another_model_says_nothing_of_a_case(tmp_path: Path) -> None:
    weights = str(trained(tmp_path / "net.safetensors", ("cat", "dog", "red fox")))
    same = Case(metric="accuracy", model=f"{SMALL},resolution=32", weights_path=weights)
    assert beginnings.own_header(same) is not None
    for model in (SMALL, "nin"):
        assert beginnings.own_header(dataclasses.replace(same, model=model)) is None
    assert beginnings.own_header(dataclasses.replace(same, weights_path="imagenet")) is None
