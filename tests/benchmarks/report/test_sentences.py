"""Every kind of sentence of the first lines, recomputed from the records of many made-up runs."""

from __future__ import annotations

import dataclasses
import random
import re
import statistics
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal

import pytest

from benchmarks.records.record import Measurement, Record
from benchmarks.report import pictures
from benchmarks.report.answers import answers, indistinguishable_neighbours
from benchmarks.report.findings import Estimate, front_of
from benchmarks.report.overview import survey
from benchmarks.stats.ranking import pareto_front
from tests.benchmarks.report.made import (
    ENVIRONMENT,
    MODELS,
    TESTED_AT,
    accuracy,
    answer,
    counted,
    full_records,
    latency,
    mult_adds_of,
    record,
)

SEEDS = range(12)


def rounded(value: float, decimals: int) -> str:
    """Halves up, as people round."""
    return str(Decimal(f"{value:.12f}").quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP))


def made_up(seed: int) -> tuple[list[Record], dict[str, dict[str, list[float]]]]:
    """Records of a run in which now this and now that was left out, with ties; and the raw figures behind them."""
    chance = random.Random(seed)
    models = chance.sample(sorted(MODELS), chance.choice((1, 2, 5)))
    runtimes = chance.choice((("eager",), ("eager", "openvino"), ("eager", "packed", "onnxruntime")))
    with_accuracy, seeds = chance.random() < 0.8, chance.choice((1, 1, 3))
    records: list[Record] = []
    truth: dict[str, dict[str, list[float]]] = {model: {} for model in models}
    for model in models:
        params = chance.choice((4e6, chance.uniform(1e6, 2e8)))  # now and then a tie
        truth[model]["params"] = [round(params)]
        records.append(counted(model, round(params)))
        if with_accuracy:
            tops = [round(chance.uniform(0.7, 0.95) * 2000) / 2000 for _ in range(seeds)]
            truth[model]["top1"] = tops
            records += [accuracy(model, top1, seed=place) for place, top1 in enumerate(tops)]
        if chance.random() < 0.8:
            truth[model]["cost"] = [chance.uniform(1e7, 1e9)]
            records.append(mult_adds_of(model, truth[model]["cost"][0], TESTED_AT))
        records.append(mult_adds_of(model, chance.uniform(1e8, 1e10)))
        for runtime in runtimes:
            records.append(latency(model, chance.uniform(0.005, 0.2), runtime=runtime))
            truth[model][runtime] = [records[-1].measurements[0].value]
    chance.shuffle(records)
    return records, truth


def first(records: Sequence[Record], need: str) -> str:
    """A sentence up to its first semicolon: what it says of the best, without those that cannot be told from it."""
    return answer(records, need).partition(";")[0]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_smallest(seed: int) -> None:
    records, truth = made_up(seed)
    params = {model: found["params"][0] for model, found in truth.items()}
    least, most = min(params.values()), max(params.values())
    sentence = answer(records, "**Smallest:**")
    assert f"with {rounded(least / 1e6, 2)} M parameters" in sentence
    smallest = {model for model, count in params.items() if count == least}
    assert set(re.findall(r"\*\*(\w+)\*\*", sentence)) - {max(params, key=lambda m: params[m])} <= smallest
    if most > least:
        (times,) = re.findall(r"([\d,.]+) times fewer than", sentence)
        assert float(times.replace(",", "")) == pytest.approx(most / least, rel=0.05)
    else:
        assert "times fewer" not in sentence


