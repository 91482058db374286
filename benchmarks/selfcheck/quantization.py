"""What each choice of a quantization scheme costs a trained file, in ONNX Runtime's integers, beside the papers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.metrics.schemes import BASE, SCHEMES, Answers, answered
from benchmarks.records.predictions import pack, unpack
from benchmarks.records.record import FULL
from benchmarks.report.bars import Cases
from benchmarks.report.page import section
from benchmarks.report.studies.page import grid_section
from benchmarks.report.table import TableColumn, table, text_column
from benchmarks.selfcheck.held_out import network_of, rounds_of
from benchmarks.stats.intervals import Interval
from benchmarks.studies.evidence import Evidence
from benchmarks.studies.quantization import CLAIMED, FIRST, PUBLISHED

__all__ = ["answers", "case_of", "quantization", "sections"]


def quantization(weights: str, model: str, data_dir: str) -> dict[str, Any]:
    """Which answers are right under every scheme and in fp32, on the same held-out images."""
    network = network_of(weights, model)
    found = answered(network, rounds_of(network, data_dir))
    return {"weights": Path(weights).name, "model": network.spec.label, **case_of(found)}


def case_of(found: Answers) -> dict[str, Any]:
    """Answers as JSON values; `answers` reads them again."""
    return {
        "instructions": found.instructions,
        "classes": found.classes,
        "calibrated_on": dict(found.calibrated),
        "left_out": dict(found.left_out),
        "right": {name: pack(right) for name, right in found.right.items()},
    }


def answers(case: Mapping[str, Any]) -> Answers:
    """What `case_of` was given."""
    return Answers(
        right={name: unpack(packed) == 1 for name, packed in case["right"].items()},
        calibrated=case["calibrated_on"],
        left_out=case["left_out"],
        classes=case["classes"],
        instructions=case["instructions"],
    )


def verdict(model: str, found: Answers) -> str:
    """The claims on MobileNetV1 held against the answers of one network."""
    said = [(claim, judge([found])) for claim, _, judge in CLAIMED]
    words = "; ".join(f"{claim}: {each.status} here, {each.words}" for claim, each in said)
    return f"What arXiv:1806.08342, Table 3, says of MobileNetV1, held against {model}: {words}."


def _columns(found: Answers) -> Sequence[TableColumn]:
    def points(scheme: str, other: str) -> Interval | None:
        return None if scheme == other else found.difference(scheme, other).scaled(100)

    return (
        text_column("scheme", lambda scheme: scheme),
        TableColumn("images calibrated on", lambda scheme: found.calibrated.get(scheme), 0),
        TableColumn("top-1, %", lambda scheme: 100 * found.share(scheme)),
        TableColumn("points more than fp32", lambda scheme: points(scheme, FULL)),
        TableColumn("points more than the first scheme", lambda scheme: points(scheme, BASE.name)),
    )


def sections(cases: Cases) -> Iterable[str]:
    """A table a network, and what others printed."""
    tried = [case for key, case in cases.items() if key.startswith("quantization")]
    for case in tried:
        found = answers(case)
        text = (
            f"{case['weights']}, held-out images, {found.instructions}. {FIRST} Intervals are of 95 %, of the paired "
            "difference."
        )
        gone = "; ".join(f"{name}: there are only {reason}" for name, reason in found.left_out.items())
        text += f" Left out: {gone}." if gone else ""
        rows = table(_columns(found), [FULL, *(each.name for each in SCHEMES if each.name in found.right)])
        yield section(f"Schemes: {case['model']}", text, rows, verdict(case["model"], found))
    if tried:
        yield grid_section(PUBLISHED, Evidence((), []))
