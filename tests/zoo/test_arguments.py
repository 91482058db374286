"""Whatever is given to the public functions, what comes is an answer or one short line."""

from __future__ import annotations

import decimal
import functools
import io
import itertools
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import zoo
from tests.zoo.weight_files import TINY, tiny
from zoo.errors import LONGEST, one_line, shown

ERRORS = (
    zoo.UnknownModel, zoo.UnknownOption, zoo.InputSizeError, zoo.WeightsError, zoo.RuntimeUnavailable, zoo.DataError,
    LookupError, TypeError, ValueError,
)  # fmt: skip


class Rude:
    """An object none of whose parts can be relied on."""

    def __repr__(self) -> str:
        raise RuntimeError("no")

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no")

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        raise RuntimeError("no")

    def __len__(self) -> int:
        raise RuntimeError("no")


class RudePath(pathlib.PurePosixPath):
    def __fspath__(self) -> Any:
        return b"\xff"


@functools.cache
def kept() -> zoo.Classifier:
    """One network for all that is refused: making a thousand takes a minute."""
    return tiny()


OBJECTS: dict[str, Callable[[], Any]] = {
    "nothing": lambda: None,
    "true": lambda: True,
    "zero": lambda: 0,
    "minus one": lambda: -1,
    "a large number": lambda: 2**70,
    "a huge number": lambda: 10**5000,
    "a fraction": lambda: 0.5,
    "not a number": lambda: float("nan"),
    "infinity": lambda: float("inf"),
    "a complex number": lambda: 1j,
    "a decimal": lambda: decimal.Decimal("0.5"),
    "no text": lambda: "",
    "a text": lambda: "resnet",
    "a long text": lambda: "x" * 10**6,
    "two lines": lambda: "a\nb\x1b[31m",
    "half a letter": lambda: "\ud800",
    "a null": lambda: "a\0b",
    "bytes": lambda: b"resnet18",
    "a list": lambda: [1],
    "no list": list,
    "texts": lambda: ["resnet18", 3],
    "a dictionary": lambda: {"a": 1},
    "weights": lambda: kept().state_dict(),
    "a set": lambda: {1, 2},
    "a tuple": lambda: (1, "a"),
    "endless": itertools.count,
    "a generator": lambda: (each for each in "ab"),
    "a function": lambda: len,
    "a class": lambda: int,
    "rude": Rude,
    "a path": lambda: pathlib.Path("nowhere.pth"),
    "a rude path": lambda: RudePath("a"),
    "a stream of text": lambda: io.StringIO("a"),
    "an empty stream": io.BytesIO,
    "an array": lambda: np.zeros((3, 3)),
    "NumPy's number": lambda: np.float32(0.3),
    "NumPy's text": lambda: np.str_("resnet18"),
    "a tensor": lambda: torch.zeros(3),
    "images": lambda: torch.zeros(1, 3, 4, 4),
    "a device": lambda: torch.device("cpu"),
    "a type": lambda: torch.int8,
    "another network": lambda: torch.nn.Linear(9, 9),
    "a module": lambda: torch,
    "a spec": lambda: zoo.spec("nin"),
    "an exception": lambda: ValueError("a\nb"),
}

NO_DATA = zoo.Data(name="nothing", class_names=("a",))

