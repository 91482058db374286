"""The zoo at a shell: what is printed, and how mistakes end."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

import zoo
from zoo import table as counting
from zoo.__main__ import main
from zoo.models import mobilenet_v1


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = main(arguments)
    out, err = capsys.readouterr()
    return status, out, err


def test_list_is_the_registry_and_needs_no_torch() -> None:
    code = "import sys; from zoo.__main__ import main; main(['list']); print('torch' in sys.modules)"
    lines = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.splitlines()
    assert lines[0].split() == ["model", "params", "mult-adds", "top-1", "input", "weights"]
    assert [line.split()[0] for line in lines[1:-1]] == zoo.list_models()
    assert max(map(len, lines)) <= 80
    assert lines[-1] == "False"


def test_list_filters(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "list", "resnet*", "--weights", "torchvision_v2")
    assert [line.split()[0] for line in out.splitlines()[1:]] == ["resnet101", "resnet152", "resnet50"]
    _, out, _ = run(capsys, "list", "--family", "xception")
    assert out.splitlines()[1].split() == ["xception", "22.86", "M", "8,357", "M", "79.0%", "299", "keras,", "timm"]
    _, out, _ = run(capsys, "list", "alex*", "vgg1[13]*", "--exclude", "*_bn", "--exclude", "*_2012")
    assert [line.split()[0] for line in out.splitlines()[1:]] == ["alexnet", "vgg11", "vgg13"]
    status, out, err = run(capsys, "list", "nothing*")
    assert (status, out) == (0, "")
    assert "no model fits" in err


@pytest.mark.parametrize("column", ["name", "params", "mult_adds", "top1", "input", "weights"])
def test_list_sorts_by_any_column_and_tells_machines(column: str, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "list", "--sort", column, "--json")
    models = json.loads(out)
    values = [model[column] for model in models]
    known = [value for value in values if value not in (None, [])]
    assert known == sorted(known) and values[: len(known)] == known
    assert sorted(model["name"] for model in models) == zoo.list_models()
    _, out, _ = run(capsys, "list", "--sort", column)
    assert [line.split()[0] for line in out.splitlines()[1:]] == [model["name"] for model in models]


def test_what_is_printed_is_not_told_of_a_network_that_somebody_changed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = mobilenet_v1.TABLE_1
    monkeypatch.setattr(mobilenet_v1, "TABLE_1", (*table[:8], (256, 1), *table[9:]))
    counting._run.cache_clear()
    try:
        _, out, _ = run(capsys, "info", "mobilenet_v1")
    finally:
        counting._run.cache_clear()
    assert "nothing of this network" in out and "70.60%" not in out


def test_info_begins_with_eight_facts(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "info", "mobilenet_v1")
    assert status == 0
    assert out.splitlines()[:10] == [
        "mobilenet_v1: MobileNetV1",
        "parameters     4,231,976",
        "multiply-adds  568,740,352 at 224 x 224 pixels",
        "size           16.9 MB of float32",
        "input          3 x 224 x 224, at least 32 pixels",
        "published      top-1 70.60% (crop not stated in the paper), arXiv:1704.04861,",
        "               Tables 4, 6 and 7",
        "weights        imagenet:keras, imagenet:timm",
        "paper          Howard et al. 2017, https://arxiv.org/abs/1704.04861",
        out.splitlines()[9],
    ]
    assert re.fullmatch(r"deviations     \d+ from the paper, below", out.splitlines()[9])


def test_info_counts_the_alexnet_of_ten_classes(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "info", "alexnet", "--num-classes", "10", "--img-size", "256")
    assert status == 0
    assert "parameters     57,044,810\n" in out and "at 256 x 256 pixels" in out
    assert re.search(r"^head\.fc8 +linear +40,970 +40,960$", out, re.M)


@pytest.mark.parametrize("columns", [60, 80, 120])
@pytest.mark.parametrize("name", ["googlenet_2014", "inception_v3", "mobilenet_v1:width=0.5", "resnet152", "xception"])
def test_info_fits_the_terminal(
    name: str, columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    _, out, _ = run(capsys, "info", name)
    wide = [line for line in out.splitlines() if len(line) > columns]
    assert [line for line in wide if max(map(len, line.split())) < columns - 25] == []  # addresses are not broken
    assert out.count("the paper prints") == (0 if name in ("inception_v3", "mobilenet_v1:width=0.5") else 1)


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
        "parameters 1,331,592",
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


TINY = "mobilenet_v1:width=0.25,resolution=32"
TEN = (*(f"kind {number}" for number in range(9)), "=line\nbreak\x1b[31m")


def saved(folder: Path, names: tuple[str, ...] | None = TEN, classes: int = 10, bias: float = 0.0) -> str:
    """A file of a tiny network that says what it is, and sees class 9 in everything."""
    torch.manual_seed(0)
    model = zoo.create(TINY, num_classes=classes)
    model.class_names = names
    with torch.no_grad():
        model.head.fc.bias[-1] = 50 + bias
    zoo.save_weights(model, folder / "tiny.safetensors")
    return str(folder / "tiny.safetensors")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    (folder / "below").mkdir(parents=True)
    for number, name in enumerate(("a.png", "b.jpg", "below/c.bmp")):
        Image.new("RGB", (50 + number, 40), (number, 100, 0)).save(folder / name)
    (folder / "notes.txt").write_text("not asked for")
    return folder


def test_predict_needs_nothing_but_the_file(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "predict", "--weights", saved(photos.parent), str(photos / "a.png"))
    lines = out.splitlines()
    assert (status, err) == (0, "")
    assert lines[0] == str(photos / "a.png")
    assert len(lines) == 6
    chances = [float(line.split("%")[0]) for line in lines[1:]]
    assert chances == sorted(chances, reverse=True) and chances[0] == 100
    assert lines[1] == r"  100.00%  =line\nbreak\x1b[31m"
    assert all(re.fullmatch(r" +0\.00%  kind \d", line) for line in lines[2:])


def test_predict_prints_numbers_where_there_are_no_names(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Never ImageNet's names, not even for a thousand classes."""
    file = saved(photos.parent, None, 1000)
    for model in ((), ("--model", TINY)):
        status, out, _ = run(capsys, "predict", *model, "--weights", file, "--topk", "2", str(photos / "a.png"))
        assert status == 0
        assert [re.fullmatch(r" +\d+\.\d\d%  class \d+", line) is not None for line in out.splitlines()] == [
            False,
            True,
            True,
        ]
        assert out.splitlines()[1].endswith("class 999")


