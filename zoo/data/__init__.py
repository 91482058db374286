"""The data sets, one source a file. A new one is its file and its line here."""

from zoo.data.dataset import Dataset
from zoo.names import Registry, modules

__all__ = ["DATASETS"]

DATASETS: Registry[Dataset] = Registry(
    "data set",
    (
        (dataset.name, dataset)
        for file in modules(
            __name__,
            "fashion_mnist",
            "cifar",
            "imagenette",
            "flowers102",
            "imagenet",
            "folder",
        )
        for dataset in file.SETS
    ),
)
