"""A model opened: its paper's table row by row, curves, deviations, weights, and the commands that use it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.records.record import Record
from benchmarks.report.html.figures import Figure, Line
from benchmarks.report.html.markup import anchor, element, escaped, items, table
from benchmarks.report.joining import model_spec
from benchmarks.report.overview import Overview
from benchmarks.report.printed import printed_for
from benchmarks.report.words import number
from zoo.spec import ModelSpec

__all__ = ["model_details"]

MOST_CURVE = 60  # points of a curve; longer ones are thinned
WIDTH, HEIGHT = 320, 120  # of a curve, in pixels
STATIC = "row:"


def model_details(overview: Overview, model: str, lines: Sequence[Line], figures: Sequence[Figure]) -> str:
    """Closed until opened, found by the browser's search all the same.

    Args:
        lines: the ways this model was run.
    """
    entry = model_spec(model)
    parts = [
        *_about(model, entry),
        _figures(lines, figures),
        *_rows(overview, model),
        *_curve(overview, model),
        *_reasons(lines),
        *(_of_the_paper(entry, model) if entry else ()),
        _commands(model, entry),
    ]
    return element("details", element("summary", escaped(model)), *parts, id=anchor(model), class_="model")


def _about(model: str, entry: ModelSpec | None) -> Iterator[str]:
    if entry is None:
        yield element("p", "A model that this version does not know.")
        return
    paper = entry.paper
    link = element("a", escaped(paper.title), href=paper.url if paper.url.startswith("http") else None)
    yield element("p", f"{escaped(entry.title)}: {link}, {escaped(paper.authors)}, {paper.year}.")


def _figures(lines: Sequence[Line], figures: Sequence[Figure]) -> str:
    """One row a way."""
    shown = [figure for figure in figures if any(figure.texts[line.place] for line in lines)]
    rows = [
        [escaped(way_name(line)), *(escaped(figure.texts[line.place]) or "&ndash;" for figure in shown)]
        for line in lines
    ]
    return table(["Way", *(escaped(figure.title) for figure in shown)], rows)


def way_name(line: Line) -> str:
    """How a model was run: "eager, fp32, 2 threads, cpu, 224 px"."""
    case = line.row.case
    if not case.runtime:
        return "not timed"
    threads = f"{case.num_threads} thread{'' if case.num_threads == 1 else 's'}" if case.num_threads else ""
    batch = f"batch {case.batch_size}" if case.batch_size > 1 else ""
    return ", ".join(filter(None, [case.runtime, case.precision, threads, case.device, batch]))


def _rows(overview: Overview, model: str) -> Iterator[str]:
    """The paper's table as counted and timed here."""
    record = overview.models[model].records.get("layers")
    rows = [each for each in record.measurements if each.name.startswith(STATIC)] if record else []
    if not rows:
        return
    rows.sort(key=lambda row: int(row.details.get("place", 0)))
    totals = {
        "params": sum(int(row.details.get("params", 0)) for row in rows),
        "mult_adds": sum(int(row.details.get("mult_adds", 0)) for row in rows),
        "time": sum(row.value for row in rows),
    }

    def share(value: float, total: float) -> str:
        percent = 100 * value / total if total else 0.0
        bar = f'<span class="bar" style="width:{percent * 0.5:.1f}px"></span>'
        return f"{bar}{number(percent, -1)}"

    told = [
        [
            escaped(row.name.removeprefix(STATIC)),
            escaped("x".join(map(str, row.details.get("output", ())))),
            f"{int(row.details.get('params', 0)):,}",
            share(int(row.details.get("params", 0)), totals["params"]),
            number(int(row.details.get("mult_adds", 0)) / 1e6),
            share(int(row.details.get("mult_adds", 0)), totals["mult_adds"]),
            number(1e3 * row.value),
            share(row.value, totals["time"]),
        ]
        for row in rows
    ]
    head = ["Row", "Output", "Parameters", "% of them", "Multiply-adds, M", "% of them", "Time, ms", "% of it"]
    yield element("h4", "The paper&rsquo;s table, row by row")
    yield table(head, told)


