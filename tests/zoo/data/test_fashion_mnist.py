"""Fashion-MNIST: whole, balanced, never both trained on and tested on, and each image in exactly one batch."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import zoo
from zoo.data import DATASETS, fashion_mnist
from zoo.data.dataset import Data, Split
from zoo.data.fashion_mnist import MEAN, STD, read_embedded, read_official
from zoo.errors import DataError
from zoo.spec import Input

DEBIAN = Path("/usr/share/datasets/fashion-mnist")  # the package dataset-fashion-mnist
OWN = Input(size=32, mean=(MEAN,) * 3, std=(STD,) * 3)  # the input of a network that is trained on it alone


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
    with pytest.raises(DataError, match="is damaged"):
        read_embedded(damaged)
    with pytest.raises(DataError, match="install the package again"):
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
    opened = fashion_mnist.FULL.open(str(DEBIAN))
    assert opened.train is not None and opened.test is not None
    assert (len(opened.train.labels), len(opened.test.labels)) == (60_000, 10_000)
    assert opened.train.labels[:5].tolist() == [9, 0, 0, 3, 0]  # as everybody's first five


def test_official_files_are_checked(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_official(tmp_path)
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(b"\0\0\x08\x03 short"))
    with pytest.raises(DataError, match="not the official file"):
        read_official(tmp_path)
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(b"not gzip")
    with pytest.raises(DataError, match="cannot be read"):
        read_official(tmp_path)


# --- batches of it ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def clothes() -> Data:
    return fashion_mnist.EMBEDDED.open("")


@pytest.fixture
def train(clothes: Data) -> Split:
    assert clothes.train is not None
    return clothes.train


def test_batches_are_resized_normalised_and_grey(train: Split) -> None:
    batch = train.batch(torch.arange(600), OWN)
    assert batch.images.shape == (600, 3, 32, 32)
    assert torch.equal(batch.images[:, 0], batch.images[:, 2])
    assert abs(batch.images.mean().item()) < 0.05
    assert abs(batch.images.std().item() - 1) < 0.1


@pytest.mark.parametrize("size", [28, 40, 64])
@pytest.mark.parametrize("channels", [1, 3])
def test_images_with_the_sets_own_statistics_are_as_they_always_were(train: Split, size: int, channels: int) -> None:
    """To the bit: the records of trainings depend on it."""
    positions = torch.tensor([5, 3, 4000])
    statistics = {"mean": (MEAN,) * channels, "std": (STD,) * channels}
    batch = train.batch(positions, Input(size=size, **statistics), channels)
    pixels = torch.tensor(read_embedded()["train_images"])[positions, None]
    grey = F.interpolate(
        (pixels.float() / 255 - MEAN) / STD, size=(size, size), mode="bilinear", align_corners=False, antialias=True
    )
    assert torch.equal(batch.images, grey.expand(-1, channels, -1, -1))
    assert batch.labels.tolist() == torch.tensor(read_embedded()["train_labels"])[positions].tolist()


def test_a_network_with_other_statistics_sees_what_preprocessing_makes_of_them(train: Split) -> None:
    spec = zoo.spec("resnet18")
    batch = train.batch(torch.tensor([7, 1]), spec.input)
    assert torch.equal(batch.images, torch.stack([zoo.preprocessing(spec)(train.image(at)) for at in (7, 1)]))
    near = dataclasses.replace(OWN, mean=(MEAN, MEAN, MEAN + 1e-4))
    own, other = (train.batch(torch.tensor([7]), input).images for input in (OWN, near))
    assert not torch.equal(own, other)


@pytest.mark.parametrize("batch_size", [1999, 700, 2001])
def test_every_image_is_in_one_batch(clothes: Data, batch_size: int) -> None:
    assert clothes.test is not None
    positions = torch.cat([batch.positions for batch in clothes.test.batches(batch_size, OWN)])
    assert positions.tolist() == list(range(2000))


def test_a_subset_is_these_images_in_this_order(train: Split) -> None:
    some = train.subset([4, 4, 30])
    assert some.labels.tolist() == train.labels[[4, 4, 30]].tolist()
    assert [some.name(0), some.name(2)] == [train.name(4), train.name(30)]
    assert torch.equal(some.batch(torch.tensor([2]), OWN).images, train.batch(torch.tensor([30]), OWN).images)
    assert train.subset(range(30)).labels.tolist() == train.labels[:30].tolist()
    for wrong in ([], [6000], [-1]):
        with pytest.raises(DataError, match="6,000 images have positions"):
            train.subset(wrong)


def test_names_are_those_of_the_official_files(train: Split) -> None:
    assert train.name(0) == f"train/{read_embedded()['train_indices'][0]}"


# --- the list ---------------------------------------------------------------------------------------------------------


def test_list_says_what_is_there() -> None:
    for name, dataset in DATASETS.items():
        assert dataset.name == name
        assert dataset.licence
    for name in ("fashion_mnist", "fashion_mnist_full"):
        assert DATASETS[name].fingerprint("") and DATASETS[name].unavailable("") is None
    opened = DATASETS["fashion_mnist"].open("")
    assert opened.train is not None and opened.test is not None
    assert DATASETS["fashion_mnist"].facts("") == (10, len(opened.train.labels), 0, len(opened.test.labels))
    assert DATASETS["fashion_mnist"].fingerprint("") == opened.fingerprint
