"""Accuracy of the very session that is timed, and what it says of itself."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import zoo
from benchmarks.measure.session import anchor_of
from benchmarks.metrics import METRICS, sessions
from benchmarks.metrics.subject import Subject, facts_of
from benchmarks.plan.arguments import parse
from benchmarks.plan.cases import plan, skip_reason
from benchmarks.records.record import Case, Record
from benchmarks.report.costs import costs_of
from tests.benchmarks.photos import folder, trained
from zoo.runtimes import RUNTIMES, Session

FACTS = {"calibration_images": 12, "calibration_fingerprint": "abc", "instructions": "avx2", "way": SimpleNamespace()}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What sessions are opened with: of the plain network, whatever is asked."""
    calls: list[dict[str, Any]] = []

    def opened(model: zoo.Classifier, images: torch.Tensor, runtime: str = "auto", **options: Any) -> Session:
        calls.append({"runtime": runtime, "batch": len(images), **options})
        session: Any = Session.open(model, images, "eager", RUNTIMES["eager"])
        session.agreement = SimpleNamespace(
            precision=options.get("precision", "fp32"), images=9, source="photos", relative=0.1, top1=0.75, real=True,
            facts=FACTS,
        )  # fmt: skip
        return session

    monkeypatch.setattr(zoo, "open_runtime", opened)
    return calls


def cases_of(tmp_path: Path, *typed: str) -> list[Case]:
    photos = folder(tmp_path / "photos", {"train": 4, "val": 3})
    file = trained(tmp_path / "best.safetensors", ("cat", "dog", "red fox"))
    request = parse(["--models", str(file), "--dataset", "folder", "--data-dir", str(photos), "--metrics", "accuracy",
                     *typed])  # fmt: skip
    return list(plan(request.options))


def test_trained_weights_answer_in_the_session_that_is_timed(tmp_path: Path, asked: list[dict[str, Any]]) -> None:
    cases = cases_of(tmp_path, "--runtimes", "onnxruntime", "--precision", "fp32,int8")
    assert [(case.runtime, case.precision) for case in cases] == [("onnxruntime", "fp32"), ("onnxruntime", "int8")]
    measure = METRICS["accuracy"].measure
    assert measure is not None
    records = [Record(case=case, status="ok", measurements=measure(Subject(case))) for case in cases]
    assert [(each["runtime"], each["batch"], each.get("precision")) for each in asked] == [
        ("onnxruntime", 1, None), ("onnxruntime", 1, "int8"),
    ]  # fmt: skip
    calibration = asked[1]["calibration"]
    assert isinstance(calibration, zoo.Data) and calibration.train is not None
    assert "calibration" not in asked[0]
    assert [record.value("agreement") for record in records] == [0.75, 0.75]
    assert records[1].value("calibration_images") == 12
    found = records[1].find("agreement")
    assert found is not None and found.details["session"]["calibration_fingerprint"] == "abc"
    assert Record.from_json(records[1].to_json()).value("agreement") == 0.75
    (cost,) = costs_of(records)
    assert (cost.points.value, cost.paired.count) == (0.0, 9)


def test_a_network_that_is_trained_is_tested_in_pytorch(tmp_path: Path) -> None:
    photos = folder(tmp_path / "photos", {"train": 4, "val": 3})
    request = parse(["--models", "resnet18", "--dataset", "folder", "--data-dir", str(photos), "--metrics", "accuracy",
                     "--runtimes", "onnxruntime,eager"])  # fmt: skip
    (case,) = plan(request.options)
    assert case.runtime == "eager" and case.recipe == "scratch"


def test_a_runtime_without_integers_says_so() -> None:
    case = Case(metric="latency", model="resnet18", runtime="packed", precision="int8", img_size=224)
    assert "has no int8" in str(skip_reason(case))


def test_integers_take_turns_with_an_anchor_in_fp32() -> None:
    case = Case(metric="latency", model="vgg11", runtime="openvino", precision="int8", img_size=224)
    assert (anchor_of(case).precision, anchor_of(case).runtime) == ("fp32", "eager")


def test_a_session_that_says_nothing_has_no_facts() -> None:
    assert facts_of(None) == {}


@pytest.mark.parametrize(
    ("runtime", "precision", "said"),
    [("eager", "fp32", True), ("eager", "bf16", True), ("eager", "int8", False), ("openvino", "fp32", False)],
)
def test_what_pytorch_answers_as_it_is_needs_no_session(runtime: str, precision: str, said: bool) -> None:
    case = Case(metric="accuracy", model="resnet18", runtime=runtime, precision=precision)
    assert sessions.in_pytorch(case) is said
