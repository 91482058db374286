"""VGG: depth from nothing but 3x3 convolutions.

Paper: Simonyan, Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", arXiv:1409.1556.
Idea: two stacked 3x3 layers see 5x5 pixels and three see 7x7, with fewer weights and more non-linearities than one
large filter; five stages that double the channels and halve the size; three fully-connected layers.

The names follow torchvision (vgg16 is the paper's D); `_bn` adds batch normalization, which the paper predates.
"""

from __future__ import annotations

from functools import partial

from zoo.initialization import he_fan_out
from zoo.lazy import blocks, classifier, nn
from zoo.spec import Input, ModelSpec, Option, Paper, PaperRecipe, Reference

__all__ = ["SPECS"]

# convolutions in each of the five stages (paper, Table 1); in C the last of stages 3 to 5 is a 1x1 convolution
TABLE_1 = {
    "A": (1, 1, 2, 2, 2),
    "B": (2, 2, 2, 2, 2),
    "C": (2, 2, 3, 3, 3),
    "D": (2, 2, 3, 3, 3),
    "E": (2, 2, 4, 4, 4),
}
CHANNELS = (64, 128, 256, 512, 512)
HIDDEN = 4096


def vgg(*, num_classes: int, in_channels: int, head: str, config: str, norm: bool = False) -> classifier.Classifier:
    """The column `config` of TABLE_1, with batch normalization if `norm`."""
    features = nn.Sequential()
    for stage, (depth, out_channels) in enumerate(zip(TABLE_1[config], CHANNELS, strict=True), start=1):
        for layer in range(1, depth + 1):
            kernel_size = 1 if config == "C" and layer == 3 else 3
            if norm:  # torchvision keeps the bias that the norm makes redundant
                conv = blocks.conv_norm_act(in_channels, out_channels, kernel_size, bias=True)
            else:
                conv = blocks.conv_relu(in_channels, out_channels, kernel_size)
            features.add_module(f"conv{stage}_{layer}", conv)
            in_channels = out_channels
        features.add_module(f"pool{stage}", nn.MaxPool2d(2))
    if head != "fully_connected":
        return classifier.Classifier(features, blocks.classifier_head(head, in_channels, num_classes))
    fully_connected = blocks.named(
        pool=nn.AdaptiveAvgPool2d(7), flatten=nn.Flatten(),
        fc6=nn.Linear(7 * 7 * in_channels, HIDDEN), relu6=blocks.relu(), drop6=nn.Dropout(0.5),
        fc7=nn.Linear(HIDDEN, HIDDEN), relu7=blocks.relu(), drop7=nn.Dropout(0.5),
        fc8=nn.Linear(HIDDEN, num_classes),
    )  # fmt: skip
    return classifier.Classifier(features, fully_connected)


PAPER = Paper(
    title="Very Deep Convolutional Networks for Large-Scale Image Recognition",
    authors="Simonyan, Zisserman",
    year=2014,
    url="https://arxiv.org/abs/1409.1556",
)
_DENSE = "ILSVRC-2012 validation, dense evaluation at scale 256 with flips, trained at S=256"
_TORCHVISION = "single centre crop"
_DEVIATIONS = (
    "adaptive pooling to 7x7, the identity at 224 pixels, lets any size of at least 32 pixels pass",
    "weights start from He et al.'s initialisation (torchvision); the paper starts the deep nets from a trained A",
    "the paper's errors are dense and flip-averaged, so a single centre crop is not expected to reach them",
)


TRAINING = PaperRecipe(
    source="arXiv:1409.1556, Sec. 3.1",
    printed={
        "opt": "sgd", "lr": 0.01, "momentum": 0.9, "weight_decay": 5e-4, "batch_size": 256, "epochs": 74,
        "sched": "plateau", "decay_rate": 0.1, "dropout": 0.5, "mirror": True,
    },
    ours={"img_size": None, "crop_scale": 0.35, "decay_epochs": 5, "warmup": 0.0, "auxiliary": False, "keep": "best"},
    not_here=(
        "crops of 224 pixels from images of 256 to 512 (here: of 35 to 100 % of the area)",
        "colours shifted as in AlexNet",
        "deeper networks start with layers of a trained network A",
    ),
)  # fmt: skip


def _spec(name: str, config: str, references: tuple[Reference, ...], *, norm: bool = False) -> ModelSpec:
    extra = ("batch normalization is not in the paper; the convolutions keep their biases as torchvision's do",)
    return ModelSpec(
        name=name,
        title=f"VGG-{sum(TABLE_1[config]) + 3} (configuration {config}{', batch norm' if norm else ''})",
        family="vgg",
        build=partial(vgg, config=config, norm=norm),
        initialize=partial(he_fan_out, linear_std=0.01),
        input=Input(min_size=32),
        training=TRAINING,
        paper=PAPER,
        declared=(
            Option(
                name="head",
                default="fully_connected",
                choices=("fully_connected", "conv1x1", "global_pool"),
                meaning="classifier on top of the same features",
            ),
        ),
        references=references,
        deviations=extra + _DEVIATIONS if norm else _DEVIATIONS,
    )


def _paper(config: str, params: float, top1_error: float, top5_error: float) -> Reference:
    return Reference(
        source=f"arXiv:1409.1556, Tables 2 and 3 ({config})",
        params=params,
        top1=1 - top1_error,
        top5=1 - top5_error,
        protocol=_DENSE,
    )


def _library(name: str, params: int, mult_adds: float, top1: float, top5: float) -> Reference:
    return Reference(
        source=f"torchvision 0.29, {name}_Weights.IMAGENET1K_V1",
        params=params,
        mult_adds=mult_adds,
        top1=top1,
        top5=top5,
        protocol=_TORCHVISION,
    )


SPECS = (
    _spec("vgg11", "A", (_library("VGG11", 132_863_336, 7.609e9, 0.69020, 0.88628), _paper("A", 133e6, 0.296, 0.104))),
    _spec("vgg13", "B", (_library("VGG13", 133_047_848, 11.308e9, 0.69928, 0.89246), _paper("B", 133e6, 0.287, 0.099))),
    _spec("vgg16", "D", (_library("VGG16", 138_357_544, 15.47e9, 0.71592, 0.90382), _paper("D", 138e6, 0.270, 0.088))),
    _spec("vgg19", "E", (_library("VGG19", 143_667_240, 19.632e9, 0.72376, 0.90876), _paper("E", 144e6, 0.273, 0.090))),
    _spec("vgg16_c", "C", (_paper("C", 134e6, 0.281, 0.094),)),
    _spec("vgg11_bn", "A", (_library("VGG11_BN", 132_868_840, 7.609e9, 0.70370, 0.89810),), norm=True),
    _spec("vgg13_bn", "B", (_library("VGG13_BN", 133_053_736, 11.308e9, 0.71586, 0.90374),), norm=True),
    _spec("vgg16_bn", "D", (_library("VGG16_BN", 138_365_992, 15.47e9, 0.73360, 0.91516),), norm=True),
    _spec("vgg19_bn", "E", (_library("VGG19_BN", 143_678_248, 19.632e9, 0.74218, 0.91842),), norm=True),
)
