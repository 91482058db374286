"""Records as ways to run networks: what an accuracy is from, what milliseconds and megabytes are of."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from benchmarks.records.predictions import pack
from benchmarks.records.record import Measurement, Record
from benchmarks.report.choosing import Budget, Candidate, choose
from benchmarks.report.costs import costs_of, pooled
from benchmarks.report.ways import Contents, ways_of
from tests.benchmarks.report.made import counted, latency, mult_adds_of, record

NAME = "mobilenet_v1:width=0.75"


def answered(
    model: str, right: Sequence[bool], *, runtime: str, precision: str, dataset: str = "fashion_mnist", **case: Any
) -> Record:
    """An accuracy whose answers are right for these images, of two classes."""
    labels = np.zeros(len(right), dtype=int)
    answers = np.stack([np.where(right, 0, 1), np.where(right, 1, 0)], 1)
    share = sum(right) / len(right)
    asked: dict[str, Any] = {"runtime": runtime, "precision": precision, "dataset": dataset, "weights": "sha256:1",
                             "img_size": 64} | case  # fmt: skip
    details = {"labels": pack(labels), "answers": pack(answers), "fingerprint": "images"}
    return record(
        "accuracy", model,
        Measurement(name="top1", value=share, unit="fraction", low=share - 0.01, high=share + 0.01, details=details),
        Measurement(name="test_images", value=len(right), unit="count"),
        **asked,
    )  # fmt: skip


def costly(model: str = "mobilenet_v1", images: int = 2000, lost: int = 12, gained: int = 8) -> list[Record]:
    """The same weights in fp32 and in integers, which answer some images otherwise."""
    full = [place >= gained + 100 for place in range(images)]
    other = [place >= 100 and not 200 <= place < 200 + lost for place in range(images)]
    return [
        answered(model, full, runtime="eager", precision="fp32"),
        answered(model, other, runtime="onnxruntime", precision="int8"),
    ]


def only(found: Sequence[Candidate], **fields: object) -> Candidate:
    (one,) = [each for each in found if all(getattr(each, name) == value for name, value in fields.items())]
    return one


def test_an_accuracy_in_integers_is_an_estimate_with_the_cost_measured_elsewhere() -> None:
    records = [
        latency(NAME, 0.008, runtime="onnxruntime", precision="int8", num_threads=1),
        latency(NAME, 0.012, runtime="onnxruntime", num_threads=1),
        counted(NAME, 2_585_560),
        *costly(),
    ]
    found = ways_of(records)
    full, integers = only(found, precision="fp32"), only(found, precision="int8")
    assert (
        full.top1_source == "published" and full.top1 is not None and full.top1.value == pytest.approx(68.4, abs=0.05)
    )
    assert full.top1.low == full.top1.high
    assert integers.top1_source == "estimate" and integers.top1 is not None
    assert integers.top1.value == pytest.approx(full.top1.value - 0.2)  # 12 lost and 8 won of 2,000
    assert integers.top1.low < integers.top1.value < integers.top1.high
    assert "an estimate" in integers.basis and "2,000 answers of mobilenet_v1" in integers.basis


def test_the_wish_for_accuracy_acts_on_the_lower_end_of_an_estimate() -> None:
    records = [latency(NAME, 0.008, runtime="onnxruntime", precision="int8", num_threads=1), *costly()]
    (way,) = ways_of(records)
    assert way.top1 is not None
    between = (way.top1.low + way.top1.value) / 2
    assert choose([way], Budget(min_top1=way.top1.low)).answers == (way,)
    found = choose([way], Budget(min_top1=between))
    assert not found.answers and found.possible == (way,)


def test_without_a_cost_measured_with_this_runtime_nothing_is_known_of_integers() -> None:
    timed = latency(NAME, 0.008, runtime="openvino", precision="int8", num_threads=1)
    (way,) = ways_of([timed, *costly()])
    assert way.top1 is None and way.top1_source == ""
    others = ways_of([latency("resnet18", 0.01, runtime="onnxruntime", precision="int8"), *costly()])
    assert others[0].top1 is None  # another family's cost is no evidence


def test_an_accuracy_that_was_measured_is_preferred() -> None:
    right = [True] * 70 + [False] * 30
    measured = answered("mobilenet_v1", right, runtime="openvino", precision="int8", dataset="imagenet", img_size=224)
    (way,) = ways_of([latency("mobilenet_v1", 0.008, runtime="openvino", precision="int8"), measured])
    assert way.top1_source == "measured" and way.top1 is not None
    assert way.top1.value == pytest.approx(70)
    assert "100 images" in way.basis


def test_what_the_plain_network_answers_holds_for_every_runtime_in_fp32_alone() -> None:
    measured = answered("mobilenet_v1", [True] * 9 + [False], runtime="eager", precision="fp32", dataset="imagenet",
                        img_size=224)  # fmt: skip
    records = [measured, latency("mobilenet_v1", 0.01, runtime="openvino"),
               latency("mobilenet_v1", 0.01, runtime="openvino", precision="bf16")]  # fmt: skip
    found = ways_of(records)
    assert only(found, precision="fp32").top1_source == "measured"
    assert only(found, precision="bf16").top1 is None


def test_sizes_are_of_the_file_else_of_the_parameters() -> None:
    records = [counted(NAME, 2_585_560), latency(NAME, 0.01, runtime="openvino", precision="int8")]
    (way,) = ways_of(records)
    assert way.size_mb is not None and way.size_mb.value == pytest.approx(2.58556)
    assert way.size_source == "parameters"
    (timed,) = records[1].measurements
    written = dataclasses.replace(timed, details={**timed.details, "session": {"file_bytes": 2_900_000}})
    with_file = record("latency", NAME, written, runtime="openvino", precision="int8", num_threads=2)
    (way,) = ways_of([records[0], with_file])
    assert way.size_mb is not None and way.size_mb.value == pytest.approx(2.9) and way.size_source == "file"


def test_milliseconds_contain_what_is_asked() -> None:
    base = latency("resnet18", 0.010, spread=0.0)
    started = [
        Measurement(name=name, value=value, unit="s") for name, value in (("load_s", 1.5), ("first_call_s", 0.1))
    ]
    timed = record("latency", "resnet18", *base.measurements, *started, num_threads=2)
    prepared = record(
        "preparation", "resnet18",
        Measurement(name="preparation_s", value=0.004, unit="s", low=0.003, high=0.006), num_threads=2,
    )  # fmt: skip
    plain = ways_of([timed, prepared])[0].latency_ms
    longer = ways_of([timed, prepared], contents=Contents(preparation=True))[0].latency_ms
    first = ways_of([timed, prepared], contents=Contents(first=True))[0].latency_ms
    assert plain is not None and longer is not None and first is not None
    assert longer.value == pytest.approx(plain.value + 4)
    assert longer.high - longer.value >= 2 - 1e-9
    assert first.value == pytest.approx(1600)
    assert ways_of([timed], contents=Contents(preparation=True))[0].latency_ms is None
    assert "decoding" in Contents(preparation=True).text and "not in it" in Contents().text


def test_a_percentile_is_above_the_median_and_needs_calls_enough() -> None:
    timed = latency("resnet18", 0.010, spread=0.2, turns=20)
    median = ways_of([timed])[0].latency_ms
    tail = ways_of([timed], contents=Contents(percentile=90))[0].latency_ms
    rare = ways_of([timed], contents=Contents(percentile=99))[0].latency_ms
    assert median is not None and tail is not None and rare is not None
    assert tail.value > median.value and tail.low < tail.value < tail.high
    assert rare.high == math.inf  # 100 calls do not tell


def test_only_one_image_a_call_at_the_network_s_own_size_is_a_way() -> None:
    records = [latency("resnet18", 0.01, img_size=160), latency("resnet18", 0.08, batch_size=8)]
    (way,) = ways_of(records)
    assert way.latency_ms is None
    assert ways_of([mult_adds_of("resnet18", 1.8e9), counted("resnet18", 11e6)]) == []


def test_the_best_rate_and_the_measured_peak_are_known() -> None:
    rates = [
        record("throughput", "resnet18", Measurement(name="samples_per_sec", value=rate, unit="1/s", low=rate - 5,
               high=rate + 5), num_threads=2, batch_size=size)
        for rate, size in ((90.0, 8), (120.0, 16))
    ]  # fmt: skip
    peak = record("memory", "resnet18", Measurement(name="peak_rss_bytes", value=3e8, unit="B"), num_threads=2)
    (way,) = ways_of([latency("resnet18", 0.01), *rates, peak, mult_adds_of("resnet18", 1.8e9)])
    assert way.throughput is not None and (way.throughput.value, way.batch_size) == (120.0, 16)
    assert way.memory_mb is not None and way.memory_mb.value == pytest.approx(300)
    assert way.gmacs is not None and way.gmacs.value == pytest.approx(1.8)


def test_costs_are_paired_image_by_image_and_pooled_over_networks() -> None:
    costs = costs_of([*costly(), *costly("resnet18", lost=4, gained=20)])
    assert [each.case.model for each in costs] == ["mobilenet_v1", "resnet18"]
    assert (costs[0].paired.only_first, costs[0].paired.only_second) == (8, 12)
    assert costs[0].points.value == pytest.approx(-0.2)
    found = pooled(costs)
    assert found is not None
    assert found[0].value == pytest.approx(100 * (28 - 16) / 4000) and found[1] == 4000
    assert pooled([]) is None


def test_other_images_or_other_weights_are_no_pair() -> None:
    full, other = costly()
    elsewhere = answered("mobilenet_v1", [True] * 2000, runtime="onnxruntime", precision="int8", weights="sha256:2")
    assert costs_of([full, elsewhere]) == []
    assert len(costs_of([full, other])) == 1
