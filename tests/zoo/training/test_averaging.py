"""The mean of the weights, and statistics that a file has folded away."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

import zoo
from tests.zoo.training.small import three_colours, tiny
from zoo.training.averaging import Average, folded_norms, restore_statistics
from zoo.training.loop import Run
from zoo.training.recipes import recipe


def test_the_mean_follows_the_number_of_steps() -> None:
    model = tiny(classes=3)
    mean = Average(model, 0.999)
    weight = model.head.fc.weight
    with torch.no_grad():
        weight.zero_()
        mean.model.head.fc.weight.zero_()
        for _ in range(300):
            weight.add_(1.0)
            mean.update()
    # the mean of a line lags behind it by d / (1 - d) steps, with d = (1 + n) / (10 + n) about n / 9 of them
    assert 260 < float(mean.model.head.fc.weight[0, 0]) < 300
    assert mean.steps == 300


def test_statistics_and_counts_are_part_of_it() -> None:
    model = tiny(classes=3).train()
    mean = Average(model, 0.5)
    model(torch.randn(4, 3, 16, 16))
    mean.update()
    ours, theirs = mean.model.features.norm, model.features.norm
    assert torch.equal(ours.num_batches_tracked, theirs.num_batches_tracked)
    assert 0 < float((ours.running_mean - 0).abs().sum()) < float(theirs.running_mean.abs().sum())


def folded(model: zoo.Classifier) -> zoo.Classifier:
    """The same answers from batch norms whose statistics are 0 and 1."""
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            with torch.no_grad():
                scale = layer.weight / (layer.running_var + layer.eps).sqrt()
                layer.bias.sub_(layer.running_mean * scale)
                layer.weight.copy_(scale * (1 + layer.eps) ** 0.5)
                layer.running_mean.zero_()
                layer.running_var.fill_(1)
    return model


@pytest.mark.parametrize(
    "build",
    [lambda: tiny(classes=3), lambda: zoo.create("mobilenet_v1:shallow=true,width=0.1,resolution=64", num_classes=3)],
)
def test_folded_statistics_are_found_and_restored_without_a_change_of_answers(build: object) -> None:
    torch.manual_seed(0)
    model = build().train()  # type: ignore[operator]
    images = three_colours(64)
    run = Run(model, images, recipe("sample", batch_size=16), seed=0)
    with torch.no_grad():
        for batch in run.batches.epoch(0, torch.arange(64)):
            model.train()(batch.images)
    assert not folded_norms(model)
    true = copy.deepcopy(model)
    batch = run.batches.here(torch.arange(16)).images
    folded(model)
    assert folded_norms(model)
    wanted = model.eval()(batch)
    assert torch.allclose(wanted, true.eval()(batch), atol=1e-4)
    restore_statistics(model, run.batches.epoch(0, torch.arange(64)))
    assert not folded_norms(model)
    assert torch.allclose(model(batch), wanted, atol=1e-4)
    norm = next(layer for layer in model.modules() if isinstance(layer, nn.BatchNorm2d))
    assert float((norm.running_var - 1).abs().max()) > 1e-3
    in_training = model.train()(run.batches.here(torch.arange(64)).images)
    assert torch.allclose(in_training, model.eval()(run.batches.here(torch.arange(64)).images), atol=0.3)


def test_a_network_without_norms_is_not_folded() -> None:
    assert not folded_norms(tiny(norm=False))


def test_a_network_from_scratch_starts_as_its_paper_says_and_a_trained_one_with_true_statistics() -> None:
    notes: list[str] = []
    chosen = recipe("sample", epochs=1, batch_size=8)
    model = tiny(classes=3)
    zoo.train(model, three_colours(), chosen, on_note=notes.append)
    assert [note for note in notes if "come to the network with mean" not in note] == []  # they are plain colours
    zoo.train(tiny(classes=3), three_colours(), chosen, weights="a file", on_note=notes.append)
    assert [note for note in notes if "folded away (mean 0, variance 1)" in note and "--freeze-bn" in note]
    kept: list[str] = []
    zoo.train(tiny(classes=3), three_colours(), recipe("finetune", epochs=1, freeze_bn=True), on_note=kept.append)
    assert [note for note in kept if "come to the network with mean" not in note] == []
