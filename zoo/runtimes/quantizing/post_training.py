"""`nncf.quantize` on a graph of OpenVINO or ONNX, as a `Way` says; layers go by the network's own names."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from zoo.errors import RuntimeUnavailable
from zoo.lazy import nn
from zoo.names import listed
from zoo.runtimes.quantizing.silence import quiet, quietly_imported

if TYPE_CHECKING:
    from zoo.runtimes.quantizing.calibration import Calibration
    from zoo.runtimes.quantizing.ways import Way

__all__ = [
    "NotQuantized",
    "check_names",
    "left_out",
    "quantized_onnx",
    "quantized_openvino",
    "weighted_layers",
    "within",
]


class NotQuantized(RuntimeUnavailable):
    """NNCF stumbled over the graph: it will do so again in any way that corrects biases alike."""


def weighted_layers(network: nn.Module) -> tuple[str, ...]:
    """Names of the layers that multiply: convolutions and linear ones, in order."""
    return tuple(name for name, layer in network.named_modules() if isinstance(layer, (nn.Conv2d, nn.Linear)))


def left_out(network: nn.Module, way: Way, keep_fp32: Collection[str]) -> tuple[str, ...]:
    """The layers that stay in fp32: those that are named, or lie in a named part, and the first ones of the way."""
    layers = weighted_layers(network)
    named = [layer for layer in layers if any(within(layer, part) for part in keep_fp32)]
    return tuple(dict.fromkeys([*named, *layers[: way.first_fp32]]))


def check_names(network: nn.Module, keep_fp32: Collection[str]) -> None:
    """Raises `LookupError` for a name that is no layer with weights of the network, nor a part that holds one."""
    layers = weighted_layers(network)
    for name in keep_fp32:
        if not any(within(layer, name) for layer in layers):
            near = difflib.get_close_matches(name, layers, n=3, cutoff=0.3)
            meant = f"did you mean {', '.join(near)}? " if near else ""
            raise LookupError(f"no layer with weights is named {name!r}; {meant}allowed: {listed(layers)}")


def within(layer: str, part: str) -> bool:
    """Whether a layer is that part of the network, or lies in it."""
    return layer == part or layer.startswith(f"{part}.")


def quantized_openvino(graph: Any, calibration: Calibration, way: Way, kept: Sequence[str]) -> Any:
    """An OpenVINO graph with quantizers in it; `graph` takes any number of images and stays as it is."""
    images = _Images(calibration, lambda image: image.numpy())
    patterns = [rf"__module\.{re.escape(layer)}/.*" for layer in kept]
    own = graph.clone()
    _pad_pools(own)
    return _quantize(own, images, calibration.images, way, patterns)


def _pad_pools(graph: Any) -> None:
    """Max pooling whose output is rounded up becomes one that is padded at the end and rounded down: the same numbers.

    Integers do not pass the former in OpenVINO: the convolution behind it would run in floats.
    """
    opset1 = import_module("openvino.opset1")
    for pool in graph.get_ordered_ops():
        shapes = [each.get_partial_shape() for each in (pool.input(0), pool.output(0))] if _rounds_up(pool) else []
        if not shapes or any(side.is_dynamic for shape in shapes for side in list(shape)[2:]):
            continue
        how = pool.get_attributes()
        kernel, stride, begin = how["kernel"], how["strides"], how["pads_begin"]
        end = [
            max((after.get_length() - 1) * stride[axis] + kernel[axis] - before.get_length() - begin[axis], 0)
            for axis, (before, after) in enumerate(zip(*(list(shape)[2:] for shape in shapes), strict=True))
        ]
        padded = opset1.max_pool(
            pool.input_value(0), stride, begin, end, kernel, rounding_type="floor", auto_pad="explicit"
        )
        padded.set_friendly_name(pool.get_friendly_name())
        pool.output(0).replace(padded.output(0))
    graph.validate_nodes_and_infer_types()


def _rounds_up(node: Any) -> bool:
    if node.get_type_name() != "MaxPool":
        return False
    how = node.get_attributes()
    return how["rounding_type"] in ("ceil", "ceil_torch") and set(how.get("dilations", (1,))) == {1}


def quantized_onnx(graph: Any, calibration: Calibration, way: Way, kept: Sequence[str]) -> Any:
    """An ONNX graph whose nodes have the layers' names, with quantizers in it."""
    name = graph.graph.input[0].name
    images = _Images(calibration, lambda image: {name: image.numpy()})
    return _quantize(graph, images, calibration.images, way, [re.escape(layer) for layer in kept])


def _quantize(graph: Any, images: _Images, count: int, way: Way, patterns: Sequence[str]) -> Any:
    nncf = quietly_imported("nncf")
    advanced = nncf.AdvancedQuantizationParameters(
        overflow_fix=nncf.OverflowFix.ENABLE if way.seven_bits else nncf.OverflowFix.FIRST_LAYER,
    )
    if not way.activations_per_channel:
        parameters = import_module("nncf.quantization.advanced_parameters")
        advanced.activations_quantization_params = parameters.QuantizationParameters(per_channel=False)
    ignored = nncf.IgnoredScope(patterns=list(patterns), validate=True) if patterns else None
    try:
        with quiet():
            return nncf.quantize(
                graph,
                nncf.Dataset(images),
                subset_size=count,
                fast_bias_correction=way.fast_bias_correction,
                ignored_scope=ignored,
                advanced_parameters=advanced,
            )
    except Exception as error:  # errors of many kinds, of a young library
        raise NotQuantized(f"nncf.quantize failed: {type(error).__name__}: {error}") from error


class _Images:
    """What NNCF may go through as often as it likes, without all images being in memory."""

    def __init__(self, calibration: Calibration, item: Any) -> None:
        self._calibration, self._item = calibration, item

    def __iter__(self) -> Any:
        return (self._item(image) for image in self._calibration.to_calibrate())
