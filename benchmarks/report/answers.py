"""The first lines of a report: which model for which need, in sentences computed from the records."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from benchmarks.metrics.columns import BASE
from benchmarks.report.findings import Estimate, apart, best
from benchmarks.report.overview import Overview
from benchmarks.report.words import (
    condition_in_words,
    count_of,
    dataset_title,
    enumerate_words,
    markdown,
    number,
    training_in_words,
)
from benchmarks.stats.ratios import log_quotient

__all__ = ["answers", "doubts", "indistinguishable_neighbours", "most_accurate"]

MOST_RANKS = 200  # as many as a person looks at
SHORT = 20  # epochs; papers train for 60 and more


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Something that accuracy is paid for with.

    Args:
        metric, name: the measurement.
        unit: of it, in words.
        factor: from the measurement's unit to that of the sentences.
        price, total: of one model, in sentences about a unit and about the whole.
    """

    metric: str
    name: str
    unit: str
    factor: float
    price: str
    total: str


MULT_ADDS = Cost(metric="mult_adds", name="mult_adds", unit="multiply-add", factor=1e-6,
                 price="for {} M multiply-adds", total="in multiply-adds ({} M)")  # fmt: skip
TIME = Cost(metric="latency", name="latency_s", unit="millisecond", factor=1e3, price="in {} ms",
            total="in time ({} ms)")  # fmt: skip


def answers(overview: Overview, *, trained: bool = True) -> list[str]:
    """One Markdown sentence a need that the records can answer; what spoils the answers comes first.

    Args:
        trained: speak of accuracies, too, where no other part of the page does.
    """
    accuracies = overview.estimates("accuracy", "top1") if trained else []
    return [
        *doubts(overview),
        *_fastest(overview),
        *_smallest(overview.estimates("params", "param_count")),
        *_best_published(overview),
        *most_accurate(overview, accuracies),
        *_best_buy(overview, accuracies, MULT_ADDS),
        *_best_buy(overview, accuracies, TIME),
        *_cheapest_of_the_best(overview, accuracies),
    ]


def indistinguishable_neighbours(overview: Overview) -> list[tuple[str, str]]:
    """Neighbours in the latency ranking whose order is not certain, among the fastest models."""
    ranked = sorted(overview.estimates("latency", "latency_s"), key=lambda estimate: (estimate.value, estimate.model))
    return [(one.model, other.model) for one, other in itertools.pairwise(ranked[:MOST_RANKS]) if not apart(one, other)]


def doubts(overview: Overview) -> Iterator[str]:
    """What spoils the answers: a sentence on the times, where the machine was not quiet."""
    timed = overview.measurements("latency", "latency_s")
    noisy = [model for model, found in timed.items() if found.details.get("noisy")]
    if noisy:
        yield (
            f"**Do not lean on the times of** {enumerate_words(noisy, most=12, write=markdown)}: other work kept the "
            "processors busy while they were taken. Ratios suffer less than times, since it hit all models of a round "
            "alike."
        )


def most_accurate(overview: Overview, estimates: Sequence[Estimate]) -> Iterator[str]:
    """By what was counted here, of networks that were trained for it or as they were given."""
    if not estimates:
        return
    first, ties = best(estimates, more=True)
    records = overview.records("accuracy")
    epochs = max(records[estimate.model].case.epochs for estimate in estimates)
    lead = f"Most accurate after {training_in_words(overview)}" if epochs else "Most accurate here"
    short = " (so short a training shows how readily a network learns, not what it can reach)"
    yield (
        f"**{lead}**{short if 0 < epochs < SHORT else ''}: {_name(first)} with {_percent(first.value)} % "
        f"({_percent(first.low)} to {_percent(first.high)}, {_known_from(overview, first.model)}) top-1"
        + ("" if epochs else f" on {markdown(dataset_title(overview))}")
        + _ties(ties, lambda estimate: f" ({_percent(estimate.value)} %)")
        + "."
    )


def _known_from(overview: Overview, model: str) -> str:
    """What the interval of an accuracy is of."""
    seeds = overview.seeds(model)
    if not seeds:
        return "of the test images"
    return f"over {seeds} seeds" if seeds > 1 else "one seed: of the test images only"


def _best_published(overview: Overview) -> Iterator[str]:
    """By what others printed, where no trained weights were tested here."""
    table = overview.table.dropna(subset=["published_top1"])
    tested = any(record.case.weights for record in overview.records("accuracy").values())
    if len(table) < 2 or tested:
        return
    highest = float(table["published_top1"].max())
    names = [model for model in table.index if float(table.at[model, "published_top1"]) == highest]
    ways = table["published_protocol"].nunique()
    yield (
        f"**Most accurate as published for ImageNet:** {enumerate_words(names, write=_bold)} with "
        f"{_percent(highest / 100)} %"
        + (f"; the figures were taken in {ways} ways, which the table tells apart" if ways > 1 else "")
        + "."
    )


