"""MobileNetV1: a network of depthwise separable convolutions, with two knobs to make it smaller.

Paper: Howard et al., "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications",
arXiv:1704.04861.
Idea: split a convolution into a depthwise 3x3 (one filter a channel) and a pointwise 1x1 (mixes channels), which costs
1/out_channels + 1/9 of it. The width multiplier alpha thins every layer; the resolution multiplier rho shrinks the
image: `width` and `resolution` here. Resolution is a property of the input and changes no weight.
"""

from __future__ import annotations

from functools import partial

from zoo.initialization import truncated_normal
from zoo.lazy import blocks, classifier, nn
from zoo.spec import Input, ModelSpec, Option, Options, Paper, PaperRecipe, Printed, Reference

__all__ = ["SPECS"]

# channels and stride of each depthwise separable layer after the 3x3/2 stem of 32 filters (paper, Table 1)
TABLE_1 = (
    (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2),
    (512, 1), (512, 1), (512, 1), (512, 1), (512, 1),
    (1024, 2), (1024, 1),
)  # fmt: skip
STEM = 32
SHALLOW = TABLE_1[:6] + TABLE_1[11:]  # Table 5: without the five layers of 14x14x512

# the output of each row, which is what the paper prints as the input of the next (Table 1)
SIZES_1 = {
    "conv_1": "112x112x32",
    "dw_2": "112x112x32", "pw_2": "112x112x64",
    "dw_3": "56x56x64", "pw_3": "56x56x128",
    "dw_4": "56x56x128", "pw_4": "56x56x128",
    "dw_5": "28x28x128", "pw_5": "28x28x256",
    "dw_6": "28x28x256", "pw_6": "28x28x256",
    "dw_7": "14x14x256", "pw_7": "14x14x512",
    "dw_8": "14x14x512", "pw_8": "14x14x512",
    "dw_9": "14x14x512", "pw_9": "14x14x512",
    "dw_10": "14x14x512", "pw_10": "14x14x512",
    "dw_11": "14x14x512", "pw_11": "14x14x512",
    "dw_12": "14x14x512", "pw_12": "14x14x512",
    "dw_13": "7x7x512", "pw_13": "7x7x1024",
    "dw_14": "7x7x1024", "pw_14": "7x7x1024",
    "pool": "1x1x1024",
    "fc": "1x1x1000",
}  # fmt: skip
SLIPS_1 = {"dw_14": "its stride is printed as 2, but its input and its output are both printed as 7x7"}
PRINTED = tuple(
    Printed(row=row, source="Table 1", output=output, slip=SLIPS_1.get(row, "")) for row, output in SIZES_1.items()
)


def mobilenet_v1(
    *, num_classes: int, in_channels: int, width: float, separable: bool, shallow: bool, activation: str, head: str
) -> classifier.Classifier:
    """TABLE_1 with every channel count times `width`."""
    layer = partial(blocks.conv_norm_act, eps=1e-3, activation={"relu6": _relu6, "relu": blocks.relu}[activation])
    features = nn.Sequential()
    features.add_module("conv_1", layer(in_channels, channels := scaled(STEM, width), 3, stride=2))
    for row, (filters, stride) in enumerate(SHALLOW if shallow else TABLE_1, start=2):
        out_channels = scaled(filters, width)
        if separable:
            features.add_module(f"dw_{row}", layer(channels, channels, 3, stride=stride, groups=channels))
            features.add_module(f"pw_{row}", layer(channels, out_channels, 1))
        else:
            features.add_module(f"conv_{row}", layer(channels, out_channels, 3, stride=stride))
        channels = out_channels
    if head == "hidden":
        features.add_module("conv_head", layer(channels, scaled(1024, width), 1))
    return classifier.Classifier(features, blocks.classifier_head("global_pool", channels, num_classes, dropout=0.001))


def scaled(channels: int, width: float) -> int:
    """`channels` times the width multiplier, rounded down as Keras and TF-Slim do, at least 1."""
    return max(int(channels * width), 1)


def _relu6() -> nn.Module:
    return nn.ReLU6(inplace=True)


PAPER = Paper(
    title="MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications",
    authors="Howard, Zhu, Chen, Kalenichenko, Wang, Weyand, Andreetto, Adam",
    year=2017,
    url="https://arxiv.org/abs/1704.04861",
)


