"""Which images choose the epoch: a function of each image's name and the seed, with groups whole and no class lost."""

from __future__ import annotations

import random
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.zoo.data.made import by_class, images, names, numbered
from zoo.data.folder import open_folder
from zoo.data.splitting import grouping, hashed, held_out
from zoo.errors import DataError

FRACTIONS = st.floats(0.2, 0.6)
ALONE = grouping(None, "")


def split(paths: list[str], fraction: float = 0.2, seed: int = 0, group: str | None = None) -> set[str]:
    """The paths that are held out; a class is the first step."""
    labels = np.unique([path.split("/")[0] for path in paths], return_inverse=True)[1].astype(np.int32)
    hashes, _ = hashed(paths, grouping(group, ""), seed)
    return {path for path, held in zip(paths, held_out(hashes, labels, fraction), strict=True) if held}


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(30, 60), fraction=FRACTIONS, seed=st.integers(0, 10**6), place=st.integers(0, 59),
    shuffle=st.integers(0, 10**6),
)  # fmt: skip
def test_one_image_more_moves_no_other(count: int, fraction: float, seed: int, place: int, shuffle: int) -> None:
    paths = [*numbered("cat", count), *numbered("dog", 30)]
    before = split(paths, fraction, seed)
    gone = paths[place % count]
    fewer = [path for path in paths if path != gone]
    random.Random(shuffle).shuffle(fewer)
    hashes, _ = hashed(fewer, ALONE, seed)
    natural = {path for path, number in zip(fewer, hashes, strict=True) if number < fraction * 2**64}
    assume(all(sum(path in natural for path in fewer if path.startswith(name)) > 0 for name in ("cat", "dog")))
    assert split(fewer, fraction, seed) == before - {gone}


@given(fraction=FRACTIONS, seed=st.integers(0, 10**6))
def test_about_the_fraction_is_held_out_and_another_seed_holds_out_others(fraction: float, seed: int) -> None:
    paths = numbered("cat", 1000)
    held = split(paths, fraction, seed)
    assert abs(len(held) / 1000 - fraction) < 0.1
    assert held != split(paths, fraction, seed + 1)


@given(st.lists(st.integers(1, 4), min_size=1, max_size=6), st.floats(0.01, 0.99), st.integers(0, 99))
def test_tiny_classes(sizes: list[int], fraction: float, seed: int) -> None:
    paths = [path for number, size in enumerate(sizes) for path in numbered(f"class{number}", size)]
    held = split(paths, fraction, seed)
    for number, size in enumerate(sizes):
        mine = sum(path.startswith(f"class{number}/") for path in held)
        assert mine < size
        assert mine > 0 or size == 1
        assert size != 2 or mine == 1


def test_what_is_held_out_to_have_some_is_nearest_to_it() -> None:
    """So that another seed's or fraction's choice, or a new image, changes as little as can be."""
    top = 2**64 - 1
    hashes = np.array([top, top // 2, top - 1, 3], np.uint64)
    assert held_out(hashes, np.array([0, 0, 0, 1], np.int32), 0.1).tolist() == [False, True, False, False]
    assert held_out(np.array([1, 3, 2], np.uint64), np.zeros(3, np.int32), 0.5).tolist() == [True, False, True]


def test_a_split_is_the_same_on_every_machine() -> None:
    held = ["Käfer/002.png", "Käfer/004.png", "cat/000.png", "cat/009.png", "cat/011.png"]
    assert sorted(split([*numbered("cat", 12), *numbered("Käfer", 12)])) == held
    apart = [unicodedata.normalize("NFD", path) for path in numbered("Käfer", 12)]
    assert {unicodedata.normalize("NFC", path) for path in split(apart)} == split(numbered("Käfer", 12))


@given(
    members=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), min_size=1, max_size=40),
    fraction=st.floats(0.05, 0.95),
    seed=st.integers(0, 99),
)
def test_groups_stay_whole_across_classes(members: list[tuple[int, int]], fraction: float, seed: int) -> None:
    paths = [f"class{label}/video{group}_{number}.png" for number, (label, group) in enumerate(members)]
    held = split(paths, fraction, seed, group=r"video(\d+)_")
    sides = {(path.split("video")[1].split("_")[0], path in held) for path in paths}
    assert len(sides) == len({group for group, _ in sides})
    for label in {label for label, _ in members}:
        assert any(path.startswith(f"class{label}/") for path in set(paths) - held)


