"""The data sets, one a file. A new one is its file and its line here."""

from zoo.data import fashion_mnist, imagenet
from zoo.names import Registry

__all__ = ["DATASETS"]

DATASETS = Registry(
    "data set",
    (
        (dataset.name, dataset)
        for dataset in (
            fashion_mnist.EMBEDDED,
            fashion_mnist.FULL,
            imagenet.IMAGENET,
        )
    ),
)
