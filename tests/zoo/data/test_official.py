"""Data sets that torchvision downloads: read from a local folder in its layout or in a plain one."""

from __future__ import annotations

import os
import pickle
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import torch

import zoo
from tests.zoo.data.made import by_class, images, names
from zoo.data import DATASETS, cifar, flowers102, imagenette
from zoo.data.dataset import matched
from zoo.data.imagenet import class_names
from zoo.data.places import place
from zoo.errors import DataError

SHARED = Path(os.environ.get("ZOO_TEST_DATA", Path(__file__).parents[4] / "shared" / "data"))
SMALL = zoo.Input(size=8, resize=8)
DOWNLOADED = ("cifar10", "cifar100", "imagenette", "flowers102")


@pytest.fixture(autouse=True)
def nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)


# --- CIFAR ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three training images and a test image in the layout of the official archive, with any checksums."""
    from torchvision import datasets  # takes seconds, which no other process of tests has to wait for

    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for name, count in (("data_batch_1", 3), ("test_batch", 1)):
        pixels = np.arange(count * 3072, dtype=np.uint64).astype(np.uint8).reshape(count, 3072)
        (folder / name).write_bytes(pickle.dumps({"data": pixels, "labels": list(range(count))}))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": list(cifar.CLASSES)}))
    monkeypatch.setattr(datasets.CIFAR10, "train_list", [["data_batch_1", None]])
    monkeypatch.setattr(datasets.CIFAR10, "test_list", [["test_batch", None]])
    monkeypatch.setattr(datasets.CIFAR10, "meta", datasets.CIFAR10.meta | {"md5": None})
    return folder


@pytest.mark.parametrize("named", ["", "cifar-10-batches-py"])
def test_cifar_is_read_as_torchvision_leaves_it(batches: Path, named: str) -> None:
    data = zoo.open_data("cifar10", data_dir=str(batches.parent / named))
    assert data.class_names == cifar.CLASSES and data.val is None
    assert names(data.train) == ["train/0", "train/1", "train/2"] and names(data.test) == ["test/0"]
    image = data.train.image(1)
    assert image.shape == (3, 32, 32) and image.dtype == torch.uint8
    assert image[2, 0, :3].tolist() == [(3072 + 2048 + step) % 256 for step in range(3)]
    batch = data.train.batch(torch.tensor([2, 0]), SMALL)
    assert batch.images.shape == (2, 3, 8, 8) and batch.labels.tolist() == [2, 0]
    alone = zoo.preprocessing("resnet18")(image)
    assert torch.equal(data.train.batch(torch.tensor([1]), zoo.spec("resnet18").input).images[0], alone)


def test_a_grey_network_sees_cifar_in_grey(batches: Path) -> None:
    data = zoo.open_data("cifar10", data_dir=str(batches.parent))
    assert next(data.test.batches(5, SMALL, 1)).images.shape == (1, 1, 8, 8)


def test_cifar_is_read_from_a_folder_a_class(tmp_path: Path) -> None:
    root = images(tmp_path, ["train/cat/1.png", "train/dog/2.png", "val/dog/3.png"])
    data = zoo.open_data("cifar10", data_dir=str(root))
    assert data.name == "cifar10" and data.class_names == ("cat", "dog")
    assert by_class(data, "val") == {"dog": ["val/dog/3.png"]}
    row = DATASETS["cifar10"]
    assert row.facts(str(root)) == (2, 2, 1, 0) and row.fingerprint(str(root)) == data.fingerprint


@pytest.mark.skipif(not (SHARED / "cifar10_sample").exists(), reason="needs the CIFAR-10 sample (ZOO_TEST_DATA)")
def test_the_sample_is_read_whole() -> None:
    root = SHARED / "cifar10_sample"
    assert DATASETS["cifar10"].facts(str(root)) == (10, 6000, 1500, 0)
    data = zoo.open_data(root)
    assert data.class_names == cifar.CLASSES
    assert any(note.startswith("found 7,500 files = 7,500 used + 0") for note in data.notes)


