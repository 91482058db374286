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
└── RuntimeUnavailable      a runtime whose package is not installed, or that cannot run this model
"""

__all__ = [
    "InputSizeError",
    "InvalidOption",
    "RuntimeUnavailable",
    "UnknownModel",
    "UnknownOption",
    "WeightsError",
]


class UnknownModel(LookupError):
    """No model is registered under this name; the message holds the near misses."""


class UnknownOption(TypeError):
    """The model declares no option of this name; the message lists those it declares."""


class InvalidOption(UnknownOption, ValueError):
    """The option exists but does not take this value; the message says which it takes."""


class InputSizeError(ValueError):
    """Images of the wrong rank, number of channels or size for this model."""


class WeightsError(RuntimeError):
    """A checkpoint that is absent, damaged, unsafe to read or made for another network."""


class RuntimeUnavailable(RuntimeError):
    """A runtime that is unknown, not installed, or cannot run this model; the message says why."""
