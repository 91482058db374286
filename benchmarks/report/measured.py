"""The measured figures of a report as tables: the comparison, sweeps, and the details behind them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from benchmarks.metrics.columns import BASE
from benchmarks.records.record import Measurement
from benchmarks.report.overview import Overview
from benchmarks.report.words import (
    condition_in_words,
    count_of,
    dataset_title,
    enumerate_words,
    markdown,
    markdown_table,
    number,
)

__all__ = ["comparison_table", "layers", "memory", "sweeps", "timing"]

MOST_ROWS = 120  # of a table on the page; results.csv has them all
NONE = ""  # an absent figure is an empty cell
TIMES = "\N{MULTIPLICATION SIGN}"


# the columns of the comparison: title, column of the frame, how a figure is written, which end is best
def _plain(digits: int) -> Callable[[float], str]:
    return lambda value: number(value, digits)


def _fixed(decimals: int, factor: float = 1.0) -> Callable[[float], str]:
    return lambda value: f"{value * factor:,.{decimals}f}"


def _printed(measured: Callable[[float], str], factor: float = 1.0) -> Callable[[float], str]:
    """As it was printed, but with no more digits than the measured figure beside it."""
    return lambda value: min(f"{value * factor:.10g}", measured(value), key=len)


Column = tuple[str, str, Callable[[float], str], str]
COMPARISON: Sequence[Column] = (
    ("Input, px", "img_size", _fixed(0), ""),
    ("Parameters, M", "param_count", _fixed(2, 1e-6), "low"),
    ("published, M", "published_params", _printed(_fixed(2, 1e-6), 1e-6), ""),
    ("Multiply-adds, G", "gmacs", _plain(3), "low"),
    ("published, G", "published_gmacs", _printed(_plain(3)), ""),
    ("ImageNet top-1, % (published)", "published_top1", _fixed(1), ""),
    ("{dataset} top-1 here, % [95 %]", "top1", _fixed(1), "high"),
    ("Latency, ms [95 %]", "latency_ms_p50", _plain(3), "low"),
    (f"Speed, {TIMES} {BASE}", "rel_speed", _plain(2), "high"),
    ("GMAC/s", "gmacs_per_sec", _plain(3), "high"),
    ("Peak memory, MB", "peak_rss_mb", _plain(3), "low"),
)


def comparison_table(overview: Overview) -> str:
    """The one table: published beside measured, the best of a column in bold."""
    table = overview.table
    if table.empty:
        return ""
    beside = {"published_params": "param_count", "published_gmacs": "gmacs"}  # shown only beside what was measured
    columns = [
        column
        for column in COMPARISON
        if table[column[1]].notna().any() and table[beside.get(column[1], column[1])].notna().any()
    ]
    best = {
        name: table[name].min() if better == "low" else table[name].max() for _, name, _, better in columns if better
    }
    troubled = bool((table["status"] != "ok").any())
    header = ["Model", *(title.format(dataset=markdown(dataset_title(overview))) for title, *_ in columns)]
    rows = []
    for row in table.head(MOST_ROWS).to_dict("records"):
        cells = [markdown(str(row["model"]), 80)]
        for _, name, words, better in columns:
            cells.append(
                _cell(row, name, words, bold=bool(better) and row[name] is not pd.NA and row[name] == best[name])
            )
        rows.append(cells + ([markdown(str(row["status"])) if row["status"] != "ok" else NONE] if troubled else []))
    body = markdown_table(header + (["Status"] if troubled else []), rows, "l" + "r" * len(columns) + "l" * troubled)
    rest = len(table) - MOST_ROWS
    more = f"\n\n{count_of(rest, 'further row')} in [results.csv](results.csv)." if rest > 0 else ""
    return f"## The comparison\n\n{body}{more}\n\n{_caption(overview)}"


def _cell(row: Mapping[str, Any], name: str, words: Callable[[float], str], *, bold: bool) -> str:
    value = row[name]
    if pd.isna(value):
        return NONE
    text = f"**{words(float(value))}**" if bold else words(float(value))
    stem = name.removesuffix("_p50")
    low, high = row.get(f"{stem}_ci95_lo"), row.get(f"{stem}_ci95_hi")
    if low is not None and high is not None and not pd.isna(low) and not pd.isna(high):
        text += f" [{words(float(low))}, {words(float(high))}]"
    return text


def _caption(overview: Overview) -> str:
    """What the numbers of the table are, from the records themselves."""
    sentences = []
    if overview.condition:
        sentences.append(f"Times: {markdown(condition_in_words(overview.condition))}.")
        timed = overview.measurements("latency", "latency_s").values()
        rounds = sorted({len(set(measurement.rounds)) for measurement in timed if measurement.rounds})
        if rounds:
            spread = str(rounds[0]) if len(rounds) == 1 else f"{rounds[0]} to {rounds[-1]}"
            sentences.append(
                f"Each time is a median over {spread} rounds in which the models took turns; its 95 % interval is in "
                "brackets."
            )
    accuracies = list(overview.records("accuracy").values())
    images = sorted({int(value) for record in accuracies if (value := record.value("test_images"))})
    if any(record.find("top1") for record in accuracies):
        counted = f" of {enumerate_words([f'{count:,}' for count in images])} test images" if images else ""
        trained = any(record.case.epochs for record in accuracies)
        how = "networks trained from scratch here" if trained else "published weights"
        sizes = sorted({record.case.train_img_size or record.case.img_size for record in accuracies})
        pixels = f" at {enumerate_words([str(size) for size in sizes])} pixels" if sizes else ""
        sentences.append(f"Accuracy: {how}{pixels}, the share{counted} named rightly, with its Wilson interval.")
    sentences.append("Best of a column in **bold**. All columns and conditions: [results.csv](results.csv).")
    return " ".join(sentences)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """A table model x one condition, everything else as in the comparison.

    Args:
        heading, what: of the section, and what its figures are.
        metric, name: the measurement.
        axis: the field of `Condition` that varies.
        column: how a value of it heads its column.
        factor: from the measurement's unit to the table's.
        more: whether more is better.
        at_least: columns that make it worth showing.
    """

    heading: str
    what: str
    metric: str
    name: str
    axis: str
    column: str
    factor: float = 1.0
    more: bool = False
    at_least: int = 2


SWEEPS = (
    Sweep(heading="Runtimes", what="Median latency in ms", metric="latency", name="latency_s", axis="runtime",
          column="{}", factor=1e3),
    Sweep(heading="Threads", what="Median latency in ms", metric="latency", name="latency_s", axis="num_threads",
          column="{} threads", factor=1e3),
    Sweep(heading="Throughput", what="Images per second", metric="throughput", name="samples_per_sec",
          axis="batch_size", column="batch {}", more=True, at_least=1),
)  # fmt: skip


def sweeps(overview: Overview) -> list[str]:
    """The sweeps the records hold."""
    return [_sweep(overview, sweep) for sweep in SWEEPS]


def _sweep(overview: Overview, sweep: Sweep) -> str:
    base = overview.condition
    cells: dict[str, dict[Any, float]] = defaultdict(dict)
    for row in overview.rows:
        measurement = row.find(sweep.metric, sweep.name)
        fixed = [part for part in ("runtime", "device", "batch_size", "precision", "num_threads") if part != sweep.axis]
        if measurement and base and all(getattr(row.case, part) == getattr(base, part) for part in fixed):
            cells[row.model][getattr(row.case, sweep.axis)] = measurement.value * sweep.factor
    values = sorted({value for found in cells.values() for value in found})
    if len(values) < sweep.at_least:
        return ""
    rows = []
    for model in [model for model in overview.table.index if model in cells][:MOST_ROWS]:
        found = cells[model]
        best = max(found.values()) if sweep.more else min(found.values())
        rows.append(
            [markdown(model, 80)]
            + [
                NONE
                if value not in found
                else f"**{number(found[value])}**"
                if found[value] == best
                else number(found[value])
                for value in values
            ]
        )
    header = ["Model", *(markdown(sweep.column.format(value)) for value in values)]
    return f"## {sweep.heading}\n\n{sweep.what}; the best of a row in **bold**.\n\n" + markdown_table(
        header, rows, "l" + "r" * len(values)
    )


def timing(overview: Overview) -> str:
    """Everything that is known of each model's times, for those who want more than the median."""
    lines = []
    for model, record in list(overview.records("latency").items())[:MOST_ROWS]:
        found = record.find("latency_s")
        if found is None:
            continue
        details = found.details
        spans = [details.get(name) for name in ("min_s", "iqr_s", "p90_s", "p95_s", "p99_s")]
        spans += [record.value(name) for name in ("first_call_s", "load_s")]
        outliers = [int(details[name]) for name in ("outliers_mild", "outliers_severe") if name in details]
        lines.append(
            [
                markdown(model, 80),
                number(1e3 * found.value),
                *(_span(value) for value in spans),
                f"{len(found.samples):,}",
                str(len(set(found.rounds))),
                NONE if not outliers else f"{sum(outliers)}",
                markdown(str(details.get("stop", NONE))),
            ]
        )
    if not lines:
        return ""
    header = ["Model", "Median, ms", "Min", "IQR", "p90", "p95", "p99", "First call, ms", "Load, ms", "Calls", "Rounds"]
    return (
        "<details>\n<summary>Times in detail: spread, percentiles, first call, loading</summary>\n\n"
        + markdown_table([*header, "Outliers", "Ended by"], lines, "l" + "r" * 11 + "l")
        + "\n\nPercentiles need enough calls (64, 130 and 662). Outliers lie beyond Tukey's fences; they are counted "
        "and kept.\n\n</details>"
    )


