"""The zoo at a shell: what is printed, and how mistakes end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

import zoo
from zoo.__main__ import main


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = main(arguments)
    out, err = capsys.readouterr()
    return status, out, err


def test_list_is_the_registry_and_needs_no_torch() -> None:
    code = "import sys; from zoo.__main__ import main; main(['list']); print('torch' in sys.modules)"
    lines = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.splitlines()
    assert [line.split()[0] for line in lines[:-1]] == zoo.list_models()
    assert lines[-1] == "False"


def test_list_filters(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "list", "resnet*", "--weights", "torchvision_v2")
    assert [line.split()[0] for line in out.splitlines()] == ["resnet101", "resnet152", "resnet50"]
    _, out, _ = run(capsys, "list", "--family", "xception")
    assert out == "xception  Xception  keras, timm\n"
    status, out, err = run(capsys, "list", "nothing*")
    assert (status, out) == (0, "")
    assert "no model fits" in err


def test_info_counts_the_alexnet_of_ten_classes(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "info", "alexnet", "--num-classes", "10", "--img-size", "256")
    assert status == 0
    assert "Total params: 57,044,810" in out
    assert "conv1" in out


def test_info_says_what_the_spec_knows(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "info", "mobilenet_v1:width=0.5")
    text = " ".join(out.split())
    for part in (
        "mobilenet_v1:width=0.5: MobileNetV1",
        "https://arxiv.org/abs/1704.04861",
        "width = 0.5 (a number > 0 and <= 1.5)",
        "head = linear (linear, hidden)",
        "arXiv:1704.04861, Table 6 [width=0.5]: 1,300,000 parameters, 149 M multiply-adds, top-1 63.70%",
        "imagenet:keras [width=0.5]: top-1 64.29%",
        "mobilenet_5_0_224_tf.h5",
        "18 more of other options: python -m zoo info mobilenet_v1",
        "ReLU6 as in TF-Slim",
        "Total params: 1,331,592",
    ):
        assert part in text
    assert "width=0.25" not in text and "head=hidden" not in text


def test_info_of_a_model_without_options_lists_every_variant(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "info", "mobilenet_v1")
    text = " ".join(out.split())
    for part in (
        "arXiv:1704.04861, Table 6 [width=0.25]: 500,000 parameters, 41 M multiply-adds, top-1 50.60%",
        "imagenet:timm [head=hidden]: top-1 75.66%",
        "apache-2.0",
        "mobilenet_5_0_160_tf.h5",
    ):
        assert part in text
    assert "of other options" not in text


def test_predict_prints_five_classes_an_image(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = tmp_path / "model.safetensors"
    zoo.save_weights(zoo.create("mobilenet_v1:width=0.25,resolution=64"), weights)
    photo, broken = tmp_path / "photo.png", tmp_path / "broken.jpg"
    Image.new("L", (90, 80), 100).save(photo)
    broken.write_bytes(b"\xff\xd8\xff not a photo")
    command = ("predict", "--model", "mobilenet_v1:width=0.25,resolution=64", "--weights", str(weights))
    status, out, err = run(capsys, *command, str(photo))
    lines = out.splitlines()
    assert (status, err) == (0, "")
    assert lines[0] == str(photo)
    assert len(lines) == 6
    chances = [float(line.split("%")[0]) for line in lines[1:]]
    assert chances == sorted(chances, reverse=True)
    names = (Path(zoo.__file__).parent / "weights" / "imagenet_wnids.txt").read_text()
    assert all(line.split("%  ")[1] in names for line in lines[1:])
    status, out, err = run(capsys, *command, str(broken), str(photo))
    assert status == 1
    assert f"{broken} cannot be read as an image" in err
    assert len(out.splitlines()) == 6


def test_predict_says_what_loading_did(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save(zoo.create("mobilenet_v1:width=0.25,resolution=64").state_dict(), tmp_path / "plain.pth")
    Image.new("RGB", (80, 80)).save(tmp_path / "photo.png")
    status, _, err = run(
        capsys, "predict", "--model", "mobilenet_v1:width=0.25,resolution=64", "--weights", str(tmp_path / "plain.pth"),
        str(tmp_path / "photo.png"),
    )  # fmt: skip
    assert status == 0
    assert err.startswith("zoo predict: ")
    assert "does not say whose padding" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("info", "resnet51"), "no model is named 'resnet51'; did you mean"),
        (("info", "resnet50:width=2"), "has no option 'width'"),
        (("info", "mobilenet_v1:width=0"), "option 'width' takes"),
        (("info", "alexnet", "--num-classes", "0"), "num_classes must be"),
        (("info", "alexnet", "--img-size", "20"), "images of at least 63 pixels; got 20"),
        (("predict", "--model", "resnet18", "--weights", "nowhere.pth", "photo.jpg"), "no file 'nowhere.pth'"),
        (("predict", "--model", "nin", "photo.jpg"), "no published ImageNet weights"),
    ],
)
def test_mistakes_end_with_one_line(
    arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, _, err = run(capsys, *arguments)
    assert status == 2
    assert message in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("arguments", [(), ("fly",), ("info",), ("predict", "--model", "resnet18"), ("list", "--up")])
def test_a_wrong_command_line_ends_with_status_2(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "Traceback" not in capsys.readouterr().err
