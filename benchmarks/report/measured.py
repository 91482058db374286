"""The measured figures of a report as tables: the comparison, sweeps, and details for those who want more."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import itemgetter
from string import ascii_lowercase
from types import MappingProxyType
from typing import Any, NamedTuple

from benchmarks.metrics import METRICS
from benchmarks.metrics.columns import SHOWN
from benchmarks.metrics.latency import times_of
from benchmarks.metrics.metric import Column
from benchmarks.records.record import Measurement, Record
from benchmarks.report.findings import Estimate
from benchmarks.report.frame import prints_the_same
from benchmarks.report.joining import PACE
from benchmarks.report.overview import Overview
from benchmarks.report.page import folded, section
from benchmarks.report.table import MOST_ROWS, Cell, TableColumn, table
from benchmarks.report.words import (
    condition_in_words,
    count_of,
    dataset_title,
    enumerate_words,
    markdown,
    number,
    training_in_words,
)
from benchmarks.stats.intervals import Interval

__all__ = ["comparison_table", "layers", "memory", "protocols", "sweeps", "timing"]


LATENCY = "latency_ms_p50"


def _text(title: str, cell: Callable[[Any], str]) -> TableColumn:
    return TableColumn(title, lambda row: markdown(cell(row), 80), align="l")


def comparison_table(overview: Overview, trained_on: str = "") -> str:
    """The one table: published beside measured, the best of a column in bold.

    Args:
        trained_on: the machine of the accuracies, in words; empty for that of the times.
    """
    models = list(overview.table.index)
    columns = [_text("Model", str), *_columns(overview)]
    status = dict(overview.table["status"])
    if any(found != "ok" for found in status.values()):
        columns.append(_text("Status", lambda model: status[model].replace("ok", "")))
    rest = len(models) - MOST_ROWS
    more = f"{count_of(rest, 'further row')} in [results.csv](results.csv)." if rest > 0 else ""
    return section("The comparison", "", table(columns, models), more, _caption(overview, trained_on)) if models else ""


def _columns(overview: Overview) -> Iterator[TableColumn]:
    """The columns that metrics name, of which there are figures.

    A printed figure stands after the measured one, and only where there is one. What was printed of another data set
    stands before it, whether this one was measured or not.
    """
    known = {name for name in overview.table if overview.table[name].notna().any()}
    if "img_size" in known:
        yield TableColumn("Input, px", lambda model: overview.figure(model, "img_size"), digits=0)
    for column in SHOWN:
        printed = column.published_column in known
        if printed and not prints_the_same(column):
            yield _printed(overview, column, lambda measured, printed: measured, protocols(overview))
        if column.title and column.name in known:
            title = column.title.format(dataset=markdown(dataset_title(overview)))
            yield TableColumn(title, _measured(overview, column), column.digits, column.better, bounds="[{}, {}]")
            if printed and prints_the_same(column):
                yield _printed(overview, column, lambda measured, printed: min(printed, measured, key=len))
        if column.name == LATENCY:
            yield from _fastest(overview)
    if any(overview.seeds(model) for model in overview.table.index):
        yield TableColumn("Seeds", lambda model: overview.seeds(model) or None, digits=0)


def _fastest(overview: Overview) -> Iterator[TableColumn]:
    """The fastest of several runtimes; one is in a column of its own anyhow."""
    found: dict[str, tuple[str, Estimate]] = {}
    for runtime, estimate in overview.timed():
        if estimate.model not in found or estimate.value < found[estimate.model][1].value:
            found[estimate.model] = runtime, estimate
    if len({runtime for runtime, _ in overview.timed()}) < 2:
        return

    def milliseconds(model: str) -> Cell:
        _, time = found.get(model, ("", None))
        return None if time is None else time.scaled(1e3) if time.bounded else 1e3 * time.value

    yield TableColumn("Fastest runtime, ms [95 %]", milliseconds, better="low", bounds="[{}, {}]")
    yield _text("Which", lambda model: found.get(model, ("", None))[0])


def _measured(overview: Overview, column: Column) -> Callable[[str], Cell]:
    def cell(model: str) -> Cell:
        found = overview.cell(model, column.name)
        if isinstance(found, Interval):
            return found.scaled(column.shown)
        return None if found is None else column.shown * found

    return cell


def _printed(
    overview: Overview,
    column: Column,
    choose: Callable[[str, str], str],
    marks: Mapping[str, str] = MappingProxyType({}),
) -> TableColumn:
    """The published figure, of the two ways to write it the one chosen: with the measured one's digits, or with all.

    Args:
        marks: what stands behind a figure that was taken in a certain way.
    """

    def cell(model: str) -> Cell:
        found = overview.figure(model, column.published_column)
        if found is None:
            return None
        mark = marks.get(str(overview.cells[model]["published_protocol"]), "")
        return f"{choose(number(column.shown * found, column.digits), f'{column.shown * found:.10g}')} {mark}".strip()

    return TableColumn(column.published_title, cell)


def protocols(overview: Overview) -> dict[str, str]:
    """A mark for each way in which the published accuracies were taken, where there are several."""
    ways = [str(way) for way in overview.table["published_protocol"].dropna().unique() if way]
    return {way: f"({letter})" for way, letter in zip(ways, ascii_lowercase, strict=False)} if len(ways) > 1 else {}


def _caption(overview: Overview, trained_on: str) -> str:
    """What the numbers of the table are, from the records themselves."""
    sentences = []
    if overview.condition:
        sentences += [f"Times: {markdown(condition_in_words(overview.condition))}.", *_rounds(overview)]
    accuracies = list(overview.records("accuracy").values())
    if any(record.find("top1") for record in accuracies):
        images = sorted({int(value) for record in accuracies if (value := record.value("test_images"))})
        found = {str(top1.details.get("part")) for record in accuracies if (top1 := record.find("top1"))}
        parts = {"val" if part == "val" else "test" for part in found}
        told = f"{enumerate_words([f'{count:,}' for count in images])} {' or '.join(sorted(parts))} images"
        counted = f" of {told}" if images else ""
        sentences.append(f"Accuracy: the share{counted} named rightly; {_networks(overview, accuracies, trained_on)}.")
    if marks := protocols(overview):
        ways = "; ".join(f"{mark} {markdown(way)}" for way, mark in marks.items())
        sentences.append(f"Published accuracies were not all taken in one way: {ways}.")
    sentences.append("Best of a column in **bold**. All columns and conditions: [results.csv](results.csv).")
    return " ".join(sentences)


def _rounds(overview: Overview) -> Iterator[str]:
    """How many rounds the times are of, and how many sessions those belong to."""
    times = {model: found for model, record in overview.records("latency").items() if (found := times_of(record))}
    if not times:
        return
    rounds = sorted({len(found.seconds) for found in times.values()})
    spread = str(rounds[0]) if rounds[0] == rounds[-1] else f"{rounds[0]} to {rounds[-1]}"
    sessions = sorted(Counter(str(found.session) for found in times.values()).values(), reverse=True)
    took = "the models" if len(sessions) == 1 else f"the models of a session ({enumerate_words(sessions)}) "
    yield (
        f"Each time is a median over the {spread} round{'' if rounds[-1] == 1 else 's'} that count, in which "
        f"{took.strip()} took turns; its 95 % interval is in brackets, where there are rounds enough for one."
    )


def _networks(overview: Overview, accuracies: Sequence[Record], trained_on: str) -> str:
    """What networks the accuracies are of, and what their brackets hold."""
    if any(record.case.epochs for record in accuracies):
        place = f"on {markdown(trained_on)}" if trained_on else "on this machine"
        how = "fine-tuned" if any(record.case.weights for record in accuracies) else "trained from scratch"
        return (
            f"networks {how} {place}, {training_in_words(overview)}. It is the mean over the seeds, "
            "with Student's interval; that of one seed is Wilson's, of the test images only"
        )
    sources = {record.case.weights_path or record.case.weights for record in accuracies if record.case.weights}
    published = {source for source in sources if source.partition(":")[0] == "imagenet"}
    named = [*(["published weights"] if published else []), *map(markdown, sorted(sources - published))]
    pixels = enumerate_words(overview.trained_sizes)
    return f"weights: {enumerate_words(named)}, at {pixels} pixels, with Wilson's interval"


class Sweep(NamedTuple):
    """A table model x one condition, everything else as in the comparison.

    Args:
        heading, what: of the section, and what its figures are.
        metric: whose first column is shown.
        axis: the field of `Case` that varies.
        title: how a value of it heads its column.
        at_least: columns that make it worth showing.
    """

    heading: str
    what: str
    metric: str
    axis: str
    title: str
    at_least: int = 2


SWEEPS = (
    Sweep("Runtimes", "Median latency in ms", "latency", "runtime", "{}"),
    Sweep("Threads", "Median latency in ms", "latency", "num_threads", "{} threads"),
    Sweep("Throughput", "Images per second", "throughput", "batch_size", "batch {}", at_least=1),
)


def sweeps(overview: Overview) -> list[str]:
    """The sweeps the records hold."""
    return [_sweep(overview, sweep) for sweep in SWEEPS]


def _sweep(overview: Overview, sweep: Sweep) -> str:
    base, column = overview.condition, METRICS[sweep.metric].columns[0]
    fixed = [name for name in PACE if name != sweep.axis]
    found: dict[str, dict[Any, float]] = defaultdict(dict)
    for row in overview.rows:
        value = row.value(sweep.metric, column.measurement)
        size = overview.models[row.model].case.img_size if row.model in overview.models else 0
        if value is None or base is None or size not in (0, row.case.img_size):
            continue
        if all(getattr(row.case, name) == getattr(base, name) for name in fixed):
            found[row.model][getattr(row.case, sweep.axis)] = column.factor * value
    values = sorted({value for figures in found.values() for value in figures})

    def shown(value: object) -> TableColumn:
        title = markdown(sweep.title.format(value))
        return TableColumn(title, lambda model: found[model].get(value), better=column.better)

    models = [model for model in overview.table.index if model in found]
    return section(
        sweep.heading,
        f"{sweep.what}; the best of a row in **bold**.",
        table([_text("Model", str), *map(shown, values)], models if len(values) >= sweep.at_least else (), across=True),
    )


class Timed(NamedTuple):
    """What was timed of a model."""

    model: str
    record: Record
    found: Measurement


def _milliseconds(title: str, seconds: Callable[[Timed], object]) -> TableColumn:
    """Times, and in their place why there is none."""

    def cell(row: Timed) -> Cell:
        found = seconds(row)
        return 1e3 * found if isinstance(found, (int, float)) else markdown(str(found or ""))

    return TableColumn(title, cell)


def _detail(title: str) -> TableColumn:
    return _milliseconds(title, lambda row: row.found.details.get(f"{title.lower()}_s"))


def _outliers(row: Timed) -> int | None:
    counts = [row.found.details[name] for name in ("outliers_mild", "outliers_severe") if name in row.found.details]
    return sum(map(int, counts)) if counts else None


TIMING = (
    _text("Model", lambda row: row.model),
    _milliseconds("Median, ms", lambda row: row.found.value),
    *map(_detail, ("Min", "IQR", "p90", "p95", "p99")),
    _milliseconds("First call, ms", lambda row: row.record.value("first_call_s")),
    _milliseconds("Load, ms", lambda row: row.record.value("load_s")),
    TableColumn("Calls", lambda row: len(row.found.samples), digits=0),
    TableColumn("Rounds", lambda row: len(set(row.found.rounds)), digits=0),
    TableColumn("Outliers", _outliers, digits=0),
    _text("Ended by", lambda row: str(row.found.details.get("stop", ""))),
)


def timing(overview: Overview) -> str:
    """Everything that is known of each model's times, for those who want more than the median."""
    records = overview.records("latency")
    found = overview.measurements("latency", "latency_s")
    return folded(
        "Times in detail: spread, percentiles, first call, loading",
        table(TIMING, [Timed(model, records[model], measurement) for model, measurement in found.items()]),
        "Percentiles need enough calls (64, 130 and 662). Outliers lie beyond Tukey's fences; they are counted and "
        "kept.",
    )


