"""The loop: it learns, repeats itself, says when it fails; the count: every image once, whatever happens."""

from __future__ import annotations

import copy
import dataclasses
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import zoo
from zoo.blocks import conv_relu, named
from zoo.classifier import Classifier
from zoo.data import fashion_mnist
from zoo.data.dataset import Batch, Opened
from zoo.training import loop as training
from zoo.training.loop import TrainingFailed, evaluate, train
from zoo.training.recipes import Recipe

SAMPLE = Recipe()
SHORT = dataclasses.replace(SAMPLE, img_size=28, batch_size=20, epochs=1)


def tiny(*, auxiliary: bool = False) -> Classifier:
    """One convolution and a linear layer: enough for half of the clothes."""
    torch.manual_seed(0)
    features = named(conv=conv_relu(3, 8, 5, stride=2, padding=0), norm=nn.BatchNorm2d(8))
    head = named(flatten=nn.Flatten(), fc=nn.Linear(8 * 12 * 12, 10))
    taps = {"conv": named(flatten=nn.Flatten(), fc=nn.Linear(8 * 12 * 12, 10))} if auxiliary else None
    model = Classifier(features, head, taps)
    spec = zoo.spec("googlenet")
    model.bind(dataclasses.replace(spec, input=dataclasses.replace(spec.input, min_size=8)), spec.initialize)
    return model


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Layers as small as these only lose time by sharing their work out."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def clothes() -> Opened:
    """600 training and all test images."""
    opened = fashion_mnist.EMBEDDED.open("", img_size=28)
    assert opened.train is not None
    return dataclasses.replace(opened, train=opened.train.first(600))


class Few:
    """A split of so many blank images of class 0, some of which cannot be read or are shown too often."""

    def __init__(self, count: int, *, broken: tuple[int, ...] = (), shown: dict[int, int] | None = None) -> None:
        self.labels = torch.zeros(count, dtype=torch.long)
        self.broken = broken
        self.shown = shown or {}

    def batches(self, batch_size: int) -> Iterator[Batch]:
        order = [position for position in range(len(self.labels)) for _ in range(self.shown.get(position, 1))]
        for start in range(0, len(order), batch_size):
            here = order[start : start + batch_size]
            positions = torch.tensor([each for each in here if each not in self.broken], dtype=torch.long)
            unreadable = {each: "cut off" for each in here if each in self.broken}
            yield Batch(torch.zeros(len(positions), 3, 28, 28), self.labels[positions], positions, unreadable)

    def name(self, position: int) -> str:
        return f"image {position}"


class Always(Classifier):
    """Answers every image with the same logits."""

    def __init__(self, logits: list[float]) -> None:
        model = tiny()
        super().__init__(model.features, model.head)
        self.bind(model.spec, model.spec.initialize)
        self.logits = logits

    def forward(self, images: Tensor) -> Tensor:
        return torch.tensor(self.logits).repeat(len(images), 1)


# --- training ---------------------------------------------------------------------------------------------------------


def test_it_learns(clothes: Opened) -> None:
    result = train(tiny(), clothes, dataclasses.replace(SHORT, epochs=3), seed=0)
    losses = [epoch.loss for epoch in result.curve]
    assert losses == sorted(losses, reverse=True)
    assert result.predictions.correct(1) > 0.6 * 2000  # chance: 0.1
    assert result.predictions.correct(5) > 0.95 * 2000
    assert result.curve[-1].test_accuracy == result.predictions.correct(1) / 2000


