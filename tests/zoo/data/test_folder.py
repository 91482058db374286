"""A folder of one's own images: every file is used or left out by name, in the class and the part it lies in."""

from __future__ import annotations

import os
import pickle
import re
import shutil
import socket
import tracemalloc
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import zoo
from tests.zoo.data.made import by_class, image, images, names, numbered
from zoo.data.folder import facts, fingerprint, open_folder, unavailable
from zoo.data.photographs import Files
from zoo.errors import DataError
from zoo.spec import Input

SMALL = Input(size=8, resize=8)


def account(notes: tuple[str, ...]) -> tuple[int, int, int]:
    """Found, used and left out, as the one line says it; what it lists adds up."""
    (line,) = [note for note in notes if note.startswith("found ")]
    found, used, left = (int(each) for each in re.findall(r"(\d+) (?:files?|used|left)", line))
    reasons = [int(each) for each in re.findall(r"[:;] (\d+) ", line)]
    assert sum(reasons) == left and found == used + left
    return found, used, left


# --- arrangement ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("val", ["val", "valid", "validation", "dev", "Val"])
def test_parts_are_found_under_all_their_names(tmp_path: Path, val: str) -> None:
    images(tmp_path, ["train/cat/a.png", "train/dog/b.png", f"{val}/cat/c.png", "test/dog/d.png"])
    data = open_folder(str(tmp_path))
    assert data.class_names == ("cat", "dog")
    assert by_class(data, "train") == {"cat": ["train/cat/a.png"], "dog": ["train/dog/b.png"]}
    assert by_class(data, "val") == {"cat": [f"{val}/cat/c.png"]}
    assert by_class(data, "test") == {"dog": ["test/dog/d.png"]}
    assert data.split == {}
    assert "no val images of 1 of 2 classes: 'dog'" in data.notes
    assert data.name == tmp_path.name


def test_a_folder_without_val_is_split_and_says_so(tmp_path: Path) -> None:
    images(tmp_path, [*numbered("cat", 12), *numbered("dog", 12)])
    data = open_folder(str(tmp_path), seed=3)
    assert data.split == {"seed": 3, "val_fraction": 0.2, "group": None}
    assert data.train is not None and data.val is not None and data.test is None
    assert sorted(names(data.train) + names(data.val)) == sorted([*numbered("cat", 12), *numbered("dog", 12)])
    assert any("no val folder" in note and "seed 3" in note for note in data.notes)


def test_train_and_test_without_val_are_split_too_and_test_is_left_alone(tmp_path: Path) -> None:
    images(tmp_path, [f"train/{name}" for name in numbered("cat", 9)] + ["test/cat/x.png"])
    data = open_folder(str(tmp_path))
    assert data.val is not None and names(data.test) == ["test/cat/x.png"]
    flat = open_folder(str(shutil.copytree(tmp_path / "train", tmp_path.with_name("flat"))))
    assert [name.removeprefix("train/") for name in names(data.val)] == names(flat.val)


def test_val_alone_is_for_evaluation(tmp_path: Path) -> None:
    data = open_folder(str(images(tmp_path, ["val/b/1.png", "val/a/1.png", "test/c/1.png"])))
    assert data.train is None and data.class_names == ("a", "b", "c")
    assert "no train folder: for evaluation only" in data.notes


def test_a_class_may_be_called_like_a_part(tmp_path: Path) -> None:
    data = open_folder(str(images(tmp_path, [*numbered("test", 4), *numbered("control", 4)])))
    assert data.class_names == ("control", "test")


def test_deeper_files_belong_to_the_first_level(tmp_path: Path) -> None:
    data = open_folder(str(images(tmp_path, ["cat/2020/may/1.png", "cat/2.png", "dog/x/3.png", "dog/4.png"])))
    assert data.class_names == ("cat", "dog")
    assert account(data.notes) == (4, 4, 0)


@pytest.mark.parametrize("deep", ["photos", "train/photos"])
def test_one_level_too_high_names_the_right_folder(tmp_path: Path, deep: str) -> None:
    images(tmp_path, [f"{deep}/cat/1.png", f"{deep}/dog/1.png"])
    with pytest.raises(DataError, match=rf"'cat', 'dog'; is {re.escape(str(tmp_path / deep))} meant\?"):
        open_folder(str(tmp_path))


