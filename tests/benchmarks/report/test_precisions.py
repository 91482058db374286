"""The page of what another precision costs and gains."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from benchmarks.records.record import Measurement, Record
from benchmarks.report.precisions import PAGE, precision_sections
from benchmarks.report.publish import publish
from tests.benchmarks.report.made import ENVIRONMENT, counted, latency
from tests.benchmarks.report.test_ways import costly

MODEL = "mobilenet_v1"


def timed(seconds: float, precision: str, threads: int = 1, runtime: str = "onnxruntime") -> Record:
    return latency(MODEL, seconds, spread=0.001, precision=precision, num_threads=threads, runtime=runtime)


def page(records: list[Record]) -> str:
    return "\n\n".join(precision_sections(records))


def row_of(text: str, threads: str = "1") -> list[str]:
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]
    (row,) = [row for row in cells if row[2] == "int8" and row[3] == threads]
    return row


def test_points_size_and_speed_stand_in_one_row() -> None:
    records = [counted(MODEL, 4_231_976), timed(0.012, "fp32"), timed(0.006, "int8"), *costly()]
    text = page(records)
    row = row_of(text)
    assert row[:3] == [MODEL, "onnxruntime", "int8"]
    assert row[7].startswith("-0.20 [") and row[8].startswith("12 / 8")
    assert row[9] == "4.23 (16.9)"
    assert row[10].startswith("2.00 [") and row[11].startswith("2.00 [") and row[12] == "onnxruntime"
    assert "-0.20 points of top-1" in text and "over 2,000 answers of 1 network" in text
    assert "2.00 times as fast as fp32 on the same runtime" in text


def test_the_fastest_at_fp32_is_what_a_speed_up_is_told_against() -> None:
    records = [timed(0.012, "fp32"), timed(0.008, "fp32", runtime="openvino"), timed(0.006, "int8")]
    row = row_of(page(records))
    assert row[10].startswith("2.00") and row[11].startswith("1.33") and row[12] == "openvino"


def test_no_speed_up_is_taken_from_several_threads_that_are_slower_than_one() -> None:
    records = [timed(0.0023, "fp32"), timed(0.0065, "fp32", threads=2), timed(0.0016, "int8", threads=2)]
    row = row_of(page(records), threads="2")
    assert row[10:13] == ["", "", ""]


def test_what_the_session_says_of_its_integers_is_told() -> None:
    full, other = costly()
    told = {"top1": 0.985, "calibration_images": 200, "calibration_fingerprint": "0123456789abcdef",
            "calibration_source": "photos", "instructions": "avx2", "way": "per channel"}  # fmt: skip
    found = Measurement(name="agreement", value=0.985, unit="fraction", details={"session": told})
    other = dataclasses.replace(other, measurements=(*other.measurements, found))
    text = page([timed(0.006, "int8"), full, other])
    assert row_of(text)[13:] == ["98.5", "200"]
    assert "instructions avx2" in text and "calibrated on 200 images of photos" in text and "0123456789ab" in text


def test_threads_that_spin_are_told_of() -> None:
    spins = dataclasses.replace(timed(0.006, "int8", threads=2), where={"threads": 2, "spinning": 1.04})
    heads, cells = (
        [cell.strip() for cell in line.split("|")]
        for line in page([timed(0.012, "fp32", threads=2), spins]).splitlines()
        if line.startswith(("| Model", f"| {MODEL}"))
    )
    assert dict(zip(heads, cells, strict=True))["Spinning"] == "1.0"


def test_an_accuracy_without_a_time_has_its_row() -> None:
    row = row_of(page(costly()), threads="")
    assert row[7].startswith("-0.20")


@pytest.mark.usefixtures("undrawn")
def test_there_is_a_page_only_where_there_is_another_precision(tmp_path: Path) -> None:
    assert precision_sections([timed(0.01, "fp32")]) == []
    publish([timed(0.01, "fp32")], ENVIRONMENT, tmp_path)
    assert not (tmp_path / PAGE).exists()
    publish([timed(0.01, "fp32"), timed(0.006, "int8"), *costly()], ENVIRONMENT, tmp_path)
    assert (tmp_path / PAGE).read_text().startswith("# What another precision costs")
    assert "](precisions.md)" in (tmp_path / "README.md").read_text()
