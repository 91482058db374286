"""The ways of making integers of a network that are tried, as data, in order."""

from __future__ import annotations

from dataclasses import dataclass

from zoo.runtimes.quantizing.instructions import saturates

__all__ = ["ONNX", "OPENVINO", "Way", "here"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How weights and activations become bytes, by `nncf.quantize`; weights have a scale for each channel.

    Args:
        name: in records and cards.
        seven_bits: weights of 7 bits, whose sums no processor cuts off.
        activations_per_channel: a scale for each channel of what depthwise layers read, where NNCF wants it; OpenVINO
            has integer kernels for that, ONNX Runtime has none.
        fast_bias_correction: what rounding shifts in the mean is corrected from one pass; else layer by layer, which
            takes longer and keeps more of a small network's answers.
        first_fp32: so many of the first layers with weights stay in fp32.
        for_saturating: True only where sums are cut off, False only where they are not, None anywhere.
    """

    name: str
    seven_bits: bool = False
    activations_per_channel: bool = True
    fast_bias_correction: bool = False
    first_fp32: int = 0
    for_saturating: bool | None = None


OPENVINO = (
    Way(name="nncf, full bias correction", for_saturating=False),
    Way(name="nncf, 7-bit weights, full bias correction", seven_bits=True),
)
ONNX = (
    Way(
        name="nncf, per-tensor activations, full bias correction",
        activations_per_channel=False,
        for_saturating=False,
    ),
    Way(
        name="nncf, per-tensor activations, 7-bit weights, full bias correction",
        seven_bits=True,
        activations_per_channel=False,
    ),
    Way(
        name="nncf, per-tensor activations, 7-bit weights, full bias correction, first two layers fp32",
        seven_bits=True,
        activations_per_channel=False,
        first_fp32=2,
    ),
    # NNCF corrects layer by layer only what has no branches in ONNX: it raises for the others
    Way(
        name="nncf, per-tensor activations, fast bias correction",
        activations_per_channel=False,
        fast_bias_correction=True,
        for_saturating=False,
    ),
    Way(
        name="nncf, per-tensor activations, 7-bit weights, fast bias correction",
        seven_bits=True,
        activations_per_channel=False,
        fast_bias_correction=True,
    ),
)


def here(ways: tuple[Way, ...], *, saturating: bool | None = None) -> tuple[Way, ...]:
    """Those that are for processors whose 8-bit sums are cut off, or are not; None asks this machine."""
    cut_off = saturates() if saturating is None else saturating
    return tuple(way for way in ways if way.for_saturating in (None, cut_off))
