"""What a reader must know beside the figures: what they count, how far to trust them, how and where they were made."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

from benchmarks.metrics.columns import SHOWN
from benchmarks.records.record import Measurement
from benchmarks.report.answers import indistinguishable_neighbours
from benchmarks.report.frame import prints_the_same
from benchmarks.report.joining import model_spec
from benchmarks.report.overview import Overview
from benchmarks.report.page import code, folded, listed, section
from benchmarks.report.table import table, text_column
from benchmarks.report.words import count_of, dataset_title, enumerate_words, gathered, markdown, number, shorten
from benchmarks.stats.intervals import round_medians
from zoo.training.recipes import Recipe

__all__ = ["colophon", "deviations", "how_to_read", "recipe", "sources"]

MOST_PAIRS = 40


def deviations(overview: Overview) -> str:
    """Figures that differ from the printed ones, and why papers and implementations part."""
    lines, compared = [], 0
    for column in SHOWN:
        if not prints_the_same(column):
            continue
        found = overview.table[["model", column.name, column.published_column, "published_source"]].dropna()
        compared += len(found)
        what, _, unit = column.title.lower().partition(", ")
        for model, measured, published, source in found.itertuples(index=False):
            if not _rounds_to(float(measured), float(published)):
                counted, printed = (f"{float(figure) * column.shown:.5g}" for figure in (measured, published))
                lines.append(
                    f"**{markdown(model)}**: {counted} {unit.upper()} {what} counted, {printed} {unit.upper()} "
                    f"published ({markdown(source)})"
                )
    specs = {model: model_spec(model) for model in overview.table.index}
    reasons = gathered(
        (markdown(deviation, 400), model) for model, spec in specs.items() if spec for deviation in spec.deviations
    )
    agreed = f"{compared - len(lines)} of {count_of(compared, 'count')} round to the figure published for that network."
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
    if timed:
        yield (
            "**Intervals** of times are bootstrapped over rounds, since calls of one round share their noise; two "
            "models of one run are compared round by round. No sample is dropped. Timed processes keep the memory they "
            "free: left to itself glibc hands it back to the kernel and asks again in every call of one process and in "
            "none of the next, which alone moves times by up to a half."
        )
    if overview.measurements("accuracy", "top1"):
        yield (
            "**Intervals** of accuracy are Wilson's. Two models on the same images are compared image by image "
            "(McNemar) where the answers were kept, else by their intervals. They say how far the test images vouch "
            "for a network, not how much another training run would differ."
        )
    memory = next(iter(overview.measurements("memory", "peak_rss_bytes").values()), None)
    if memory:
        yield f"**Peak memory:** {markdown(memory.method) or 'peak resident memory of inference'}."


def _other_counters(overview: Overview) -> str:
    """What fvcore and torchinfo print for one of the models, and why it is more."""
    for model, measurement in overview.measurements("mult_adds", "mult_adds").items():
        others = measurement.details.get("others")
        if not isinstance(others, Mapping) or not isinstance(others.get("fvcore"), Mapping):
            continue
        operators = others["fvcore"]
        extra = {name: count for name, count in operators.items() if name not in ("conv", "linear") and count}
        agreed = enumerate_words(sorted(map(str, measurement.details.get("counts", {}))))
        text = f" {agreed} agree on them." if agreed else ""
        added = enumerate_words([f"{markdown(str(name))} {number(count / 1e6, 4)} M" for name, count in extra.items()])
        text += (
            f" fvcore adds other operators: for {markdown(model)}, {number(measurement.value / 1e6, 4)} M become "
            f"{number(sum(operators.values()) / 1e6, 4)} M ({added})"
            if extra
            else f" For {markdown(model)} fvcore adds nothing"
        )
        whole = others.get("torchinfo_total")
        return text + (
            f"; torchinfo, which counts biases and norms, prints {number(whole / 1e6, 4)} M." if whole else "."
        )
    return ""


def _noise(timed: Mapping[str, Measurement]) -> Iterator[str]:
    """Which figures not to lean on."""
    for words, doubtful in (
        (
            "**Do not lean on the times of** {}: other work kept the processors busy while they were taken. Ratios "
            "suffer less than times, since it hit all models of a round alike.",
            lambda found: found.details.get("noisy"),
        ),
        (
            "**Single calls vary widely** (quartiles over 10 % apart): {}.",
            lambda found: found.details.get("spread") in ("fluctuating", "unreliable"),
        ),
        ("**Intervals wider than 10 %:** {}.", lambda found: (found.high or 0) - (found.low or 0) > 0.1 * found.value),
    ):
        models = [model for model, found in timed.items() if doubtful(found)]
        if models:
            yield words.format(_models(models))
    yield from _apart(timed)
    drifts = [
        (float(drift["last_third_over_first"]), str(found.details.get("reference", "")))
        for found in timed.values()
        if isinstance(drift := found.details.get("drift"), Mapping) and "last_third_over_first" in drift
    ]
    if drifts:
        furthest, reference = max(drifts, key=lambda drift: abs(drift[0] - 1))
        yield (
            f"**Drift:** {markdown(reference)}, timed in every round, became {abs(furthest - 1):.1%} "
            f"{'slower' if furthest >= 1 else 'faster'} from the first to the last third of a session at most."
        )


def _apart(timed: Mapping[str, Measurement]) -> Iterator[str]:
    """In how many rounds the processors were far from one another, and whom that slows down most."""
    whole = sum(int(found.details.get("n_rounds", 0)) for found in timed.values())
    away = {model: set(found.details.get("apart_rounds", ())) for model, found in timed.items()}
    count = sum(map(len, away.values()))
    if not count:
        return
    costs = {}
    for model, found in timed.items():
        medians = round_medians(found.samples, found.rounds)
        slower = [seconds for number, seconds in medians.items() if number in away[model]]
        others = [seconds for number, seconds in medians.items() if number not in away[model]]
        if slower and others:
            costs[model] = statistics.median(slower) / statistics.median(others)
    most = max(costs, key=costs.__getitem__, default="")
    example = f"; {markdown(most)} then takes {number(costs[most], 3)} times as long" if most else ""
    yield (
        f"**Processors apart:** in {count} of {count_of(whole, 'turn')} handing work from thread to thread took "
        "clearly longer than in the best, as when a hypervisor has moved the processors away from one another"
        f"{example}. Those rounds are kept in the records and, where enough others remain, left out of medians and "
        "ratios."
    )


def recipe(overview: Overview) -> str:
    """How the networks were trained, in full, and on what; models that differ in nothing but their size, together."""
    groups: dict[str, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
    texts: dict[tuple[str, int], str] = {}
    for model, measurement in overview.measurements("accuracy", "top1").items():
        settings = measurement.details.get("recipe", {})
        if settings:
            text, size = Recipe(**settings).text, int(settings["img_size"])
            group = ", ".join(f"{name} {value}" for name, value in settings.items() if name != "img_size")
            groups[group][size].append(model)
            texts[group, size] = text
    cases = [record.case for record in overview.records("accuracy").values() if record.case.epochs]
    images = enumerate_words([f"{count:,}" for count in sorted({case.train_images for case in cases})])
    parts = []
    for group, sizes in groups.items():
        most = max(sizes, key=lambda size: len(sizes[size]))
        who = "" if len(groups) == 1 else f"For {_models(sizes[most], 8)}: "
        parts.append(f"{who}{markdown(texts[group, most], 2000)}")
        others = [f"{_models(models, 8)} at {size}" for size, models in sizes.items() if size != most]
        if others:
            parts.append(f"Their smallest size, in pixels: {enumerate_words(others)}.")
        parts.append(code(group) if group else "")
    return section("The recipe", f"Trained on {images} images of {markdown(dataset_title(overview))}.", *parts)


def sources(overview: Overview) -> str:
    """Where each published figure was printed."""
    printed = overview.table["published_source"].dropna().items()
    lines = gathered((markdown(source), str(model)) for model, source in printed if source)
    return folded("Sources of the published figures", listed(lines))


def colophon(overview: Overview, command: str) -> str:
    """Machine, versions, commit and command."""
    facts = []
    if overview.environment:
        for title, group in (("Machine", overview.environment.machine), ("Software", overview.environment.software)):
            named = [(markdown(name.replace("_", " ")), _fact(value)) for name, value in group.items()]
            told = [(name, markdown(text, 600)) for name, text in named if text]
            facts += [("" if place else title, *fact) for place, fact in enumerate(told)]
    columns = [text_column("", itemgetter(place)) for place in range(3)]
    typed = f"```sh\n{shorten(command, 2000).replace('```', '')}\n```" if command else ""
    return section("Machine, versions, command", typed, table(columns, facts) or "No environment was recorded.")


def _fact(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(
            f"{name} {shorten(str(found), 80)}" for name, found in value.items() if found not in (None, "")
        )
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def _models(models: Sequence[str], most: int = 12) -> str:
    return enumerate_words(models, most=most, write=markdown)


def _rounds_to(measured: float, published: float) -> bool:
    """Whether a count, rounded to the digits that were printed, is the printed figure."""
    digits = len(f"{published:.12e}".partition("e")[0].replace(".", "").rstrip("0"))
    return float(f"{measured:.{max(digits, 1) - 1}e}") == float(f"{published:.{max(digits, 1) - 1}e}")