def _curve(overview: Overview, model: str) -> Iterator[str]:
    record = overview.models[model].records.get("accuracy")
    top1 = record.find("top1") if record else None
    points = [
        (float(each["epoch"]), 100 * float(each["top1"]))
        for each in (top1.details.get("curve", ()) if top1 else ())
        if isinstance(each, Mapping) and {"epoch", "top1"} <= each.keys()
    ]
    if len(points) < 2:
        return
    points = points[:: max(1, -(-len(points) // MOST_CURVE))]
    yield element("h4", "How it learned")
    yield _drawn(points)
    yield element("p", "Top-1 on the test images after each epoch: " + ", ".join(
        f"{number(epoch, 0)}: {number(value, -1)} %" for epoch, value in points) + ".")  # fmt: skip


def _drawn(points: Sequence[tuple[float, float]]) -> str:
    across, up = zip(*points, strict=True)
    span, rise = max(across) - min(across) or 1, max(up) - min(up) or 1
    places = " ".join(
        f"{10 + (WIDTH - 20) * (x - min(across)) / span:.1f},{HEIGHT - 10 - (HEIGHT - 20) * (y - min(up)) / rise:.1f}"
        for x, y in points
    )
    line = f'<polyline points="{places}" fill="none" stroke="currentColor" stroke-width="2"/>'
    label = f"from {number(up[0], -1)} to {number(up[-1], -1)} %"
    return element("svg", line, viewBox=f"0 0 {WIDTH} {HEIGHT}", class_="curve", role="img", aria_label=label)


def _reasons(lines: Sequence[Line]) -> Iterator[str]:
    """What failed and what the measurements had to say."""
    records: dict[int, Record] = {id(each): each for line in lines for each in line.row.records.values()}
    told = {
        f"{record.case.metric}: {text}": None
        for record in records.values()
        for text in [*([f"{record.status}: {record.reason}"] if record.status != "ok" else []), *record.notes]
    }
    if told:
        yield element("h4", "What the measurements had to say") + items(map(escaped, told))


def _of_the_paper(entry: ModelSpec, model: str) -> Iterator[str]:
    printed = [
        f"{escaped(reference.source)}: {escaped(', '.join(_printed(reference)))}"
        for reference in printed_for(entry)
        if _printed(reference)
    ]
    if printed:
        yield element("h4", "What others printed") + items(printed)
    if entry.deviations:
        yield element("h4", "Where paper and implementation part") + items(map(escaped, entry.deviations))
    weights = [each for each in entry.weights if each.options == entry.options]
    if weights:
        yield element("h4", "Trained weights") + items(
            f"<code>imagenet:{escaped(each.tag)}</code>: "
            + escaped("; ".join(filter(None, [
                each.file_name, f"{each.size_mb:g} MB" if each.size_mb else "", each.licence, each.recipe])))
            for each in weights
        )  # fmt: skip


def _printed(reference: Any) -> list[str]:
    facts = [
        f"{reference.params / 1e6:.10g} M parameters" if reference.params else "",
        f"{reference.mult_adds / 1e6:.10g} M multiply-adds" if reference.mult_adds else "",
        f"top-1 {100 * reference.top1:.10g} %" if reference.top1 else "",
    ]
    return [fact for fact in facts if fact]


def _commands(model: str, entry: ModelSpec | None) -> str:
    name, text = shlex.quote(model), repr(model)
    lines = [
        f"model = zoo.create({text}{', weights=' + repr('imagenet') if entry and entry.weights else ''})",
        f'zoo.export(model, "{anchor(model) if entry is None else entry.name}.onnx")',
        f"python -m zoo train --model {name} --data photos/",
        f"python -m benchmarks.run --models {name}",
    ]
    return element("h4", "Use it") + element("pre", "\n".join(map(escaped, lines)), tabindex=0)
