"""OpenVINO on the CPU, for the lowest latency and in float32 throughout."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

from zoo.errors import RuntimeUnavailable
from zoo.lazy import torch
from zoo.runtimes.session import Run, missing

if TYPE_CHECKING:
    from zoo.classifier import Classifier

__all__ = ["ANY_SHAPE", "LIBRARIES", "open", "unavailable"]

ANY_SHAPE = False
LIBRARIES: tuple[str, ...] = ("openvino",)


def unavailable() -> str | None:
    if missing(*LIBRARIES):
        return "not installed: openvino; pip install 'comparative-cnn-zoo[openvino]'"
    return None


def open(model: Classifier, images: torch.Tensor) -> Run:
    openvino: Any = import_module("openvino")  # its own type hints leave out half of its names

    from zoo.runtimes.folding import inference_copy

    if images.device.type != "cpu" or images.dtype != torch.float32:
        raise RuntimeUnavailable(f"runs float32 on the CPU; got {images.dtype} on {images.device}")
    settings = {
        "INFERENCE_PRECISION_HINT": "f32",  # the default is bfloat16 on a CPU that has units for it
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "NUM_STREAMS": 1,
    }
    with warnings.catch_warnings(), _the_log_as_it_was():
        warnings.simplefilter("ignore")  # OpenVINO traces with TorchScript, of which PyTorch warns
        # a branch that depends on the pixels would be lost
        warnings.simplefilter("error", torch.jit.TracerWarning)  # type: ignore[attr-defined]
        graph = openvino.convert_model(inference_copy(model), example_input=images, input=[tuple(images.shape)])
    request = openvino.Core().compile_model(graph, "CPU", settings).create_infer_request()
    one_at_a_time = threading.Lock()  # a request holds one call's images and logits; the only stream has all threads

    def run(images: torch.Tensor) -> torch.Tensor:
        with one_at_a_time:
            (logits,) = request.infer([images.contiguous().numpy()], share_inputs=True, share_outputs=True).values()
            return torch.from_numpy(logits).clone()

    return run


@contextmanager
def _the_log_as_it_was() -> Iterator[None]:
    """Gives back the root logger, which a failed conversion leaves set to errors only."""
    root = logging.getLogger()
    level, filters, handlers = root.level, list(root.filters), list(root.handlers)
    try:
        yield
    finally:
        root.setLevel(level)
        root.filters, root.handlers = filters, handlers
