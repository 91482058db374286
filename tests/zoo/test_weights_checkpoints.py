"""What training scripts save, of which the weights are a part."""

from __future__ import annotations

import argparse
import collections
import datetime
import io
import json
import pathlib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import zoo
from tests.zoo.weight_files import SMALL, bits, logits, same, small, tiny, write_keras
from zoo.weights import LAYOUTS, export_weights
from zoo.weights.layout import conventions_of

State = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def trained() -> zoo.Classifier:
    torch.manual_seed(5)
    return zoo.create("resnet18", num_classes=4)


@pytest.fixture(scope="module")
def state(trained: zoo.Classifier) -> State:
    return export_weights(trained, "torchvision")


def behind(beginning: str, state: State) -> State:
    return {f"{beginning}{key}": tensor for key, tensor in state.items()}


def averaged(state: State) -> State:
    return {"n_averaged": torch.tensor(9), **{f"module.{key}": tensor * 2 for key, tensor in state.items()}}


def arguments() -> argparse.Namespace:
    return argparse.Namespace(
        lr=np.float64(0.1), output=pathlib.Path("runs"), when=datetime.datetime(2026, 1, 1), amp=None, sizes={1, 2},
        dtype=torch.float16, device=torch.device("cpu"), seed=np.int64(3), counts=collections.Counter("ab"),
        shape=torch.Size([1, 2]), array=np.arange(3), since=datetime.timedelta(hours=1), version=torch.__version__,
    )  # fmt: skip


def momentum(state: State) -> dict[str, Any]:
    return {"state": {0: {"momentum_buffer": torch.zeros(5)}}, "param_groups": [{"lr": 0.1, "params": [0]}]}


# name: how the script writes it, and a part of what is said
SCRIPTS: dict[str, tuple[Callable[[State], Any], str]] = {
    "DDP": (lambda state: behind("module.", state), "behind 'module.'"),
    "torch.compile": (lambda state: behind("_orig_mod.", state), "behind '_orig_mod.'"),
    "both": (lambda state: behind("module._orig_mod.", state), "behind '_orig_mod.', 'module.'"),
    "a compiled part": (lambda state: {key.replace("layer1.", "layer1._orig_mod."): tensor
                                       for key, tensor in state.items()}, "'_orig_mod.'"),
    "torchvision": (lambda state: {"model": state, "optimizer": momentum(state), "lr_scheduler": {"last_epoch": 3},
                                   "epoch": 3, "args": arguments(), "model_ema": averaged(state)}, "ema=True"),
    "timm": (lambda state: {"epoch": 3, "arch": "resnet18", "state_dict": state, "optimizer": momentum(state),
                            "version": 2, "args": arguments(), "state_dict_ema": averaged(state), "metric": 71.0},
             "ema=True"),
    "Lightning": (lambda state: {"epoch": 1, "pytorch-lightning_version": "2.5", "state_dict": behind("model.", state)
                                 | {"criterion.weight": torch.ones(4)}, "callbacks": {"ModelCheckpoint{'monitor': 'a'}":
                                 {"best_model_path": pathlib.PurePosixPath("a.ckpt")}}, "hyper_parameters": {"lr": 0.1},
                                 "loops": {}, "optimizer_states": [momentum(state)]}, "1 tensors of something else"),
    "Lightning's net": (lambda state: {"state_dict": behind("net._orig_mod.", state)}, "'net.'"),
    "fastai": (lambda state: {"model": state, "opt": {"hypers": [{"lr": 1e-3}], "state": []}}, "under 'model'"),
    "a deep one": (lambda state: {"run": {"best": {"network": state}}}, "under 'run.best.network'"),
    "an ordered one": (lambda state: {"model_state_dict": collections.OrderedDict(state)}, "under 'model_state_dict'"),
    "parameters": (lambda state: {key: torch.nn.Parameter(tensor, requires_grad=False) if tensor.is_floating_point()
                                  else tensor for key, tensor in state.items()}, "does not say"),
    "a teacher beside": (lambda state: {"state_dict": behind("model.", state) | behind("teacher.",
                         {key: tensor * 3 for key, tensor in state.items()})}, "'model.'"),
}  # fmt: skip


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("script", SCRIPTS)
def test_the_weights_are_found(
    script: str, zipped: bool, trained: zoo.Classifier, state: State, tmp_path: Path
) -> None:
    write, said = SCRIPTS[script]
    torch.save(write(state), tmp_path / "last.ckpt", _use_new_zipfile_serialization=zipped)
    with pytest.warns(UserWarning) as caught:
        model = zoo.create("resnet18", weights=tmp_path / "last.ckpt")
    assert same(model, bits(trained))
    assert any(said in str(warning.message) for warning in caught)
    assert all("\n" not in str(warning.message) for warning in caught)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("script", ["torchvision", "timm"])
