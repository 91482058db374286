"""A small network in integers, made once, whatever else the machine does meanwhile."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

import zoo
from tests.zoo.small import small
from zoo.classifier import Classifier
from zoo.runtimes.quantizing import choosing
from zoo.runtimes.session import Session, missing


def photographs(count: int = 40, seed: int = 3) -> torch.Tensor:
    """Smooth pixels in the range that the network's preprocessing makes."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randn(count, 3, 8, 8, generator=generator)
    return torch.nn.functional.interpolate(coarse, size=32, mode="bilinear").clamp(-2, 2)


@pytest.fixture(scope="session", params=["openvino", "onnxruntime"])
def opened(request: pytest.FixtureRequest) -> Iterator[tuple[Classifier, Session]]:
    """A network, and a session of it in int8 that times nothing."""
    absent = missing("nncf", request.param)  # without importing them, which is ours to do quietly
    if absent:
        pytest.skip(f"not installed: {absent}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choosing, "speed_up", lambda *_: (2.0, 2.0))
        model = small()
        images = photographs()
        yield model, zoo.open_runtime(model, images[:2], request.param, precision="int8", calibration=images)
