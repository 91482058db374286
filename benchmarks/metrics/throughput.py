"""Throughput: images a second when batches follow one another; not derived from latency."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.metrics.latency import TIMED_ON, prepare, to_reference
from benchmarks.metrics.metric import Column, Metric, Timing
from benchmarks.records.record import Case, Measurement
from benchmarks.stats.intervals import median_interval

__all__ = ["METRIC"]


def summarize(case: Case, timing: Timing) -> tuple[Measurement, ...]:
    """All images over all time, with the interval of the rounds' rates."""
    rates = _rates(case, timing.samples, timing.rounds)
    reference = _rates(case, timing.reference, timing.reference_rounds)
    interval = median_interval(list(rates.values()))
    value = case.batch_size * len(timing.samples) / sum(timing.samples)
    return (
        Measurement(
            name="samples_per_sec",
            value=value,
            unit="1/s",
            low=min(interval.low, value),
            high=max(interval.high, value),
            samples=tuple(case.batch_size / sample for sample in timing.samples),
            rounds=timing.rounds,
            method="images over time of all timed calls; 95 % interval by bootstrap over the rounds' rates",
            details={**timing.details, "apart_rounds": list(timing.apart)},
        ),
        *to_reference("throughput_ratio", rates, reference, timing),
    )


def _rates(case: Case, samples: tuple[float, ...], rounds: tuple[int, ...]) -> Mapping[int, float]:
    """Images a second of each round."""
    seconds: dict[int, float] = {}
    calls: dict[int, int] = {}
    for sample, number in zip(samples, rounds, strict=True):
        seconds[number] = seconds.get(number, 0.0) + sample
        calls[number] = calls.get(number, 0) + 1
    return {number: case.batch_size * calls[number] / seconds[number] for number in seconds if seconds[number] > 0}


METRIC = Metric(
    name="throughput",
    title="throughput",
    also=("fps", "images_per_second", "img_per_sec", "speed"),
    depends_on=TIMED_ON,
    columns=(Column(name="samples_per_sec", measurement="samples_per_sec", better="high"),),
    prepare=prepare,
    summarize=summarize,
    batch_size=8,
    default=False,  # it wants batches
)
