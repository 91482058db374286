"""ONNX Runtime on the CPU, from an ONNX graph of exactly the images' shape."""

from __future__ import annotations

import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from zoo.errors import RuntimeUnavailable
from zoo.lazy import torch
from zoo.runtimes.session import Run, missing

if TYPE_CHECKING:
    from zoo.classifier import Classifier

__all__ = ["ANY_SHAPE", "LIBRARIES", "open", "unavailable", "write_onnx"]

ANY_SHAPE = False
LIBRARIES: tuple[str, ...] = ("onnxruntime", "onnx", "onnxscript")  # the last two write the graph


def unavailable() -> str | None:
    absent = ", ".join(missing(*LIBRARIES))
    return f"not installed: {absent}; pip install 'comparative-cnn-zoo[onnxruntime]'" if absent else None


def open(model: Classifier, images: torch.Tensor) -> Run:
    import onnxruntime

    if images.device.type != "cpu" or images.dtype != torch.float32:
        raise RuntimeUnavailable(f"runs float32 on the CPU; got {images.dtype} on {images.device}")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # else its threads go on spinning after a call and take the processors from whatever comes next
    options.add_session_config_entry("session.force_spinning_stop", "1")
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        write_onnx(model, path, images, dynamic_batch=False)
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def run(images: torch.Tensor) -> torch.Tensor:
        (logits,) = session.run(None, {"images": images.numpy()})
        return torch.from_numpy(logits)

    return run


def write_onnx(model: Classifier, path: Path, images: torch.Tensor, *, dynamic_batch: bool) -> None:
    """Writes `model` to an ONNX file, for images of this shape or any number of such images; nothing is run."""
    from zoo.runtimes.folding import inference_copy

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of its own internals
        network = inference_copy(model)
        try:
            program = torch.onnx.export(
                network,
                (images,),
                input_names=["images"],
                output_names=["logits"],
                dynamic_shapes={"images": {0: torch.export.Dim("batch")}} if dynamic_batch else None,
                dynamo=True,
                external_data=False,
                verbose=False,
            )
        except Exception as error:  # whatever the exporter stumbled over
            raise RuntimeUnavailable(f"torch.onnx.export failed: {type(error).__name__}: {error}") from error
    if program is None:
        raise RuntimeUnavailable("torch.onnx.export returned no program")
    file = program.model_proto
    _forget_where(file)
    path.write_bytes(file.SerializeToString(deterministic=True))


def _forget_where(part: Any) -> None:
    """Takes out of a part of an ONNX file what the exporter noted about its making: local paths and tracebacks."""
    for field, value in part.ListFields():
        if field.name in ("metadata_props", "doc_string"):
            part.ClearField(field.name)
        elif field.message_type is not None:
            for each in value if field.is_repeated else (value,):
                _forget_where(each)