def test_one_level_too_low_names_the_folder_above(tmp_path: Path) -> None:
    images(tmp_path, ["cat/1.png"])
    with pytest.raises(DataError, match=rf"no folder.*is {re.escape(str(tmp_path))} meant"):
        open_folder(str(tmp_path / "cat"))


def test_what_is_ambiguous_or_empty_is_one_line(tmp_path: Path) -> None:
    images(tmp_path / "two", ["train/a/1.png", "val/a/2.png", "valid/a/3.png"])
    images(tmp_path / "mixed", ["cat/1.png", "test/cat/2.png"])
    (tmp_path / "text" / "a").mkdir(parents=True)
    (tmp_path / "text" / "a" / "x.txt").write_text("no image")
    images(tmp_path / "given", ["train/a/1.png", "val/a/2.png"])
    for place, said in (("two", "several folders"), ("mixed", "one named train"), ("text", "1 of no known format")):
        with pytest.raises(DataError, match=said):
            open_folder(str(tmp_path / place))
        assert unavailable(str(tmp_path / place)) and not fingerprint(str(tmp_path / place))
        assert facts(str(tmp_path / place)).num_classes == 0
    with pytest.raises(DataError, match="says itself which images are val"):
        open_folder(str(tmp_path / "given"), group="folder")
    with pytest.raises(DataError, match=r"not there; did you mean .*given\?"):
        open_folder(str(tmp_path / "givn"))
    with pytest.raises(DataError, match="no folder"):
        open_folder(str(tmp_path / "text" / "a" / "x.txt"))
    with pytest.raises(DataError, match="--data-dir"):
        open_folder("")


def test_facts_and_fingerprint_are_those_of_what_is_opened(tmp_path: Path) -> None:
    images(tmp_path / "here", [*numbered("cat", 20), *numbered("dog", 20)])
    (tmp_path / "here" / "cat" / "text.png").write_text("no image")
    data = open_folder(str(tmp_path / "here"))
    assert data.train is not None and data.val is not None
    assert facts(str(tmp_path / "here")) == (2, len(data.train.labels), len(data.val.labels), 0)
    assert fingerprint(str(tmp_path / "here")) == data.fingerprint
    shutil.copytree(tmp_path / "here", tmp_path / "there")
    assert open_folder(str(tmp_path / "there")).fingerprint == data.fingerprint
    image(tmp_path / "there" / "cat" / "000.png", "another")
    assert open_folder(str(tmp_path / "there")).fingerprint != data.fingerprint


# --- classes ----------------------------------------------------------------------------------------------------------


def test_class_names_of_any_script_are_sorted_and_composed(tmp_path: Path) -> None:
    written = ["Кошка", "猫 と 犬", unicodedata.normalize("NFD", "Käfer"), "a b", "zebra", "قط"]
    data = open_folder(str(images(tmp_path, [f"{name}/{number}.png" for name in written for number in (1, 2)])))
    assert data.class_names == tuple(sorted(unicodedata.normalize("NFC", name) for name in written))
    assert all(len(found) == 1 for found in by_class(data, "train").values())


def test_a_class_name_that_is_no_text_can_be_printed(tmp_path: Path) -> None:
    image(Path(os.fsdecode(os.fsencode(tmp_path) + b"/odd\xff/1.png")))
    assert open_folder(str(tmp_path)).class_names == ("odd\\xff",)


def test_a_class_that_val_lacks_moves_no_number(tmp_path: Path) -> None:
    images(tmp_path, ["train/a/1.png", "train/b/1.png", "train/c/1.png", "val/a/2.png", "val/c/2.png"])
    (tmp_path / "val" / "b").mkdir()
    data = open_folder(str(tmp_path))
    assert data.val is not None and data.val.labels.tolist() == [0, 2]
    assert "no val images of 1 of 3 classes: 'b'" in data.notes