@pytest.mark.parametrize(
    ("group", "path", "found"),
    [
        (r"patient(\d+)", "cat/patient12_3.png", "12"),
        (r"patient\d+", "cat/patient12_3.png", "patient12"),
        (r"patient\d+", "cat/other.png", None),
        ("folder", "cat/day1/deep/x.png", "day1"),
        ("folder", "cat/x.png", None),
        (None, "cat/x.png", None),
    ],
)
def test_what_an_image_belongs_to(group: str | None, path: str, found: str | None) -> None:
    assert grouping(group, "")(path) == found


def test_groups_of_a_csv_file(tmp_path: Path) -> None:
    table = tmp_path / "groups.csv"
    table.write_text(
        f'\ufeffpath,group\ncat/1.png,a\n"train/cat/2,5.png",a\n.\\cat\\3.png,b\n\n{tmp_path}/train/cat/4.png,c\n',
        encoding="utf-8",
    )
    belongs = grouping(str(table), str(tmp_path), "train/")
    assert [belongs(f"cat/{name}.png") for name in ("1", "2,5", "3", "4", "5")] == ["a", "a", "b", "c", None]


@pytest.mark.parametrize(
    ("content", "said"),
    [("cat/1.png\n", "two columns"), ("a,b\n" * 2 + "a,c\n", "two groups; line 3"), (None, "cannot be read")],
)
def test_csv_files_that_are_none(tmp_path: Path, content: str | None, said: str) -> None:
    if content is not None:
        (tmp_path / "groups.csv").write_text(content)
    with pytest.raises(DataError, match=said):
        grouping(str(tmp_path / "groups.csv"), "")


@pytest.mark.parametrize("group", ["(", "", 3])
def test_groups_that_are_none(group: str) -> None:
    with pytest.raises(DataError, match='regular expression, "folder" or a CSV file'):
        grouping(group, "")


def test_groups_of_a_folder_are_recorded_and_counted(tmp_path: Path) -> None:
    images(tmp_path, [f"{name}/burst{burst}/{at}.png" for name in "ab" for burst in range(8) for at in range(3)])
    data = open_folder(str(images(tmp_path, ["a/alone.png"])), group="folder", val_fraction=0.4)
    assert data.split == {"seed": 0, "val_fraction": 0.4, "group": "folder"}
    bursts = [{name.split("/")[1] for name in names(part)} - {"alone.png"} for part in (data.train, data.val)]
    assert not bursts[0] & bursts[1] and bursts[1]
    assert any("groups whole; 1 images belong to no group" in note for note in data.notes)


def test_a_class_in_one_group_is_trained_on_and_named(tmp_path: Path) -> None:
    images(tmp_path, [*numbered("a/one", 9), *numbered("b/x", 3), *numbered("b/y", 3)])
    data = open_folder(str(tmp_path), group="folder")
    assert set(by_class(data, "train")) == {"a", "b"} and set(by_class(data, "val")) == {"b"}
    assert "no val images of 1 of 2 classes: 'a'" in data.notes


@pytest.mark.parametrize("fraction", [-0.1, 1, float("nan"), "0.2", True])
def test_fractions_that_are_none(tmp_path: Path, fraction: float) -> None:
    with pytest.raises(DataError, match="from 0 to less than 1"):
        open_folder(str(tmp_path), val_fraction=fraction)


def test_nothing_may_be_held_out(tmp_path: Path) -> None:
    data = open_folder(str(images(tmp_path, numbered("a", 5))), val_fraction=0)
    assert data.val is None and data.split == {} and len(names(data.train)) == 5
