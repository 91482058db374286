"""By what images are normalized, and whether what comes out is what a network expects."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch

import zoo
from tests.zoo.training.small import folder_of_colours, three_colours, tiny
from zoo.data.pixels import Pixels
from zoo.errors import LONGEST, InvalidOption
from zoo.spec import Input
from zoo.training.normalizing import looked_at, normalized_by, remark
from zoo.training.recipes import recipe

ONE_EPOCH = recipe("finetune:epochs=1,head_epochs=0,batch_size=8,img_size=16")
PHOTOGRAPH = torch.rand(8, 3, 16, 16, generator=torch.Generator().manual_seed(0))
MEAN, DEVIATION = torch.tensor(Input().mean).reshape(3, 1, 1), torch.tensor(Input().std).reshape(3, 1, 1)


@pytest.mark.parametrize(
    ("pixels", "mean", "std"),
    [
        (PHOTOGRAPH, MEAN, DEVIATION),
        (PHOTOGRAPH, 0.0, 1.0),
        (PHOTOGRAPH, 0.5, 0.5),
        (PHOTOGRAPH, MEAN, 1 / 255),  # networks of Caffe
        (PHOTOGRAPH, 0.0, 1 / 255),
        ((PHOTOGRAPH > 0.1).float(), MEAN, DEVIATION),  # drawings on paper
        (0.3 * PHOTOGRAPH, MEAN, DEVIATION),  # dusk
    ],
)
def test_what_networks_are_used_to_costs_no_word(
    pixels: torch.Tensor, mean: torch.Tensor | float, std: torch.Tensor | float
) -> None:
    assert not remark((pixels - mean) / std)


@pytest.mark.parametrize(
    ("pixels", "mean", "std"),
    [
        (PHOTOGRAPH / 255, MEAN, DEVIATION),
        (PHOTOGRAPH / 16, MEAN, DEVIATION),  # 12 bits in files of 16
        (PHOTOGRAPH, 255 * MEAN, 255 * DEVIATION),
    ],
)
def test_what_is_of_another_scale_is_said_in_one_line(
    pixels: torch.Tensor, mean: torch.Tensor | float, std: torch.Tensor | float
) -> None:
    found = remark((pixels - mean) / std)
    assert "expects about 0 and 1" in found
    assert len(found) <= LONGEST


def test_no_readable_image_costs_no_word() -> None:
    assert not remark(torch.empty(0, 3, 16, 16))


def test_images_of_all_classes_are_looked_at() -> None:
    assert looked_at(3).tolist() == [0, 1, 2]
    assert looked_at(1600).tolist() == list(range(0, 1600, 100))


def test_one_value_stands_for_all_channels_and_what_is_not_given_stays() -> None:
    found, line = normalized_by(Input(), 3, [0.5], None)
    assert (found.mean, found.std) == ((0.5, 0.5, 0.5), Input().std)
    assert "(0.5, 0.5, 0.5)" in line
    assert "(0.485, 0.456, 0.406)" in line
    assert len(line) <= LONGEST
    grey, _ = normalized_by(Input(), 1, [0.3], None)
    assert (grey.mean, len(grey.std)) == ((0.3,), 1)


def test_the_networks_own_values_change_nothing() -> None:
    assert normalized_by(Input(), 3, None, None) == (Input(), "")
    assert normalized_by(Input(), 3, list(Input().mean), list(Input().std)) == (Input(), "")


@pytest.mark.parametrize(
    ("mean", "std"),
    [
        ([123.7, 116.3, 103.5], None), ([0.5, 0.5], None), ([float("nan")], None), ("0.5", None), ([], None),
        ([True], None), (None, [0.0]), (None, [58.0]), (None, [-0.2]),
    ],
)  # fmt: skip
def test_values_of_another_scale_or_number_are_refused(mean: object, std: object) -> None:
    with pytest.raises(InvalidOption, match="of pixels from 0 to 1"):
        normalized_by(Input(), 3, mean, std)  # type: ignore[arg-type]


def test_another_normalization_is_trained_with_said_and_kept_in_the_file(tmp_path: Path) -> None:
    data, notes = zoo.open_data(str(folder_of_colours(tmp_path / "photos"))), list[str]()
    model = zoo.create("mobilenet_v1:resolution=32,shallow=true,width=0.1", num_classes=3)
    training = zoo.train(
        model, data, ONE_EPOCH, mean=[0.5], std=[0.25], weights="some file", output_dir=tmp_path / "run", workers=0,
        on_note=notes.append,
    )  # fmt: skip
    assert sum("normalized by mean (0.5, 0.5, 0.5)" in note for note in notes) == 1
    kept = zoo.load(training.best)  # type: ignore[arg-type]
    assert (kept.spec.input.mean, kept.spec.input.std) == ((0.5,) * 3, (0.25,) * 3)
    config = json.loads((tmp_path / "run/config.json").read_text(encoding="utf-8"))
    assert config["input"]["mean"] == [0.5] * 3
    assert zoo.evaluate(kept, data.val).correct == training.evaluation.correct  # type: ignore[arg-type]


@pytest.mark.parametrize("dark", [False, True])
def test_dark_images_are_named_before_the_first_step(dark: bool) -> None:
    random = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 10 if dark else 256, (24, 3, 16, 16), generator=random, dtype=torch.uint8)
    labels = torch.arange(24) % 3
    split = Pixels(pixels=pixels, labels=labels, part="train", numbers=torch.arange(24))
    notes: list[str] = []
    data = dataclasses.replace(three_colours(), train=split)
    zoo.train(tiny(classes=3), data, ONE_EPOCH, workers=0, on_note=notes.append)
    assert any("expects about 0 and 1" in note for note in notes) == dark