@pytest.mark.parametrize("seed", SEEDS)
def test_the_fastest_is_over_every_runtime_and_names_it(seed: int) -> None:
    records, truth = made_up(seed)
    times = {
        (model, runtime): found[runtime][0]
        for model, found in truth.items()
        for runtime in ("eager", "openvino", "packed", "onnxruntime")
        if runtime in found
    }
    model, runtime = min(times, key=lambda key: times[key])
    sentence = first(records, "**Fastest here:**")
    with_runtime = f" with {runtime}" if len({each for _, each in times}) > 1 else ""
    assert sentence.startswith(f"**Fastest here:** **{model}**{with_runtime}: ")
    (milliseconds,) = re.findall(r": ([\d.]+) ms", sentence)
    assert float(milliseconds) == pytest.approx(1e3 * times[model, runtime], rel=0.005)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_most_accurate_is_a_mean_over_seeds_and_says_of_what(seed: int) -> None:
    from scipy import stats

    records, truth = made_up(seed)
    tops = {model: found["top1"] for model, found in truth.items() if "top1" in found}
    sentence = answer(records, "**Most accurate after")
    if not tops:
        assert not sentence and not answer(records, "**Most accurate here")
        return
    means = {model: statistics.fmean(found) for model, found in tops.items()}
    model = min(means, key=lambda model: (-means[model], model))
    assert "after 8 epochs on 6,000 images of Fashion-MNIST at 64 pixels** (so short a training" in sentence
    assert f": **{model}** with {rounded(100 * means[model], 1)} % " in sentence
    seeds = tops[model]
    if len(seeds) == 1:
        interval = stats.binomtest(round(seeds[0] * 2000), 2000).proportion_ci(method="wilson")
        assert "one seed: of the test images only" in sentence
        low, high = interval.low, interval.high
    else:
        reach = stats.t.ppf(0.975, len(seeds) - 1) * statistics.stdev(seeds) / len(seeds) ** 0.5
        assert f"over {len(seeds)} seeds" in sentence
        low, high = max(means[model] - reach, 0.0), min(means[model] + reach, 1.0)
    assert f"({rounded(100 * low, 1)} to {rounded(100 * high, 1)}, " in sentence


@pytest.mark.parametrize("seed", SEEDS)
def test_accuracy_is_set_against_the_cost_at_its_own_size_only(seed: int) -> None:
    records, truth = made_up(seed)
    known = {model: found for model, found in truth.items() if "top1" in found and "cost" in found}
    sentence = first(records, "**Most accuracy per multiply-add**")
    assert not answer(records, "per millisecond")  # no time was taken at that size
    if len(known) < 2:
        assert not sentence
        return
    price = {model: statistics.fmean(found["top1"]) / found["cost"][0] for model, found in known.items()}
    model = max(price, key=lambda model: price[model])
    with_accuracy = sum("top1" in found for found in truth.values())
    some = "" if len(known) == with_accuracy else f", known of {len(known)} of {with_accuracy} models"
    assert f" (at the size of the test images{some}): **{model}**, " in sentence
    (millions,) = re.findall(r"for ([\d,.]+) M multiply-adds", sentence)
    assert float(millions.replace(",", "")) == pytest.approx(known[model]["cost"][0] / 1e6, rel=0.005)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_picture_of_accuracy_and_cost_takes_both_at_one_size_or_both_as_published(seed: int) -> None:
    records, truth = made_up(seed)
    known = {model: found for model, found in truth.items() if "top1" in found and "cost" in found}
    overview = survey(records, ENVIRONMENT)
    drawing = pictures.accuracy_mult_adds(overview)
    if len(known) > 1:
        assert drawing is not None and "as large as it was tested on" in drawing.data["x"]
        points = {point["model"]: point for point in drawing.data["points"]}
        assert {model: point["x"] for model, point in points.items()} == pytest.approx(
            {model: found["cost"][0] / 1e6 for model, found in known.items()}
        )
        assert all(point["y_lo"] < point["y"] < point["y_hi"] for point in points.values())
        assert ("known with its cost of" in drawing.caption) == (len(known) < len(overview.records("accuracy")))
    elif drawing is not None:
        assert drawing.data["y"].startswith("Published") and drawing.data["x"] == "Multiply-adds of one image, M"
    latencies = pictures.accuracy_latency(overview)
    assert latencies is None or latencies.data["y"].startswith("Published")