def test_a_class_that_only_val_has_is_left_out_by_name(tmp_path: Path) -> None:
    data = open_folder(str(images(tmp_path, ["train/b/1.png", "val/a/2.png", "val/b/2.png", "test/c/3.png"])))
    assert data.class_names == ("b",) and data.val is not None and data.val.labels.tolist() == [0]
    assert data.test is None
    assert "left out, of a class without training images: 'val/a/2.png', 'test/c/3.png'" in data.notes
    assert "without images to use, and no classes here: 'a', 'c'" in data.notes


def test_empty_classes_are_named(tmp_path: Path) -> None:
    images(tmp_path, ["cat/1.png", "cat/2.png"])
    (tmp_path / "void").mkdir()
    data = open_folder(str(tmp_path))
    assert data.class_names == ("cat",)
    assert "without images to use, and no classes here: 'void'" in data.notes


# --- files ------------------------------------------------------------------------------------------------------------


def test_every_file_is_used_or_left_out_by_reason_and_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = images(tmp_path / "data", [*numbered("cat", 3), *numbered("dog", 3)])
    (root / "notes.txt").write_text("beside")
    (root / "odd").symlink_to("odd")
    (root / ".DS_Store").write_text("hidden")
    (root / ".ipynb_checkpoints").mkdir()
    image(root / ".ipynb_checkpoints" / "cat.png")
    cat = root / "cat"
    (cat / ".hidden.png").write_text("hidden")
    (cat / "text.jpg").write_text("no image")
    (cat / "empty.png").touch()
    os.mkfifo(cat / "pipe.png")
    (cat / "nothing.png").symlink_to(root / "gone.png")
    (cat / "circle.png").symlink_to("circle.png")
    (cat / "phone.HEIC").write_bytes(b"\0\0\0\x18ftypheic" + bytes(40))
    with socket.socket(socket.AF_UNIX) as server:
        monkeypatch.chdir(cat)  # since the path of a socket is short
        server.bind("socket.png")
        data = open_folder(str(root))
    assert account(data.notes) == (18, 6, 12)
    said = "\n".join(data.notes)
    for line in (
        "hidden: '.DS_Store', '.ipynb_checkpoints', 'cat/.hidden.png'", "in no folder of a class: 'notes.txt', 'odd'",
        "of no known format: 'cat/text.jpg'", "empty: 'cat/empty.png'", "a pipe: 'cat/pipe.png'",
        "a socket: 'cat/socket.png'", "a link to nothing: 'cat/nothing.png'", "a link in a circle: 'cat/circle.png'",
        "HEIC, which `pip install pillow-heif` makes readable: 'cat/phone.HEIC'",
    ):  # fmt: skip
        assert f"left out, {line}" in said


@pytest.mark.parametrize("ending", [".jfif", ".gif", ".tif", ".webp", ".JPEG", ".weird", ""])
def test_what_pillow_opens_is_used_whatever_its_ending(tmp_path: Path, ending: str) -> None:
    kind = {".jfif": "JPEG", ".gif": "GIF", ".tif": "TIFF", ".webp": "WEBP", ".JPEG": "JPEG"}.get(ending, "BMP")
    (tmp_path / "cat").mkdir()
    Image.new("L", (9, 5)).save(tmp_path / "cat" / f"one{ending}", format=kind)
    data = open_folder(str(tmp_path))
    assert data.train is not None and data.train.image(0).mode == "RGB" and data.train.image(0).size == (9, 5)


