"""The published ImageNet checkpoints as rows of data, readable without PyTorch.

Addresses, checksums, sizes and accuracies are the publishers' own: torchvision 0.29's metadata, Keras's source and its
applications table, TF-Slim's mobilenet_v1.md, timm 1.0.31's configurations and results-imagenet.csv. The first row that
fits a variant is what `weights="imagenet"` loads.
"""

from __future__ import annotations

import dataclasses

from zoo.names import Registry
from zoo.spec import Input, Options, Reference, Weights, resized

__all__ = ["CHECKPOINTS"]

_HALF = (0.5, 0.5, 0.5)  # mean and deviation that take [0, 1] to [-1, 1]


# --- torchvision ------------------------------------------------------------------------------------------------------

# model, file (its suffix is the head of the SHA-256), MiB, top-1 %, top-5 %, shorter side before the crop
_TORCHVISION_V1 = (
    ("alexnet", "alexnet-owt-7be5be79.pth", 233.087, 56.522, 79.066, 256),
    ("vgg11", "vgg11-8a719046.pth", 506.840, 69.020, 88.628, 256),
    ("vgg13", "vgg13-19584684.pth", 507.545, 69.928, 89.246, 256),
    ("vgg16", "vgg16-397923af.pth", 527.796, 71.592, 90.382, 256),
    ("vgg19", "vgg19-dcbb9e9d.pth", 548.051, 72.376, 90.876, 256),
    ("vgg11_bn", "vgg11_bn-6002323d.pth", 506.881, 70.370, 89.810, 256),
    ("vgg13_bn", "vgg13_bn-abd245e5.pth", 507.590, 71.586, 90.374, 256),
    ("vgg16_bn", "vgg16_bn-6c64b313.pth", 527.866, 73.360, 91.516, 256),
    ("vgg19_bn", "vgg19_bn-c79401a0.pth", 548.143, 74.218, 91.842, 256),
    ("googlenet", "googlenet-1378be20.pth", 49.731, 69.778, 89.530, 256),
    ("resnet18", "resnet18-f37072fd.pth", 44.661, 69.758, 89.078, 256),
    ("resnet34", "resnet34-b627a593.pth", 83.275, 73.314, 91.420, 256),
    ("resnet50", "resnet50-0676ba61.pth", 97.781, 76.130, 92.862, 256),
    ("resnet101", "resnet101-63fe2227.pth", 170.511, 77.374, 93.546, 256),
    ("resnet152", "resnet152-394f9c45.pth", 230.434, 78.312, 94.046, 256),
    ("inception_v3", "inception_v3_google-0cc3c7bd.pth", 103.903, 77.294, 93.450, 342),
)
_TORCHVISION_V2 = (
    ("resnet50", "resnet50-11ad3fa6.pth", 97.790, 80.858, 95.434, 232),
    ("resnet101", "resnet101-cd907fc2.pth", 170.530, 81.886, 95.780, 232),
    ("resnet152", "resnet152-f82ba261.pth", 230.474, 82.284, 96.002, 232),
)
_REFERENCES = "https://github.com/pytorch/vision/tree/main/references/classification"
_V1_RECIPES = {
    "alexnet": "alexnet-and-vgg",
    "vgg": "alexnet-and-vgg",
    "googlenet": "googlenet",
    "resnet": "resnet",
    "inception": "inception-v3",
}
_V2_RECIPES = {
    "resnet50": "https://github.com/pytorch/vision/issues/3995#issuecomment-1013906621",
    "resnet101": "https://github.com/pytorch/vision/issues/3995#new-recipe",
    "resnet152": "https://github.com/pytorch/vision/issues/3995#new-recipe",
}
_PORTED = ("googlenet", "inception_v3")  # TensorFlow's weights, which want [-1, 1] (torchvision: transform_input)


def _torchvision(
    model: str, file_name: str, size_mib: float, top1: float, top5: float, resize: int, *, version: int
) -> Weights:
    family = next(family for family in _V1_RECIPES if model.startswith(family))
    crop = 299 if model == "inception_v3" else 224
    images = Input(size=crop, resize=resize)
    if model in _PORTED:
        images = dataclasses.replace(images, mean=_HALF, std=_HALF)
    return Weights(
        tag="torchvision" if version == 1 else "torchvision_v2",
        source="torchvision",
        url=f"https://download.pytorch.org/models/{file_name}",
        file_name=file_name,
        input=images,
        sha256=file_name.rpartition("-")[2].removesuffix(".pth"),
        size_mb=round(size_mib * 1.048576, 3),
        licence="code BSD-3-Clause; no licence is named for the weights, ImageNet's terms may apply",
        recipe=f"{_REFERENCES}#{_V1_RECIPES[family]}" if version == 1 else _V2_RECIPES[model],
        published=Reference(
            source=f"torchvision 0.29, IMAGENET1K_V{version}",
            top1=round(top1 / 100, 5),
            top5=round(top5 / 100, 5),
            protocol=f"single centre crop, {resize} to {crop}, bilinear",
        ),
    )


def _all_of_torchvision(model: str) -> tuple[Weights, ...]:
    """The checkpoints of a model, the first version before the second."""
    return tuple(
        _torchvision(*row, version=version)
        for version, table in ((1, _TORCHVISION_V1), (2, _TORCHVISION_V2))
        for row in table
        if row[0] == model
    )


# --- Keras ------------------------------------------------------------------------------------------------------------

