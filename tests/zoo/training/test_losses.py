"""The loss: plain, smoothed, weighted and mixed, alone and together."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn

from zoo.training.losses import balanced_weights, cross_entropy, mixed
from zoo.training.recipes import recipe


def test_without_weights_it_is_pytorchs() -> None:
    logits, labels = torch.randn(6, 3), torch.tensor([0, 1, 2, 0, 1, 2])
    loss, weight = cross_entropy(logits, labels, 0.1)
    assert torch.equal(loss, nn.functional.cross_entropy(logits, labels, label_smoothing=0.1))
    assert weight == 6


def test_hard_and_soft_targets_of_equal_content_cost_the_same() -> None:
    logits, labels = torch.randn(7, 3), torch.tensor([0, 0, 1, 2, 2, 2, 2])
    weights = torch.tensor([1.0, 3.0, 100.0])
    hard, of_hard = cross_entropy(logits, labels, 0.1, weights)
    soft, of_soft = cross_entropy(logits, nn.functional.one_hot(labels, 3).float(), 0.1, weights)
    assert hard.item() == pytest.approx(soft.item(), rel=1e-6)
    assert float(of_hard) == float(of_soft) == 2 + 3 + 400
    each = nn.functional.cross_entropy(logits, labels, label_smoothing=0.1, reduction="none")
    assert hard.item() == pytest.approx(((each * weights[labels]).sum() / weights[labels].sum()).item(), rel=1e-6)


def test_a_rare_class_is_not_pushed_up_by_others_images() -> None:
    logits = torch.zeros(1, 3, requires_grad=True)
    cross_entropy(logits, torch.tensor([0]), 0.1, torch.tensor([1.0, 1.0, 100.0]))[0].backward()
    assert logits.grad is not None
    assert logits.grad[0, 0] < 0 < logits.grad[0, 2]  # up with the right class, down with the rare one


@pytest.mark.parametrize(
    ("smoothing", "weighted", "mixup", "cutmix"),
    list(itertools.product((0.0, 0.1), (False, True), (0.0, 0.4), (0.0, 1.0))),
)
def test_separable_classes_of_unequal_size_are_learned(
    smoothing: float, weighted: bool, mixup: float, cutmix: float
) -> None:
    labels = torch.tensor([0] * 100 + [1] * 100 + [2])
    points = nn.functional.one_hot(labels, 3).float()[:, :, None, None].expand(-1, -1, 4, 4).contiguous()
    weights = balanced_weights(labels, 3) if weighted else None
    chosen = recipe("sample", mixup=mixup, cutmix=cutmix)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(48, 3))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    for step in range(60):
        images, targets = mixed(points, labels, chosen, 3, (0, step))
        loss, _ = cross_entropy(model(images), targets, smoothing, weights)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert bool((model(points).argmax(1) == labels).all())


def test_weights_are_inverse_to_frequency_and_one_in_the_mean() -> None:
    labels = torch.tensor([0] * 6 + [1] * 3)
    weights = balanced_weights(labels, 3)
    assert weights[1] == 2 * weights[0]
    assert weights[2] == 0
    assert weights[labels].mean() == pytest.approx(1.0)


@pytest.mark.parametrize("count", [2, 3, 5])
def test_odd_batches_are_mixed_and_the_same_seed_mixes_alike(count: int) -> None:
    images, labels = torch.randn(count, 3, 8, 8), torch.arange(count) % 3
    chosen = recipe("sample", mixup=1.0)
    before = torch.random.get_rng_state()
    first, targets = mixed(images, labels, chosen, 3, (1, 2, 3))
    again, _ = mixed(images, labels, chosen, 3, (1, 2, 3))
    other, _ = mixed(images, labels, chosen, 3, (1, 2, 4))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert targets.shape == (count, 3) and torch.allclose(targets.sum(1), torch.ones(count))
    assert torch.equal(before, torch.random.get_rng_state())
    assert mixed(images[:1], labels[:1], chosen, 3, (1,))[1] is not None
