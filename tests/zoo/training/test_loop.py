"""The loop: it learns, repeats itself, uses every image, says when it fails."""

from __future__ import annotations

import copy
import dataclasses

import pytest
import torch
from torch import nn

import zoo
from tests.zoo.training.small import Few, three_colours, tiny
from zoo.blocks import named
from zoo.data import fashion_mnist
from zoo.data.dataset import Data
from zoo.training.course import Progress, Sums
from zoo.training.evaluation import TrainingFailed
from zoo.training.loop import Run
from zoo.training.optimizers import depth, optimizer
from zoo.training.recipes import Recipe, recipe

SHORT = Recipe(img_size=16, batch_size=20, epochs=1)
PLAIN = recipe("sample", opt="sgd", lr=0.1, momentum=0.0, warmup=0.0, sched="constant", batch_size=8, epochs=1)


@pytest.fixture(scope="module")
def clothes() -> Data:
    """600 training and 500 test images, seen as the data set has them."""
    data = fashion_mnist.EMBEDDED.open("")
    assert data.train is not None and data.test is not None
    return dataclasses.replace(data, train=data.train.subset(range(600)), test=data.test.subset(range(500)))


def seen(model: zoo.Classifier, data: Data) -> zoo.Classifier:
    """The network with the input that the data set has for networks from scratch."""
    mean, std = data.statistics or (0.0, 1.0)
    images = dataclasses.replace(model.spec.input, mean=(mean,) * 3, std=(std,) * 3)
    model.bind(dataclasses.replace(model.spec, input=images), model.spec.initialize)
    return model


def test_it_learns(clothes: Data) -> None:
    result = zoo.train(seen(tiny(), clothes), clothes, dataclasses.replace(SHORT, epochs=3), seed=0)
    losses = [epoch.loss for epoch in result.curve]
    assert losses == sorted(losses, reverse=True)
    assert result.evaluation.correct > 0.5 * 500  # chance: 0.1
    assert result.evaluation.right(5) > 0.9 * 500
    assert result.curve[-1].val_accuracy == result.evaluation.correct / 500
    assert list(result.history["epoch"]) == [1, 2, 3]


@pytest.mark.parametrize("name", ["finetune", "head_only", "scratch"])
def test_every_recipe_learns_colours(name: str) -> None:
    training = zoo.train(tiny(classes=3), three_colours(48, 12), recipe(name, epochs=4, batch_size=8), workers=0)
    assert training.evaluation.top1 == 100
    assert training.judged_on == "val"


