"""Photographs as training sees them: decoded once, at the size that is needed, the same with a cache and without."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

import zoo
from zoo.data.photographs import Photographs
from zoo.data.reduced import Reduced, reduced
from zoo.data.store import stores_folder
from zoo.images import picture

SIDE = 24


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ZOO_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def scene(height: int, width: int, seed: int = 0) -> Image.Image:
    """Smooth colours, as a photograph has them."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Large and small, JPEG and PNG, lying and grey."""
    root = tmp_path / "photos"
    for part in ("train", "val"):
        for name in "ab":
            (root / part / name).mkdir(parents=True)
            scene(304, 400, ord(name) + len(part)).save(root / part / name / "large.jpg", quality=92)
    scene(200, 120, 1).save(root / "train/a/large.png")
    scene(SIDE, 40, 2).save(root / "train/a/fits.png")
    scene(10, 12, 3).save(root / "train/a/small.png")
    scene(304, 200, 4).convert("L").save(root / "train/b/grey.jpg")
    turned = Image.Exif()
    turned[0x0112] = 6
    scene(400, 304, 5).save(root / "train/b/turned.jpg", exif=turned)
    ramp = np.linspace(0, 65535, 100 * 90).astype(np.uint16).reshape(90, 100)
    Image.fromarray(ramp).save(root / "train/b/deep.png")
    Image.fromarray(np.dstack([np.asarray(scene(60, 60, 6)), np.full((60, 60), 128, np.uint8)])).save(
        root / "train/b/glass.png"
    )
    return root


def small(data: zoo.Data, cache_gb: float = 1, side: int = SIDE) -> Reduced:
    found, _ = reduced(data, side, "bilinear", cache_gb=cache_gb)
    assert isinstance(found, Reduced)
    return found


def resized(image: Any) -> np.ndarray:
    return np.asarray(v2.functional.resize(image, [SIDE], antialias=True))


def pixels(split: Reduced) -> dict[str, np.ndarray]:
    return {split.name(position): np.asarray(split.image(position)) for position in range(len(split.labels))}


def test_off_cold_and_warm_are_the_same_pixels(photos: Path) -> None:
    data = zoo.open_data(photos)
    off, cold = pixels(small(data, 0)), pixels(small(data))
    kept = small(data)
    assert kept.store is not None and len(kept.labels) == 9 and not len(kept.waiting())
    decoded: list[object] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Reduced, "_decoded", lambda self, path: decoded.append(path))
        warm = pixels(kept)
    assert not decoded
    for name in off:
        assert np.array_equal(off[name], cold[name]) and np.array_equal(off[name], warm[name]), name


def test_large_ones_are_reduced_and_none_is_enlarged(photos: Path) -> None:
    found = pixels(small(zoo.open_data(photos), 0))
    shapes = {name: image.shape[:2] for name, image in found.items()}
    assert shapes == {
        "train/a/fits.png": (SIDE, 40), "train/a/large.jpg": (24, 31), "train/a/large.png": (40, 24),
        "train/a/small.png": (10, 12), "train/b/deep.png": (24, 26), "train/b/glass.png": (24, 24),
        "train/b/grey.jpg": (36, 24), "train/b/large.jpg": (24, 31), "train/b/turned.jpg": (24, 31),
    }  # fmt: skip
    for name in ("train/a/fits.png", "train/a/small.png"):
        assert np.array_equal(found[name], np.asarray(picture(photos / name)))
    for name in ("train/a/large.png", "train/b/deep.png", "train/b/glass.png"):
        assert np.array_equal(found[name], resized(picture(photos / name))), name


def test_a_jpeg_is_decoded_at_the_size_that_is_needed(photos: Path) -> None:
    file = photos / "train/a/large.jpg"
    sizes = {least: picture(file, least=least).size for least in (304, 153, 152, 76, 38, 1)}
    assert sizes == {304: (400, 304), 153: (400, 304), 152: (200, 152), 76: (100, 76), 38: (50, 38), 1: (50, 38)}
    assert picture(file).size == (400, 304)
    assert picture(photos / "train/b/turned.jpg", least=76).size == (100, 76)
    reference = resized(picture(file)).astype(np.int64)
    found = np.asarray(small(zoo.open_data(photos), 0)._decoded(str(file)), np.int64)
    assert np.abs(found - reference).max() <= 6 and np.abs(found - reference).mean() < 1.5


