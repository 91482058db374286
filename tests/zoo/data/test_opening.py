"""The one way in: by name or by folder; what is mistyped costs one line, and classes are matched by name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import zoo
from tests.zoo.data.made import by_class, images, numbered
from zoo.data.dataset import matched
from zoo.errors import DataError


def test_a_name_opens_a_data_set() -> None:
    data = zoo.open_data("fashion_mnist", img_size=np.int64(40))
    assert isinstance(data, zoo.Data)
    assert (data.name, data.img_size, type(data.img_size)) == ("fashion_mnist", 40, int)
    assert data.train is not None and data.val is None and data.test is not None
    assert len(data.class_names) == 10 and data.statistics is not None and data.split == {}


def test_a_path_opens_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = images(tmp_path / "photos", numbered("cat", 10))
    monkeypatch.chdir(tmp_path)
    opened = [zoo.open_data(place, seed=np.int64(5)) for place in (root, str(root), "photos", "photos/", "./photos")]
    opened.append(zoo.open_data("folder", data_dir=root, seed=5))
    assert {data.name for data in opened} == {"photos"}
    assert {data.fingerprint for data in opened} == {opened[0].fingerprint}
    assert opened[0].split == {"seed": 5, "val_fraction": 0.2, "group": None} and opened[0].img_size is None


def test_what_is_mistyped_is_one_line_and_nothing_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images(tmp_path / "photos", numbered("cat", 3))
    (tmp_path / "file.jpg").write_text("")
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    for name, said in (
        ("photo", r"'photo'; did you mean photos\?"), (str(tmp_path / "photoz"), r"did you mean /.*/photos\?"),
        ("fashion_mnits", "did you mean fashion_mnist"), ("cifar", "cifar10"), ("nowhere/at/all", "no data set"),
        ("file.jpg", "is no folder"), ("", "name or a folder"), (3, "name or a folder"), ("x" * 9000, "no data set"),
    ):  # fmt: skip
        with pytest.raises(DataError, match=said) as raised:
            zoo.open_data(name)  # type: ignore[arg-type]
        assert len(str(raised.value)) <= 300 and "\n" not in str(raised.value)
    for name in ("cifar10", "imagenette", "flowers102", "fashion_mnist_full", "imagenet", "folder"):
        with pytest.raises(DataError, match=r"photoz is not there; did you mean .*photos\?"):
            zoo.open_data(name, data_dir=tmp_path / "photoz")
    assert sorted(tmp_path.rglob("*")) == before


def test_options_that_would_be_ignored_are_refused(tmp_path: Path) -> None:
    images(tmp_path, numbered("cat", 3))
    for size in (0, 2.5, True, "40"):
        with pytest.raises(DataError, match="img_size"):
            zoo.open_data(tmp_path, img_size=size)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="belongs to a named data set"):
        zoo.open_data(tmp_path, data_dir=str(tmp_path))
    with pytest.raises(DataError, match="group is for folders"):
        zoo.open_data("fashion_mnist", group="folder")


def test_what_a_plan_asks_needs_no_pytorch(tmp_path: Path) -> None:
    root = images(tmp_path, numbered("cat", 3))
    script = (
        "import sys; from zoo.data import DATASETS\n"
        f"for row in DATASETS.values():\n for place in ('', {str(root)!r}):\n"
        "  row.facts(place), row.fingerprint(place), row.unavailable(place)\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False, cwd=Path(__file__).parents[3]).returncode == 0


# --- classes matched by name ------------------------------------------------------------------------------------------


@pytest.fixture
def data(tmp_path: Path) -> zoo.Data:
    return zoo.open_data(images(tmp_path, ["train/a/1.png", "train/c/1.png", "val/a/2.png", "val/c/2.png"]))


def test_classes_are_matched_by_name(data: zoo.Data) -> None:
    found = matched(data, ["c", "b", "a"])
    assert found.class_names == ("c", "b", "a")
    assert found.train is not None and found.val is not None
    assert found.train.labels.tolist() == found.val.labels.tolist() == [2, 0]
    assert by_class(found, "val") == by_class(data, "val")
    assert "1 of the network's 3 classes are not in the data: 'b'" in found.notes
    assert found.val.batch(torch.tensor([1]), zoo.Input(size=8, resize=8)).labels.tolist() == [0]
    assert matched(data, data.class_names) is data


def test_additional_classes_are_named(data: zoo.Data) -> None:
    with pytest.raises(DataError, match="1 of 2 classes that the network was not trained on: 'c'"):
        matched(data, ["a", "b"])
    with pytest.raises(DataError, match="several classes named 'a'"):
        matched(data, ["a", "a", "c"])


def test_pixels_are_matched_too() -> None:
    data = zoo.open_data("fashion_mnist")
    found = matched(data, data.class_names[::-1])
    assert found.train is not None and data.train is not None
    assert torch.equal(found.train.labels, 9 - data.train.labels)
