"""What a reader must know beside the figures: what they count, how far to trust them, how and where they were made."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

from benchmarks.metrics.columns import BASE, SHOWN
from benchmarks.metrics.latency import times_of
from benchmarks.records.record import Measurement
from benchmarks.report.answers import indistinguishable_neighbours
from benchmarks.report.commands import commands
from benchmarks.report.frame import prints_the_same
from benchmarks.report.joining import model_spec
from benchmarks.report.overview import Overview
from benchmarks.report.page import code, commit_in_words, folded, listed, section
from benchmarks.report.printed import agrees, first_printed
from benchmarks.report.table import table, text_column
from benchmarks.report.words import (
    count_of,
    enumerate_words,
    gathered,
    markdown,
    number,
    recipe_in_words,
    shorten,
    training_in_words,
)
from benchmarks.stats.intervals import FEWEST_ROUNDS
from benchmarks.stats.ratios import Times, paired

__all__ = ["colophon", "deviations", "how_to_read", "recipe", "sources"]

MOST_PAIRS = 40


def deviations(overview: Overview) -> str:
    """Figures that differ from the printed ones, and why papers and implementations part."""
    lines, kinds = [], Counter[str]()
    for column in SHOWN:
        if not prints_the_same(column):
            continue
        found = overview.table[["model", column.name, column.published_column]].dropna()
        what, _, unit = column.title.lower().partition(", ")
        for model, measured, published in found.itertuples(index=False):
            counted, printed = (
                float(figure) / (1 if column.whole else column.factor) for figure in (measured, published)
            )
            kind = agrees(counted, printed)
            kinds[kind] += 1
            if kind != "equal":
                here, there = number(float(measured) * column.shown, 5), f"{float(published) * column.shown:.10g}"
                cut = ", its digits cut, not rounded" if kind == "cut" else ""
                entry, weights = model_spec(model), str(overview.cells[model]["weights"])
                first = first_printed(entry, column.published, weights) if entry else None
                source = first[1].source if first else ""
                lines.append(
                    f"**{markdown(model)}**: {here} {unit.upper()} {what} counted, {there} {unit.upper()} "
                    f"published{cut} ({markdown(source)})"
                )
    specs = {model: model_spec(model) for model in overview.table.index}
    reasons = gathered(
        (markdown(deviation, 400), model) for model, spec in specs.items() if spec for deviation in spec.deviations
    )
    compared = kinds.total()
    cut = f"; {kinds['cut']} more begin{'s' if kinds['cut'] == 1 else ''} with its digits" if kinds["cut"] else ""
    verb = "rounds" if compared == 1 else "round"
    agreed = f"{kinds['equal']} of {count_of(compared, 'count')} {verb} to the figure published for that network{cut}."
    return section(
        "Where papers and implementations part",
        agreed if compared else "Nothing has been counted yet.",
        listed(lines),
        folded("Why: the known deviations", listed(reasons)),
    )


def how_to_read(overview: Overview) -> str:
    """What the figures are and how far they can be trusted."""
    return section("How to read the numbers", "", listed(_remarks(overview)))


def _remarks(overview: Overview) -> Iterator[str]:
    yield (
        "**Multiply-adds** (GMAC) are those of convolutions and linear layers, as the papers count them. "
        "FLOPs = 2 x multiply-adds; a number that is called FLOPs elsewhere is often one of the two."
        + _other_counters(overview)
    )
    neighbours = indistinguishable_neighbours(overview)
    if neighbours:
        pairs = [f"{markdown(one)} and {markdown(other)}" for one, other in neighbours[:MOST_PAIRS]]
        yield f"**Neighbours in the latency ranking that cannot be told apart:** {'; '.join(pairs)}."
    timed = overview.measurements("latency", "latency_s")
    yield from _noise(timed)
    yield from _apart(overview)
    yield from _drift(timed)
    if timed:
        yield (
            "**Intervals** of times are taken over rounds, since calls of one round share their noise; two models of "
            "one run are compared round by round. Every sample is kept in the records. Timed processes keep the memory "
            "they free: left to itself glibc hands it back to the kernel and asks again in every call of one process "
            "and in none of the next."
        )
    if overview.measurements("accuracy", "top1"):
        yield (
            "**Intervals** of accuracy: of several seeds Student's of their mean, which holds what another training "
            "would change; of one seed, or of weights that were given, Wilson's, which holds only what other test "
            "images would. Two single trainings are compared image by image (McNemar) where the answers were kept, all "
            "others by their intervals, each pair at 95 %."
        )
    memory = next(iter(overview.measurements("memory", "peak_rss_bytes").values()), None)
    if memory:
        yield f"**Peak memory:** {markdown(memory.method) or 'peak resident memory of inference'}."


def _other_counters(overview: Overview) -> str:
    """What fvcore and torchinfo print for the model of which they count most besides, and why it is more."""
    found = {
        model: (measurement, measurement.details["others"])
        for model, measurement in overview.measurements("mult_adds", "mult_adds").items()
        if measurement.value > 0 and isinstance(others := measurement.details.get("others"), Mapping)
        if isinstance(others.get("fvcore"), Mapping)
    }
    if not found:
        return ""
    extras = {
        model: {name: count for name, count in others["fvcore"].items() if name not in ("conv", "linear") and count}
        for model, (_, others) in found.items()
    }
    model = max(found, key=lambda model: sum(extras[model].values()) / found[model][0].value)
    measurement, others = found[model]
    extra, counters = extras[model], sorted(map(str, measurement.details.get("counts", {})))
    text = f" {enumerate_words(counters, write=markdown)} agree on them." if counters else ""
    if extra:
        added = enumerate_words([f"{markdown(str(name))} {number(count / 1e6, 4)} M" for name, count in extra.items()])
        total = measurement.value + sum(extra.values())
        counted, more = _told(measurement.value / 1e6, total / 1e6)
        text += f" fvcore adds other operators, most for {markdown(model)}: {counted} M become {more} M ({added})"
    else:
        text += f" For {markdown(model)} fvcore adds nothing"
    whole = others.get("torchinfo_total")
    return text + (f"; torchinfo, which counts biases and norms, prints {number(whole / 1e6, 5)} M." if whole else ".")


def _told(one: float, other: float) -> tuple[str, str]:
    """Two figures with as many digits as tell them apart."""
    digits = next((each for each in range(4, 12) if number(one, each) != number(other, each)), 4)
    return number(one, digits), number(other, digits)


def _noise(timed: Mapping[str, Measurement]) -> Iterator[str]:
    """Which figures not to lean on."""
    for words, doubtful in (
        (
            "**Single calls vary widely** (quartiles over 10 % apart): {}.",
            lambda found: found.details.get("spread") in ("fluctuating", "unreliable"),
        ),
        ("**Intervals wider than 10 %:** {}.", lambda found: (found.high or 0) - (found.low or 0) > 0.1 * found.value),
    ):
        models = [model for model, found in timed.items() if doubtful(found)]
        if models:
            yield words.format(_models(models))


def _drift(timed: Mapping[str, Measurement]) -> Iterator[str]:
    """How far the machine itself moved during a session."""
    drifts = [
        (float(drift["last_third_over_first"]), str(found.details.get("reference", "")))
        for found in timed.values()
        if isinstance(drift := found.details.get("drift"), Mapping) and "last_third_over_first" in drift
    ]
    if drifts:
        furthest, reference = max(drifts, key=lambda drift: abs(drift[0] - 1))
        yield (
            f"**Drift:** {markdown(reference)}, timed in every round, became {number(100 * abs(furthest - 1), -1)} % "
            f"{'slower' if furthest >= 1 else 'faster'} from the first to the last third of a session at most."
        )


def _apart(overview: Overview) -> Iterator[str]:
    """In how many rounds the processors were far from one another, whom that slows down most, and where they count."""
    timed = {model: found for model, record in overview.records("latency").items() if (found := times_of(record))}
    count = sum(len(found.rounds.far) for found in timed.values())
    if not count:
        return
    costs = {
        model: statistics.median(found.rounds.far.values()) / statistics.median(found.rounds.close.values())
        for model, found in timed.items()
        if found.rounds.far and found.rounds.close
    }
    most = max(costs, key=costs.__getitem__, default="")
    example = f"; {markdown(most)} then takes {number(costs[most], 3)} times as long" if most else ""
    whole = sum(len(found.rounds.figures) for found in timed.values())
    yield (
        f"**Processors apart:** in {count} of {count_of(whole, 'turn')} handing work from thread to thread took "
        "clearly longer than in the best, as when a hypervisor has moved the processors away from one another"
        f"{example}. Those rounds are kept in the records and, where at least {FEWEST_ROUNDS} others remain, left out "
        f"of medians and ratios.{_counting_all_the_same(timed)}"
    )


def _counting_all_the_same(timed: Mapping[str, Times]) -> str:
    """The times, and the ratios to the base, that rounds with the processors apart are part of."""
    alone = [model for model, found in timed.items() if not found.rounds.far.keys().isdisjoint(found.seconds)]
    base = timed.get(BASE)
    beside = [
        model
        for model, found in timed.items()
        if base and model != BASE
        and not paired(found, base).keys().isdisjoint({*found.rounds.far, *base.rounds.far})
    ]  # fmt: skip
    times = f" Too few remain of {_models(alone)}: such a time is the median over all rounds." if alone else ""
    ratios = (
        f" Too few remain for both of {BASE} and {_models(beside)}: such a ratio is taken over the rounds in which the "
        "processors were alike for the two, close or apart, or over all where these are too few as well."
    )
    return times + (ratios if beside else "")


def recipe(overview: Overview) -> str:
    """How the networks were trained, in full, and on what; models that differ in nothing but their size, together."""
    groups: dict[str, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
    texts: dict[tuple[str, int], str] = {}
    for model, measurement in overview.measurements("accuracy", "top1").items():
        settings = measurement.details.get("recipe")
        if isinstance(settings, Mapping) and (text := recipe_in_words(settings)):
            size = int(settings.get("img_size", 0))
            group = ", ".join(f"{name} {value}" for name, value in settings.items() if name != "img_size")
            groups[group][size].append(model)
            texts[group, size] = text
    parts = []
    for group, sizes in groups.items():
        most = max(sizes, key=lambda size: len(sizes[size]))
        who = "" if len(groups) == 1 else f"For {_models(sizes[most], 8)}: "
        parts.append(f"{who}{markdown(texts[group, most], 2000)}")
        others = [f"{_models(models, 8)} at {size}" for size, models in sizes.items() if size != most]
        if others:
            parts.append(f"At another size, in pixels: {enumerate_words(others)}.")
        parts.append(code(group) if group else "")
    return section("The recipe", f"Trained for {training_in_words(overview)}." if parts else "", *parts)


def sources(overview: Overview) -> str:
    """Where each published figure was printed."""
    printed = overview.table["published_source"].dropna().items()
    lines = gathered((markdown(source), str(model)) for model, source in printed if source)
    return folded("Sources of the published figures", listed(lines))


def colophon(overview: Overview, written_by: str) -> str:
    """The commands that make this page's figures, the machine, the versions and the commit."""
    facts = []
    if overview.environment:
        for title, group in (("Machine", overview.environment.machine), ("Software", overview.environment.software)):
            named = [(markdown(name.replace("_", " ")), _fact(name, value)) for name, value in group.items()]
            told = [(name, markdown(text, 600)) for name, text in named if text]
            facts += [("" if place else title, *fact) for place, fact in enumerate(told)]
    columns = [text_column("", itemgetter(place)) for place in range(3)]
    asked = commands(overview.cases, overview.environment.machine if overview.environment else {})
    return section(
        "Machine, versions, command",
        "These commands measure what this page shows; what is done already is not done again." if asked else "",
        listed(map(code, asked)),
        f"Last written by {code(written_by)}." if written_by else "",
        table(columns, facts) or "No environment was recorded.",
    )


def _fact(name: str, value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(
            f"{name} {shorten(str(found), 80)}" for name, found in value.items() if found not in (None, "")
        )
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    if name == "commit":
        return commit_in_words(value)
    return "" if value is None else str(value)


def _models(models: Sequence[str], most: int = 12) -> str:
    return enumerate_words(models, most=most, write=markdown)
