"""Inception V3: Inception modules with large filters factored into small ones; what Xception is measured against.

Paper: Szegedy, Vanhoucke, Ioffe, Shlens, Wojna, "Rethinking the Inception Architecture for Computer Vision",
arXiv:1512.00567.
Idea: two 3x3 layers see what a 5x5 sees, and a 1x7 with a 7x1 what a 7x7 sees, for a fraction of the multiply-adds;
the grid is halved by strided convolutions beside a pool, so that no layer becomes a bottleneck.

The network is torchvision's, which is TensorFlow's of 2015; its row names are kept.
"""

from __future__ import annotations

from typing import NamedTuple

from zoo.initialization import truncated_normal
from zoo.lazy import blocks, classifier, nn
from zoo.spec import Input, ModelSpec, Option, Paper, PaperRecipe, Reference

__all__ = ["SPECS"]

Kernel = int | tuple[int, int]  # side of a square filter, or height and width
Layer = tuple[int, Kernel]  # output channels and kernel


class Fork(NamedTuple):
    """Two convolutions that read one map side by side."""

    channels: int
    kernels: tuple[Kernel, Kernel]


Branches = dict[str, tuple[Layer | Fork, ...]]

FLAT, TALL = (1, 7), (7, 1)


def grid_35() -> Branches:
    """The modules of Figure 5 on the 35x35 grid; one 5x5 is left unfactored in TensorFlow's network."""
    return {
        "branch1x1": ((64, 1),),
        "branch5x5": ((48, 1), (64, 5)),
        "branch3x3dbl": ((64, 1), (96, 3), (96, 3)),
    }


def grid_17(inner: int) -> Branches:
    """The modules of Figure 6 on the 17x17 grid: 7x7 filters as 1x7 and 7x1, `inner` channels between them."""
    return {
        "branch1x1": ((192, 1),),
        "branch7x7": ((inner, 1), (inner, FLAT), (192, TALL)),
        "branch7x7dbl": ((inner, 1), (inner, TALL), (inner, FLAT), (inner, TALL), (192, FLAT)),
    }


def grid_8() -> Branches:
    """The modules of Figure 7 on the 8x8 grid: 1x3 and 3x1 side by side."""
    fork = Fork(384, ((1, 3), (3, 1)))
    return {
        "branch1x1": ((320, 1),),
        "branch3x3": ((384, 1), fork),
        "branch3x3dbl": ((448, 1), (384, 3), fork),
    }


# channels, kernel size, stride and padding of the layers in front; a 3x3 pool of stride 2 follows 2b and 4a
STEM = {
    "conv_1a": (32, 3, 2, 0),
    "conv_2a": (32, 3, 1, 0),
    "conv_2b": (64, 3, 1, 1),
    "conv_3b": (80, 1, 1, 0),
    "conv_4a": (192, 3, 1, 0),
}
POOLED = {"conv_2b": "pool1", "conv_4a": "pool2"}
# the branches of each module and the channels of its pool's projection; 0 marks a module that halves the grid
MIXED: dict[str, tuple[Branches, int]] = {
    "mixed_5b": (grid_35(), 32),
    "mixed_5c": (grid_35(), 64),
    "mixed_5d": (grid_35(), 64),
    "mixed_6a": ({"branch3x3": ((384, 3),), "branch3x3dbl": ((64, 1), (96, 3), (96, 3))}, 0),
    "mixed_6b": (grid_17(128), 192),
    "mixed_6c": (grid_17(160), 192),
    "mixed_6d": (grid_17(160), 192),
    "mixed_6e": (grid_17(192), 192),
    "mixed_7a": (
        {"branch3x3": ((192, 1), (320, 3)), "branch7x7x3": ((192, 1), (192, FLAT), (192, TALL), (192, 3))},
        0,
    ),
    "mixed_7b": (grid_8(), 192),
    "mixed_7c": (grid_8(), 192),
}
AUXILIARY_ROW = "mixed_6e"  # Sec. 4: on top of the last 17x17 layer


def inception_v3(*, num_classes: int, in_channels: int, auxiliary: bool) -> classifier.Classifier:
    """STEM, MIXED, global average pooling."""
    features = nn.Sequential()
    for row, (out_channels, kernel_size, stride, padding) in STEM.items():
        features.add_module(row, _conv(in_channels, out_channels, kernel_size, stride=stride, padding=padding))
        if row in POOLED:
            features.add_module(POOLED[row], nn.MaxPool2d(3, 2))
        in_channels = out_channels
    taps: dict[str, nn.Module] = {}
    for row, (branches, projection) in MIXED.items():
        module, in_channels = mixed(in_channels, branches, projection)
        features.add_module(row, module)
        if auxiliary and row == AUXILIARY_ROW:
            taps[row] = auxiliary_head(in_channels, num_classes)
    head = blocks.classifier_head("global_pool", in_channels, num_classes, dropout=0.5)
    return classifier.Classifier(features, head, taps)


def mixed(in_channels: int, branches: Branches, projection: int) -> tuple[nn.Module, int]:
    """A module of MIXED and the number of channels it returns."""
    halves = projection == 0
    modules: dict[str, nn.Module] = {}
    total = 0
    for name, layers in branches.items():
        modules[name], channels = _branch(in_channels, layers, halves=halves)
        total += channels
    if halves:
        modules["pool"] = nn.MaxPool2d(3, 2)
        return blocks.Concat(**modules), total + in_channels
    modules["branch_pool"] = blocks.named(pool=nn.AvgPool2d(3, 1, 1), projection=_conv(in_channels, projection, 1))
    return blocks.Concat(**modules), total + projection


