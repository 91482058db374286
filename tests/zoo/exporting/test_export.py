"""Files for other programs: right, whole, alike in every run, and with all they need inside."""

from __future__ import annotations

import dataclasses
import getpass
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

import zoo
from tests.zoo.quantizing.conftest import photographs
from tests.zoo.small import small
from zoo.exporting import openvino_file
from zoo.exporting.card import card_beside, lines_to_run
from zoo.exporting.export import export
from zoo.exporting.opened import ExportedNetwork, open_exported, run_of
from zoo.runtimes.quantizing import choosing, instructions
from zoo.runtimes.session import missing

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
if missing("openvino"):
    pytest.skip("not installed: openvino", allow_module_level=True)

NAMES = tuple(f"class {number}" for number in range(10))


def network() -> zoo.Classifier:
    model = small()
    model.class_names = NAMES
    return model


def expected(images: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        logits: torch.Tensor = small()(images)
    return logits


@pytest.mark.parametrize("name", ["net.onnx", "net.xml"])
@pytest.mark.parametrize("ends", [pytest.param(False, marks=pytest.mark.slow), True])
def test_the_file_answers_what_the_network_does(name: str, ends: bool, tmp_path: Path) -> None:
    path = tmp_path / name
    kind = "onnx" if name.endswith("onnx") else "openvino"
    export(network(), path, format=kind, size=32, preprocessing=ends, softmax=ends)
    opened = open_exported(path)
    pixels = torch.randint(256, (3, 3, 32, 32), generator=torch.Generator().manual_seed(5))
    mean, std = (torch.tensor(each).view(-1, 1, 1) for each in (opened.spec.input.mean, opened.spec.input.std))
    images = (pixels / 255 - mean) / std
    assert opened.class_names == NAMES and opened.spec.input.size == 32
    assert torch.allclose(opened(images).softmax(1), expected(images).softmax(1), atol=1e-4)
    raw = run_of(path)[0](pixels.to(torch.uint8) if ends else images)
    assert torch.allclose(raw.sum(1), torch.ones(3), atol=1e-3) == ends  # probabilities, or logits


def test_what_was_there_stays_and_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(b"the last good one")
    monkeypatch.setattr(
        "zoo.exporting.opened.ExportedNetwork.__call__", lambda self, images: torch.zeros(len(images), 10)
    )
    with pytest.raises(zoo.RuntimeUnavailable, match="differ"):
        export(network(), path, size=32)
    assert path.read_bytes() == b"the last good one" and [each.name for each in tmp_path.iterdir()] == ["net.onnx"]


def test_nothing_says_where_it_was_made(tmp_path: Path) -> None:
    export(network(), tmp_path / "net.onnx", size=32)
    export(network(), tmp_path / "net.xml", format="openvino", size=32)
    for path in tmp_path.iterdir():
        written = path.read_bytes()
        for trace in (
            str(Path(zoo.__file__).parent.parent),
            str(Path.home()),
            str(tmp_path),
            'File "',
            "site-packages",
        ):
            assert trace.encode() not in written, (path, trace)
        user = getpass.getuser()
        assert len(user) < 5 or user.encode() not in written


@pytest.mark.slow
def test_the_same_twice(tmp_path: Path) -> None:
    export(network(), tmp_path / "a.onnx", size=32)
    export(network(), tmp_path / "b.onnx", size=32)
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


def test_half_the_size_in_halves(tmp_path: Path) -> None:
    export(network(), tmp_path / "a.onnx", size=32)
    export(network(), tmp_path / "h.onnx", size=32, precision="fp16")
    types = {each.data_type for each in onnx.load(tmp_path / "h.onnx").graph.initializer}
    assert onnx.TensorProto.FLOAT16 in types and onnx.TensorProto.FLOAT not in types
    images = photographs(2)
    assert torch.allclose(open_exported(tmp_path / "h.onnx")(images), expected(images), atol=0.1)


def test_a_fixed_batch_and_an_opset(tmp_path: Path) -> None:
    export(network(), tmp_path / "a.onnx", size=32, batch_size=4, opset=18)
    file = onnx.load(tmp_path / "a.onnx")
    assert [side.dim_value for side in file.graph.input[0].type.tensor_type.shape.dim] == [4, 3, 32, 32]
    assert [each.version for each in file.opset_import if not each.domain] == [18] and file.ir_version == 8
    assert open_exported(tmp_path / "a.onnx").batch_size == 4


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"format": "tflite"}, "no format of a file is 'tflite'; allowed: onnx, openvino"),
        ({"precision": "int4"}, "no precision of a file is 'int4'; allowed: fp32, fp16, int8"),
        ({"target": "arm"}, "no target of a file is 'arm'; allowed: here, vnni, any"),
    ],
)
def test_unknown_words(given: dict[str, str], message: str, tmp_path: Path) -> None:
    with pytest.raises(LookupError, match=message):
        export(network(), tmp_path / "net.onnx", **given)  # type: ignore[arg-type]


