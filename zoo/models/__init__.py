"""The families, one paper a file. A new family is its file and its line here."""

from zoo.names import modules

__all__ = ["FAMILIES"]

FAMILIES = tuple(
    modules(
        __name__,
        "alexnet",
        "nin",
        "vgg",
        "googlenet",
        "resnet",
        "inception_v3",
        "xception",
        "mobilenet_v1",
    )
)