def _paper(table: str, mult_adds: float, params: float, top1: float, **options: float | bool) -> Reference:
    pairs: Options = tuple(sorted(options.items()))
    return Reference(
        source=f"arXiv:1704.04861, {table}",
        options=pairs,
        params=params,
        mult_adds=mult_adds,
        top1=top1,
        protocol="crop not stated in the paper",
    )


TRAINING = PaperRecipe(
    source="arXiv:1704.04861, Sec. 3.2",
    printed={"opt": "rmsprop", "label_smoothing": 0.0, "auxiliary": False},
    ours={
        "img_size": None, "lr": 0.045, "momentum": 0.9, "weight_decay": 4e-5, "batch_size": 96, "epochs": 100,
        "sched": "step", "decay_rate": 0.94, "decay_epochs": 2, "warmup": 0.0, "crop_scale": 0.35, "mirror": True,
        "model_ema": True, "keep": "best",
    },
    not_here=(
        "asynchronous gradient descent",
        "little or no weight decay on depthwise filters (here: the same on all filters)",
        "less distortion by small crops than Inception, without figures (here: 35 to 100 % of the area)",
    ),
)  # fmt: skip

SPECS = (
    ModelSpec(
        name="mobilenet_v1",
        title="MobileNetV1",
        family="mobilenet_v1",
        build=mobilenet_v1,
        initialize=partial(truncated_normal, std=0.09),  # TF-Slim mobilenet_v1.py, mobilenet_v1_arg_scope
        input=Input(min_size=32),
        training=TRAINING,
        paper=PAPER,
        declared=(
            Option(name="width", default=1.0, above=0, at_most=1.5, meaning="width multiplier alpha of every layer"),
            Option(
                name="resolution",
                default=224,
                at_least=32,
                meaning="side of the input image in pixels (rho times 224); changes no weight",
                network=False,
            ),
            Option(
                name="separable",
                default=True,
                choices=(True, False),
                meaning="depthwise separable layers; False has standard 3x3 convolutions in their place (Table 4)",
            ),
            Option(
                name="shallow",
                default=False,
                choices=(False, True),
                meaning="without the five layers of 14x14x512 (Table 5)",
            ),
            Option(name="activation", default="relu6", choices=("relu6", "relu"), meaning="non-linearity"),
            Option(
                name="head",
                default="linear",
                choices=("linear", "hidden"),
                meaning="hidden adds a 1x1 convolution in front of the pooling (timm's mobilenetv1_100h)",
            ),
        ),
        references=(
            _paper("Tables 4, 6 and 7", 569e6, 4.2e6, 0.706),
            _paper("Tables 5 and 6", 325e6, 2.6e6, 0.684, width=0.75),
            _paper("Table 6", 149e6, 1.3e6, 0.637, width=0.5),
            _paper("Table 6", 41e6, 0.5e6, 0.506, width=0.25),
            _paper("Table 7", 418e6, 4.2e6, 0.691, resolution=192),
            _paper("Table 7", 290e6, 4.2e6, 0.672, resolution=160),
            _paper("Table 7", 186e6, 4.2e6, 0.644, resolution=128),
            _paper("Table 9", 76e6, 1.32e6, 0.602, resolution=160, width=0.5),
            _paper("Table 4", 4866e6, 29.3e6, 0.717, separable=False),
            _paper("Table 5", 307e6, 2.9e6, 0.653, shallow=True),
        ),
        printed=PRINTED,
        deviations=(
            "ReLU6 as in TF-Slim, Keras and timm; the paper says ReLU (activation=relu)",
            "Table 1 prints stride 2 for the last depthwise layer although its input and output are both 7x7; stride 1",
            "Table 2 prints 1.19 % of the multiply-adds for the first convolution; the architecture has 1.91 % (the "
            "printed column sums to 99.29 %)",
            "Sec. 4.5 says 75 M parameters where Table 12 says 7.5 M; Sec. 4.4 says 0.58 million multiply-adds for "
            "billion",
            "strided layers pad symmetrically unless TensorFlow's weights are loaded, which need its one-sided padding",
            "Keras calls depth_multiplier the resolution multiplier; it is neither width nor resolution",
        ),
    ),
)
