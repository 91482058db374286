"""The studies, one a file. A new one is its file and its line here."""

from benchmarks.studies import (
    alexnet_parameters,
    fc_vs_1x1,
    inception_module,
    mobilenet_grid,
    mobilenet_resolution,
    mobilenet_shallow,
    mobilenet_width,
    nin_to_googlenet,
    residual,
    separable,
    vgg_depth,
    xception_block,
    xception_vs_inception,
)
from zoo.names import Registry

__all__ = ["STUDIES"]

STUDIES = Registry(
    "study",
    (
        (module.STUDY.name, module.STUDY)
        for module in (
            alexnet_parameters,
            fc_vs_1x1,
            vgg_depth,
            nin_to_googlenet,
            inception_module,
            residual,
            separable,
            mobilenet_width,
            mobilenet_resolution,
            mobilenet_grid,
            mobilenet_shallow,
            xception_vs_inception,
            xception_block,
        )
    ),
)
