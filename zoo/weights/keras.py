"""Keras's layer names: MobileNet and Xception.

Around these weights Keras pads as TensorFlow does, on the far side where a stride of 2 meets an even size, and adds
1e-3 to variances. Its kernels are height x width x in x out; here they become out x in x height x width.
"""

from __future__ import annotations

from zoo.lazy import blocks, classifier, nn, torch
from zoo.weights.hdf5 import KERNEL_NAMES, NORM_NAMES
from zoo.weights.layout import Conventions, Layout, Rules, is_norm, parameters, renamed
from zoo.weights.timm import XCEPTION_BLOCKS

__all__ = ["KERAS"]

# a rule's right side ends where the tensor's own name begins: "conv1_bn/" + "gamma"
MOBILENET: Rules = (
    (r"features\.conv_1\.conv", r"conv1/"),
    (r"features\.conv_1\.norm", r"conv1_bn/"),
    *(
        (rf"features\.{half}_{row}\.{layer}", f"conv_{half}_{row - 1}{theirs}/")
        for row in range(2, 15)
        for half in ("dw", "pw")
        for layer, theirs in (("conv", ""), ("norm", "_bn"))
    ),
    (r"head\.fc", r"conv_preds/"),
)

SEPARABLE = (("depthwise", "/depthwise_"), ("pointwise", "/pointwise_"), ("norm", "_bn/"))
XCEPTION: Rules = (
    (r"features\.conv([12])\.conv", r"block1_conv\1/"),
    (r"features\.conv([12])\.norm", r"block1_conv\1_bn/"),
    *(
        (rf"features\.{block}\.body\.sep(\d)\.{layer}", rf"block{number}_sepconv\1{theirs}")
        for number, block in enumerate(XCEPTION_BLOCKS, start=2)
        for layer, theirs in SEPARABLE
    ),
    *(
        (rf"features\.{block}\.shortcut\.{layer}", f"shortcut_{number}{theirs}/")
        for number, block in enumerate(("entry1", "entry2", "entry3", "exit1"), start=1)
        for layer, theirs in (("conv", ""), ("norm", "_bn"))
    ),
    *(
        (rf"features\.exit{number + 1}\.sep\.{layer}", f"block14_sepconv{number}{theirs}")
        for number in (1, 2)
        for layer, theirs in SEPARABLE
    ),
    (r"head\.fc", r"predictions/"),
)

RULES = {"mobilenet_v1": MOBILENET, "xception": XCEPTION}


def _names(model: classifier.Classifier) -> dict[str, str]:
    rules = RULES[model.spec.name]
    names = {}
    for path, leaf in parameters(model):
        leaves = NORM_NAMES if is_norm(model.get_submodule(path)) else KERNEL_NAMES
        if leaf in leaves:  # Keras does not count the batches it has seen
            names[f"{path}.{leaf}"] = renamed(path, rules) + leaves[leaf]
    return names


def _conventions(model: classifier.Classifier) -> Conventions:
    conventions: Conventions = {}
    for path, layer in model.named_modules():
        if is_norm(layer):
            conventions[f"{path}.eps"] = 1e-3
        elif isinstance(layer, blocks.MaxPool2d):
            conventions[f"{path}.padding_rule"] = "same"
        elif isinstance(layer, nn.Conv2d) and layer.stride == (2, 2) and layer.padding == (1, 1):
            # MobileNet's strided depthwise layers have a ZeroPadding2D in front, whatever the size
            conventions[f"{path}.padding_rule"] = "same" if layer.groups == 1 else "far"
    return conventions


def _axes(theirs: str, dimensions: int) -> tuple[int, ...]:
    """Where each axis of PyTorch's weight stands in Keras's kernel of so many dimensions."""
    if dimensions == 2:
        return (1, 0)
    if dimensions == 4:
        return (2, 3, 0, 1) if "dw" in theirs or "depthwise" in theirs else (3, 2, 0, 1)
    return tuple(range(dimensions))


def _to_ours(theirs: str, tensor: torch.Tensor) -> torch.Tensor:
    tensor = tensor.permute(_axes(theirs, tensor.dim()))
    # MobileNet's classifier is a 1x1 convolution there, a linear layer here
    return tensor.flatten(1) if theirs == "conv_preds/kernel" else tensor


def _to_theirs(theirs: str, tensor: torch.Tensor) -> torch.Tensor:
    if theirs == "conv_preds/kernel":
        tensor = tensor[:, :, None, None]
    axes = _axes(theirs, tensor.dim())
    return tensor.permute([axes.index(axis) for axis in range(len(axes))])


KERAS = Layout(
    source="keras",
    models=tuple(RULES),
    names=_names,
    conventions=_conventions,
    to_ours=_to_ours,
    to_theirs=_to_theirs,
)