def test_links_are_followed_and_circles_end(tmp_path: Path) -> None:
    root = images(tmp_path / "data", ["cat/1.png", "cat/2.png", "dog/1.png", "dog/2.png"])
    images(tmp_path / "elsewhere", ["deep/3.png", "deep/er/4.png"])
    (root / "cat" / "more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(root / "cat")
    (root / "dog" / "3.png").symlink_to(tmp_path / "elsewhere" / "deep" / "3.png")
    data = open_folder(str(root), val_fraction=0)
    assert by_class(data, "train")["cat"] == ["cat/1.png", "cat/2.png", "cat/more/deep/er/4.png"]
    assert "left out, a link to a folder that is there already: 'cat/more/back'" in data.notes
    assert "left out, in several classes: 'cat/more/deep/3.png', 'dog/3.png'" in data.notes


def test_links_between_folders_cannot_multiply(tmp_path: Path) -> None:
    images(tmp_path, ["dog/1.png"])
    for level in range(30):
        place = tmp_path / "cat" / f"{level:02}"
        image(place / "one.png")
        for name in ("left", "right"):
            (place / name).symlink_to(tmp_path / "cat" / f"{level + 1:02}")
    found, used, _ = account(open_folder(str(tmp_path)).notes)
    assert used == 31 and found < 100


def test_files_may_lie_deep(tmp_path: Path) -> None:
    image(tmp_path / Path(*["deep"] * 300) / "1.png")
    assert account(open_folder(str(tmp_path)).notes) == (1, 1, 0)


def test_what_breaks_later_is_left_out_and_no_exception(tmp_path: Path) -> None:
    images(tmp_path, numbered("cat", 5))
    cut = tmp_path / "cat" / "001.png"
    cut.write_bytes(cut.read_bytes()[:60])
    train = open_folder(str(tmp_path), val_fraction=0).train
    assert train is not None
    (tmp_path / "cat" / "003.png").unlink()
    batches = list(train.batches(2, SMALL))
    assert torch.cat([batch.positions for batch in batches]).tolist() == [0, 2, 4]
    reasons = {position: reason for batch in batches for position, reason in batch.unreadable.items()}
    assert sorted(reasons) == [1, 3] and "No such file" in reasons[3]
    assert train.batch(torch.tensor([4, 3]), SMALL).positions.tolist() == [4]
    with pytest.raises(DataError, match="No such file"):
        train.image(3)


@pytest.mark.parametrize("model", ["resnet18", "mobilenet_v1"])
def test_a_batch_is_what_preprocessing_makes_of_each_image(tmp_path: Path, model: str) -> None:
    (tmp_path / "cat").mkdir()
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.radial_gradient("L").convert("RGB").resize((70, 50)).save(tmp_path / "cat" / "turned.jpg", exif=turned)
    Image.fromarray(np.arange(0, 65536, 16, dtype=np.uint16).reshape(64, 64)).save(tmp_path / "cat" / "deep.png")
    Image.new("RGBA", (60, 90), (250, 0, 0, 90)).save(tmp_path / "cat" / "glass.png")
    split, spec = open_folder(str(tmp_path), val_fraction=0).train, zoo.spec(model)
    assert split is not None
    expected = [zoo.preprocessing(spec)(tmp_path / name) for name in names(split)]
    for batch in (split.batch(torch.arange(3), spec.input), *split.batches(3, spec.input)):
        assert torch.equal(batch.images, torch.stack(expected))
    grey = split.batch(torch.arange(3), spec.input, channels=1).images
    assert grey.shape == (3, 1, spec.input.size, spec.input.size)


def test_a_part_can_be_sent_to_another_process(tmp_path: Path) -> None:
    train = open_folder(str(images(tmp_path, numbered("cat", 4))), val_fraction=0).train
    assert train is not None
    sent = pickle.loads(pickle.dumps(train.subset([2, 0])))
    assert names(sent) == ["cat/002.png", "cat/000.png"] and sent.image(0) == train.image(2)


def test_nothing_is_written_into_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    root = images(tmp_path / "data", [*numbered("cat", 6), *numbered("dog", 6)])

    def state() -> list[tuple[str, int, int]]:
        return [(str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in sorted(root.rglob("*"))]

    before = state()
    for path in (*root.rglob("*"), root):
        path.chmod(0o555 if path.is_dir() else 0o444)
    data = open_folder(str(root))
    assert data.train is not None
    list(data.train.batches(4, SMALL))
    assert state() == before
    for path in (root, *root.rglob("*")):
        path.chmod(0o755)


# --- equal content ----------------------------------------------------------------------------------------------------


def test_an_image_in_two_classes_is_in_none(tmp_path: Path) -> None:
    images(tmp_path, ["train/cat/1.png", "train/dog/1.png", "val/cat/2.png"])
    for name in ("train/cat/same.png", "train/cat/again.png", "val/dog/same.png"):
        image(tmp_path / name, "same")
    data = open_folder(str(tmp_path))
    assert account(data.notes) == (6, 3, 3)
    assert "left out, in several classes: 'train/cat/again.png', 'train/cat/same.png', 'val/dog/same.png'" in data.notes


def test_a_training_copy_of_what_is_held_out_is_left_out(tmp_path: Path) -> None:
    images(tmp_path, ["train/cat/1.png", "val/cat/2.png", "test/cat/3.png"])
    for name in ("train/cat/x.png", "val/cat/y.png"):
        image(tmp_path / name, "in val")
    for name in ("train/cat/u.png", "val/cat/v.png", "test/cat/w.png"):
        image(tmp_path / name, "in test")
    data = open_folder(str(tmp_path))
    assert [names(part) for part in (data.train, data.val, data.test)] == [
        ["train/cat/1.png"], ["val/cat/2.png", "val/cat/y.png"], ["test/cat/3.png", "test/cat/w.png"],
    ]  # fmt: skip
    assert "left out, copies in train of images in val: 'train/cat/x.png'" in data.notes
    assert "left out, copies in val of images in test: 'val/cat/v.png'" in data.notes


def test_copies_never_take_a_class_its_only_training_image(tmp_path: Path) -> None:
    for name in ("cat/1.png", "cat/2.png", "cat/3.png"):
        image(tmp_path / name, "same")
    data = open_folder(str(images(tmp_path, numbered("dog", 5))))
    assert "cat" in by_class(data, "train") and "cat" not in by_class(data, "val")


def test_copies_within_a_class_and_part_are_used(tmp_path: Path) -> None:
    for name in ("train/cat/1.png", "train/cat/2.png"):
        image(tmp_path / name, "same")
    assert len(names(open_folder(str(images(tmp_path, ["val/cat/1.png"]))).train)) == 2


def test_files_of_equal_size_and_beginning_are_told_apart(tmp_path: Path) -> None:
    for name, last in (("cat", 0), ("dog", 1)):
        pixels = np.zeros((64, 64, 3), np.uint8)
        pixels[0, 0] = last  # the last row of the file
        (tmp_path / name).mkdir()
        Image.fromarray(pixels).save(tmp_path / name / "1.bmp")
    assert account(open_folder(str(tmp_path)).notes) == (2, 2, 0)


# --- many -------------------------------------------------------------------------------------------------------------


def test_a_name_costs_less_than_200_bytes_and_no_object() -> None:
    tracemalloc.start()
    files = Files.listed("/data", (f"train/n{number % 1000:08}/n{number:08}_{number}.JPEG" for number in range(50_000)))
    some = files.take(np.arange(0, 50_000, 2))
    current, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert current < 100 * 50_000 and peak < 200 * 50_000
    assert some.names is files.names and some.path(1) == "/data/train/n00000002/n00000002_2.JPEG"
    assert len(pickle.dumps(files)) < 100 * 50_000


@settings(max_examples=25, deadline=None)
@given(
    kinds=st.lists(st.sampled_from(["image", "text", "empty", "hidden", "nothing", "copy", "folder"]), max_size=14),
    seed=st.integers(0, 9),
)
def test_found_is_used_and_left_out(tmp_path_factory: pytest.TempPathFactory, kinds: list[str], seed: int) -> None:
    root = tmp_path_factory.mktemp("data")
    image(root / "cat" / "first.png")
    for number, kind in enumerate(kinds):
        path = root / ("cat", "dog")[number % 2] / f"{'.' if kind == 'hidden' else ''}{number}.png"
        path.parent.mkdir(exist_ok=True)
        if kind in ("image", "copy"):
            image(path, None if kind == "image" else "same")
        elif kind == "nothing":
            path.symlink_to(root / "gone")
        elif kind == "folder":
            image(path / "inside.png")
        else:
            path.write_text("" if kind == "empty" else "text")
    data = open_folder(str(root), seed=seed)
    found, used, _ = account(data.notes)
    assert found == sum(1 for path in root.rglob("*") if path.is_symlink() or path.is_file())
    assert used == len(names(data.train)) + len(names(data.val))
    assert set(by_class(data, "train")) == set(data.class_names)
