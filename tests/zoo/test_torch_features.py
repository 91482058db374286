"""What PyTorch and its tools can do with a network of the zoo: each feature against each family.

`python -m benchmarks.selfcheck contract` makes a table of these tests.
"""

from __future__ import annotations

import copy
import functools
import io
import pickle
import tempfile
import warnings
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import nn
from torch.ao import quantization

import zoo
from zoo.training.auxiliary import WithAuxiliary

FAMILIES = {
    "alexnet": "alexnet",
    "vgg": "vgg11_bn:head=global_pool",
    "googlenet": "googlenet:auxiliary=true",
    "resnet": "resnet18",
    "mobilenet_v1": "mobilenet_v1:width=0.25",
    "xception": "xception",
    "inception_v3": "inception_v3:auxiliary=true",
    "nin": "nin",
}
QUICK = ("googlenet", "mobilenet_v1", "nin", "resnet")  # between them they have every block; the others are slow
SIDE = 96

Feature = Callable[[zoo.Classifier, torch.Tensor], None]
FEATURES: dict[str, Feature] = {}
SLOW: set[str] = set()


def feature(name: str, *, slow: bool = False) -> Callable[[Feature], Feature]:
    """Names a row of the table."""

    def listed(check: Feature) -> Feature:
        FEATURES[name] = check
        if slow:
            SLOW.add(name)
        return check

    return listed


@functools.lru_cache(maxsize=1)  # one network at a time: the tests go through the features of a family in turn
def network(family: str) -> zoo.Classifier:
    torch.manual_seed(0)
    return zoo.create(FAMILIES[family], num_classes=5).eval()


def agree(found: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))


# ---- followed -------------------------------------------------------------------------------------------------------


@feature("torch.fx.symbolic_trace")
def _(model: zoo.Classifier, images: torch.Tensor) -> None:
    agree(torch.fx.symbolic_trace(model)(images), model(images))


@feature("create_feature_extractor, by row names")
def _(model: zoo.Classifier, images: torch.Tensor) -> None:
    from torchvision.models.feature_extraction import create_feature_extractor

    rows = dict(model.features.named_children())
    wanted = list(rows)[1:4:2]
    found = create_feature_extractor(model, {f"features.{row}": row for row in wanted})(images)
    assert list(found) == wanted
    for name, row in rows.items():
        images = row(images)
        if name in wanted:
            agree(found[name], images)


@feature("torch.jit.script")
def _(model: zoo.Classifier, images: torch.Tensor) -> None:
    scripted, file = torch.jit.script(model), io.BytesIO()
    torch.jit.save(scripted, file)
    file.seek(0)
    agree(torch.jit.load(file)(images), model(images))


@feature("torch.jit.trace", slow=True)
def _(model: zoo.Classifier, images: torch.Tensor) -> None:
    traced = torch.jit.trace(model, images, check_trace=False)
    agree(traced(images[:1]), model(images[:1]))


@feature("torch.export, batch, height and width dynamic", slow=True)
def _(model: zoo.Classifier, images: torch.Tensor) -> None:
    """For sides that are multiples of 32 from 96 pixels; pools that round up cannot be followed in between.

    Of Inception v3 from 128: of 96 pixels its last map is a single one, for which PyTorch writes another program.
    """
    least = 4 if model.spec.family == "inception_v3" else 3
    height, width = (32 * torch.export.Dim(name, min=least, max=64) for name in ("height", "width"))
    shapes = ({0: torch.export.Dim("batch"), 2: height, 3: width},)
    program = torch.export.export(model, (torch.randn(2, 3, 160, 192),), dynamic_shapes=shapes).module()
    for shape in ((1, 3, 32 * least, 128), (3, 3, 160, 32 * least)):
        others = torch.randn(shape)
        agree(program(others), model(others))


@feature("torch.compile, one graph", slow=True)
def _(model: zoo.Classifier, images: torch.Tensor) -> None:
    torch._dynamo.reset()
    agree(torch.compile(model, backend="eager", fullgraph=True)(images), model(images))


# ---- quantized ------------------------------------------------------------------------------------------------------


@feature("quantization, eager and static")
def _(model: zoo.Classifier, images: torch.Tensor) -> None:
    if any(type(layer).__name__ == "Residual" for layer in model.modules()):
        pytest.skip("eager mode cannot add quantized tensors with `+`; torchvision's ResNet stops there too")
    wrapped = quantization.QuantWrapper(copy.deepcopy(model)).eval()
    wrapped.qconfig = quantization.get_default_qconfig("x86")
    calibrated = quantization.prepare(wrapped)
    calibrated(images)
    quantized = quantization.convert(calibrated)
    assert (quantized.module.num_classes, quantized.module.in_channels) == (5, 3)
    assert "quantized" in type(quantized.module.get_submodule(_ends(model)[0])).__module__
    assert quantized(images).shape == (2, 5)


@feature("quantization of FX graphs", slow=True)
def _(model: zoo.Classifier, images: torch.Tensor) -> None:
    fx = pytest.importorskip("torch.ao.quantization.quantize_fx", reason="gone from this PyTorch")
    mapping = quantization.get_default_qconfig_mapping("x86")
    prepared = fx.prepare_fx(copy.deepcopy(model), mapping, (images,))
    prepared(images)
    assert fx.convert_fx(prepared)(images).shape == (2, 5)


