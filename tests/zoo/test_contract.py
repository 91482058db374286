"""What every model of the zoo promises: each spec against each named check."""

from __future__ import annotations

import copy
import gc
import io
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch

import zoo

# the same blocks as in a sister that stays in the fast run, more of them
DEEPER = {"resnet34", "resnet101", "resnet152", "vgg13", "vgg16", "vgg19", "vgg13_bn", "vgg16_bn", "vgg19_bn"}
MODELS = [pytest.param(name, marks=[pytest.mark.slow] if name in DEEPER else []) for name in zoo.list_models()]


def small(spec: zoo.ModelSpec) -> int:
    """A side every layer of the model still has something to do at, cheap enough to run for all."""
    return max(spec.input.min_size, 64)


# ---- on the meta device: shapes without storage -------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("training", [True, False])
def test_logits_have_one_row_an_image_in_every_mode(name: str, training: bool) -> None:
    model = zoo.create(name, num_classes=7, device="meta").train(training)
    size = model.spec.input.size
    logits = model(torch.empty(3, 3, size, size, device="meta"))
    assert isinstance(logits, torch.Tensor)
    assert logits.shape == (3, 7)


@pytest.mark.parametrize("name", MODELS)
def test_any_size_from_min_size_passes_square_or_not(name: str) -> None:
    model = zoo.create(name, device="meta").eval()
    smallest = model.spec.input.min_size
    for height, width in ((smallest, smallest), (smallest, smallest + 37), (smallest + 1, smallest), (231, 330)):
        assert model(torch.empty(1, 3, height, width, device="meta")).shape == (1, 1000)


@pytest.mark.parametrize("name", MODELS)
def test_every_choice_of_every_option_builds(name: str) -> None:
    for option in zoo.spec(name).declared:
        choices = option.choices or (option.default,)
        for choice in choices:
            model = zoo.create(name, device="meta", **{option.name: choice})
            assert model.spec.settings[option.name] == choice
            side = small(model.spec)
            assert model(torch.empty(2, 3, side, side, device="meta")).shape == (2, 1000)
            assert zoo.spec(model.spec.label) == model.spec


@pytest.mark.parametrize("name", MODELS)
def test_bad_images_are_refused_by_name(name: str) -> None:
    model = zoo.create(name, device="meta").eval()
    size, smallest = model.spec.input.size, model.spec.input.min_size
    bad = {
        "dimensions": (3, size, size),
        "channels": (2, 1, size, size),
        f"at least {smallest}": (2, 3, smallest - 1, size),
    }
    for said, shape in bad.items():
        with pytest.raises(zoo.InputSizeError, match=name) as error:
            model(torch.empty(shape, device="meta"))
        assert said in str(error.value)
        assert " ".join(map(str, shape[-2:])) in str(error.value).replace("x", " ").replace(", ", " ")


@pytest.mark.parametrize("name", MODELS)
def test_reset_classifier_changes_the_head_alone(name: str) -> None:
    model = zoo.create(name, device="meta")
    features = sum(parameter.numel() for parameter in model.features.parameters())
    model.reset_classifier(np.int64(11))
    assert model.num_classes == 11
    assert sum(parameter.numel() for parameter in model.features.parameters()) == features
    assert model(torch.empty(2, 3, 96, 96, device="meta")).shape == (2, 11)
    for wrong in (-1, 2.5, True, "3", None, torch.ones(2)):
        with pytest.raises(zoo.InvalidOption, match="num_classes must be a whole number of at least 0"):
            model.reset_classifier(wrong)


@pytest.mark.parametrize("label", [*MODELS, "googlenet:auxiliary=true", "vgg16:head=conv1x1", "resnet50:stride_in=1x1"])
def test_without_classifier_what_it_would_read_comes_out(label: str) -> None:
    model = zoo.create(label, device="meta")
    images = torch.empty(2, 3, 96, 96, device="meta")
    whole = [key for key in model.state_dict()]
    model.reset_classifier(0)
    assert model.num_classes == 0
    features = model.forward_features(images).shape[1]
    hidden = any(isinstance(layer, torch.nn.Linear) for layer in model.head.modules())
    assert model(images).shape == (2, 4096 if hidden else features)
    lost = set(whole) - set(model.state_dict())
    assert {key.rpartition(".")[2] for key in lost} == {"weight", "bias"} and len(lost) == 2 * (
        1 + len(model.auxiliary)
    )
    model.reset_classifier(0)
    model.reset_classifier(5)
    assert [key for key in model.state_dict()] == whole
    assert all(logits.shape == (2, 5) for logits in model.forward_train(images))


def test_class_names_belong_to_the_logits() -> None:
    model = zoo.create("resnet18", num_classes=3, device="meta")
    assert model.class_names is None
    model.class_names = ["ant", "bee", "cat"]
    assert model.class_names == ("ant", "bee", "cat")
    for wrong in (["ant"], ["ant", "bee", "cat", "dog"], "abc", [1, 2, 3], []):
        with pytest.raises(zoo.InvalidOption, match="class_names takes 3 strings"):
            model.class_names = wrong  # type: ignore[assignment]
    assert model.class_names == ("ant", "bee", "cat")
    model.class_names = None
    assert model.class_names is None
    model.class_names = ("ant", "bee", "cat")
    model.reset_classifier(3)
    assert model.class_names is None


