"""What a reader must know beside the figures: what they count, how far to trust them, how and where they were made."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import pandas as pd

from benchmarks.records.record import Measurement
from benchmarks.report.answers import indistinguishable_neighbours
from benchmarks.report.joining import model_spec
from benchmarks.report.overview import Overview
from benchmarks.report.words import (
    count_of,
    dataset_title,
    enumerate_words,
    markdown,
    markdown_table,
    number,
    shorten,
)
from benchmarks.stats.intervals import round_medians
from zoo.training.recipes import Recipe

__all__ = ["colophon", "deviations", "how_to_read", "recipe", "sources"]

MOST_PAIRS = 40


def deviations(overview: Overview) -> str:
    """Figures that differ from the printed ones, and why papers and implementations part."""
    lines, compared = [], 0
    for row in overview.table.to_dict("records"):
        for what, measured, published, factor, unit in (
            ("parameters", row["param_count"], row["published_params"], 1e-6, "M"),
            ("multiply-adds", row["gmacs"], row["published_gmacs"], 1.0, "G"),
        ):
            if pd.isna(measured) or pd.isna(published):
                continue
            compared += 1
            if not _rounds_to(float(measured), float(published)):
                counted, printed = f"{float(measured) * factor:.5g}", f"{float(published) * factor:.5g}"
                lines.append(
                    f"- **{markdown(str(row['model']))}**: {counted} {unit} {what} counted, {printed} {unit} published "
                    f"({markdown(str(row['published_source']))})"
                )
    notes: dict[str, list[str]] = defaultdict(list)
    for model in overview.table.index:
        entry = model_spec(model)
        for deviation in entry.deviations if entry else ():
            notes[deviation].append(model)
    reasons = [
        f"- {enumerate_words(models, most=12, write=markdown)}: {markdown(deviation, 400)}"
        for deviation, models in notes.items()
    ]
    if not lines and not reasons:
        return ""
    agreed = f"{compared - len(lines)} of {count_of(compared, 'count')} round to the figure published for that network."
    found = "\n".join([agreed, "", *lines] if lines else [agreed] if compared else ["Nothing has been counted yet."])
    return (
        f"## Where papers and implementations part\n\n{found}\n\n"
        "<details>\n<summary>Why: the known deviations</summary>\n\n" + "\n".join(reasons) + "\n\n</details>"
    )


def _rounds_to(measured: float, published: float) -> bool:
    """Whether a count, rounded to the digits that were printed, is the printed figure."""
    digits = len(f"{published:.12e}".partition("e")[0].replace(".", "").rstrip("0"))
    return float(f"{measured:.{max(digits, 1) - 1}e}") == float(f"{published:.{max(digits, 1) - 1}e}")


def how_to_read(overview: Overview) -> str:
    lines = [
        "- **Multiply-adds** (GMAC) are those of convolutions and linear layers, as the papers count them. "
        "FLOPs = 2 x multiply-adds; a number that is called FLOPs elsewhere is often one of the two."
        + _other_counters(overview)
    ]
    neighbours = indistinguishable_neighbours(overview)
    if neighbours:
        pairs = [f"{markdown(one)} and {markdown(other)}" for one, other in neighbours[:MOST_PAIRS]]
        lines.append(f"- **Neighbours in the latency ranking that cannot be told apart:** {'; '.join(pairs)}.")
    lines += _noise(overview)
    if overview.measurements("latency", "latency_s"):
        lines.append(
            "- **Intervals** of times are bootstrapped over rounds, since calls of one round share their noise; two "
            "models of one run are compared round by round. No sample is dropped. Timed processes keep the memory they "
            "free: left to itself glibc hands it back to the kernel and asks again in every call of one process and in "
            "none of the next, which alone moves times by up to a half."
        )
    if overview.measurements("accuracy", "top1"):
        lines.append(
            "- **Intervals** of accuracy are Wilson's. Two models on the same images are compared image by image "
            "(McNemar) where the answers were kept, else by their intervals. They say how far the test images vouch "
            "for a network, not how much another training run would differ."
        )
    memory = next(iter(overview.measurements("memory", "peak_rss_bytes").values()), None)
    if memory:
        lines.append(f"- **Peak memory:** {markdown(memory.method) or 'peak resident memory of inference'}.")
    return "## How to read the numbers\n\n" + "\n".join(lines)


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


def _noise(overview: Overview) -> list[str]:
    """Which figures not to lean on."""
    timed = overview.measurements("latency", "latency_s")
    noisy = [model for model, found in timed.items() if found.details.get("noisy")]
    unsteady = [
        markdown(model)
        for model, found in timed.items()
        if found.details.get("spread") in ("fluctuating", "unreliable")
    ]
    wide = [
        model
        for model, found in timed.items()
        if found.low is not None and found.high is not None and found.high - found.low > 0.1 * found.value
    ]
    lines = []
    for models, words in (
        (
            noisy,
            "**Do not lean on the times of** {}: other work kept the processors busy while they were taken. Ratios "
            "suffer less than times, since it hit all models of a round alike.",
        ),
        (unsteady, "**Single calls vary widely** (quartiles over 10 % apart): {}."),
        (wide, "**Intervals wider than 10 %:** {}."),
    ):
        if models:
            lines.append("- " + words.format(enumerate_words(models, most=12, write=markdown)))
    lines += _apart(timed)
    drifts = [
        float(drift["last_third_over_first"])
        for found in timed.values()
        if isinstance(drift := found.details.get("drift"), Mapping) and "last_third_over_first" in drift
    ]
    if drifts:
        furthest = max(drifts, key=lambda value: abs(value - 1))
        reference = next(
            str(found.details.get("reference", "")) for found in timed.values() if found.details.get("drift")
        )
        lines.append(
            f"- **Drift:** {markdown(reference)}, timed in every round, became {abs(furthest - 1):.1%} "
            f"{'slower' if furthest >= 1 else 'faster'} from the first to the last third of a session at most."
        )
    return lines


def _apart(timed: Mapping[str, Measurement]) -> list[str]:
    """In how many rounds the processors were far from one another, and whom that slows down most."""
    whole = sum(int(found.details.get("n_rounds", 0)) for found in timed.values())
    away = {model: set(found.details.get("apart_rounds", ())) for model, found in timed.items()}
    count = sum(map(len, away.values()))
    if not count:
        return []
    costs = {}
    for model, found in timed.items():
        medians = round_medians(found.samples, found.rounds)
        slower = [seconds for number, seconds in medians.items() if number in away[model]]
        others = [seconds for number, seconds in medians.items() if number not in away[model]]
        if slower and others:
            costs[model] = statistics.median(slower) / statistics.median(others)
    most = max(costs, key=costs.__getitem__, default="")
    example = f"; {markdown(most)} then takes {number(costs[most], 3)} times as long" if most else ""
    return [
        f"- **Processors apart:** in {count} of {count_of(whole, 'turn')} handing work from thread to thread took "
        "clearly longer than in the best, as when a hypervisor has moved the processors away from one another"
        f"{example}. Those rounds are kept in the records and, where enough others remain, left out of medians and "
        "ratios."
    ]


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
    if not groups:
        return ""
    cases = [record.case for record in overview.records("accuracy").values() if record.case.epochs]
    images = enumerate_words([f"{count:,}" for count in sorted({case.train_images for case in cases})])
    parts = [f"## The recipe\n\nTrained on {images} images of {markdown(dataset_title(overview))}."]
    for group, sizes in groups.items():
        most = max(sizes, key=lambda size: len(sizes[size]))
        who = "" if len(groups) == 1 else f"For {enumerate_words(sizes[most], most=8, write=markdown)}: "
        parts.append(f"{who}{markdown(texts[group, most], 2000)}")
        others = [
            f"{enumerate_words(models, most=8, write=markdown)} at {size}"
            for size, models in sizes.items()
            if size != most
        ]
        if others:
            parts.append(f"Their smallest size, in pixels: {enumerate_words(others)}.")
        if group:
            parts.append(f"`{_code(group)}`")
    return "\n\n".join(parts)


def sources(overview: Overview) -> str:
    """Where each published figure was printed."""
    by_source: dict[str, list[str]] = defaultdict(list)
    for row in overview.table.to_dict("records"):
        if not pd.isna(row["published_source"]) and row["published_source"]:
            by_source[str(row["published_source"])].append(str(row["model"]))
    if not by_source:
        return ""
    lines = [
        f"- {enumerate_words(models, most=12, write=markdown)}: {markdown(source)}"
        for source, models in by_source.items()
    ]
    return "<details>\n<summary>Sources of the published figures</summary>\n\n" + "\n".join(lines) + "\n\n</details>"


def colophon(overview: Overview, command: str) -> str:
    """Machine, versions, commit and command."""
    lines = []
    if overview.environment:
        for title, facts in (("Machine", overview.environment.machine), ("Software", overview.environment.software)):
            for name, value in facts.items():
                text = _fact(value)
                if text:
                    lines.append([title, markdown(str(name).replace("_", " ")), markdown(text, 600)])
                    title = ""
    body = "## Machine, versions, command\n\n"
    if command:
        body += f"```sh\n{shorten(command, 2000).replace('```', '')}\n```\n\n"
    return body + (markdown_table(["", "", ""], lines, "lll") if lines else "No environment was recorded.")


def _fact(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(
            f"{name} {shorten(str(found), 80)}" for name, found in value.items() if found not in (None, "")
        )
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def _code(text: str) -> str:
    return shorten(text, 2000).replace("`", "'")