@feature("quantization of exported graphs (pt2e)", slow=True)
def _(model: zoo.Classifier, images: torch.Tensor) -> None:
    pt2e = pytest.importorskip("torchao.quantization.pt2e.quantize_pt2e", reason="torchao is not installed")
    x86 = pytest.importorskip("torchao.quantization.pt2e.quantizer.x86_inductor_quantizer")
    quantizer = x86.X86InductorQuantizer().set_global(x86.get_default_x86_inductor_quantization_config())
    prepared = pt2e.prepare_pt2e(torch.export.export(model, (images,)).module(), quantizer)
    prepared(images)
    assert pt2e.convert_pt2e(prepared)(images).shape == (2, 5)


# ---- taken apart and changed ----------------------------------------------------------------------------------------


@feature("torch.func: functional_call, grad, vmap")
def _(model: zoo.Classifier, images: torch.Tensor) -> None:
    weights = {name: parameter.detach() for name, parameter in model.named_parameters()}
    buffers = dict(model.named_buffers())

    def loss(weights: dict[str, torch.Tensor], image: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(model, (weights, buffers), (image[None],)).square().sum()

    each = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(weights, images)
    last = list(dict(model.head.named_parameters()))[-1]
    agree(each[f"head.{last}"][1], torch.func.grad(loss)(weights, images[1])[f"head.{last}"])


@feature("torch.nn.utils.prune")
def _(model: zoo.Classifier, images: torch.Tensor) -> None:
    from torch.nn.utils import prune

    pruned = copy.deepcopy(model)
    ends = [pruned.get_submodule(name) for name in _ends(pruned)]
    for layer in ends:
        prune.l1_unstructured(layer, "weight", amount=0.5)
    assert (pruned.num_classes, pruned.in_channels) == (5, 3)
    before = pruned(images)
    for layer in ends:
        assert (layer.weight == 0).float().mean() >= 0.49
        prune.remove(layer, "weight")
    agree(pruned(images), before)


@feature("torch.nn.utils.parametrize")
def _(model: zoo.Classifier, images: torch.Tensor) -> None:
    from torch.nn.utils.parametrizations import weight_norm

    changed = copy.deepcopy(model)
    for layer in [changed.get_submodule(name) for name in _ends(changed)]:
        weight_norm(layer)
    agree(changed(images), model(images))
    changed.reset_classifier(3)
    assert changed(images).shape == (2, 3)


@feature("SyncBatchNorm")
def _(model: zoo.Classifier, images: torch.Tensor) -> None:
    norms = [layer for layer in model.modules() if isinstance(layer, nn.BatchNorm2d)]
    changed = nn.SyncBatchNorm.convert_sync_batchnorm(copy.deepcopy(model))
    synchronised = [layer for layer in changed.modules() if isinstance(layer, nn.SyncBatchNorm)]
    assert [layer.eps for layer in synchronised] == [layer.eps for layer in norms]
    agree(changed(images), model(images))


# ---- trained side by side -------------------------------------------------------------------------------------------


@feature("DistributedDataParallel, with auxiliary heads")
def _(model: zoo.Classifier, images: torch.Tensor) -> None:
    """Two steps, since DDP complains at the second of what got no gradient in the first; gradients as without it."""
    alone, inside = copy.deepcopy(model), copy.deepcopy(model)
    with tempfile.TemporaryDirectory() as folder:
        torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=0, world_size=1)
        try:
            wrapped = nn.parallel.DistributedDataParallel(WithAuxiliary(inside))
            for _step in range(2):
                for network in (alone.forward_train, wrapped):
                    sum(logits.square().mean() for logits in network(images)).backward()
        finally:
            torch.distributed.destroy_process_group()
    for (name, expected), found in zip(alone.named_parameters(), inside.parameters(), strict=True):
        assert expected.grad is not None, name
        agree(found.grad, expected.grad)


# ---- copied and moved -----------------------------------------------------------------------------------------------


@feature("copy.deepcopy and pickle")
def _(model: zoo.Classifier, images: torch.Tensor) -> None:
    model.class_names = ("a", "b", "c", "d", "e")
    copied, pickled = copy.deepcopy(model), pickle.loads(pickle.dumps(model))
    model.class_names = None
    for twin in (copied, pickled):
        assert torch.equal(twin(images), model(images))
        assert twin.spec.label == model.spec.label
        assert twin.class_names == ("a", "b", "c", "d", "e")
        twin.reset_classifier(2)
        assert twin.class_names is None and model.num_classes == 5
    assert copied.spec == model.spec


@feature("torch.device and default dtype contexts")
def _(model: zoo.Classifier, images: torch.Tensor) -> None:
    with torch.device("meta"):
        assert all(tensor.is_meta for tensor in zoo.create(model.spec.label).state_dict().values())
    torch.set_default_dtype(torch.float64)
    try:
        double = zoo.create(model.spec.label, num_classes=3, device="meta")
    finally:
        torch.set_default_dtype(torch.float32)
    assert {parameter.dtype for parameter in double.parameters()} == {torch.float64}


def _ends(model: nn.Module) -> tuple[str, str]:
    """The first and the last layer with weights."""
    names = [name for name, layer in model.named_modules() if isinstance(layer, (nn.Conv2d, nn.Linear))]
    heads = [name for name in names if name.startswith("head.")]
    return names[0], heads[-1]


@pytest.fixture(autouse=True)
def torch_may_deprecate() -> Iterator[None]:
    """PyTorch says of TorchScript and of its own quantization that they are on their way out."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize(
    ("family", "name"),
    [
        pytest.param(
            family,
            name,
            id=f"{family}: {name}",
            marks=[pytest.mark.slow] if name in SLOW or family not in QUICK else [],
        )
        for family in FAMILIES
        for name in FEATURES
    ],
)
def test_torch_can(family: str, name: str) -> None:
    torch.manual_seed(1)
    FEATURES[name](network(family), torch.randn(2, 3, SIDE, SIDE))
