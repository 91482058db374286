"""ONNX Runtime on the CPU, from an ONNX graph of exactly the images' shape; in integers where they are asked for."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from zoo.errors import RuntimeUnavailable
from zoo.lazy import torch
from zoo.runtimes.agreement import EXACT, INTEGERS, Agreement, Bound
from zoo.runtimes.quantizing.biases import with_integer_biases
from zoo.runtimes.quantizing.choosing import Maker, choose
from zoo.runtimes.quantizing.joins import with_integer_joins
from zoo.runtimes.quantizing.post_training import quantized_onnx
from zoo.runtimes.quantizing.reading import floats_in_onnxruntime
from zoo.runtimes.quantizing.ways import ONNX
from zoo.runtimes.session import Run, missing

if TYPE_CHECKING:
    from zoo.classifier import Classifier
    from zoo.runtimes.quantizing.calibration import Calibration
    from zoo.runtimes.quantizing.ways import Way

__all__ = [
    "ANY_SHAPE",
    "LIBRARIES",
    "PRECISIONS",
    "content_of",
    "graph_of",
    "maker",
    "open",
    "open_as",
    "options",
    "unavailable",
    "write_onnx",
]

ANY_SHAPE = False
LIBRARIES: tuple[str, ...] = ("onnxruntime", "onnx", "onnxscript")  # the last two write the graph
SPINS_US = "200"  # of threads without work, from which on they sleep
SPINS_AS_LONG_AS_ASKED = (1, 27)  # versions of ONNX Runtime that have the option
SCOPES = "pkg.torch.onnx.name_scopes"  # the exporter's note of the modules that a node is in, outermost first
PRECISIONS: Mapping[str, Bound] = {"fp32": EXACT, "int8": INTEGERS}  # in fp16 and bf16 it has no kernels for the CPU


def unavailable() -> str | None:
    absent = ", ".join(missing(*LIBRARIES))
    return f"not installed: {absent}; pip install 'comparative-cnn-zoo[onnxruntime]'" if absent else None


def open(model: Classifier, images: torch.Tensor) -> Run:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        write_onnx(model, path, _fitting(images), dynamic_batch=False)
        return _run(str(path))


def open_as(
    model: Classifier, images: torch.Tensor, precision: str, calibration: Calibration | None
) -> tuple[Run, Agreement | None]:
    """See `zoo.runtimes.session.Runtime`."""
    if precision != "int8" or calibration is None:
        return open(model, images), None
    made = choose(model, images, calibration, maker(model, images), bound=PRECISIONS["int8"])
    return made.run, made.agreement


def maker(model: Classifier, images: torch.Tensor, *, opset: int | None = None) -> Maker:
    """How ONNX Runtime makes integers of the network."""
    if missing("nncf"):
        raise RuntimeUnavailable("not installed: nncf; pip install 'comparative-cnn-zoo[int8]'")
    graph = graph_of(model, _fitting(images), opset=opset)

    def quantized(calibration: Calibration, way: Way, kept: tuple[str, ...]) -> Any:
        return with_integer_biases(with_integer_joins(quantized_onnx(graph, calibration, way, kept)))

    def started(quantized: Any, layers: tuple[str, ...]) -> tuple[Run, tuple[str, ...]]:
        content = content_of(quantized)
        return _run(content), floats_in_onnxruntime(content, options(), layers)

    return Maker(ONNX, quantized, started, open(model, images), lambda graph: len(content_of(graph)))


def content_of(graph: Any) -> bytes:
    """A graph as its file holds it; the same graph gives the same bytes."""
    content: bytes = graph.SerializeToString(deterministic=True)
    return content


def options() -> Any:
    """How the zoo runs a file: on PyTorch's number of threads, which spin for a moment after a call and no longer."""
    import onnxruntime

    chosen = onnxruntime.SessionOptions()
    chosen.intra_op_num_threads = torch.get_num_threads()
    chosen.inter_op_num_threads = 1
    chosen.log_severity_level = 3
    # else its threads go on spinning after a call, for up to 47 ms, and take the processors from whatever comes next;
    # where they stop at once, each call waits for them to wake up, a fifth of the time of the smallest network
    if tuple(map(int, onnxruntime.__version__.split(".")[:2])) >= SPINS_AS_LONG_AS_ASKED:
        chosen.add_session_config_entry("session.intra_op.spin_duration_us", SPINS_US)
    else:
        chosen.add_session_config_entry("session.force_spinning_stop", "1")
    return chosen


def graph_of(model: Classifier, images: torch.Tensor, *, any_number: bool = True, opset: int | None = None) -> Any:
    """The network as ONNX has it, for images of this shape or any number of such images."""
    import onnx

    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        write_onnx(model, path, images, dynamic_batch=any_number, opset=opset)
        return onnx.load(path)


def _fitting(images: torch.Tensor) -> torch.Tensor:
    if images.device.type != "cpu" or images.dtype != torch.float32:
        raise RuntimeUnavailable(f"runs float32 on the CPU; got {images.dtype} on {images.device}")
    return images


def _run(content: str | bytes) -> Run:
    import onnxruntime

    session = onnxruntime.InferenceSession(content, options(), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def run(images: torch.Tensor) -> torch.Tensor:
        (logits,) = session.run(None, {name: images.numpy()})
        return torch.from_numpy(logits)

    return run


def write_onnx(
    model: Classifier, path: Path, images: torch.Tensor, *, dynamic_batch: bool, opset: int | None = None
) -> None:
    """Writes `model` to an ONNX file, for images of this shape or any number of such images; nothing is run.

    Nodes that multiply have the names of the network's layers.
    """
    from zoo.runtimes.folding import inference_copy

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of its own internals
        # as networks are made: `zoo.evaluate` leaves the channels of a pixel side by side, and the exporter stumbles
        network = inference_copy(model).to(memory_format=torch.contiguous_format)
        try:
            program = torch.onnx.export(
                network,
                (images,),
                input_names=["images"],
                output_names=["logits"],
                dynamic_shapes={"images": {0: torch.export.Dim("batch")}} if dynamic_batch else None,
                dynamo=True,
                external_data=False,
                opset_version=opset,
                verbose=False,
            )
        except Exception as error:  # whatever the exporter stumbled over
            raise RuntimeUnavailable(f"torch.onnx.export failed: {type(error).__name__}: {error}") from error
    if program is None:
        raise RuntimeUnavailable("torch.onnx.export returned no program")
    file = program.model_proto
    _name_layers(file)
    _forget_where(file)
    path.write_bytes(content_of(file))


def _name_layers(file: Any) -> None:
    """By the exporter's notes: where layers have equal weights the file holds one of them, for all."""
    named = set()
    for node in file.graph.node:
        if len(node.output) != 1 or not any(name.endswith(".weight") for name in node.input):
            continue
        notes = {note.key: note.value for note in node.metadata_props}
        scopes: list[str] = ast.literal_eval(notes.get(SCOPES, "[]"))
        layer = scopes[-2] if len(scopes) > 1 else ""  # the last one is the operation
        if layer and layer not in named:
            node.name = layer
            named.add(layer)


def _forget_where(part: Any) -> None:
    """Takes out of a part of an ONNX file what the exporter noted about its making: local paths and tracebacks."""
    for field, value in part.ListFields():
        if field.name in ("metadata_props", "doc_string"):
            part.ClearField(field.name)
        elif field.message_type is not None:
            for each in value if field.is_repeated else (value,):
                _forget_where(each)