def test_evaluation_sees_the_photographs_themselves(photos: Path) -> None:
    data = zoo.open_data(photos)
    split, size = small(data), zoo.Input(size=16, resize=18, min_size=8)
    pixels(split)
    assert data.train is not None
    for found, wanted in zip(split.batches(4, size), data.train.batches(4, size), strict=True):
        assert torch.equal(found.images, wanted.images)


def test_a_changed_file_is_decoded_again_and_one_that_is_gone_is_named(photos: Path) -> None:
    split = small(zoo.open_data(photos))
    before = pixels(split)
    changed, gone = photos / "train/a/large.png", photos / "train/a/small.png"
    scene(200, 120, 99).save(changed)
    gone.unlink()
    names = list(before)
    again = np.asarray(split.image(names.index("train/a/large.png")))
    assert not np.array_equal(again, before["train/a/large.png"])
    with pytest.raises(zoo.DataError, match=r"small\.png cannot be read .*No such file"):
        split.image(names.index("train/a/small.png"))


def test_the_data_folder_is_never_written(photos: Path) -> None:
    for place in (photos, *photos.rglob("*")):
        place.chmod(place.stat().st_mode & ~0o222)
    before = {path: path.stat().st_mtime_ns for path in (photos, *photos.rglob("*"))}
    pixels(small(zoo.open_data(photos)))
    assert {path: path.stat().st_mtime_ns for path in (photos, *photos.rglob("*"))} == before
    for place in (photos, *photos.rglob("*")):
        place.chmod(place.stat().st_mode | 0o200)


def test_place_and_size_are_said_before_anything_is_written(photos: Path, cache: Path) -> None:
    data = zoo.open_data(photos)
    split, (note,) = reduced(data, SIDE, "bilinear", cache_gb=1)
    assert re.search(r"9 images are decoded once and kept in .*/images", note) and "about 1.9e-05 GB" in note
    assert isinstance(split, Reduced) and split.store is not None and split.store.used == 0
    total = sum(image.nbytes for image in pixels(split).values())
    assert split.store.used == total == pytest.approx(1.9e-5 * 1e9, rel=0.05)
    _, (note,) = reduced(data, SIDE, "bilinear", cache_gb=1)
    assert note.startswith("all 9 images are decoded already")
    assert len(list(stores_folder().iterdir())) == 1
    for others in (reduced(data, SIDE, "bicubic"), reduced(data, SIDE + 1, "bilinear")):
        assert "9 images are decoded once" in others[1][0]
    assert len(list(stores_folder().iterdir())) == 3


def test_past_the_limit_the_rest_is_decoded_each_time_and_that_is_said(photos: Path) -> None:
    data = zoo.open_data(photos)
    split, (note,) = reduced(data, SIDE, "bilinear", cache_gb=7e-6)
    assert re.search(r"--cache-gb 7e-06 holds about 3\d% of them, the others are decoded again in every epoch", note)
    assert isinstance(split, Reduced) and split.store is not None
    first, second = pixels(split), pixels(split)
    assert 0 < len(split.store.empty()) < 9 and split.store.used <= 7000
    whole = pixels(small(data, 0))
    assert all(np.array_equal(first[name], whole[name]) and np.array_equal(second[name], whole[name]) for name in whole)
    assert reduced(data, SIDE, "bilinear", cache_gb=0)[1] == []


def test_a_cache_that_cannot_be_written_is_said_once(photos: Path, cache: Path) -> None:
    cache.write_text("a file where the folder should be")
    split, (note,) = reduced(zoo.open_data(photos), SIDE, "bilinear")
    assert "cannot be kept" in note and "decoded again in every epoch" in note
    assert isinstance(split, Reduced) and split.store is None and len(pixels(split)) == 9


def test_images_in_memory_stay_as_they_are() -> None:
    data = zoo.open_data("fashion_mnist")
    assert reduced(data, SIDE, "bilinear") == (data.train, [])
    assert reduced(zoo.Data(name="none", class_names=("a",)), SIDE, "bilinear") == (None, [])


def test_a_subset_and_other_labels_show_the_same_images(photos: Path) -> None:
    split = small(zoo.open_data(photos))
    every = pixels(split)
    some = split.subset([3, 1])
    assert [np.array_equal(np.asarray(some.image(at)), list(every.values())[was]) for at, was in ((0, 3), (1, 1))]
    assert isinstance(some.photographs, Photographs) and some.labels.tolist() == split.labels[[3, 1]].tolist()
    assert split.relabelled(split.labels + 1).labels.tolist() == (split.labels + 1).tolist()
    assert os.listdir(stores_folder())
