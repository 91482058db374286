"""The time left that a waiting person is told, on runs replayed from the records of the shipped report."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.plan import forecast
from benchmarks.plan.arguments import parse
from benchmarks.plan.cases import canonical, plan
from benchmarks.plan.cost import KINDS, by_cost, call_seconds, counts_of, end_of, kind_of, seconds_of
from benchmarks.plan.forecast import Forecast, duration
from benchmarks.records.record import Case, Measurement, Record
from benchmarks.records.store import read_records

RECORDS = Path(__file__).parents[3] / "reports" / "reference" / "results.jsonl"
IMPORTS, LOADING, REPORT = 9.0, 1.2, 6.0  # seconds of a real run: PyTorch, a timed case, a report
TESTED = 700.0  # training images that take as long as the test after an epoch, the last of which tells no progress


class Replay:
    """A run whose cases take as long as they once did, on a machine of another speed.

    Args:
        arguments: of the command line.
        speed: of the machine, over that of the records.
        noise: standard deviation of the logarithm of each case's time.
    """

    def __init__(self, *arguments: str, speed: float, noise: float = 0.0, tick: float = 5.0, seed: int = 0) -> None:
        self.now = 0.0
        self._speed, self._noise, self._tick, self._random = speed, noise, tick, random.Random(seed)
        options = dataclasses.replace(parse(["--num-threads", "2", *arguments]).options, training_threads=(1,))
        self.cases = plan(options)
        self.forecast = Forecast(self.cases, clock=lambda: self.now)
        self.told: list[tuple[float, float]] = []  # moments, and the seconds that were said to be left

    def share_within(self, factor: float) -> float:
        """The part of the time from the first minute on in which what was told lay within a factor of the truth."""
        for _ in self._run():
            if not self.told or self.now >= self.told[-1][0] + self._tick / 2:
                self.told.append((self.now, self.forecast.left))
        within, whole = 0.0, 0.0
        for (moment, left), (later, _) in itertools.pairwise(self.told):
            if moment >= 60:
                whole += later - moment
                within += (later - moment) * (1 / factor < left / (self.now - moment) < factor)
        return within / whole

    def _run(self) -> Iterator[None]:
        yield from self._wait(IMPORTS)
        records: list[Record] = []
        kinds = {kind: [case for case in self.cases if kind_of(case) == kind] for kind in KINDS}
        for kind in ("count", "alone"):
            yield from self._side_by_side(kinds[kind], 2 if kind == "count" else 1, records)
        yield from self._rounds(kinds["timed"], records)
        yield from self._wait(REPORT)
        yield from self._side_by_side(by_cost(kinds["training"], counts_of(records)), 2, records)
        yield from self._wait(REPORT)

    def _side_by_side(self, waiting: list[Case], lanes: int, records: list[Record]) -> Iterator[None]:
        waiting, busy = list(waiting), dict[Case, tuple[float, float]]()
        while waiting or busy:
            while waiting and len(busy) < lanes:
                case = waiting.pop(0)
                busy[case] = self.now, self._seconds(case)
                self.forecast.step(case, 0.0)
            self.now += min(self._tick, *(since + taken - self.now for since, taken in busy.values()))
            for case, (since, taken) in list(busy.items()):
                if since + taken <= self.now + 1e-9:
                    del busy[case]
                    self._finish(case, records)
                elif kind_of(case) == "training":
                    steps = taken * (1 - TESTED / case.epochs / (case.train_images + TESTED))
                    self.forecast.step(case, min(max(self.now - since - 1.0 / self._speed, 0.0) / steps, 1.0))
            yield

    def _rounds(self, cases: list[Case], records: list[Record]) -> Iterator[None]:
        for case in cases:
            self.forecast.step(case, 0.0)
            yield from self._wait(LOADING / self._speed)
        rounds = 12
        for number in range(rounds):
            for case in cases:
                self.forecast.step(case, number / rounds)
                yield from self._wait((float(dict(case.effort)["max_time"]) * 1.1 + LOADING / self._speed) / rounds)
        for case in cases:
            self._finish(case, records)

    def _finish(self, case: Case, records: list[Record]) -> None:
        found = [
            dataclasses.replace(each, value=each.value / self._speed) if each.unit == "s" else each
            for each in recorded()[case.metric, case.model].measurements
        ]
        records.append(Record(case=case, status="ok", measurements=tuple(found)))
        self.forecast.finish(records[-1])

    def _seconds(self, case: Case) -> float:
        record = recorded()[case.metric, case.model]
        work = case.epochs * (case.train_images + 500) / (record.case.epochs * 6500) if case.epochs else 1.0
        return record.seconds * work / self._speed * self._random.lognormvariate(0.0, self._noise)

    def _wait(self, seconds: float) -> Iterator[None]:
        until = self.now + seconds
        while self.now < until - 1e-9:
            self.now = min(self.now + self._tick, until)
            yield


@functools.cache
def recorded() -> dict[tuple[str, str], Record]:
    """A record of each metric and model, made on the machine that timed them."""
    records = read_records(RECORDS).records
    timed = {each.machine for each in records if each.case.metric == "latency"}
    kept = [each for each in records if each.machine in timed and each.case.train_threads <= 1]
    return {(each.case.metric, each.case.model): each for each in reversed(kept)}


@pytest.fixture(autouse=True)
def two_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecast, "at_a_time", lambda kind, cases: 2 if kind in ("count", "training") else 1)


@pytest.mark.parametrize("speed", [0.5, 1.0, 3.0])
@pytest.mark.parametrize(("arguments", "tick"), [(("--models", "all"), 25.0), (("--quick",), 1.0)])
def test_nine_tenths_of_a_run_the_time_told_is_right_within_half(
    arguments: tuple[str, ...], tick: float, speed: float
) -> None:
    assert Replay(*arguments, speed=speed, noise=0.2, tick=tick).share_within(1.5) >= 0.9


def test_trainings_alone_tell_the_machine_by_themselves() -> None:
    replay = Replay("--models", "resnet*,vgg11,nin", "--metrics", "accuracy", speed=3.0, tick=2.0)
    assert replay.share_within(1.5) >= 0.9


@pytest.fixture
def trained() -> tuple[Case, ...]:
    options = parse(["--models", "resnet18", "--metrics", "accuracy", "--num-threads", "1"]).options
    return tuple(plan(dataclasses.replace(options, seeds=(seed,)))[0] for seed in range(4))


def test_side_by_side_is_not_one_after_another(trained: tuple[Case, ...]) -> None:
    found = Forecast(trained, clock=lambda: 0.0)
    one = found.expected(trained[0])
    assert found.left == pytest.approx(forecast.BEGINNING + 2 * one + forecast.REPORT)
    assert Forecast(trained[:3], clock=lambda: 0.0).left == pytest.approx(found.left)
    assert Forecast(trained[:2], clock=lambda: 0.0).left == pytest.approx(found.left - one)


def test_another_seed_takes_as_long_again(trained: tuple[Case, ...]) -> None:
    earlier = Record(case=trained[3], status="ok", seconds=70.0)
    found = Forecast(trained[:2], [earlier], clock=lambda: 0.0)
    assert [found.expected(case) for case in trained[:2]] == [70.0, 70.0]


def test_a_training_grows_with_epochs_images_and_pixels(trained: tuple[Case, ...]) -> None:
    usual = seconds_of(trained[0])
    for more in ({"epochs": 30}, {"train_images": 60_000}, {"train_img_size": 160}):
        assert seconds_of(dataclasses.replace(trained[0], **more)) > 4 * usual
    assert seconds_of(dataclasses.replace(trained[0], train_threads=4)) < usual / 2
    assert seconds_of(dataclasses.replace(trained[0], model="vgg16")) > 3 * usual


def test_a_variant_that_was_published_is_not_taken_for_another() -> None:
    """Before anything is counted: a small MobileNet takes no forty times as long as it does."""
    base = Case(metric="latency", model="mobilenet_v1", img_size=224, num_threads=2)
    small = dataclasses.replace(base, model="mobilenet_v1:resolution=128,width=0.25", img_size=128)
    counted = {(small.model, "mult_adds"): 13_570_048.0, (small.model, "param_count"): 470_072.0}
    assert call_seconds(small) == call_seconds(small, counted) < call_seconds(base) / 2


def test_counts_made_in_the_run_are_used(trained: tuple[Case, ...]) -> None:
    case = trained[0]
    found = Forecast([case], clock=lambda: 0.0)
    before = found.expected(case)
    counting = Case(metric="mult_adds", model="resnet18", img_size=224)
    counted = Measurement(name="mult_adds", value=20e9, unit="count")
    found = Forecast([counting, case], clock=lambda: 0.0)
    found.step(counting, 0.0)
    found.finish(Record(case=counting, status="ok", measurements=(counted,)))
    assert found.expected(case) > 3 * before


def test_what_fails_teaches_nothing_and_is_over(trained: tuple[Case, ...]) -> None:
    now = 0.0
    found = Forecast(trained[:1], clock=lambda: now)
    found.step(trained[0], 0.0)
    now = 1.0
    before = found.expected(trained[0])
    found.finish(Record(case=trained[0], status="failed"))
    assert found.expected(trained[0]) == pytest.approx(before, rel=0.1)
    assert found.left <= forecast.REPORT


def test_nothing_to_do_takes_no_time() -> None:
    assert Forecast([]).left == 0


def test_a_case_nobody_planned_is_no_part_of_the_run() -> None:
    case = Case(metric="latency", model="nin", effort=(("max_time", 4.0),))
    found = Forecast([case], clock=lambda: 0.0)
    found.step(dataclasses.replace(case, model="resnet18"), 0.5)
    assert found.left == pytest.approx(forecast.BEGINNING + seconds_of(case) + forecast.REPORT, rel=0.2)


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0:00:00"), (272, "0:04:32"), (7199.6, "2:00:00")])
def test_durations_are_hours_minutes_and_seconds(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_metric_that_answers_the_images_many_times_takes_longer_after_the_training() -> None:
    once, often = (
        canonical(Case(metric=metric, model="mobilenet_v1", num_threads=1)) for metric in ("accuracy", "schemes")
    )
    assert 1.2 * seconds_of(once) < seconds_of(often) < 2 * seconds_of(once)
    assert 10 * end_of(once) < end_of(often) < 0.5
