"""torchvision's key names: alexnet, vgg, googlenet, resnet, inception_v3.

AlexNet and VGG are numbered there (`features.3`, `classifier.6`): the number is the layer's position. The others are
renamed row by row.
"""

from __future__ import annotations

from collections.abc import Iterator

from zoo.lazy import classifier, nn
from zoo.weights.layout import Conventions, Layout, Rules, is_norm, parameters, renamed

__all__ = ["TORCHVISION"]


def _layers(*blocks: tuple[str, str]) -> Iterator[tuple[str, str]]:
    """Rules of blocks that hold a convolution and a norm."""
    for ours, theirs in blocks:
        yield rf"{ours}\.conv", f"{theirs}.conv"
        yield rf"{ours}\.norm", f"{theirs}.bn"


RESNET: Rules = (
    (r"features\.conv1\.conv", r"conv1"),
    (r"features\.conv1\.norm", r"bn1"),
    *(
        rule
        for stage in (2, 3, 4, 5)
        for rule in (
            (rf"features\.conv{stage}_x\.(\d+)\.body\.conv(\d)\.conv", rf"layer{stage - 1}.\1.conv\2"),
            (rf"features\.conv{stage}_x\.(\d+)\.body\.conv(\d)\.norm", rf"layer{stage - 1}.\1.bn\2"),
            (rf"features\.conv{stage}_x\.(\d+)\.shortcut\.conv", rf"layer{stage - 1}.\1.downsample.0"),
            (rf"features\.conv{stage}_x\.(\d+)\.shortcut\.norm", rf"layer{stage - 1}.\1.downsample.1"),
        )
    ),
    (r"head\.fc", r"fc"),
)

GOOGLENET: Rules = (
    *_layers(
        (r"features\.conv1", r"conv1"),
        (r"features\.conv2_reduce", r"conv2"),
        (r"features\.conv2", r"conv3"),
        (r"features\.(inception\w+)\.branch1x1", r"\1.branch1"),
        (r"features\.(inception\w+)\.branch3x3\.reduce", r"\1.branch2.0"),
        (r"features\.(inception\w+)\.branch3x3\.conv", r"\1.branch2.1"),
        (r"features\.(inception\w+)\.branch5x5\.reduce", r"\1.branch3.0"),
        (r"features\.(inception\w+)\.branch5x5\.conv", r"\1.branch3.1"),
        (r"features\.(inception\w+)\.pool\.projection", r"\1.branch4.1"),
        (r"auxiliary\.inception4a\.conv", r"aux1.conv"),
        (r"auxiliary\.inception4d\.conv", r"aux2.conv"),
    ),
    (r"auxiliary\.inception4a\.(fc\d)", r"aux1.\1"),
    (r"auxiliary\.inception4d\.(fc\d)", r"aux2.\1"),
    (r"head\.fc", r"fc"),
)

INCEPTION_V3: Rules = (
    *_layers(
        (r"features\.conv_3b", r"Conv2d_3b_1x1"),
        (r"features\.conv_(\w+)", r"Conv2d_\1_3x3"),
        (r"features\.mixed_(\w+)\.branch_pool\.projection", r"Mixed_\1.branch_pool"),
        (r"features\.mixed_(\w+)\.branch1x1\.layer1", r"Mixed_\1.branch1x1"),
        (r"features\.mixed_6a\.branch3x3\.layer1", r"Mixed_6a.branch3x3"),  # a branch of one layer has no number
        (r"features\.mixed_(\w+)\.(\w+)\.layer(\d)", r"Mixed_\1.\2_\3"),
        (r"features\.mixed_(\w+)\.(\w+)\.layer(\d)\.([ab])", r"Mixed_\1.\2_\3\4"),
        (r"auxiliary\.mixed_6e\.(conv\d)", r"AuxLogits.\1"),
    ),
    (r"auxiliary\.mixed_6e\.fc", r"AuxLogits.fc"),
    (r"head\.fc", r"fc"),
)

RENAMED = {"resnet": RESNET, "googlenet": GOOGLENET, "inception_v3": INCEPTION_V3}  # by family
EPSILON = {"googlenet": 1e-3, "inception_v3": 1e-3}  # TensorFlow's, with the weights ported from it


def _names(model: classifier.Classifier) -> dict[str, str]:
    family = model.spec.family
    rules = RENAMED[family] if family in RENAMED else _positions(model)
    return {f"{path}.{leaf}": f"{renamed(path, rules)}.{leaf}" for path, leaf in parameters(model)}


def _positions(model: classifier.Classifier) -> Rules:
    """Numbers the layers; the head's first two, pooling and flattening, stand outside torchvision's `classifier`."""
    return [
        (rf"{ours}\.{path}", f"{theirs}.{position}")
        for ours, theirs, first in (("features", "features", 0), ("head", "classifier", -2))
        for position, path in enumerate(_leaves(model.get_submodule(ours)), start=first)
    ]


def _leaves(branch: nn.Module) -> list[str]:
    return [path for path, layer in branch.named_modules() if not list(layer.children())]


def _conventions(model: classifier.Classifier) -> Conventions:
    epsilon = EPSILON.get(model.spec.name, 1e-5)
    return {f"{path}.eps": epsilon for path, layer in model.named_modules() if is_norm(layer)}


TORCHVISION = Layout(
    source="torchvision",
    models=("alexnet", "vgg*", "googlenet", "resnet*", "inception_v3"),
    names=_names,
    conventions=_conventions,
    auxiliary=r"(aux[12]|AuxLogits)\..*",
)