def test_averaged_weights_are_taken_where_asked_for(script: str, state: State, tmp_path: Path) -> None:
    torch.save(SCRIPTS[script][0](state), tmp_path / "last.pth")
    model = zoo.create("resnet18", num_classes=4)
    zoo.load_weights(model, tmp_path / "last.pth", ema=True)
    assert torch.equal(model.head.fc.weight, state["fc.weight"] * 2)
    torch.save(state, tmp_path / "plain.pth")
    with pytest.raises(zoo.WeightsError, match=r"holds no averaged \(EMA\) weights"):
        zoo.load_weights(model, tmp_path / "plain.pth", ema=True)


@pytest.mark.filterwarnings("ignore:.*does not say which preprocessing")
def test_an_averaged_model_alone_is_taken_and_said(state: State, tmp_path: Path) -> None:
    torch.save({"ema": averaged(state)}, tmp_path / "ema.pth")
    with pytest.warns(UserWarning, match=r"holds averaged \(EMA\) weights only, under 'ema'"):
        model = zoo.create("resnet18", weights=tmp_path / "ema.pth")
    assert torch.equal(model.head.fc.weight, state["fc.weight"] * 2)


def test_two_networks_that_fit_equally_well_are_not_chosen_from(state: State, tmp_path: Path) -> None:
    torch.save({"state_dict": behind("encoder_q.", state) | behind("encoder_k.", state)}, tmp_path / "moco.pth")
    with pytest.raises(zoo.WeightsError, match="2 networks that fit equally well"):
        zoo.create("resnet18", weights=tmp_path / "moco.pth")


# --- dictionaries and open files --------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore")
def test_a_state_dict_is_taken_and_stays_the_caller_s(trained: zoo.Classifier) -> None:
    given = trained.state_dict()
    for source in (given, {"model": given}, behind("module.", given)):
        model = zoo.create("resnet18", weights=source)
        assert same(model, bits(trained))
        with torch.no_grad():
            model.head.fc.weight.zero_()
        assert not torch.equal(model.head.fc.weight, trained.head.fc.weight)


@pytest.mark.filterwarnings("ignore")
def test_an_open_file_is_read_from_where_it_stands(tmp_path: Path) -> None:
    model = tiny()
    for name in ("model.safetensors", "model.pth"):
        zoo.save_weights(model, tmp_path / name)
        content = (tmp_path / name).read_bytes()
        with (tmp_path / name).open("rb") as file:
            assert same(tiny(weights=file), bits(model))
        stream = io.BytesIO(b"before" + content)
        stream.seek(6)
        assert same(tiny(weights=stream), bits(model))
    with pytest.raises(zoo.WeightsError, match="open file of weights is a text file"):
        tiny(weights=io.BytesIO(b"no weights at all"))
    with pytest.raises(zoo.WeightsError, match="gives bytes"):
        tiny(weights=io.StringIO("no weights at all"))


# --- files without a classifier ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["resnet18", "vgg11:head=conv1x1"])
def test_a_backbone_alone_is_loaded_and_the_rest_is_new(name: str) -> None:
    whole = zoo.create(name)
    state = {key: tensor for key, tensor in whole.state_dict().items() if key.startswith("features.")}
    with pytest.warns(UserWarning, match="has no classifier: features are loaded, the last layer is new, of 7 classes"):
        model = zoo.create(name, weights=state, num_classes=7)
    assert torch.equal(next(model.features.parameters()), next(whole.features.parameters()))
    assert logits(model, 96).shape == (2, 7) and bool(logits(model, 96).isfinite().all())


@pytest.mark.filterwarnings("ignore:.*does not say")
def test_keras_without_its_top(tmp_path: Path) -> None:
    pytest.importorskip("h5py")
    whole = tiny()
    tensors = {key: tensor for key, tensor in export_weights(whole, "keras").items() if "conv_preds" not in key}
    write_keras(tmp_path / "no_top.h5", tensors)
    with pytest.warns(UserWarning, match="has no classifier"):
        model = tiny(weights=tmp_path / "no_top.h5", num_classes=5)
    assert torch.equal(model.features.conv_1.conv.weight, whole.features.conv_1.conv.weight)


@pytest.mark.filterwarnings("ignore:.*does not say")
@pytest.mark.parametrize("name", ["resnet18", "nin", "vgg11:head=conv1x1"])
def test_the_classes_are_the_file_s_unless_others_are_said(name: str) -> None:
    five = zoo.create(name, num_classes=5)
    assert zoo.create(name, weights=five.state_dict()).num_classes == 5
    with pytest.warns(UserWarning, match="the file has 5 classes, the model 7") as caught:
        assert zoo.create(name, weights=five.state_dict(), num_classes=7).num_classes == 7
    assert len([warning for warning in caught if "last layer is new" in str(warning.message)]) == 1
    pooled = zoo.create(name, weights=five.state_dict(), num_classes=0)
    assert pooled.num_classes == 0
    five.reset_classifier(0)
    assert torch.equal(logits(pooled, 96), logits(five, 96))


