"""Images of an epoch: what they become depends on the seed, the epoch and the image, and on nothing else."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

import zoo
from tests.zoo.training.small import Few, folder_of_colours, tiny
from zoo.data.dataset import Batch
from zoo.data.reduced import reduced
from zoo.data.store import stores_folder
from zoo.spec import Input
from zoo.training.batches import Batches, needed_side, seed_of, training_transform
from zoo.training.recipes import Recipe, recipe

INPUT = Input(size=16, resize=18, min_size=8)
RANDOM = recipe(
    "sample", batch_size=4, mirror=True, crop_scale=0.3, auto_augment="trivialaugment", color_jitter=0.2, reprob=0.5
)


def epoch(workers: int, order: list[int], number: int = 0, start: int = 0, seed: int = 0) -> dict[int, torch.Tensor]:
    batches = Batches(Few([0, 1, 2] * 4), INPUT, 3, RANDOM, seed=seed, workers=workers)
    try:
        found = list(batches.epoch(number, torch.tensor(order), start=start))
    finally:
        batches.close()
    return {
        int(position): image for batch in found for position, image in zip(batch.positions, batch.images, strict=True)
    }


def test_order_processes_and_the_place_to_start_change_no_image() -> None:
    wanted = epoch(0, list(range(12)))
    assert sorted(wanted) == list(range(12))
    for found in (epoch(0, list(range(11, -1, -1))), epoch(1, list(range(12))), epoch(2, list(range(12)))):
        assert all(torch.equal(found[position], wanted[position]) for position in wanted)
    rest = epoch(1, list(range(12)), start=2)
    assert sorted(rest) == [8, 9, 10, 11]
    assert all(torch.equal(rest[position], wanted[position]) for position in rest)


def test_another_epoch_or_seed_changes_them() -> None:
    first = epoch(0, list(range(12)))
    for other in (epoch(0, list(range(12)), number=1), epoch(0, list(range(12)), seed=1)):
        assert sum(torch.equal(first[position], other[position]) for position in first) <= 1


def test_the_callers_random_numbers_are_left_alone() -> None:
    before = torch.random.get_rng_state()
    epoch(0, list(range(12)))
    assert torch.equal(before, torch.random.get_rng_state())


def test_seeds_of_neighbours_have_nothing_in_common() -> None:
    seeds = [seed_of(seed, epoch, image) for seed in range(10) for epoch in range(10) for image in range(100)]
    assert len(set(seeds)) == len(seeds)
    ones = sum(bin(seed).count("1") for seed in seeds) / len(seeds)
    assert 31 < ones < 32  # of 63 bits
    flips = [bin(seeds[index] ^ seeds[index + 1]).count("1") for index in range(0, len(seeds) - 1, 2)]
    assert 31 < sum(flips) / len(flips) < 32


def test_without_random_crops_the_network_is_trained_on_what_it_is_tested_on() -> None:
    image = Few([0]).image(0)
    spec = dataclasses.replace(zoo.spec("resnet18"), input=INPUT)
    plain = Batches(Few([0]), INPUT, 3, recipe("sample", mirror=False, auto_augment="", color_jitter=0.0), seed=0)
    mirrored = Batches(Few([0]), INPUT, 3, recipe("sample", mirror=True), seed=0).here(torch.tensor([0])).images[0]
    wanted = zoo.preprocessing(spec)(image)
    assert torch.equal(plain.here(torch.tensor([0])).images[0], wanted)
    assert torch.equal(mirrored, wanted) or torch.equal(mirrored, wanted.flip(-1))


def test_what_is_erased_has_the_mean_colour() -> None:
    erasing = recipe("sample", reprob=1.0)
    image = Batches(Few([0]), INPUT, 3, erasing, seed=0).here(torch.tensor([0])).images[0]
    gone = image.abs().amax(0) < 1 / 255 / min(INPUT.std)
    assert 0.02 * gone.numel() <= gone.sum() <= 0.34 * gone.numel()


def test_grey_images_train_networks_of_one_channel() -> None:
    assert training_transform(INPUT, 1, RANDOM)(torch.zeros(1, 20, 30, dtype=torch.uint8)).shape == (1, 16, 16)


@pytest.mark.parametrize("workers", [0, 1])
def test_broken_images_are_named(workers: int) -> None:
    batches = Batches(Few([0] * 6, broken=(1, 5)), INPUT, 3, RANDOM, seed=0, workers=workers)
    try:
        found = list(batches.epoch(0, torch.arange(6)))
    finally:
        batches.close()
    assert [dict(batch.unreadable) for batch in found] == [{1: "cut off"}, {5: "cut off"}]
    assert [len(batch.images) for batch in found] == [3, 1]


# --- photographs ------------------------------------------------------------------------------------------------------


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two classes of larger JPEGs, and one that is broken."""
    monkeypatch.setenv("ZOO_CACHE_DIR", str(tmp_path / "cache"))
    folder_of_colours(tmp_path / "photos", {"a": 5, "b": 6}, size=90)
    for png in (tmp_path / "photos").rglob("*.png"):
        Image.open(png).resize((100, 90)).save(png.with_suffix(".jpg"))
        png.unlink()
    whole = (tmp_path / "photos/a/000.jpg").read_bytes()
    (tmp_path / "photos/a/cut.jpg").write_bytes(whole[: len(whole) // 2])
    return tmp_path / "photos"


def of_photos(photos: Path, recipe: Recipe, *, cache_gb: float, workers: int) -> tuple[Batch, ...]:
    """Two epochs."""
    small, _ = reduced(zoo.open_data(photos, val_fraction=0), needed_side(INPUT, recipe), "bilinear", cache_gb=cache_gb)
    assert small is not None
    batches = Batches(small, INPUT, 3, recipe, seed=0, workers=workers)
    order = torch.arange(len(small.labels)).flip(0)
    try:
        return tuple(batch for epoch in range(2) for batch in batches.epoch(epoch, order))
    finally:
        batches.close()


@pytest.mark.parametrize("changes", [{}, {"crop_scale": 1.0}, {"crop_scale": 1.0, "mirror": False}])
def test_a_cache_and_processes_change_no_image(photos: Path, changes: dict[str, Any]) -> None:
    chosen = recipe("sample", **{"batch_size": 4, "mirror": True, "crop_scale": 0.3, **changes})
    wanted = of_photos(photos, chosen, cache_gb=0, workers=0)
    assert [len(batch.unreadable) for batch in wanted] == [0, 1, 0] * 2
    for cache_gb, workers in ((1, 2), (1, 0), (1, 1), (0, 1)):  # written by two processes, then read
        found = of_photos(photos, chosen, cache_gb=cache_gb, workers=workers)
        for one, other in zip(wanted, found, strict=True):
            assert torch.equal(one.images, other.images) and torch.equal(one.positions, other.positions)
            assert one.unreadable == other.unreadable


def test_images_are_kept_no_smaller_than_training_needs() -> None:
    assert needed_side(INPUT, recipe("sample", crop_scale=1.0)) == INPUT.resize == 18
    assert needed_side(INPUT, recipe("sample", crop_scale=0.35)) == 24
    assert needed_side(Input(size=100, resize=256, min_size=8), recipe("sample", crop_scale=0.35)) == 256


def test_only_images_that_will_be_kept_are_new(photos: Path) -> None:
    data = zoo.open_data(photos, val_fraction=0)
    for cache_gb, many in ((0, 0), (1, 12), (1, 8)):
        small, _ = reduced(data, 24, "bilinear", cache_gb=cache_gb)
        assert small is not None
        batches = Batches(small, INPUT, 3, RANDOM, seed=0)
        assert len(batches.new()) == many
        batches.here(batches.new()[:4])
    assert not len(Batches(Few([0, 1]), INPUT, 3, RANDOM, seed=0).new())


def test_the_weights_are_the_same_without_a_cache_and_with_a_cold_and_a_warm_one(photos: Path) -> None:
    weights, notes = [], list[str]()
    for cache_gb in (0.0, 1.0, 1.0):
        model = tiny(classes=2, norm=False)
        chosen = recipe("sample", img_size=16, batch_size=4, epochs=2, mirror=True, crop_scale=0.35)
        zoo.train(model, zoo.open_data(photos), chosen, cache_gb=cache_gb, workers=0, on_note=notes.append)
        weights.append(model.state_dict())
    for other in weights[1:]:
        assert all(torch.equal(weights[0][name], other[name]) for name in other)
    said = [note for note in notes if "decoded" in note]
    assert len(said) == 2 and all(f"/{stores_folder().name}/" in note for note in said)


@pytest.mark.parametrize("wrong", [-1, float("nan"), float("inf"), "20", None, True])
def test_gigabytes_that_are_none_are_refused(photos: Path, wrong: Any) -> None:
    with pytest.raises(zoo.InvalidOption, match="cache_gb takes a number of gigabytes from 0 on"):
        zoo.train(tiny(classes=2), zoo.open_data(photos), cache_gb=wrong)
