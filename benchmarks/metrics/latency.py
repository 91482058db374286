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
from benchmarks.records.shapes import ABSENT, Shape
from benchmarks.stats.intervals import (
    ENOUGH,
    Interval,
    median_interval,
    outliers,
    percentile,
    ratios_by_round,
    round_medians,
    time_interval,
)
from benchmarks.stats.ratios import Times, quotient

if TYPE_CHECKING:
    from benchmarks.metrics.subject import Subject

__all__ = [
    "DETAILS",
    "METRIC",
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
FLUCTUATING, UNRELIABLE = 0.10, 0.25  # interquartile range over median, as in torch.utils.benchmark


def prepare(subject: Subject) -> Callable[[], object]:
    """One inference of the case's batch."""
    return subject.call


def summarize(case: Case, timing: Timing) -> tuple[Measurement, ...]:
    """Median of the rounds' medians with its interval, the ratio to the reference model, start-up times."""
    medians = round_medians(timing.samples, timing.rounds, timing.apart)
    reference = round_medians(timing.reference, timing.reference_rounds, timing.reference_apart)
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
        medians = round_medians(found.samples, found.rounds, apart_rounds(found))
        return dataclasses.replace(
            found,
            **figures(time_interval(medians)),
            method="median over rounds of the median within a round, without the rounds in which the processors were "
            "far apart; 95 % interval by rank, from 8 rounds on",
            details={**found.details, **spread(found.samples)},
        )
    return derived_ratio(found)


def derived_ratio(found: Measurement) -> Measurement:
    """A ratio to the reference by the present rules; one whose rounds were not kept has no interval of its own."""
    if not found.name.endswith("_ratio"):
        return found
    interval = median_interval(found.samples) if found.samples else Interval(found.value, -math.inf, math.inf)
    return dataclasses.replace(found, **figures(interval))


def figures(interval: Interval) -> dict[str, Any]:
    """Value and bounds as a measurement holds them: without bounds where there is no interval."""
    low, high = (interval.low, interval.high) if interval.known else (None, None)
    return {"value": interval.value, "low": low, "high": high}


def apart_rounds(found: Measurement) -> tuple[int, ...]:
    """The rounds in which the processors were far from one another."""
    named = found.details.get("apart_rounds", ())
    return tuple(number for number in named if isinstance(number, int)) if isinstance(named, (list, tuple)) else ()


def to_reference(
    name: str, own: Mapping[int, float], reference: Mapping[int, float], timing: Timing
) -> tuple[Measurement, ...]:
    """The ratio of two models' figures by round, as a measurement of this name; nothing without a common round."""
    ratios = ratios_by_round(own, reference)
    if not ratios:
        return ()
    values = tuple(ratios.values())
    return (
        Measurement(
            name=name,
            unit="ratio",
            **figures(median_interval(values)),
            samples=values,
            rounds=tuple(ratios),
            method=f"to {timing.details['reference']}, paired within rounds",
        ),
    )


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
    medians = round_medians(seconds, found.rounds, apart_rounds(found))
    return Times(
        seconds=medians,
        session=session or None,
        reference=reference,
        to_reference=_ratio(ratio, medians) if ratio and ratio.value > 0 else None,
    )


def _ratio(found: Measurement, seconds: Mapping[int, float]) -> Interval:
    """The ratio to the reference; where its rounds were not kept, as sure as that of two times like this one."""
    if found.samples:
        return median_interval(found.samples)
    own = time_interval(seconds)
    return quotient(own, own).scaled(found.value)


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
        (("noise",), {str: (float, None)}),
        (("noise_by_round",), [{str: (float, None)}]),
    )
    for name in names
}

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
    details={"latency_s": DETAILS},
    derive=derive,
)
