"""The first lines of a report: which model for which need, in sentences computed from the records."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence

from benchmarks.metrics.columns import BASE
from benchmarks.report.findings import Estimate, apart, best
from benchmarks.report.overview import Overview
from benchmarks.report.words import condition_in_words, count_of, dataset_title, enumerate_words, markdown, number

__all__ = ["answers", "indistinguishable_neighbours"]

MOST_RANKS = 200  # as many as a person looks at


def answers(overview: Overview) -> list[str]:
    """One Markdown sentence a need that the records can answer."""
    needs: Sequence[Callable[[Overview], str | None]] = (
        _most_accurate,
        _fastest,
        _smallest,
        _accuracy_per_mult_add,
        _accuracy_per_millisecond,
        _cheapest_of_the_best,
    )
    return [sentence for need in needs if (sentence := need(overview))]


def indistinguishable_neighbours(overview: Overview) -> list[tuple[str, str]]:
    """Neighbours in the latency ranking whose order is not certain, among the fastest models."""
    ranked = sorted(overview.estimates("latency", "latency_s"), key=lambda estimate: (estimate.value, estimate.model))
    return [(one.model, other.model) for one, other in itertools.pairwise(ranked[:MOST_RANKS]) if not apart(one, other)]


def _most_accurate(overview: Overview) -> str | None:
    estimates = overview.estimates("accuracy", "top1")
    if not estimates:
        return None
    first, ties = best(estimates, more=True)
    return (
        f"**Most accurate here:** {_name(first)} with {_percent(first)} top-1 on {markdown(dataset_title(overview))}"
        + _ties(ties, lambda estimate: f"{100 * estimate.value:.1f} %")
        + "."
    )


def _fastest(overview: Overview) -> str | None:
    estimates = overview.estimates("latency", "latency_s")
    if not estimates or overview.condition is None:
        return None
    first, ties = best(estimates, more=False)
    relative = overview.figure(first.model, "rel_speed")
    against = ""
    if relative is not None and first.model != BASE:
        against = f", {number(relative, 2)} times as fast as {BASE}"
    images = overview.condition.batch_size
    return (
        f"**Fastest here:** {_name(first)} with {_milliseconds(first)} for {count_of(images, 'image')}{against}"
        + _ties(ties, lambda estimate: f"{number(1e3 * estimate.value)} ms")
        + f" ({markdown(condition_in_words(overview.condition))})."
    )


def _smallest(overview: Overview) -> str | None:
    estimates = overview.estimates("params", "param_count")
    if not estimates:
        return None
    first, ties = best(estimates, more=False)
    largest = max(estimates, key=lambda estimate: estimate.value)
    against = ""
    if largest.value > first.value:
        against = f", {number(largest.value / first.value, 2)} times fewer than {_name(largest)}"
    megabytes = 4e-6 * first.value
    return (
        f"**Smallest:** {_name(first)} with {first.value / 1e6:.2f} M parameters "
        f"({number(megabytes)} MB as 32-bit floats){against}"
        + _ties(ties, lambda estimate: f"{estimate.value / 1e6:.2f} M", exact=True)
        + "."
    )


def _accuracy_per_mult_add(overview: Overview) -> str | None:
    accuracies = _by_model(overview.estimates("accuracy", "top1"))
    costs = _by_model(overview.estimates("mult_adds", "mult_adds"))
    scores = _scores(accuracies, costs)
    if len(scores) < 2:
        return None
    first, ties = best(scores, more=True)
    accuracy, cost = accuracies[first.model], costs[first.model]
    return (
        f"**Most accuracy per multiply-add:** {_name(first)}, {100 * accuracy.value:.1f} % for "
        f"{number(cost.value * 1e-9)} G multiply-adds" + _ties(ties, lambda _: "") + "."
    )


def _accuracy_per_millisecond(overview: Overview) -> str | None:
    accuracies = _by_model(overview.estimates("accuracy", "top1"))
    times = _by_model(overview.estimates("latency", "latency_s"))
    scores = _scores(accuracies, times)
    if len(scores) < 2:
        return None
    first, ties = best(scores, more=True)
    return (
        f"**Most accuracy per millisecond:** {_name(first)}, {100 * accuracies[first.model].value:.1f} % in "
        f"{number(1e3 * times[first.model].value)} ms" + _ties(ties, lambda _: "") + "."
    )


def _cheapest_of_the_best(overview: Overview) -> str | None:
    """Dividing accuracy by cost favours tiny networks; this asks how little the best accuracy need cost."""
    estimates = overview.estimates("accuracy", "top1")
    times = _by_model(overview.estimates("latency", "latency_s"))
    costs = _by_model(overview.estimates("mult_adds", "mult_adds"))
    if len(estimates) < 2:
        return None
    first, ties = best(estimates, more=True)
    good = [first.model, *(tie.model for tie in ties)]
    findings = []
    for measured, text in ((times, _milliseconds_of), (costs, _mult_adds_of)):
        candidates = [measured[model] for model in good if model in measured]
        if len(candidates) > 1:
            cheapest, _ = best(candidates, more=False)
            findings.append(f"{_name(cheapest)} {text(cheapest)}")
    if not findings:
        return None
    names = list(dict.fromkeys(findings))
    return (
        f"**Cheapest that cannot be told apart from the most accurate** ({count_of(len(good), 'model')}): "
        + enumerate_words(names)
        + "."
    )


def _milliseconds_of(estimate: Estimate) -> str:
    return f"in time ({number(1e3 * estimate.value)} ms)"


def _mult_adds_of(estimate: Estimate) -> str:
    return f"in multiply-adds ({number(1e-9 * estimate.value)} G)"


def _scores(gains: Mapping[str, Estimate], costs: Mapping[str, Estimate]) -> list[Estimate]:
    """The logarithm of gain over cost: there the errors of the two add up as those of a difference do."""
    scores = []
    for model, gain in gains.items():
        cost = costs.get(model)
        if cost and min(gain.low, cost.low) > 0:
            value = math.log(gain.value / cost.value)
            below = math.hypot(math.log(gain.value / gain.low), math.log(cost.high / cost.value))
            above = math.hypot(math.log(gain.high / gain.value), math.log(cost.value / cost.low))
            scores.append(Estimate(model=model, value=value, low=value - below, high=value + above))
    return scores


def _by_model(estimates: Sequence[Estimate]) -> dict[str, Estimate]:
    return {estimate.model: estimate for estimate in estimates}


def _ties(ties: Sequence[Estimate], text: Callable[[Estimate], str], exact: bool = False) -> str:
    """What cannot be told apart from the best."""
    if not ties:
        return ""
    ending = ("has as many" if len(ties) == 1 else "have as many") if exact else "cannot be told apart from it"
    figures = {tie.model: f" ({figure})" if (figure := text(tie)) else "" for tie in ties}
    names = enumerate_words(list(figures), most=4, write=lambda model: f"**{markdown(model)}**{figures[model]}")
    return f"; {names} {ending}"


def _name(estimate: Estimate) -> str:
    return f"**{markdown(estimate.model)}**"


def _percent(estimate: Estimate) -> str:
    return f"{100 * estimate.value:.1f} % ({100 * estimate.low:.1f} to {100 * estimate.high:.1f})"


def _milliseconds(estimate: Estimate) -> str:
    low, high = number(1e3 * estimate.low), number(1e3 * estimate.high)
    return f"{number(1e3 * estimate.value)} ms ({low} to {high})"
