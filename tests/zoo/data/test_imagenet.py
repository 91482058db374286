"""ImageNet's folders: any part of them, in the order and with the numbers of checkpoints; broken files are named."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.zoo.data.made import images, names
from zoo.data import imagenet, photographs
from zoo.data.dataset import matched
from zoo.errors import DataError
from zoo.preprocessing import pipeline as zoo_pipeline
from zoo.spec import Input

SAMPLE = Path(os.environ.get("ZOO_TEST_DATA", Path(__file__).parents[4] / "shared" / "data")) / "imagenet_sample"
WNIDS = ("n01440764", "n02123045", "n15075141")  # classes 0, 281 and 999
SMALL = Input(size=8, resize=8)


# --- ImageNet folders -------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three classes with 3, 2 and 2 files, of which one is text and one is cut off in the middle."""
    random = np.random.default_rng(0)
    for wnid, count in zip(WNIDS, (3, 2, 2), strict=True):
        (tmp_path / wnid).mkdir()
        for number in range(count):
            pixels = random.integers(0, 256, (40, 60, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / wnid / f"{wnid}_{number}.JPEG", format="JPEG")
    (tmp_path / WNIDS[0] / f"{WNIDS[0]}_1.JPEG").write_text("no image at all")
    cut = tmp_path / WNIDS[2] / f"{WNIDS[2]}_0.JPEG"
    cut.write_bytes(cut.read_bytes()[:400])
    return tmp_path


@pytest.mark.parametrize("batch_size", [1, 2, 3, 100])
def test_broken_photographs_are_named_and_the_rest_are_seen_once(folder: Path, batch_size: int) -> None:
    test = imagenet.IMAGENET.open(str(folder)).test
    batches = list(test.batches(batch_size, SMALL))
    assert test.labels.tolist() == [0, 0, 0, 281, 281, 999, 999]
    assert torch.cat([batch.positions for batch in batches]).tolist() == [0, 2, 3, 4, 6]
    assert torch.cat([batch.labels for batch in batches]).tolist() == [0, 0, 281, 281, 999]
    unreadable = {test.name(position): reason for batch in batches for position, reason in batch.unreadable.items()}
    assert list(unreadable) == ["n01440764/n01440764_1.JPEG", "n15075141/n15075141_0.JPEG"]
    assert "its content is of no known format" in unreadable["n01440764/n01440764_1.JPEG"]


def test_odd_files_cost_themselves_and_no_more(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pipes, dangling links, folders, names that are no text, very long images, and what the transform trips over."""
    place = folder / WNIDS[1]
    os.mkfifo(place / "pipe.jpg")
    (place / "dangling.jpg").symlink_to(folder / "gone")
    (place / "folder.png").mkdir()
    Path(os.fsdecode(os.fsencode(place) + b"/odd\xff.png")).write_text("no image")
    Image.new("RGB", (1, 30_000)).save(place / "long.png")
    Image.new("RGB", (7, 7)).save(place / "seven.png")

    def pipeline(input: Input, channels: int) -> Any:
        usual = zoo_pipeline(input, channels)

        def transform(image: Image.Image) -> torch.Tensor:
            if image.size == (7, 7):
                raise ArithmeticError("seven\nis too much")
            return usual(image)

        return transform

    monkeypatch.setattr(photographs, "pipeline", pipeline)
    test = imagenet.IMAGENET.open(str(folder)).test
    batches = list(test.batches(4, SMALL))
    reasons = {test.name(position): reason for batch in batches for position, reason in batch.unreadable.items()}
    odd = {name.partition("/")[2] for name in reasons if name.startswith(WNIDS[1])}
    assert odd == {"pipe.jpg", "dangling.jpg", "folder.png", "odd\udcff.png", "seven.png"}
    assert reasons[f"{WNIDS[1]}/seven.png"] == "ArithmeticError: seven is too much"
    assert all(len(reason) <= 300 and reason.isprintable() for reason in reasons.values())
    assert sum(len(batch.positions) for batch in batches) + len(reasons) == len(test.labels) == 13


def test_photographs_stand_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / WNIDS[0]).mkdir()
    Image.new("RGB", (30, 20)).save(tmp_path / WNIDS[0] / "turned.jpg", exif=exif)
    test = imagenet.IMAGENET.open(str(tmp_path)).test
    assert test.image(0).size == (20, 30)
    (batch,) = test.batches(2, SMALL)
    assert len(batch.positions) == 1


def test_grey_and_transparent_photographs_become_rgb(tmp_path: Path) -> None:
    (tmp_path / WNIDS[0]).mkdir()
    for number, mode in enumerate(("L", "RGBA", "P", "CMYK")):
        Image.new(mode, (20, 20)).save(tmp_path / WNIDS[0] / f"{number}.tiff")
    (batch,) = imagenet.IMAGENET.open(str(tmp_path)).test.batches(9, SMALL)
    assert batch.images.shape == (4, 3, 8, 8)


def test_what_is_no_class_and_no_image_is_left_out_and_said(folder: Path) -> None:
    (folder / "dog").mkdir()
    (folder / WNIDS[1] / "notes.txt").write_text("no image")
    before = imagenet.IMAGENET.open(str(folder))
    assert len(before.test.labels) == 7
    assert before.notes == (
        "left out, not among the 1000 classes: folders 'dog'",
        "left out, not images: files 'n02123045/notes.txt'",
    )
    next((folder / WNIDS[0]).iterdir()).unlink()
    after = imagenet.IMAGENET.open(str(folder))
    assert after.fingerprint != before.fingerprint


def test_a_folder_without_classes_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "tench").mkdir()
    with pytest.raises(DataError, match=r"one folder a WordNet id.*found the folders 'tench'"):
        imagenet.IMAGENET.open(str(tmp_path))
    assert "--data-dir" in str(imagenet.IMAGENET.unavailable(""))
    assert "not there" in str(imagenet.IMAGENET.unavailable(str(tmp_path / "absent")))


def test_class_numbers_are_those_of_the_checkpoints() -> None:
    numbers = imagenet.class_numbers()
    assert len(numbers) == 1000
    assert [numbers[wnid] for wnid in WNIDS] == [0, 281, 999]  # tench, tabby, toilet tissue


def test_flat_folders_are_for_evaluation_in_the_order_of_their_names(folder: Path) -> None:
    """With files that are hidden and none that are deeper: which images an accuracy was counted on is recorded."""
    images(folder, [f"{WNIDS[1]}/.hidden.png", f"{WNIDS[1]}/deep/er.png", f"{WNIDS[1]}/Z.png"])
    data = imagenet.IMAGENET.open(str(folder))
    assert data.train is None and data.val is None
    assert names(data.test)[3:7] == [f"{WNIDS[1]}/{name}" for name in (".hidden.png", "Z.png")] + [
        f"{WNIDS[1]}/{WNIDS[1]}_{number}.JPEG" for number in (0, 1)
    ]
    found = hashlib.sha256()
    for name in names(data.test):
        content = (folder / name).read_bytes()
        found.update(name.encode() + str(len(content)).encode() + content[:4096])
    assert data.fingerprint == imagenet.IMAGENET.fingerprint(str(folder)) == found.hexdigest()
    assert imagenet.IMAGENET.facts(str(folder)) == (1000, 0, 0, 9)
    assert imagenet.IMAGENET.facts("") == (1000, 0, 0, 0)


@pytest.mark.parametrize("val", ["val", "validation"])
def test_train_and_val_are_for_training(tmp_path: Path, val: str) -> None:
    images(tmp_path, [f"train/{wnid}/{number}.png" for wnid in WNIDS for number in range(2)])
    images(tmp_path, [f"{val}/{WNIDS[2]}/1.png", f"{val}/dog/1.png"])
    data = imagenet.IMAGENET.open(str(tmp_path))
    assert data.train is not None and data.val is not None and data.test is None
    assert data.train.labels.tolist() == [0, 0, 281, 281, 999, 999] and data.val.labels.tolist() == [999]
    assert names(data.val) == [f"{val}/{WNIDS[2]}/1.png"]
    assert data.class_names[281] == "tabby" and data.split == {}
    assert data.notes == ("left out, not among the 1000 classes: folders 'dog'",)
    assert imagenet.IMAGENET.facts(str(tmp_path)) == (1000, 6, 1, 0)
    assert imagenet.IMAGENET.fingerprint(str(tmp_path)) == data.fingerprint
    with pytest.raises(DataError, match="group is for folders"):
        imagenet.IMAGENET.open(str(tmp_path), group="folder")


def test_all_classes_match_those_of_imagenets_weights(folder: Path) -> None:
    data = imagenet.IMAGENET.open(str(folder))
    assert matched(data, tuple(imagenet.class_names().values())) is data  # although two names occur twice


@pytest.mark.skipif(not SAMPLE.exists(), reason="needs the ImageNet sample (ZOO_TEST_DATA)")
def test_sample_is_read_whole() -> None:
    test = imagenet.IMAGENET.open(str(SAMPLE)).test
    batches = list(test.batches(33, SMALL))
    assert sum(len(batch.labels) for batch in batches) == 250
    assert not any(batch.unreadable for batch in batches)