def _span(seconds: object) -> str:
    """A time in milliseconds, or why there is none."""
    if isinstance(seconds, (int, float)):
        return number(1e3 * seconds)
    return markdown(str(seconds)) if seconds else NONE


def memory(overview: Overview) -> str:
    """The three numbers that are all called memory."""
    names = ("weights_bytes", "activations_peak_bytes", "peak_rss_bytes")
    lines = []
    for model, record in list(overview.records("memory").items())[:MOST_ROWS]:
        values = [record.value(name) for name in names]
        if any(value is not None for value in values):
            lines.append([markdown(model, 80), *(NONE if value is None else number(value * 1e-6) for value in values)])
    if not lines:
        return ""
    header = ["Model", "Weights, MB", "Live activations at most, MB", "Resident peak above idle, MB"]
    return (
        "<details>\n<summary>Memory: weights, activations, resident peak</summary>\n\n"
        + markdown_table(header, lines, "lrrr")
        + "\n\nThe first two are arithmetic, the third is measured in a fresh process; 1 MB is 10^6 bytes."
        "\n\n</details>"
    )


def layers(overview: Overview) -> str:
    """The rows of each network that take longest, beside their share of the multiply-adds."""
    lines = []
    for model, record in list(overview.records("layers").items())[:MOST_ROWS]:
        rows = [measurement for measurement in record.measurements if measurement.name.startswith("row:")]
        total = sum(row.value for row in rows)
        work = sum(_counted(row) for row in rows)
        gap = record.value("rows_gap")
        if not rows or total <= 0 or work <= 0:
            continue
        longest = sorted(rows, key=lambda row: -row.value)[:3]
        parts = [
            f"{markdown(row.name.removeprefix('row:'), 40)} {row.value / total:.0%} ({_counted(row) / work:.0%})"
            for row in longest
        ]
        lines.append([markdown(model, 80), *parts, *[NONE] * (3 - len(parts)), NONE if gap is None else f"{gap:+.1%}"])
    if not lines:
        return ""
    return (
        "## Where the time goes\n\nThe three rows of each network that take longest: share of the time, in parentheses "
        "share of the multiply-adds. The last column is what the rows leave unexplained of the whole.\n\n"
        + markdown_table(["Model", "Longest", "second", "third", "gap"], lines, "llllr")
    )


def _counted(row: Measurement) -> float:
    return float(row.details.get("mult_adds", 0))
