"""Which runtime wins where: what is certain, what cannot be told apart, what is left out."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from benchmarks.records.record import Record
from benchmarks.report.studies.page import write_study
from benchmarks.studies import STUDIES
from benchmarks.studies.evidence import Evidence
from benchmarks.studies.runtimes import STUDY, races
from tests.benchmarks.report.made import latency
from tests.benchmarks.studies.made import HERE, tables_of


def seen(*records: Record) -> Evidence:
    return Evidence(STUDY.arms, records)


def timed(runtime: str, seconds: float, *, noise: float = 0.001, **case: Any) -> Record:
    """Rounds in one session; each runtime has a noise of its own."""
    found = latency("resnet50", seconds * random.Random(runtime).uniform(1 - noise, 1 + noise), spread=noise,
                    turns=16, runtime=runtime, **case)  # fmt: skip
    return found


def test_the_fastest_is_named_with_the_next_and_by_how_much() -> None:
    (race,) = races(seen(timed("eager", 0.030), timed("openvino", 0.010), timed("onnxruntime", 0.020)))
    assert race.case.runtime == "openvino" and race.ties == () and race.runtimes == 3
    assert race.ahead is not None and race.ahead[0] == "onnxruntime"
    assert 1.9 < race.ahead[1].low <= race.ahead[1].high < 2.1


def test_what_cannot_be_told_apart_is_not_called_slower() -> None:
    (race,) = races(seen(timed("eager", 0.0100), timed("openvino", 0.01002)))
    assert len(race.ties) == 1 and race.ahead is None
    assert "cannot be told apart" in str(STUDY.answer(seen(timed("eager", 0.0100), timed("openvino", 0.01002))))


def test_conditions_are_raced_apart() -> None:
    records = [
        timed(runtime, seconds * size * (0.5 if precision == "int8" else 1), batch_size=size, precision=precision)
        for runtime, seconds in (("onnxruntime", 0.010), ("openvino", 0.012))
        for size in (1, 16)
        for precision in ("fp32", "int8")
    ]
    found = races(seen(*records))
    assert [(race.case.batch_size, race.case.precision) for race in found] == [
        (1, "fp32"), (1, "int8"), (16, "fp32"), (16, "int8"),
    ]  # fmt: skip
    assert "onnxruntime in 4" in str(STUDY.answer(seen(*records)))


def test_threads_that_make_a_runtime_slower_are_in_no_race() -> None:
    records = [
        timed("onnxruntime", 0.010, num_threads=1),
        timed("onnxruntime", 0.030, num_threads=2),
        timed("openvino", 0.012, num_threads=1),
        timed("openvino", 0.008, num_threads=2),
    ]
    (race,) = races(seen(*records))
    assert race.case.num_threads == 1
    assert "onnxruntime in 1" in str(STUDY.answer(seen(*records)))


def test_nothing_is_said_before_two_runtimes_were_timed(tmp_path: Path) -> None:
    assert STUDY.answer(seen(timed("eager", 0.030))) is None
    assert write_study(STUDY, [*tables_of(STUDY), timed("eager", 0.030)], HERE, tmp_path) is None


def test_the_page_has_the_table(tmp_path: Path) -> None:
    assert STUDIES["runtimes"] is STUDY
    records = [*tables_of(STUDY), timed("eager", 0.030), timed("openvino", 0.010)]
    path = write_study(STUDY, records, HERE, tmp_path)
    assert path is not None
    text = path.read_text()
    assert "## Who is fastest" in text
    assert "| resnet50 | 1 | 2 | fp32 | openvino |" in text
    assert "Of 1 condition of 1 network, alone at the front: openvino in 1." in text