def test_of_images_of_one_size_the_front_is_that_of_the_figures_where_nothing_is_in_doubt() -> None:
    chance = random.Random(0)
    for _ in range(30):
        costs, gains = ([chance.choice((chance.random(), 0.5)) for _ in range(6)] for _ in range(2))
        exact = [[Estimate(each, each, each, str(at)) for at, each in enumerate(kind)] for kind in (costs, gains)]
        found = front_of(*exact)
        dominated = {
            str(one)
            for one in range(6)
            for other in range(6)
            if costs[other] <= costs[one]
            and gains[other] >= gains[one]
            and (costs[other], gains[other]) != (costs[one], gains[one])
        }
        assert set(found.sure) == {str(at) for at in range(6)} - dominated and not found.possible
        assert found.line == tuple(str(at) for at in pareto_front(costs, gains))


def test_a_front_holds_the_doubt_of_both_figures() -> None:
    def known(model: str, value: float, reach: float) -> Estimate:
        return Estimate(value, value - reach, value + reach, model)

    costs = [known("cheap", 1.0, 0), known("near", 1.1, 0), known("dear", 5.0, 0), known("worst", 6.0, 0)]
    gains = [
        known("cheap", 0.80, 0.02),
        known("near", 0.79, 0.02),
        known("dear", 0.90, 0.02),
        known("worst", 0.70, 0.02),
    ]
    found = front_of(costs, gains)
    assert found.line == ("cheap", "dear")
    assert found.sure == ("cheap", "dear")  # nothing cheaper than the one, nothing as accurate as the other
    assert found.possible == ("near",)  # may be the more accurate; the worst surely is not


def test_who_may_be_on_the_front_is_named_in_the_caption() -> None:
    records = [accuracy("resnet18", 0.90), accuracy("resnet34", 0.895), accuracy("vgg16", 0.7)]
    records += [mult_adds_of(model, cost, TESTED_AT) for model, cost in
                (("resnet18", 1e8), ("resnet34", 2e8), ("vgg16", 9e8))]  # fmt: skip
    drawing = pictures.accuracy_mult_adds(survey(records, ENVIRONMENT))
    assert drawing is not None
    assert "every other model being less accurate or costlier: resnet18." in drawing.caption
    assert "Perhaps on it, as no other is known to be better: resnet34." in drawing.caption


class TestTies:
    def test_the_most_accurate_names_those_it_cannot_be_told_apart_from(self) -> None:
        records = [accuracy("resnet18", 0.90), accuracy("resnet50", 0.91), accuracy("alexnet", 0.80)]
        sentence = answer(records, "accurate after")
        assert "**resnet18** (90.0 %) cannot be told apart" in sentence and "alexnet" not in sentence

    def test_a_clear_winner_has_none(self) -> None:
        assert "told apart" not in answer([accuracy("resnet18", 0.95), accuracy("alexnet", 0.80)], "accurate after")

    def test_times_of_one_run_are_compared_round_by_round(self) -> None:
        near = [latency("resnet18", 0.0400, spread=0.0001), latency("alexnet", 0.0412, spread=0.0001)]
        assert "told apart" not in answer(near, "Fastest")  # 3 % apart in each of eight rounds, whatever drifts
        apart = [latency("resnet18", 0.0400), latency("alexnet", 0.0404, run="b")]
        assert re.search(r"\*\*alexnet\*\* \(.* ms\) cannot be told apart", answer(apart, "Fastest"))

    @pytest.mark.parametrize("run", ["a", "b"])
    def test_times_of_few_rounds_differ_if_they_never_meet(self, run: str) -> None:
        fast = latency("resnet18", 0.04)
        assert "told apart" not in answer([fast, latency("alexnet", 0.08, turns=6, run=run)], "Fastest")
        assert "told apart" in answer([fast, latency("alexnet", 0.042, turns=6, run=run)], "Fastest")

    def test_one_model_in_two_runtimes(self) -> None:
        records = [latency("resnet18", 0.04, spread=0.2, run=name, runtime=name) for name in ("eager", "packed")]
        sentence = answer(records, "Fastest")
        assert "**resnet18** with packed" in sentence and "**resnet18** with eager" in sentence
        assert "of the runtimes eager and packed" in sentence and "eager on cpu" not in sentence

    def test_smallest_with_equals(self) -> None:
        assert "**vgg16** (4.00 M) has as many" in answer([counted("vgg16", 4e6), counted("alexnet", 4e6)], "Smallest")

    def test_neighbours_that_cannot_be_told_apart(self) -> None:
        records = [latency("vgg11", 0.100, run="a"), latency("vgg13", 0.101, run="b"), latency("vgg16", 0.3, run="c")]
        assert indistinguishable_neighbours(survey(records, ENVIRONMENT)) == [("vgg11", "vgg13")]


