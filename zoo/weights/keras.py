"""Keras's layer names and HDF5 files: MobileNet and Xception.

Around these weights Keras pads as TensorFlow does, on the far side where a stride of 2 meets an even size, and adds
1e-3 to variances. Its kernels are height x width x in x out; here they become out x in x height x width.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from zoo.lazy import blocks, classifier, nn, torch
from zoo.weights.layout import Conventions, Layout, Rules, parameters, renamed
from zoo.weights.timm import XCEPTION_BLOCKS

if TYPE_CHECKING:
    import h5py

__all__ = ["KERAS", "read_hdf5"]

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
NORM_NAMES = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
KERNEL_NAMES = {"weight": "kernel", "bias": "bias"}


def _names(model: classifier.Classifier) -> dict[str, str]:
    rules = RULES[model.spec.name]
    names = {}
    for path, leaf in parameters(model):
        leaves = NORM_NAMES if isinstance(model.get_submodule(path), nn.BatchNorm2d) else KERNEL_NAMES
        if leaf in leaves:  # Keras does not count the batches it has seen
            names[f"{path}.{leaf}"] = renamed(path, rules) + leaves[leaf]
    return names


def _conventions(model: classifier.Classifier) -> Conventions:
    conventions: Conventions = {}
    for path, layer in model.named_modules():
        if isinstance(layer, nn.BatchNorm2d):
            conventions[f"{path}.eps"] = 1e-3
        elif isinstance(layer, blocks.MaxPool2d):
            conventions[f"{path}.padding_rule"] = "same"
        elif isinstance(layer, blocks.Conv2d) and layer.stride == (2, 2) and layer.padding == (1, 1):
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


# --- HDF5 -------------------------------------------------------------------------------------------------------------


def read_hdf5(file: h5py.File) -> dict[str, torch.Tensor]:
    """The tensors of a Keras file by layer and kind: "conv1/kernel", "conv1_bn/gamma".

    Reads `model.save_weights("x.h5")`, the `model_weights` of a whole saved model, and Keras 3's `x.weights.h5`. Within
    a layer the order counts and not the name, as for Keras itself, whose names changed over its versions.
    """
    layers = _keras_3(file) if "layers" in file else _keras_2(file.get("model_weights", file))
    named = _numbered_shortcuts({name: arrays for name, arrays in layers.items() if arrays})
    return {f"{layer}/{kind}": tensor for layer, tensors in named.items() for kind, tensor in _kinds(tensors).items()}


def _keras_2(group: Any) -> dict[str, list[torch.Tensor]]:
    return {
        layer: [torch.from_numpy(group[layer][weight][()]) for weight in _strings(group[layer], "weight_names")]
        for layer in _strings(group, "layer_names")
    }


def _keras_3(file: Any) -> dict[str, list[torch.Tensor]]:
    layers = {}
    for group in file["layers"].values():
        weights = group["vars"]
        order = sorted(weights, key=int)
        layers[str(weights.attrs["name"])] = [torch.from_numpy(weights[key][()]) for key in order]
    return layers


def _strings(group: Any, attribute: str) -> list[str]:
    """A list of names; Keras cuts lists beyond HDF5's limit into `attribute0`, `attribute1`, and so on."""
    if attribute in group.attrs:
        parts = [group.attrs[attribute]]
    else:
        parts = []
        while f"{attribute}{len(parts)}" in group.attrs:
            parts.append(group.attrs[f"{attribute}{len(parts)}"])
        if not parts:
            raise ValueError(f"{group.name} has no attribute {attribute!r}; it is not a file of Keras weights")
    return [name.decode() if isinstance(name, bytes) else str(name) for part in parts for name in part]


_AUTOMATIC = re.compile(r"(conv2d|convolution2d|batch_?normalization)(?:_(\d+))?")


def _numbered_shortcuts(layers: dict[str, list[torch.Tensor]]) -> dict[str, list[torch.Tensor]]:
    """Xception's shortcuts are named by a running counter (`conv2d_7`); here `shortcut_1`, `shortcut_1_bn`."""
    found: dict[bool, list[tuple[int, str]]] = {False: [], True: []}
    for name in layers:
        if match := _AUTOMATIC.fullmatch(name):
            found["norm" in match[1]].append((int(match[2] or 0), name))
    names = {name: name for name in layers}
    for is_norm, numbered in found.items():
        for number, (_, name) in enumerate(sorted(numbered), start=1):
            names[name] = f"shortcut_{number}{'_bn' if is_norm else ''}"
    return {names[name]: arrays for name, arrays in layers.items()}


def _kinds(tensors: list[torch.Tensor]) -> dict[str, torch.Tensor]:
    """Names the tensors of one layer by their order and rank, as `_names` does."""
    kernels = [tensor for tensor in tensors if tensor.dim() > 1]
    vectors = [tensor for tensor in tensors if tensor.dim() <= 1]
    if not kernels and len(vectors) == 4:
        return dict(zip(NORM_NAMES.values(), vectors, strict=True))
    kinds = ["kernel"] if len(kernels) == 1 else ["depthwise_kernel", "pointwise_kernel"]
    if len(kernels) != len(kinds) or len(vectors) > 1:
        raise ValueError(f"a layer with tensors of shapes {[tuple(tensor.shape) for tensor in tensors]} is not known")
    return dict(zip(kinds, kernels, strict=True)) | dict(zip(["bias"], vectors, strict=False))
