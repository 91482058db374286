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

__all__ = ["check_names", "left_out", "quantized_onnx", "quantized_openvino", "weighted_layers", "within"]


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
    return _quantize(graph, images, calibration.images, way, patterns)


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
        raise RuntimeUnavailable(f"nncf.quantize failed: {type(error).__name__}: {error}") from error


class _Images:
    """What NNCF may go through as often as it likes, without all images being in memory."""

    def __init__(self, calibration: Calibration, item: Any) -> None:
        self._calibration, self._item = calibration, item

    def __iter__(self) -> Any:
        return (self._item(image) for image in self._calibration.to_calibrate())