def test_a_classifier_of_two_minds_is_refused(trained: zoo.Classifier, state: State) -> None:
    wrong = state | {"fc.bias": torch.zeros(2)}
    before = bits(trained)
    with pytest.raises(zoo.WeightsError, match=r"different numbers of classes: fc\.weight 4, fc\.bias 2"):
        zoo.load_weights(trained, wrong)
    with pytest.raises(zoo.WeightsError, match=r"fc\.bias is missing"):
        zoo.load_weights(trained, {key: tensor for key, tensor in state.items() if key != "fc.bias"})
    assert same(trained, before)


@pytest.mark.filterwarnings("ignore:.*does not say which preprocessing")
def test_weights_that_are_no_numbers_are_said(state: State) -> None:
    with pytest.warns(
        UserWarning, match=r"1 of the file's tensors hold NaN or infinite numbers, the first is bn1\.bias"
    ):
        zoo.create("resnet18", weights=state | {"bn1.bias": torch.full((64,), torch.nan)})


# --- other channels ---------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:.*does not say whose padding")
@pytest.mark.parametrize("channels", [1, 2, 4, 6])
def test_filters_for_other_channels_see_equal_channels_as_before(channels: int) -> None:
    colour = small()
    with pytest.warns(UserWarning, match=f"the model reads {channels} channel"):
        other = small(weights=colour.state_dict(), in_channels=channels)
    images = torch.rand(2, 1, 64, 64)
    with torch.no_grad():
        expected = colour(images.expand(-1, 3, -1, -1))
        torch.testing.assert_close(other(images.expand(-1, channels, -1, -1)), expected, rtol=1e-4, atol=1e-4)


# --- preprocessing ----------------------------------------------------------------------------------------------------


def test_a_guess_is_said_and_can_be_stated(state: State) -> None:
    with pytest.warns(UserWarning, match=r"does not say which preprocessing .* zoo\.load_weights\(model, PATH, input="):
        zoo.create("resnet18", weights=state)
    model = zoo.create("googlenet")
    stated = zoo.Input(size=224, resize=232, mean=(0.1, 0.2, 0.3), std=(1.0, 1.0, 1.0))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        zoo.load_weights(model, export_weights(model, "torchvision"), input=stated)
    assert (model.spec.input.mean, model.spec.input.resize) == (stated.mean, 232)
    with pytest.raises(zoo.InvalidOption, match=r"input takes a zoo\.Input"):
        zoo.load_weights(model, model.state_dict(), input=zoo.Input(resize=10**6))


@pytest.mark.filterwarnings("ignore:.*the weights are those")
def test_what_lies_beside_the_weights_states_it(state: State, tmp_path: Path) -> None:
    script = argparse.Namespace(val_crop_size=224, val_resize_size=232, interpolation="bicubic")
    torch.save({"model": state, "args": script}, tmp_path / "torchvision.pth")
    timm = argparse.Namespace(
        mean=[0.5, 0.5, 0.5], std=[0.25] * 3, img_size=224, crop_pct=0.95, interpolation="bicubic"
    )
    torch.save({"state_dict": state, "args": timm}, tmp_path / "timm.pth")
    config = {"architecture": "resnet18", "pretrained_cfg": {"input_size": [3, 224, 224], "crop_pct": 0.95,
              "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25], "interpolation": "bicubic"}}  # fmt: skip
    (tmp_path / "hub").mkdir()
    (tmp_path / "hub" / "config.json").write_text(json.dumps(config))
    torch.save(state, tmp_path / "hub" / "pytorch_model.pth")
    for path, resize, mean in (
        ("torchvision.pth", 232, 0.485),
        ("timm.pth", 235, 0.5),
        ("hub/pytorch_model.pth", 235, 0.5),
    ):
        with warnings.catch_warnings():
            warnings.filterwarnings("error", ".*does not say.*")
            model = zoo.create("resnet18", weights=tmp_path / path)
        assert (model.spec.input.resize, model.spec.input.mean[0], model.spec.input.interpolation) == (
            resize,
            mean,
            "bicubic",
        )


@pytest.mark.filterwarnings("ignore:.*does not say")
def test_conventions_outlive_synchronised_norms(tmp_path: Path) -> None:
    torch.save(export_weights(small(), "timm"), tmp_path / "timm.pth")
    model = small(weights=tmp_path / "timm.pth")
    expected = logits(model)
    synchronised = torch.nn.SyncBatchNorm.convert_sync_batchnorm(model)
    assert conventions_of(synchronised) == LAYOUTS["timm"].conventions(synchronised)
    zoo.save_weights(synchronised, tmp_path / "model.safetensors")
    assert torch.equal(logits(zoo.create(SMALL, weights=tmp_path / "model.safetensors")), expected)
    zoo.load_weights(synchronised, tmp_path / "timm.pth")
    assert set(conventions_of(synchronised).values()) == {1e-5}


@pytest.mark.parametrize("nothing", [{}, {"epoch": 3}, {"model": {"lr": 0.1}, 3: torch.zeros(2)}])
def test_a_dictionary_without_tensors_by_name_is_refused(nothing: dict[Any, Any]) -> None:
    with pytest.raises(zoo.WeightsError, match="holds no tensors by name"):
        zoo.create(SMALL, weights=nothing)
