"""What values in a record look like, so that one that does not is refused where it is read and nowhere else.

A shape is `int` for a count, `float` for any finite number, `str` for text, `bool`, None, a tuple of shapes of which
one fits, a list of the shape of each part, a mapping of names to shapes (`ABSENT` among them where a name may be), a
mapping of `str` to the shape of every value, or a function that tells whether a value fits.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["ABSENT", "Shape", "fits", "is_json"]

Shape = type | None | tuple[Any, ...] | list[Any] | Mapping[Any, Any] | Callable[[Any], bool]

ABSENT: Any = type("Absent", (), {})  # the shape of what is not there
LARGEST, SMALLEST = 1e30, 1e-100  # number but 0: no quantity here comes near, and products and quotients stay finite
LARGEST_COUNT = 1 << 53  # up to which a count is exact as a float, too
DEEPEST = 16  # levels of lists and mappings in one another
SURROGATES = re.compile("[\ud800-\udfff]")


def fits(value: Any, shape: Shape) -> bool:
    """Whether a value has a shape."""
    if isinstance(shape, tuple):
        return any(fits(value, each) for each in shape)
    if isinstance(shape, list):
        return isinstance(value, (list, tuple)) and all(fits(part, shape[0]) for part in value)
    if isinstance(shape, Mapping):
        if not isinstance(value, Mapping):
            return False
        if str in shape:
            return all(fits(name, str) and fits(part, shape[str]) for name, part in value.items())
        return all(fits(value.get(name, ABSENT), part) for name, part in shape.items())
    if shape in PLAIN:
        return PLAIN[shape](value)
    return bool(shape(value)) if callable(shape) else False


def is_json(value: Any, depth: int = DEEPEST) -> bool:
    """Whether a value is plain: finite numbers, text that can be written, and not too deep a nest of such."""
    if isinstance(value, Mapping):
        return depth > 0 and all(fits(name, str) and is_json(part, depth - 1) for name, part in value.items())
    if isinstance(value, (list, tuple)):
        return depth > 0 and all(is_json(part, depth - 1) for part in value)
    return value is None or isinstance(value, bool) or fits(value, (str, float))


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return value == 0 or SMALLEST < abs(value) < LARGEST


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < LARGEST_COUNT


PLAIN: Mapping[Any, Callable[[Any], bool]] = {
    int: _is_count,
    float: _is_number,
    str: lambda value: isinstance(value, str) and SURROGATES.search(value) is None,
    bool: lambda value: isinstance(value, bool),
    None: lambda value: value is None,
    ABSENT: lambda value: value is ABSENT,
}
