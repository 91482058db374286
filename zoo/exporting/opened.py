"""Exported files, opened again: `zoo.load`, `zoo predict` and `zoo evaluate` take them as they take weights."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import RuntimeUnavailable, WeightsError
from zoo.exporting import openvino_file
from zoo.exporting.facts import KEY, Facts, read_facts
from zoo.factory import build
from zoo.lazy import torch
from zoo.runtimes.session import Run, Session, missing

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["ENDINGS", "ExportedNetwork", "is_exported", "open_exported", "run_of"]

ENDINGS = (".onnx", ".xml")


class ExportedNetwork(Session):
    """A session of an exported file: any number of images of the file's size where its batch is free.

    Args:
        facts: what the file says of itself.
        run: from what the file takes to what it gives.
    """

    def __init__(self, facts: Facts, run: Run) -> None:
        self.facts = facts
        network = build(facts.spec, num_classes=facts.num_classes or 1, in_channels=facts.in_channels)
        network.class_names = facts.class_names
        side = facts.input.size
        example = torch.empty(facts.batch_size or 1, facts.in_channels, side, side, device="cpu")
        runtime = "onnxruntime" if facts.format == "onnx" else "openvino"
        super().__init__(
            runtime, self._through(run), example, network=network, any_shape=facts.batch_size is None,
            own_threads=True, precision=facts.precision,
        )  # fmt: skip

    def _through(self, run: Run) -> Run:
        """From the network's input to its logits, whatever the ends of the file are."""
        facts = self.facts

        def through(images: Tensor) -> Tensor:
            given = images
            if facts.preprocessing:
                mean, std = (torch.tensor(each).view(-1, 1, 1) for each in (facts.input.mean, facts.input.std))
                given = ((images * std + mean) * 255).round().clamp(0, 255).to(torch.uint8)
            answer = run(given.contiguous())
            return answer.clamp_min(1e-30).log() if facts.softmax else answer

        return through


def is_exported(path: object) -> bool:
    """Whether a path has the ending of a file that `zoo.export` writes."""
    return isinstance(path, (str, os.PathLike)) and Path(os.fsdecode(path)).suffix.lower() in ENDINGS


def open_exported(path: str | os.PathLike[str]) -> ExportedNetwork:
    """A file that `zoo.export` wrote, ready to be called; warns where its accuracy was measured on other processors.

    Raises:
        WeightsError: it is absent, damaged, of another export than its weights, or was not written by `zoo.export`.
        RuntimeUnavailable: its runtime is not installed.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise WeightsError(f"there is no file {str(path)!r}")
    run, text = run_of(file)
    facts = read_facts(text, file.name)
    if facts.elsewhere is not None:
        warnings.warn(facts.elsewhere.replace("FILE", file.name), stacklevel=3)
    return ExportedNetwork(facts, run)


def run_of(path: Path) -> tuple[Run, str]:
    """What runs a file, from arrays of its input to its output, and what it says of itself."""
    package = "onnxruntime" if path.suffix.lower() == ".onnx" else "openvino"
    if missing(package):
        raise RuntimeUnavailable(f"{path.name} needs {package}; pip install 'comparative-cnn-zoo[{package}]'")
    return _onnx(path) if package == "onnxruntime" else _openvino(path)


def _onnx(path: Path) -> tuple[Run, str]:
    import onnxruntime

    from zoo.runtimes.onnxruntime import options

    try:
        session = onnxruntime.InferenceSession(os.fspath(path), options(), providers=["CPUExecutionProvider"])
    except Exception as error:  # of kinds of the library's own
        raise WeightsError(f"{path.name} cannot be read by ONNX Runtime: {error}") from error
    name = session.get_inputs()[0].name

    def run(images: Tensor) -> Tensor:
        (answer,) = session.run(None, {name: images.numpy()})
        return torch.from_numpy(answer)

    return run, session.get_modelmeta().custom_metadata_map.get(KEY, "")


def _openvino(path: Path) -> tuple[Run, str]:
    import threading

    from zoo.runtimes.openvino import compiled

    graph: Any = openvino_file.read_graph(path)
    text = openvino_file.facts_text(graph)
    request = compiled(graph, "fp32").create_infer_request()
    one_at_a_time = threading.Lock()

    def run(images: Tensor) -> Tensor:
        with one_at_a_time:
            (answer,) = request.infer([images.numpy()], share_inputs=True, share_outputs=True).values()
            return torch.from_numpy(answer).clone()

    return run, text