def test_a_time_of_too_few_rounds_has_no_interval_and_says_so() -> None:
    found = latency("resnet18", 0.04)
    short = dataclasses.replace(found, measurements=(dataclasses.replace(found.measurements[0], low=None, high=None),))
    assert "ms (too few rounds for an interval)" in answer([short], "Fastest")


def test_doubt_about_the_times_comes_first() -> None:
    found = latency("vgg16", 0.3)
    loud = dataclasses.replace(
        found, measurements=(dataclasses.replace(found.measurements[0], details={"noisy": True}),)
    )
    found_first, *others = answers(survey([loud, counted("vgg16", 1e6)], ENVIRONMENT))
    assert found_first.startswith("**Do not lean on the times of** vgg16: other work") and len(others) == 2


def test_a_short_training_is_not_the_first_thing_said_nor_said_without_what_it_was() -> None:
    sentences = answers(survey(full_records(), ENVIRONMENT))
    assert "accura" not in sentences[0]
    (trained,) = [each for each in sentences if each.startswith("**Most accurate after")]
    assert "shows how readily a network learns, not what it can reach" in trained
    long = answer([accuracy("resnet18", 0.9, epochs=90)], "accurate after")
    assert "after 90 epochs" in long and "so short" not in long


def test_weights_that_were_given_are_tested_not_trained() -> None:
    records = [
        accuracy("resnet50", 0.76, dataset="imagenet", weights="imagenet", weights_path="imagenet", epochs=0,
                 train_img_size=0, img_size=224),
        latency("resnet50", 0.1),
        *(accuracy("resnet18", 0.70, dataset="imagenet", weights="imagenet", weights_path="imagenet", epochs=0,
                   train_img_size=0, img_size=224), latency("resnet18", 0.04)),
    ]  # fmt: skip
    assert "**Most accurate here**: **resnet50** with 76.0 %" in answer(records, "Most accurate")
    assert "as published" not in " ".join(answers(survey(records, ENVIRONMENT)))
    assert "**Most accuracy per millisecond** (at the size of the test images): **resnet18**" in answer(
        records, "per millisecond"
    )  # both at 224 pixels


def test_the_most_accurate_as_published_says_that_the_figures_were_taken_differently() -> None:
    sentence = answer([latency("vgg16", 0.3), latency("resnet50", 0.1), latency("alexnet", 0.03)], "as published")
    assert "**resnet50** with 76.1 %; the figures were taken in 2 ways" in sentence
    assert "ways" not in answer([latency("resnet18", 0.3), latency("resnet50", 0.1)], "as published")


def test_needs_without_figures_are_left_out() -> None:
    kept = [found for found in full_records() if found.case.metric in ("params", "latency")]
    assert [sentence[:11] for sentence in answers(survey(kept, ENVIRONMENT))] == [
        "**Fastest h", "**Smallest:", "**Most accu",
    ]  # fmt: skip
    assert answers(survey([], ENVIRONMENT)) == []


def test_the_cheapest_of_the_best() -> None:
    assert "**mobilenet_v1**, 86.3 %" in answer(full_records(), "per multiply-add")
    sentence = answer(full_records(), "Cheapest")
    assert "in multiply-adds" in sentence and "in time" not in sentence
    failed = record("accuracy", "vgg16", Measurement(name="top5", value=0.9, unit="fraction"), dataset="fashion_mnist")
    assert not answer([failed], "Cheapest")
