"""Latency and throughput from unequal samples: value and interval are those of the samples, whatever a record says."""

from __future__ import annotations

import dataclasses
import statistics

import pytest

from benchmarks.measure.basis import code_of
from benchmarks.metrics import METRICS, derived
from benchmarks.metrics.latency import spread, times_of
from benchmarks.metrics.metric import Timing
from benchmarks.records.record import Case, Measurement, Record

ROUNDS = tuple(number for number in range(1, 13) for _ in range(3))
# three calls a round, none like another; the median of round n is n milliseconds, and rounds 11 and 12 were apart
SAMPLES = tuple(1e-3 * n * factor for n in range(1, 13) for factor in (0.9, 1.0, 5.0))
TIMING = Timing(
    samples=SAMPLES, rounds=ROUNDS, apart=(11, 12), reference=tuple(2e-3 for _ in ROUNDS), reference_rounds=ROUNDS,
    details={"reference": "resnet18", "run": "one", "load_s": 0.5, "first_call_s": 0.25},
)  # fmt: skip


def summarized(metric: str, timing: Timing = TIMING, batch_size: int = 1) -> Record:
    case = Case(metric=metric, model="resnet18", batch_size=batch_size)
    summarize = METRICS[metric].summarize
    assert summarize is not None
    return Record(case=case, status="ok", measurements=summarize(case, timing))


def found(record: Record, name: str) -> Measurement:
    measurement = record.find(name)
    assert measurement is not None
    return measurement


def test_a_latency_is_the_median_over_the_rounds_that_count_and_its_bounds_lie_around_it() -> None:
    latency = found(summarized("latency"), "latency_s")
    assert latency.value == pytest.approx(5.5e-3)  # of rounds 1 to 10, by their medians
    assert latency.low == pytest.approx(1.5e-3, rel=0.1) and latency.high == pytest.approx(9.5e-3, rel=0.1)
    assert (latency.samples, latency.rounds) == (SAMPLES, ROUNDS)
    assert latency.details["min_s"] == min(SAMPLES) and latency.details["apart_rounds"] == [11, 12]
    ratio = found(summarized("latency"), "latency_ratio")
    assert ratio.value == pytest.approx(5.5 / 2) and ratio.rounds == tuple(range(1, 13))
    assert ratio.samples == pytest.approx([n / 2 for n in range(1, 13)])
    assert ratio.details == {"apart_rounds": [11, 12], "reference_apart_rounds": []}


def test_a_throughput_is_all_images_over_the_time_of_the_rounds_that_count() -> None:
    rate = found(summarized("throughput", batch_size=8), "samples_per_sec")
    assert rate.value == pytest.approx(8 * 30 / sum(SAMPLES[:30]))
    assert rate.low is not None and rate.high is not None and rate.low < rate.value < rate.high
    assert found(summarized("throughput"), "throughput_ratio").value == pytest.approx(
        statistics.median(2 * 3 / (6.9 * n) for n in range(1, 11))
    )


@pytest.mark.parametrize("metric", ["latency", "throughput"])
def test_what_was_written_of_an_interval_does_not_count(metric: str) -> None:
    fresh = summarized(metric)
    old = [dataclasses.replace(each, value=99.0, low=98.0, high=100.0, method="bootstrap") if each.rounds else each
           for each in fresh.measurements]  # fmt: skip
    assert derived(dataclasses.replace(fresh, measurements=tuple(old))).measurements[0] == fresh.measurements[0]
    assert derived(fresh) == fresh


@pytest.mark.parametrize("metric", ["latency", "throughput"])
def test_few_rounds_have_a_value_and_no_interval(metric: str) -> None:
    few = dataclasses.replace(TIMING, samples=SAMPLES[:21], rounds=ROUNDS[:21], apart=(1, 2, 3))
    for each in summarized(metric, few).measurements[:2]:
        assert each.value > 0 and each.low is None and each.high is None


@pytest.mark.parametrize("metric", ["latency", "throughput"])
def test_a_time_where_few_rounds_have_the_processors_close_is_of_all(metric: str) -> None:
    """Seven of twelve are close: such a time is no better known for leaving out the five, and has an interval."""
    mostly = summarized(metric, dataclasses.replace(TIMING, apart=(1, 2, 3, 4, 5))).measurements[0]
    whole = summarized(metric, dataclasses.replace(TIMING, apart=())).measurements[0]
    assert (mostly.value, mostly.low, mostly.high) == (whole.value, whole.low, whole.high)
    assert mostly.low is not None and mostly.details["apart_rounds"] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("metric", ["latency", "throughput"])
