"""What a record may hold, at the very edge: the last value that is taken and the first that is not."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.records.shapes import ABSENT, Shape, fits, is_json

DEEP: Any = 1
NESTED: Any = 1
for _ in range(16):
    DEEP, NESTED = [DEEP], {"a": NESTED}


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
    assert is_json(DEEP) and not is_json([DEEP]) and not is_json({"a": DEEP})
    assert is_json(NESTED) and not is_json({"a": NESTED}) and not is_json([NESTED])
    assert is_json({"a": [1, 2.5, "x", None, True, {"b": []}]})
    assert not is_json({"a": [1, {2: 3}]}) and not is_json([1, float("inf")]) and not is_json({"a": object()})
