"""The accuracy metric: what it asks, what it counts, and the comparison of two models on the same images."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

import zoo
from benchmarks.metrics import accuracy, beginnings
from benchmarks.metrics.accuracy import complete, label_order, measure, unavailable
from benchmarks.metrics.subject import Subject
from benchmarks.records import predictions
from benchmarks.records.predictions import NotPaired, mcnemar, pack, unpack
from benchmarks.records.record import Case, Measurement, Record
from zoo.data import DATASETS
from zoo.training.evaluation import Evaluation, wilson
from zoo.training.recipes import recipe

DATA = Path(os.environ.get("ZOO_TEST_DATA", Path(__file__).parents[4] / "shared" / "data"))
RECIPE = recipe("sample")
WEIGHTS, SAMPLE = DATA / "mobilenet_2_5_128_tf.h5", DATA / "imagenet_sample"
SMALL = "mobilenet_v1:width=0.25"


def case(model: str = SMALL, **conditions: object) -> Case:
    return Case(metric="accuracy", model=model, **conditions)  # type: ignore[arg-type]


def record(answers: Sequence[int], labels: Sequence[int], fingerprint: str = "same") -> Record:
    """A record of so many best answers; -1 is an image that could not be read."""
    details = {
        "answers": pack([[answer] * 5 for answer in answers]),
        "labels": pack(labels),
        "fingerprint": fingerprint,
    }
    top1 = Measurement(name="top1", value=0.5, unit="fraction", details=details)
    return Record.from_json(Record(case=case(), status="ok", measurements=(top1,)).to_json())


# --- the plan ---------------------------------------------------------------------------------------------------------


def test_defaults_are_the_recipes() -> None:
    found = complete(case())
    assert (found.dataset, found.epochs, found.train_img_size) == ("fashion_mnist", RECIPE.epochs, RECIPE.img_size)
    assert found.train_images == 6000
    assert complete(found) == found
    assert complete(case(epochs=7, train_images=50, img_size=80)).epochs == 7
    assert complete(case("inception_v3")).train_img_size == max(
        RECIPE.img_size, zoo.spec("inception_v3").input.min_size
    )


def test_weights_are_evaluated_at_their_size_and_not_trained() -> None:
    found = complete(case("mobilenet_v1:resolution=160", weights_path="imagenet", epochs=3, train_images=5, seed=4))
    assert (found.dataset, found.img_size) == ("imagenet", 160)
    assert (found.epochs, found.train_images, found.seed) == (0, 0, 0)


@pytest.mark.parametrize(
    ("conditions", "reason"),
    [
        ({"dataset": "imagenet"}, "--data-dir"),
        ({"dataset": "folder"}, "--data-dir"),
        ({"weights_path": "imagenet"}, "--data-dir"),
        ({"recipe": "finetune"}, "begins with trained weights"),
        ({"weights_path": "nofile.pth", "dataset": "fashion_mnist"}, "no file 'nofile.pth'"),
        ({"weights_path": "imagenet:elsewhere", "dataset": "imagenet"}, "no checkpoint 'imagenet:elsewhere'"),
        ({"train_images": 6001}, "has 6,000 training images; 6,001 were asked for"),
        ({"precision": "int8"}, "fp32, bf16, fp16, not int8"),
    ],
)
def test_what_cannot_be_measured_says_why(conditions: dict[str, object], reason: str) -> None:
    assert reason in str(unavailable(complete(case(**conditions))))


def test_the_default_can_be_measured() -> None:
    assert unavailable(complete(case())) is None


def test_a_study_may_vary_the_recipe() -> None:
    found = [complete(case(recipe=name)) for name in ("", "sample", "sample:mirror=true")]
    assert found[0] == found[1] != found[2]
    with pytest.raises(zoo.UnknownOption, match="no field 'miror'"):
        complete(case(recipe="sample:miror=true"))
    with pytest.raises(LookupError, match="no recipe is named 'simple'; did you mean sample"):
        complete(case(recipe="simple"))


# --- training and counting --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained() -> Record:
    """A network trained for a moment, through JSON and back."""
    asked = complete(case(epochs=2, train_images=40, img_size=32, recipe="sample:plain_step=0.2"))
    return Record.from_json(Record(case=asked, status="ok", measurements=measure(Subject(asked))).to_json())


def test_what_is_returned_can_be_counted_again(trained: Record) -> None:
    top1 = trained.find("top1")
    assert top1 is not None
    labels, answers = unpack(top1.details["labels"]), unpack(top1.details["answers"])
    assert answers.shape == (2000, 5)
    assert np.bincount(labels).tolist() == [200] * 10
    assert trained.value("top1") == (answers[:, 0] == labels).mean()
    assert trained.value("top5") == (answers == labels[:, None]).any(axis=1).mean()
    assert trained.value("test_images") == 2000
    assert trained.value("train_images") == 40
    assert (top1.low, top1.high) == pytest.approx(wilson(round(top1.value * 2000), 2000)[1:])
    assert all(len(set(row)) == 5 for row in answers.tolist())


def test_how_it_was_trained_is_kept(trained: Record) -> None:
    top1 = trained.find("top1")
    assert top1 is not None
    assert top1.details["recipe"] == dataclasses.asdict(recipe("sample", epochs=2, img_size=32, plain_step=0.2))
    assert [point["epoch"] for point in top1.details["curve"]] == [1, 2]
    assert top1.details["curve"][-1]["top1"] == top1.value
    seconds, rate = trained.value("train_seconds"), trained.value("train_samples_per_sec")
    assert seconds is not None
    assert rate == pytest.approx(2 * 40 / seconds)


def test_auxiliary_classifiers_are_trained_unless_a_study_says_no(monkeypatch: pytest.MonkeyPatch) -> None:
    heads = []

    def stop(model: zoo.Classifier, *_: object, **__: object) -> None:
        heads.append(len(model.auxiliary))
        raise InterruptedError

    monkeypatch.setattr(accuracy, "train", stop)
    for name in ("sample", "sample:auxiliary=false"):
        with pytest.raises(InterruptedError):
            measure(Subject(complete(case("googlenet", recipe=name))))
    assert heads == [2, 0]


@pytest.mark.slow
def test_a_network_of_the_zoo_learns() -> None:
    asked = complete(case("resnet18", epochs=3, train_images=400, img_size=32))
    assert {found.name: found.value for found in measure(Subject(asked))}["top1"] > 0.3


# --- trained weights --------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not WEIGHTS.exists(), reason="needs the ImageNet sample and weights (ZOO_TEST_DATA)")
def test_published_weights_reach_their_accuracy_on_the_sample() -> None:
    pytest.importorskip("h5py")
    asked = complete(
        case(
            "mobilenet_v1:width=0.25,resolution=128",
            weights_path=str(WEIGHTS),
            dataset="imagenet",
            data_dir=str(SAMPLE),
        )
    )
    subject = Subject(asked)
    found = {each.name: each for each in measure(subject)}
    assert found["test_images"].value == 250
    assert abs(found["top1"].value * 250 - 114) <= 3
    assert found["top5"].value * 250 >= 181 - 3
    assert subject.notes == []


def test_weights_are_evaluated_on_a_folder_with_a_broken_image(tmp_path: Path) -> None:
    (tmp_path / "n01440764").mkdir()
    for number in range(3):
        Image.new("RGB", (50, 70), (number * 90, 40, 200)).save(tmp_path / "n01440764" / f"{number}.png")
    (tmp_path / "n01440764" / "1.png").write_bytes(b"no image")
    torch.save(zoo.create(SMALL).state_dict(), weights := tmp_path / "weights.pth")
    asked = complete(
        case(f"{SMALL},resolution=64", weights_path=str(weights), dataset="imagenet", data_dir=str(tmp_path))
    )
    subject = Subject(asked)
    found = {each.name: each for each in measure(subject)}
    assert any("1 image that could not be read: 'n01440764/1.png'" in note for note in subject.notes)
    assert found["test_images"].value == 2
    assert list(found["top1"].details["unreadable"]) == ["n01440764/1.png"]
    assert unpack(found["top1"].details["answers"])[1].tolist() == [-1] * 5
    assert "curve" not in found["top1"].details


def test_weights_of_another_number_of_classes_are_not_tested(tmp_path: Path) -> None:
    torch.save(zoo.create(SMALL).state_dict(), weights := tmp_path / "weights.pth")
    with pytest.raises(zoo.DataError, match="tells 1000 classes apart and does not say which"):
        measure(Subject(complete(case(weights_path=str(weights), dataset="fashion_mnist"))))


def test_weights_of_the_same_classes_are_evaluated_on_any_data_set(tmp_path: Path) -> None:
    torch.save(zoo.create(SMALL, num_classes=10).state_dict(), weights := tmp_path / "weights.pth")
    asked = complete(case(weights_path=str(weights), dataset="fashion_mnist", img_size=32))
    subject = Subject(asked)
    found = {each.name: each for each in measure(subject)}
    assert found["test_images"].value == 2000
    assert "Resize(size=[37]" in found["top1"].details["preprocessing"]  # the weights' own, at the size asked for
    assert "does not say whose padding" in subject.notes[0]


# --- statistics -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("right", "count", "low", "high"),
    [
        (8, 10, 0.4901625, 0.9433178),
        (0, 10, 0.0, 0.2775328),
        (10, 10, 0.7224672, 1.0),
        (35_000, 50_000, 0.6959680, 0.7040012),  # ImageNet's validation set: +-0.40 points
    ],
)
def test_wilson_intervals_are_the_known_ones(right: int, count: int, low: float, high: float) -> None:
    assert wilson(right, count) == pytest.approx((right / count, low, high), abs=1e-6)


def test_answers_survive_packing() -> None:
    answers = np.array([[0, 999, 3], [-1, -1, -1]])
    assert np.array_equal(unpack(pack(answers)), answers)
    assert np.array_equal(unpack(pack(torch.tensor(answers))), answers)


def test_mcnemar_counts_images_only_one_has_right() -> None:
    labels = [1] * 20
    first = record([1] * 12 + [0] * 7 + [1], labels)  # right: 0 to 11 and 19
    second = record([1] * 5 + [0] * 7 + [0] * 7 + [1], labels)
    paired = mcnemar(first, second)
    assert (paired.count, paired.only_first, paired.only_second) == (20, 7, 0)
    assert paired.p_value == pytest.approx(2 * 0.5**7)
    assert paired.difference == pytest.approx(0.35)
    assert mcnemar(second, first).difference == pytest.approx(-0.35)
    assert mcnemar(first, first).p_value == 1


def test_mcnemar_leaves_out_what_one_of_them_could_not_read() -> None:
    paired = mcnemar(record([1, -1, 1], [1, 1, 1]), record([0, 0, -1], [1, 1, 1]))
    assert (paired.count, paired.only_first, paired.only_second) == (1, 1, 0)


def test_mcnemar_wants_the_same_images() -> None:
    with pytest.raises(NotPaired, match="different images"):
        mcnemar(record([1], [1]), record([1], [1], fingerprint="other"))
    with pytest.raises(NotPaired, match="no answers"):
        mcnemar(record([1], [1]), Record(case=case(), status="failed"))


def answered(labels: torch.Tensor, top: torch.Tensor, unreadable: Mapping[int, str] = {}) -> Evaluation:
    """What a network of a thousand classes answered."""
    return Evaluation(
        labels=labels, top=top, probabilities=torch.ones(len(labels)), unreadable=unreadable, loss=0.0, num_classes=1000
    )


@pytest.mark.parametrize(("moved", "warned"), [(0, False), (1, True), (-1, True), (7, False)])
def test_moved_class_numbers_are_noticed(moved: int, warned: bool) -> None:
    labels = torch.arange(100, 900, 8)
    top = (labels + moved)[:, None].repeat(1, 5)
    notes = label_order(answered(labels, top))
    assert bool(notes) == warned
    assert not warned or f"moved by {-moved:+d}" in notes[0]


@pytest.mark.parametrize(
    ("right", "moved", "warned"),
    [(0, 4, False), (0, 5, True), (2, 4, False), (2, 5, True), (3, 6, False), (3, 7, True)],
)
def test_class_numbers_are_moved_where_more_than_twice_as_many_are_right_and_five_at_least(
    right: int, moved: int, warned: bool
) -> None:
    labels = torch.arange(100, 900, 8)
    best = torch.full_like(labels, 999)
    best[:right] = labels[:right]
    best[right : right + moved] = labels[right : right + moved] + 1
    assert bool(label_order(answered(labels, best[:, None].repeat(1, 5)))) == warned


def test_images_that_could_not_be_read_move_no_class_number() -> None:
    """Three good ones of the first class and seven empty ones, whose answer is -1."""
    labels = torch.zeros(10, dtype=torch.long)
    top = torch.full((10, 5), -1)
    top[:3, 0] = 0
    unreadable = dict.fromkeys(range(3, 10), "it is empty")
    assert label_order(answered(labels, top, unreadable)) == ()


def test_weights_that_cannot_be_read_are_known_by_their_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(path: Path) -> str:
        raise PermissionError(path)

    monkeypatch.setattr(beginnings, "locate", lambda spec, weights: tmp_path)
    monkeypatch.setattr(beginnings, "checksum", refuse)
    assert beginnings.identity(zoo.spec("resnet18"), "mine.pth") == "mine.pth"


def test_every_data_set_has_a_recipe_of_its_own() -> None:
    recipes = {name: complete(case(dataset=name)).recipe for name in DATASETS}
    assert recipes.pop("folder") == "scratch"
    assert set(recipes.values()) == {"sample"}


def test_answers_take_no_more_memory_than_their_shape_says() -> None:
    packed = pack(np.zeros((1000, 5), np.int32))
    assert unpack(packed | {"shape": [5, 1000]}).shape == (5, 1000)
    for shape in ([1000, 4], [1000, 6], [10**6, 10**6]):
        with pytest.raises(ValueError, match=r"answers|reshape|buffer"):
            unpack(packed | {"shape": shape})
    largest = predictions.LARGEST // 2
    with pytest.raises(ValueError, match="more than any data set has"):
        unpack(packed | {"shape": [largest + 1]})
    with pytest.raises(ValueError, match="reshape"):
        unpack(packed | {"shape": [largest]})


@pytest.mark.parametrize(("classes", "told"), [(accuracy.MOST_NAMES, None), (accuracy.MOST_NAMES + 1, {3, 5, 7})])
def test_of_very_many_classes_those_that_occur_are_named(
    classes: int, told: set[int] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Right answers and first ones; an image that could not be read has no answer."""
    monkeypatch.setattr(accuracy, "held_out", lambda data: None)
    monkeypatch.setattr(accuracy, "mistakes_of", lambda evaluation, images, names: [])
    evaluation = SimpleNamespace(labels=torch.tensor([3, 5]), top=torch.tensor([[7, 9], [-1, -1]]))
    names = tuple(f"class {number}" for number in range(classes))
    data = SimpleNamespace(class_names=names, test=None, name="photos", notes=("one",), split=None)
    found = accuracy._about_images(evaluation, data)  # type: ignore[arg-type]
    expected = range(classes) if told is None else sorted(told)
    assert found["class_names"] == {str(number): names[number] for number in expected}
    assert list(found["class_names"]) == [str(number) for number in expected]
    assert (found["part"], found["left_out"], "fingerprint" in found) == ("val", ["one"], False)
