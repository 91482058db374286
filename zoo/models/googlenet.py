"""GoogLeNet: width instead of brute depth, made cheap by 1x1 convolutions.

Paper: Szegedy et al., "Going Deeper with Convolutions", arXiv:1409.4842.
Idea: an Inception module looks at 1x1, 3x3 and 5x5 neighbourhoods side by side; 1x1 convolutions reduce the channels
in front of the large filters; global average pooling replaces the fully-connected layers; two auxiliary classifiers
push gradient into the middle of the net.

`googlenet_2014` is the paper's network (biases, local response normalization). `googlenet` is torchvision's: batch
normalization, and 3x3 filters where the paper has 5x5.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from zoo.initialization import truncated_normal, xavier_caffe
from zoo.lazy import blocks, classifier, nn
from zoo.spec import Input, ModelSpec, Option, Paper, PaperRecipe, Printed, Reference

__all__ = ["SPECS"]

# row: #1x1, #3x3 reduce, #3x3, #5x5 reduce, #5x5, pool proj (paper, Table 1); a max pool follows 3b and 4e
TABLE_1 = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
AUXILIARY_ROWS = ("4a", "4d")  # Sec. 5: the auxiliary classifiers sit on top of these

# row: output, filter weights in units of 1024 and multiply-adds, as printed (paper, Table 1)
SIZES_1 = {
    "conv1": ("112x112x64", "2.7K", "34M"),
    "pool1": ("56x56x64", "", ""),
    "conv2": ("56x56x192", "112K", "360M"),
    "pool2": ("28x28x192", "", ""),
    "inception3a": ("28x28x256", "159K", "128M"),
    "inception3b": ("28x28x480", "380K", "304M"),
    "pool3": ("14x14x480", "", ""),
    "inception4a": ("14x14x512", "364K", "73M"),
    "inception4b": ("14x14x512", "437K", "88M"),
    "inception4c": ("14x14x512", "463K", "100M"),
    "inception4d": ("14x14x528", "580K", "119M"),
    "inception4e": ("14x14x832", "840K", "170M"),
    "pool4": ("7x7x832", "", ""),
    "inception5a": ("7x7x832", "1072K", "54M"),
    "inception5b": ("7x7x1024", "1388K", "71M"),
    "pool": ("1x1x1024", "", ""),
    "fc": ("1x1x1000", "1000K", "1M"),
}
# where the printed figures are not those of the printed filters
SLIPS_1 = {
    "conv1": (
        "the printed figures fit a separable 7x7 convolution; the dense one has 9.2K weights and 118M multiply-adds"
    ),
    "inception3b": "379.0K weights follow from the printed filters",
    "inception4a": "366.8K weights follow from the printed filters",
    "inception4b": "438.0K weights follow from the printed filters",
    "inception4c": "497.5K weights follow from the printed filters",
    "inception4d": "590.5K weights follow from the printed filters",
    "inception4e": "847.0K weights follow from the printed filters",
    "inception5a": "1018.0K weights and 51.1M multiply-adds follow from the printed filters",
    "inception5b": "1409.0K weights follow from the printed filters",
}
PRINTED = tuple(
    Printed(
        row=row,
        source="Table 1",
        output=output,
        params=params,
        mult_adds=mult_adds,
        slip=SLIPS_1.get(row, ""),
        covers=("conv2_reduce", "conv2") if row == "conv2" else (),
    )
    for row, (output, params, mult_adds) in SIZES_1.items()
)

Conv = Callable[..., "nn.Module"]  # (in_channels, out_channels, kernel_size, stride=1) -> layer


def googlenet(*, num_classes: int, in_channels: int, auxiliary: bool, head: str) -> classifier.Classifier:
    """torchvision's GoogLeNet: batch normalization, 3x3 filters in the 5x5 branch, a 2x2 pool in front of 5a."""
    conv = partial(blocks.conv_norm_act, eps=1e-3)
    features = nn.Sequential()
    features.add_module("conv1", conv(in_channels, 64, 7, stride=2))
    features.add_module("pool1", _pool(3))
    features.add_module("conv2_reduce", conv(64, 64, 1))
    features.add_module("conv2", conv(64, 192, 3))
    features.add_module("pool2", _pool(3))
    channels = _inception_rows(features, conv=conv, large=3, last_pool=2, reduce=True)
    return _classifier(features, channels, num_classes, auxiliary=auxiliary, head=head, conv=conv, dropout=0.2)


