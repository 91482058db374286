"""AlexNet: the network that won ILSVRC-2012, and the two forms in which people meet it today.

Paper: Krizhevsky, Sutskever, Hinton, "ImageNet Classification with Deep Convolutional Neural Networks", NIPS 2012.
Idea: five convolutions and three fully-connected layers, trained on two GPUs; ReLU instead of tanh, local response
normalization, overlapping pooling, dropout. 94 % of the parameters sit in the three fully-connected layers.

`alexnet_2012` is the paper's network (its two GPUs are two channel groups). `alexnet` is torchvision's: the single-GPU
form of "One weird trick" (arXiv:1404.5997), without groups and normalization. `alexnet_bn` is the form Keras users
write: ungrouped, batch normalization after each pool.
"""

from __future__ import annotations

from zoo.initialization import gaussian, glorot_uniform, pytorch_default
from zoo.lazy import blocks, classifier, nn
from zoo.spec import Input, ModelSpec, Option, Paper, PaperRecipe, Printed, Reference

__all__ = ["SPECS"]

# filters and kernel size of conv1 to conv5; a pool of 3x3, stride 2 follows conv1, conv2 and conv5 (paper, Sec. 3.5)
TABLE_2012 = ((96, 11), (256, 5), (384, 3), (384, 3), (256, 3))
TABLE_2014 = ((64, 11), (192, 5), (384, 3), (256, 3), (256, 3))  # arXiv:1404.5997, as torchvision builds it
POOLED = (1, 2, 5)
HIDDEN = 4096

# the neurons of each layer (paper, Sec. 3.5 and Figure 2)
NEURONS = {
    "conv1": 253_440, "conv2": 186_624, "conv3": 64_896, "conv4": 64_896, "conv5": 43_264,
    "fc6": 4096, "fc7": 4096, "fc8": 1000,
}  # fmt: skip
SLIPS = {"conv1": "253,440 neurons are printed; 96 maps of 55x55 have 290,400"}
PRINTED = tuple(
    Printed(row=row, source="Figure 2", output=f"{neurons:,} neurons", slip=SLIPS.get(row, ""))
    for row, neurons in NEURONS.items()
)


def alexnet(*, num_classes: int, in_channels: int) -> classifier.Classifier:
    """torchvision's AlexNet: TABLE_2014, dropout in front of fc6 and fc7."""
    features = nn.Sequential()
    for row, (out_channels, kernel_size) in enumerate(TABLE_2014, start=1):
        features.add_module(f"conv{row}", _conv(row, in_channels, out_channels, kernel_size))
        if row in POOLED:
            features.add_module(f"pool{row}", nn.MaxPool2d(3, 2))
        in_channels = out_channels
    head = blocks.named(
        pool=nn.AdaptiveAvgPool2d(6), flatten=nn.Flatten(),
        drop6=nn.Dropout(0.5), fc6=nn.Linear(6 * 6 * in_channels, HIDDEN), relu6=blocks.relu(),
        drop7=nn.Dropout(0.5), fc7=nn.Linear(HIDDEN, HIDDEN), relu7=blocks.relu(),
        fc8=nn.Linear(HIDDEN, num_classes),
    )  # fmt: skip
    return classifier.Classifier(features, head)


def alexnet_2012(*, num_classes: int, in_channels: int, groups: int) -> classifier.Classifier:
    """The paper's network: conv2, conv4 and conv5 see only the maps of their own GPU (`groups`)."""
    features = nn.Sequential()
    for row, (out_channels, kernel_size) in enumerate(TABLE_2012, start=1):
        split = groups if row in (2, 4, 5) else 1
        layer = _conv(row, in_channels, out_channels, kernel_size, split)
        if row in (1, 2):
            # the paper's alpha is not divided by the window, PyTorch's is: 5 * 1e-4
            layer.add_module("norm", nn.LocalResponseNorm(size=5, alpha=5e-4, beta=0.75, k=2.0))
        features.add_module(f"conv{row}", layer)
        if row in POOLED:
            features.add_module(f"pool{row}", nn.MaxPool2d(3, 2))
        in_channels = out_channels
    return classifier.Classifier(features, _paper_head(in_channels, num_classes, dropout=0.5))


def alexnet_bn(*, num_classes: int, in_channels: int) -> classifier.Classifier:
    """TABLE_2012 without groups, a batch norm after each pool instead of local response normalization."""
    features = nn.Sequential()
    for row, (out_channels, kernel_size) in enumerate(TABLE_2012, start=1):
        features.add_module(f"conv{row}", _conv(row, in_channels, out_channels, kernel_size))
        if row in POOLED:
            pool = blocks.named(pool=nn.MaxPool2d(3, 2), norm=nn.BatchNorm2d(out_channels, eps=1e-3))
            features.add_module(f"pool{row}", pool)
        in_channels = out_channels
    return classifier.Classifier(features, _paper_head(in_channels, num_classes, dropout=0.2))


