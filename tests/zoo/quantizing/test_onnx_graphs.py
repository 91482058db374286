"""Graphs that ONNX Runtime ran in fp32, or not at all: concatenations, and layers of equal weights."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn

import zoo
from tests.zoo.quantizing.conftest import photographs
from zoo.blocks import Concat, classifier_head, conv_norm_act, named
from zoo.classifier import Classifier
from zoo.runtimes.onnxruntime import graph_of, maker
from zoo.runtimes.quantizing.calibration import calibration_of
from zoo.runtimes.quantizing.post_training import NotQuantized, weighted_layers
from zoo.runtimes.quantizing.ways import ONNX
from zoo.runtimes.session import missing

absent = missing("nncf", "onnxruntime", "onnx", "onnxscript")
pytestmark = pytest.mark.skipif(bool(absent), reason=f"not installed: {absent}")
FULL = next(way for way in ONNX if not way.fast_bias_correction)
FAST = next(way for way in ONNX if way.fast_bias_correction)


def network(**features: nn.Module) -> Classifier:
    """With a head on 16 channels."""
    model = Classifier(named(**features), classifier_head("global_pool", 16, 10))
    model.bind(zoo.spec("resnet18"), lambda layer: None)
    return model.eval()


def branched(last: nn.Module) -> Classifier:
    """Two branches of very different ranges, concatenated, pooled, and read by a convolution."""
    torch.manual_seed(0)
    wide = nn.Conv2d(8, 8, 3, padding=1)
    with torch.no_grad():
        wide.weight.mul_(20)
    return network(
        conv_1=conv_norm_act(3, 8, 3, stride=2),
        mixed=Concat(narrow=nn.Sequential(nn.Conv2d(8, 8, 1), last), wide=nn.Sequential(wide, last)),
        pool=nn.MaxPool2d(3, 2, ceil_mode=True),
        conv_2=conv_norm_act(16, 16, 1),
    )


@pytest.mark.parametrize("last", [nn.ReLU(), nn.Identity()], ids=["bytes from 0", "bytes around 0"])
def test_what_reads_a_concatenation_runs_in_integers(last: nn.Module) -> None:
    model, images = branched(last), photographs()
    made = maker(model, images[:2])
    run, floats = made.started(made.quantized(calibration_of(model, images, 32), FAST, ()), weighted_layers(model))
    assert floats == ()
    with torch.inference_mode():
        expected = torch.cat([model(pair) for pair in images.split(2)])
    found = torch.cat([run(pair.contiguous()) for pair in images.split(2)])
    assert (found - expected).abs().max() < 0.1 * expected.abs().max()


def test_layers_of_equal_weights_keep_their_names() -> None:
    """The file holds such weights once; NNCF takes no graph in which two nodes have one name."""
    torch.manual_seed(0)
    block = conv_norm_act(16, 16, 1)  # small weights alone are compared
    model = network(conv_1=conv_norm_act(3, 16, 3), conv_2=block, conv_3=copy.deepcopy(block))
    images = photographs()
    names = [node.name for node in graph_of(model, images[:1]).graph.node]
    assert set(weighted_layers(model)) <= set(names) and len(names) == len(set(names))
    made = maker(model, images[:2])
    graph: Any = made.quantized(calibration_of(model, images, 32), FULL, ())
    assert made.started(graph, weighted_layers(model))[1] == ()


def test_a_graph_whose_biases_cannot_be_corrected_layer_by_layer_is_said_to_be_so() -> None:
    model, images = branched(nn.ReLU()), photographs()
    with pytest.raises(NotQuantized, match=r"nncf\.quantize failed: "):
        maker(model, images[:2]).quantized(calibration_of(model, images, 32), FULL, ())
