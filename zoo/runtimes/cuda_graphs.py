"""The folded network, channels last, recorded once as a CUDA graph: a call is one launch instead of hundreds."""

from __future__ import annotations

import ctypes
import sys
import threading
from typing import TYPE_CHECKING

from zoo.errors import RuntimeUnavailable
from zoo.lazy import nn, torch
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
    return _Recorded(inference_copy(model).to(memory_format=torch.channels_last), images)


class _Recorded:
    """A network's kernels for images of one shape, with one input and one output for all callers, on any stream."""

    def __init__(self, network: nn.Module, images: torch.Tensor) -> None:
        self._network = network  # the graph knows nothing but addresses: its weights have to stay where they are
        self._graph, self._turn, self._answered = torch.cuda.CUDAGraph(), threading.Lock(), torch.cuda.Event()
        with torch.inference_mode(), torch.cuda.device(images.device):
            self._images = images.clone(memory_format=torch.channels_last)
            beside = torch.cuda.Stream()
            beside.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(beside):
                for _ in range(WARM_UP):
                    network(self._images)
            torch.cuda.current_stream().wait_stream(beside)
            with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):  # other threads may go on meanwhile
                self._logits: torch.Tensor = network(self._images)

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        with self._turn, torch.cuda.device(images.device):
            self._answered.wait()
            self._images.copy_(images)
            self._graph.replay()
            answer = self._logits.clone()
            self._answered.record()
        return answer


def open_as(
    model: Classifier, images: torch.Tensor, precision: str, calibration: Calibration | None
) -> tuple[Run, Agreement | None]:
    """See `zoo.runtimes.session.Runtime`."""
    return open_in_halves(open, model, images, precision), None
