"""What people read first: one screen with the answers, one table and two pictures; everything else is linked."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from benchmarks.report.answers import answers, doubts, most_accurate
from benchmarks.report.choosing import Budget, Candidate, choose
from benchmarks.report.drawing import Drawing
from benchmarks.report.findings import Estimate, best
from benchmarks.report.measured import protocols
from benchmarks.report.overview import Overview
from benchmarks.report.page import image, listed, section
from benchmarks.report.shown import VALIDATION_IMAGES, candidates, fastest_runtime, published, ways
from benchmarks.report.table import Cell, TableColumn, table, text_column
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

__all__ = ["BUDGETS", "first_page", "grouped", "links", "needs"]

MOST_ROWS = 30  # of the table here; details.md and index.html have more
BUDGETS = (  # what people ask for: an interactive page, a batch job, a small file
    ("20 ms", Budget(max_latency_ms=20)),
    ("60 ms", Budget(max_latency_ms=60)),
    ("a file of 30 MB", Budget(max_size_mb=30)),
)
FIRST = ("published_latency", "small_data")  # the pictures here, by name


def first_page(
    overview: Overview,
    head: str,
    pictures: Mapping[str, Drawing],
    links: Sequence[str],
    images: Sequence[str],
    *more: str,
) -> list[str]:
    """The sections of `README.md`.

    Args:
        head: title, machine and whose accuracies these are.
        pictures: those that were drawn, by name.
        links: lines of Markdown about what lies beside the page.
        images: sections on somebody's own images; then published accuracies are beside the point.
        more: what else comes between the head and the answers.
    """
    doubt = next(doubts(overview), "")
    told = listed(
        _fastest(overview) if images else needs(overview) or [each for each in answers(overview) if each != doubt][:3]
    )
    return [
        f"> {doubt}" if doubt else "",
        head,
        *images,
        *more,
        told or ("" if images else "Nothing has been measured yet."),
        _table(overview, own=bool(images)),
        *(section(pictures[name].heading, "", image(pictures[name])) for name in FIRST if name in pictures),
        section("Go on", "", listed(links)),
    ]


def needs(overview: Overview) -> list[str]:
    """Which one to take, in the reader's terms: three sentences, those that the records can answer."""
    given = any(record.case.weights and not record.case.epochs for record in overview.records("accuracy").values())
    accurate = most_accurate(overview, overview.estimates("accuracy", "top1")) if given else _most_accurate(overview)
    return [*accurate, *_fastest(overview), *_under_budgets(overview)]


def _most_accurate(overview: Overview) -> Iterator[str]:
    known = published(overview)
    if len(known) < 2:
        return
    first, ties = best(list(known.values()), more=True)
    ways_taken = overview.table["published_protocol"].nunique()
    yield (
        f"**Most accurate, as published for ImageNet:** {_bold(first.model)} with {_percent(first)}{_but(ties)}. On "
        f"{VALIDATION_IMAGES:,} images a figure is known to {number(50 * (first.high - first.low), -1)} points"
        + (f"; these were taken in {ways_taken} ways, marked in the table" if ways_taken > 1 else "")
        + "."
    )


def _fastest(overview: Overview) -> Iterator[str]:
    runtime, times = fastest_runtime(overview)
    if not times or overview.condition is None:
        return
    first, ties = best(times, more=False)
    several = len({name for name, _ in overview.timed()})
    of_runtimes = f", the fastest of {several} runtimes" if several > 1 else ""
    yield (
        f"**Fastest here, with {markdown(runtime)}{of_runtimes}:** {_bold(first.model)} with {_milliseconds(first)}"
        f"{_but(ties)} ({markdown(condition_in_words(overview.condition, runtime=False))})."
    )


def _under_budgets(overview: Overview) -> Iterator[str]:
    """The most accurate that surely keeps each budget, by the one rule of choosing."""
    rows = candidates(overview, ways(overview))
    told, chosen = [], []
    for words, budget in BUDGETS:
        found = choose([each for each in rows if each.top1], budget)
        if found.answers:
            first = found.answers[0]
            chosen.append(first)
            ties = list(dict.fromkeys(each.model for each in found.ties if each.model != first.model))
            equal = f", as good as {enumerate_words(ties, most=3, write=markdown)}" if ties else ""
            told.append(f"within {words} {_bold(first.model)} ({_candidate(first)}{equal})")
    printed = published(overview)
    others = any(
        each.top1_source == "published" and each.weights and each.model in printed and each.top1
        and not math.isclose(each.top1.value, 100 * printed[each.model].value)
        for each in chosen
    )  # fmt: skip
    if told:
        yield (
            f"**Most accurate that surely keeps a budget:** {'; '.join(told)}"
            + (". Accuracies here are those of the weights that can be had, where the table has the paper's" if others
               else "")
            + "."
        )  # fmt: skip