def test_equal_seeds_give_equal_results(clothes: Data) -> None:
    first, again, other = (zoo.train(seen(tiny(), clothes), clothes, SHORT, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first.evaluation.top, again.evaluation.top)
    assert first.evaluation.loss == again.evaluation.loss
    assert first.evaluation.loss != other.evaluation.loss


def test_dropout_follows_the_seed_and_the_callers_generator_is_left_alone() -> None:
    losses = []
    for _ in range(2):
        model = tiny(classes=3, dropout=0.5)
        torch.manual_seed(7)
        losses.append(zoo.train(model, three_colours(), SHORT).evaluation.loss)
        following = torch.rand(1)
        torch.manual_seed(7)
        assert torch.equal(following, torch.rand(1))
    assert losses[0] == losses[1]
    without = zoo.train(tiny(classes=3, dropout=0.5), three_colours(), dataclasses.replace(SHORT, dropout=0.0))
    assert without.evaluation.loss == zoo.train(tiny(classes=3), three_colours(), SHORT).evaluation.loss != losses[0]


@pytest.mark.parametrize("name", ["sample", "finetune"])
@pytest.mark.parametrize("count", [1, 2, 7, 8, 9, 17])
def test_every_image_is_used_in_every_epoch(name: str, count: int) -> None:
    told: list[Progress] = []
    chosen = recipe(name, batch_size=8, epochs=2, head_epochs=0)
    run = Run(tiny(classes=3), three_colours(count, 3), chosen, seed=0, on_progress=told.append)
    sums = []
    for _ in range(2):
        run.epoch()
        sums.append([each.accuracy for each in told if not each.testing][-1])
    assert [each.done for each in told if not each.testing] == [
        epoch * count + min(8 * batch, count) for epoch in (0, 1) for batch in range(1, -(-count // 8) + 1)
    ]
    assert all(total is not None and (total * count) == pytest.approx(round(total * count)) for total in sums)


def test_the_same_images_are_left_out_in_every_epoch() -> None:
    data = dataclasses.replace(three_colours(), train=Few([0, 1, 2] * 6, broken=(0, 5, 17)))
    run = Run(tiny(classes=3), data, recipe("sample", batch_size=4, epochs=2), seed=0)
    for _ in range(2):
        batches = list(run.batches.epoch(0, torch.randperm(18)))
        assert sorted(position for batch in batches for position in batch.unreadable) == [0, 5, 17]
        run.epoch()


def test_divergence_is_said_with_its_step(clothes: Data) -> None:
    with pytest.raises(TrainingFailed, match=r"diverged: .* at step \d+ of 30 \(epoch 1"):
        zoo.train(tiny(), clothes, dataclasses.replace(SHORT, normalized_step=1e30), seed=0)


@pytest.mark.parametrize("room", [16, 7, 0])
def test_out_of_memory_names_the_batch_that_fits(room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny(classes=3)
    plain = model.forward_train

    def forward_train(images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        if len(images) > room:
            raise RuntimeError(
                "[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: you tried"
            )
        return plain(images)

    monkeypatch.setattr(model, "forward_train", forward_train)
    fits = {16: "a batch_size of 16 fits", 7: "a batch_size of 4 fits", 0: "a smaller img_size may fit"}[room]
    with pytest.raises(TrainingFailed, match=f"^out of memory with batches of 32; {fits}$"):
        zoo.train(model, three_colours(64), recipe("sample", batch_size=32))
    monkeypatch.setattr(model, "forward_train", lambda images: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        zoo.train(model, three_colours(64), recipe("sample", batch_size=32))


def test_data_without_images_to_train_on_or_to_judge_by_is_refused() -> None:
    with pytest.raises(zoo.DataError, match="no images to train on"):
        zoo.train(tiny(classes=3), three_colours(train=0), SHORT)
    with pytest.raises(zoo.DataError, match="neither a val nor a test part"):
        zoo.train(tiny(classes=3), three_colours(val=0), SHORT)


def test_auxiliary_losses_count_with_the_papers_weight() -> None:
    model, data = tiny(auxiliary=True, classes=3), three_colours(8)
    expected = copy.deepcopy(model).train()
    run = Run(model, data, dataclasses.replace(PLAIN, lr=1e-9), seed=0)
    batch = next(run.batches.epoch(0, torch.arange(8)))
    logits, auxiliary = expected.forward_train(batch.images)
    entropy = nn.functional.cross_entropy
    (entropy(logits, batch.labels) + 0.3 * entropy(auxiliary, batch.labels)).backward()
    sums = Sums()
    run._backward(batch, sums, last=True)
    assert sums.loss == pytest.approx(entropy(logits, batch.labels).item(), rel=1e-5)
    for (name, found), wanted in zip(model.named_parameters(), expected.parameters(), strict=True):
        assert torch.allclose(found.grad, wanted.grad, rtol=1e-3, atol=1e-5), name


def test_small_batches_added_up_are_one_large_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """In double precision, where the order of additions does not show; 101 images, so that the last step is short."""
    monkeypatch.setattr("zoo.training.loop.to_device", lambda batch, device: (batch.images.double(), batch.labels))
    monkeypatch.setattr(
        "zoo.training.evaluation.to_device", lambda batch, device: (batch.images.double(), batch.labels)
    )
    results = []
    for size, many in ((32, 1), (8, 4)):
        model = tiny(classes=3, norm=False).double()
        chosen = dataclasses.replace(PLAIN, batch_size=size, grad_accum_steps=many, epochs=2, sched="cosine")
        run = Run(model, three_colours(101), chosen, seed=0)
        curve = [run.epoch().loss for _ in range(2)]
        results.append((run.position.step, curve, [each.detach().clone() for each in model.parameters()]))
    assert results[0][0] == results[1][0] == 8
    assert results[0][1] == pytest.approx(results[1][1], rel=1e-9)
    for large, small in zip(results[0][2], results[1][2], strict=True):
        assert torch.allclose(large, small, rtol=0, atol=1e-9)


def test_mixed_precision_trains_too(clothes: Data) -> None:
    result = zoo.train(seen(tiny(), clothes), clothes, SHORT, seed=0, precision="bf16")
    assert result.evaluation.correct > 0.4 * 500


# --- phases -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ema", [False, True])
@pytest.mark.parametrize("name", ["head_only", "finetune"])
def test_below_the_classifier_nothing_changes_while_it_is_trained(name: str, ema: bool) -> None:
    model = tiny(classes=3, dropout=0.5)
    before = copy.deepcopy(model.state_dict())
    run = Run(model, three_colours(), recipe(name, epochs=3, batch_size=8, head_epochs=2, model_ema=ema), seed=0)
    for _ in range(2):
        run.epoch()
    changed = {key for key, value in model.state_dict().items() if not torch.equal(value, before[key])}
    assert changed == {"head.fc.weight", "head.fc.bias"}
    run.epoch()
    changed = {key for key, value in model.state_dict().items() if not torch.equal(value, before[key])}
    assert ("features.norm.running_mean" in changed) == (name == "finetune")


def test_frozen_statistics_stay_and_their_scales_are_trained() -> None:
    model = tiny(classes=3)
    before = copy.deepcopy(model.state_dict())
    zoo.train(model, three_colours(), recipe("finetune", epochs=2, batch_size=8, freeze_bn=True), workers=0)
    after = model.state_dict()
    assert torch.equal(after["features.norm.running_var"], before["features.norm.running_var"])
    assert not torch.equal(after["features.norm.weight"], before["features.norm.weight"])


def test_patience_ends_a_training_that_gains_nothing() -> None:
    chosen = recipe("sample", opt="sgd", lr=1e-12, epochs=9, batch_size=8, patience=2, keep="best")
    training = zoo.train(tiny(classes=3), three_colours(), chosen)
    assert len(training.curve) == 3


def test_a_plateau_lowers_the_rate() -> None:
    chosen = recipe("sample", opt="sgd", lr=1e-12, epochs=6, batch_size=8, sched="plateau", decay_epochs=2, warmup=0.0)
    run = Run(tiny(classes=3), three_colours(), chosen, seed=0)
    rates = [run.epoch().lr / 1e-12 for _ in range(6)]
    assert rates == pytest.approx([1, 1, 1, 0.1, 0.1, 0.01])


def test_the_best_epoch_is_kept_and_the_last_where_the_recipe_says_so() -> None:
    def trained(keep: str) -> tuple[list[float], float]:
        chosen = recipe("sample", opt="sgd", lr=1.5, momentum=0.9, warmup=0.0, epochs=6, batch_size=8, keep=keep)
        found = zoo.train(tiny(classes=3, norm=False), three_colours(24, 30), chosen)
        return [epoch.val_accuracy for epoch in found.curve], found.evaluation.top1 / 100

    curve, kept = trained("best")
    assert kept == pytest.approx(max(curve))
    assert min(curve) < max(curve)
    curve, kept = trained("last")
    assert kept == pytest.approx(curve[-1])


# --- rates ------------------------------------------------------------------------------------------------------------


def peaks(model: zoo.Classifier, chosen: Recipe = SHORT) -> dict[str, float]:
    """The highest learning rate of each parameter by name."""
    groups = optimizer(model, chosen).param_groups
    rates = {id(parameter): group["peak"] for group in groups for parameter in group["params"]}
    return {name: rates[id(parameter)] for name, parameter in model.named_parameters()}


def test_rates_are_relative_to_where_the_weights_start() -> None:
    model = tiny()
    before = peaks(model)
    with torch.no_grad():
        model.head.fc.weight.mul_(10)
    after = peaks(model)
    assert after["head.fc.weight"] == pytest.approx(10 * before["head.fc.weight"])
    assert {name for name in after if after[name] != before[name]} == {"head.fc.weight"}
    assert before["features.conv.conv.bias"] == SHORT.bias_rate
    weight = model.features.conv.conv.weight.detach()
    expected = SHORT.normalized_step * weight.square().mean().sqrt().item()
    assert before["features.conv.conv.weight"] == pytest.approx(expected, rel=1e-5)


def test_without_norms_the_layers_share_the_step() -> None:
    model = zoo.create("nin", num_classes=2)
    weight = model.features.mlpconv1.conv.conv.weight.detach()
    expected = SHORT.plain_step / 12 * weight.square().mean().sqrt().item()
    assert peaks(model)["features.mlpconv1.conv.conv.weight"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("name", "layers"), [("alexnet", 8), ("vgg19", 19), ("googlenet_2014", 22), ("nin", 12)])
def test_depth_counts_the_layers_an_image_passes(name: str, layers: int) -> None:
    assert depth(zoo.create(name, device="meta")) == layers


@pytest.mark.parametrize("opt", ["adamw", "sgd", "rmsprop"])
def test_rates_are_smaller_below_the_classifier_and_norms_and_biases_do_not_decay(opt: str) -> None:
    model = tiny(auxiliary=True)
    chosen = recipe("sample", opt=opt, lr=0.1, features_lr=0.25, weight_decay=0.01)
    groups = optimizer(model, chosen).param_groups
    found = {id(each): (group["peak"], group["weight_decay"]) for group in groups for each in group["params"]}
    told = {name: found[id(parameter)] for name, parameter in model.named_parameters()}
    assert told["head.fc.weight"] == told["auxiliary.conv.fc.weight"] == (0.1, 0.01)
    assert told["head.fc.bias"] == (0.1, 0.0)
    assert told["features.conv.conv.weight"] == (0.025, 0.01)
    assert told["features.norm.weight"] == told["features.norm.bias"] == (0.025, 0.0)
    alone = optimizer(model, chosen, head=True).param_groups
    assert sorted(each.numel() for group in alone for each in group["params"]) == [10, 10, 1280, 1280]


def test_a_head_of_several_layers_is_trained_below_its_last_only_later() -> None:
    model = tiny(classes=3)
    model.head = named(pool=nn.AdaptiveAvgPool2d(4), flatten=nn.Flatten(), fc6=nn.Linear(128, 16), fc=nn.Linear(16, 3))
    run = Run(model, three_colours(), recipe("head_only", epochs=1, batch_size=8), seed=0)
    before = model.head.fc6.weight.clone()
    run.epoch()
    assert torch.equal(model.head.fc6.weight, before)
