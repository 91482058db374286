"""Networks that start as their papers say, and where they are put."""

from __future__ import annotations

import pytest
import torch

import zoo
from zoo.factory import fresh

# one of each way to initialise
NAMES = ("alexnet_bn", "googlenet:auxiliary=true", "mobilenet_v1:width=0.25", "nin", "resnet18", "xception")


@pytest.mark.parametrize("name", NAMES)
def test_fresh_is_what_create_makes_without_weights(name: str) -> None:
    torch.manual_seed(3)
    created = zoo.create(name, num_classes=7)
    after = torch.get_rng_state()
    torch.manual_seed(3)
    made = fresh(zoo.spec(name), num_classes=7, in_channels=3)
    assert torch.equal(torch.get_rng_state(), after), "both draw the same random numbers"
    assert made.spec == created.spec and made.training
    expected = created.state_dict()
    for key, tensor in made.state_dict().items():
        assert torch.equal(tensor, expected.pop(key)), key
    assert not expected


def test_a_fresh_network_on_the_meta_device_draws_nothing() -> None:
    before = torch.get_rng_state()
    model = fresh(zoo.spec("resnet18"), num_classes=10, in_channels=1, device="meta", dtype=torch.float64)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(weight.is_meta and weight.dtype == torch.float64 for weight in model.parameters())
    assert (model.num_classes, model.in_channels) == (10, 1)


def test_the_default_device_counts() -> None:
    with torch.device("meta"):
        assert next(fresh(zoo.spec("resnet18"), num_classes=10, in_channels=3).parameters()).is_meta


def test_weights_need_a_real_device() -> None:
    with pytest.raises(zoo.WeightsError, match="device 'meta' holds no weights; got weights='imagenet'"):
        zoo.create("resnet18", weights="imagenet", device="meta")
