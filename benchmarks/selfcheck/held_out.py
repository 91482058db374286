"""A trained network and its images, in pairs of those to calibrate on and others to try it on."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.classifier import Classifier
    from zoo.data.dataset import Data, Split

__all__ = ["network_of", "rounds_of"]


def network_of(weights: str, model: str) -> Classifier:
    """A trained network in eval mode; `model` names it where the file does not."""
    import zoo

    return (zoo.create(model, weights=weights) if model else zoo.load(weights)).eval()


def rounds_of(network: Classifier, data_dir: str) -> list[tuple[Data, Split]]:
    """Data to calibrate on and images to try: training images and held-out ones.

    Images without such a division are halved, and each half is calibrated on while the other is tried, so that every
    image counts once and none was calibrated on. Folders named by WordNet ids hold ImageNet's classes for a network
    that knows them.

    Args:
        data_dir: a folder of images; empty for Fashion-MNIST.

    Raises:
        DataError: the images' classes are not the network's.
    """
    import torch

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
    held = data.test or data.val
    if data.train is not None and held is not None:
        return [(data, held)]
    whole: Any = data.train or held
    order = torch.randperm(len(whole.labels), generator=torch.Generator().manual_seed(0)).tolist()
    halves = [whole.subset(order[place::2]) for place in (0, 1)]
    return [(dataclasses.replace(data, train=halves[place]), halves[1 - place]) for place in (0, 1)]