# width, resolution, top-1 %, top-5 %, who printed them; Keras printed figures at 224 pixels only, the others are those
# of the TF-Slim checkpoints from which Keras's were converted
_KERAS_MOBILENETS = (
    (1.0, 224, 70.424, 89.504, "keras"), (1.0, 192, 70.0, 89.2, "slim"), (1.0, 160, 68.0, 87.7, "slim"),
    (1.0, 128, 65.2, 85.8, "slim"),
    (0.75, 224, 68.412, 88.242, "keras"), (0.75, 192, 67.2, 87.3, "slim"), (0.75, 160, 65.3, 86.0, "slim"),
    (0.75, 128, 62.1, 83.9, "slim"),
    (0.5, 224, 64.292, 85.624, "keras"), (0.5, 192, 61.7, 83.6, "slim"), (0.5, 160, 59.1, 81.9, "slim"),
    (0.5, 128, 56.3, 79.4, "slim"),
    (0.25, 224, 51.582, 75.792, "keras"), (0.25, 192, 47.7, 72.3, "slim"), (0.25, 160, 45.5, 70.3, "slim"),
    (0.25, 128, 41.5, 66.3, "slim"),
)  # fmt: skip
_KERAS_NAMES = {1.0: "1_0", 0.75: "7_5", 0.5: "5_0", 0.25: "2_5"}
_KERAS_URL = "https://storage.googleapis.com/tensorflow/keras-applications"
_KERAS_LICENCE = "code Apache-2.0; no licence is named for the weights, ImageNet's terms may apply"
_PRINTED = {
    "keras": ("keras-applications README, Performance", "single centre crop"),
    "slim": ("TF-Slim mobilenet_v1.md, the checkpoint before its conversion to Keras", "single image crop"),
}
# a central crop of 87.5 %, as TF-Slim evaluates: 256 to 224
_KERAS_INPUT = Input(size=224, resize=256, mean=_HALF, std=_HALF, rounding="keras")


def _keras_mobilenet(width: float, resolution: int, top1: float, top5: float, printed: str) -> Weights:
    file_name = f"mobilenet_{_KERAS_NAMES[width]}_{resolution}_tf.h5"
    source, protocol = _PRINTED[printed]
    options: Options = tuple(
        (name, value)
        for name, value, default in (("resolution", resolution, 224), ("width", width, 1.0))
        if value != default
    )
    return Weights(
        tag="keras",
        source="keras",
        url=f"{_KERAS_URL}/mobilenet/{file_name}",
        file_name=file_name,
        input=resized(_KERAS_INPUT, resolution),
        options=options,
        licence=_KERAS_LICENCE,
        recipe="TF-Slim, mobilenet_v1_2018_02_22, converted to Keras",
        published=Reference(
            source=source,
            options=options,
            top1=round(top1 / 100, 5),
            top5=round(top5 / 100, 5),
            protocol=protocol,
        ),
    )


_KERAS_XCEPTION = Weights(
    tag="keras",
    source="keras",
    url=f"{_KERAS_URL}/xception/xception_weights_tf_dim_ordering_tf_kernels.h5",
    file_name="xception_weights_tf_dim_ordering_tf_kernels.h5",
    input=resized(_KERAS_INPUT, 299),
    md5="0a58e3b7378bc2990ea3b43d5981f1f6",
    size_mb=88,
    licence=_KERAS_LICENCE,
    recipe="arXiv:1610.02357, Sec. 4.2",
    published=Reference(
        source="keras-applications README, Performance",
        top1=0.79006,
        top5=0.94452,
        protocol="single centre crop",
    ),
)


# --- timm -------------------------------------------------------------------------------------------------------------

_TIMM_RECIPE = "timm ra4, 3600 epochs"


def _timm_mobilenet(
    name: str, resize: int, top1: float, top5: float, options: Options = (), size_mb: float | None = None
) -> Weights:
    return Weights(
        tag="timm",
        source="timm",
        url=f"https://huggingface.co/timm/{name}.ra4_e3600_r224_in1k/resolve/main/model.safetensors",
        file_name=f"{name}.ra4_e3600_r224_in1k.safetensors",
        input=Input(size=224, resize=resize, mean=_HALF, std=_HALF, interpolation="bicubic"),
        options=options,
        size_mb=size_mb,
        licence="apache-2.0; timm's README: assume that ImageNet's terms apply",
        recipe=_TIMM_RECIPE,
        published=Reference(
            source="timm results-imagenet.csv",
            options=options,
            top1=round(top1 / 100, 5),
            top5=round(top5 / 100, 5),
            protocol=f"single centre crop, {resize} to 224, bicubic",
        ),
    )


_TIMM_XCEPTION = Weights(
    tag="timm",
    source="timm",
    url="https://github.com/rwightman/pytorch-image-models/releases/download/v0.1-cadene/xception-43020ad28.pth",
    file_name="xception-43020ad28.pth",
    input=Input(size=299, resize=333, mean=_HALF, std=_HALF, interpolation="bicubic"),
    sha256="43020ad28",
    licence="apache-2.0; timm's README: assume that ImageNet's terms apply",
    recipe="Keras's weights, ported",
    published=Reference(
        source="timm results-imagenet.csv",
        top1=0.79058,
        top5=0.94396,
        protocol="single centre crop, 333 to 299, bicubic",
    ),
)


CHECKPOINTS = Registry(
    "model with checkpoints",
    (
        *((row[0], _all_of_torchvision(row[0])) for row in _TORCHVISION_V1),
        (
            "mobilenet_v1",
            (
                *(_keras_mobilenet(*row) for row in _KERAS_MOBILENETS),
                _timm_mobilenet("mobilenetv1_100", 256, 75.388, 92.310, size_mb=17.0),
                _timm_mobilenet("mobilenetv1_100h", 256, 75.664, 92.522, (("head", "hidden"),), size_mb=21.2),
                _timm_mobilenet("mobilenetv1_125", 248, 76.920, 93.232, (("width", 1.25),)),
            ),
        ),
        ("xception", (_KERAS_XCEPTION, _TIMM_XCEPTION)),
    ),
)
