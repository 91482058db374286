"""`zoo export` as README has it: what it calibrates on, what its card says, and what reads the file afterwards."""

from __future__ import annotations

import argparse
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

import zoo
from zoo.__main__ import main
from zoo.commands import export as command
from zoo.exporting.card import card_beside
from zoo.runtimes.agreement import EXACT, Agreement
from zoo.runtimes.quantizing import choosing
from zoo.runtimes.session import missing

README = Path(__file__).parents[3] / "README.md"
MODEL = "mobilenet_v1:resolution=32,shallow=true,width=0.1"


def weights(path: Path, model: str = MODEL, **training: object) -> Path:
    """A file of weights for two classes that says what it was trained on."""
    torch.manual_seed(0)
    network = zoo.create(model, num_classes=2)
    network.class_names = ("cat", "dog")
    path.parent.mkdir(parents=True, exist_ok=True)
    zoo.save_weights(network, path, training=training or None)
    return path


def photographs(folder: Path, each: int = 20) -> Path:
    """A folder of coarse pictures, one folder a class."""
    generator = torch.Generator().manual_seed(2)
    for name in ("cat", "dog"):
        (folder / name).mkdir(parents=True)
        for number in range(each):
            coarse = torch.randint(256, (6, 6, 3), generator=generator, dtype=torch.uint8)
            Image.fromarray(coarse.numpy()).resize((40, 40)).save(folder / name / f"{number}.png")
    return folder


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What `zoo.export` was called with, in place of a file."""
    monkeypatch.chdir(tmp_path)
    found: dict[str, Any] = {}

    def export(model: zoo.Classifier, path: Path, **options: Any) -> Agreement:
        found.update(options)
        path.write_bytes(b"")
        return Agreement(precision="fp32", images=1, source="x", relative=0, top1=1, bound=EXACT)

    monkeypatch.setattr(zoo, "export", export)
    return found


def fashion(**other: str) -> dict[str, object]:
    """What a file says that was trained on Fashion-MNIST."""
    return {"name": "fashion_mnist", "fingerprint": zoo.open_data("fashion_mnist").fingerprint, "split": {}, **other}


def test_the_data_set_of_its_training_is_calibrated_on(given: dict[str, Any], tmp_path: Path) -> None:
    path = weights(tmp_path / "net.safetensors", data=fashion())
    assert main(["export", "--weights", str(path), "--precision", "int8"]) == 0
    assert given["calibration"].name == "fashion_mnist" and given["calibration"].train is not None
    assert given["card"] == {"Trained on": "fashion_mnist (images: MIT)"}
    main(["export", "--weights", str(path)])
    assert given["calibration"] is None  # fp32 needs none


def test_another_of_that_name_is_not(given: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = weights(tmp_path / "net.safetensors", data=fashion(fingerprint="another"))
    assert main(["export", "--weights", str(path), "--precision", "int8"]) != 0
    assert "fashion_mnist is not what the file was trained on" in capsys.readouterr().err and not given


def test_a_folder_has_to_be_named(given: dict[str, Any], tmp_path: Path) -> None:
    path = weights(tmp_path / "net.safetensors", data={"name": "photos", "fingerprint": "1", "split": {}})
    main(["export", "--weights", str(path), "--precision", "int8"])
    assert given["calibration"] is None and given["card"] == {"Trained on": "photos"}


def test_the_split_is_that_of_the_training(given: dict[str, Any], tmp_path: Path) -> None:
    photos = photographs(tmp_path / "photos")
    split = {"val_fraction": 0.5, "seed": 3}
    path = weights(tmp_path / "net.safetensors", data={"name": "photos", "fingerprint": "1", "split": split})
    main(["export", "--weights", str(path), "--precision", "int8", "--calibration", str(photos)])
    expected = zoo.open_data(photos, val_fraction=0.5, seed=3)
    assert expected.train is not None
    assert given["calibration"].train.labels.tolist() == expected.train.labels.tolist()


def test_published_weights_bring_their_licence(tmp_path: Path) -> None:
    model = "mobilenet_v1:resolution=128,width=0.25"
    network, spec = zoo.create(model), zoo.spec(model)
    row = next(row for row in spec.weights if row.tag == "keras" and row.options == spec.options)
    for name in (row.file_name, "mine.h5"):
        (tmp_path / name).write_bytes(b"some")
    for source in ("imagenet:keras", str(tmp_path / row.file_name)):
        facts = command._facts(argparse.Namespace(weights=source), network, {})
        assert facts == {"Weights from": row.url, "Licence of the weights": row.licence}
    assert command._facts(argparse.Namespace(weights=str(tmp_path / "mine.h5")), network, {}) == {}


@pytest.mark.parametrize("told", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_it_is_evaluated_on_what_it_has_not_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], told: bool
) -> None:
    """The split of its training, or of the images it was calibrated on where nobody says what it was trained on."""
    absent = missing("onnxruntime", "onnx", "onnxscript")
    if absent:
        pytest.skip(f"not installed: {absent}")
    monkeypatch.chdir(tmp_path)
    photos = photographs(tmp_path / "photos", each=40)
    data = zoo.open_data(photos, val_fraction=0.5, seed=3)
    record = {"name": data.name, "fingerprint": data.fingerprint, "split": dict(data.split)}
    path = weights(tmp_path / "net.safetensors", **({"data": record} if told else {}))
    calibrated = [] if told else ["--calibration", "photos"]
    assert main(["export", "--weights", str(path), "--output", "net.onnx", *calibrated]) == 0, capsys.readouterr().err
    capsys.readouterr()
    assert main(["evaluate", "--weights", "net.onnx", "--data", "photos", "--json"]) == 0
    out, err = capsys.readouterr()
    held_out = data.val if told else zoo.open_data(photos).val
    assert held_out is not None
    assert json.loads(out)["images"] == len(held_out.labels) < 80 and json.loads(out)["part"] == "val"
    assert "which the file was not trained on" in err


@pytest.mark.slow
def test_readme_s_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    absent = missing("nncf", "onnxruntime", "onnx", "onnxscript")
    if absent:
        pytest.skip(f"not installed: {absent}")
    (text,) = re.findall(r"## Deploy\n(.*?)\n## ", README.read_text(encoding="utf-8"), re.DOTALL)
    (block,) = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    commands = [shlex.split(line, comments=True) for line in block.splitlines() if "zoo " in line]
    assert [words[words.index("zoo") + 1] for words in commands] == ["export", "evaluate", "predict"]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(choosing, "speed_up", lambda *_: (2.0, 2.0))
    weights(tmp_path / "runs/resnet18-photos/best.safetensors", "resnet18")
    photographs(tmp_path / "photos")
    Image.open("photos/cat/0.png").save("photo.jpg")
    for words in commands:
        assert main(words[words.index("zoo") + 1 :]) == 0, capsys.readouterr().err
    card = card_beside(tmp_path / "resnet18-int8.onnx").read_text(encoding="utf-8")
    assert "| Same first answer as fp32 |" in card and "```python" in card
