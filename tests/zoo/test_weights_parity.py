"""Another library's random weights give that library's logits, and go back to the bit: every model, every source."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

import zoo
from benchmarks.selfcheck.parity import CASES, Parity, Result, measure, table

# files of half a gigabyte; one of each kind stays in the fast run
SLOW = {"vgg11", "vgg13", "vgg19", "vgg11_bn", "vgg16_bn", "vgg19_bn", "resnet101", "resnet152"}


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, id=str(case), marks=[pytest.mark.slow] if case.model in SLOW else []) for case in CASES],
)
def test_same_network(case: Parity) -> None:
    if find_spec(case.source) is None:
        pytest.skip(f"{case.source} is not installed")
    result = measure(case)
    assert result.scale > 1e-3, "logits this small prove nothing"
    assert result.returns, "weights written back differ"
    assert result.difference <= case.tolerance * result.scale


def test_every_published_checkpoint_has_its_case() -> None:
    published = {(name, row.source) for name in zoo.list_models(weights="any") for row in zoo.spec(name).weights}
    assert published == {(case.model.partition(":")[0], case.source) for case in CASES}


def test_the_table_names_model_source_difference_and_accuracy() -> None:
    case = next(case for case in CASES if case.model == "resnet18")
    result = Result(case=case, difference=2e-6, scale=4.0, returns=True)
    assert "| resnet18 | torchvision resnet18 | 224 | 2.0e-06 | 4 | 5.0e-07 | yes | 69.76% |" in table([result])
    assert result.agrees
    assert not Result(case=case, difference=1e-4, scale=4.0, returns=True).agrees
    assert not Result(case=case, difference=0.0, scale=4.0, returns=False).agrees
