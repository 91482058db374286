"""ONNX files and exported programs."""

import getpass
from pathlib import Path

import pytest
import torch

import zoo
from tests.zoo.small import AS_IT_IS, Mirrored, images, small
from zoo.runtimes.agreement import TOLERANCE, relative_difference
from zoo.runtimes.export import check_onnx, export_onnx
from zoo.runtimes.onnxruntime import write_onnx

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

TINY = "mobilenet_v1:width=0.25,resolution=128"
SMALL = (TINY,)
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


def test_a_network_that_was_evaluated_before_becomes_the_same_file(tmp_path):
    """`zoo.evaluate` leaves the channels of a pixel side by side, which stopped the exporter at one image."""
    model, _ = make(TINY)
    files = []
    for _ in range(2):
        write_onnx(model, tmp_path / "net.onnx", torch.zeros(1, 3, 40, 40), dynamic_batch=True)
        files.append((tmp_path / "net.onnx").read_bytes())
        model.to(memory_format=torch.channels_last)
    assert files[0] == files[1]


@pytest.mark.parametrize("name", MODELS)
def test_every_model_is_a_program_of_torch_export_for_any_batch(name):
    model, side = make(name)
    images = torch.randn(2, 3, side, side)
    program = torch.export.export(model, (images,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    for count in (1, 3):
        images = torch.randn(count, 3, side, side)
        assert relative_difference(program.module()(images), model(images)) <= 1e-5


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    model, _ = make(TINY)
    path = tmp_path_factory.mktemp("onnx") / "net.onnx"
    export_onnx(model, path, dynamic_batch=False)
    return model, path


class TestFile:
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


def test_nothing_in_the_file_says_where_it_was_made(tmp_path):
    path = tmp_path / "net.onnx"
    export_onnx(small(), path, size=32)
    written = path.read_bytes()
    root = str(Path(zoo.__file__).parent.parent)
    for trace in (root, str(Path.home()), str(tmp_path), "site-packages", 'File "', ".py", "stack_trace", "zoo."):
        assert trace.encode() not in written, trace
    user = getpass.getuser()
    assert len(user) < 5 or user.encode() not in written
    graph = onnx.load(path).graph
    assert not graph.metadata_props and not any(node.metadata_props or node.doc_string for node in graph.node)


class TestLastGoodFile:
    """What was there stays until the new file has passed, and nothing else is left."""

    @pytest.fixture
    def path(self, tmp_path):
        path = tmp_path / "net.onnx"
        path.write_bytes(b"the last good one")
        yield path
        assert [each.name for each in tmp_path.iterdir()] == ["net.onnx"]
        assert path.read_bytes() == b"the last good one"

    def test_wrong_numbers(self, path, monkeypatch):
        monkeypatch.setattr("zoo.runtimes.export.check_onnx", lambda *_: 0.5)
        with pytest.raises(ArithmeticError, match=r"differ by 0\.5 of the largest, allowed is 0\.001; it was not kept"):
            export_onnx(small(), path, size=32)

    def test_a_file_that_cannot_be_loaded(self, path, monkeypatch):
        def fail(*_):
            raise RuntimeError("no such operator")

        monkeypatch.setattr("zoo.runtimes.export.check_onnx", fail)
        with pytest.raises(RuntimeError, match="no such operator"):
            export_onnx(small(), path, size=32)

    def test_interrupted(self, path, monkeypatch):
        def stop(*_):
            raise KeyboardInterrupt

        monkeypatch.setattr("zoo.runtimes.export.check_onnx", stop)
        with pytest.raises(KeyboardInterrupt):
            export_onnx(small(), path, size=32)

    def test_an_exporter_that_fails(self, path, monkeypatch):
        def fail(*_, **__):
            raise NotImplementedError("line one\nline two")

        monkeypatch.setattr(torch.onnx, "export", fail)
        with pytest.raises(
            zoo.RuntimeUnavailable, match=r"torch\.onnx\.export failed: NotImplementedError: line one line"
        ):
            export_onnx(small(), path, size=32)

    def test_a_branch_that_depends_on_the_pixels(self, path):
        model = small()
        model.features.set_submodule("conv_3", torch.nn.Sequential(model.features.conv_3, Mirrored()).eval())
        with pytest.raises(zoo.RuntimeUnavailable, match=r"torch\.onnx\.export failed"):
            export_onnx(model, path, size=32)

    @pytest.mark.parametrize("kind", ["forward hook on the network", "pruned"])
    def test_more_than_the_layers_own_code(self, path, kind):
        model = small()
        AS_IT_IS[kind](model)
        with pytest.raises(zoo.RuntimeUnavailable, match="nothing but the layers' own code"):
            export_onnx(model, path, size=32)

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
    def test_a_network_of_other_numbers(self, path, dtype):
        with pytest.raises(
            zoo.RuntimeUnavailable, match=rf"float32 networks.*holds {dtype} on cpu: model\.float\(\)"
        ) as it:
            export_onnx(small().to(dtype), path)
        assert "images" not in str(it.value)

    @pytest.mark.parametrize("model", ["resnet18", None, torch.nn.Linear(2, 2)])
    def test_no_network(self, path, model):
        with pytest.raises(TypeError, match="model must be a network of this zoo"):
            export_onnx(model, path)

    @pytest.mark.parametrize("size", [0, -3, 1.5, "224", True])
    def test_no_size(self, path, size):
        with pytest.raises(zoo.InputSizeError, match="size is the side of the images in pixels"):
            export_onnx(small(), path, size=size)


def test_the_new_file_takes_the_place_of_the_old(tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(b"the last good one")
    assert export_onnx(torch.compile(small(), backend="eager"), path, size=32) <= TOLERANCE
    assert [each.name for each in tmp_path.iterdir()] == ["net.onnx"]
    assert check_onnx(small(), path, images(3)) <= TOLERANCE


@pytest.mark.parametrize("name", [".", "no/such/folder/net.onnx"])
def test_no_place_for_a_file(tmp_path, name):
    with pytest.raises(FileNotFoundError, match="wanted in a folder that exists"):
        export_onnx(small(), tmp_path / name)


def test_training_mode_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="training mode"):
        export_onnx(zoo.create(TINY), tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())


def test_too_small_a_size_is_an_error(tmp_path):
    model, _ = make(TINY)
    with pytest.raises(zoo.InputSizeError):
        export_onnx(model, tmp_path / "net.onnx", size=8)


def test_without_onnx(tmp_path, monkeypatch):
    from zoo.runtimes import session

    monkeypatch.setattr(session, "find_spec", lambda name: None)
    model, _ = make(TINY)
    with pytest.raises(zoo.RuntimeUnavailable, match=r"cannot export to ONNX: not installed: onnxruntime, onnx"):
        export_onnx(model, tmp_path / "net.onnx")


@pytest.mark.parametrize(
    ("logits", "difference"),
    [([[1.0, -2.0]], 0.0), ([[1.0, -1.0]], 0.5), ([[1.0, float("nan")]], float("inf")), ([[1.0]], float("inf"))],
)
def test_relative_difference(logits, difference):
    assert relative_difference(torch.tensor(logits), torch.tensor([[1.0, -2.0]])) == difference
