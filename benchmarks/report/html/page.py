"""`index.html`: the records of a run as a table, a picture and rules to choose by, in one file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from benchmarks.records.manifest import write_own
from benchmarks.report import style
from benchmarks.report.answers import doubts
from benchmarks.report.html.choices import choices, fronts
from benchmarks.report.html.figures import Figure, Line, figures_of, lines_of
from benchmarks.report.html.markup import anchor, element, escaped, items, script_data, table
from benchmarks.report.html.models import model_details, way_name
from benchmarks.report.joining import SEVERITY
from benchmarks.report.overview import Overview
from benchmarks.report.shown import candidates
from benchmarks.report.words import count_of, machine_in_words
from benchmarks.stats.intervals import Interval

__all__ = ["MOST_LINES", "write_index"]

MOST_LINES = 2_000  # a browser sorts and filters no more at once; results.csv has them all
MOST_DETAILS = 400  # models that can be opened
SHAPES = {  # of the markers that `benchmarks.report.style` names, as paths around 0
    "o": "M-6,0a6,6 0 1,0 12,0a6,6 0 1,0 -12,0",
    "s": "M-5.5,-5.5h11v11h-11z",
    "^": "M0,-7L7,5.5H-7z",
    "v": "M0,7L7,-5.5H-7z",
    "D": "M0,-7.5L7.5,0L0,7.5L-7.5,0z",
    "p": "M0,-7L7,-1.5L4.5,6H-4.5L-7,-1.5z",
    "h": "M0,-7L6,-3.5V3.5L0,7L-6,3.5V-3.5z",
    "P": "M-2.5,-7h5v4.5h4.5v5h-4.5v4.5h-5v-4.5h-4.5v-5h4.5z",
    "X": "M-6,-6L-2,-6L0,-3L2,-6H6L3,0L6,6H2L0,3L-2,6H-6L-3,0z",
}
START = {"x": "latency_ms_p50", "y": "published_top1"}  # of the picture, where both are known
CLOSED = {"published_params", "published_gmacs", "rel_speed", "gmacs_per_sec", "weights_mb"}  # columns not shown first


def write_index(overview: Overview, folder: Path, studies: Sequence[tuple[str, str, str]]) -> Path:
    """Writes the page.

    Args:
        folder: of the run.
        studies: path relative to the folder, title and first sentence of the other pages, as plain text.

    Returns:
        its path.

    Raises:
        OSError: the disk is full or the folder read-only; the earlier page is untouched.
    """
    lines = lines_of(overview)
    rest = len(lines) - MOST_LINES
    lines = lines[:MOST_LINES]
    figures = figures_of(overview, lines)
    page = files(__package__).joinpath("page.html").read_text(encoding="utf-8")
    inside = {
        "STYLE": files(__package__).joinpath("page.css").read_text(encoding="utf-8"),
        "HEAD": _head(overview, rest),
        "TABLE": _table(overview, lines, figures),
        "KEY": _key(overview),
        "COLUMNS": "".join(
            element("label", f'<input type="checkbox" data-column="{figure.key}"> ', escaped(figure.title))
            for figure in figures
        ),
        "MEANING": items(f"<b>{escaped(figure.title)}</b>: {escaped(figure.how)}" for figure in figures),
        "MODELS": _models(overview, lines, figures),
        "STUDIES": _studies(folder, studies),
        "DATA": script_data("data", data_of(overview, lines, figures)),
        "SCRIPT": files(__package__).joinpath("page.js").read_text(encoding="utf-8"),
    }
    for name in inside:
        before, _, after = page.partition(f"<!--{name}-->")  # once each, so that no text from outside is a name
        page = before + "\0" + name + "\0" + after
    whole = "".join(inside.get(part, part) if place % 2 else part for place, part in enumerate(page.split("\0")))
    path = folder / "index.html"
    write_own(path, whole)
    return path


def data_of(overview: Overview, lines: Sequence[Line], figures: Sequence[Figure]) -> dict[str, Any]:
    """What the page's script knows; plain JSON without a number that is none."""
    groups: dict[str, list[int]] = {}
    for line in lines:
        groups.setdefault(way_name(line), []).append(line.place)
    models = list(dict.fromkeys(line.row.model for line in lines))
    families = {model: str(overview.table.at[model, "family"]) for model in models}
    looks = _looks(overview)
    return {
        "figures": [
            {"key": each.key, "title": each.title, "better": each.better, "way": each.by_way,
             "open": each.key not in CLOSED} for each in figures
        ],
        "models": [{"name": model, "family": families[model], "id": anchor(model)} for model in models],
        "ways": list(groups),
        "lines": [_line(line, models, list(groups), figures) for line in lines],
        "choice": choices(candidates(overview, [line.row for line in lines])),
        "fronts": _numbered(fronts(figures, lines, groups), models),
        "looks": {family: [color, SHAPES[mark]] for family, (color, mark, _) in looks.items()},
        "start": _start(figures, groups),
    }  # fmt: skip


def _looks(overview: Overview) -> dict[str, tuple[str, str, str]]:
    """Colour, marker and title of each family that is there; under no name those of all others."""
    present = set(overview.table["family"])
    looks = {family: looks for family, looks in style.FAMILIES.items() if family in present}
    return looks | ({} if present <= looks.keys() else {"": style.OTHER})


def _key(overview: Overview) -> str:
    """What the markers of the picture mean."""
    return "".join(
        element(
            "span",
            element("svg", element("path", d=SHAPES[mark], fill=color), viewBox="-8 -8 16 16", aria_hidden="true"),
            escaped(title),
        )
        for color, mark, title in _looks(overview).values()
    )