def _branch(in_channels: int, layers: tuple[Layer | Fork, ...], *, halves: bool) -> tuple[nn.Module, int]:
    """The layers of one branch, `layer1` first; the last has stride 2 and no padding where the module `halves`."""
    branch = nn.Sequential()
    for row, layer in enumerate(layers, start=1):
        if isinstance(layer, Fork):
            a, b = (_conv(in_channels, layer.channels, kernel_size) for kernel_size in layer.kernels)
            branch.add_module(f"layer{row}", blocks.Concat(a=a, b=b))
            in_channels = 2 * layer.channels
        else:
            channels, kernel_size = layer
            stride, padding = (2, 0) if halves and row == len(layers) else (1, None)
            conv = _conv(in_channels, channels, kernel_size, stride=stride, padding=padding)
            branch.add_module(f"layer{row}", conv)
            in_channels = channels
    return branch, in_channels


def auxiliary_head(in_channels: int, num_classes: int) -> nn.Sequential:
    """Average pool 5x5 of stride 3, 1x1 convolution to 128, 5x5 to 768, linear: TensorFlow's `aux_logits`."""
    return blocks.named(
        resize=nn.AdaptiveAvgPool2d(17), pool=nn.AvgPool2d(5, 3), conv0=_conv(in_channels, 128, 1),
        conv1=_conv(128, 768, 5, padding=0), average=blocks.GlobalAveragePool(), fc=nn.Linear(768, num_classes),
    )  # fmt: skip


def _conv(
    in_channels: int, out_channels: int, kernel_size: Kernel, *, stride: int = 1, padding: int | None = None
) -> nn.Sequential:
    return blocks.conv_norm_act(in_channels, out_channels, kernel_size, stride=stride, padding=padding, eps=1e-3)


def initialize(module: nn.Module) -> None:
    """torchvision's: truncated normal of deviation 0.1, in the auxiliary head 0.01 (5x5) and 0.001 (linear)."""
    truncated_normal(module, std=0.1)
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d) and (layer.in_channels, layer.out_channels) == (128, 768):
            truncated_normal(layer, std=0.01)
        elif isinstance(layer, nn.Linear) and layer.in_features == 768:
            truncated_normal(layer, std=0.001)


TRAINING = PaperRecipe(
    source="arXiv:1512.00567, Sec. 7 and 8",
    printed={
        "opt": "rmsprop", "lr": 0.045, "sched": "step", "decay_rate": 0.94, "decay_epochs": 2, "batch_size": 32,
        "epochs": 100, "clip_grad": 2.0, "label_smoothing": 0.1, "momentum": 0.9, "auxiliary": True, "model_ema": True,
    },
    ours={
        "img_size": None, "weight_decay": 4e-5, "warmup": 0.0, "crop_scale": 0.08, "mirror": True, "keep": "best",
    },
    not_here=(
        "50 replicas, each with batches of 32",
        "RMSProp with an epsilon of 1.0 (here: PyTorch's 1e-8)",
        "momentum only in early experiments",
    ),
)  # fmt: skip

SPECS = (
    ModelSpec(
        name="inception_v3",
        title="Inception V3",
        family="inception_v3",
        build=inception_v3,
        initialize=initialize,
        input=Input(size=299, resize=342, mean=(0.5,) * 3, std=(0.5,) * 3, min_size=75),
        training=TRAINING,
        paper=Paper(
            title="Rethinking the Inception Architecture for Computer Vision",
            authors="Szegedy, Vanhoucke, Ioffe, Shlens, Wojna",
            year=2015,
            url="https://arxiv.org/abs/1512.00567",
        ),
        declared=(Option(name="auxiliary", default=False, choices=(False, True), meaning="the auxiliary classifier"),),
        references=(
            Reference(
                source="torchvision 0.29, Inception_V3_Weights.IMAGENET1K_V1; parameters counted without the head",
                params=23_834_568,
                mult_adds=5.713e9,
                top1=0.77294,
                top5=0.93450,
                protocol="single centre crop",
            ),
            Reference(
                source="torchvision 0.29, Inception_V3_Weights.IMAGENET1K_V1",
                options=(("auxiliary", True),),
                params=27_161_264,
                mult_adds=5.713e9,
                top1=0.77294,
                top5=0.93450,
                protocol="single centre crop; the auxiliary head is not run",
            ),
            Reference(
                source="arXiv:1610.02357, Tables 1 and 3",
                params=23_626_728,
                top1=0.782,
                top5=0.941,
                protocol="single crop, non-blacklisted ILSVRC-2012 validation images, averaged weights",
            ),
        ),
        deviations=(
            "the network TensorFlow published: its first branch on the 35x35 grid keeps a 5x5 filter where Figure 5 "
            "has two 3x3, and Table 1's last stages have other widths",
            "23,834,568 parameters without the auxiliary head (Keras, whose norms have no scale: 23,817,352); the "
            "Xception paper's 23,626,728 is reached by no public implementation",
            "arXiv:1512.00567 Table 3 prints 4.8 billion operations; the network has 5.71 billion multiply-adds",
            "torchvision re-scales the images to [-1, 1] inside its forward when it loads ImageNet weights; here "
            "zoo.preprocessing scales them so, and the network has no such step",
            "the auxiliary head first resizes its map to 17x17, the identity at 299 pixels, so that smaller images "
            "pass",
        ),
        auxiliary_weight=0.4,  # TF-Slim, train_image_classifier.py
    ),
)
