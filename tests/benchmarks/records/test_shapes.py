"""What a record may hold, at the very edge: the last value that is taken and the first that is not."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from benchmarks.records.record import Case, Environment, Measurement, Record, RecordError
from benchmarks.records.shapes import ABSENT, Shape, fits, is_json

DEEP: Any = 1
for _ in range(16):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("shape", "taken", "refused"),
    [
        (int, [0, 2**53 - 1], [2**53, -1, True, 1.0, "1"]),
        (float, [0, 0.0, 9e29, -9e29, 2e-100, 3], [1e30, -1e30, 1e-100, True, "1", None]),
        (str, ["", "a"], ["\ud800", 1, None]),
        (bool, [True, False], [0, 1, None]),
        (None, [None], [0, "", False]),
        ((int, None), [3, None], ["3", -3]),
        ([int], [[], [1, 2], (1, 2)], [[1, "2"], 1, {1: 2}]),
        ({str: int}, [{}, {"a": 1, "b": 2}], [{"a": "1"}, {1: 1}, [1], {"a": 1, "b": -2}, {"a": -1, "b": 2}]),
        ({"a": int, "b": (str, ABSENT)}, [{"a": 1}, {"a": 1, "b": "x", "c": 0}], [{}, {"b": "x"}, {"a": 1, "b": 2}]),
        (lambda value: value == "x", ["x"], ["y"]),
        ("int", [], ["int", 1]),
    ],
)
def test_a_shape_is_as_wide_as_it_says(shape: Shape, taken: list[Any], refused: list[Any]) -> None:
    assert [value for value in taken if not fits(value, shape)] == []
    assert [value for value in refused if fits(value, shape)] == []


def test_plain_values_are_so_deep_and_no_deeper() -> None:
    assert is_json(DEEP) and not is_json([DEEP])
    assert is_json({"a": [1, 2.5, "x", None, True, {"b": []}]})
    assert not is_json({"a": [1, {2: 3}]}) and not is_json([1, float("inf")]) and not is_json({"a": object()})


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