MEMORY = {
    "weights_bytes": "Weights, MB",
    "activations_peak_bytes": "Live activations at most, MB",
    "peak_rss_bytes": "Resident peak above idle, MB",
}


def memory(overview: Overview) -> str:
    """The three numbers that are all called memory."""
    found = {model: record for model, record in overview.records("memory").items() if any(map(record.find, MEMORY))}

    def megabytes(name: str) -> Callable[[str], Cell]:
        return lambda model: None if (value := found[model].value(name)) is None else value * 1e-6

    columns = [TableColumn(title, megabytes(name)) for name, title in MEMORY.items()]
    return folded(
        "Memory: weights, activations, resident peak",
        table([_text("Model", str), *columns], found),
        "The first two are arithmetic, the third is measured in a fresh process; 1 MB is 10^6 bytes.",
    )


def layers(overview: Overview) -> str:
    """The rows of each network that take longest, beside their share of the multiply-adds."""
    lines = []
    for model, record in overview.records("layers").items():
        rows = [measurement for measurement in record.measurements if measurement.name.startswith("row:")]
        time, work = sum(row.value for row in rows), sum(map(_counted, rows))
        if time > 0 and work > 0:
            longest = [
                f"{row.name.removeprefix('row:')} {row.value / time:.0%} ({_counted(row) / work:.0%})"
                for row in sorted(rows, key=lambda row: -row.value)[:3]
            ]
            gap = record.value("rows_gap")
            lines.append([model, *longest, *[""] * (3 - len(longest)), "" if gap is None else f"{gap:+.1%}"])
    columns = [_text(title, itemgetter(place)) for place, title in enumerate(("Model", "Longest", "second", "third"))]
    return section(
        "Where the time goes",
        "The three rows of each network that take longest: share of the time, in parentheses share of the "
        "multiply-adds. The last column is what the rows leave unexplained of the whole.",
        table([*columns, TableColumn("gap", itemgetter(-1))], lines),
    )


def _counted(row: Measurement) -> float:
    return float(row.details.get("mult_adds", 0))