def _start(figures: Sequence[Figure], groups: Mapping[str, Sequence[int]]) -> dict[str, str]:
    """The axes that the picture has at first, in the way that tells most of them."""
    found = {}
    for (side, key), better in zip(START.items(), ("low", "high"), strict=True):
        known = {figure.key: figure for figure in figures}
        figure = known.get(key) or next((each for each in figures if each.better == better), None)
        if figure is not None:
            told = {name: len(figure.estimates.keys() & set(places)) for name, places in groups.items()}
            found[side] = f"{figure.key}@{max(told, key=lambda name: told[name])}" if figure.by_way else figure.key
    return found


def _line(line: Line, models: Sequence[str], ways: Sequence[str], figures: Sequence[Figure]) -> dict[str, Any]:
    case = line.row.case
    return {
        "m": models.index(line.row.model),
        "w": ways.index(way_name(line)),
        "by": {"runtime": case.runtime or "not timed", "precision": case.precision or "",
               "threads": str(case.num_threads or "")},
        "v": [_numbers(figure.values[line.place]) for figure in figures],
    }  # fmt: skip


def _numbers(value: float | Interval | None) -> list[float] | None:
    if value is None:
        return None
    if isinstance(value, Interval) and value.known:
        return [float(f"{each:.7g}") for each in (value.value, value.low, value.high)]
    return [float(f"{value.value if isinstance(value, Interval) else value:.7g}")]


def _numbered(found: Mapping[str, Sequence[Sequence[str]]], models: Sequence[str]) -> dict[str, list[list[int]]]:
    places = {model: place for place, model in enumerate(models)}
    return {name: [[places[model] for model in part] for part in parts] for name, parts in found.items()}


def _head(overview: Overview, rest: int) -> str:
    machine = dict(overview.environment.machine) if overview.environment else {}
    doubt = next(doubts(overview), "")
    told = [
        element("p", escaped(doubt.replace("**", "").replace("\\", "")), class_="doubt") if doubt else "",
        element("h1", f"{count_of(len(overview.table), 'model')} compared"),
        element("p", escaped(machine_in_words(machine)), class_="place"),
        element("p", f"{count_of(rest, 'further row')} in results.csv: this page shows {MOST_LINES:,}.")
        if rest > 0 else "",
        element("p", '<a href="README.md">README.md</a> · <a href="details.md">details.md</a> · '
                '<a href="results.csv">results.csv</a>'),
    ]  # fmt: skip
    return "".join(told)


def _table(overview: Overview, lines: Sequence[Line], figures: Sequence[Figure]) -> str:
    heads = [("model", "Model", ""), ("family", "Family", ""), ("runtime", "Runtime", ""),
             ("precision", "Precision", ""), ("threads", "Threads", ""), ("size", "Input, px", "")]  # fmt: skip
    heads += [(figure.key, figure.title, figure.how) for figure in figures]
    heads.append(("status", "Status", "what failed, and why"))
    top = "".join(
        element("th", escaped(title), scope="col", data_key=key, title=how or None) for key, title, how in heads
    )
    body = [_row(overview, line, figures) for line in lines]
    caption = element("caption", "Every model in every way it was run. &#9679; marks the best of a column and all that "
                      "cannot be told apart from it; brackets hold 95&nbsp;% intervals.")  # fmt: skip
    return element("table", caption, element("thead", element("tr", top)), element("tbody", *body), id="table")


def _row(overview: Overview, line: Line, figures: Sequence[Figure]) -> str:
    row, case = line.row, line.row.case
    link = element("a", escaped(row.model), href=f"#{anchor(row.model)}")
    words = [overview.table.at[row.model, "family"], case.runtime or "not timed", case.precision or "",
             case.num_threads or "", case.img_size or ""]  # fmt: skip
    cells = [element("th", link, scope="row"), *(element("td", escaped(word)) for word in words)]
    for figure in figures:
        best = line.place in figure.best
        mark = '<b title="best, or not to be told apart from it">&#9679;</b>' if best else ""
        cells.append(element("td", mark, escaped(figure.texts[line.place]), class_="n"))
    worst = max((record.status for record in row.records.values()), key=SEVERITY.index, default="ok")
    told = escaped(row.error, 300) if worst != "ok" else ""
    return element("tr", *cells, element("td", told))


def _models(overview: Overview, lines: Sequence[Line], figures: Sequence[Figure]) -> str:
    by_model: dict[str, list[Line]] = {}
    for line in lines:
        by_model.setdefault(line.row.model, []).append(line)
    told = [model_details(overview, model, own, figures) for model, own in list(by_model.items())[:MOST_DETAILS]]
    rest = len(by_model) - len(told)
    return "".join(told) + (element("p", f"{count_of(rest, 'further model')}: results.csv.") if rest > 0 else "")


def _studies(folder: Path, pages: Sequence[tuple[str, str, str]]) -> str:
    """The studies with their answers and pictures, then the other pages."""
    rows = []
    for path, title, answer in pages:
        pictures = sorted((folder / path).parent.glob(f"figures/{Path(path).stem}_*.svg"))
        links = " ".join(
            element("a", escaped(picture.stem.removeprefix(f"{Path(path).stem}_")),
                    href=picture.relative_to(folder).as_posix()) for picture in pictures
        )  # fmt: skip
        rows.append([element("a", escaped(title), href=path), escaped(answer, 900), links])
    return table(["Page", "Answer and verdicts", "Figures"], rows)
