"""Inception V3 against torchvision's, layer by layer, and what its auxiliary head does in training."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import zoo

MIXED_AT_299 = {
    "conv_1a": (32, 149),
    "conv_2b": (64, 147),
    "pool1": (64, 73),
    "conv_4a": (192, 71),
    "pool2": (192, 35),
    "mixed_5b": (256, 35),
    "mixed_5d": (288, 35),
    "mixed_6a": (768, 17),
    "mixed_6e": (768, 17),
    "mixed_7a": (1280, 8),
    "mixed_7c": (2048, 8),
}


@pytest.fixture(scope="module")
def pair() -> tuple[nn.Module, zoo.Classifier]:
    """torchvision's network and ours with the same weights: both list their layers in the same order."""
    import torchvision

    torch.manual_seed(0)
    theirs = torchvision.models.inception_v3(weights=None, init_weights=False, aux_logits=True, transform_input=False)
    ours = zoo.create("inception_v3", auxiliary=True)
    auxiliary = {name: value for name, value in theirs.state_dict().items() if name.startswith("AuxLogits")}
    trunk = {name: value for name, value in theirs.state_dict().items() if name not in auxiliary}
    mine = ours.state_dict()
    order = [name for name in mine if not name.startswith("auxiliary")]
    order += [name for name in mine if name.startswith("auxiliary")]
    values = [*trunk.values(), *auxiliary.values()]
    ours.load_state_dict(dict(zip(order, values, strict=True)))
    return theirs.eval(), ours.eval()


def test_logits_are_torchvisions(pair: tuple[nn.Module, zoo.Classifier]) -> None:
    theirs, ours = pair
    images = torch.randn(1, 3, 299, 299)
    with torch.inference_mode():
        torch.testing.assert_close(ours(images), theirs(images), rtol=1e-4, atol=1e-5)


def test_auxiliary_logits_are_torchvisions(pair: tuple[nn.Module, zoo.Classifier]) -> None:
    theirs, ours = pair
    features = torch.randn(2, 768, 17, 17)
    with torch.inference_mode():
        expected = theirs.AuxLogits(features)
        torch.testing.assert_close(ours.auxiliary["mixed_6e"](features), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("auxiliary", "params"), [(False, 23_834_568), (True, 27_161_264)])
def test_parameters(auxiliary: bool, params: int) -> None:
    model = zoo.create("inception_v3", auxiliary=auxiliary, device="meta")
    assert sum(parameter.numel() for parameter in model.parameters()) == params


def test_rows_have_the_published_shapes() -> None:
    model = zoo.create("inception_v3", device="meta").eval()
    shapes = {}
    images = torch.empty(1, 3, 299, 299, device="meta")
    for name, row in model.features.named_children():
        images = row(images)
        shapes[name] = (images.shape[1], images.shape[2])
    assert {name: shapes[name] for name in MIXED_AT_299} == MIXED_AT_299


def test_the_auxiliary_head_only_speaks_in_training() -> None:
    model = zoo.create("inception_v3", auxiliary=True, num_classes=7, device="meta").eval()
    images = torch.empty(2, 3, 75, 107, device="meta")
    assert model(images).shape == (2, 7)
    assert [logits.shape for logits in model.forward_train(images)] == [(2, 7), (2, 7)]
    assert model.spec.auxiliary_weight == 0.4


def test_weights_start_as_torchvisions() -> None:
    torch.manual_seed(0)
    model = zoo.create("inception_v3", auxiliary=True)
    head = model.auxiliary["mixed_6e"]
    assert model.features.get_submodule("mixed_7c.branch1x1.layer1.conv").weight.std().item() == pytest.approx(
        0.088, rel=0.02
    )
    assert head.get_submodule("conv1.conv").weight.std().item() == pytest.approx(0.0088, rel=0.02)
    assert head.get_submodule("fc").weight.std().item() == pytest.approx(0.00088, rel=0.02)
