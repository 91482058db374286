"""The count: every image once, whatever happens."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from torch import Tensor

import zoo
from tests.zoo.training.small import Few, three_colours, tiny
from zoo.classifier import Classifier
from zoo.training.evaluation import TrainingFailed, evaluate, wilson


class Always(Classifier):
    """Answers every image with the same logits."""

    def __init__(self, logits: list[float]) -> None:
        model = tiny(classes=len(logits))
        super().__init__(model.features, model.head)
        self.bind(model.spec, model.spec.initialize)
        self.logits = logits

    def forward(self, images: Tensor) -> Tensor:
        return torch.tensor(self.logits).repeat(len(images), 1)


@pytest.mark.parametrize("batch_size", [1, 7, 33, 1000])
def test_the_answer_does_not_depend_on_the_batch_size(batch_size: int) -> None:
    model, images = tiny(), Few([position % 3 for position in range(40)])
    found, wanted = evaluate(model, images, batch_size=batch_size), evaluate(model, images, batch_size=50)
    assert found.images == 40
    assert torch.equal(found.top[:, 0], wanted.top[:, 0])
    assert found.loss == pytest.approx(wanted.loss, rel=1e-4)


@pytest.mark.parametrize("batch_size", [1, 2, 4, 50])
def test_unreadable_images_are_counted_apart(batch_size: int) -> None:
    logits = [0.0] * 10
    logits[3], logits[0] = 2.0, 1.0
    found = evaluate(Always(logits), Few([0] * 11, broken=(0, 4, 10)), batch_size=batch_size)
    assert found.images == 8
    assert dict(found.unreadable) == {0: "cut off", 4: "cut off", 10: "cut off"}
    assert (found.right(1), found.right(2), found.correct5) == (0, 8, 8)
    assert found.top[4].tolist() == [-1] * 5
    assert found.loss == pytest.approx(-math.log(math.e / (math.e + math.e**2 + 8)), rel=1e-5)
    assert found.probabilities[1] == pytest.approx(math.e**2 / (math.e + math.e**2 + 8))
    assert math.isnan(found.probabilities[4])


def test_recall_confusion_and_the_balanced_mean() -> None:
    found = evaluate(Always([0.0, 1.0, 0.0]), Few([0, 0, 1, 1, 1, 1]))
    assert found.per_class == {"0": 0.0, "1": 100.0, "2": None}
    assert found.confusion.tolist() == [[0, 2, 0], [0, 4, 0], [0, 0, 0]]
    assert (found.correct, found.top1, found.balanced) == (4, pytest.approx(100 * 4 / 6), 50.0)
    assert found.top1_ci95 == pytest.approx(tuple(100 * each for each in wilson(4, 6)[1:]))


@pytest.mark.parametrize("classes", [2, 3, 4, 5])
def test_with_five_classes_or_fewer_there_is_no_top5(classes: int) -> None:
    found = evaluate(Always([0.0] * classes), Few([0, 1]))
    assert (found.correct5, found.top5) == (None, None)
    assert evaluate(Always([1.0] * 5 + [0.0]), Few([0, 1])).top5 == 100.0


@pytest.mark.parametrize(("shown", "times"), [({5: 2}, "2 times"), ({5: 0}, "0 times")])
def test_an_image_shown_twice_or_never_is_an_error(shown: dict[int, int], times: str) -> None:
    with pytest.raises(RuntimeError, match=f"image 5 was counted {times}"):
        evaluate(Always([0.0] * 10), Few([0] * 11, shown=shown), batch_size=3)


def test_no_readable_image_is_an_error() -> None:
    with pytest.raises(zoo.DataError, match="none of the 2 images could be read; the first: cut off"):
        evaluate(Always([0.0] * 10), Few([0, 0], broken=(0, 1)))


def test_logits_that_are_no_numbers_are_an_error() -> None:
    with pytest.raises(TrainingFailed, match="not finite"):
        evaluate(Always([math.nan] * 10), Few([0] * 3))


def test_unknown_precision_is_an_error() -> None:
    with pytest.raises(zoo.InvalidOption, match="fp32, bf16 or fp16; got 'fp8'"):
        evaluate(tiny(), Few([0] * 3), precision="fp8")


def test_the_test_images_count_before_those_that_chose() -> None:
    model = tiny(classes=3)
    assert evaluate(model, three_colours(val=9, test=12)).images == 12
    assert evaluate(model, three_colours(val=9)).images == 9
    with pytest.raises(zoo.DataError, match="neither a test nor a val part"):
        evaluate(model, three_colours(val=0))


def test_classes_are_matched_by_name() -> None:
    model, data = tiny(classes=4), three_colours(val=0, test=9)
    with torch.no_grad():
        model.head.fc.weight.zero_()
        model.head.fc.bias.copy_(torch.tensor([0.0, 5.0, 0.0, 0.0]))  # always the second of its own names
    model.class_names = ("blue", "red", "violet", "green")
    assert evaluate(model, data).per_class == {"blue": 0.0, "red": 100.0, "violet": None, "green": 0.0}
    model.class_names = ("blue", "cyan", "violet", "green")
    with pytest.raises(zoo.DataError, match="'red'"):
        evaluate(model, data)
    model.class_names = None
    with pytest.raises(zoo.DataError, match="tells 4 classes apart and does not say which; colours has 3"):
        evaluate(model, dataclasses.replace(data))
