"""Trained weights: what is saved comes back, into new networks and live ones, whatever their classes."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import zoo
from tests.zoo.weight_files import SMALL, bits, logits, same, small
from zoo.weights import LAYOUTS, export_weights
from zoo.weights.layout import apply_conventions, conventions_of

# what is said of every file that another library or a training script wrote; `test_weights_checkpoints` is about it
pytestmark = pytest.mark.filterwarnings("ignore:.*does not say which preprocessing", "ignore:.*the weights are those")


@pytest.fixture
def timm_file(tmp_path: Path) -> Path:
    """SMALL with random weights, as timm would write it."""
    path = tmp_path / "small.safetensors"
    save_file({key: tensor.contiguous() for key, tensor in export_weights(small(), "timm").items()}, path)
    return path


# --- round trips ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [SMALL, "resnet18", "googlenet:auxiliary=true", "xception", "alexnet_bn", "vgg11_bn"])
def test_saved_and_loaded_is_the_same_to_the_bit(name: str, tmp_path: Path) -> None:
    if name.startswith("vgg"):  # half a gigabyte: its convolutions only
        name = "vgg11_bn:head=global_pool"
    model = zoo.create(name)
    zoo.save_weights(model, tmp_path / "model.safetensors")
    again = zoo.create(name, weights=tmp_path / "model.safetensors")
    assert same(again, bits(model))
    assert torch.equal(logits(again, 128), logits(model, 128))


@pytest.mark.filterwarnings("ignore:.*does not say whose padding")
@pytest.mark.parametrize("name", [SMALL, "xception"])
def test_a_file_carries_the_conventions_of_its_weights(name: str, tmp_path: Path) -> None:
    model = zoo.create(name)
    apply_conventions(model, LAYOUTS["keras"].conventions(model))
    zoo.save_weights(model, tmp_path / "model.safetensors")
    again = zoo.create(name, weights=tmp_path / "model.safetensors")
    assert conventions_of(again) == conventions_of(model) == LAYOUTS["keras"].conventions(model)
    assert torch.equal(logits(again, 65), logits(model, 65))
    assert not torch.equal(logits(zoo.create(name, weights=_plain(model, tmp_path)), 65), logits(model, 65))


def _plain(model: zoo.Classifier, folder: Path) -> Path:
    path = folder / "plain.pth"
    torch.save(model.state_dict(), path)
    return path


def test_a_plain_state_dict_loads_and_says_what_it_lacks(tmp_path: Path) -> None:
    model = small()
    with pytest.warns(UserWarning, match="does not say whose padding"):
        again = small(weights=_plain(model, tmp_path))
    assert same(again, bits(model))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        zoo.create("resnet18", weights=_plain(zoo.create("resnet18"), tmp_path))


@pytest.mark.parametrize("wrapper", ["state_dict", "model"])
def test_the_weights_are_found_inside_a_training_checkpoint(wrapper: str, tmp_path: Path) -> None:
    model = zoo.create("resnet18")
    torch.save({wrapper: model.state_dict(), "epoch": 3}, tmp_path / "last.pth")
    assert same(zoo.create("resnet18", weights=tmp_path / "last.pth"), bits(model))


def test_the_old_pickle_format_loads_too(tmp_path: Path) -> None:
    model = zoo.create("resnet18")
    torch.save(export_weights(model, "torchvision"), tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert same(zoo.create("resnet18", weights=tmp_path / "old.pth"), bits(model))


def test_saving_replaces_the_file_a_network_lives_on(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    zoo.save_weights(small(), path)
    model = small(weights=path)
    before = bits(model)
    zoo.save_weights(small(), path)
    assert same(model, before)
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.safetensors"]


def test_saving_says_why_it_cannot(tmp_path: Path) -> None:
    with pytest.raises(zoo.WeightsError, match="cannot be written"):
        zoo.save_weights(small(), tmp_path / "nowhere" / "model.safetensors")


def test_export_knows_what_each_library_has() -> None:
    with pytest.raises(zoo.WeightsError, match="'resnet18' can be written for zoo, torchvision; got 'keras'"):
        export_weights(zoo.create("resnet18", device="meta"), "keras")


# --- a live network ---------------------------------------------------------------------------------------------------


def test_loading_keeps_the_parameters_an_optimizer_holds(timm_file: Path) -> None:
    model = zoo.create(SMALL, dtype=torch.float64)
    held = list(model.parameters())
    zoo.load_weights(model, timm_file)
    assert all(parameter is now for parameter, now in zip(held, model.parameters(), strict=True))
    assert model.head.fc.weight.dtype == torch.float64
    torch.testing.assert_close(logits(model.float()), logits(small(weights=timm_file)))


def test_a_network_of_a_file_trains(timm_file: Path) -> None:
    model = zoo.create(SMALL, weights=timm_file)
    before = timm_file.read_bytes()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model(torch.rand(4, 3, 64, 64)).square().mean().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    optimizer.step()
    assert timm_file.read_bytes() == before


def test_device_and_type_are_the_caller_s(timm_file: Path) -> None:
    assert small(weights=timm_file, dtype=torch.bfloat16).head.fc.weight.dtype == torch.bfloat16
    with pytest.raises(zoo.WeightsError, match="'meta' holds no weights"):
        small(weights=timm_file, device="meta")


def test_the_source_of_the_weights_sets_the_conventions(timm_file: Path, tmp_path: Path) -> None:
    model = small()
    apply_conventions(model, LAYOUTS["keras"].conventions(model))
    zoo.load_weights(model, timm_file)
    assert set(conventions_of(model).values()) == {1e-5}
    assert model.spec.input.interpolation == "bicubic"
    assert model.spec.input.size == 64


# --- adapted to the network -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["resnet18", "googlenet:auxiliary=true", "vgg11:head=conv1x1"])
def test_other_classes_keep_the_features_and_start_a_head(name: str, tmp_path: Path) -> None:
    whole = zoo.create(name, num_classes=20)
    zoo.save_weights(whole, tmp_path / "model.safetensors")
    with pytest.warns(UserWarning, match="the file has 20 classes, the model 7") as caught:
        model = zoo.create(name, num_classes=7, weights=tmp_path / "model.safetensors")
    assert len(caught) == 1
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(model.features.state_dict().values(),
               whole.features.state_dict().values(), strict=True))  # fmt: skip
    assert logits(model, 96).shape == (2, 7)
    assert all(bool(tensor.isfinite().all()) for tensor in model.state_dict().values())
    last = [layer for layer in model.head.modules() if isinstance(layer, (nn.Linear, nn.Conv2d))][-1]
    assert float(last.weight.detach().std()) > 0


def test_a_live_network_keeps_its_own_head(timm_file: Path) -> None:
    model = small(num_classes=7)
    head = bits(model)
    with pytest.warns(UserWarning, match="the file has 1000 classes"):
        zoo.load_weights(model, timm_file)
    assert torch.equal(model.head.fc.weight, head["head.fc.weight"])
    assert not torch.equal(model.features.conv_1.conv.weight, head["features.conv_1.conv.weight"])


def test_one_channel_gets_the_sum_of_the_filters(timm_file: Path) -> None:
    with pytest.warns(UserWarning, match="sum of those for red, green, blue"):
        grey = small(weights=timm_file, in_channels=1)
    colour = small(weights=timm_file)
    images = torch.rand(2, 1, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(grey(images), colour(images.expand(-1, 3, -1, -1)), rtol=1e-4, atol=1e-4)


def test_another_input_size_is_said(tmp_path: Path) -> None:
    zoo.save_weights(small(), tmp_path / "model.safetensors")
    with pytest.warns(UserWarning, match="trained at 64 pixels, mobilenet_v1:resolution=96,width=0.25 takes 96"):
        model = zoo.create("mobilenet_v1:width=0.25,resolution=96", weights=tmp_path / "model.safetensors")
    assert model.spec.input.size == 96
    assert model.spec.input.resize == round(zoo.spec(SMALL).input.resize * 96 / 64)


@pytest.mark.filterwarnings("ignore:.*does not say whose padding")
@pytest.mark.parametrize("auxiliary", [False, True])
def test_auxiliary_heads_of_a_file_are_optional(auxiliary: bool, tmp_path: Path) -> None:
    whole = zoo.create("googlenet:auxiliary=true")
    for source, path in (("torchvision", tmp_path / "a.pth"), ("zoo", tmp_path / "b.pth")):
        torch.save(export_weights(whole, source), path)
        model = zoo.create("googlenet", auxiliary=auxiliary, weights=path)
        assert torch.equal(logits(model, 96), logits(whole, 96))
        assert len(model.auxiliary) == 2 * auxiliary
    torch.save(export_weights(zoo.create("googlenet"), "torchvision"), tmp_path / "c.pth")
    with pytest.raises(zoo.WeightsError, match=r"aux1\.conv\.conv\.weight is missing"):
        zoo.create("googlenet:auxiliary=true", weights=tmp_path / "c.pth")


# --- folders ----------------------------------------------------------------------------------------------------------


def test_a_folder_is_searched_for_the_model_s_file(tmp_path: Path) -> None:
    model = zoo.create("resnet18")
    torch.save(export_weights(model, "torchvision"), tmp_path / "resnet18-f37072fd.pth")
    zoo.save_weights(zoo.create(SMALL), tmp_path / "other.safetensors")
    assert same(zoo.create("resnet18", weights=tmp_path), bits(model))
    with pytest.raises(zoo.WeightsError, match=r"should hold resnet34-b627a593\.pth; it has 2 weight files"):
        zoo.create("resnet34", weights=tmp_path)
    (tmp_path / "resnet18-f37072fd.pth").unlink()
    assert small(weights=tmp_path).num_classes == 1000
