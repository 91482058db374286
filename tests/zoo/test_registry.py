"""Names, options and errors as a person types them."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

import zoo


def test_listing() -> None:
    assert zoo.list_models() == sorted(zoo.list_models())
    assert zoo.list_models("resnet*") == ["resnet101", "resnet152", "resnet18", "resnet34", "resnet50"]
    assert zoo.list_models(family="alexnet") == ["alexnet", "alexnet_2012", "alexnet_bn"]
    assert zoo.list_models("vgg*", family="resnet") == []
    assert zoo.list_models("ResNet*") == []


def test_specs_and_lists_need_no_pytorch() -> None:
    script = (
        "import sys, zoo; zoo.list_models(); zoo.spec('vgg16').printed; zoo.spec('mobilenet_v1:width=0.5'); "
        "sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_unknown_model_names_the_near_misses() -> None:
    with pytest.raises(zoo.UnknownModel) as error:
        zoo.create("resnet51")
    assert "no model is named 'resnet51'" in str(error.value)
    assert "did you mean resnet50" in str(error.value)
    assert f"zoo.list_models() has all {len(zoo.list_models())}" in str(error.value)
    assert isinstance(error.value, LookupError)
    assert not isinstance(error.value, KeyError), "a KeyError prints its message in quotes"
    with pytest.raises(zoo.UnknownModel, match=r"VGG16.*did you mean vgg16"):
        zoo.spec("VGG16")
    with pytest.raises(zoo.UnknownModel, match="named by a string"):
        zoo.spec(50)  # type: ignore[arg-type]


def test_unknown_option_lists_the_allowed_ones() -> None:
    for call in (
        lambda: zoo.create("mobilenet_v1", widht=0.5),
        lambda: zoo.create("mobilenet_v1:widht=0.5"),
        lambda: zoo.spec("mobilenet_v1").vary(widht=0.5),
    ):
        with pytest.raises(zoo.UnknownOption, match="'widht'") as error:
            call()
        for option in zoo.spec("mobilenet_v1").declared:
            assert option.name in str(error.value)
    with pytest.raises(zoo.UnknownOption, match="options: none"):
        zoo.create("alexnet", groups=2)


@pytest.mark.parametrize(
    "name",
    [
        "mobilenet_v1:width=0",
        "mobilenet_v1:width=-1",
        "mobilenet_v1:width=1.51",
        "mobilenet_v1:width=nan",
        "mobilenet_v1:width=inf",
        "mobilenet_v1:width=wide",
        "mobilenet_v1:resolution=31",
        "mobilenet_v1:resolution=128.5",
        "mobilenet_v1:resolution=1e400",
        "mobilenet_v1:separable=2",
        "mobilenet_v1:activation=gelu",
        "mobilenet_v1:width",
        "mobilenet_v1:width=",
        "mobilenet_v1:",
        "mobilenet_v1:width=0.5,",
        "mobilenet_v1:width=0.5,width=0.25",
        "resnet50:shortcut=A",
        "alexnet_2012:groups=3",
    ],
)
def test_impossible_values_say_what_is_allowed(name: str) -> None:
    with pytest.raises(zoo.InvalidOption) as error:
        zoo.spec(name)
    assert isinstance(error.value, ValueError)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("value", [0, True, None, "half", [0.5]])
def test_values_are_checked_from_python_too(value: object) -> None:
    with pytest.raises(zoo.InvalidOption, match="width"):
        zoo.create("mobilenet_v1", width=value)


def test_an_option_is_given_once() -> None:
    with pytest.raises(zoo.InvalidOption, match="give it once"):
        zoo.create("mobilenet_v1:width=0.5", width=0.25)


def test_shell_form_and_keywords_are_one_spec() -> None:
    spec = zoo.spec("mobilenet_v1:resolution=160, width=0.5")
    assert spec == zoo.spec("mobilenet_v1").vary(width=0.5, resolution=160)
    assert spec == zoo.create("mobilenet_v1", width=0.5, resolution=160, device="meta").spec
    assert spec.label == "mobilenet_v1:resolution=160,width=0.5"
    assert (spec.input.size, spec.input.resize) == (160, 183)
    assert spec.published is not None
    assert "Table 9" in spec.published.source
    assert zoo.spec("mobilenet_v1:width=1,resolution=224") == zoo.spec("mobilenet_v1")
    assert zoo.spec("xception:intermediate_activation=ELU").settings["intermediate_activation"] == "elu"
    assert zoo.spec("xception:intermediate_activation=none") == zoo.spec("xception")


@given(st.floats(min_value=0, max_value=1.5, exclude_min=True), st.integers(min_value=32, max_value=2000))
def test_every_width_and_resolution_survives_its_label(width: float, resolution: int) -> None:
    spec = zoo.spec("mobilenet_v1").vary(width=width, resolution=resolution)
    assert zoo.spec(spec.label) == spec
    assert spec.settings["width"] == width
    assert spec.input.size == resolution


@given(st.text())
def test_any_text_is_a_model_or_a_one_line_error(text: str) -> None:
    try:
        assert zoo.spec(text).name in zoo.list_models()
    except (zoo.UnknownModel, zoo.UnknownOption) as error:
        assert str(error)


@given(st.sampled_from(zoo.list_models()), st.text(min_size=1), st.text())
def test_any_option_text_is_an_option_or_an_error(model: str, key: str, value: str) -> None:
    try:
        spec = zoo.spec(f"{model}:{key}={value}")
        assert zoo.spec(spec.label) == spec
    except zoo.UnknownOption as error:
        assert str(error)