def test_numbers_of_other_libraries_are_numbers() -> None:
    model = zoo.create(
        "mobilenet_v1", width=np.float32(0.5), resolution=np.int64(160), separable=np.bool_(True), device="meta"
    )
    assert model.spec.label == "mobilenet_v1:resolution=160,width=0.5"
    assert zoo.spec("mobilenet_v1").vary(resolution=torch.tensor(160)).input.size == 160
    assert zoo.create("alexnet_2012", groups=np.uint8(1), num_classes=np.int32(7), device="meta").num_classes == 7
    for wrong in (np.float32(160.5), np.array([160]), np.bool_(True), float("nan"), torch.ones(4), [160] * 1000):
        with pytest.raises(zoo.InvalidOption, match="option 'resolution' takes") as error:
            zoo.spec("mobilenet_v1").vary(resolution=wrong)
        assert len(str(error.value)) <= 300


@pytest.mark.parametrize("name", MODELS)
def test_other_channel_counts_and_types_build(name: str) -> None:
    model = zoo.create(name, in_channels=1, dtype=torch.float64, device="meta").eval()
    assert model.in_channels == 1
    side = small(model.spec)
    logits = model(torch.empty(1, 1, side, side, device="meta", dtype=torch.float64))
    assert logits.dtype == torch.float64


@pytest.mark.parametrize("name", MODELS)
def test_spec_tells_the_whole_story(name: str) -> None:
    spec = zoo.spec(name)
    assert spec.name == name == spec.label
    assert spec.paper.url.startswith("https://")
    assert spec.paper.year in range(2012, 2018)
    assert spec.input.min_size <= 75 <= spec.input.size <= spec.input.resize
    assert all(reference.source for reference in spec.references)
    assert hash(spec) == hash(zoo.spec(name))
    for reference in spec.references:
        assert spec.with_options(dict(reference.options)).options == reference.options


# ---- with weights: numbers ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=MODELS)
def model(request: pytest.FixtureRequest) -> Iterator[zoo.Classifier]:
    """Each model once, with weights; they are dropped again before the next one is built."""
    torch.manual_seed(0)
    yield zoo.create(request.param, num_classes=5)
    gc.collect()


@pytest.fixture
def images(model: zoo.Classifier) -> torch.Tensor:
    side = small(model.spec)
    return torch.randn(3, 3, side, side, generator=torch.Generator().manual_seed(1))


def test_weights_start_finite_and_logits_spread(model: zoo.Classifier, images: torch.Tensor) -> None:
    assert all(torch.isfinite(tensor).all() for tensor in model.state_dict().values())
    logits = model.train()(images).detach()
    assert torch.isfinite(logits).all()
    assert logits.std() > 1e-4, "a net whose logits do not depend on anything cannot learn"


def test_evaluation_is_deterministic_and_matches_forward_train(model: zoo.Classifier, images: torch.Tensor) -> None:
    model.eval()
    with torch.inference_mode():
        once, again = model(images), model(images)
        first, *others = model.forward_train(images)
        by_hand = model.head(model.forward_features(images))
    torch.testing.assert_close(once, again, rtol=0, atol=0)
    torch.testing.assert_close(once, first, rtol=0, atol=0)
    torch.testing.assert_close(once, by_hand, rtol=0, atol=0)
    assert len(others) == len(model.auxiliary)


def test_images_of_a_batch_do_not_see_each_other(model: zoo.Classifier, images: torch.Tensor) -> None:
    model.eval()
    with torch.inference_mode():
        together = model(images)
        alone = torch.cat([model(image[None]) for image in images])
    torch.testing.assert_close(together, alone, rtol=1e-3, atol=1e-4 * float(together.abs().max()))


def test_every_parameter_has_a_gradient(model: zoo.Classifier, images: torch.Tensor) -> None:
    model.train().zero_grad()
    sum(logits.square().sum() for logits in model.forward_train(images)).backward()
    missing = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    assert missing == []
    assert any(parameter.grad.abs().sum() > 0 for parameter in model.features.parameters())
    model.zero_grad()


def test_state_survives_a_file_and_a_copy(model: zoo.Classifier, images: torch.Tensor) -> None:
    if sum(parameter.numel() for parameter in model.parameters()) > 50e6:
        pytest.skip("a hundred million parameters go the same way as ten")
    buffer = io.BytesIO()
    torch.save(model.state_dict(), buffer)
    buffer.seek(0)
    twin = zoo.create(model.spec.label, num_classes=5)
    twin.load_state_dict(torch.load(buffer, weights_only=True), strict=True)
    model.eval()
    expected = model(images)
    torch.testing.assert_close(twin.eval()(images), expected, rtol=0, atol=0)
    torch.testing.assert_close(copy.deepcopy(model)(images), expected, rtol=0, atol=0)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: zoo.create("resnet18", num_classes=-1),
        lambda: zoo.create("resnet18", num_classes=2.5),
        lambda: zoo.create("resnet18", in_channels=0),
        lambda: zoo.create("resnet18", num_classes=True),
    ],
)
def test_impossible_counts_are_refused(wrong: Callable[[], object]) -> None:
    with pytest.raises(zoo.InvalidOption, match=r"at least [01]"):
        wrong()
