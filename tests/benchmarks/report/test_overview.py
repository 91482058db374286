"""Which condition the comparison is made under."""

from __future__ import annotations

from collections.abc import Container

import pytest

from benchmarks.records.record import Record
from benchmarks.report.overview import survey
from tests.benchmarks.report.made import ENVIRONMENT, latency

TWO = {"num_threads": 2}
ONE = {"num_threads": 1}
COMPARED = [latency(name, 0.02, **TWO) for name in ("alexnet", "resnet18", "mobilenet_v1")]
VARIANTS = [f"mobilenet_v1:width={width}" for width in (0.25, 0.5, 0.75)]


def condition(records: list[Record], asked: Container[str] = ()) -> tuple[object, ...]:
    case = survey(records, ENVIRONMENT, asked=asked).condition
    assert case is not None
    return case.runtime, case.precision, case.num_threads


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ([latency(name, 0.01, **ONE) for name in ("mobilenet_v1", *VARIANTS)], ("eager", "fp32", 2)),
        ([latency(name, 0.01, **ONE) for name in ("alexnet", "resnet18", "mobilenet_v1")], ("eager", "fp32", 2)),
        ([latency(name, 0.01, **ONE) for name in ("alexnet", "resnet18", "vgg16", "xception")], ("eager", "fp32", 1)),
        ([latency(record.case.model, 0.01, precision="bf16", **TWO) for record in COMPARED], ("eager", "fp32", 2)),
    ],
    ids=["variants of one network", "as many", "more networks", "another precision"],
)
def test_it_is_the_one_most_networks_were_timed_under(more: list[Record], expected: tuple[object, ...]) -> None:
    assert condition([*more, *COMPARED]) == expected


def test_variants_count_where_they_were_asked_for_or_nothing_else_was_timed() -> None:
    variants = [latency(name, 0.01, **ONE) for name in VARIANTS]
    assert condition([*variants, *COMPARED[:2]], asked=VARIANTS) == ("eager", "fp32", 1)
    assert condition(variants) == ("eager", "fp32", 1)
