"""ONNX graphs on their way into a file: its ends, its numbers, what it says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo.errors import RuntimeUnavailable
from zoo.runtimes.onnxruntime import content_of

if TYPE_CHECKING:
    from zoo.exporting.facts import Facts

__all__ = ["content", "halved", "with_ends"]


def halved(graph: Any) -> Any:
    """The same with 16-bit weights and arithmetic, its ends still in 32 bits."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    return _in_order(convert_float_to_float16(graph, keep_io_types=True))


def _in_order(file: Any) -> Any:
    """`file`, changed: each node after those whose answers it reads."""
    waiting = list(file.graph.node)
    made = {output for node in waiting for output in node.output}
    ready: list[Any] = []
    known: set[str] = set()
    while waiting:
        now = [node for node in waiting if not any(name in made and name not in known for name in node.input)]
        if not now:
            raise RuntimeUnavailable("the nodes of the 16-bit graph read one another in a circle")
        ready += now
        known.update(output for node in now for output in node.output)
        waiting = [node for node in waiting if not set(node.output) <= known]
    del file.graph.node[:]
    file.graph.node.extend(ready)
    return file


def with_ends(file: Any, facts: Facts) -> Any:
    """`file`, changed: it takes pixels and gives probabilities where the facts say so."""
    from onnx import TensorProto, helper, numpy_helper

    graph = file.graph
    if facts.preprocessing:
        import numpy as np

        mean, std = (np.array(values, np.float64) for values in (facts.input.mean, facts.input.std))
        given = graph.input[0]
        shape = (1, len(mean), 1, 1)
        for name, values in (("scale", 1 / (255 * std)), ("shift", -mean / std)):
            array = values.astype(np.float32).reshape(shape)
            graph.initializer.append(numpy_helper.from_array(array, f"pixels_{name}"))
        nodes = [
            helper.make_node("Cast", ["pixels"], ["pixels_float"], name="pixels_cast", to=TensorProto.FLOAT),
            helper.make_node("Mul", ["pixels_float", "pixels_scale"], ["pixels_scaled"], name="pixels_mul"),
            helper.make_node("Add", ["pixels_scaled", "pixels_shift"], [given.name], name="pixels_add"),
        ]
        kept = list(graph.node)
        del graph.node[:]
        graph.node.extend([*nodes, *kept])
        given.name = "pixels"
        given.type.tensor_type.elem_type = TensorProto.UINT8
    if facts.softmax:
        given = graph.output[0]
        graph.node.append(helper.make_node("Softmax", [given.name], ["probabilities"], name="softmax", axis=1))
        given.name = "probabilities"
    return file


def content(file: Any, facts: Facts) -> bytes:
    """The file's bytes, with what it says of itself and nothing of the machine that made it.

    Raises:
        RuntimeUnavailable: its opset is not the one that was asked for.
    """
    import onnx
    from onnx import helper

    found = next(each.version for each in file.opset_import if each.domain in ("", "ai.onnx"))
    if facts.opset is not None and found != facts.opset:
        raise RuntimeUnavailable(f"opset {facts.opset} was asked for, and the exporter wrote {found}")
    helper.set_model_props(file, {})
    for key, value in {"comparative-cnn-zoo": facts.text, "class_names": _lines(facts)}.items():
        if value:
            file.metadata_props.add(key=key, value=value)
    file.ir_version = helper.find_min_ir_version_for(file.opset_import, ignore_unknown=True)
    file.producer_name, file.producer_version, file.doc_string = "comparative-cnn-zoo", "", ""
    for node in file.graph.node:
        node.ClearField("doc_string")
        node.ClearField("metadata_props")
    del file.graph.value_info[:]
    onnx.checker.check_model(file)
    return content_of(file)


def _lines(facts: Facts) -> str:
    """The classes' names in order, a line each, for programs that read nothing else."""
    return "\n".join(" ".join(name.split()) for name in facts.class_names or ())
