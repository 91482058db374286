"""Concatenations of an ONNX graph in 8-bit integers, without which ONNX Runtime runs what reads them in fp32."""

from __future__ import annotations

from typing import Any

__all__ = ["with_integer_joins"]


def with_integer_joins(graph: Any) -> Any:
    """`graph`, changed: what is concatenated from integers is of integers itself, whose range holds every part's."""
    import numpy as np
    from onnx import helper, numpy_helper

    constants = {each.name: each for each in graph.graph.initializer}
    made_by = {output: node for node in graph.graph.node for output in node.output}
    nodes: list[Any] = []
    for node in graph.graph.node:
        nodes.append(node)
        parts = [made_by.get(name) for name in node.input] if node.op_type == "Concat" else []
        if not parts or any(part is None or part.op_type != "DequantizeLinear" for part in parts):
            continue
        steps = [[numpy_helper.to_array(constants[name]) for name in part.input[1:3]] for part in parts if part]
        kinds = {zero.dtype for _, zero in steps}
        if len(kinds) != 1 or any(scale.size != 1 for scale, _ in steps):
            continue
        kind = kinds.pop()
        least, most = np.iinfo(kind).min, np.iinfo(kind).max
        low = min(float(scale) * (least - float(zero)) for scale, zero in steps)
        high = max(float(scale) * (most - float(zero)) for scale, zero in steps)
        scale = np.float32((high - low) / (most - least))
        zero = np.rint(least - low / scale).astype(kind)
        name, read = node.output[0], f"{node.output[0]}_joined"
        for suffix, array in (("scale", scale), ("zero", zero)):
            graph.graph.initializer.append(numpy_helper.from_array(np.asarray(array), f"{name}_{suffix}"))
        node.output[0] = read
        how = [f"{name}_scale", f"{name}_zero"]
        nodes += [
            helper.make_node("QuantizeLinear", [read, *how], [f"{name}_bytes"], name=f"{name}_q"),
            helper.make_node("DequantizeLinear", [f"{name}_bytes", *how], [name], name=f"{name}_dq"),
        ]
    del graph.graph.node[:]
    graph.graph.node.extend(nodes)
    return graph