def _candidate(found: Candidate) -> str:
    facts = [f"{number(found.top1.value, -1)} %" if found.top1 else ""]
    if found.latency_ms:
        facts.append(f"{number(found.latency_ms.value)} ms with {markdown(found.runtime)}")
    if found.size_mb:
        facts.append(f"{number(found.size_mb.value)} MB")
    return ", ".join(filter(None, facts))


def _table(overview: Overview, *, own: bool) -> str:
    """Eight columns, those without a figure left out; of somebody's own images accuracies have a table before."""
    models = list(overview.table.index)
    rest = len(models) - MOST_ROWS
    more = f"{count_of(rest, 'further model')}: [details.md](details.md)." if rest > 0 else ""
    named = [*_columns(overview), *(() if own else [_accuracy(overview)])]
    columns = [column for column in named if any(column.cell(model) not in (None, "") for model in models)]
    caption = _caption(overview, own=own)
    return section("The models", "", table(columns, models[:MOST_ROWS]), more, caption) if models else ""


def _columns(overview: Overview) -> Iterator[TableColumn]:
    found: dict[str, tuple[str, Estimate]] = {}
    for runtime, time in overview.timed():
        if time.model not in found or time.value < found[time.model][1].value:
            found[time.model] = runtime, time
    marks = protocols(overview)

    def milliseconds(model: str) -> Cell:
        if model not in found:
            return None
        time = found[model][1]
        return time.scaled(1e3) if time.bounded else 1e3 * time.value

    def printed(model: str) -> Cell:
        top1 = overview.figure(model, "published_top1")
        mark = marks.get(str(overview.cells[model]["published_protocol"]), "")
        return None if top1 is None else f"{number(top1, -1)} {mark}".strip()

    def millions(model: str) -> Cell:
        count = overview.figure(model, "param_count")
        return None if count is None else count / 1e6

    yield text_column("Model", lambda model: markdown(model, 80))
    yield TableColumn("Input, px", lambda model: overview.figure(model, "img_size"), digits=0)
    yield TableColumn("Parameters, M", millions, -2, "low")
    yield TableColumn("Multiply-adds, G", lambda model: overview.figure(model, "gmacs"), better="low")
    yield TableColumn("Latency, ms [95 %]", milliseconds, bounds="[{}, {}]")
    yield text_column("with", lambda model: markdown(found[model][0]) if model in found else "")
    yield TableColumn("ImageNet top-1, % (published)", printed)


def _accuracy(overview: Overview) -> TableColumn:
    here = {each.model: each for each in overview.estimates("accuracy", "top1")}

    def top1(model: str) -> Cell:
        return here[model].scaled(100) if model in here else None

    title = markdown(dataset_title(overview))
    given = any(record.case.weights and not record.case.epochs for record in overview.records("accuracy").values())
    name = f"{title} top-1, %" if given else f"Small data ({title}), % [95 %]"
    return TableColumn(name, top1, -1, bounds="[{}, {}]")


def _caption(overview: Overview, *, own: bool) -> str:
    told = []
    if overview.condition:
        told.append(f"Latency: {markdown(condition_in_words(overview.condition, runtime=False))}, on each model's "
                    "fastest runtime.")  # fmt: skip
    if not own and any(record.case.epochs for record in overview.records("accuracy").values()):
        told.append(f"Small data: after {training_in_words(overview)}; how readily a network learns, not its accuracy.")
    if marks := protocols(overview):
        told.append(f"Published: {'; '.join(f'{mark} {markdown(way)}' for way, mark in marks.items())}.")
    return " ".join(told)


def links(pages: Sequence[str]) -> list[str]:
    """What lies beside the page.

    Args:
        pages: of studies and self-checks, as lines of Markdown with their links.
    """
    return [
        "[index.html](index.html): sort, filter, choose axes and budgets, open a model; works from disk",
        "[details.md](details.md): every table and picture, what failed, how to read the figures, recipe, machine",
        "[results.csv](results.csv): every figure under every condition",
        *pages,
    ]


def grouped(pages: Mapping[str, str]) -> list[str]:
    """Links to pages, those of one folder in one line.

    Args:
        pages: titles by path relative to the page, as Markdown.
    """
    kinds: dict[str, list[str]] = defaultdict(list)
    for path, title in pages.items():
        kinds["Studies" if path.startswith("studies/") else "Self-checks"].append(f"[{title}]({path})")
    return [f"{kind}: {' · '.join(found)}" for kind, found in kinds.items()]


def _but(ties: Sequence[Estimate]) -> str:
    if not ties:
        return ""
    names = enumerate_words(ties, most=4, write=lambda tie: _bold(tie.model))
    return f"; {names} cannot be told apart from it"


def _bold(model: str) -> str:
    return f"**{markdown(model)}**"


def _percent(share: Interval) -> str:
    value, low, high = (number(100 * end, -1) for end in (share.value, share.low, share.high))
    return f"{value} % ({low} to {high})"


def _milliseconds(time: Estimate) -> str:
    value, low, high = (number(1e3 * end) for end in (time.value, time.low, time.high))
    return f"{value} ms ({f'{low} to {high}' if time.bounded else 'too few rounds for an interval'})"
