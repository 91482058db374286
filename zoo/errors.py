"""What can go wrong in the zoo, as a person at a prompt would want to read it.

LookupError
└── UnknownModel            no model has this name
TypeError
└── UnknownOption           the model declares no such option
    └── InvalidOption       it does, but not with this value (a ValueError too)
ValueError
└── InputSizeError          images of the wrong rank, channel count or size
RuntimeError
└── WeightsError            a checkpoint that is absent, damaged, unsafe or of another network
└── DataError               images or data sets that are absent, damaged or nothing of the kind
└── RuntimeUnavailable      a runtime whose package is not installed, or that cannot run this model

The message of each is one line of at most LONGEST characters, whatever was put into it.
"""

from __future__ import annotations

__all__ = [
    "LONGEST",
    "DataError",
    "InputSizeError",
    "InvalidOption",
    "RuntimeUnavailable",
    "UnknownModel",
    "UnknownOption",
    "WeightsError",
    "one_line",
    "shown",
]

LONGEST = 300  # characters of a message
VALUE = 60  # characters of a value in it


def one_line(text: str, longest: int = LONGEST) -> str:
    """`text` without line breaks and control characters, its middle left out where it is longer than `longest`."""
    words = " ".join(text.split())
    line = "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in words)
    if len(line) <= longest:
        return line
    end = longest // 3
    return f"{line[: longest - end - 3]} … {line[-end:]}"


def shown(value: object) -> str:
    """A value as a message shows it: numbers and strings as Python writes them, of anything else the type."""
    if value is None or type(value) in (bool, float):
        return repr(value)
    if type(value) is int:
        return repr(value) if abs(value) < 10**VALUE else "a number of more than 60 digits"
    if isinstance(value, str):
        return repr(one_line(str.__str__(value), VALUE))
    return f"a value of type {type(value).__name__}"


class _OneLine(Exception):
    """An error whose message is one short line."""

    def __init__(self, message: str = "") -> None:
        super().__init__(one_line(str(message)))


class UnknownModel(_OneLine, LookupError):
    """No model is registered under this name; the message holds the near misses."""


class UnknownOption(_OneLine, TypeError):
    """The model declares no option of this name; the message lists those it declares."""


class InvalidOption(UnknownOption, ValueError):
    """The option exists but does not take this value; the message says which it takes."""


class InputSizeError(_OneLine, ValueError):
    """Images of the wrong rank, number of channels or size for this model."""


class WeightsError(_OneLine, RuntimeError):
    """A checkpoint that is absent, damaged, unsafe to read or made for another network."""


class DataError(_OneLine, RuntimeError):
    """An image or a data set that is absent, damaged, or nothing of the kind; the message says what to pass."""


class RuntimeUnavailable(_OneLine, RuntimeError):
    """A runtime that is unknown, not installed, or cannot run this model; the message says why."""
