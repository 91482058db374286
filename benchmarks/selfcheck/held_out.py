"""A trained network and its images, in pairs of those to calibrate on and others to try it on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.metrics.schemes import rounds

if TYPE_CHECKING:
    from zoo.classifier import Classifier
    from zoo.data.dataset import Data, Split

__all__ = ["network_of", "rounds_of"]


def network_of(weights: str, model: str) -> Classifier:
    """A trained network in eval mode; `model` names it where the file does not."""
    import zoo

    return (zoo.create(model, weights=weights) if model else zoo.load(weights)).eval()


def rounds_of(network: Classifier, data_dir: str) -> list[tuple[Data, Split]]:
    """Data to calibrate on and images to try, as `benchmarks.metrics.schemes.rounds` divides them.

    Folders named by WordNet ids hold ImageNet's classes for a network that knows them.

    Args:
        data_dir: a folder of images; empty for Fashion-MNIST.

    Raises:
        DataError: the images' classes are not the network's.
    """
    import zoo
    from zoo.data.dataset import matched
    from zoo.data.imagenet import class_names

    if not data_dir:
        data = zoo.open_data("fashion_mnist")
    elif network.class_names == tuple(class_names().values()):
        data = zoo.open_data("imagenet", data_dir=data_dir)
    else:
        data = zoo.open_data(data_dir, val_fraction=0)
    if network.class_names is not None:
        data = matched(data, network.class_names)
    return rounds(data)