def _fastest(overview: Overview) -> Iterator[str]:
    """Over all runtimes that were timed as the headline's was."""
    timed = overview.timed()
    if not timed or overview.condition is None:
        return
    runtimes = {id(estimate): runtime for runtime, estimate in timed}
    several = len(set(runtimes.values())) > 1
    first, ties = best([estimate for _, estimate in timed], more=False)

    def where(estimate: Estimate) -> str:
        return f" with {markdown(runtimes[id(estimate)])}" if several else ""

    relative = None if several else overview.figure(first.model, "rel_speed")
    value, low, high = (number(1e3 * seconds) for seconds in (first.value, first.low, first.high))
    bounds = f"{low} to {high}" if first.bounded else "too few rounds for an interval"
    condition = condition_in_words(overview.condition, runtime=not several)
    yield (
        f"**Fastest here:** {_name(first)}{where(first)}: {value} ms ({bounds}) for "
        f"{count_of(overview.condition.batch_size, 'image')}"
        + ("" if relative is None or first.model == BASE else f", {number(relative, 2)} times as fast as {BASE}")
        + _ties(ties, lambda estimate: f"{where(estimate)} ({number(1e3 * estimate.value)} ms)")
        + f" ({markdown(condition)}"
        + (f"; of the runtimes {enumerate_words(sorted(set(runtimes.values())), write=markdown)}" if several else "")
        + ")."
    )


def _smallest(estimates: Sequence[Estimate]) -> Iterator[str]:
    if not estimates:
        return
    first, ties = best(estimates, more=False)
    largest = max(estimates, key=lambda estimate: estimate.value)
    against = f", {number(largest.value / first.value, 2)} times fewer than {_name(largest)}"
    yield (
        f"**Smallest:** {_name(first)} with {number(first.value / 1e6, -2)} M parameters "
        f"({number(4e-6 * first.value)} MB as 32-bit floats)"
        + (against if largest.value > first.value else "")
        + _ties(ties, lambda estimate: f" ({number(estimate.value / 1e6, -2)} M)", exact=True)
        + "."
    )


def _best_buy(overview: Overview, accuracies: Sequence[Estimate], cost: Cost) -> Iterator[str]:
    """The most accuracy for a unit of the cost, both of images of one size, judged by logarithms, whose errors add."""
    prices = {each.model: each for each in overview.at_accuracy(cost.metric, cost.name)}
    bought = {
        each.model: each for each in accuracies if each.model in prices and min(each.low, prices[each.model].low) > 0
    }
    if len(bought) < 2:
        return
    quotients = {model: log_quotient(gain, prices[model]) for model, gain in bought.items()}
    scores = [Estimate(score.value, score.low, score.high, model) for model, score in quotients.items()]
    first, ties = best(scores, more=True)
    price = cost.price.format(number(cost.factor * prices[first.model].value))
    accuracy = _percent(bought[first.model].value)
    yield (
        f"**Most accuracy per {cost.unit}**{_of_those_known(accuracies, bought)}: {_name(first)}, {accuracy} % {price}"
        f"{_ties(ties, lambda _: '')}."
    )


def _cheapest_of_the_best(overview: Overview, accuracies: Sequence[Estimate]) -> Iterator[str]:
    """Dividing accuracy by cost favours tiny networks; this asks how little the best accuracy need cost."""
    if len(accuracies) < 2:
        return
    first, ties = best(accuracies, more=True)
    good = {estimate.model for estimate in (first, *ties)}
    found = []
    for cost in (TIME, MULT_ADDS):
        candidates = [each for each in overview.at_accuracy(cost.metric, cost.name) if each.model in good]
        if len(candidates) == len(good) > 1:
            cheapest, _ = best(candidates, more=False)
            found.append(f"{_name(cheapest)} {cost.total.format(number(cost.factor * cheapest.value))}")
    if found:
        yield (
            f"**Cheapest that cannot be told apart from the most accurate** ({count_of(len(good), 'model')}): "
            f"{enumerate_words(found)}, at the size of its test images."
        )


def _of_those_known(accuracies: Sequence[Estimate], known: dict[str, Estimate]) -> str:
    """At which size a cost is, and of how many models it is known there."""
    some = "" if len(known) == len(accuracies) else f", known of {len(known)} of {len(accuracies)} models"
    return f" (at the size of the test images{some})"


def _ties(ties: Sequence[Estimate], figure: Callable[[Estimate], str], exact: bool = False) -> str:
    """What cannot be told apart from the best."""
    if not ties:
        return ""
    ending = ("has as many" if len(ties) == 1 else "have as many") if exact else "cannot be told apart from it"
    names = enumerate_words(ties, most=4, write=lambda tie: f"{_name(tie)}{figure(tie)}")
    return f"; {names} {ending}"


def _name(estimate: Estimate) -> str:
    return _bold(estimate.model)


def _bold(model: str) -> str:
    return f"**{markdown(model)}**"


def _percent(fraction: float) -> str:
    return number(100 * fraction, -1)
