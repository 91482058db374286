"""What a runtime made of a quantized graph: its own optimised graph, read back layer by layer."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from zoo.errors import RuntimeUnavailable
from zoo.names import listed

__all__ = ["check_integers", "floats_in_onnxruntime", "floats_in_openvino"]

MULTIPLYING = ("Convolution", "FullyConnected", "MatMul")  # OpenVINO's kinds of layers with weights
FLOAT = ("Conv", "FusedConv", "Gemm", "FusedGemm", "MatMul", "FusedMatMul")  # ONNX Runtime's, in fp32


def floats_in_openvino(compiled: Any, layers: Collection[str]) -> tuple[str, ...]:
    """Those of the network's layers that a compiled OpenVINO model does not run in 8-bit integers."""
    found = []
    for operation in compiled.get_runtime_model().get_ordered_ops():
        info = {name: str(value.value) for name, value in operation.get_rt_info().items() if hasattr(value, "value")}
        if info.get("layerType") in MULTIPLYING and info.get("runtimePrecision") not in ("i8", "u8"):
            names = f"{operation.get_friendly_name()},{info.get('originalLayersNames', '')}"
            found.append(_layer(names.replace("__module.", ""), layers))
    return tuple(dict.fromkeys(found))


def floats_in_onnxruntime(content: bytes, options: Any, layers: Collection[str]) -> tuple[str, ...]:
    """Those of the network's layers that ONNX Runtime runs in fp32, or whose weights it makes floats at each call."""
    import onnx
    import onnxruntime

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "optimised.onnx"
        options.optimized_model_filepath = str(path)
        try:
            onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        finally:
            options.optimized_model_filepath = ""
        graph = onnx.load(path).graph
    return tuple(dict.fromkeys(_floats(graph, layers)))


def _floats(graph: Any, layers: Collection[str]) -> Iterator[str]:
    constants = {each.name for each in graph.initializer}
    for node in graph.node:
        if node.op_type in FLOAT or (
            node.op_type == "DequantizeLinear" and node.input[0] in constants and len(node.output) == 1
        ):
            yield _layer(f"{node.name} {' '.join(node.input)}", layers)


def _layer(text: str, layers: Collection[str]) -> str:
    """The network's layer that a text names, the longest name first; else the text itself."""
    named = (layer for layer in sorted(layers, key=len, reverse=True) if layer in text)
    return next(named, text.split(",")[0][:80])


def check_integers(floats: Collection[str], kept: Collection[str]) -> None:
    """Raises `RuntimeUnavailable` with the names of layers that run in fp32 although nobody left them out."""
    wrong = [layer for layer in floats if layer not in kept]
    if wrong:
        raise RuntimeUnavailable(
            f"{len(wrong)} layers are not integer operations in the optimised graph: {listed(wrong)}; it would be "
            "slow; leave them out by name (keep_fp32) if that is meant"
        )
