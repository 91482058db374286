"""The images: whole, balanced, never both trained on and tested on, and each in exactly one batch."""

from __future__ import annotations

import gzip
import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from zoo.data import DATASETS, fashion_mnist, imagenet
from zoo.data.dataset import DatasetError, Opened
from zoo.data.fashion_mnist import read_embedded, read_official

DEBIAN = Path("/usr/share/datasets/fashion-mnist")  # the package dataset-fashion-mnist
SAMPLE = Path(os.environ.get("ZOO_TEST_DATA", Path(__file__).parents[4] / "shared" / "data")) / "imagenet_sample"
WNIDS = ("n01440764", "n02123045", "n15075141")  # classes 0, 281 and 999


def to_tensor(image: Image.Image) -> torch.Tensor:
    return torch.tensor(np.asarray(image.resize((8, 8)))).permute(2, 0, 1).float() / 255


# --- the embedded Fashion-MNIST ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("split", "per_class", "official"), [("train", 600, 60_000), ("test", 200, 10_000)])
def test_embedded_split_is_stratified(split: str, per_class: int, official: int) -> None:
    arrays = read_embedded()
    images, labels, indices = (arrays[f"{split}_{part}"] for part in ("images", "labels", "indices"))
    assert images.shape == (10 * per_class, 28, 28)
    assert images.dtype == np.uint8
    assert np.bincount(labels).tolist() == [per_class] * 10
    assert len(set(indices.tolist())) == len(indices)
    assert indices.max() < official
    assert np.bincount(labels[:50]).tolist() == [5] * 10  # any first part is balanced too


def test_no_test_image_is_trained_on() -> None:
    arrays = read_embedded()
    trained = {image.tobytes() for image in arrays["train_images"]}
    assert len(trained) == 6000
    assert not trained & {image.tobytes() for image in arrays["test_images"]}


def test_file_fits_and_brings_its_licence() -> None:
    assert fashion_mnist.EMBEDDED_FILE.stat().st_size <= 4_000_000
    licence = fashion_mnist.EMBEDDED_FILE.with_name("fashion_mnist_LICENSE.txt").read_text()
    assert "Zalando" in licence
    assert "Permission is hereby granted, free of charge" in licence


def test_damage_is_noticed(tmp_path: Path) -> None:
    content = bytearray(fashion_mnist.EMBEDDED_FILE.read_bytes())
    content[len(content) // 2] ^= 1
    damaged = tmp_path / "damaged.npz"
    damaged.write_bytes(content)
    with pytest.raises(DatasetError, match="is damaged"):
        read_embedded(damaged)
    with pytest.raises(DatasetError, match="install the package again"):
        read_embedded(tmp_path / "absent.npz")


def test_normalisation_constants_are_those_of_the_training_pixels() -> None:
    pixels = read_embedded()["train_images"] / 255
    assert round(float(pixels.mean()), 4) == fashion_mnist.MEAN
    assert round(float(pixels.std()), 4) == fashion_mnist.STD


@pytest.mark.skipif(not DEBIAN.exists(), reason="needs Debian's package dataset-fashion-mnist")
def test_embedded_file_is_rebuilt_from_the_originals() -> None:
    official = read_official(DEBIAN)
    embedded = read_embedded()
    for split in ("train", "test"):
        drawn = embedded[f"{split}_indices"]
        assert np.array_equal(official[f"{split}_images"][drawn], embedded[f"{split}_images"])
        assert np.array_equal(official[f"{split}_labels"][drawn], embedded[f"{split}_labels"])
    assert hashlib.sha256(fashion_mnist.build(official)).hexdigest() == fashion_mnist.EMBEDDED_SHA256


@pytest.mark.skipif(not DEBIAN.exists(), reason="needs Debian's package dataset-fashion-mnist")
def test_full_data_set_is_read_from_a_folder() -> None:
    opened = fashion_mnist.FULL.open(str(DEBIAN), img_size=28)
    assert opened.train is not None
    assert (len(opened.train.labels), len(opened.test.labels)) == (60_000, 10_000)
    assert opened.train.labels[:5].tolist() == [9, 0, 0, 3, 0]  # as everybody's first five


def test_official_files_are_checked(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="cannot be read"):
        read_official(tmp_path)
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(b"\0\0\x08\x03 short"))
    with pytest.raises(DatasetError, match="not the official file"):
        read_official(tmp_path)
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(b"not gzip")
    with pytest.raises(DatasetError, match="cannot be read"):
        read_official(tmp_path)


# --- batches of it ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def clothes() -> Opened:
    return fashion_mnist.EMBEDDED.open("", img_size=32)


def test_batches_are_resized_normalised_and_grey(clothes: Opened) -> None:
    assert clothes.train is not None
    batch = clothes.train.batch(torch.arange(600))
    assert batch.images.shape == (600, 3, 32, 32)
    assert torch.equal(batch.images[:, 0], batch.images[:, 2])
    assert abs(batch.images.mean().item()) < 0.05
    assert abs(batch.images.std().item() - 1) < 0.1


def test_mirrored_images_are_flipped_and_no_others(clothes: Opened) -> None:
    assert clothes.train is not None
    positions = torch.tensor([3, 4])
    plain = clothes.train.batch(positions).images
    mirrored = clothes.train.batch(positions, mirrored=torch.tensor([True, False])).images
    assert torch.allclose(mirrored[0], plain[0].flip(2), atol=1e-6)
    assert not torch.equal(mirrored[0], plain[0])
    assert torch.equal(mirrored[1], plain[1])


