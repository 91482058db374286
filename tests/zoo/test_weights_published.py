"""The published checkpoints as rows of data, what Keras itself writes, and one network with its true weights."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

import zoo
from tests.zoo.weight_files import bits, small
from zoo.weights import CHECKPOINTS, LAYOUTS

DATA = Path(os.environ.get("ZOO_TEST_DATA", Path(__file__).parents[2] / ".." / "shared" / "data"))

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
