"""Layers in other forms: batch norms folded, weights packed, Winograd's convolutions."""

import functools

import pytest
import torch

from tests.zoo.test_runtimes import trained
from zoo import blocks
from zoo.runtimes import open_runtime
from zoo.runtimes.agreement import TOLERANCE, relative_difference
from zoo.runtimes.folding import inference_copy
from zoo.runtimes.layouts import winograd
from zoo.runtimes.layouts.packed import PackedConv2d, PackedLinear
from zoo.runtimes.layouts.winograd import WinogradConv2d


def test_inference_copy_folds_and_shares():
    model, images, expected = trained("googlenet:auxiliary=true")
    copy = inference_copy(model)
    left = [layer for layer in copy.modules() if isinstance(layer, torch.nn.BatchNorm2d)]
    assert not left and not copy.auxiliary and model.auxiliary
    assert copy.head.fc.weight.data_ptr() == model.head.fc.weight.data_ptr()
    assert relative_difference(copy(images), expected) < 1e-5
    assert not any(weight.requires_grad for weight in copy.parameters())


def test_a_norm_that_follows_no_convolution_stays():
    model, images, expected = trained("alexnet_bn")
    copy = inference_copy(model)
    norms = [[layer for layer in net.modules() if isinstance(layer, torch.nn.BatchNorm2d)] for net in (model, copy)]
    assert len(norms[0]) == len(norms[1]) == 3
    assert relative_difference(copy(images), expected) < 1e-5


class TestWinograd:
    @pytest.fixture(autouse=True)
    def plain(self, monkeypatch):
        """The transforms as they are; as graphs they are tested below, and compiled in the slow test of every model."""
        monkeypatch.setattr(winograd, "_transforms", lambda: (winograd._split, winograd._join))

    @pytest.mark.parametrize("shape", [(1, 32, 8, 8), (2, 40, 7, 13), (1, 32, 14, 30), (3, 64, 9, 4), (2, 32, 90, 70)])
    @pytest.mark.parametrize("bias", [True, False])
    def test_the_same_as_the_convolution(self, shape, bias):
        torch.manual_seed(0)
        conv = torch.nn.Conv2d(shape[1], 48, 3, padding=1, bias=bias)
        images = torch.randn(shape)
        with torch.inference_mode():
            expected = conv(images)
            for same in (images, images.contiguous(memory_format=torch.channels_last)):
                assert relative_difference(WinogradConv2d(conv, images.shape)(same), expected) < 1e-5
                assert relative_difference(WinogradConv2d(conv, images.shape, relu=True)(same), expected.relu()) < 1e-5

    def test_a_network_of_such_layers(self):
        model, images, expected = trained("resnet18")
        assert relative_difference(open_runtime(model, images, "packed")(images), expected) <= TOLERANCE

    @pytest.mark.parametrize(
        "changes",
        [
            {"kernel_size": 5}, {"stride": 2}, {"padding": 0}, {"dilation": 2}, {"groups": 32},
            {"padding_mode": "reflect"}, {"in_channels": 16}, {"out_channels": 16},
        ],
    )  # fmt: skip
    def test_other_convolutions_do_not_suit(self, changes):
        usual = {"in_channels": 32, "out_channels": 32, "kernel_size": 3, "padding": 1}
        assert WinogradConv2d.suits(torch.nn.Conv2d(**usual))
        assert not WinogradConv2d.suits(torch.nn.Conv2d(**{**usual, **changes}))
        assert not WinogradConv2d.suits(torch.nn.Linear(32, 32))
        assert not WinogradConv2d.suits(torch.nn.Conv2d(**usual).double())


@pytest.mark.slow
def test_the_transforms_are_graphs(monkeypatch):
    """Traced as for every network, and run as traced: what a compiler makes of a graph costs a minute."""
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="eager"))
    monkeypatch.setattr(winograd, "_transforms", functools.cache(winograd._transforms.__wrapped__))
    conv = torch.nn.Conv2d(32, 48, 3, padding=1)
    images = torch.randn(2, 32, 14, 30).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        same = WinogradConv2d(conv, images.shape, relu=True)(images)
        assert relative_difference(same, conv(images).relu()) < 1e-5


class TestPacked:
    @pytest.mark.parametrize(
        "options", [{}, {"stride": 2}, {"padding": (0, 2)}, {"groups": 8}, {"dilation": 2}, {"bias": False}]
    )
    def test_convolution(self, options):
        torch.manual_seed(0)
        conv = torch.nn.Conv2d(16, 24, 3, **options)
        images = torch.randn(2, 16, 11, 14).contiguous(memory_format=torch.channels_last)
        with torch.inference_mode():
            expected = conv(images)
            assert relative_difference(PackedConv2d(conv, images.shape)(images), expected) < 1e-5
            assert relative_difference(PackedConv2d(conv, images.shape, relu=True)(images), expected.relu()) < 1e-5

    @pytest.mark.parametrize("bias", [True, False])
    def test_linear(self, bias):
        torch.manual_seed(0)
        linear = torch.nn.Linear(70, 33, bias=bias)
        inputs = torch.randn(3, 70)
        with torch.inference_mode():
            expected = linear(inputs)
            assert relative_difference(PackedLinear(linear, 3)(inputs), expected) < 1e-5
            assert relative_difference(PackedLinear(linear, 3, relu=True)(inputs), expected.relu()) < 1e-5

    def test_what_does_not_suit(self):
        assert PackedConv2d.suits(torch.nn.Conv2d(3, 4, 3)) and PackedLinear.suits(torch.nn.Linear(3, 4))
        assert not PackedConv2d.suits(torch.nn.Conv2d(3, 4, 3).double())
        assert not PackedConv2d.suits(torch.nn.Conv2d(3, 4, 3, padding=1, padding_mode="circular"))
        assert not PackedConv2d.suits(torch.nn.Conv2d(3, 4, 3, padding="same"))
        assert not PackedLinear.suits(torch.nn.Conv2d(3, 4, 3))
        assert not PackedLinear.suits(type("Derived", (torch.nn.Linear,), {})(3, 4))
        assert not PackedConv2d.suits(type("Derived", (torch.nn.Conv2d,), {})(3, 4, 3))
        one_sided = torch.nn.Conv2d(3, 4, 3, 2, 1)
        blocks.set_padding_rule(one_sided, "same")
        assert not PackedConv2d.suits(one_sided)
