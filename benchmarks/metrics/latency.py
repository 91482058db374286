"""Latency: the time of one call, made serially, as a person waiting for it would see it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.metrics.metric import Metric, Timing
from benchmarks.records.record import Case, Measurement
from benchmarks.stats.intervals import (
    ENOUGH,
    median_interval,
    outliers,
    percentile,
    ratio_interval,
    round_medians,
)

if TYPE_CHECKING:
    from benchmarks.metrics.subject import Subject

__all__ = ["METRIC", "TIMED_ON"]

TIMED_ON = (
    "runtime", "device", "precision", "img_size", "batch_size", "num_threads", "seed",
    "max_time", "rounds", "target_ci", "repeat", "slowdown",
)  # fmt: skip
FLUCTUATING, UNRELIABLE = 0.10, 0.25  # interquartile range over median, as in torch.utils.benchmark


def prepare(subject: Subject) -> Callable[[], object]:
    """One inference of the case's batch."""
    return subject.call


def summarize(case: Case, timing: Timing) -> tuple[Measurement, ...]:
    """Median of the rounds' medians with its interval, the ratio to the reference model, start-up times."""
    medians = round_medians(timing.samples, timing.rounds, timing.apart)
    reference = round_medians(timing.reference, timing.reference_rounds, timing.reference_apart)
    interval = median_interval(list(medians.values()), seed=case.seed)
    ratio = ratio_interval(medians, reference, seed=case.seed)
    measurements = [
        Measurement(
            name="latency_s",
            value=interval.value,
            unit="s",
            low=interval.low,
            high=interval.high,
            samples=timing.samples,
            rounds=timing.rounds,
            method="median over rounds of the median within a round, without the rounds in which the processors were "
            "far apart; 95 % interval by bootstrap over rounds",
            details={**timing.details, "apart_rounds": list(timing.apart), **spread(timing.samples)},
        )
    ]
    if ratio:
        measurements.append(
            Measurement(
                name="latency_ratio",
                value=ratio.value,
                unit="ratio",
                low=ratio.low,
                high=ratio.high,
                method=f"to {timing.details['reference']}, paired within rounds",
            )
        )
    for name in ("load_s", "first_call_s"):
        measurements.append(Measurement(name=name, value=float(timing.details[name]), unit="s"))
    return tuple(measurements)


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


METRIC = Metric(name="latency", title="latency", depends_on=TIMED_ON, prepare=prepare, summarize=summarize)
