"""Trained weights that are refused: why, and that a refusal changes nothing."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

import zoo
from tests.zoo.weight_files import bits, same, small, tiny, write_all
from zoo.weights import export_weights
from zoo.weights.layout import conventions_of


@pytest.fixture
def timm_file(tmp_path: Path) -> Path:
    """SMALL with random weights, as timm would write it."""
    path = tmp_path / "small.safetensors"
    save_file({key: tensor.contiguous() for key, tensor in export_weights(small(), "timm").items()}, path)
    return path


class Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self.path,)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("plain", [False, True])
def test_a_pickle_that_would_run_code_is_refused(plain: bool, tmp_path: Path) -> None:
    path, mark = tmp_path / "bomb.pth", tmp_path / "exploded"
    if plain:
        path.write_bytes(pickle.dumps(Bomb(mark)))
    else:
        torch.save({**small().state_dict(), "extra": Bomb(mark)}, path)
    with pytest.raises(zoo.WeightsError, match=r"refused|cannot be read"):
        small(weights=path)
    assert not mark.exists()


@pytest.mark.filterwarnings("ignore")
def test_truncated_files_are_refused_at_any_length(tmp_path: Path) -> None:
    model = tiny()
    before, input_before = bits(model), model.spec.input
    for name, path in write_all(tmp_path, tiny()).items():
        zoo.load_weights(tiny(), path)  # whole, it loads
        whole = path.read_bytes()
        for length in (0, 1, 8, 9, 100, 5000, len(whole) // 2, len(whole) - 1000, len(whole) - 1):
            cut = tmp_path / f"cut-{name}"
            cut.write_bytes(whole[:length])
            if name == "keras.h5" and length == len(whole) - 1:
                continue  # HDF5's last byte may be padding
            with pytest.raises(zoo.WeightsError, match="cut-"):
                zoo.load_weights(model, cut)
    assert same(model, before)
    assert model.spec.input == input_before


@pytest.fixture(scope="module")
def whole_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return {name: path.read_bytes() for name, path in write_all(tmp_path_factory.mktemp("whole"), tiny()).items()}


@settings(max_examples=40, deadline=None)
@given(data=st.data())
@pytest.mark.filterwarnings("ignore")
def test_damaged_files_load_or_are_refused(
    whole_files: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(sorted(whole_files)))
    damaged = bytearray(whole_files[name])
    for _ in range(data.draw(st.integers(1, 20))):
        # headers and directories are at the ends
        place = data.draw(st.one_of(st.integers(0, 3000), st.integers(len(damaged) - 9000, len(damaged) - 1)))
        damaged[place] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / name
    path.write_bytes(damaged)
    model = tiny()
    before = bits(model)
    try:
        zoo.load_weights(model, path)
    except zoo.WeightsError as error:
        assert "\n" not in str(error)
        assert same(model, before)


def test_mismatches_are_named_and_nothing_is_written(timm_file: Path, tmp_path: Path) -> None:
    good = dict(export_weights(small(), "timm"))
    wrong = {
        "blocks.0.0.conv_dw.weight is missing": {k: v for k, v in good.items() if k != "blocks.0.0.conv_dw.weight"},
        "surplus.weight is not in the model": good | {"surplus.weight": torch.zeros(3)},
        r"bn1.bias has shape \(9,\), the model's \(8,\)": good | {"bn1.bias": torch.zeros(9)},
        "bn1.bias is of torch.int8": good | {"bn1.bias": torch.zeros(8, dtype=torch.int8)},
        r"conv_stem.weight has shape \(8,\)": good | {"conv_stem.weight": torch.zeros(8)},
        r"classifier.weight has shape \(1000, 9\)": good | {"classifier.weight": torch.zeros(1000, 9)},
    }
    model = small()
    before = bits(model)
    for message, state in wrong.items():
        path = tmp_path / "wrong.safetensors"
        save_file({key: tensor.contiguous() for key, tensor in state.items()}, path)
        with pytest.raises(zoo.WeightsError, match=message):
            zoo.load_weights(model, path)
        with pytest.raises(zoo.WeightsError, match=message):
            small(weights=path)
    assert same(model, before)
    assert set(conventions_of(model).values()) == {1e-3}


def test_another_width_or_architecture_is_refused_in_one_line(timm_file: Path, tmp_path: Path) -> None:
    with pytest.raises(zoo.WeightsError, match=r"does not fit mobilenet_v1:width=0.5: .*; and \d+ more") as error:
        zoo.create("mobilenet_v1:width=0.5", weights=timm_file)
    assert "conv_stem.weight has shape (8, 3, 3, 3), the model's (16, 3, 3, 3)" in str(error.value)
    assert len(str(error.value)) < 700
    with pytest.raises(zoo.WeightsError, match="another network; 5 of its 164 keys are known as zoo or torchvision"):
        zoo.create("resnet18", weights=timm_file)
    torch.save(export_weights(zoo.create("resnet18"), "torchvision"), tmp_path / "resnet18.pth")
    with pytest.raises(zoo.WeightsError, match="does not fit resnet34"):
        zoo.create("resnet34", weights=tmp_path / "resnet18.pth")


@pytest.mark.parametrize(
    ("name", "option"),
    [("resnet50", {"stride_in": "1x1"}), ("mobilenet_v1", {"activation": "relu"})],
)
def test_a_variant_that_no_shape_shows_is_refused(name: str, option: dict[str, str], tmp_path: Path) -> None:
    source = zoo.spec(name).weights[-1].source
    path = tmp_path / "weights.pth"
    torch.save(export_weights(zoo.create(name), source), path)
    ((key, value),) = option.items()
    with pytest.raises(zoo.WeightsError, match=f"{source}'s weights are of {key}=.*, the model has {value}"):
        zoo.create(name, **option, weights=path)


def test_a_file_of_another_variant_of_the_zoo_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    zoo.save_weights(zoo.create("resnet50:stride_in=1x1"), path)
    with pytest.raises(zoo.WeightsError, match="the variant stride_in=1x1, the model has stride_in=3x3"):
        zoo.create("resnet50", weights=path)
    with pytest.raises(zoo.WeightsError, match="holds the model 'resnet50', not 'resnet101'"):
        zoo.create("resnet101", weights=path)


@pytest.mark.parametrize(
    "header",
    ["{", "[]", '{"model": "mobilenet_v1"}',
     '{"model": "mobilenet_v1", "options": [], "conventions": {"features.conv_1.conv.forward": "same"}, "input": {}}',
     '{"model": "mobilenet_v1", "options": [], "conventions": {"features.conv_1.norm.eps": -1}, "input": {}}'],
)  # fmt: skip
def test_a_damaged_header_is_refused(header: str, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file(small().state_dict(), path, metadata={"comparative-cnn-zoo": header})
    with pytest.raises(zoo.WeightsError, match=r"header .* is damaged"):
        small(weights=path)


@pytest.mark.parametrize("content", [[1, 2], {"a": 1}, {}, torch.zeros(3), {1: torch.zeros(3)}])
def test_a_file_of_something_else_is_refused(content: object, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "weights.pth")
    with pytest.raises(zoo.WeightsError, match=r"weights\.pth"):
        small(weights=tmp_path / "weights.pth")


@pytest.mark.parametrize("source", ["nowhere.pth", "", 3, True, "imagenet:nobody", "imagenet:torchvision"])
def test_a_source_that_is_none_says_what_there_is(source: Any) -> None:
    with pytest.raises(zoo.WeightsError, match="imagenet"):
        small(weights=source)


def test_hdf5_without_h5py_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "weights.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(zoo.WeightsError, match="needs h5py"):
        small(weights=tmp_path / "weights.h5")
