"""The studies, one a file. A new one is its file and its line here."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module

from benchmarks.studies.study import Study
from zoo.names import Registry

__all__ = ["STUDIES"]


def _sound(*names: str) -> Iterator[tuple[str, Study]]:
    """The studies in these files; one that cannot be used costs itself and a line on standard error, nothing else."""
    for name in names:
        try:
            study = import_module(f"{__name__}.{name}").STUDY
            if study.name != name:
                raise ValueError(f"the study is called {study.name!r}; its file and its page have one name")
        except Exception as error:  # whatever is wrong with it, the other studies do not depend on it
            kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
            print(f"benchmarks/studies/{name}.py is left out: {kind}{' '.join(str(error).split())}", file=sys.stderr)
        else:
            yield name, study


STUDIES = Registry(
    "study",
    _sound(
        "alexnet_parameters",
        "fc_vs_1x1",
        "vgg_depth",
        "nin_to_googlenet",
        "inception_module",
        "quantization",
        "residual",
        "runtimes",
        "separable",
        "mobilenet_width",
        "mobilenet_resolution",
        "mobilenet_grid",
        "mobilenet_shallow",
        "xception_vs_inception",
        "xception_block",
    ),
)
