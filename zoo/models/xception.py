"""Xception: Inception taken to its end, a stack of depthwise separable convolutions with residual connections.

Paper: Chollet, "Xception: Deep Learning with Depthwise Separable Convolutions", arXiv:1610.02357.
Idea: an Inception module with one tower a channel is almost a depthwise separable convolution; a network of nothing
else beats Inception V3 at the same size. No activation between depthwise and pointwise; ReLU comes first in a block.
"""

from __future__ import annotations

from functools import partial

from zoo.initialization import glorot_uniform
from zoo.lazy import blocks, classifier, nn
from zoo.spec import Input, ModelSpec, Option, Paper, PaperRecipe, Printed, Reference

__all__ = ["SPECS"]

# channels of the separable convolutions in each residual block (paper, Figure 5)
ENTRY_FLOW: tuple[tuple[int, ...], ...] = (
    (128, 128),
    (256, 256),
    (728, 728),
)  # each followed by a 3x3 pool of stride 2
MIDDLE_FLOW = ((728, 728, 728),) * 8
EXIT_FLOW = (728, 1024)  # pooled too; then two separable convolutions without a shortcut
EXIT_SEPARABLE = (1536, 2048)
STEM = ((32, 2), (64, 1))  # channels and stride of the two 3x3 convolutions in front

# the feature maps between the flows and the vector after the last (paper, Figure 5)
PRINTED = tuple(
    Printed(row=row, source="Figure 5", output=output)
    for row, output in (("entry3", "19x19x728"), ("middle8", "19x19x728"), ("pool", "2048"))
)


def xception(
    *,
    num_classes: int,
    in_channels: int,
    residual: bool,
    intermediate_activation: str | None,
    separable_order: str,
    share_middle: bool,
) -> classifier.Classifier:
    """Figure 5: entry, middle and exit flow."""
    layer = partial(separable, activation=intermediate_activation, order=separable_order)
    block = partial(residual_block, layer=layer, residual=residual)
    features = nn.Sequential()
    for row, (out_channels, stride) in enumerate(STEM, start=1):
        stem = blocks.conv_norm_act(in_channels, out_channels, 3, stride=stride, padding=0, eps=1e-3)
        features.add_module(f"conv{row}", stem)
        in_channels = out_channels
    for row, channels in enumerate(ENTRY_FLOW, start=1):
        features.add_module(f"entry{row}", block(in_channels, channels, pool=True, first_relu=row > 1))
        in_channels = channels[-1]
    if share_middle:
        features.add_module("middle", blocks.Repeat(block(in_channels, MIDDLE_FLOW[0]), len(MIDDLE_FLOW)))
    else:
        for row, channels in enumerate(MIDDLE_FLOW, start=1):
            features.add_module(f"middle{row}", block(in_channels, channels))
    features.add_module("exit1", block(in_channels, EXIT_FLOW, pool=True))
    in_channels = EXIT_FLOW[-1]
    for row, out_channels in enumerate(EXIT_SEPARABLE, start=2):
        features.add_module(f"exit{row}", blocks.named(sep=layer(in_channels, out_channels), act=blocks.relu()))
        in_channels = out_channels
    return classifier.Classifier(features, blocks.classifier_head("global_pool", in_channels, num_classes, dropout=0.5))


def separable(in_channels: int, out_channels: int, *, activation: str | None, order: str) -> nn.Sequential:
    """3x3 depthwise and 1x1 pointwise convolution, then batch normalization; `activation` goes between the two."""
    middle = in_channels if order == "depthwise_first" else out_channels
    depthwise = ("depthwise", nn.Conv2d(middle, middle, 3, padding=1, groups=middle, bias=False))
    pointwise = ("pointwise", nn.Conv2d(in_channels, out_channels, 1, bias=False))
    first, second = (depthwise, pointwise) if order == "depthwise_first" else (pointwise, depthwise)
    between = [] if activation is None else [("act", {"relu": nn.ReLU, "elu": nn.ELU}[activation](inplace=True))]
    return blocks.named(**dict([first, *between, second, ("norm", nn.BatchNorm2d(out_channels, eps=1e-3))]))


def residual_block(
    in_channels: int,
    channels: tuple[int, ...],
    *,
    layer: partial[nn.Sequential],
    residual: bool,
    pool: bool = False,
    first_relu: bool = True,
) -> nn.Module:
    """ReLU and separable convolution for each of `channels`, a pool if asked for, and the shortcut around them."""
    body = nn.Sequential()
    previous = in_channels
    for row, out_channels in enumerate(channels, start=1):
        if row > 1 or first_relu:
            # the shortcut reads the block's input too: only the later activations may overwrite theirs
            body.add_module(f"relu{row}", nn.ReLU(inplace=row > 1))
        body.add_module(f"sep{row}", layer(previous, out_channels))
        previous = out_channels
    if pool:
        body.add_module("pool", blocks.MaxPool2d())
    shortcut: nn.Module | None = None
    if residual and pool:
        shortcut = blocks.conv_norm_act(in_channels, previous, 1, stride=2, eps=1e-3, activation=None)
    elif residual:
        shortcut = nn.Identity()
    return blocks.Residual(body, shortcut)


TRAINING = PaperRecipe(
    source="arXiv:1610.02357, Sec. 4.3 to 4.5",
    printed={
        "opt": "sgd", "momentum": 0.9, "lr": 0.045, "sched": "step", "decay_rate": 0.94, "decay_epochs": 2,
        "weight_decay": 1e-5, "dropout": 0.5, "auxiliary": False, "model_ema": True,
    },
    ours={
        "img_size": None, "batch_size": 32, "epochs": 100, "warmup": 0.0, "crop_scale": 0.08, "mirror": True,
        "keep": "best",
    },
    not_here=("Polyak's average of all weights at the end (here: a running mean)",),
)  # fmt: skip

SPECS = (
    ModelSpec(
        name="xception",
        title="Xception",
        family="xception",
        build=xception,
        initialize=glorot_uniform,
        input=Input(size=299, resize=333, mean=(0.5,) * 3, std=(0.5,) * 3, min_size=32),
        training=TRAINING,
        paper=Paper(
            title="Xception: Deep Learning with Depthwise Separable Convolutions",
            authors="Chollet",
            year=2016,
            url="https://arxiv.org/abs/1610.02357",
        ),
        declared=(
            Option(
                name="residual", default=True, choices=(True, False), meaning="shortcuts around the blocks (Fig. 9)"
            ),
            Option(
                name="intermediate_activation",
                default=None,
                choices=(None, "relu", "elu"),
                meaning="activation between depthwise and pointwise convolution (Fig. 10)",
            ),
            Option(
                name="separable_order",
                default="depthwise_first",
                choices=("depthwise_first", "pointwise_first"),
                meaning="which half of a separable convolution comes first (Sec. 1.2)",
            ),
            Option(
                name="share_middle",
                default=False,
                choices=(False, True),
                meaning="one set of weights for the eight blocks of the middle flow",
            ),
        ),
        references=(
            Reference(
                source="arXiv:1610.02357, Tables 1 and 3",
                params=22_855_952,
                top1=0.790,
                top5=0.945,
                protocol="single crop, non-blacklisted ILSVRC-2012 validation images, averaged weights",
            ),
        ),
        printed=PRINTED,
        deviations=(
            "the paper's accuracies leave out the blacklisted validation images and use averaged weights",
            "pools pad both sides unless Keras's weights are loaded, which need TensorFlow's one-sided padding",
            "dropout 0.5 in front of the classifier as in the paper; Keras and timm have none",
        ),
    ),
)