def test_a_ratio_where_few_rounds_have_the_processors_close_for_both_is_of_those_in_which_they_were_alike(
    metric: str,
) -> None:
    """Twelve rounds of a model that always takes twice as long as its reference; both take longer when apart."""
    own, other = (1, 2, 3, 4, 5, 6), (1, 2, 3, 7)  # five are close for both, three apart for both
    timing = dataclasses.replace(
        TIMING, apart=own, reference_apart=other,
        samples=tuple(2e-3 * (1.5 if n in own else 1) for n in ROUNDS),
        reference=tuple(1e-3 * (1.5 if n in other else 1) for n in ROUNDS),
    )  # fmt: skip
    ratio = summarized(metric, timing).measurements[1]
    expected = 2.0 if metric == "latency" else 0.5
    assert ratio.value == ratio.low == ratio.high == pytest.approx(expected)
    assert len(ratio.rounds) == 12 and min(ratio.samples) < expected < max(ratio.samples)
    case = Case(metric=metric, model="resnet18")
    again = METRICS[metric].derive(case, dataclasses.replace(ratio, value=9.0, low=None))  # type: ignore[misc]
    assert again == ratio
    old = dataclasses.replace(ratio, details={}, samples=(expected,) * 8, rounds=tuple(range(8)))
    assert METRICS[metric].derive(case, old).value == pytest.approx(expected)  # type: ignore[misc]


def test_times_come_from_the_samples_of_either_metric() -> None:
    for metric in ("latency", "throughput"):
        times = times_of(summarized(metric))
        assert times is not None and times.session == "one" and times.reference == "resnet18"
        assert times.seconds == pytest.approx({n: 1e-3 * n for n in range(1, 11)})
    of_eight = times_of(summarized("throughput", batch_size=8))
    assert of_eight is not None and of_eight.seconds == pytest.approx({n: 1e-3 * n for n in range(1, 11)})
    ratio = times_of(summarized("latency")).to_reference  # type: ignore[union-attr]
    assert ratio is not None and ratio.value == pytest.approx(2.75) and ratio.known


def test_an_old_ratio_is_as_sure_as_two_times_like_its_own() -> None:
    record = summarized("latency")
    latency, ratio, *_ = record.measurements
    old = dataclasses.replace(ratio, low=2.74, high=2.76, samples=(), rounds=())
    times = times_of(dataclasses.replace(record, measurements=(latency, old)))
    assert times is not None and times.to_reference is not None
    assert times.to_reference.value == 2.75 and times.to_reference.half_width > 1
    assert found(derived(dataclasses.replace(record, measurements=(latency, old))), "latency_ratio").low is None


@pytest.mark.parametrize("odd", [None, 3, "x", [None, "y", 2.5], {"a": 1}])
def test_odd_details_are_passed_over(odd: object) -> None:
    record = summarized("latency")
    latency = record.measurements[0]
    strange = dataclasses.replace(latency, details={**latency.details, "apart_rounds": odd, "run": odd})
    ratio = dataclasses.replace(record.measurements[1], details={"apart_rounds": odd, "reference_apart_rounds": odd})
    strange = dataclasses.replace(record, measurements=(strange, ratio))
    times = times_of(derived(strange))
    assert times is not None and len(times.seconds) == 12
    none = dataclasses.replace(latency, samples=(0.0,) * 36)
    assert times_of(dataclasses.replace(record, measurements=(none,))) is None


def test_a_better_interval_makes_no_record_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    """The statistics are not among what the times themselves are computed by."""
    from benchmarks.measure import basis

    seen = []
    monkeypatch.setattr(basis, "fingerprint", lambda parts, libraries, apart: seen.append(apart) or "code")
    code_of.cache_clear()
    for metric in ("latency", "throughput", "params"):
        code_of(Case(metric=metric, model="resnet18", img_size=224))
    code_of.cache_clear()
    assert ["benchmarks.stats" in apart for apart in seen] == [True, True, False]


def test_what_is_said_of_single_calls_is_known_by_hand() -> None:
    calm = spread(tuple(1.0 + 0.01 * number for number in range(101)))  # quartiles 1.25, 1.5 and 1.75
    assert (calm["n_samples"], calm["min_s"]) == (101, 1.0)
    assert calm["iqr_s"] == pytest.approx(0.5) and calm["spread"] == "unreliable"
    assert calm["p90_s"] == pytest.approx(1.9) and calm["p99_s"] == "n/a (n=101)"
    assert (calm["outliers_mild"], calm["outliers_severe"]) == (0, 0)


@pytest.mark.parametrize(
    ("share", "word"),
    [(0.09, "steady"), (0.11, "fluctuating"), (0.24, "fluctuating"), (0.26, "unreliable"), (0.9, "unreliable")],
)
def test_a_spread_has_its_word(share: float, word: str) -> None:
    """Of evenly spread calls the middle half takes half of the width."""
    assert spread(tuple(1 + 2 * share * (number / 100 - 0.5) for number in range(101)))["spread"] == word


def test_calls_that_take_no_time_are_steady() -> None:
    assert spread((0.0,) * 8)["spread"] == "steady"
