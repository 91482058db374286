"""What makes each network the one of its paper, beyond counts: checked on its numbers."""

from __future__ import annotations

import time

import pytest
import torch
from torch import nn

import zoo
from zoo import blocks


def test_response_normalization_is_the_papers() -> None:
    """b = a / (k + alpha * sum of squares over n channels)^beta, with alpha not divided by n (paper, Sec. 3.3)."""
    norm = zoo.create("alexnet_2012", device="meta").features.conv1.norm
    activity = torch.rand(1, 96, 2, 2) * 100
    channel = 40
    window = activity[:, channel - 2 : channel + 3].square().sum(dim=1)
    expected = activity[:, channel] / (2 + 1e-4 * window) ** 0.75
    torch.testing.assert_close(norm(activity)[:, channel], expected)


def test_alexnet_groups_do_not_mix() -> None:
    model = zoo.create("alexnet_2012", num_classes=2).eval()
    maps = torch.randn(1, 96, 27, 27)
    changed = maps.clone()
    changed[:, 48:] = 0
    before, after = (model.features.conv2.conv(images) for images in (maps, changed))
    torch.testing.assert_close(before[:, :128], after[:, :128])
    assert not torch.allclose(before[:, 128:], after[:, 128:])


def test_residual_block_adds_its_input() -> None:
    model = zoo.create("resnet18", num_classes=2).eval()
    block = model.features.conv2_x[1]
    nn.init.zeros_(block.body.conv2.norm.weight)
    images = torch.randn(2, 64, 8, 8)
    torch.testing.assert_close(block(images), images.relu())
    plain = zoo.create("resnet18", num_classes=2, shortcut="none").eval().features.conv2_x[1]
    nn.init.zeros_(plain.body.conv2.norm.weight)
    assert plain(images).abs().max() == 0


def test_option_a_subsamples_and_pads_with_zeros() -> None:
    images = torch.randn(1, 3, 5, 5)
    padded = blocks.ZeroPadShortcut(3, 8, 2)(images)
    assert padded.shape == (1, 8, 3, 3)
    torch.testing.assert_close(padded[:, :3], images[:, :, ::2, ::2])
    assert padded[:, 3:].abs().max() == 0


@pytest.mark.parametrize("name", ["resnet50", "xception"])
def test_blocks_leave_their_input_alone(name: str) -> None:
    """An in-place activation at the head of a block would corrupt its shortcut."""
    model = zoo.create(name, num_classes=2).eval()
    row = model.features.conv3_x if name == "resnet50" else model.features.middle3
    images = torch.randn(1, 256 if name == "resnet50" else 728, 8, 8)
    before = images.clone()
    with torch.no_grad():
        row(images)
    torch.testing.assert_close(images, before, rtol=0, atol=0)


def test_googlenet_auxiliary_heads_are_read_only_in_training() -> None:
    model = zoo.create("googlenet", num_classes=4, auxiliary=True).eval()
    images = torch.randn(2, 3, 64, 64)
    logits, first, second = model.forward_train(images)
    assert logits.shape == first.shape == second.shape == (2, 4)
    torch.testing.assert_close(model(images), logits)
    for head in model.auxiliary.values():
        nn.init.zeros_(head.fc2.weight)
    torch.testing.assert_close(model(images), logits)
    assert zoo.spec("googlenet").auxiliary_weight == 0.3


def test_naive_inception_keeps_all_channels() -> None:
    reduced = zoo.create("googlenet_2014", device="meta").features.inception3a
    naive = zoo.create("googlenet_2014", reduce=False, device="meta").features.inception3a
    images = torch.empty(1, 192, 28, 28, device="meta")
    assert reduced(images).shape[1] == 64 + 128 + 32 + 32
    assert naive(images).shape[1] == 64 + 128 + 32 + 192


def test_resolution_changes_no_weight() -> None:
    torch.manual_seed(0)
    small = zoo.create("mobilenet_v1", resolution=128, num_classes=3)
    torch.manual_seed(0)
    large = zoo.create("mobilenet_v1", num_classes=3)
    for name, tensor in large.state_dict().items():
        torch.testing.assert_close(small.state_dict()[name], tensor, rtol=0, atol=0)
    assert (small.spec.input.size, large.spec.input.size) == (128, 224)


def test_xception_options_change_what_they_say() -> None:
    def kinds(**options: object) -> list[str]:
        block = zoo.create("xception", device="meta", **options).features.middle1.body.sep1
        return [name for name, _ in block.named_children()]

    assert kinds() == ["depthwise", "pointwise", "norm"]
    assert kinds(intermediate_activation="elu") == ["depthwise", "act", "pointwise", "norm"]
    assert kinds(separable_order="pointwise_first") == ["pointwise", "depthwise", "norm"]
    shared = zoo.create("xception", share_middle=True, device="meta")
    per_block = sum(parameter.numel() for parameter in shared.features.middle.parameters())
    assert sum(parameter.numel() for parameter in shared.parameters()) == 22_855_952 - 7 * per_block
    without = zoo.create("xception", residual=False, device="meta")
    assert not any("shortcut" in name for name, _ in without.named_parameters())


