"""Pictures that are in train and held out, too: the same one resized or encoded anew."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import zoo
from zoo.data import likeness
from zoo.data.likeness import with_look_alikes


def photograph(seed: int, size: tuple[int, int] = (240, 180)) -> Image.Image:
    """Patches of colour that no other seed has, with fine detail on them."""
    random = np.random.default_rng(seed)
    patches = Image.fromarray(random.integers(0, 256, (5, 7, 3), dtype=np.uint8)).resize(size, Image.Resampling.BICUBIC)
    detail = random.normal(0, 12, (size[1], size[0], 1))
    return Image.fromarray(np.clip(np.asarray(patches) + detail, 0, 255).astype(np.uint8))


def kept(image: Image.Image, path: Path, **options: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve training images and six held out, of other scenes."""
    for seed in range(12):
        kept(photograph(seed), tmp_path / f"train/{'ab'[seed % 2]}/{seed}.png")
    for seed in range(100, 106):
        kept(photograph(seed), tmp_path / f"val/{'ab'[seed % 2]}/{seed}.png")
    return tmp_path


def notes(folder: Path) -> tuple[str, ...]:
    """What is said beyond what the folder itself says."""
    data = zoo.open_data(folder)
    found = with_look_alikes(data).notes
    assert found[: len(data.notes)] == data.notes
    return found[len(data.notes) :]


def turned(image: Image.Image, path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    kept(image.transpose(Image.Transpose.ROTATE_90), path, exif=exif, quality=95)


AGAIN: dict[str, Callable[[Image.Image, Path], None]] = {
    "half the size": lambda image, path: kept(image.resize((120, 90)), path.with_suffix(".png")),
    "an odd size": lambda image, path: kept(
        image.resize((101, 76), Image.Resampling.BILINEAR), path.with_suffix(".png")
    ),
    "twice the size": lambda image, path: kept(image.resize((480, 360)), path.with_suffix(".png")),
    "as a square": lambda image, path: kept(image.resize((128, 128)), path.with_suffix(".png")),
    "as a JPEG": lambda image, path: kept(image, path, quality=60),
    "as a poor and small JPEG": lambda image, path: kept(image.resize((96, 72)), path, quality=25),
    "as WebP": lambda image, path: kept(image, path.with_suffix(".webp"), quality=50),
    "turned, with EXIF's orientation": turned,
}


@pytest.mark.parametrize("again", AGAIN.values(), ids=AGAIN)
def test_the_same_picture_in_another_file_is_counted_and_named(
    folder: Path, again: Callable[[Image.Image, Path], None]
) -> None:
    again(photograph(4), folder / "val/b/other.jpg")
    (line,) = notes(folder)
    assert line.startswith("1 of 7 val images look like training images")
    assert re.search(r"'val/b/other\.\w+' like 'train/a/4\.png'$", line)


def test_other_pictures_are_not_taken_for_copies(folder: Path) -> None:
    """Nor is the same form in other colours, a part of a picture, or its mirror image."""
    image = photograph(4)
    kept(Image.fromarray(np.asarray(image)[:, :, ::-1].copy()), folder / "val/a/colours.png")
    kept(image.crop((0, 0, 160, 180)), folder / "val/a/part.png")
    kept(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT), folder / "val/a/mirrored.png")
    assert notes(folder) == ()


def test_pictures_that_are_all_alike_are_not_called_copies_unless_they_stand_out(tmp_path: Path) -> None:
    """One shirt before one wall, photographed over and over with a little noise, and one file of it twice."""
    shirt = np.asarray(photograph(1), np.float64)
    random = np.random.default_rng(0)

    def again() -> Image.Image:
        patches = Image.fromarray(random.integers(0, 256, (6, 8, 3), dtype=np.uint8)).resize((240, 180))
        return Image.fromarray(np.clip(0.85 * shirt + 0.15 * np.asarray(patches), 0, 255).astype(np.uint8))

    for number in range(24):
        kept(again(), tmp_path / f"{'train' if number < 18 else 'val'}/{'ab'[number % 2]}/{number}.png")
    known = likeness._squares(zoo.open_data(tmp_path).train.files)  # type: ignore[union-attr]
    others = (known.astype(np.float32) @ known.astype(np.float32).T)[0, 1:]
    assert others.min() > likeness.ALIKE
    assert notes(tmp_path) == ()
    with Image.open(tmp_path / "train/a/4.png") as image:
        kept(image.resize((200, 150)), tmp_path / "val/a/smaller.png")
    (line,) = notes(tmp_path)
    assert line.endswith(": 'val/a/smaller.png' like 'train/a/4.png'")


def test_what_shows_nothing_or_cannot_be_read_is_like_nothing(folder: Path) -> None:
    for part, shade in (("train", 250), ("val", 251)):
        kept(Image.new("RGB", (64, 48), (shade, shade, shade)), folder / part / "a/white.png")
        kept(Image.new("RGB", (64, 48), (60, 120, shade)), folder / part / "a/sky.png")
        broken = folder / part / "a/broken.png"
        kept(photograph(50 if part == "train" else 51), broken)
        broken.write_bytes(broken.read_bytes()[:900])
    assert notes(folder) == ()


def test_every_part_has_a_line_and_only_the_first_are_named(folder: Path) -> None:
    for seed in range(5):
        kept(photograph(seed).resize((60, 45)), folder / f"test/a/{seed}.png")
    kept(photograph(7).resize((60, 45)), folder / "val/a/seven.png")
    of_val, of_test = notes(folder)
    assert of_val.startswith("1 of 7 val images")
    assert of_test.startswith("5 of 5 test images") and of_test.endswith(" and 2 more")
    assert of_test.count(" like ") == 4  # three pairs, and the sentence itself


def test_a_folder_that_is_split_here_is_looked_through_too(tmp_path: Path) -> None:
    for seed in range(20):
        for size in ((240, 180), (120, 90)):
            kept(photograph(seed).resize(size), tmp_path / f"{'ab'[seed % 2]}/{seed}-{size[0]}.png")
    held = zoo.open_data(tmp_path).val
    assert held is not None
    (line,) = notes(tmp_path)
    assert re.match(rf"\d+ of {len(held.labels)} val images", line)


def test_blocks_meet_all_others(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(likeness, "BLOCK", 2)
    for seed in (0, 5, 11):
        kept(photograph(seed).resize((60, 45)), folder / f"val/a/like{seed}.png")
    (line,) = notes(folder)
    assert line.startswith("3 of 9 val images")
    for seed in (0, 5, 11):
        assert f"'val/a/like{seed}.png' like 'train/{'ab'[seed % 2]}/{seed}.png'" in line


@pytest.mark.parametrize(("limit", "value"), [("MOST_IMAGES", 17), ("MOST_BYTES", 1e5)])
def test_too_many_are_not_looked_through_which_is_said(
    folder: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: float
) -> None:
    monkeypatch.setattr(likeness, limit, value)
    assert notes(folder) == ("18 images are too many to look for pictures that are in train and held out, too",)


def test_data_without_photographs_or_without_both_sides_has_no_more_to_say(folder: Path) -> None:
    assert notes(folder) == ()
    embedded = zoo.open_data("fashion_mnist")
    assert with_look_alikes(embedded).notes == embedded.notes
    for part in ("train", "val"):
        alone = dataclasses.replace(zoo.open_data(folder), **{part: None})  # type: ignore[arg-type]
        assert with_look_alikes(alone).notes == alone.notes
