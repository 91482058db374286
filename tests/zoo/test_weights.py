"""Trained weights: what loads, what is refused, and that a refusal changes nothing."""

from __future__ import annotations

import os
import pickle
import sys
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn

import zoo
from zoo.weights import CHECKPOINTS, LAYOUTS, export_weights
from zoo.weights.layout import apply_conventions, conventions_of

SMALL = "mobilenet_v1:width=0.25,resolution=64"
DATA = Path(os.environ.get("ZOO_TEST_DATA", Path(__file__).parents[2] / ".." / "shared" / "data"))


def small(**options: Any) -> zoo.Classifier:
    return zoo.create(SMALL, **options).eval()


def bits(model: zoo.Classifier) -> dict[str, torch.Tensor]:
    return {key: tensor.clone() for key, tensor in model.state_dict().items()}


def same(model: zoo.Classifier, state: dict[str, torch.Tensor]) -> bool:
    now = model.state_dict()
    return now.keys() == state.keys() and all(torch.equal(now[key], state[key]) for key in state)


def logits(model: zoo.Classifier, size: int = 64, channels: int = 3) -> torch.Tensor:
    images = torch.rand(2, channels, size, size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return model.eval()(images)


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
    with pytest.raises(zoo.WeightsError, match=r"saved as \.safetensors"):
        zoo.save_weights(small(), tmp_path / "model.pth")
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
    with pytest.raises(
        zoo.WeightsError, match=r"conv_stem.weight has shape \(8, 3, 3, 3\), the model's \(8, 2, 3, 3\)"
    ):
        small(weights=timm_file, in_channels=2)


def test_another_input_size_is_said(tmp_path: Path) -> None:
    zoo.save_weights(small(), tmp_path / "model.safetensors")
    with pytest.warns(UserWarning, match="trained at 64 pixels, mobilenet_v1:resolution=96,width=0.25 takes 96"):
        model = zoo.create("mobilenet_v1:width=0.25,resolution=96", weights=tmp_path / "model.safetensors")
    assert model.spec.input.size == 96
    assert model.spec.input.resize == round(zoo.spec(SMALL).input.resize * 96 / 64)


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


# --- refused, and nothing changed -------------------------------------------------------------------------------------


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


def _files(folder: Path) -> dict[str, Path]:
    model = small(num_classes=3)
    zoo.save_weights(model, folder / "zoo.safetensors")
    torch.save(model.state_dict(), folder / "zip.pth")
    torch.save(model.state_dict(), folder / "old.pth", _use_new_zipfile_serialization=False)
    files = {path.name: path for path in folder.iterdir()}
    if find_spec("h5py"):
        import h5py

        with h5py.File(folder / "keras.h5", "w") as file:
            layers: dict[str, list[tuple[str, torch.Tensor]]] = {}
            for key, tensor in export_weights(model, "keras").items():
                layers.setdefault(key.partition("/")[0], []).append((f"{key}:0", tensor))
            file.attrs["layer_names"] = [layer.encode() for layer in layers]
            for layer, tensors in layers.items():
                group = file.create_group(layer)
                group.attrs["weight_names"] = [name.encode() for name, _ in tensors]
                for name, tensor in tensors:
                    group.create_dataset(name, data=tensor.numpy())
        files["keras.h5"] = folder / "keras.h5"
    return files


@pytest.mark.filterwarnings("ignore")
def test_truncated_files_are_refused_at_any_length(tmp_path: Path) -> None:
    model = small(num_classes=3)
    before, input_before = bits(model), model.spec.input
    for name, path in _files(tmp_path).items():
        zoo.load_weights(small(num_classes=3), path)  # whole, it loads
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
    return {name: path.read_bytes() for name, path in _files(tmp_path_factory.mktemp("whole")).items()}


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
    model = small(num_classes=3)
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
    with pytest.raises(
        zoo.WeightsError, match="another network; 5 of its 164 keys are known as zoo or torchvision would name them"
    ):
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


# --- the published rows -----------------------------------------------------------------------------------------------


def test_rows_of_torchvision_agree_with_its_own_metadata() -> None:
    from torchvision import models

    for name, rows in CHECKPOINTS.items():
        for row in rows:
            if row.source == "torchvision":
                theirs = models.get_model_weights(name)[f"IMAGENET1K_V{2 if row.tag.endswith('v2') else 1}"]
                accuracy = theirs.meta["_metrics"]["ImageNet-1K"]
                assert row.url == theirs.url
                assert row.recipe == theirs.meta["recipe"]
                assert row.size_mb == pytest.approx(theirs.meta["_file_size"] * 1.048576, abs=1e-3)
                assert row.published is not None
                assert row.published.top1 == pytest.approx(accuracy["acc@1"] / 100)
                assert row.published.top5 == pytest.approx(accuracy["acc@5"] / 100)
                assert row.input.size == theirs.transforms().crop_size[0]
                assert row.input.resize == theirs.transforms().resize_size[0]
                assert row.sha256 in row.file_name


def test_every_row_can_be_told_apart_and_fits_its_model() -> None:
    for name, rows in CHECKPOINTS.items():
        spec = zoo.spec(name)
        assert spec.weights == rows
        assert len({(row.tag, row.options) for row in rows}) == len(rows)
        for row in rows:
            assert LAYOUTS[row.source].has(spec)
            assert row.input.size == spec.with_options(dict(row.options)).input.size
            assert row.licence
            assert row.published is not None


def test_all_sixteen_mobilenets_of_keras_are_there() -> None:
    variants = {row.options for row in CHECKPOINTS["mobilenet_v1"] if row.tag == "keras"}
    assert len(variants) == 16


def test_list_models_finds_them() -> None:
    assert zoo.list_models(weights="keras") == ["mobilenet_v1", "xception"]
    assert zoo.list_models(weights="torchvision_v2") == ["resnet101", "resnet152", "resnet50"]
    assert set(zoo.list_models(weights="any")) == set(CHECKPOINTS)


# --- Keras's other formats --------------------------------------------------------------------------------------------


@pytest.mark.skipif(not find_spec("keras"), reason="keras is not installed")
@pytest.mark.filterwarnings("ignore")
def test_what_keras_itself_writes_loads(tmp_path: Path) -> None:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras

    network = keras.applications.MobileNet(alpha=0.25, input_shape=(64, 64, 3), weights=None, classes=9)
    network.save_weights(tmp_path / "new.weights.h5")
    network.save(tmp_path / "whole.h5")
    states = [bits(small(num_classes=9, weights=tmp_path / name)) for name in ("new.weights.h5", "whole.h5")]
    kernel = torch.from_numpy(network.get_layer("conv1").get_weights()[0]).permute(3, 2, 0, 1)
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    assert torch.equal(states[0]["features.conv_1.conv.weight"], kernel)


# --- real weights -----------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not (DATA / "mobilenet_2_5_128_tf.h5").is_file(), reason="the sample is not here")
def test_the_trained_network_sees_what_an_independent_implementation_sees() -> None:
    from PIL import Image

    model = zoo.create("mobilenet_v1:width=0.25,resolution=128", weights=DATA / "mobilenet_2_5_128_tf.h5").eval()
    transform = zoo.preprocessing(model)
    names = (Path(zoo.__file__).parent / "weights" / "imagenet_wnids.txt").read_text().splitlines()
    ids = [line.partition("\t")[0] for line in names]
    paths = sorted((DATA / "imagenet_sample").glob("*/*.JPEG"))
    labels = torch.tensor([ids.index(path.parent.name) for path in paths])
    images = torch.stack([transform(Image.open(path)) for path in paths])
    with torch.inference_mode():
        best = torch.cat([model(batch).topk(5).indices for batch in images.split(50)])
    right = best == labels[:, None]
    assert len(paths) == 250
    assert abs(int(right[:, 0].sum()) - 114) <= 3
    assert abs(int(right.any(dim=1).sum()) - 181) <= 3