def _conv(row: int, in_channels: int, out_channels: int, kernel_size: int, groups: int = 1) -> nn.Sequential:
    stride, padding = (4, 2) if row == 1 else (1, kernel_size // 2)
    return blocks.conv_relu(in_channels, out_channels, kernel_size, stride=stride, padding=padding, groups=groups)


def _paper_head(in_channels: int, num_classes: int, *, dropout: float) -> nn.Sequential:
    return blocks.named(
        pool=nn.AdaptiveAvgPool2d(6), flatten=nn.Flatten(),
        fc6=nn.Linear(6 * 6 * in_channels, HIDDEN), relu6=blocks.relu(), drop6=nn.Dropout(dropout),
        fc7=nn.Linear(HIDDEN, HIDDEN), relu7=blocks.relu(), drop7=nn.Dropout(dropout),
        fc8=nn.Linear(HIDDEN, num_classes),
    )  # fmt: skip


def initialize_2012(module: nn.Module) -> None:
    """Gaussian weights of deviation 0.01; biases 1 in conv2, conv4, conv5, fc6 and fc7, else 0 (paper, Sec. 5)."""
    gaussian(module, std=0.01)
    for name, layer in module.named_modules():
        in_row = any(row in name for row in ("conv2", "conv4", "conv5", "fc6", "fc7"))
        if in_row and isinstance(layer, (nn.Conv2d, nn.Linear)) and layer.bias is not None:
            nn.init.ones_(layer.bias)


PAPER = Paper(
    title="ImageNet Classification with Deep Convolutional Neural Networks",
    authors="Krizhevsky, Sutskever, Hinton",
    year=2012,
    url="https://papers.nips.cc/paper/4824",
)
# 55 columns leave 27, 13 and 6 after the pools; fewer than 63 pixels leave none
INPUT = Input(min_size=63)
_GEOMETRY = (
    "the paper's 224 with an unpadded 11x11/4 gives 54.25 columns; padding 2 gives the printed 55 (Caffe crops 227)"
)

TRAINING = PaperRecipe(
    source="NIPS 2012, Sec. 3.5, 4 and 5",
    printed={
        "opt": "sgd", "lr": 0.01, "momentum": 0.9, "weight_decay": 5e-4, "batch_size": 128, "epochs": 90,
        "sched": "plateau", "decay_rate": 0.1, "dropout": 0.5, "mirror": True,
    },
    ours={"img_size": None, "crop_scale": 0.7, "decay_epochs": 5, "warmup": 0.0, "auxiliary": False, "keep": "best"},
    not_here=(
        "crops of 224 pixels from images of 256 (here: of 70 to 100 % of the area)",
        "colours shifted along the principal components of all pixels",
    ),
)  # fmt: skip

SPECS = (
    ModelSpec(
        name="alexnet",
        title="AlexNet (one GPU, torchvision)",
        family="alexnet",
        build=alexnet,
        initialize=pytorch_default,
        input=INPUT,
        training=TRAINING,
        paper=Paper(
            title="One weird trick for parallelizing convolutional neural networks",
            authors="Krizhevsky",
            year=2014,
            url="https://arxiv.org/abs/1404.5997",
        ),
        references=(
            Reference(
                source="torchvision 0.29, AlexNet_Weights.IMAGENET1K_V1",
                params=61_100_840,
                mult_adds=714e6,
                top1=0.56522,
                top5=0.79066,
                protocol="single centre crop",
            ),
        ),
        deviations=(
            "filters 64-192-384-256-256 without groups and without local response normalization (the paper of 2012: "
            "96-256-384-384-256, two groups)",
            "dropout acts on the inputs of fc6 and fc7; the paper's acts on their outputs (torchvision keeps it so)",
            "adaptive pooling to 6x6 lets any size of at least 63 pixels pass",
        ),
    ),
    ModelSpec(
        name="alexnet_2012",
        title="AlexNet (paper, two groups)",
        family="alexnet",
        build=alexnet_2012,
        initialize=initialize_2012,
        input=INPUT,
        training=TRAINING,
        paper=PAPER,
        declared=(
            Option(name="groups", default=2, choices=(1, 2), meaning="channel groups of conv2, conv4, conv5 (GPUs)"),
        ),
        references=(
            Reference(
                source="NIPS 2012, Abstract and Table 2 (1 CNN)",
                params=60e6,
                top1=1 - 0.407,
                top5=1 - 0.182,
                protocol="ILSVRC-2012 validation, mean of 10 crops",
            ),
        ),
        printed=PRINTED,
        deviations=(
            _GEOMETRY,
            "Sec. 3.5 prints 253,440 neurons for conv1; 96 maps of 55x55 have 290,400",
            "37.5/17.0 % in the abstract are ILSVRC-2010 test errors; the 2012 validation errors are 40.7/18.2 %",
            "adaptive pooling to 6x6, the identity at 224 pixels, lets other sizes pass",
        ),
    ),
    ModelSpec(
        name="alexnet_bn",
        title="AlexNet (batch norm, Keras style)",
        family="alexnet",
        build=alexnet_bn,
        initialize=glorot_uniform,
        input=INPUT,
        training=TRAINING,
        paper=PAPER,
        deviations=(
            "one group, batch normalization behind each pool instead of local response normalization, dropout 0.2",
            _GEOMETRY + "; so do the unpadded ('valid') conv1 and pools on the 227 pixels Keras versions take",
            "adaptive pooling to 6x6, the identity at 224 pixels, lets other sizes pass",
        ),
    ),
)
