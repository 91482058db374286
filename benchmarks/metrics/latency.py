"""Latency: the time of one call, made serially, as a person waiting for it would see it.

A record keeps the samples; value and interval are derived from them, here and again wherever records are read, so that
a better interval needs no new measurement.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.metrics.metric import Column, Metric, Timing
from benchmarks.records.record import Case, Measurement, Record
from benchmarks.records.shapes import ABSENT, Shape, is_json
from benchmarks.stats.intervals import (
    ENOUGH,
    FEWEST_ROUNDS,
    Interval,
    median_interval,
    outliers,
    percentile,
    time_interval,
)
from benchmarks.stats.ratios import Times, quotient
from benchmarks.stats.rounds import Rounds, common_ratios, round_medians, rounds_that_count

if TYPE_CHECKING:
    from benchmarks.metrics.subject import Subject

__all__ = [
    "DETAILS",
    "LEFT_OUT",
    "METRIC",
    "RATIO_DETAILS",
    "TIMED_ON",
    "apart_rounds",
    "derived_ratio",
    "figures",
    "prepare",
    "times_of",
    "to_reference",
]

TIMED_ON = ("runtime", "device", "precision", "img_size", "batch_size", "num_threads")
SECONDS = {"latency": "latency_s", "throughput": "samples_per_sec"}  # the measurement that times are read from
REFERENCE_APART = "reference_apart_rounds"
LEFT_OUT = f"without those with the processors far apart where {FEWEST_ROUNDS} others remain"
FLUCTUATING, UNRELIABLE = 0.10, 0.25  # interquartile range over median, as in torch.utils.benchmark


def prepare(subject: Subject) -> Callable[[], object]:
    """One inference of the case's batch."""
    return subject.call


def summarize(case: Case, timing: Timing) -> tuple[Measurement, ...]:
    """Median of the rounds' medians with its interval, the ratio to the reference model, start-up times."""
    medians = Rounds(round_medians(timing.samples, timing.rounds), timing.apart)
    reference = Rounds(round_medians(timing.reference, timing.reference_rounds), timing.reference_apart)
    found = Measurement(
        name="latency_s",
        unit="s",
        value=0.0,
        samples=timing.samples,
        rounds=timing.rounds,
        details={**timing.details, "apart_rounds": list(timing.apart)},
    )
    return (
        derive(case, found),
        *to_reference("latency_ratio", medians, reference, timing),
        *(Measurement(name=name, value=float(timing.details[name]), unit="s") for name in ("load_s", "first_call_s")),
    )


def derive(case: Case, found: Measurement) -> Measurement:
    """The measurement with the value and the interval that its samples have by the present rules."""
    if found.name == "latency_s" and found.rounds:
        medians = Rounds(round_medians(found.samples, found.rounds), apart_rounds(found))
        return dataclasses.replace(
            found,
            **figures(time_interval(medians.counting)),
            method=f"median over rounds of the median within a round, {LEFT_OUT}; 95 % interval by rank, from "
            f"{FEWEST_ROUNDS} rounds on",
            details={**found.details, **spread(found.samples)},
        )
    return derived_ratio(found)


def derived_ratio(found: Measurement) -> Measurement:
    """A ratio to the reference by the present rules; one whose rounds were not kept has no interval of its own."""
    if not found.name.endswith("_ratio"):
        return found
    return dataclasses.replace(found, **figures(_ratio(found) or Interval(found.value, -math.inf, math.inf)))


def figures(interval: Interval) -> dict[str, Any]:
    """Value and bounds as a measurement holds them: without bounds where there is no interval."""
    low, high = (interval.low, interval.high) if interval.known else (None, None)
    return {"value": interval.value, "low": low, "high": high}


def apart_rounds(found: Measurement, name: str = "apart_rounds") -> frozenset[int]:
    """The rounds in which the processors were far from one another, as a measurement's details have them."""
    named = found.details.get(name, ())
    return frozenset(each for each in (named if isinstance(named, (list, tuple)) else ()) if isinstance(each, int))