def test_equal_seeds_give_equal_results(clothes: Opened) -> None:
    first, again, other = (train(tiny(), clothes, SHORT, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first.predictions.top, again.predictions.top)
    assert first.predictions.loss == again.predictions.loss
    assert first.predictions.loss != other.predictions.loss


def test_dropout_follows_the_seed_and_the_callers_generator_is_left_alone(clothes: Opened) -> None:
    losses = []
    for _ in range(2):
        model = tiny()
        model.head = named(flatten=nn.Flatten(), drop=nn.Dropout(0.5), fc=model.head.fc)
        torch.manual_seed(7)
        losses.append(train(model, clothes, SHORT, seed=0).predictions.loss)
        following = torch.rand(1)
        torch.manual_seed(7)
        assert torch.equal(following, torch.rand(1))
    assert losses[0] == losses[1]


def test_images_and_progress_are_counted(clothes: Opened) -> None:
    assert clothes.train is not None
    few = dataclasses.replace(clothes, train=clothes.train.first(70))
    told: list[tuple[int, int]] = []
    result = train(
        tiny(), few, dataclasses.replace(SHORT, epochs=2), seed=0, on_progress=lambda *step: told.append(step)
    )
    assert result.images_seen == 2 * 3 * 20  # ten of seventy wait for the next shuffle
    assert told == [(done, 120) for done in range(20, 121, 20)]
    assert len(result.curve) == 2
    assert result.seconds == sum(epoch.seconds for epoch in result.curve) > 0


def test_divergence_is_said_with_its_step(clothes: Opened) -> None:
    with pytest.raises(TrainingFailed, match=r"diverged: .* at step \d+ of 30 \(epoch 1"):
        train(tiny(), clothes, dataclasses.replace(SHORT, normalized_step=1e30), seed=0)


def test_a_data_set_without_training_images_is_refused(clothes: Opened) -> None:
    with pytest.raises(ValueError, match="no images to train on"):
        train(tiny(), dataclasses.replace(clothes, train=None), SHORT, seed=0)
    with pytest.raises(ValueError, match="at least 1 epoch"):
        train(tiny(), clothes, dataclasses.replace(SHORT, epochs=0), seed=0)


def test_auxiliary_losses_count_with_the_papers_weight(clothes: Opened) -> None:
    assert clothes.train is not None
    batch = clothes.train.batch(torch.arange(20))
    model = tiny(auxiliary=True)
    expected = copy.deepcopy(model)
    logits, auxiliary = expected.forward_train(batch.images.contiguous())
    entropy = nn.functional.cross_entropy
    (entropy(logits, batch.labels) + 0.3 * entropy(auxiliary, batch.labels)).backward()
    loss, _ = training._step(model, batch, training._optimizer(model, SHORT), SHORT, "fp32")
    assert loss == pytest.approx(entropy(logits, batch.labels).item(), rel=1e-5)
    for (name, found), wanted in zip(model.named_parameters(), expected.parameters(), strict=True):
        assert torch.allclose(found.grad, wanted.grad, rtol=1e-3, atol=1e-5), name


def peaks(model: nn.Module) -> dict[str, float]:
    """The highest learning rate of each parameter by name."""
    rates = {id(group["params"][0]): group["peak"] for group in training._optimizer(model, SAMPLE).param_groups}
    return {name: rates[id(parameter)] for name, parameter in model.named_parameters()}


def test_rates_are_relative_to_where_the_weights_start() -> None:
    model = tiny()
    before = peaks(model)
    with torch.no_grad():
        model.head.fc.weight.mul_(10)
    after = peaks(model)
    assert after["head.fc.weight"] == pytest.approx(10 * before["head.fc.weight"])
    assert {name for name in after if after[name] != before[name]} == {"head.fc.weight"}
    assert before["features.conv.conv.bias"] == SAMPLE.bias_rate
    weight = model.features.conv.conv.weight.detach()
    expected = SAMPLE.normalized_step * weight.square().mean().sqrt().item()
    assert before["features.conv.conv.weight"] == pytest.approx(expected, rel=1e-5)


def test_without_norms_the_layers_share_the_step() -> None:
    model = zoo.create("nin", num_classes=2)
    weight = model.features.mlpconv1.conv.conv.weight.detach()
    expected = SAMPLE.plain_step / 12 * weight.square().mean().sqrt().item()
    assert peaks(model)["features.mlpconv1.conv.conv.weight"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("name", "layers"), [("alexnet", 8), ("vgg19", 19), ("googlenet_2014", 22), ("nin", 12)])
def test_depth_counts_the_layers_an_image_passes(name: str, layers: int) -> None:
    assert training.depth(zoo.create(name, device="meta")) == layers


# --- the recipe -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [1, 3, 750])
def test_learning_rate_rises_and_falls(steps: int) -> None:
    rates = [SAMPLE.schedule(step, steps) for step in range(steps)]
    top = rates.index(max(rates))
    assert rates[top] == pytest.approx(1.0)
    assert min(rates) > 0
    assert rates == sorted(rates[:top]) + sorted(rates[top:], reverse=True)
    assert steps < 750 or (rates[0] < 0.05 * rates[top] and rates[-1] < 1e-4 * rates[top])


def test_text_holds_the_figures() -> None:
    text = Recipe(epochs=3, batch_size=24, bias_rate=0.0007, img_size=80, label_smoothing=0.1).text
    for words in ("3 epochs", "80x80", "batches of 24", "0.0007", "smoothed by 0.1", "not augmented"):
        assert words in text
    assert "1 epoch " in Recipe(epochs=1).text
    assert "no auxiliary" in Recipe(auxiliary=False).text


def test_the_recipe_is_read_without_pytorch() -> None:
    script = "import sys, zoo.training.loop; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False, cwd=Path(__file__).parents[3]).returncode == 0


# --- counting ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [1, 7, 33, 1000])
def test_the_answer_does_not_depend_on_the_batch_size(clothes: Opened, batch_size: int) -> None:
    model = tiny()
    assert clothes.train is not None
    images = clothes.train.first(99)
    found, wanted = evaluate(model, images, batch_size=batch_size), evaluate(model, images, batch_size=50)
    assert found.count == 99
    assert torch.equal(found.top[:, 0], wanted.top[:, 0])
    assert found.loss == pytest.approx(wanted.loss, rel=1e-4)


@pytest.mark.parametrize("batch_size", [1, 2, 4, 50])
def test_unreadable_images_are_counted_apart(batch_size: int) -> None:
    logits = [0.0] * 10
    logits[3], logits[0] = 2.0, 1.0
    predictions = evaluate(Always(logits), Few(11, broken=(0, 4, 10)), batch_size=batch_size)
    assert predictions.count == 8
    assert dict(predictions.unreadable) == {0: "cut off", 4: "cut off", 10: "cut off"}
    assert (predictions.correct(1), predictions.correct(2), predictions.correct(5)) == (0, 8, 8)
    assert predictions.top[4].tolist() == [-1] * 5
    assert predictions.loss == pytest.approx(-math.log(math.e / (math.e + math.e**2 + 8)), rel=1e-5)


@pytest.mark.parametrize(("shown", "times"), [({5: 2}, "2 times"), ({5: 0}, "0 times")])
def test_an_image_shown_twice_or_never_is_an_error(shown: dict[int, int], times: str) -> None:
    with pytest.raises(RuntimeError, match=f"image 5 was counted {times}"):
        evaluate(Always([0.0] * 10), Few(11, shown=shown), batch_size=3)


def test_no_readable_image_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="none of the 2 images could be read; the first: cut off"):
        evaluate(Always([0.0] * 10), Few(2, broken=(0, 1)))


def test_logits_that_are_no_numbers_are_an_error() -> None:
    with pytest.raises(TrainingFailed, match="not finite"):
        evaluate(Always([math.nan] * 10), Few(3))


def test_unknown_precision_is_an_error() -> None:
    with pytest.raises(ValueError, match="fp32 or bf16; got 'fp8'"):
        evaluate(tiny(), Few(3), precision="fp8")


def test_mixed_precision_trains_too(clothes: Opened) -> None:
    result = train(tiny(), clothes, SHORT, seed=0, precision="bf16")
    assert result.predictions.correct(1) > 0.4 * 2000


def test_freed_memory_is_kept_where_glibc_is() -> None:
    script = (
        "import platform; from zoo.training.loop import keep_freed_memory; "
        "import sys; sys.exit(keep_freed_memory() != (platform.libc_ver()[0] == 'glibc'))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False, cwd=Path(__file__).parents[3]).returncode == 0
