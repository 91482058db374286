"""Classic convolutional networks behind one interface, as published.

>>> import zoo
>>> model = zoo.create("mobilenet_v1:width=0.5,resolution=160").eval()
>>> model.spec.input.size
160

PyTorch is imported by the first call that needs it: `list_models` and `spec` only read data.
"""

import sys
from typing import TYPE_CHECKING, Any

if sys.argv[:1] == ["-m"]:  # while Python looks for a command: a person may interrupt the imports below
    from zoo.shell import listen_while_importing

    listen_while_importing()

from zoo.creation import create, load
from zoo.data.dataset import Data
from zoo.data.opening import open_data
from zoo.errors import (
    DataError,
    InputSizeError,
    InvalidOption,
    RuntimeUnavailable,
    UnknownModel,
    UnknownOption,
    WeightsError,
)
from zoo.exporting.export import export
from zoo.exporting.opened import open_exported
from zoo.preprocessing import preprocessing
from zoo.registry import list_models, spec
from zoo.runtimes import open_runtime
from zoo.runtimes.export import export_onnx
from zoo.spec import Input, ModelSpec
from zoo.training.evaluation import Evaluation, evaluate
from zoo.training.recipes import Recipe, recipe, recipes
from zoo.training.train import Training, train
from zoo.weights import load_weights, save_weights

if TYPE_CHECKING:
    from zoo.classifier import Classifier

__all__ = [
    "Classifier",
    "Data",
    "DataError",
    "Evaluation",
    "Input",
    "InputSizeError",
    "InvalidOption",
    "ModelSpec",
    "Recipe",
    "RuntimeUnavailable",
    "Training",
    "UnknownModel",
    "UnknownOption",
    "WeightsError",
    "create",
    "evaluate",
    "export",
    "export_onnx",
    "list_models",
    "load",
    "load_weights",
    "open_data",
    "open_exported",
    "open_runtime",
    "preprocessing",
    "recipe",
    "recipes",
    "save_weights",
    "spec",
    "train",
]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name == "Classifier":  # a class of PyTorch's, imported only when somebody asks for it
        from zoo.classifier import Classifier

        return Classifier
    raise AttributeError(f"module 'zoo' has no attribute {name!r}")
