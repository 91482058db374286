"""Records at the edge of what they may hold, and how cases and machines are told apart."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from benchmarks.records.record import Case, Environment, Measurement, Record, RecordError


def line(measurement: dict[str, Any] | None = None, case: dict[str, Any] | None = None, **fields: Any) -> str:
    found = {"name": "param_count", "value": 1.0, "unit": "count"} | (measurement or {})
    asked = {"metric": "params", "model": "nin"} | (case or {})
    return json.dumps({"schema": 2, "case": asked, "status": "ok", "measurements": [found]} | fields)


@pytest.mark.parametrize(
    ("taken", "refused"),
    [
        ({"reason": "x" * 10_000}, {"reason": "x" * 10_001}),
        ({"seconds": 0.0}, {"seconds": None}),
        ({"notes": ["x" * 10_000]}, {"notes": ["x" * 10_001]}),
        ({"where": {"nice": 0}}, {"where": [0]}),
        ({"status": "oom"}, {"status": "fine"}),
        ({"measurement": {"value": 0.0}}, {"measurement": {"value": -1e-9}}),
        ({"measurement": {"unit": "fraction", "value": -0.5}}, {"measurement": {"unit": "s", "value": -0.5}}),
        ({"measurement": {"low": 1.0, "high": 1.0}}, {"measurement": {"low": 1.0, "high": 0.5}}),
        ({"measurement": {"low": 0.0}}, {"measurement": {"low": -0.5}}),
        ({"measurement": {"high": 1.5}}, {"measurement": {"high": 0.5}}),
        ({"measurement": {"samples": [1, 2], "rounds": [1, 1]}}, {"measurement": {"samples": [1, 2], "rounds": [1]}}),
        ({"measurement": {"samples": [1, 2]}}, {"measurement": {"samples": [1, -2]}}),
        ({"measurement": {"samples": [0.5]}}, {"measurement": {"samples": [0.0, 0.5]}}),
        ({"measurement": {"samples": [0, 1], "unit": "fraction"}}, {"measurement": {"samples": "01"}}),
        ({"case": {"settings": [["sugar", 2]]}}, {"case": {"settings": [["sugar", [2]]]}}),
        ({"case": {"seed": 2**53 - 1}}, {"case": {"seed": 2**53}}),
    ],
)  # fmt: skip
def test_a_record_is_taken_up_to_its_edges(taken: dict[str, Any], refused: dict[str, Any]) -> None:
    Record.from_json(line(**taken))
    with pytest.raises(RecordError):
        Record.from_json(line(**refused))


def test_a_record_comes_back_as_it_was_written() -> None:
    case = Case(
        metric="latency", model="nin", img_size=5, batch_size=2, num_threads=3, seed=4, epochs=6, train_images=7,
        train_img_size=8, train_threads=9, train_processes=10, settings=(("a", 1),), effort=(("b", True),),
    )  # fmt: skip
    found = Measurement(
        name="latency_s", value=1.5, unit="s", low=1.0, high=2.0, samples=(1.0, 2.0), rounds=(1, 2), method="by hand",
        details={"deep": [{"x": None}]},
    )  # fmt: skip
    record = Record(
        case=case, status="ok", measurements=(found,), notes=("one",), environment="e", machine="m", code="c",
        started="2026", seconds=2.5, where={"nice": 0},
    )  # fmt: skip
    assert Record.from_json(record.to_json()) == record


def test_a_case_that_says_nothing_asks_for_the_usual() -> None:
    """What old files leave out is read as this; were it another, their records would answer other questions."""
    assert dataclasses.asdict(Case(metric="params", model="nin")) == {
        "metric": "params", "model": "nin", "runtime": "eager", "device": "cpu", "precision": "fp32", "img_size": 0,
        "batch_size": 1, "num_threads": 0, "weights": "", "dataset": "", "data": "", "recipe": "", "epochs": 0,
        "train_images": 0, "train_img_size": 0, "train_threads": 0, "train_processes": 0, "seed": 0, "settings": (),
        "effort": (), "data_dir": "", "weights_path": "",
    }  # fmt: skip
    bare = Record(case=Case(metric="params", model="nin"), status="ok")
    assert (bare.seconds, bare.measurements, bare.notes, bare.where, bare.schema) == (0.0, (), (), {}, 2)


def test_where_files_lie_makes_no_other_case_and_effort_no_other_question() -> None:
    case = Case(metric="accuracy", model="nin", data_dir="here", weights_path="a", effort=(("rounds", 3),))
    assert case == dataclasses.replace(case, data_dir="there", weights_path="b")
    assert case != dataclasses.replace(case, effort=())
    assert case.question == dataclasses.replace(case, effort=()).question == dataclasses.replace(case, effort=())


def test_an_environment_is_its_machine_and_software() -> None:
    """Twelve digits, the same wherever it is computed: records and environment.json of other machines meet by them."""
    one = Environment(machine={"cpu": "x", "cores": 2}, software={"torch": "2"}, command="a", state={"load": 1})
    other = Environment(machine={"cores": 2, "cpu": "x"}, software={"torch": "3"}, command="b")
    assert one.id == dataclasses.replace(one, command="b", state={}).id == "8af320b3b1a0"
    assert other.id != one.id and other.machine_id == one.machine_id == "727b44c9c053"