def googlenet_2014(
    *, num_classes: int, in_channels: int, auxiliary: bool, head: str, reduce: bool
) -> classifier.Classifier:
    """The paper's network; `reduce=False` has the naive modules of Figure 2a throughout."""
    conv = blocks.conv_relu
    features = nn.Sequential()
    features.add_module("conv1", conv(in_channels, 64, 7, stride=2))
    features.add_module("pool1", blocks.named(pool=_pool(3), norm=_response_norm()))
    features.add_module("conv2_reduce", conv(64, 64, 1))
    features.add_module("conv2", blocks.named(conv=conv(64, 192, 3), norm=_response_norm()))
    features.add_module("pool2", _pool(3))
    channels = _inception_rows(features, conv=conv, large=5, last_pool=3, reduce=reduce)
    return _classifier(features, channels, num_classes, auxiliary=auxiliary, head=head, conv=conv, dropout=0.4)


def _inception_rows(features: nn.Sequential, *, conv: Conv, large: int, last_pool: int, reduce: bool) -> dict[str, int]:
    """Appends the rows of TABLE_1 and their pools; returns the channels after each row."""
    channels = {"2": 192}
    previous = 192
    for row, filters in TABLE_1.items():
        module, previous = inception(previous, filters, conv=conv, large=large, reduce=reduce)
        features.add_module(f"inception{row}", module)
        channels[row] = previous
        if row in ("3b", "4e"):
            features.add_module(f"pool{row[0]}", _pool(3 if row == "3b" else last_pool))
    return channels


def inception(
    in_channels: int, row: tuple[int, ...], *, conv: Conv, large: int, reduce: bool = True
) -> tuple[nn.Module, int]:
    """One row of TABLE_1 (Figure 2b; without `reduce`, Figure 2a) and the number of channels it returns.

    Args:
        conv: makes a layer of (in_channels, out_channels, kernel_size).
        large: kernel size of the branch the paper calls 5x5.
    """
    ones, reduce3, threes, reduce5, fives, projection = row
    pool = nn.MaxPool2d(3, 1, 1, ceil_mode=True)
    if not reduce:
        module = blocks.Concat(
            branch1x1=conv(in_channels, ones, 1),
            branch3x3=conv(in_channels, threes, 3),
            branch5x5=conv(in_channels, fives, large),
            pool=pool,
        )
        return module, ones + threes + fives + in_channels
    module = blocks.Concat(
        branch1x1=conv(in_channels, ones, 1),
        branch3x3=blocks.named(reduce=conv(in_channels, reduce3, 1), conv=conv(reduce3, threes, 3)),
        branch5x5=blocks.named(reduce=conv(in_channels, reduce5, 1), conv=conv(reduce5, fives, large)),
        pool=blocks.named(pool=pool, projection=conv(in_channels, projection, 1)),
    )
    return module, ones + threes + fives + projection


def auxiliary_head(in_channels: int, num_classes: int, *, conv: Conv) -> nn.Sequential:
    """Average pool to 4x4, 1x1 convolution to 128, fully-connected to 1024, dropout 0.7 (paper, Sec. 5)."""
    return blocks.named(
        pool=nn.AdaptiveAvgPool2d(4), conv=conv(in_channels, 128, 1), flatten=nn.Flatten(),
        fc1=nn.Linear(4 * 4 * 128, 1024), relu=blocks.relu(), dropout=nn.Dropout(0.7), fc2=nn.Linear(1024, num_classes),
    )  # fmt: skip


def _classifier(
    features: nn.Sequential, channels: dict[str, int], num_classes: int, *, auxiliary: bool, head: str, conv: Conv,
    dropout: float,
) -> classifier.Classifier:  # fmt: skip
    last = channels["5b"]
    if head == "fully_connected":
        top = blocks.named(
            pool=nn.AdaptiveAvgPool2d(7), flatten=nn.Flatten(), dropout=nn.Dropout(dropout),
            fc=nn.Linear(7 * 7 * last, num_classes),
        )  # fmt: skip
    else:
        top = blocks.classifier_head(head, last, num_classes, dropout=dropout)
    taps = {f"inception{row}": auxiliary_head(channels[row], num_classes, conv=conv) for row in AUXILIARY_ROWS}
    return classifier.Classifier(features, top, taps if auxiliary else None)


def _pool(kernel_size: int) -> nn.Module:
    return nn.MaxPool2d(kernel_size, 2, ceil_mode=True)  # Caffe rounds up, and so 224 becomes 112, 56, 28, 14, 7


def _response_norm() -> nn.Module:
    return nn.LocalResponseNorm(size=5, alpha=1e-4, beta=0.75, k=1.0)  # BVLC's bvlc_googlenet, norm1 and norm2


