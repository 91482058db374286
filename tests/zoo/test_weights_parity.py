"""Another library's random weights give that library's logits, and go back to the bit: every model, every source."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

import zoo
from benchmarks.selfcheck.parity import BENCHMARK, CASES, Parity, bars, measure

# files of half a gigabyte; one of each kind stays in the fast run
SLOW = {"vgg11", "vgg13", "vgg19", "vgg11_bn", "vgg16_bn", "vgg19_bn", "resnet34", "resnet101", "resnet152"}


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=str(case), marks=[pytest.mark.slow] if case.model in SLOW else [])
        for case in CASES.values()
    ],
)
def test_same_network(case: Parity) -> None:
    if find_spec(case.source) is None:
        pytest.skip(f"{case.source} is not installed")
    result = measure(case)
    assert result["scale"] > 1e-3, "logits this small prove nothing"
    assert result["returns"], "weights written back differ"
    assert result["difference"] <= case.tolerance * result["scale"]
    assert result["agrees"]


def test_every_published_checkpoint_has_its_case() -> None:
    published = {(name, row.source) for name in zoo.list_models(weights="any") for row in zoo.spec(name).weights}
    assert published == {(case.model.partition(":")[0], case.source) for case in CASES.values()}


def results(**changes: dict[str, object]) -> dict[str, dict[str, object]]:
    return {
        key: {"difference": 2e-6, "scale": 4.0, "returns": True, "agrees": True} | changes.get(case.source, {})
        for key, case in CASES.items()
    }


def test_the_page_names_model_source_difference_and_accuracy(tmp_path: Path) -> None:
    content = {"cases": results(), "machine": {}, "software": {}, "command": ""}
    BENCHMARK.page.write(content, tmp_path / "parity.md")
    text = (tmp_path / "parity.md").read_text()
    assert "| resnet18 | torchvision resnet18 | 224 | 2.0 | 4.00 | 0.50 | yes | 69.76 |" in text
    assert "3 of 3 measured bars are met." in text


def test_a_network_that_differs_misses_the_bar_of_its_library() -> None:
    assert [bar.met for bar in bars(results(timm={"agrees": False}))] == [True, True, False]
    (torchvision, *others) = bars({key: case for key, case in results().items() if key != "torchvision vgg16 224"})
    assert torchvision.met is None and all(bar.met for bar in others)