def test_weights_of_another_export_are_refused(tmp_path: Path) -> None:
    export(network(), tmp_path / "a.xml", format="openvino", size=32)
    beside = openvino_file.weights_beside(tmp_path / "a.xml")
    content = bytearray(beside.read_bytes())
    content[-1] ^= 1
    beside.write_bytes(bytes(content))
    with pytest.raises(zoo.WeightsError, match=r"a\.bin is not the file of weights that a\.xml was written with"):
        open_exported(tmp_path / "a.xml")
    beside.unlink()
    with pytest.raises(zoo.WeightsError, match=r"there is no a\.bin"):
        open_exported(tmp_path / "a.xml")


def test_integers_measured_elsewhere_are_said_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    export(network(), tmp_path / "net.onnx", size=32)
    facts = open_exported(tmp_path / "net.onnx").facts
    assert facts.elsewhere is None
    other = dataclasses.replace(facts, precision="int8", agreement={"instructions": "AVX-512 VNNI" * 2})
    assert other.elsewhere is not None
    assert instructions.instruction_set() in other.elsewhere and "zoo evaluate --weights FILE" in other.elsewhere


def test_an_exported_file_is_no_file_of_weights(tmp_path: Path) -> None:
    export(network(), tmp_path / "net.onnx", size=32)
    with pytest.raises(zoo.WeightsError, match=r"zoo\.open_exported runs it"):
        zoo.load(tmp_path / "net.onnx")


@pytest.mark.parametrize("ends", [pytest.param(False, marks=pytest.mark.slow), True])
def test_the_lines_of_the_card_name_the_class_without_this_project(ends: bool, tmp_path: Path) -> None:
    """Run as they stand on the card, where neither PyTorch nor the zoo can be imported."""
    export(network(), tmp_path / "net.onnx", size=32, preprocessing=ends, softmax=ends)
    card = card_beside(tmp_path / "net.onnx").read_text(encoding="utf-8")
    lines = card.partition("```python\n")[2].partition("\n```")[0]
    opened = open_exported(tmp_path / "net.onnx")
    assert lines == lines_to_run("net.onnx", opened.facts)
    assert len([line for line in lines.splitlines() if not line.startswith(("import", "from"))]) <= 11
    (tmp_path / "torch.py").write_text("raise ImportError")
    (tmp_path / "zoo.py").write_text("raise ImportError")
    (tmp_path / "run.py").write_text(lines)
    coarse = torch.randint(256, (5, 7, 3), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    image = Image.fromarray(coarse.numpy()).resize((217, 155), Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    image.save(tmp_path / "photo.png", exif=exif)
    done = subprocess.run(
        [sys.executable, "-B", "run.py", "photo.png"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    answer = int(opened(zoo.preprocessing(opened)(tmp_path / "photo.png")[None]).argmax())  # type: ignore[arg-type]
    assert done.stdout.split() == [str(answer), "class", str(answer)]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["net.onnx", "net.xml"])
def test_integers_in_a_file(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if missing("nncf"):
        pytest.skip("not installed: nncf")
    monkeypatch.setattr(choosing, "speed_up", lambda *_: (2.0, 2.0))
    kind = "onnx" if name.endswith("onnx") else "openvino"
    path = tmp_path / name
    agreement = export(
        network(),
        path,
        format=kind,
        size=32,
        precision="int8",
        calibration=photographs(),
        keep_fp32=["features.conv_1"],
    )
    assert agreement.real and agreement.within and agreement.facts["kept_fp32"] == ["features.conv_1.conv"]
    opened = open_exported(path)
    assert isinstance(opened, ExportedNetwork) and opened.precision == "int8"
    assert opened.facts.agreement["instructions"] == instructions.instruction_set()
    images = photographs(3, seed=9)
    assert torch.allclose(opened(images), expected(images), atol=float(expected(images).abs().max()) / 5)
    assert "Calibrated on | 40 images" in card_beside(path).read_text(encoding="utf-8")