def initialize_2014(module: nn.Module) -> None:
    """BVLC's bvlc_googlenet: `xavier` weights, biases 0.2, and 0 in the classifiers."""
    xavier_caffe(module, bias=0.2)
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            nn.init.constant_(layer.bias, 0.2 if layer.out_features == 1024 else 0.0)


PAPER = Paper(
    title="Going Deeper with Convolutions",
    authors="Szegedy, Liu, Jia, Sermanet, Reed, Anguelov, Erhan, Vanhoucke, Rabinovich",
    year=2014,
    url="https://arxiv.org/abs/1409.4842",
)
AUXILIARY = Option(name="auxiliary", default=False, choices=(False, True), meaning="the two auxiliary classifiers")
HEAD = Option(
    name="head",
    default="global_pool",
    choices=("global_pool", "conv1x1", "fully_connected"),
    meaning="classifier on top of the same features",
)

TRAINING = PaperRecipe(
    source="arXiv:1409.4842, Sec. 5 and 6",
    printed={
        "opt": "sgd", "momentum": 0.9, "sched": "step", "decay_rate": 0.96, "decay_epochs": 8, "crop_scale": 0.08,
        "auxiliary": True, "model_ema": True,
    },
    ours={
        "img_size": None, "lr": 0.01, "batch_size": 64, "epochs": 250, "weight_decay": 2e-4, "warmup": 0.0,
        "mirror": True, "color_jitter": 0.4, "keep": "best",
    },
    not_here=(
        "asynchronous updates",
        "Polyak's average of all weights at the end (here: a running mean)",
        "photometric distortions after Howard (here: brightness, contrast and saturation)",
    ),
)  # fmt: skip

SPECS = (
    ModelSpec(
        name="googlenet",
        title="GoogLeNet (batch norm, torchvision)",
        family="googlenet",
        build=googlenet,
        initialize=partial(truncated_normal, std=0.01),
        input=Input(min_size=15),
        training=TRAINING,
        paper=PAPER,
        declared=(AUXILIARY, HEAD),
        references=(
            Reference(
                source="torchvision 0.29, GoogLeNet_Weights.IMAGENET1K_V1",
                params=6_624_904,
                mult_adds=1.498e9,
                top1=0.69778,
                top5=0.89530,
                protocol="single centre crop",
            ),
            Reference(
                source="torchvision 0.29, googlenet(aux_logits=True), counted",
                options=(("auxiliary", True),),
                params=13_004_888,
                mult_adds=1.498e9,
            ),
        ),
        deviations=(
            "the branch the paper calls 5x5 has 3x3 filters (torchvision, known bug: pytorch/vision issue 906)",
            "batch normalization (eps 1e-3) and no biases; the paper has biases and local response normalization",
            "2x2 pool in front of 5a (paper: 3x3), dropout 0.2 (paper: 0.4), auxiliary pools adaptive to 4x4 (paper: "
            "5x5, stride 3)",
            "torchvision re-scales the images to [-1, 1] inside its forward when it loads ImageNet weights; here "
            "zoo.preprocessing scales them so, and the network has no such step",
            "the auxiliary heads of torchvision's checkpoint were never trained",
        ),
    ),
    ModelSpec(
        name="googlenet_2014",
        title="GoogLeNet (paper)",
        family="googlenet",
        build=googlenet_2014,
        initialize=initialize_2014,
        input=Input(min_size=31),
        training=TRAINING,
        paper=PAPER,
        declared=(
            AUXILIARY,
            HEAD,
            Option(
                name="reduce",
                default=True,
                choices=(True, False),
                meaning="1x1 reductions in front of the large filters; False is the naive module of Figure 2a",
            ),
        ),
        references=(
            Reference(
                source="arXiv:1409.4842, Table 1 (column sums) and Table 3 (1 model, 1 crop)",
                params=6.8e6,
                mult_adds=1.5e9,
                top5=1 - 0.1007,
                protocol="ILSVRC-2012 validation, one crop",
            ),
        ),
        printed=PRINTED,
        deviations=(
            "Table 1 prints 2.7K parameters and 34M multiply-adds for the stem; its 7x7 convolution of 64 filters has "
            "9.4K and 118M (the printed figures fit a separable stem)",
            "Table 1 prints 463K for 4c, 1072K for 5a and 1388K for 5b (1K = 1024); the printed filters give 497.5K, "
            "1018K and 1409K, and 51.1M multiply-adds for 5a where 54M stands",
            "auxiliary pools adaptive to 4x4, so that any size passes (paper: 5x5, stride 3, which is 4x4 at 14x14)",
            "weights start as in BVLC's reproduction; the paper does not say how",
        ),
    ),
)