CALLS: dict[str, Callable[[Any], object]] = {
    "create": lambda value: zoo.create(value, device="meta"),
    "create, num_classes": lambda value: zoo.create(TINY, num_classes=value, device="meta"),
    "create, in_channels": lambda value: zoo.create(TINY, in_channels=value, device="meta"),
    "create, weights": lambda value: zoo.create(TINY, weights=value),
    "create, device": lambda value: zoo.create(TINY, device=value),
    "create, dtype": lambda value: zoo.create(TINY, dtype=value, device="meta"),
    "create, width": lambda value: zoo.create("mobilenet_v1", width=value, device="meta"),
    "create, separable": lambda value: zoo.create("mobilenet_v1", separable=value, device="meta"),
    "create, surplus": lambda value: zoo.create("mobilenet_v1", surplus=value, device="meta"),
    "spec": lambda value: zoo.spec(value),
    "recipe": lambda value: zoo.recipe(value),
    "recipe, model": lambda value: zoo.recipe("paper", value),
    "recipe, epochs": lambda value: zoo.recipe("sample", epochs=value),
    "recipe, mirror": lambda value: zoo.recipe("sample", mirror=value),
    "recipe, opt": lambda value: zoo.recipe("sample", opt=value),
    "open_data": lambda value: zoo.open_data(value),
    "train": lambda value: zoo.train(value, NO_DATA),
    "train, data": lambda value: zoo.train(kept(), value),
    "train, recipe": lambda value: zoo.train(kept(), NO_DATA, value),
    "train, seed": lambda value: zoo.train(kept(), NO_DATA, seed=value),
    "train, output_dir": lambda value: zoo.train(kept(), NO_DATA, output_dir=value),
    "train, workers": lambda value: zoo.train(kept(), NO_DATA, workers=value),
    "evaluate": lambda value: zoo.evaluate(value, NO_DATA),
    "evaluate, data": lambda value: zoo.evaluate(kept(), value),
    "list_models": lambda value: zoo.list_models(value),
    "list_models, exclude": lambda value: zoo.list_models(exclude=value),
    "list_models, family": lambda value: zoo.list_models(family=value),
    "list_models, weights": lambda value: zoo.list_models(weights=value),
    "load": lambda value: zoo.load(value),
    "load_weights, model": lambda value: zoo.load_weights(value, "nowhere.pth"),
    "load_weights, source": lambda value: zoo.load_weights(kept(), value),
    "load_weights, input": lambda value: zoo.load_weights(kept(), kept().state_dict(), input=value),
    "save_weights, model": lambda value: zoo.save_weights(value, "model.pth"),
    "save_weights, path": lambda value: zoo.save_weights(kept(), value),
    "preprocessing": lambda value: zoo.preprocessing(value),
    "open_runtime, model": lambda value: zoo.open_runtime(value, torch.zeros(1, 3, 32, 32), "eager"),
    "open_runtime, images": lambda value: zoo.open_runtime(kept(), value, "eager"),
    "open_runtime, runtime": lambda value: zoo.open_runtime(kept(), torch.zeros(1, 3, 32, 32), value),
    "export_onnx, model": lambda value: zoo.export_onnx(value, "model.onnx"),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("call", CALLS)
def test_an_answer_or_one_short_line(call: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    wrong = []
    for name, made in OBJECTS.items():
        if call == "open_runtime, runtime" and name == "nothing":
            continue
        try:
            CALLS[call](made())
        except ERRORS as error:
            if "\n" in str(error) or not 0 < len(str(error)) <= LONGEST:
                wrong.append(f"{name}: {type(error).__name__} of {len(str(error))} characters: {str(error)[:80]!r}")
        except Exception as error:
            wrong.append(f"{name}: {type(error).__name__}: {str(error)[:80]}")
    assert wrong == []


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("num_classes", np.int64(10)),
        ("num_classes", torch.tensor([3, 9]).max() + 1),
        ("in_channels", np.uint8(1)),
        ("width", np.float32(0.5)),
        ("width", np.float64(0.75)),
        ("resolution", np.int64(160)),
        ("resolution", np.int16(128)),
    ],
)
def test_numbers_of_numpy_and_pytorch_are_numbers(name: str, given: Any) -> None:
    model = zoo.create("mobilenet_v1", device="meta", **{name: given})
    plain = zoo.create("mobilenet_v1", device="meta", **{name: given.item()})
    assert model.spec == plain.spec
    assert (model.num_classes, model.in_channels) == (plain.num_classes, plain.in_channels)
    assert all(type(value) in (int, float, bool, str) for _, value in model.spec.options)


def test_a_line_is_short_and_plain() -> None:
    assert one_line("a\n b\tc\x1b[0m\ud800") == "a b c\\x1b[0m\\ud800"
    assert len(one_line("x" * 10**6)) == LONGEST and one_line("x" * LONGEST) == "x" * LONGEST
    assert shown({"a": 1}) == "a value of type dict" and shown("a" * 100).endswith("aaa'") and shown(0.5) == "0.5"
    assert str(zoo.WeightsError("one\ntwo" + "." * 1000)).startswith("one two...")


def test_several_patterns_and_some_left_out() -> None:
    assert zoo.list_models(["resnet1*", "nin"], exclude="resnet152") == ["nin", "resnet101", "resnet18"]
    assert zoo.list_models(("vgg*",), exclude=["*_bn", "*_c"]) == ["vgg11", "vgg13", "vgg16", "vgg19"]
    assert zoo.list_models([]) == []
    for wrong, message in (
        ({"family": "mobilenet"}, "did you mean mobilenet_v1"),
        ({"weights": "foo"}, "allowed: any, "),
    ):
        with pytest.raises(zoo.UnknownModel, match=message):
            zoo.list_models(**wrong)
