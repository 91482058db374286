"""Throughput: images a second when batches follow one another; not derived from latency."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Collection, Sequence

from benchmarks.metrics.latency import (
    DETAILS,
    LEFT_OUT,
    RATIO_DETAILS,
    TIMED_ON,
    apart_rounds,
    derived_ratio,
    figures,
    prepare,
    to_reference,
)
from benchmarks.metrics.metric import Column, Metric, Timing
from benchmarks.records.record import Case, Measurement
from benchmarks.stats.intervals import FEWEST_ROUNDS, Interval, time_interval
from benchmarks.stats.rounds import Rounds

__all__ = ["METRIC"]


def summarize(case: Case, timing: Timing) -> tuple[Measurement, ...]:
    """All images over all time, with the interval of the rounds' rates, and the ratio to the reference model."""
    rates = _rates(case, timing.samples, timing.rounds, timing.apart)
    reference = _rates(case, timing.reference, timing.reference_rounds, timing.reference_apart)
    found = Measurement(
        name="samples_per_sec",
        unit="1/s",
        value=0.0,
        samples=tuple(case.batch_size / sample for sample in timing.samples),
        rounds=timing.rounds,
        details={**timing.details, "apart_rounds": list(timing.apart)},
    )
    return (
        derive(case, found),
        *to_reference("throughput_ratio", rates, reference, timing),
    )


def derive(case: Case, found: Measurement) -> Measurement:
    """The measurement with the value and the interval that its samples have by the present rules."""
    if found.name == "samples_per_sec" and found.rounds and min(found.samples) > 0:
        seconds = [case.batch_size / rate for rate in found.samples]
        interval = _interval(case, seconds, found.rounds, apart_rounds(found))
        return dataclasses.replace(
            found,
            **figures(interval),
            method=f"images over time of all rounds, {LEFT_OUT}; 95 % interval by rank, from {FEWEST_ROUNDS} rounds on",
        )
    return derived_ratio(found)


def _interval(case: Case, seconds: Sequence[float], rounds: Sequence[int], apart: Collection[int]) -> Interval:
    """All images over all time of the rounds that count; the interval is that of the rounds' rates."""
    rates = _rates(case, seconds, rounds, apart).counting
    interval = time_interval(rates)
    counted = [each for each, number in zip(seconds, rounds, strict=True) if number in rates]
    value = case.batch_size * len(counted) / sum(counted)
    return Interval(value, min(interval.low, value), max(interval.high, value))


def _rates(case: Case, seconds: Sequence[float], rounds: Sequence[int], apart: Collection[int]) -> Rounds:
    """Images a second of each round."""
    by_round: dict[int, list[float]] = defaultdict(list)
    for each, number in zip(seconds, rounds, strict=True):
        by_round[number].append(each)
    rates = {number: case.batch_size * len(each) / sum(each) for number, each in by_round.items() if sum(each) > 0}
    return Rounds(rates, apart)


METRIC = Metric(
    name="throughput",
    title="throughput",
    also=("fps", "images_per_second", "img_per_sec", "speed"),
    depends_on=TIMED_ON,
    columns=(Column(name="samples_per_sec", measurement="samples_per_sec", better="high"),),
    prepare=prepare,
    summarize=summarize,
    details={"samples_per_sec": DETAILS, "throughput_ratio": RATIO_DETAILS},
    derive=derive,
    batch_size=8,
    default=False,  # it wants batches
)
