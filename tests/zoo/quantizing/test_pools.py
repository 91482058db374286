"""Max pooling that rounds its size up, as GoogLeNet's does: integers pass it in OpenVINO, and no number is another."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
from torch import nn

from zoo.runtimes.openvino import compiled
from zoo.runtimes.quantizing.calibration import Calibration
from zoo.runtimes.quantizing.post_training import quantized_openvino
from zoo.runtimes.quantizing.reading import floats_in_openvino
from zoo.runtimes.quantizing.ways import Way
from zoo.runtimes.session import missing

absent = missing("nncf", "openvino")
pytestmark = pytest.mark.skipif(bool(absent), reason=f"not installed: {absent}")
FAST = Way(name="fast", fast_bias_correction=True)


def network(kernel: int, stride: int, padding: int) -> nn.Sequential:
    torch.manual_seed(0)
    pool = nn.MaxPool2d(kernel, stride, padding=padding, ceil_mode=True)
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), pool, nn.Conv2d(8, 8, 1)).eval()


def quantized(model: nn.Module, side: int) -> Any:
    openvino: Any = pytest.importorskip("openvino")  # whose own type hints leave out half of its names
    images = torch.randn(4, 3, side, side, generator=torch.Generator().manual_seed(1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it traces with TorchScript, of which PyTorch warns
        graph = openvino.convert_model(model, example_input=images, input=[(-1, 3, side, side)])
    calibration = Calibration(
        name="noise", images=4, compared=0, apart=True, fingerprint="", real=False,
        batches=lambda compared: iter([(images, None)]),
    )  # fmt: skip
    made = quantized_openvino(graph, calibration, FAST, ())
    made.reshape([1, 3, side, side])
    return made


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(3, 2, 0), (3, 1, 1), (2, 2, 0), (3, 3, 1), (5, 3, 2)])
@pytest.mark.parametrize("side", [16, 17, 19])
def test_every_layer_is_an_integer_operation_on_maps_of_the_same_size(
    kernel: int, stride: int, padding: int, side: int
) -> None:
    model = network(kernel, stride, padding)
    images = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(2))
    made = quantized(model, side)
    ready = compiled(made, "fp32")
    assert floats_in_openvino(ready, ("0", "3")) == ()
    expected = model(images).detach()
    found = torch.from_numpy(ready(images.numpy())[0])
    assert found.shape == expected.shape
    assert (found - expected).abs().max() < 0.05 * expected.abs().max()
