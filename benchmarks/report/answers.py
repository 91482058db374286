"""The first lines of a report: which model for which need, in sentences computed from the records."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from benchmarks.metrics.columns import BASE
from benchmarks.report.findings import Estimate, apart, best
from benchmarks.report.overview import Overview
from benchmarks.report.words import condition_in_words, count_of, dataset_title, enumerate_words, markdown, number
from benchmarks.stats.ratios import log_quotient

__all__ = ["answers", "indistinguishable_neighbours"]

MOST_RANKS = 200  # as many as a person looks at


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


MULT_ADDS = Cost(metric="mult_adds", name="mult_adds", unit="multiply-add", factor=1e-9,
                 price="for {} G multiply-adds", total="in multiply-adds ({} G)")  # fmt: skip
TIME = Cost(metric="latency", name="latency_s", unit="millisecond", factor=1e3, price="in {} ms",
            total="in time ({} ms)")  # fmt: skip


def answers(overview: Overview) -> list[str]:
    """One Markdown sentence a need that the records can answer."""
    accuracies = overview.estimates("accuracy", "top1")
    return [
        *_most_accurate(overview, accuracies),
        *_fastest(overview, overview.estimates("latency", "latency_s")),
        *_smallest(overview.estimates("params", "param_count")),
        *_best_buy(overview, accuracies, MULT_ADDS),
        *_best_buy(overview, accuracies, TIME),
        *_cheapest_of_the_best(overview, accuracies),
    ]


def indistinguishable_neighbours(overview: Overview) -> list[tuple[str, str]]:
    """Neighbours in the latency ranking whose order is not certain, among the fastest models."""
    ranked = sorted(overview.estimates("latency", "latency_s"), key=lambda estimate: (estimate.value, estimate.model))
    return [(one.model, other.model) for one, other in itertools.pairwise(ranked[:MOST_RANKS]) if not apart(one, other)]


def _most_accurate(overview: Overview, estimates: Sequence[Estimate]) -> Iterator[str]:
    if not estimates:
        return
    first, ties = best(estimates, more=True)
    yield (
        f"**Most accurate here:** {_name(first)} with {_percent(first.value)} % ({_percent(first.low)} to "
        f"{_percent(first.high)}) top-1 on {markdown(dataset_title(overview))}"
        + _ties(ties, lambda estimate: f" ({_percent(estimate.value)} %)")
        + "."
    )


def _fastest(overview: Overview, estimates: Sequence[Estimate]) -> Iterator[str]:
    if not estimates or overview.condition is None:
        return
    first, ties = best(estimates, more=False)
    relative = overview.figure(first.model, "rel_speed")
    value, low, high = (number(1e3 * seconds) for seconds in (first.value, first.low, first.high))
    yield (
        f"**Fastest here:** {_name(first)} with {value} ms ({low} to {high}) for "
        f"{count_of(overview.condition.batch_size, 'image')}"
        + ("" if relative is None or first.model == BASE else f", {number(relative, 2)} times as fast as {BASE}")
        + _ties(ties, lambda estimate: f" ({number(1e3 * estimate.value)} ms)")
        + f" ({markdown(condition_in_words(overview.condition))})."
    )


def _smallest(estimates: Sequence[Estimate]) -> Iterator[str]:
    if not estimates:
        return
    first, ties = best(estimates, more=False)
    largest = max(estimates, key=lambda estimate: estimate.value)
    against = f", {number(largest.value / first.value, 2)} times fewer than {_name(largest)}"
    yield (
        f"**Smallest:** {_name(first)} with {first.value / 1e6:.2f} M parameters "
        f"({number(4e-6 * first.value)} MB as 32-bit floats)"
        + (against if largest.value > first.value else "")
        + _ties(ties, lambda estimate: f" ({estimate.value / 1e6:.2f} M)", exact=True)
        + "."
    )


def _best_buy(overview: Overview, accuracies: Sequence[Estimate], cost: Cost) -> Iterator[str]:
    """The most accuracy for a unit of the cost, judged by logarithms, in which the errors of the two add up."""
    prices = {each.model: each for each in overview.estimates(cost.metric, cost.name)}
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
    yield f"**Most accuracy per {cost.unit}:** {_name(first)}, {accuracy} % {price}{_ties(ties, lambda _: '')}."


def _cheapest_of_the_best(overview: Overview, accuracies: Sequence[Estimate]) -> Iterator[str]:
    """Dividing accuracy by cost favours tiny networks; this asks how little the best accuracy need cost."""
    if len(accuracies) < 2:
        return
    first, ties = best(accuracies, more=True)
    good = {estimate.model for estimate in (first, *ties)}
    found = []
    for cost in (TIME, MULT_ADDS):
        candidates = [each for each in overview.estimates(cost.metric, cost.name) if each.model in good]
        if len(candidates) > 1:
            cheapest, _ = best(candidates, more=False)
            found.append(f"{_name(cheapest)} {cost.total.format(number(cost.factor * cheapest.value))}")
    if found:
        yield (
            f"**Cheapest that cannot be told apart from the most accurate** ({count_of(len(good), 'model')}): "
            f"{enumerate_words(found)}."
        )


def _ties(ties: Sequence[Estimate], figure: Callable[[Estimate], str], exact: bool = False) -> str:
    """What cannot be told apart from the best."""
    if not ties:
        return ""
    ending = ("has as many" if len(ties) == 1 else "have as many") if exact else "cannot be told apart from it"
    figures = {tie.model: figure(tie) for tie in ties}
    names = enumerate_words(list(figures), most=4, write=lambda model: f"**{markdown(model)}**{figures[model]}")
    return f"; {names} {ending}"


def _name(estimate: Estimate) -> str:
    return f"**{markdown(estimate.model)}**"


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.1f}"
