"""OpenVINO's files: a graph (.xml) and its weights (.bin), which know one another."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import WeightsError
from zoo.partial import replacing
from zoo.runtimes.openvino import core
from zoo.runtimes.quantizing.silence import quiet, quietly_imported

if TYPE_CHECKING:
    from zoo.exporting.facts import Facts

__all__ = ["facts_text", "read_graph", "weights_beside", "with_ends", "write_pair"]

PAIR = "weights_sha256"


def with_ends(graph: Any, facts: Facts) -> Any:
    """The graph that takes pixels and gives probabilities where the facts say so."""
    openvino = quietly_imported("openvino")
    ready = graph.clone()
    if facts.preprocessing or facts.softmax:
        steps = openvino.preprocess.PrePostProcessor(ready)
        if facts.preprocessing:
            steps.input().tensor().set_element_type(openvino.Type.u8)
            values = [[255 * value for value in each] for each in (facts.input.mean, facts.input.std)]
            steps.input().preprocess().convert_element_type(openvino.Type.f32).mean(values[0]).scale(values[1])
            steps.input().model().set_layout(openvino.Layout("NCHW"))
            steps.input().tensor().set_layout(openvino.Layout("NCHW"))
        if facts.softmax:
            softmax = openvino.opset8.softmax
            steps.output().postprocess().custom(lambda output: softmax(output, 1).output(0))
        ready = steps.build()
    ready.inputs[0].set_names({facts.input_name})
    ready.outputs[0].set_names({facts.output_name})
    return ready


def write_pair(graph: Any, path: Path, facts: Facts) -> None:
    """Writes the graph to `path` and its weights beside it; weights have the precision of the facts."""
    openvino = quietly_imported("openvino")
    half = facts.precision == "fp16"
    with replacing(path) as part, replacing(weights_beside(path)) as beside:
        own = part.with_suffix(".xml")  # OpenVINO wants these endings
        try:
            with quiet():
                graph.set_rt_info(facts.text, ["comparative_cnn_zoo", "facts"])
                openvino.save_model(graph, own, compress_to_fp16=half)
                digest = hashlib.sha256(own.with_suffix(".bin").read_bytes()).hexdigest()
                graph.set_rt_info(digest, ["comparative_cnn_zoo", PAIR])
                openvino.save_model(graph, own, compress_to_fp16=half)
            own.with_suffix(".bin").replace(beside)
            own.replace(part)
        finally:
            for left in (own, own.with_suffix(".bin")):
                left.unlink(missing_ok=True)


def weights_beside(path: Path) -> Path:
    """The file of weights that belongs to a graph."""
    return path.with_suffix(".bin")


def read_graph(path: Path) -> Any:
    """The graph in a pair of files; raises `WeightsError` where one is missing or of another export."""
    beside = weights_beside(path)
    if not beside.is_file():
        raise WeightsError(f"{path.name} needs its weights beside it: there is no {beside.name}")
    try:
        graph = core().read_model(path)
    except Exception as error:  # of kinds of OpenVINO's own
        raise WeightsError(f"{path.name} cannot be read by OpenVINO: {error}") from error
    digest = hashlib.sha256(beside.read_bytes()).hexdigest()
    written = _info(graph, PAIR)
    if written and written != digest:
        raise WeightsError(f"{beside.name} is not the file of weights that {path.name} was written with")
    return graph


def facts_text(graph: Any) -> str:
    """What the file says of itself; empty where it says nothing."""
    return _info(graph, "facts")


def _info(graph: Any, name: str) -> str:
    place = ["comparative_cnn_zoo", name]
    return str(graph.get_rt_info(place).astype(str)) if graph.has_rt_info(place) else ""