@pytest.mark.parametrize(("kind", "weights"), [("global_pool", 512 * 10 + 10), ("conv1x1", 512 * 10 + 10)])
def test_heads_share_features(kind: str, weights: int) -> None:
    model = zoo.create("vgg16", head=kind, num_classes=10, device="meta")
    reference = zoo.create("vgg16", num_classes=10, device="meta")
    assert model.features.state_dict().keys() == reference.features.state_dict().keys()
    assert sum(parameter.numel() for parameter in model.head.parameters()) == weights


def test_global_pool_and_1x1_convolution_are_one_function() -> None:
    pooled = blocks.classifier_head("global_pool", 6, 3)
    convolved = blocks.classifier_head("conv1x1", 6, 3)
    convolved.fc.weight.data = pooled.fc.weight.data[:, :, None, None].clone()
    convolved.fc.bias.data = pooled.fc.bias.data.clone()
    features = torch.randn(2, 6, 4, 5)
    torch.testing.assert_close(pooled(features), convolved(features))


@pytest.mark.parametrize("size", [7, 8, 13, 16])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 2), (3, 1), (2, 2), (7, 2)])
def test_tensorflow_padding_gives_tensorflow_sizes(size: int, kernel: int, stride: int) -> None:
    conv = nn.Conv2d(1, 1, kernel, stride, kernel // 2, bias=False)
    blocks.set_padding_rule(conv, "same")
    nn.init.ones_(conv.weight)
    output = conv(torch.ones(1, 1, size, size))
    assert output.shape[-2:] == (-(-size // stride),) * 2
    # the total padding is split with the larger half on the far side: the near corner sees at least as much
    assert output[0, 0, 0, 0] >= output[0, 0, -1, -1]


def test_keras_pads_strided_depthwise_layers_on_the_far_side() -> None:
    conv = nn.Conv2d(1, 1, 3, 2, 1, bias=False)
    blocks.set_padding_rule(conv, "far")
    nn.init.ones_(conv.weight)
    output = conv(torch.ones(1, 1, 8, 8))
    assert output.shape[-2:] == (4, 4)
    assert output[0, 0, 0, 0] == 9
    assert output[0, 0, -1, -1] == 4


@pytest.mark.parametrize("size", [8, 9])
def test_tensorflow_pool_alignment(size: int) -> None:
    pool = blocks.MaxPool2d()
    images = torch.arange(size**2, dtype=torch.float32).reshape(1, 1, size, size)
    symmetric = pool(images)
    blocks.set_padding_rule(pool, "same")
    same = pool(images)
    assert symmetric.shape == same.shape == (1, 1, -(-size // 2), -(-size // 2))
    assert same[0, 0, 0, 0] == images[0, 0, 2, 2] if size % 2 == 0 else same[0, 0, 0, 0] == images[0, 0, 1, 1]
    assert torch.equal(same, symmetric) == (size % 2 == 1)


def test_meta_models_take_milliseconds_and_no_storage() -> None:
    zoo.create("vgg16", device="meta")
    start = time.perf_counter()
    model = zoo.create("vgg16", device="meta")
    assert time.perf_counter() - start < 1.0, "building on meta must not touch 138 million weights"
    assert all(parameter.is_meta for parameter in model.parameters())


@pytest.mark.parametrize("name", ["alexnet", "resnet50", "vgg11_bn"])
def test_initialisation_has_torchvisions_spread(name: str) -> None:
    import torchvision

    torch.manual_seed(0)
    ours = zoo.create(name).state_dict().values()
    theirs = getattr(torchvision.models, name)().state_dict().values()
    matrices = [(a, b) for a, b in zip(ours, theirs, strict=True) if a.dim() > 1]
    assert len(matrices) >= 8
    for a, b in matrices:
        assert a.shape == b.shape
        assert float(a.std()) == pytest.approx(float(b.std()), rel=0.1)


def test_paper_initialisations() -> None:
    torch.manual_seed(0)
    alexnet = zoo.create("alexnet_2012", num_classes=10)
    assert float(alexnet.head.fc7.weight.detach().std()) == pytest.approx(0.01, rel=0.02)
    ones = [name for name, bias in alexnet.named_parameters() if name.endswith("bias") and bias.eq(1).all()]
    assert [name.split(".")[1] for name in ones] == ["conv2", "conv4", "conv5", "fc6", "fc7"]
    mobilenet = zoo.create("mobilenet_v1", num_classes=10)
    weight = mobilenet.features.pw_14.conv.weight
    assert float(weight.detach().abs().max()) <= 0.18
    assert float(weight.detach().std()) == pytest.approx(0.09 * 0.88, rel=0.02)
