"""The folded network, channels last, recorded once as a CUDA graph: a call is one launch instead of hundreds."""

from __future__ import annotations

import ctypes
import sys
import threading
from typing import TYPE_CHECKING

from zoo.errors import RuntimeUnavailable
from zoo.lazy import torch
from zoo.runtimes.halves import PRECISIONS, open_in_halves
from zoo.runtimes.session import Run

if TYPE_CHECKING:
    from zoo.classifier import Classifier
    from zoo.runtimes.agreement import Agreement
    from zoo.runtimes.quantizing.calibration import Calibration

__all__ = ["ANY_SHAPE", "LIBRARIES", "PRECISIONS", "open", "open_as", "unavailable"]

ANY_SHAPE = False
LIBRARIES: tuple[str, ...] = ()
WARM_UP = 3  # calls in which libraries choose kernels and take memory, which cannot be recorded


def unavailable() -> str | None:
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")  # found without importing torch
    except OSError:
        return "CUDA graphs need NVIDIA's driver and a GPU"
    return None


def open(model: Classifier, images: torch.Tensor) -> Run:
    from zoo.runtimes.folding import inference_copy

    if not images.is_cuda:
        raise RuntimeUnavailable(f"CUDA graphs run on NVIDIA's GPUs; the network is on {images.device}")
    network = inference_copy(model).to(memory_format=torch.channels_last)
    with torch.inference_mode(), torch.cuda.device(images.device):
        held = images.clone(memory_format=torch.channels_last)
        beside = torch.cuda.Stream()
        beside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(beside):
            for _ in range(WARM_UP):
                network(held)
        torch.cuda.current_stream().wait_stream(beside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):  # other threads go on with what they do
            logits: torch.Tensor = network(held)
    alone, answered = threading.Lock(), torch.cuda.Event()

    def run(images: torch.Tensor) -> torch.Tensor:
        with alone, torch.cuda.device(held.device):  # one input and one output for all callers, on whatever stream
            answered.wait()
            held.copy_(images)
            graph.replay()
            answer = logits.clone()
            answered.record()
        return answer

    return run


def open_as(
    model: Classifier, images: torch.Tensor, precision: str, calibration: Calibration | None
) -> tuple[Run, Agreement | None]:
    """See `zoo.runtimes.session.Runtime`."""
    return open_in_halves(open, model, images, precision), None