def test_what_identifies_cifar_is_torchvisions_checksum() -> None:
    from torchvision import datasets  # takes seconds, which no other process of tests has to wait for

    for official, theirs in ((cifar.CIFAR10, datasets.CIFAR10), (cifar.CIFAR100, datasets.CIFAR100)):
        assert (official.archive, official.below) == (theirs.tgz_md5, theirs.base_folder)


# --- Imagenette -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("below", ["", "imagenette2-320/", "imagenette2/"])
def test_imagenette_has_imagenets_names(tmp_path: Path, below: str) -> None:
    root = images(tmp_path, [f"{below}{part}/{wnid}/1.png" for part in ("train", "val") for wnid in imagenette.WNIDS])
    data = zoo.open_data("imagenette", data_dir=str(root))
    assert data.class_names[:3] == ("tench", "English springer", "cassette player")
    assert data.val is not None and data.val.labels.tolist() == list(range(10))
    known = matched(data, tuple(class_names().values()))
    assert known.val is not None
    assert [list(class_names())[label] for label in known.val.labels] == list(imagenette.WNIDS)
    row = DATASETS["imagenette"]
    assert row.facts(str(root)) == (10, 10, 10, 0) and row.fingerprint(str(root)) == data.fingerprint


def test_the_wordnet_ids_are_torchvisions() -> None:
    from torchvision import datasets  # takes seconds, which no other process of tests has to wait for

    assert tuple(datasets.Imagenette._WNID_TO_CLASS) == imagenette.WNIDS
    assert datasets.Imagenette._ARCHIVES[imagenette.SIZE][0].endswith(f"{imagenette.FOLDERS[0]}.tgz")


# --- Flowers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("named", ["", "flowers-102"])
def test_flowers_are_read_as_torchvision_leaves_them(tmp_path: Path, named: str) -> None:
    from scipy.io import savemat

    root = tmp_path / "flowers-102"
    images(root, [f"jpg/image_{number:05}.jpg" for number in range(1, 6)])
    savemat(root / "imagelabels.mat", {"labels": [[7, 102, 1, 3, 7]]})
    savemat(root / "setid.mat", {"trnid": [[5, 2]], "valid": [[1]], "tstid": [[3, 4]]})
    data = zoo.open_data("flowers102", data_dir=str(tmp_path / named))
    assert len(data.class_names) == 102 and data.class_names[0] == "pink primrose"
    assert names(data.train) == ["jpg/image_00005.jpg", "jpg/image_00002.jpg"]
    assert data.train.labels.tolist() == [6, 101] and data.test.labels.tolist() == [0, 2]
    assert data.val.image(0).size == (8, 8)
    (root / "setid.mat").write_bytes(b"no table")
    with pytest.raises(DataError, match=r"setid\.mat cannot be read"):
        zoo.open_data("flowers102", data_dir=str(tmp_path / named))


def test_what_identifies_flowers_is_torchvisions_checksum() -> None:
    from torchvision import datasets  # takes seconds, which no other process of tests has to wait for

    assert datasets.Flowers102._file_dict["image"][1] == flowers102.ARCHIVE
    assert len(datasets.Flowers102.classes) == flowers102.FACTS.num_classes


# --- what all of them share -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*DOWNLOADED, "fashion_mnist_full"])
def test_without_files_and_network_one_line_says_what_to_put_where(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"could not be downloaded .*; put .* into a folder and name it with --data-"):
        zoo.open_data(name, data_dir=str(tmp_path))


def test_downloads_go_beside_pytorchs_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in (("", ""), ("XDG_CACHE_HOME", str(tmp_path)), ("TORCH_HOME", str(tmp_path / "home"))):
        if name:
            monkeypatch.setenv(name, value)
        assert place("") == Path(torch.hub.get_dir()).parent / "datasets"


@pytest.mark.parametrize("name", DOWNLOADED)
def test_facts_need_no_files(tmp_path: Path, name: str) -> None:
    facts = DATASETS[name].facts(str(tmp_path))
    assert facts.num_classes in (10, 100, 102)
    assert facts.train_images > 1000 and facts.val_images + facts.test_images > 0
    assert DATASETS[name].unavailable(str(tmp_path)) is None
    assert "not there" in str(DATASETS[name].unavailable(str(tmp_path / "absent")))
