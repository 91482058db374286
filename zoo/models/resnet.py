"""ResNet: layers that learn what to add to their input, so that depth stops hurting.

Paper: He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition", arXiv:1512.03385.
Idea: a block computes F(x) + x; the shortcut costs nothing, and an identity is easy to learn. Two 3x3 layers a block
up to depth 34, a 1x1-3x3-1x1 bottleneck beyond.
"""

from __future__ import annotations

from functools import partial

from zoo.initialization import he_fan_out
from zoo.lazy import blocks, classifier, nn
from zoo.spec import Input, ModelSpec, Option, Options, Paper, PaperRecipe, Printed, Reference

__all__ = ["SPECS"]

# blocks in conv2_x to conv5_x (paper, Table 1)
TABLE_1 = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
CHANNELS = (64, 128, 256, 512)
EXPANSION = 4  # a bottleneck returns four times the channels of its 3x3 layer

# the output of each row, at every depth (paper, Table 1)
SIZES_1 = {
    "conv1": "112x112", "conv2_x": "56x56", "conv3_x": "28x28", "conv4_x": "14x14", "conv5_x": "7x7", "pool": "1x1",
}  # fmt: skip


def resnet(
    *, num_classes: int, in_channels: int, shortcut: str, depth: int, stride_in: str = "3x3"
) -> classifier.Classifier:
    """The column `depth` of TABLE_1."""
    features = blocks.named(
        conv1=blocks.conv_norm_act(in_channels, 64, 7, stride=2),
        pool1=nn.MaxPool2d(3, 2, 1),
    )
    in_channels = 64
    for stage, (count, channels) in enumerate(zip(TABLE_1[depth], CHANNELS, strict=True), start=2):
        row = nn.Sequential()
        for index in range(count):
            stride = 2 if stage > 2 and index == 0 else 1
            if depth >= 50:
                body, out_channels = bottleneck(in_channels, channels, stride, stride_in), channels * EXPANSION
            else:
                body, out_channels = basic(in_channels, channels, stride), channels
            row.append(blocks.Residual(body, _shortcut(shortcut, in_channels, out_channels, stride), blocks.relu()))
            in_channels = out_channels
        features.add_module(f"conv{stage}_x", row)
    return classifier.Classifier(features, blocks.classifier_head("global_pool", in_channels, num_classes))


def basic(in_channels: int, channels: int, stride: int) -> nn.Sequential:
    """Two 3x3 layers (Figure 5, left); the activation after the second follows the addition."""
    return blocks.named(
        conv1=blocks.conv_norm_act(in_channels, channels, 3, stride=stride),
        conv2=blocks.conv_norm_act(channels, channels, 3, activation=None),
    )


def bottleneck(in_channels: int, channels: int, stride: int, stride_in: str) -> nn.Sequential:
    """1x1, 3x3 and 1x1 layers (Figure 5, right); `stride_in` names the layer that carries the stride."""
    first, second = (stride, 1) if stride_in == "1x1" else (1, stride)
    return blocks.named(
        conv1=blocks.conv_norm_act(in_channels, channels, 1, stride=first),
        conv2=blocks.conv_norm_act(channels, channels, 3, stride=second),
        conv3=blocks.conv_norm_act(channels, channels * EXPANSION, 1, activation=None),
    )


def _shortcut(kind: str, in_channels: int, out_channels: int, stride: int) -> nn.Module | None:
    """Options A, B and C of Sec. 4.1, or none for the plain network."""
    if kind == "none":
        return None
    same_shape = stride == 1 and in_channels == out_channels
    if same_shape and kind != "project_all":
        return nn.Identity()
    if kind == "pad":
        return blocks.ZeroPadShortcut(in_channels, out_channels, stride)
    return blocks.conv_norm_act(in_channels, out_channels, 1, stride=stride, activation=None)


PAPER = Paper(
    title="Deep Residual Learning for Image Recognition",
    authors="He, Zhang, Ren, Sun",
    year=2015,
    url="https://arxiv.org/abs/1512.03385",
)
_TEN_CROP = "ILSVRC-2012 validation, mean of 10 crops"
SHORTCUT = Option(
    name="shortcut",
    default="projection",
    choices=("projection", "pad", "project_all", "none"),
    meaning="projection where the shape changes (B), zero padding (A), projection everywhere (C), plain network",
)
STRIDE_IN = Option(
    name="stride_in",
    default="3x3",
    choices=("3x3", "1x1"),
    meaning="layer of a bottleneck with the stride: 3x3 (torchvision, v1.5) or the first 1x1 (the paper)",
)


