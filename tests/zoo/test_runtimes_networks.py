"""Networks that somebody has changed: each is run rightly by some runtime, and by none wrongly."""

import copy
import logging

import pytest
import torch

import zoo
from tests.zoo.small import AS_IT_IS, LAYERS_OF_ONES_OWN, Mirrored, images, small
from zoo.runtimes import RUNTIMES, auto, open_runtime
from zoo.runtimes.agreement import TOLERANCE, relative_difference

HERE = [name for name, runtime in RUNTIMES.items() if runtime.unavailable() is None]
RUNTIME = pytest.mark.parametrize(
    "runtime", [pytest.param(name, marks=[pytest.mark.slow] if name == "compiled" else []) for name in HERE]
)
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*weight_norm.*:FutureWarning", "ignore:.*spectral_norm.*:FutureWarning"
)

GRAPHS = ("spectral norm", "derived convolution", "norm without statistics", "one ReLU in three places")
NO_GRAPH = {("spectral norm", "openvino"): "No conversion rule found"}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_CACHE_DIR", str(tmp_path / "cache"))


def same(session, model, given=None):
    given = images(5) if given is None else given
    with torch.inference_mode():
        return relative_difference(session(given), model(given)) <= TOLERANCE


@RUNTIME
@pytest.mark.parametrize("kind", AS_IT_IS)
def test_more_than_the_layers_own_code(kind, runtime):
    model = small()
    AS_IT_IS[kind](model)
    if runtime == "eager":
        assert same(open_runtime(model, images(0), runtime), model)
    else:
        with pytest.raises(
            zoo.RuntimeUnavailable, match="takes networks of which nothing but the layers' own code runs"
        ):
            open_runtime(model, images(0), runtime)


def openings():
    for kind in LAYERS_OF_ONES_OWN:
        for runtime in HERE:
            graph = runtime in ("openvino", "onnxruntime")  # a second each; what is replaced is the same as in folded
            slow = runtime == "compiled" or (graph and kind not in GRAPHS)
            yield pytest.param(kind, runtime, marks=[pytest.mark.slow] if slow else [])


@pytest.mark.parametrize(("kind", "runtime"), list(openings()))
def test_layers_of_ones_own(kind, runtime):
    model = small()
    LAYERS_OF_ONES_OWN[kind](model)
    model.eval()
    with torch.inference_mode():  # the change is one
        assert not torch.equal(small()(images(5)), model(images(5)))
    if (kind, runtime) in NO_GRAPH:
        with pytest.raises(zoo.RuntimeUnavailable, match=NO_GRAPH[kind, runtime]):
            open_runtime(model, images(0), runtime)
    else:
        assert same(open_runtime(model, images(0), runtime), model)


@RUNTIME
def test_a_branch_that_depends_on_the_pixels_is_no_graph(runtime):
    model = small()
    model.features.set_submodule("conv_3", torch.nn.Sequential(model.features.conv_3, Mirrored()).eval())
    if runtime in ("openvino", "onnxruntime", "compiled"):
        with pytest.raises(zoo.RuntimeUnavailable, match=f"resnet18 cannot run on {runtime}"):
            open_runtime(model, images(0), runtime)
    else:
        session = open_runtime(model, images(0), runtime)
        assert same(session, model) and same(session, model, -images(5))


@RUNTIME
def test_a_branch_of_pytorchs_own_is_no_hindrance(runtime):
    """`local_response_norm` asks whether the map has a pixel, at which the tracer warns."""
    model = small()
    layers = torch.nn.Sequential(model.features.conv_3, torch.nn.LocalResponseNorm(5)).eval()
    model.features.set_submodule("conv_3", layers)
    assert same(open_runtime(model, images(0), runtime), model)


@RUNTIME
def test_wrapped_by_torch_compile(runtime):
    model = small()
    wrapped = torch.compile(model, backend="eager")
    assert same(open_runtime(wrapped, images(0), runtime), model)


def test_a_hook_on_the_wrapper_counts():
    wrapped = torch.compile(small(), backend="eager")
    wrapped.register_forward_hook(lambda module, args, out: out / 2)
    with pytest.raises(zoo.RuntimeUnavailable):
        open_runtime(wrapped, images(0), "folded")
    assert same(open_runtime(wrapped, images(0), "eager"), wrapped)


def test_a_hook_on_all_modules_counts():
    model = small()
    handle = torch.nn.modules.module.register_module_forward_hook(lambda module, args, out: None)
    try:
        with pytest.raises(zoo.RuntimeUnavailable, match="hooks are registered for all modules"):
            open_runtime(model, images(0), "folded")
    finally:
        handle.remove()
    assert same(open_runtime(model, images(0), "folded"), model)


@RUNTIME
def test_dropout_in_training_mode_is_refused(runtime):
    model = small()
    model.head.dropout.train()
    with pytest.raises(ValueError, match="training mode"):
        open_runtime(model, images(0), runtime)


@pytest.mark.parametrize("kind", ["forward hook on the network", "pruned", "forward replaced on a layer"])
def test_the_fastest_of_a_network_with_a_hook_is_the_plain_one(kind, caplog):
    model = small()
    AS_IT_IS[kind](model)
    session = open_runtime(model, images(0))
    assert session.runtime == "eager" and same(session, model)
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("resnet18 runs as it is, not faster: ")


def test_what_is_remembered_of_one_network_does_not_serve_another():
    """The same names and shapes, and another function each time."""
    runtimes = {name: RUNTIMES[name] for name in ("eager", "channels_last", "folded", "packed")}
    plain = small()
    changed = [plain, small(), small(), copy.deepcopy(plain), small()]
    AS_IT_IS["forward hook on the network"](changed[1])
    LAYERS_OF_ONES_OWN["derived convolution"](changed[2])
    with torch.no_grad():
        changed[3].head.fc.weight.neg_()
    AS_IT_IS["forward replaced on the network"](changed[4])
    for model in (*changed, plain):
        assert same(auto.open_fastest(model, images(0), runtimes), model)


def test_opened_again_after_a_change_of_weights():
    model = small()
    runtimes = {name: RUNTIMES[name] for name in ("eager", "folded", "packed")}
    for factor in (1.0, -2.0, 0.5):
        with torch.no_grad():
            for weight in model.parameters():
                weight.mul_(factor)
        assert same(auto.open_fastest(model, images(0), runtimes), model)
        for runtime in runtimes:
            assert same(open_runtime(model, images(0), runtime), model)


@pytest.mark.parametrize("runtime", [name for name in HERE if name not in ("openvino", "onnxruntime", "compiled")])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_other_numbers(runtime, dtype):
    model = small().to(dtype)
    if runtime == "packed" and dtype != torch.float64:
        with pytest.raises(zoo.RuntimeUnavailable, match="runs float32 or float64 on the CPU"):
            open_runtime(model, images(0).to(dtype), runtime)
    else:
        given = images(1).to(dtype)
        with torch.inference_mode():
            difference = (open_runtime(model, images(0).to(dtype), runtime)(given) - model(given)).abs().max()
        assert difference <= {torch.bfloat16: 0.1, torch.float16: 0.02, torch.float64: 1e-9}[dtype]


def test_a_failed_conversion_leaves_the_log_alone():
    pytest.importorskip("openvino")
    root = logging.getLogger()
    before = root.level, list(root.filters), list(root.handlers)
    model = small()
    model.features.set_submodule("conv_3", torch.nn.Sequential(model.features.conv_3, Mirrored()).eval())
    with pytest.raises(zoo.RuntimeUnavailable):
        open_runtime(model, images(0), "openvino")
    assert (root.level, root.filters, root.handlers) == before
