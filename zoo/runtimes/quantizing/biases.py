"""Biases of an ONNX graph in 32-bit integers, without which ONNX Runtime runs the layer in fp32."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["with_integer_biases"]

LAYERS = ("Conv", "Gemm")
MOVING = ("Reshape", "Flatten", "Squeeze", "Transpose")  # which change no number


def with_integer_biases(graph: Any) -> Any:
    """`graph`, changed: the float bias of each quantized layer is a number of steps of input scale x weight scale."""
    import numpy as np
    from onnx import helper, numpy_helper

    constants = {each.name: each for each in graph.graph.initializer}
    made_by = {output: node for node in graph.graph.node for output in node.output}
    added: list[Any] = []
    for node in [node for node in graph.graph.node if node.op_type in LAYERS and len(node.input) == 3]:
        sources = [_dequantizer(name, made_by) for name in node.input[:2]]
        bias = constants.get(node.input[2])
        if bias is None or None in sources:
            continue
        scales = [numpy_helper.to_array(constants[source.input[1]]) for source in sources if source is not None]
        scale: NDArray[np.float32] = (scales[0].reshape(-1) * scales[1].reshape(-1)).astype(np.float32)
        values = numpy_helper.to_array(bias)
        scale = np.broadcast_to(scale, values.shape)
        limits = np.iinfo(np.int32)
        steps = np.clip(np.rint(values.astype(np.float64) / scale), limits.min, limits.max).astype(np.int32)
        name = f"{node.input[2]}_{len(added)}"
        for suffix, array in (("int32", steps), ("scale", scale), ("zero", np.zeros(values.shape, np.int32))):
            graph.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(array), f"{name}_{suffix}"))
        inputs = [f"{name}_int32", f"{name}_scale", f"{name}_zero"]
        added.append(helper.make_node("DequantizeLinear", inputs, [f"{name}_float"], name=f"{name}_dq", axis=0))
        node.input[2] = f"{name}_float"
        weights = sources[1]
        if weights is not None and weights.attribute:  # counted from the front, which alone the runtime understands
            axis = next(each for each in weights.attribute if each.name == "axis")
            axis.i %= len(constants[weights.input[0]].dims)
    nodes = [*added, *graph.graph.node]  # what a node reads comes before it
    del graph.graph.node[:]
    graph.graph.node.extend(nodes)
    used = {name for node in graph.graph.node for name in node.input}
    keep = [each for each in graph.graph.initializer if each.name in used]
    del graph.graph.initializer[:]
    graph.graph.initializer.extend(keep)
    return graph


def _dequantizer(name: str, made_by: Mapping[str, Any]) -> Any:
    """The node that makes floats of the integers behind a value; None where there is none."""
    node = made_by.get(name)
    while node is not None and node.op_type in MOVING:
        node = made_by.get(node.input[0])
    return node if node is not None and node.op_type == "DequantizeLinear" else None