def to_reference(name: str, own: Rounds, reference: Rounds, timing: Timing) -> tuple[Measurement, ...]:
    """The ratio of two models' figures by round, as a measurement of this name; nothing without a common round.

    It keeps the ratios of all rounds, and in which of them the processors were apart for the one and for the other.
    """
    ratios = common_ratios(own, reference)
    found = Measurement(
        name=name,
        unit="ratio",
        value=0.0,
        samples=tuple(ratios.values()),
        rounds=tuple(ratios),
        details={"apart_rounds": [*own.apart], REFERENCE_APART: [*reference.apart]},
        method=f"to {timing.details['reference']}, paired within rounds, {LEFT_OUT}",
    )
    return (derived_ratio(found),) if ratios else ()


def spread(samples: tuple[float, ...]) -> dict[str, Any]:
    """How far the single calls lie apart; percentiles only from samples enough to know them."""
    low, median, high = (float(value) for value in np.quantile(samples, [0.25, 0.5, 0.75]))
    outside = outliers(samples)
    share = (high - low) / median if median else 0.0
    return {
        "n_samples": len(samples),
        "min_s": min(samples),
        "iqr_s": high - low,
        "spread": "unreliable" if share > UNRELIABLE else "fluctuating" if share > FLUCTUATING else "steady",
        "outliers_mild": outside.mild,
        "outliers_severe": outside.severe,
    } | {
        f"p{rank}_s": f"n/a (n={len(samples)})" if (value := percentile(samples, rank)) is None else value
        for rank in ENOUGH
    }


def times_of(record: Record) -> Times | None:
    """The times of a latency or throughput record for a comparison with others; None where it holds none."""
    found = record.find(SECONDS.get(record.case.metric, ""))
    if found is None or not found.rounds or min(found.samples) <= 0:
        return None
    rates = record.case.metric == "throughput"
    seconds = [record.case.batch_size / sample for sample in found.samples] if rates else found.samples
    ratio = record.find("latency_ratio")
    session, reference = (str(found.details.get(name) or "") for name in ("run", "reference"))
    rounds = Rounds(round_medians(seconds, found.rounds), apart_rounds(found))
    return Times(
        rounds=rounds,
        session=session or None,
        reference=reference,
        to_reference=_ratio(ratio) or _as_sure_as(rounds, ratio) if ratio and ratio.value > 0 else None,
    )


def _ratio(found: Measurement) -> Interval | None:
    """A ratio to the reference over the rounds that count; None where its rounds were not kept."""
    by_round = round_medians(found.samples, found.rounds or range(len(found.samples)))
    counting = rounds_that_count(by_round, apart_rounds(found), apart_rounds(found, REFERENCE_APART))
    return median_interval([by_round[number] for number in counting]) if counting else None


def _as_sure_as(seconds: Rounds, ratio: Measurement) -> Interval:
    """A ratio whose rounds were not kept, with the interval of that of two times like this one."""
    own = time_interval(seconds.counting)
    return quotient(own, own).scaled(ratio.value)


# of a session and its calls; one that an earlier version did not write is absent
DETAILS: Mapping[str, Shape] = {
    name: (shape, ABSENT)
    for names, shape in (
        (("run", "stop", "reference", "spread"), str),
        (("order_seed", "n_rounds", "n_samples", "block", "warmup_calls", "outliers_mild", "outliers_severe"), int),
        (("load_s", "first_call_s", "warmup_s", "min_s", "iqr_s"), float),
        (tuple(f"p{rank}_s" for rank in ENOUGH), (float, str)),
        (("apart_rounds", "process_starts"), [int]),
        (("handover_us",), [float]),
        (("drift",), {"last_third_over_first": (float, ABSENT), "range": (float, ABSENT)}),
        (("noisy",), bool),
        (("session",), is_json),
        (("noise",), {str: (float, None)}),
        (("noise_by_round",), [{str: (float, None)}]),
    )
    for name in names
}
RATIO_DETAILS: Mapping[str, Shape] = dict.fromkeys(("apart_rounds", REFERENCE_APART), ([int], ABSENT))

METRIC = Metric(
    name="latency",
    title="latency",
    also=("time", "speed", "inference", "ms"),
    depends_on=TIMED_ON,
    columns=(
        Column(name="latency_ms_p50", measurement="latency_s", factor=1e3, better="low", title="Latency, ms [95 %]"),
        Column(name="latency_ms_ci95_lo", measurement="latency_s", part="low", factor=1e3),
        Column(name="latency_ms_ci95_hi", measurement="latency_s", part="high", factor=1e3),
    ),
    prepare=prepare,
    summarize=summarize,
    details={"latency_s": DETAILS, "latency_ratio": RATIO_DETAILS},
    derive=derive,
)
