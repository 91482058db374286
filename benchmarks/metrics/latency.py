"""Latency: the time of one call, made serially, as a person waiting for it would see it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.metrics.metric import Column, Metric, Timing
from benchmarks.records.record import Case, Measurement, Record
from benchmarks.stats.intervals import (
    ENOUGH,
    Interval,
    median_interval,
    outliers,
    percentile,
    ratio_interval,
    round_medians,
)
from benchmarks.stats.ratios import Times

if TYPE_CHECKING:
    from benchmarks.metrics.subject import Subject

__all__ = ["METRIC", "TIMED_ON", "prepare", "times_of", "to_reference"]

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
    return (
        Measurement(
            name="latency_s",
            unit="s",
            **dataclasses.asdict(median_interval(list(medians.values()))),
            samples=timing.samples,
            rounds=timing.rounds,
            method="median over rounds of the median within a round, without the rounds in which the processors were "
            "far apart; 95 % interval by bootstrap over rounds",
            details={**timing.details, "apart_rounds": list(timing.apart), **spread(timing.samples)},
        ),
        *to_reference("latency_ratio", medians, reference, timing),
        *(Measurement(name=name, value=float(timing.details[name]), unit="s") for name in ("load_s", "first_call_s")),
    )


def to_reference(
    name: str, own: Mapping[int, float], reference: Mapping[int, float], timing: Timing
) -> tuple[Measurement, ...]:
    """The ratio of two models' figures by round, as a measurement of this name; nothing without a common round."""
    ratio = ratio_interval(own, reference)
    if ratio is None:
        return ()
    method = f"to {timing.details['reference']}, paired within rounds"
    return (Measurement(name=name, unit="ratio", **dataclasses.asdict(ratio), method=method),)


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
    if found is None or not found.samples:
        return None
    rates = record.case.metric == "throughput"
    seconds = [record.case.batch_size / sample for sample in found.samples] if rates else found.samples
    ratio = record.find("latency_ratio")
    bounds = [ratio.value if bound is None else bound for bound in (ratio.low, ratio.high)] if ratio else []
    return Times(
        seconds=round_medians(seconds, found.rounds, found.details.get("apart_rounds", ())),
        session=found.details.get("run"),
        reference=str(found.details.get("reference", "")),
        to_reference=Interval(ratio.value, *bounds) if ratio else None,
    )


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
)