@pytest.mark.parametrize("batch_size", [1999, 700, 2001])
def test_every_image_is_in_one_batch(clothes: Opened, batch_size: int) -> None:
    positions = torch.cat([batch.positions for batch in clothes.test.batches(batch_size)])
    assert positions.tolist() == list(range(2000))


def test_fewer_training_images_are_the_first_and_too_many_an_error(clothes: Opened) -> None:
    assert clothes.train is not None
    assert clothes.train.first(30).labels.tolist() == clothes.train.labels[:30].tolist()
    for count in (0, 6001):
        with pytest.raises(DatasetError, match="there are 6000"):
            clothes.train.first(count)


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
    test = imagenet.IMAGENET.open(str(folder), img_size=8, preprocess=to_tensor).test
    batches = list(test.batches(batch_size))
    assert test.labels.tolist() == [0, 0, 0, 281, 281, 999, 999]
    assert torch.cat([batch.positions for batch in batches]).tolist() == [0, 2, 3, 4, 6]
    assert torch.cat([batch.labels for batch in batches]).tolist() == [0, 0, 281, 281, 999]
    unreadable = {test.name(position): reason for batch in batches for position, reason in batch.unreadable.items()}
    assert list(unreadable) == ["n01440764/n01440764_1.JPEG", "n15075141/n15075141_0.JPEG"]
    assert "its content is of no known format" in unreadable["n01440764/n01440764_1.JPEG"]


def test_odd_files_cost_themselves_and_no_more(folder: Path) -> None:
    """Pipes, dangling links, folders, names that are no text, very long images, and what the transform trips over."""
    place = folder / WNIDS[1]
    os.mkfifo(place / "pipe.jpg")
    (place / "dangling.jpg").symlink_to(folder / "gone")
    (place / "folder.png").mkdir()
    Path(os.fsdecode(os.fsencode(place) + b"/odd\xff.png")).write_text("no image")
    Image.new("RGB", (1, 30_000)).save(place / "long.png")
    Image.new("RGB", (7, 7)).save(place / "seven.png")

    def preprocess(image: Image.Image) -> torch.Tensor:
        if image.size == (7, 7):
            raise ArithmeticError("seven\nis too much")
        return to_tensor(image)

    test = imagenet.IMAGENET.open(str(folder), img_size=8, preprocess=preprocess).test
    batches = list(test.batches(4))
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
    sizes = []
    (batch,) = imagenet.IMAGENET.open(
        str(tmp_path), img_size=8, preprocess=lambda image: (sizes.append(image.size), to_tensor(image))[1]
    ).test.batches(2)
    assert sizes == [(20, 30)] and len(batch.positions) == 1


def test_grey_and_transparent_photographs_become_rgb(tmp_path: Path) -> None:
    (tmp_path / WNIDS[0]).mkdir()
    for number, mode in enumerate(("L", "RGBA", "P", "CMYK")):
        Image.new(mode, (20, 20)).save(tmp_path / WNIDS[0] / f"{number}.tiff")
    (batch,) = imagenet.IMAGENET.open(str(tmp_path), img_size=8, preprocess=to_tensor).test.batches(9)
    assert batch.images.shape == (4, 3, 8, 8)


def test_what_is_no_class_and_no_image_is_left_out_and_said(folder: Path) -> None:
    (folder / "dog").mkdir()
    (folder / WNIDS[1] / "notes.txt").write_text("no image")
    before = imagenet.IMAGENET.open(str(folder), img_size=8, preprocess=to_tensor)
    assert len(before.test.labels) == 7
    assert before.notes == (
        "left out, not among the 1000 classes: folders 'dog'",
        "left out, not images: files 'n02123045/notes.txt'",
    )
    next((folder / WNIDS[0]).iterdir()).unlink()
    after = imagenet.IMAGENET.open(str(folder), img_size=8, preprocess=to_tensor)
    assert after.fingerprint != before.fingerprint


def test_a_folder_without_classes_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "tench").mkdir()
    with pytest.raises(DatasetError, match=r"one folder a WordNet id.*found the folders 'tench'"):
        imagenet.IMAGENET.open(str(tmp_path), img_size=8, preprocess=to_tensor)
    with pytest.raises(DatasetError, match="--weights"):
        imagenet.IMAGENET.open(str(tmp_path), img_size=8)
    assert "--data-dir" in str(imagenet.IMAGENET.unavailable(""))
    assert "not a folder" in str(imagenet.IMAGENET.unavailable(str(tmp_path / "absent")))


def test_class_numbers_are_those_of_the_checkpoints() -> None:
    numbers = imagenet.class_numbers()
    assert len(numbers) == 1000
    assert [numbers[wnid] for wnid in WNIDS] == [0, 281, 999]  # tench, tabby, toilet tissue


@pytest.mark.skipif(not SAMPLE.exists(), reason="needs the ImageNet sample (ZOO_TEST_DATA)")
def test_sample_is_read_whole() -> None:
    test = imagenet.IMAGENET.open(str(SAMPLE), img_size=8, preprocess=to_tensor).test
    batches = list(test.batches(33))
    assert sum(len(batch.labels) for batch in batches) == 250
    assert not any(batch.unreadable for batch in batches)


# --- the list ---------------------------------------------------------------------------------------------------------


def test_list_says_what_is_there() -> None:
    assert list(DATASETS) == ["fashion_mnist", "fashion_mnist_full", "imagenet"]
    for name, dataset in DATASETS.items():
        assert dataset.name == name
        assert dataset.licence
        assert dataset.source.startswith("https://")
    opened = DATASETS["fashion_mnist"].open("", img_size=28)
    assert opened.train is not None
    assert DATASETS["fashion_mnist"].train_images == len(opened.train.labels)
    assert DATASETS["fashion_mnist"].test_images == len(opened.test.labels)
