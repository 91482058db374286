"""From photographs to tensors: each source's transform, pixel by pixel."""

from __future__ import annotations

import dataclasses
import pickle

import numpy as np
import pytest
import torch
from PIL import Image

import zoo


def photo(width: int = 321, height: int = 200, mode: str = "RGB") -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels).convert(mode)


@pytest.mark.parametrize("name", ["alexnet", "vgg16", "resnet18", "resnet50"])
def test_torchvision_transform_is_torchvision_s(name: str) -> None:
    from torchvision import models as torchvision_models

    weights = torchvision_models.get_model_weights(name).IMAGENET1K_V1
    theirs = weights.transforms()
    row = next(row for row in zoo.spec(name).weights if row.tag == "torchvision")
    spec = zoo.spec(name)
    assert spec.input.resize == row.input.resize == theirs.resize_size[0]
    torch.testing.assert_close(zoo.preprocessing(spec)(photo()), theirs(photo()), rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_ported_weights_see_what_torchvision_s_forward_makes_of_its_input(name: str) -> None:
    from torchvision import models as torchvision_models

    weights = torchvision_models.get_model_weights(name).IMAGENET1K_V1
    theirs = torchvision_models.get_model(name, init_weights=False, transform_input=True)._transform_input(
        weights.transforms()(photo())[None]
    )
    spec = dataclasses.replace(zoo.spec(name), input=zoo.spec(name).weights[0].input)
    torch.testing.assert_close(zoo.preprocessing(spec)(photo())[None], theirs, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("width", "height"), [(321, 200), (200, 321), (128, 128), (500, 375), (130, 129)])
def test_keras_rounds_the_longer_side_and_takes_margins_down(width: int, height: int) -> None:
    row = next(row for row in zoo.spec("mobilenet_v1").weights if row.file_name == "mobilenet_2_5_128_tf.h5")

    spec = dataclasses.replace(zoo.spec("mobilenet_v1"), input=row.input)
    image = photo(width, height)
    scale = 146 / min(width, height)
    resized = image.resize((round(width * scale), round(height * scale)), Image.Resampling.BILINEAR)
    left, top = (resized.width - 128) // 2, (resized.height - 128) // 2
    expected = np.asarray(resized.crop((left, top, left + 128, top + 128)), dtype=np.float32) / 127.5 - 1
    found = zoo.preprocessing(spec)(image)
    torch.testing.assert_close(found, torch.from_numpy(expected).permute(2, 0, 1), rtol=0, atol=1e-6)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "CMYK", "P", "1"])
@pytest.mark.parametrize("train", [False, True])
def test_any_photo_becomes_the_network_s_input(mode: str, train: bool) -> None:
    tensor = zoo.preprocessing("resnet18", train=train)(photo(mode=mode))
    assert tensor.shape == (3, 224, 224)
    assert tensor.dtype == torch.float32
    assert type(tensor) is torch.Tensor


def test_bytes_in_a_tensor_do_as_well_as_a_photo() -> None:
    pixels = torch.randint(0, 256, (3, 300, 260), dtype=torch.uint8)
    assert zoo.preprocessing("resnet18")(pixels).shape == (3, 224, 224)


def test_a_network_of_one_channel_sees_grey() -> None:
    model = zoo.create("mobilenet_v1:width=0.25,resolution=64", in_channels=1).eval()
    tensor = zoo.preprocessing(model)(photo())
    assert tensor.shape == (1, 64, 64)
    assert model(tensor[None]).shape == (1, 1000)


def test_model_spec_and_name_give_the_same_transform() -> None:
    model = zoo.create("mobilenet_v1:width=0.25,resolution=64", device="meta")
    ways = [zoo.preprocessing(way)(photo()) for way in (model, model.spec, model.spec.label)]
    assert torch.equal(ways[0], ways[1])
    assert torch.equal(ways[0], ways[2])


def test_the_transform_travels_to_worker_processes() -> None:

    for row in zoo.spec("mobilenet_v1").weights[:1] + zoo.spec("resnet18").weights:
        transform = zoo.preprocessing(dataclasses.replace(zoo.spec("mobilenet_v1"), input=row.input))
        again = pickle.loads(pickle.dumps(transform))
        assert torch.equal(again(photo()), transform(photo()))


def test_anything_else_is_refused() -> None:
    with pytest.raises(TypeError, match="a network of the zoo, a spec or a name"):
        zoo.preprocessing(torch.nn.Identity())  # type: ignore[arg-type]