def test_predict_takes_the_number_of_classes_from_any_file(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = photos.parent / "plain.pth"
    torch.save(zoo.create(TINY, num_classes=3).state_dict(), plain)
    status, out, err = run(capsys, "predict", "--model", TINY, "--weights", str(plain), "--json", str(photos / "a.png"))
    assert status == 0
    assert err.startswith("zoo predict: ") and "does not say whose padding" in err
    (answer,) = json.loads(out)
    assert sorted(best["class"] for best in answer["top"]) == [0, 1, 2]
    assert [best["name"] for best in answer["top"]] == [None] * 3
    status, _, err = run(capsys, "predict", "--weights", str(plain), str(photos / "a.png"))
    assert status == 2
    assert "does not say which model it is" in err and "--model" in err


def test_predict_goes_through_folders_and_patterns_in_batches(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, table = saved(photos.parent), photos.parent / "answers.csv"
    expected = [str(photos / name) for name in ("a.png", "b.jpg", "below/c.bmp")]
    alone: list[object] = []
    for path in expected:
        alone += json.loads(run(capsys, "predict", "--weights", file, "--json", path)[1])
    for size in ("1", "2", "16"):
        status, out, err = run(
            capsys, "predict", "--weights", file, "--json", "--csv", str(table), "--batch-size", size, str(photos),
            str(photos / "**" / "*.[jb][pm][gp]"),
        )  # fmt: skip
        answers = json.loads(out)
        assert (status, err) == (0, "")
        assert [answer["path"] for answer in answers] == [*expected, *expected[1:]]
        for answer, other in zip(answers, [*alone, *alone[1:]], strict=True):
            assert answer.keys() == {"path", "top", "error"}
            assert [best["class"] for best in answer["top"]] == [best["class"] for best in other["top"]]
            assert answer["top"][0]["probability"] == pytest.approx(other["top"][0]["probability"])
    with table.open(encoding="utf-8", newline="") as file_:
        lines = list(csv.DictReader(file_))
    assert len(lines) == 5 * 5
    assert lines[0].keys() == {"path", "rank", "class", "name", "probability"}
    assert (lines[0]["path"], lines[0]["rank"], lines[0]["class"]) == (expected[0], "1", "9")
    assert lines[0]["name"] == "'" + TEN[9], "no live formula in a spreadsheet"
    assert float(lines[0]["probability"]) == answers[0]["top"][0]["probability"]


def test_one_bad_image_costs_itself(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken, pipe = photos / "broken.jpg", photos / "pipe.png"
    broken.write_bytes(b"\xff\xd8\xff not a photo")
    os.mkfifo(pipe)
    bad = (str(broken), "nowhere.jpg", str(pipe), "no*where.png", "odd\udcff.jpg")
    command = ("predict", "--weights", saved(photos.parent), "--batch-size", "2")
    status, out, err = run(capsys, *command, *bad, str(photos / "a.png"))
    assert status == 1
    assert len(out.splitlines()) == 6
    assert len(err.splitlines()) == len(bad)
    assert all("cannot be read as an image" in line for line in err.splitlines())
    assert r"odd\udcff.jpg" in err
    status, out, _ = run(capsys, *command, "--json", *bad, str(photos / "a.png"))
    answers = json.loads(out)
    assert status == 1
    assert [answer["path"] for answer in answers] == [*bad, str(photos / "a.png")]
    assert [bool(answer["error"]) for answer in answers] == [True] * len(bad) + [False]
    assert [len(answer["top"]) for answer in answers] == [0] * len(bad) + [5]


def test_predict_says_that_an_answer_is_no_number(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = saved(photos.parent, bias=float("nan"))
    status, out, err = run(capsys, "predict", "--weights", file, str(photos / "a.png"))
    assert (status, out) == (1, "")
    assert "not finite" in err and "nan%" not in err


def test_a_terminal_of_few_letters_gets_escapes(photos: Path) -> None:
    model = zoo.create(TINY, num_classes=2)
    model.class_names = ("\N{SNOWMAN}", "\u00e9t\u00e9")
    zoo.save_weights(model, photos.parent / "names.safetensors")
    (photos / "a.png").rename(photos / "\N{SNOWMAN}.png")
    command = [
        sys.executable,
        "-m",
        "zoo",
        "predict",
        "--weights",
        str(photos.parent / "names.safetensors"),
        str(photos),
    ]
    done = subprocess.run(command, capture_output=True, env=os.environ | {"PYTHONIOENCODING": "ascii"}, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(rb"\u2603") == 3 + 1 and done.stdout.count(rb"\xe9t\xe9") == 3


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"zoo {zoo.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("info", "resnet51"), "no model is named 'resnet51'; did you mean"),
        (("info", "resnet50:width=2"), "has no option 'width'"),
        (("info", "mobilenet_v1:width=0"), "option 'width' takes"),
        (("info", "alexnet", "--num-classes", "0"), "num_classes must be"),
        (("info", "alexnet", "--img-size", "20"), "counted for 63 to 4096 pixels; got 20"),
        (("info", "alexnet", "--img-size", "16000"), "counted for 63 to 4096 pixels; got 16000"),
        (("list", "--family", "mobilenet"), "no family is named 'mobilenet'; did you mean mobilenet_v1"),
        (("predict", "photo.jpg"), "name a file with --weights, or a model with --model"),
        (("predict", "--weights", "imagenet", "photo.jpg"), "name a file with --weights, or a model with --model"),
        (("predict", "--weights", "nowhere.safetensors", "photo.jpg"), "nowhere.safetensors"),
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


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("fly",),
        ("info",),
        ("predict", "--model", "resnet18"),
        ("list", "--up"),
        ("list", "--sort", "beauty"),
        ("predict", "--model", "resnet18", "--topk", "0", "a.png"),
        ("predict", "--batch-size", "x", "a.png"),
    ],
)
def test_a_wrong_command_line_ends_with_status_2(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "Traceback" not in capsys.readouterr().err
