"""The metric of quantization schemes: what is calibrated on what, which answers are kept, what it says it cannot do."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import zoo
from benchmarks.metrics import METRICS, accuracy, check, schemes
from benchmarks.metrics.schemes import (
    BASE,
    FULL,
    METRIC,
    NOISE,
    SCHEMES,
    THOUSAND,
    Scheme,
    answered,
    answers_of,
    complete,
    integers,
    measure,
    rounds,
    unavailable,
)
from benchmarks.metrics.subject import Subject
from benchmarks.plan.cases import canonical
from benchmarks.records.predictions import pack
from benchmarks.records.record import Case, Record, RecordError
from tests.zoo.small import small
from zoo.data.dataset import Data, Split
from zoo.runtimes import RUNTIMES
from zoo.spec import resized

Run = Callable[[Tensor], Tensor]


def network_of_32_pixels() -> zoo.Classifier:
    """A small network for small images."""
    network = small()
    network.bind(dataclasses.replace(network.spec, input=resized(network.spec.input, 32)), lambda layer: None)
    return network


def images(train: int, tried: int) -> tuple[Data, Split]:
    """So many training images and others to try."""
    data = zoo.open_data("fashion_mnist")
    assert data.train is not None and data.test is not None
    return dataclasses.replace(data, train=data.train.subset(range(train))), data.test.subset(range(tried))


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> dict[str, Tensor]:
    """What each scheme was calibrated on. Noise answers class 0 to everything, the other schemes what fp32 does."""
    network, calibrated = network_of_32_pixels(), {}

    def made(path: Path, images: Tensor, scheme: Scheme) -> Run:
        calibrated[scheme.name] = images

        def run(images: Tensor) -> Tensor:
            return torch.eye(10)[torch.zeros(len(images), dtype=torch.long)] if scheme is NOISE else network(images)

        return run

    monkeypatch.setattr("zoo.runtimes.onnxruntime.write_onnx", lambda *_, **__: None)
    monkeypatch.setattr(schemes, "integers", made)
    return calibrated


def as_seen(network: zoo.Classifier, split: Split) -> list[bytes]:
    """The images as the network sees them."""
    return [
        image.numpy().tobytes()
        for batch in split.batches(50, network.spec.input, network.in_channels)
        for image in batch.images
    ]


def test_training_images_alone_are_calibrated_on(given: dict[str, Tensor]) -> None:
    network, (data, tried) = network_of_32_pixels(), images(120, 30)
    found = answered(network, [(data, tried)])
    assert data.train is not None
    known, held = set(as_seen(network, data.train)), set(as_seen(network, tried))
    for name, calibrated in given.items():
        seen = {image.numpy().tobytes() for image in calibrated}
        assert not seen & held and (seen <= known) == (name != NOISE.name), name
    assert found.calibrated[BASE.name] == 100 and found.calibrated[NOISE.name] == 10
    assert found.left_out == {THOUSAND.name: "120 images to calibrate on"}
    assert THOUSAND.name not in found.right


def test_which_answers_are_right_is_kept_image_by_image(given: dict[str, Tensor]) -> None:
    data, tried = images(100, 60)
    told: list[tuple[int, int]] = []
    found = answered(network_of_32_pixels(), [(data, tried)], lambda done, whole: told.append((done, whole)))
    assert found.images == 60 and told[-1] == (60, 60)
    assert found.right[NOISE.name].tolist() == (tried.labels == 0).tolist()
    assert found.right[BASE.name].tolist() == found.right[FULL].tolist()
    top = zoo.evaluate(network_of_32_pixels(), tried).top[:, 0]
    assert found.right[FULL].tolist() == (top == tried.labels).tolist()
    cost = found.difference(FULL, NOISE.name)
    assert cost.value == pytest.approx(found.share(FULL) - found.share(NOISE.name))
    assert cost.low <= cost.value <= cost.high
    assert found.difference(BASE.name, FULL).value == 0


def test_images_without_parts_are_halved_and_each_counts_once() -> None:
    data, _ = images(41, 1)
    alone = dataclasses.replace(data, test=None, val=None)
    (first, tried), (second, others) = rounds(alone)
    assert first.train is others and second.train is tried
    network = network_of_32_pixels()
    assert data.train is not None
    assert sorted([*as_seen(network, tried), *as_seen(network, others)]) == sorted(as_seen(network, data.train))
    only_val = dataclasses.replace(data, train=None, val=data.train, test=None)
    assert [len(each.labels) for _, each in rounds(only_val)] == [20, 21]


def test_a_record_tells_what_was_measured(given: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch) -> None:
    data, tried = images(100, 40)
    monkeypatch.setattr(
        schemes,
        "network_of",
        lambda subject: (network_of_32_pixels(), dataclasses.replace(data, test=tried), {"preprocessing": "p"}),
    )
    case = canonical(Case(metric="schemes", model="resnet18"))
    subject = Subject(case)
    record = Record.from_json(Record(case=case, status="ok", measurements=measure(subject)).to_json())
    check(record)
    found = answers_of(record)
    assert found is not None and found.images == 40 and found.classes == 10
    assert set(found.right) == {FULL, *(scheme.name for scheme in SCHEMES)} - {THOUSAND.name}
    assert record.value("top1") == found.share(FULL)
    assert record.value(f"scheme:{NOISE.name}") == found.share(NOISE.name)
    assert found.calibrated[NOISE.name] == 10
    assert subject.notes == [f"left out, {THOUSAND.name}: 100 images to calibrate on"]


def test_odd_answers_are_refused_or_passed_over(given: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch) -> None:
    data, tried = images(100, 20)
    monkeypatch.setattr(
        schemes, "network_of", lambda subject: (network_of_32_pixels(), dataclasses.replace(data, test=tried), {})
    )
    case = canonical(Case(metric="schemes", model="resnet18"))
    whole = Record(case=case, status="ok", measurements=measure(Subject(case)))
    first, second, *_ = whole.measurements
    other = dataclasses.replace(second, details={**second.details, "right": pack([1, 0, 1])})
    found = answers_of(dataclasses.replace(whole, measurements=(first, other)))
    assert found is not None and list(found.right) == [FULL]
    assert answers_of(dataclasses.replace(whole, measurements=(other,))) is None
    assert answers_of(dataclasses.replace(whole, case=Case(metric="accuracy", model="resnet18"))) is None
    with pytest.raises(RecordError, match="'calibration_images' of scheme:"):
        odd = dataclasses.replace(second, details={**second.details, "calibration_images": "ten"})
        check(dataclasses.replace(whole, measurements=(first, odd)))


# --- the plan ---------------------------------------------------------------------------------------------------------


def test_a_network_is_trained_as_accuracy_trains_it() -> None:
    case = complete(
        Case(metric="schemes", model="resnet18", precision="int8", runtime="onnxruntime", train_processes=2)
    )
    assert case == dataclasses.replace(
        accuracy.complete(Case(metric="accuracy", model="resnet18")), metric="schemes", precision=FULL
    )
    both = {canonical(dataclasses.replace(case, precision=each)) for each in ("fp32", "int8", "bf16")}
    assert len(both) == 1
    assert METRIC.trains and METRIC.slow and not METRIC.default
    assert set(METRICS["accuracy"].depends_on) - set(METRIC.depends_on) == {"runtime", "precision", "train_processes"}


def test_what_cannot_be_measured_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = complete(Case(metric="schemes", model="resnet18"))
    monkeypatch.setattr(RUNTIMES["onnxruntime"], "unavailable", lambda: None)
    assert unavailable(asked) is None
    assert "6,001 were asked for" in str(unavailable(dataclasses.replace(asked, train_images=6001)))
    monkeypatch.setattr(RUNTIMES["onnxruntime"], "unavailable", lambda: "not installed: onnxruntime; pip install it")
    assert unavailable(asked) == "not installed: onnxruntime; pip install it"


# --- ONNX Runtime -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_every_scheme_runs_and_they_differ(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    from zoo.runtimes.onnxruntime import write_onnx

    network, given = small(), torch.randn(10, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    write_onnx(network, tmp_path / "net.onnx", given, dynamic_batch=True)
    with torch.inference_mode():
        expected: Any = network(given)
    found = {scheme.name: integers(tmp_path / "net.onnx", given, scheme)(given) for scheme in SCHEMES}
    for name, logits in found.items():
        assert 0 < float((logits - expected).abs().max() / expected.abs().max()) < 0.3, name
    changes = ("per_channel", "symmetric_weights", "symmetric_activations", "reduce_range")
    kinds = {tuple(getattr(scheme, name) for name in changes): found[scheme.name] for scheme in SCHEMES}
    apart = list(kinds.values())
    assert all(not torch.equal(one, other) for place, one in enumerate(apart) for other in apart[:place])


def test_one_scheme_answers_nearly_as_the_network_and_says_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("onnxruntime")
    from zoo.runtimes.onnxruntime import write_onnx

    network, given = small(), torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    write_onnx(network, tmp_path / "net.onnx", given, dynamic_batch=True)
    capfd.readouterr()
    caplog.clear()
    level = logging.getLogger().level
    logits = integers(tmp_path / "net.onnx", given, BASE)(given)
    assert capfd.readouterr().out == "" and not caplog.records and logging.getLogger().level == level
    with torch.inference_mode():
        expected: Any = network(given)
    assert 0 < float((logits - expected).abs().max() / expected.abs().max()) < 0.3


def test_schemes_are_tried_in_one_process_on_the_network_in_fp32() -> None:
    asked = Case(metric="schemes", model="resnet18", runtime="openvino", precision="int8", train_processes=4)
    found = schemes.complete(asked)
    assert (found.runtime, found.precision, found.train_processes) == ("eager", "fp32", 0)
