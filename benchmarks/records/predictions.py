"""Answers image by image, kept small enough for a record, and the comparison of two models on the same images."""

from __future__ import annotations

import base64
import binascii
import contextlib
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.records.record import Record
from benchmarks.records.shapes import fits

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["NotPaired", "Paired", "is_packed", "mcnemar", "pack", "unpack"]

LARGEST = 1 << 28  # bytes of answers: five to each of 26 million images
UNREADABLE = 0xFFFF  # stands where there is no answer


class NotPaired(ValueError):
    """Two records whose answers are not to the same images; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """Two models on the same images.

    Args:
        count: images both could be asked.
        only_first, only_second: images that only one of them has right.
        p_value: exact two-sided probability of so uneven a split between models of equal accuracy (McNemar).
    """

    count: int
    only_first: int
    only_second: int
    p_value: float

    @property
    def difference(self) -> float:
        """Top-1 of the first minus that of the second, a fraction."""
        return (self.only_first - self.only_second) / self.count


def pack(classes: ArrayLike) -> dict[str, Any]:
    """Class numbers, of any shape, as JSON values; -1 stands for no answer."""
    numbers = np.asarray(classes).astype("<i4")
    shorts = np.where(numbers < 0, UNREADABLE, numbers).astype("<u2")
    return {
        "shape": list(shorts.shape),
        "zlib_uint16_base64": base64.b64encode(zlib.compress(shorts.tobytes(), 9)).decode(),
    }


def unpack(packed: Mapping[str, Any]) -> NDArray[np.int32]:
    """What `pack` was given; raises ValueError for anything else, and never takes more memory than its shape says."""
    if not fits(packed, {"shape": [int], "zlib_uint16_base64": str}):
        raise ValueError("no answers are kept as their shape and their numbers")
    size = 2 * math.prod(packed["shape"])
    if size > LARGEST:
        raise ValueError(f"answers of shape {packed['shape']} are more than any data set has")
    try:
        content = zlib.decompressobj().decompress(base64.b64decode(packed["zlib_uint16_base64"]), size + 1)
    except (binascii.Error, zlib.error) as error:
        raise ValueError(f"answers cannot be unpacked: {error}") from None
    numbers = np.frombuffer(content, "<u2").astype(np.int32).reshape(packed["shape"])
    return np.where(numbers == UNREADABLE, -1, numbers).astype(np.int32)


def is_packed(value: Any) -> bool:
    """Whether `unpack` takes this."""
    with contextlib.suppress(ValueError):
        return len(unpack(value)) > 0
    return False


def mcnemar(first: Record, second: Record) -> Paired:
    """Whether two accuracy records, of the same images, differ by more than chance (exact McNemar test).

    Raises:
        NotPaired: a record holds no answers, or they are to other images.
    """
    from scipy.stats import binomtest

    fingerprints, answers = zip(*(_answers(record) for record in (first, second)), strict=True)
    (labels, first_top), (others, second_top) = answers
    if fingerprints[0] != fingerprints[1] or not np.array_equal(labels, others):
        raise NotPaired(f"{first.case.model} and {second.case.model} were tested on different images")
    asked = (first_top >= 0) & (second_top >= 0)
    first_right, second_right = (first_top == labels) & asked, (second_top == labels) & asked
    only_first, only_second = int((first_right & ~second_right).sum()), int((second_right & ~first_right).sum())
    uneven = only_first + only_second
    p_value = float(binomtest(only_first, uneven, 0.5).pvalue) if uneven else 1.0
    return Paired(count=int(asked.sum()), only_first=only_first, only_second=only_second, p_value=p_value)


def _answers(record: Record) -> tuple[str, tuple[NDArray[np.int32], NDArray[np.int32]]]:
    """Fingerprint of the images, and label and best answer of each."""
    top1 = record.find("top1")
    details = top1.details if top1 is not None else {}
    try:
        labels, answers = (unpack(details.get(name, {})) for name in ("labels", "answers"))
    except ValueError as error:
        raise NotPaired(f"{record.case.metric} of {record.case.model} image by image: {error}") from None
    if answers.ndim != 2 or answers.shape[:1] != labels.shape:
        raise NotPaired(f"{record.case.metric} of {record.case.model} holds answers to other images than it has labels")
    return str(details.get("fingerprint")), (labels, answers[:, 0])