TRAINING = PaperRecipe(
    source="arXiv:1512.03385, Sec. 3.4",
    printed={
        "opt": "sgd", "lr": 0.1, "momentum": 0.9, "weight_decay": 1e-4, "batch_size": 256, "epochs": 120,
        "sched": "plateau", "decay_rate": 0.1, "mirror": True,
    },
    ours={"img_size": None, "crop_scale": 0.22, "decay_epochs": 5, "warmup": 0.0, "auxiliary": False, "keep": "best"},
    not_here=(
        "60 x 10^4 iterations (120 epochs of ImageNet)",
        "crops of 224 pixels from images of 256 to 480 (here: of 22 to 100 % of the area)",
        "colours shifted as in AlexNet",
    ),
)  # fmt: skip


def _spec(depth: int, references: tuple[Reference, ...]) -> ModelSpec:
    deep = depth >= 50
    variants = ((), OPTION_A, PLAIN, FIRST) if deep else ((), OPTION_A, PLAIN)
    deviations = (
        "the stride of a stage sits on the 3x3 layer of its first bottleneck (v1.5); the paper's on the first 1x1 "
        "(stride_in=1x1), which costs fewer multiply-adds",
    )
    small = ("Table 2 compares with option A shortcuts (shortcut=pad), which add no parameters; the default is B",)
    return ModelSpec(
        name=f"resnet{depth}",
        title=f"ResNet-{depth}",
        family="resnet",
        build=partial(resnet, depth=depth),
        initialize=he_fan_out,
        input=Input(min_size=1),
        training=TRAINING,
        paper=PAPER,
        declared=(SHORTCUT, STRIDE_IN) if deep else (SHORTCUT,),
        references=references,
        printed=tuple(
            Printed(row=row, source="Table 1", output=output, variants=variants) for row, output in SIZES_1.items()
        ),
        deviations=(deviations if deep else small)
        + ("the paper's accuracies are 10-crop; single-crop figures of the same nets are 1 to 2 points lower",),
    )


def _library(depth: int, params: int, mult_adds: float, top1: float, top5: float) -> Reference:
    return Reference(
        source=f"torchvision 0.29, ResNet{depth}_Weights.IMAGENET1K_V1",
        params=params,
        mult_adds=mult_adds,
        top1=top1,
        top5=top5,
        protocol="single centre crop",
    )


def _paper(
    table: str,
    top1_error: float,
    top5_error: float | None = None,
    *,
    options: Options = (),
    mult_adds: float | None = None,
) -> Reference:
    return Reference(
        source=f"arXiv:1512.03385, {table}",
        options=options,
        mult_adds=mult_adds,
        top1=1 - top1_error,
        top5=None if top5_error is None else 1 - top5_error,
        protocol=_TEN_CROP,
    )


PLAIN: Options = (("shortcut", "none"),)
OPTION_A: Options = (("shortcut", "pad"),)
OPTION_C: Options = (("shortcut", "project_all"),)
FIRST: Options = (("stride_in", "1x1"),)

SPECS = (
    _spec(18, (
        _library(18, 11_689_512, 1.814e9, 0.69758, 0.89078),
        _paper("Tables 1 and 2", 0.2788, options=OPTION_A, mult_adds=1.8e9),
        _paper("Table 2", 0.2794, options=PLAIN, mult_adds=1.8e9),
    )),
    _spec(34, (
        _library(34, 21_797_672, 3.664e9, 0.73314, 0.91420),
        _paper("Tables 1 and 3", 0.2452, 0.0746, mult_adds=3.6e9),
        _paper("Tables 1 and 3", 0.2503, 0.0776, options=OPTION_A, mult_adds=3.6e9),
        _paper("Table 3", 0.2419, 0.0740, options=OPTION_C),
        _paper("Tables 2 and 3", 0.2854, 0.1002, options=PLAIN, mult_adds=3.6e9),
    )),
    _spec(50, (
        _library(50, 25_557_032, 4.089e9, 0.76130, 0.92862),
        _paper("Tables 1 and 3", 0.2285, 0.0671, options=FIRST, mult_adds=3.8e9),
    )),
    _spec(101, (
        _library(101, 44_549_160, 7.801e9, 0.77374, 0.93546),
        _paper("Tables 1 and 3", 0.2175, 0.0605, options=FIRST, mult_adds=7.6e9),
    )),
    _spec(152, (
        _library(152, 60_192_808, 11.514e9, 0.78312, 0.94046),
        _paper("Tables 1 and 3", 0.2143, 0.0571, options=FIRST, mult_adds=11.3e9),
    )),
)  # fmt: skip
