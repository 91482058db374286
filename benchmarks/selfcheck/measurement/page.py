"""measurement.md and its figure, from what was measured; imports no torch."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

import zoo
from benchmarks.records.files import replace_file
from benchmarks.report.bars import Bar, bars_table, circumstances, failures
from benchmarks.report.figures import FAMILIES, INK, SOFT, TIMES, WIDTH, render
from benchmarks.report.words import markdown_table
from benchmarks.selfcheck.measurement import trials
from benchmarks.selfcheck.selftest import SLOWDOWN
from benchmarks.stats.intervals import ratio_interval

__all__ = ["bars", "repeats", "write_page"]

Cases = Mapping[str, Mapping[str, Any]]

REPEATABLE = 0.03  # how far a ratio may lie from its median over the repeats
FALSE_ALARMS = 0.05  # part of the pairs without a difference that may be called different
FOUND = 0.9  # part of the slowdowns that must be found
OFF_BY = 0.02  # how far the size of a slowdown may be from the true one
BUSY = 0.8  # part of a latency stage that must be spent in timed calls or warm-up
PLAIN = "plain loop"


def write_page(content: Mapping[str, Any], folder: Path) -> None:
    """Writes measurement.md and figures/measurement.svg and .png."""
    cases = {key: case for key, case in content["cases"].items() if "error" not in case}
    found = repeats(cases)
    if found:
        (folder / "figures").mkdir(exist_ok=True)
        for suffix, picture in zip(("svg", "png"), render(_strips, found), strict=True):
            replace_file(folder / "figures" / f"measurement.{suffix}", picture)
    sections = [
        "# Measurement",
        bars_table(bars(cases), "What the harness promises of its numbers, tried on this machine."),
        _repeatability(found),
        _moods(cases),
        _pairs(
            "## One model timed twice",
            f"Each pair is one model loaded twice and timed in the same rounds, under the default settings; "
            f"{trials.PAIRS} pairs share a session. Whatever is called a difference here is a false alarm.",
            _section(cases, "same"),
        ),
        _pairs(
            "## A slowdown of known size",
            f"The second of each pair waits for {SLOWDOWN:.0%} of its time behind every call; with `--rigorous`.",
            _section(cases, "slowdown"),
        ),
        _time(cases),
        failures(content["cases"]),
        "## How this was measured",
        circumstances(content, raw="measurement.json"),
    ]
    replace_file(folder / "measurement.md", "\n\n".join(filter(None, sections)) + "\n")


# --- the bars ---------------------------------------------------------------------------------------------------------


def bars(cases: Cases) -> list[Bar]:
    """Everything that was asked of the harness, with its figure."""
    return [_repeat_bar(cases), _same_bar(cases), _found_bar(cases), _size_bar(cases), _busy_bar(cases)]


def _repeat_bar(cases: Cases) -> Bar:
    text = (
        f"Repeatability: over {trials.REPEATS} runs with `--max-time {trials.MAX_TIME}`, each model's ratio to "
        f"{trials.BASE} within {REPEATABLE:.0%} of its median"
    )
    found = repeats(cases)
    if len(_section(cases, "repeat")) < trials.REPEATS:
        return Bar(text, "", None)
    name, worst = max(((name, off(ways["harness"])) for name, ways in found.items()), key=lambda item: item[1])
    plain = max(off(ways[PLAIN]) for ways in found.values())
    return Bar(text, f"at most {worst:.1%} ({name}); the plain loop {plain:.1%}", worst <= REPEATABLE)


def _same_bar(cases: Cases) -> Bar:
    wanted = len(trials.SAME) * trials.SESSIONS * trials.PAIRS
    text = f"One model timed twice: of {wanted} pairs at most {FALSE_ALARMS:.0%} called different"
    pairs = _all_pairs(cases, "same")
    if len(pairs) < wanted:
        return Bar(text, "", None)
    alarms = sum(pair["verdict"] in ("faster", "slower") for pair in pairs)
    return Bar(text, f"{alarms} of {len(pairs)}", alarms <= FALSE_ALARMS * len(pairs))


def _found_bar(cases: Cases) -> Bar:
    wanted = len(trials.SLOWED) * trials.PAIRS
    text = f"A slowdown of {SLOWDOWN:.0%} found with `--rigorous` in at least {FOUND:.0%} of {wanted} tries"
    pairs = _all_pairs(cases, "slowdown")
    if len(pairs) < wanted:
        return Bar(text, "", None)
    found = sum(pair["verdict"] == "slower" for pair in pairs)
    return Bar(text, f"{found} of {len(pairs)}", found >= FOUND * len(pairs))


def _size_bar(cases: Cases) -> Bar:
    text = f"Its size within {100 * OFF_BY:.0f} points"
    pairs = _all_pairs(cases, "slowdown")
    if not pairs:
        return Bar(text, "", None)
    sizes = [pair["ratio"]["value"] - 1 for pair in pairs]
    worst = max(abs(size - SLOWDOWN) for size in sizes)
    return Bar(text, f"{min(sizes):.1%} to {max(sizes):.1%}", worst <= OFF_BY)


def _busy_bar(cases: Cases) -> Bar:
    text = f"At least {BUSY:.0%} of a latency stage spent in timed calls or warm-up"
    stages = [*_section(cases, "repeat").values(), *_section(cases, "overhead").values()]
    if not stages:
        return Bar(text, "", None)
    least = min(map(_busy, stages))
    return Bar(text, f"at least {least:.0%}", least >= BUSY)


# --- figures behind the bars ------------------------------------------------------------------------------------------


def repeats(cases: Cases) -> dict[str, dict[str, list[float]]]:
    """Ratios to `trials.BASE`, one a repeat: by model, then "harness" or the plain loop."""
    found = _section(cases, "repeat").values()
    return {
        model: {
            "harness": [_ratio(case["rounds"][model], case["rounds"][trials.BASE]) for case in found],
            PLAIN: [case["plain"][model] / case["plain"][trials.BASE] for case in found],
        }
        for model in trials.MODELS
        if model != trials.BASE and found
    }


def off(values: Sequence[float]) -> float:
    """How far the farthest value lies from the median, relative to it."""
    middle = statistics.median(values)
    return max(abs(value / middle - 1) for value in values)


def _ratio(above: Mapping[Any, float], below: Mapping[Any, float]) -> float:
    interval = ratio_interval(above, below)
    if interval is None:
        raise ValueError("two models without a common round")
    return interval.value


def _section(cases: Cases, name: str) -> dict[str, Mapping[str, Any]]:
    return {key: case for key, case in cases.items() if key.partition(" ")[0] == name}


def _all_pairs(cases: Cases, section: str) -> list[Mapping[str, Any]]:
    return [pair for case in _section(cases, section).values() for pair in case["pairs"]]


def _busy(case: Mapping[str, Any]) -> float:
    return float((case["spent"]["timed"] + case["spent"]["warmup"]) / case["stage_s"])


# --- the page ---------------------------------------------------------------------------------------------------------


def _repeatability(found: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    if not found:
        return ""
    rows = [
        [
            model if way == "harness" else "",
            way,
            *(f"{value:.3f}" for value in values),
            f"{100 * off(values):.1f} %",
        ]
        for model, ways in found.items()
        for way, values in ways.items()
    ]
    count = len(rows[0]) - 3
    header = ["model", "measured by", *(f"run {number}" for number in range(1, count + 1)), "farthest from the median"]
    return "\n\n".join(
        [
            "## Repeatability",
            f"Time of a call divided by that of {trials.BASE}, batch 1. The harness takes {trials.MAX_TIME} s a model "
            "in shuffled rounds and pairs within those in which the processors were close. The plain loop is what most "
            f"tools do: {trials.PLAIN_WARMUP} calls to warm up, the mean of {trials.PLAIN_CALLS}, one model after the "
            "other; it ran after each run of the harness.",
            "![Ratios of each repeat around their median](figures/measurement.svg)",
            markdown_table(header, rows, "ll" + "r" * (count + 1)),
        ]
    )


def _moods(cases: Cases) -> str:
    """What the machine did meanwhile: how often its processors were apart, and what that costs each network."""
    runs = list(_section(cases, "repeat").values())
    if not runs:
        return ""
    rows = []
    for model in trials.MODELS:
        cells, costs = [], []
        for run in runs:
            close, whole = run["rounds"][model], run["all_rounds"][model]
            away = [seconds for number, seconds in whole.items() if number not in close]
            middle = statistics.median(close.values())
            cells.append(f"{1e3 * middle:.3g} ({len(away)} of {len(whole)})")
            costs += [seconds / middle for seconds in away]
        rows.append([model, *cells, f"{statistics.median(costs):.2f}" if costs else ""])
    header = ["model", *(f"run {number}, ms" for number in range(1, len(runs) + 1)), f"apart, {TIMES} as long"]
    return "\n\n".join(
        [
            "## How steady the machine was",
            "Median of a call over the rounds of each run that count and, in brackets, in how many of its rounds the "
            "processors were apart: handing work from thread to thread took clearly longer than in the best rounds, as "
            "when a hypervisor has moved a guest's processors to where they share no cache. Load, pressure and steal "
            "do not show that. Last, how much longer a call takes then.",
            markdown_table(header, rows, "l" + "r" * (len(runs) + 1)),
        ]
    )


def _pairs(title: str, text: str, sessions: Cases) -> str:
    if not sessions:
        return ""
    rows = []
    for key, case in sessions.items():
        for pair in case["pairs"]:
            ratio = pair["ratio"]
            size = f"{100 * (ratio['value'] - 1):+.2f} %"
            interval = f"{100 * (ratio['low'] - 1):+.2f} to {100 * (ratio['high'] - 1):+.2f} %"
            rows.append(
                [key.split()[1], str(pair["rounds"]), size, interval, f"{pair['p_value']:.3f}", pair["verdict"]]
            )
    header = ["model", "rounds", "difference", "95 % interval", "p", "verdict"]
    return "\n\n".join([title, text, markdown_table(header, rows, "lrrrrl")])


def _time(cases: Cases) -> str:
    titles = {"repeat": f"four models, `--max-time {trials.MAX_TIME}`", "overhead": "all models, default settings"}
    rows = []
    for section, title in titles.items():
        for case in _section(cases, section).values():
            spent = case["spent"]
            parts = [spent["timed"], spent["warmup"], spent["loading"]]
            rest = case["stage_s"] - sum(parts)
            rows.append([title, *(f"{part:.1f}" for part in (case["stage_s"], *parts, rest)), f"{_busy(case):.0%}"])
    if not rows:
        return ""
    header = ["stage", "in all, s", "timed calls", "warm-up", "loading", "the rest", "timed or warm-up"]
    return "\n\n".join(["## Where the time goes", markdown_table(header, rows, "lrrrrrr")])


# --- the picture ------------------------------------------------------------------------------------------------------


def _strips(found: Mapping[str, Mapping[str, Sequence[float]]]) -> Figure:
    """Each repeat's ratio around the median of its way: the harness filled, the plain loop hollow."""
    figure = Figure(figsize=(WIDTH, 1.0 + 0.75 * len(found)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for place, (model, ways) in enumerate(found.items()):
        color, marker, _ = FAMILIES[zoo.spec(model).family]
        for offset, (way, values) in zip((0.16, -0.16), ways.items(), strict=True):
            middle = statistics.median(values)
            axes.plot(
                [100 * (value / middle - 1) for value in values],
                [place + offset] * len(values),
                marker=marker,
                markersize=8,
                linestyle="none",
                markerfacecolor=color if way == "harness" else "white",
                markeredgecolor=color if way != "harness" else INK,
                markeredgewidth=0.7 if way == "harness" else 1.4,
            )
    reach = 100 * max(off(values) for ways in found.values() for values in ways.values())
    limit = max(1.15 * reach, 125 * REPEATABLE)
    axes.axvspan(-100 * REPEATABLE, 100 * REPEATABLE, color="#eeeeee", zorder=0)
    axes.set_xlim(-limit, limit)
    axes.set_ylim(len(found) - 0.5, -0.5)
    axes.set_yticks(range(len(found)), list(found))
    axes.grid(axis="y", visible=False)
    axes.set_xlabel(f"ratio to {trials.BASE} in each run, % from its median (grey: {100 * REPEATABLE:.0f} %)")
    handles = [
        Line2D([], [], marker="o", linestyle="none", color=SOFT, label="harness"),
        Line2D([], [], marker="o", linestyle="none", markerfacecolor="white", markeredgecolor=SOFT, label=PLAIN),
    ]
    figure.legend(handles=handles, loc="outside upper right", ncols=2)
    return figure
