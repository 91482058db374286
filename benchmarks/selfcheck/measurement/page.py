"""The benchmark of the harness itself: its tasks, its bars, measurement.md and its picture. Imports no torch."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from operator import itemgetter
from typing import Any

from matplotlib.figure import Figure

import zoo
from benchmarks.report.bars import Bar, Cases, CheckPage, judged
from benchmarks.report.drawing import Drawing
from benchmarks.report.page import section
from benchmarks.report.style import INK, SOFT, TIMES, canvas, family_style, key
from benchmarks.report.table import TableColumn, table, text_column
from benchmarks.report.words import enumerate_words, number
from benchmarks.selfcheck.measurement import simulated, trials
from benchmarks.selfcheck.measurement.figures import (
    HARNESS,
    PLAIN,
    all_pairs,
    busy,
    by_round,
    in_section,
    off,
    other_rounds,
    repeats,
    usual,
)
from benchmarks.selfcheck.selftest import SLOWDOWN
from benchmarks.selfcheck.tasks import Benchmark
from benchmarks.stats.intervals import FEWEST_ROUNDS
from benchmarks.stats.verdicts import DIFFERENT

__all__ = ["BENCHMARK", "bars"]

REPEATABLE = 0.03  # how far a ratio may lie from its median over the repeats
FALSE_ALARMS = 0.05  # part of the pairs without a difference that may be called different
FOUND = 0.9  # part of the slowdowns that must be found
OFF_BY = 0.02  # how far the size of a slowdown may be from the true one
BUSY = 0.8  # part of a latency stage that must be spent in timed calls or warm-up
COVERED = 0.93  # part of the 95 % intervals that must hold the truth
ROUNDS = enumerate_words(simulated.COUNTS)


# --- the bars ---------------------------------------------------------------------------------------------------------


def bars(cases: Cases) -> list[Bar]:
    """Everything that was asked of the harness, with its figure."""
    same, slowed = all_pairs(cases, "same"), all_pairs(cases, "slowdown")
    pairs, tries = len(trials.SAME) * trials.SESSIONS * trials.PAIRS, len(trials.SLOWED) * trials.PAIRS
    shares = [busy(case) for stage in STAGES for case in in_section(cases, stage).values()]
    whole = len(in_section(cases, "repeat")) >= trials.REPEATS
    return [
        judged(f"Repeatability: over {trials.REPEATS} runs with `--max-time {trials.MAX_TIME}`, each model's ratio to "
               f"{trials.BASE} within {REPEATABLE:.0%} of its median", repeats(cases) if whole else None, _repeatable),
        judged(f"One model timed twice: of {pairs} pairs at most {FALSE_ALARMS:.0%} called different",
               same if len(same) >= pairs else None, _few_alarms),
        judged(f"A slowdown of {SLOWDOWN:.0%} found with `--rigorous` in at least {FOUND:.0%} of {tries} tries",
               slowed if len(slowed) >= tries else None, _found),
        judged(f"Its size within {100 * OFF_BY:.0f} points", slowed or None, _sized),
        judged(f"At least {BUSY:.0%} of a latency stage spent in timed calls or warm-up", shares or None,
               lambda shares: (f"at least {min(shares):.0%}", min(shares) >= BUSY)),
        *(judged(f"The 95 % interval of a {what} holds the truth in at least {COVERED:.0%} of draws from the records, "
                 f"in every family, over {ROUNDS} rounds", cases.get("coverage", {}).get(f"{what}s"), _covered)
          for what in ("time", "ratio")),
        judged(f"And so in at least {COVERED:.0%} of lognormal rounds as much like their neighbours as those of the "
               "records", cases.get("coverage", {}).get("lognormal"), _made_up),
        judged(f"Equal times called different in at most {FALSE_ALARMS:.0%} of draws from the records, over {ROUNDS} "
               "rounds", cases.get("alike", {}).get("pairs"), _alarms),
    ]  # fmt: skip


def _repeatable(found: Mapping[str, Mapping[str, Sequence[float]]]) -> tuple[str, bool]:
    lost = [name for name, ways in found.items() if any(map(math.isnan, ways[HARNESS]))]
    if lost:
        return f"in some run {enumerate_words(lost)} had no round in common with {trials.BASE}", False
    name, worst = max(((name, off(ways[HARNESS])) for name, ways in found.items()), key=itemgetter(1))
    plain = max(off(ways[PLAIN]) for ways in found.values())
    return f"at most {worst:.1%} ({name}); the plain loop {plain:.1%}", worst <= REPEATABLE


def _few_alarms(pairs: Sequence[Mapping[str, Any]]) -> tuple[str, bool]:
    alarms = sum(pair["verdict"] in DIFFERENT for pair in pairs)
    return f"{alarms} of {len(pairs)}", alarms <= FALSE_ALARMS * len(pairs)


def _found(pairs: Sequence[Mapping[str, Any]]) -> tuple[str, bool]:
    found = sum(pair["verdict"] == "slower" for pair in pairs)
    return f"{found} of {len(pairs)}", found >= FOUND * len(pairs)


def _sized(pairs: Sequence[Mapping[str, Any]]) -> tuple[str, bool]:
    sizes = [pair["ratio"].value - 1 for pair in pairs]
    if any(map(math.isnan, sizes)):
        return "some pair had no round in common", False
    return f"{min(sizes):.1%} to {max(sizes):.1%}", max(abs(size - SLOWDOWN) for size in sizes) <= OFF_BY


def _covered(found: Mapping[str, Any]) -> tuple[str, bool]:
    worst, family, count = simulated.worst(found)
    return f"at least {worst:.1%} ({family}, {count} rounds)", worst >= COVERED


def _made_up(found: Mapping[str, Any]) -> tuple[str, bool]:
    worst = min(share for each in found.values() for share in each["coverage"].values())
    return f"at least {worst:.1%}", worst >= COVERED


def _alarms(found: Mapping[str, Any]) -> tuple[str, bool]:
    most = max(each["different"] for by_count in found.values() for each in by_count.values())
    return f"at most {most:.1%}", most <= FALSE_ALARMS


# --- the tables -------------------------------------------------------------------------------------------------------


def _difference(*ends: str) -> Callable[[Mapping[str, Any]], str]:
    def cell(pair: Mapping[str, Any]) -> str:
        found = [getattr(pair["ratio"], end) for end in ends]
        return " to ".join(f"{100 * (each - 1):+.2f}" for each in found) if all(map(math.isfinite, found)) else "-"

    return cell


PAIRS = (
    text_column("model", itemgetter("model")),
    TableColumn("rounds", itemgetter("rounds"), 0),
    TableColumn("difference, %", _difference("value")),
    TableColumn("95 % interval", _difference("low", "high")),
    TableColumn("p", itemgetter("p_value"), -3),
    text_column("verdict", itemgetter("verdict")),
)
STAGES = {"repeat": f"four models, `--max-time {trials.MAX_TIME}`", "overhead": "all models, default settings"}
PARTS = {"timed": "timed calls", "warmup": "warm-up", "loading": "loading"}
TIME = (
    text_column("stage", lambda stage: STAGES[stage[0]]),
    TableColumn("in all, s", lambda stage: stage[1]["stage_s"], -1),
    *(TableColumn(title, lambda stage, name=name: stage[1]["spent"][name], -1) for name, title in PARTS.items()),  # type: ignore[misc]
    TableColumn("the rest", lambda stage: stage[1]["stage_s"] - sum(stage[1]["spent"][name] for name in PARTS), -1),
    TableColumn("timed or warm-up, %", lambda stage: 100 * busy(stage[1]), 0),
)


def _sections(cases: Cases, picture: str) -> Iterator[str]:
    yield section(
        "Repeatability",
        f"Time of a call divided by that of {trials.BASE}, batch 1. The harness takes {trials.MAX_TIME} s a model in "
        f"shuffled rounds and pairs within those in which the processors were close. {_kinds(cases)}The plain "
        f"loop is what most tools do: {trials.PLAIN_WARMUP} calls to warm up, the mean of {trials.PLAIN_CALLS}, one "
        "model after the other; it ran after each run of the harness.",
        picture,
        _ratios(repeats(cases)),
    )
    yield section(
        "How steady the machine was",
        "Median of a call over the rounds of each run that count and, in brackets, in how many of its rounds the "
        "processors were apart: handing work from thread to thread took clearly longer than in the best rounds, as "
        "when a hypervisor has moved a guest's processors to where they share no cache. Load, pressure and steal do "
        "not show that. Last, how much longer a call takes then.",
        _moods(list(in_section(cases, "repeat").values())),
    )
    yield section(
        "One model timed twice",
        "Each pair is one model loaded twice and timed in the same rounds, under the default settings; "
        f"{trials.PAIRS} pairs share a session. Whatever is called a difference here is a false alarm.",
        table(PAIRS, all_pairs(cases, "same")),
    )
    yield section(
        "A slowdown of known size",
        f"The second of each pair waits for {SLOWDOWN:.0%} of its time after every call; with `--rigorous`.",
        table(PAIRS, all_pairs(cases, "slowdown")),
    )
    stages = [(stage, case) for stage in STAGES for case in in_section(cases, stage).values()]
    yield section("Where the time goes", "", table(TIME, stages))
    yield from _simulations(cases.get("coverage", {}), cases.get("alike", {}))


def _simulations(coverage: Mapping[str, Any], alike: Mapping[str, Any]) -> Iterator[str]:
    yield section(
        "What the intervals hold",
        f"Simulated from the records beside this page, nothing is timed: {ROUNDS} rounds are drawn from those of each "
        f"timed case, {simulated.ROW} in a row at a time, and the case's own median is the truth. The interval of a "
        "time is wider than that of a ratio within rounds, whose rounds share no moods of the machine. Width: half of "
        "the interval, in % of the value; in brackets that of a percentile bootstrap of the median.",
        table(_coverage_columns("times of"), coverage.get("times", {}).items()),
        table(_coverage_columns("ratios above"), coverage.get("ratios", {}).items()),
        "Lognormal rounds made up with the autocorrelation of neighbours in the records:" if coverage else "",
        table(MADE_UP, coverage.get("lognormal", {}).items()),
    )
    yield section(
        "Equal times, and slower ones",
        f"Pairs drawn from the records in the same way, judged as `benchmarks.compare` does: how many equal ones are "
        f"called different, and how many are called slower where one takes {simulated.SLOWER:.0%} longer, in %.",
        table(ALIKE, alike.get("pairs", {}).items()),
    )


def _by_count(title: str, cell: Callable[[Mapping[str, float]], Any], digits: int = -1) -> list[TableColumn]:
    """A column for every number of rounds; a row is a name and what was found of it."""
    return [
        TableColumn(f"{title}, {count} rounds", lambda row, count=count: cell(row[1][str(count)]), digits)  # type: ignore[misc]
        for count in simulated.COUNTS
    ]


def _coverage_columns(title: str) -> list[TableColumn]:
    return [
        text_column(title, itemgetter(0)),
        TableColumn("cases", lambda row: next(iter(row[1].values()))["cases"], 0),
        *_by_count("mean (least) coverage, %", lambda each: f"{100 * each['mean']:.1f} ({100 * each['least']:.0f})"),
        *_by_count("width", lambda each: f"{100 * each['width']:.1f} ({100 * each['bootstrap']:.1f})"),
    ]


MADE_UP = (
    text_column("interval of", itemgetter(0)),
    TableColumn("autocorrelation", lambda row: row[1]["autocorrelation"], -2),
    *(TableColumn(f"coverage, %, {count} rounds", lambda row, count=count: 100 * row[1]["coverage"][str(count)], -1)  # type: ignore[misc]
      for count in simulated.COUNTS),
)  # fmt: skip
ALIKE = (
    text_column("pairs", itemgetter(0)),
    *_by_count("different", lambda each: 100 * each["different"]),
    *_by_count("slower", lambda each: 100 * each["slower"]),
)


def _kinds(cases: Cases) -> str:
    """Of how many ratios that is not so, and what a dash is."""
    found, mixed = repeats(cases), other_rounds(cases)
    lost = [name for name, ways in found.items() if math.isnan(off(ways[HARNESS]))]
    said = []
    if mixed:
        said.append(
            f"Ratios with fewer than {FEWEST_ROUNDS} such rounds, {mixed} of "
            f"{sum(len(ways[HARNESS]) for ways in found.values())}, are taken over those in which the processors were "
            "alike for both networks, close or apart, or over all where these are too few as well. "
        )
    if lost:
        said.append(f"A dash: in that run {enumerate_words(lost)} had no round in common with {trials.BASE}. ")
    return "".join(said)


def _ratios(found: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    rows = [(model, way, values) for model, ways in found.items() for way, values in ways.items()]
    runs = range(len(rows[0][2]) if rows else 0)
    columns = (
        text_column("model", lambda row: row[0] if row[1] == HARNESS else ""),
        text_column("measured by", itemgetter(1)),
        *(TableColumn(f"run {run + 1}", lambda row, run=run: _text(row[2][run], -3)) for run in runs),  # type: ignore[misc]
        TableColumn("farthest from the median, %", lambda row: _text(100 * off(row[2]), -1)),
    )
    return table(columns, rows)


def _text(figure: float, digits: int = 3) -> str:
    return "-" if math.isnan(figure) else number(figure, digits)


def _moods(runs: Sequence[Mapping[str, Any]]) -> str:
    """What the machine did meanwhile: how often its processors were apart, and what that costs each network."""

    def mood(run: Mapping[str, Any]) -> Callable[[str], str]:
        return lambda model: (
            f"{_text(1e3 * usual(run, model))} ({len(by_round(run, model).far)} of {len(run['all_rounds'][model])})"
        )

    def cost(model: str) -> float | None:
        found = [each for run in runs if (each := by_round(run, model)).close]
        costs = [seconds / statistics.median(each.close.values()) for each in found for seconds in each.far.values()]
        return statistics.median(costs) if costs else None

    columns = (
        text_column("model", str),
        *(TableColumn(f"run {place}, ms", mood(run)) for place, run in enumerate(runs, 1)),
        TableColumn(f"apart, {TIMES} as long", cost, -2),
    )
    return table(columns, trials.MODELS if runs else ())


# --- the picture ------------------------------------------------------------------------------------------------------


def _picture(cases: Cases) -> Drawing | None:
    found = repeats(cases)
    models = [{"model": model, "family": zoo.spec(model).family, **ways} for model, ways in found.items()]
    alt = "Ratios of each repeat around their median"
    return Drawing(name="measurement", draw=_strips, data=models, alt=alt) if models else None


def _strips(models: Sequence[Mapping[str, Any]]) -> Figure:
    """Each repeat's ratio around the median of its way: the harness filled, the plain loop hollow."""
    figure, axes = canvas(1.0 + 0.75 * len(models))
    reach = 0.0
    for place, model in enumerate(models):
        color, marker, _ = family_style(model["family"])
        looks: Iterable[tuple[str, float, dict[str, Any]]] = (
            (HARNESS, 0.16, {"markerfacecolor": color, "markeredgecolor": INK, "markeredgewidth": 0.7}),
            (PLAIN, -0.16, {"markerfacecolor": "white", "markeredgecolor": color, "markeredgewidth": 1.4}),
        )
        for way, offset, look in looks:
            known = [value for value in model[way] if not math.isnan(value)]
            away = [100 * (value / statistics.median(known) - 1) for value in known]
            reach = max([reach, *map(abs, away)])
            axes.plot(away, [place + offset] * len(away), marker=marker, markersize=8, linestyle="none", **look)
    limit = max(1.15 * reach, 125 * REPEATABLE)
    axes.axvspan(-100 * REPEATABLE, 100 * REPEATABLE, color="#eeeeee", zorder=0)
    axes.set(xlim=(-limit, limit), ylim=(len(models) - 0.5, -0.5))
    axes.set_yticks(range(len(models)), [model["model"] for model in models])
    axes.grid(axis="y", visible=False)
    axes.set_xlabel(f"ratio to {trials.BASE} in each run, % from its median (grey: {100 * REPEATABLE:.0f} %)")
    fills = {HARNESS: SOFT, PLAIN: "white"}
    handles = [key(way, marker="o", markerfacecolor=fill, markeredgecolor=SOFT) for way, fill in fills.items()]
    figure.legend(handles=handles, loc="outside upper right", ncols=2)
    return figure


BENCHMARK = Benchmark(
    name="measurement",
    description="How far the harness's own numbers can be trusted on this machine.",
    tasks={
        **{f"repeat {number}": trials.repeat for number in range(1, trials.REPEATS + 1)},
        **{
            f"same {model} {number}": partial(trials.same, model)
            for model in trials.SAME
            for number in range(1, trials.SESSIONS + 1)
        },
        **{f"slowdown {model}": partial(trials.slowdown, model) for model in trials.SLOWED},
        "overhead": trials.overhead,
    },
    computed={"coverage": simulated.coverage, "alike": simulated.alike},
    page=CheckPage(
        title="Measurement",
        remark="What the harness promises of its numbers, tried on the machine named at its end.",
        bars=bars,
        sections=_sections,
        picture=_picture,
    ),
)
