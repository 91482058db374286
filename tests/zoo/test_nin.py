"""Network in Network: counts from its table by hand, shapes of the authors' Caffe net, and that it can be trained."""

from __future__ import annotations

import torch
import torch.nn.functional as F

import zoo
from zoo.models.nin import MLPCONV

# the blobs of nin_imagenet at 224 pixels; Caffe's pools round up
SHAPES = {"mlpconv1": (96, 54), "pool1": (96, 27), "mlpconv2": (256, 27), "pool2": (256, 13), "mlpconv3": (384, 13),
          "pool3": (384, 6), "mlpconv4": (1024, 6)}  # fmt: skip


def test_parameters_follow_from_the_table() -> None:
    expected, in_channels = 0, 3
    for filters, kernel_size, _, _ in MLPCONV:
        widths = (filters, filters, filters) if filters != 1024 else (filters, filters, 1000)
        expected += kernel_size**2 * in_channels * filters + filters
        expected += widths[0] * widths[1] + widths[1] + widths[1] * widths[2] + widths[2]
        in_channels = filters
    model = zoo.create("nin", device="meta")
    assert sum(parameter.numel() for parameter in model.parameters()) == expected == 7_595_176


def test_four_bytes_a_parameter_make_the_published_file_size() -> None:
    model = zoo.create("nin", device="meta")
    size = 4 * sum(parameter.numel() for parameter in model.parameters())
    assert round(size / 2**20) == 29  # "a snapshot of size 29MB", the model's page in the Caffe model zoo


def test_rows_have_the_shapes_of_the_caffe_net() -> None:
    model = zoo.create("nin", device="meta").eval()
    images, shapes = torch.empty(1, 3, 224, 224, device="meta"), {}
    for name, row in model.features.named_children():
        images = row(images)
        shapes[name] = (images.shape[1], images.shape[2])
    assert {name: shapes[name] for name in SHAPES} == SHAPES


def test_no_layer_is_fully_connected() -> None:
    model = zoo.create("nin", num_classes=10, device="meta")
    assert not [layer for layer in model.modules() if isinstance(layer, torch.nn.Linear)]
    assert model.num_classes == 10


def test_the_signal_survives_twelve_layers() -> None:
    torch.manual_seed(0)
    model = zoo.create("nin", num_classes=10).eval()
    with torch.inference_mode():
        features = model.forward_features(torch.randn(2, 3, 64, 64))
    assert 0.05 < features.std() < 20


def test_it_learns() -> None:
    torch.manual_seed(0)
    model = zoo.create("nin", num_classes=2).eval()
    images, labels = torch.randn(8, 3, 64, 64), torch.tensor([0, 1] * 4)
    images[1::2] += 1
    optimizer = torch.optim.SGD(model.parameters(), lr=0.003, momentum=0.9)
    before = F.cross_entropy(model(images), labels).item()
    for _ in range(12):
        loss = F.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert F.cross_entropy(model(images), labels).item() < before / 2
