"""Network in Network: 1x1 convolutions and global average pooling, which GoogLeNet grew from.

Paper: Lin, Chen, Yan, "Network In Network", arXiv:1312.4400.
Idea: an MLPConv layer slides a small multilayer perceptron over the image, that is a convolution followed by 1x1
convolutions; the last one has a map for each class, and the mean of that map is the logit, so no fully-connected
layer is left.

The paper describes nets for CIFAR; this is the authors' net for ImageNet, `nin_imagenet` in the Caffe model zoo.
"""

from __future__ import annotations

from zoo.lazy import blocks, classifier, nn
from zoo.spec import Input, ModelSpec, Paper, PaperRecipe, Reference

__all__ = ["SPECS"]

# filters, kernel size, stride and padding of each MLPConv layer's convolution; 1x1 convolutions of as many filters
# follow it, two in the first three layers and one in the last, and the classifier is its second (nin_imagenet)
MLPCONV = ((96, 11, 4, 0), (256, 5, 1, 2), (384, 3, 1, 1), (1024, 3, 1, 1))


def nin(*, num_classes: int, in_channels: int) -> classifier.Classifier:
    """MLPCONV with a 3x3 pool of stride 2 between its layers."""
    features = nn.Sequential()
    for row, (filters, kernel_size, stride, padding) in enumerate(MLPCONV, start=1):
        last = row == len(MLPCONV)
        if last:
            features.add_module("dropout", nn.Dropout(0.5))
        layer = blocks.named(
            conv=blocks.conv_relu(in_channels, filters, kernel_size, stride=stride, padding=padding),
            mlp1=blocks.conv_relu(filters, filters, 1),
        )
        if not last:
            layer.add_module("mlp2", blocks.conv_relu(filters, filters, 1))
        features.add_module(f"mlpconv{row}", layer)
        if not last:
            features.add_module(f"pool{row}", nn.MaxPool2d(3, 2, ceil_mode=True))  # Caffe rounds up: 54, 27, 13, 6
        in_channels = filters
    return classifier.Classifier(features, blocks.classifier_head("conv1x1", in_channels, num_classes))


def initialize(module: nn.Module) -> None:
    """He et al.'s normal initialisation over the fan-in (arXiv:1502.01852, Eq. 10), biases 0, as Chainer's NIN example.

    The deviations 0.01 and 0.05 of `nin_imagenet` let the signal fade in twelve layers without normalization.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


TRAINING = PaperRecipe(
    source="arXiv:1312.4400, Sec. 4 and 4.1",
    printed={"opt": "sgd", "batch_size": 128, "dropout": 0.5, "sched": "plateau", "decay_rate": 0.1},
    ours={
        "img_size": None, "lr": 0.01, "momentum": 0.9, "weight_decay": 5e-4, "epochs": 90, "decay_epochs": 5,
        "warmup": 0.0, "crop_scale": 0.7, "mirror": True, "auxiliary": False, "keep": "best",
    },
    not_here=(
        "weight decay and rates tuned by hand, without figures",
        "the rate is lowered when the training accuracy stops improving (here: that on held-out images), twice",
    ),
)  # fmt: skip

SPECS = (
    ModelSpec(
        name="nin",
        title="Network in Network",
        family="nin",
        build=nin,
        initialize=initialize,
        input=Input(min_size=39),
        training=TRAINING,
        paper=Paper(
            title="Network In Network",
            authors="Lin, Chen, Yan",
            year=2013,
            url="https://arxiv.org/abs/1312.4400",
        ),
        references=(
            Reference(
                source="Network in Network Imagenet Model, Caffe model zoo (gist d802a5849de39225bcc6)",
                top1=0.5936,
                protocol="ILSVRC-2012 validation; not said to be averaged over crops",
            ),
        ),
        deviations=(
            "the paper has no ImageNet network; filters, strides and padding are those of the authors' nin_imagenet "
            "(Caffe model zoo)",
            "no ReLU behind the classifier's 1x1 convolution: nin_imagenet has one, which makes every logit "
            "non-negative and leaves a class without gradient wherever its map is dark",
            "weights start from He et al.'s initialisation instead of fixed deviations of 0.01 and 0.05",
        ),
    ),
)
