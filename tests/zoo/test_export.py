"""ONNX files and exported programs."""

import pytest
import torch

import zoo
from zoo.runtimes.agreement import TOLERANCE, relative_difference
from zoo.runtimes.export import check_onnx, export_onnx

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

TINY = "mobilenet_v1:width=0.25,resolution=128"
SMALL = (TINY, "alexnet", "googlenet", "resnet18", "xception", "nin")
MODELS = [
    pytest.param(name, marks=[] if name in SMALL else [pytest.mark.slow]) for name in sorted({*zoo.list_models(), TINY})
]


def make(name):
    torch.manual_seed(0)
    model = zoo.create(name, num_classes=10).eval()
    return model, max(model.spec.input.min_size, 64)


@pytest.mark.parametrize("name", [pytest.param(each.values[0], marks=each.marks) for each in MODELS])
def test_every_model_becomes_an_onnx_file_for_any_batch(name, tmp_path):
    model, side = make(name)
    difference = export_onnx(model, tmp_path / "net.onnx", size=side)
    assert 0 <= difference <= TOLERANCE
    images = torch.randn(3, 3, side, side)
    assert check_onnx(model, tmp_path / "net.onnx", images) <= TOLERANCE


@pytest.mark.parametrize("name", MODELS)
def test_every_model_is_a_program_of_torch_export_for_any_batch(name):
    model, side = make(name)
    images = torch.randn(2, 3, side, side)
    program = torch.export.export(model, (images,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    for count in (1, 3):
        images = torch.randn(count, 3, side, side)
        assert relative_difference(program.module()(images), model(images)) <= 1e-5


class TestFile:
    @pytest.fixture(scope="class")
    def exported(self, tmp_path_factory):
        model, _ = make(TINY)
        path = tmp_path_factory.mktemp("onnx") / "net.onnx"
        export_onnx(model, path, dynamic_batch=False)
        return model, path

    def test_one_file_with_named_ends(self, exported):
        _, path = exported
        assert [each.name for each in path.parent.iterdir()] == ["net.onnx"]
        graph = onnx.load(path).graph
        assert [each.name for each in graph.input] == ["images"]
        assert [each.name for each in graph.output] == ["logits"]
        sides = [side.dim_value for side in graph.input[0].type.tensor_type.shape.dim]
        assert sides == [1, 3, 128, 128]  # the model's own size

    def test_norms_are_folded(self, exported):
        operators = {node.op_type for node in onnx.load(exported[1]).graph.node}
        assert "Conv" in operators and "BatchNormalization" not in operators

    def test_another_network_is_noticed(self, exported):
        model, path = exported
        with torch.no_grad():
            other = zoo.create(TINY, num_classes=10).eval()
        assert check_onnx(other, path, torch.randn(1, 3, 128, 128)) > TOLERANCE
        assert check_onnx(model, path, torch.randn(1, 3, 128, 128)) <= TOLERANCE


def test_wrong_numbers_are_an_error(tmp_path, monkeypatch):
    model, side = make(TINY)
    monkeypatch.setattr("zoo.runtimes.export.check_onnx", lambda *_: 0.5)
    with pytest.raises(ArithmeticError, match=r"differ by 0\.5 of the largest; at most 0\.001"):
        export_onnx(model, tmp_path / "net.onnx", size=side)


def test_training_mode_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="training mode"):
        export_onnx(zoo.create(TINY), tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())


def test_too_small_a_size_is_an_error(tmp_path):
    model, _ = make(TINY)
    with pytest.raises(zoo.InputSizeError):
        export_onnx(model, tmp_path / "net.onnx", size=8)


def test_without_onnx(tmp_path, monkeypatch):
    from zoo.runtimes import onnxruntime

    monkeypatch.setattr(onnxruntime, "find_spec", lambda name: None)
    model, _ = make(TINY)
    with pytest.raises(zoo.RuntimeUnavailable, match=r"cannot export to ONNX: not installed: onnxruntime, onnx"):
        export_onnx(model, tmp_path / "net.onnx")


@pytest.mark.parametrize(
    ("logits", "difference"),
    [([[1.0, -2.0]], 0.0), ([[1.0, -1.0]], 0.5), ([[1.0, float("nan")]], float("inf")), ([[1.0]], float("inf"))],
)
def test_relative_difference(logits, difference):
    assert relative_difference(torch.tensor(logits), torch.tensor([[1.0, -2.0]])) == difference
