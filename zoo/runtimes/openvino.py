"""OpenVINO on the CPU, for the lowest latency: in float32 throughout unless bf16, fp16 or int8 is asked for."""

from __future__ import annotations

import functools
import logging
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from zoo.errors import RuntimeUnavailable
from zoo.lazy import torch
from zoo.runtimes.agreement import EXACT, INTEGERS, ROUNDED, Agreement, Bound
from zoo.runtimes.quantizing.choosing import Maker, choose
from zoo.runtimes.quantizing.post_training import quantized_openvino
from zoo.runtimes.quantizing.reading import floats_in_openvino
from zoo.runtimes.quantizing.silence import quietly_imported
from zoo.runtimes.quantizing.ways import OPENVINO
from zoo.runtimes.session import Run, missing

if TYPE_CHECKING:
    from zoo.classifier import Classifier
    from zoo.runtimes.quantizing.calibration import Calibration

__all__ = [
    "ANY_SHAPE",
    "LIBRARIES",
    "PRECISIONS",
    "compiled",
    "core",
    "graph_of",
    "maker",
    "open",
    "open_as",
    "unavailable",
]

ANY_SHAPE = False
LIBRARIES: tuple[str, ...] = ("openvino",)
PRECISIONS: Mapping[str, Bound] = {"fp32": EXACT, **ROUNDED, "int8": INTEGERS}
HINTS = {"fp32": "f32", "bf16": "bf16", "fp16": "f16"}
_MAKING = threading.Lock()


def unavailable() -> str | None:
    if missing(*LIBRARIES):
        return "not installed: openvino; pip install 'comparative-cnn-zoo[openvino]'"
    return None


def open(model: Classifier, images: torch.Tensor) -> Run:
    return _run(compiled(graph_of(model, images), "fp32"))


def open_as(
    model: Classifier, images: torch.Tensor, precision: str, calibration: Calibration | None
) -> tuple[Run, Agreement | None]:
    """See `zoo.runtimes.session.Runtime`."""
    if precision != "int8" or calibration is None:
        return _run(compiled(graph_of(model, images), precision)), None
    made = choose(model, images, calibration, maker(model, images), bound=PRECISIONS["int8"])
    return made.run, made.agreement


def maker(model: Classifier, images: torch.Tensor) -> Maker:
    """How OpenVINO makes integers of the network."""
    if missing("nncf"):
        raise RuntimeUnavailable("not installed: nncf; pip install 'comparative-cnn-zoo[int8]'")
    graph = graph_of(model, images, any_number=True)

    def started(quantized: Any, layers: tuple[str, ...]) -> tuple[Run, tuple[str, ...]]:
        fixed = quantized.clone()
        fixed.reshape(list(images.shape))
        ready = compiled(fixed, "fp32")
        return _run(ready), floats_in_openvino(ready, layers)

    return Maker(OPENVINO, partial(quantized_openvino, graph), started, open(model, images), _file_bytes)


def _file_bytes(graph: Any) -> int:
    openvino: Any = quietly_imported("openvino")
    with TemporaryDirectory() as folder:
        openvino.save_model(graph, Path(folder) / "model.xml", compress_to_fp16=False)
        return sum(path.stat().st_size for path in Path(folder).iterdir())


def graph_of(model: Classifier, images: torch.Tensor, *, any_number: bool = False) -> Any:
    """The network as OpenVINO has it, for images of this shape or any number of such images."""
    openvino: Any = quietly_imported("openvino")  # its own type hints leave out half of its names

    from zoo.runtimes.folding import inference_copy

    if images.device.type != "cpu" or images.dtype != torch.float32:
        raise RuntimeUnavailable(f"runs float32 on the CPU; got {images.dtype} on {images.device}")
    shape = (-1 if any_number else len(images), *images.shape[1:])
    with warnings.catch_warnings(), _the_log_as_it_was():
        warnings.simplefilter("ignore")  # OpenVINO traces with TorchScript, of which PyTorch warns
        # a branch that depends on the pixels would be lost
        tracer_warning = torch.jit.TracerWarning  # type: ignore[attr-defined]
        warnings.simplefilter("error", tracer_warning)
        # but not PyTorch's own branches, as the one of `local_response_norm` for maps without a pixel
        warnings.filterwarnings("ignore", category=tracer_warning, module=r"torch\.nn\.")
        return openvino.convert_model(inference_copy(model), example_input=images, input=[shape])


def core() -> Any:
    """The one `openvino.Core` of the process, which is never given up.

    A core gives the thread that it first compiles in a stack for signals, and frees it with itself. Where another core
    was made in the meantime, the thread keeps the freed one: the next Ctrl-C is a segmentation fault.
    """
    with _MAKING:
        return _made()


@functools.cache
def _made() -> Any:
    return quietly_imported("openvino").Core()


def compiled(graph: Any, precision: str) -> Any:
    """A graph ready to run on this machine; raises `RuntimeUnavailable` where it would run in other numbers."""
    settings = {
        "INFERENCE_PRECISION_HINT": HINTS[precision],  # the default is bfloat16 on a CPU that has units for it
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "NUM_STREAMS": 1,
    }
    ready = core().compile_model(graph, "CPU", settings)
    found = str(ready.get_property("INFERENCE_PRECISION_HINT").to_string())
    if found != HINTS[precision]:
        raise RuntimeUnavailable(f"this processor has no units for {precision}: OpenVINO would run {found}")
    return ready


def _run(ready: Any) -> Run:
    openvino: Any = quietly_imported("openvino")
    request = ready.create_infer_request()
    one_at_a_time = threading.Lock()  # a request holds one call's images and logits; the only stream has all threads

    def run(images: torch.Tensor) -> torch.Tensor:
        # handed over as they are: looking at what came costs `infer` a tenth of a millisecond, a quarter of the whole
        # for the smallest network
        pixels = openvino.Tensor(images.contiguous().numpy(), shared_memory=True)
        with one_at_a_time:
            request.set_input_tensor(pixels)
            request.infer(share_outputs=True)
            return torch.from_numpy(request.get_output_tensor().data).clone()

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
