"""The page people read: sections of Markdown computed from the records, and the files they are written to."""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path

import matplotlib

from benchmarks.records.files import replace_file
from benchmarks.records.naming import names_of
from benchmarks.records.record import Case, Environment, Record
from benchmarks.records.standing import counting
from benchmarks.report import figures, labels, measured, notes
from benchmarks.report.answers import answers
from benchmarks.report.frame import comparison, ordered
from benchmarks.report.joining import by_machine
from benchmarks.report.overview import Overview, survey
from benchmarks.report.pictures import PICTURES, Picture
from benchmarks.report.words import count_of, enumerate_words, markdown

__all__ = ["write_report"]

MOST_REASONS = 40  # on the page; results.csv has them all


def write_report(
    records: Iterable[Record],
    environment: Environment | None,
    output_dir: str | Path,
    *,
    open_cases: Sequence[Case] = (),
    sort_key: str = "family",
    asked: Container[str] = (),
    command: str = "",
    trained_on: str = "",
) -> Path:
    """Writes `README.md`, `results.csv` and `figures/` into a folder, each file whole or not at all.

    Args:
        records: of a run, in any order; of a case that occurs twice the later record counts. Where all accuracies
            are another machine's, `trained_on` says which; else records of other machines get tables of their own.
        environment: the machine this page is about.
        output_dir: made if absent. Other pages (`*.md`, `studies/*.md`) in it are linked.
        open_cases: planned and not finished; the page names them.
        sort_key: "family" or a column of `results.csv`.
        asked: variants that belong in the comparison however little is known of them.
        command: as typed; empty for the environment's.
        trained_on: the machine that the accuracies come from, in words; empty for this one.

    Returns:
        The path of the page.

    Raises:
        ValueError: no such sort key.
        OSError: the disk is full or the folder read-only; earlier files are untouched.
    """
    folder = Path(output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    records = counting(records)
    borrowed = [record for record in records if trained_on and record.case.metric == "accuracy"]
    machines = by_machine(record for record in records if not trained_on or record.case.metric != "accuracy")
    own = environment.machine_id if environment else next(iter(machines), "")
    mine = machines.pop(own, []) + borrowed
    overview = survey(mine, environment, open_cases=open_cases, sort_key=sort_key, asked=asked)
    pictures = [picture for make in PICTURES.values() if (picture := make(overview))]
    _write_pictures(pictures, folder / "figures")
    command = command or (environment.command if environment else "")
    page = _page(overview, pictures, machines, folder, command, trained_on)
    replace_file(folder / "README.md", page)
    replace_file(folder / "results.csv", ordered(overview.frame, sort_key).to_csv(index=False))
    for machine, others in machines.items():
        replace_file(
            folder / f"results-{_slug(machine)}.csv", comparison(others, sort_key=sort_key).to_csv(index=False)
        )
    return folder / "README.md"


def _write_pictures(pictures: Sequence[Picture], folder: Path) -> None:
    """Draws what is not there yet or shows other data; removes pictures of this report that have no data any more."""
    folder.mkdir(parents=True, exist_ok=True)
    code = b"".join(Path(module.__file__ or "").read_bytes() for module in (figures, labels))
    for picture in pictures:
        content = json.dumps([picture.name, picture.data, matplotlib.__version__], sort_keys=True).encode()
        mark = hashlib.sha256(code + content).hexdigest()[:24]
        svg, png = folder / f"{picture.name}.svg", folder / f"{picture.name}.png"
        if png.exists() and svg.exists() and mark.encode() in svg.read_bytes()[:4096]:
            continue
        vector, pixels = figures.render(picture.draw, picture.data, mark)
        replace_file(png, pixels)
        replace_file(svg, vector)
    for name in PICTURES.keys() - {picture.name for picture in pictures}:
        for ending in ("svg", "png"):
            (folder / f"{name}.{ending}").unlink(missing_ok=True)


def _page(
    overview: Overview,
    pictures: Sequence[Picture],
    others: Mapping[str, Sequence[Record]],
    folder: Path,
    command: str,
    trained_on: str,
) -> str:
    sections = [
        _head(overview, others, trained_on),
        _answer(overview),
        _unfinished(overview),
        measured.comparison_table(overview),
        _did_not_work(overview),
        *(_picture(picture) for picture in pictures),
        _more_pages(folder),
        *measured.sweeps(overview),
        measured.layers(overview),
        measured.timing(overview),
        measured.memory(overview),
        notes.deviations(overview),
        notes.how_to_read(overview),
        notes.recipe(overview),
        notes.sources(overview),
        *(_other_machine(machine, records) for machine, records in others.items()),
        notes.colophon(overview, command),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _head(overview: Overview, others: Mapping[str, Sequence[Record]], trained_on: str) -> str:
    machine = dict(overview.environment.machine) if overview.environment else {}
    place = markdown(str(machine.get("cpu") or "this machine"))
    cores = machine.get("effective_cpus") or machine.get("cores")
    lines = [f"# Which network? {count_of(len(overview.table), 'model')} compared on {place}"]
    facts = [f"{cores} processors" if cores else "", f"{machine['memory_gb']} GB" if machine.get("memory_gb") else ""]
    started = sorted(record.started[:10] for row in overview.rows for record in row.records.values() if record.started)
    if started:
        facts.append(started[0] if started[0] == started[-1] else f"{started[0]} to {started[-1]}")
    lines.append(f"*{markdown(', '.join([*filter(None, facts), 'written by the harness from its records']))}*")
    if trained_on:
        lines.append(
            f"Times and memory are this machine's. All accuracies were trained on another one, {markdown(trained_on)}, "
            "with the same code: a training there and one here differ by rounding, as two seeds do."
        )
    if others:
        lines.append(
            f"This folder holds results of {len(others) + 1} machines. They share no column: this page is about the "
            "one above, the others have tables of their own at its end."
        )
    return "\n\n".join(lines)


def _answer(overview: Overview) -> str:
    sentences = answers(overview)
    if not sentences:
        return "Nothing has been measured yet."
    return "\n".join(f"- {sentence}" for sentence in sentences)


def _unfinished(overview: Overview) -> str:
    if not overview.open_cases:
        return ""
    by_metric: dict[str, list[str]] = defaultdict(list)
    for case, name in names_of(overview.open_cases).items():
        by_metric[case.metric].append(name.removeprefix(f"{case.metric} "))
    parts = [
        f"{markdown(metric)} of {enumerate_words(list(dict.fromkeys(names)), most=8, write=markdown)}"
        for metric, names in by_metric.items()
    ]
    return (
        f"> **Still open:** {count_of(len(overview.open_cases), 'case')} of this run: {'; '.join(parts)}. "
        "The same command goes on from here."
    )


def _more_pages(folder: Path) -> str:
    """The other pages of this folder, each with its own first line."""
    pages = [path for path in sorted(folder.glob("*.md")) if path.name != "README.md"]
    pages += sorted((folder / "studies").glob("*.md"))
    lines = []
    for path in pages:
        title, answer = _first_lines(path)
        if title:
            lines.append(f"- [{title}]({path.relative_to(folder).as_posix()}){': ' + answer if answer else ''}")
    return "## More pages\n\n" + "\n".join(lines) if lines else ""


def _first_lines(path: Path) -> tuple[str, str]:
    """Title and first sentence of a page; empty if it is absent."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "", ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    title = lines.pop(0).lstrip("# ") if lines and lines[0].startswith("#") else path.stem.replace("_", " ")
    answer = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", lines[0]) if lines else ""
    return markdown(title, 120), markdown(answer.replace("**", "").lstrip("->* "), 600)


def _did_not_work(overview: Overview) -> str:
    """Every record that is not ok, with its reason; equal reasons are told once."""
    reasons: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    records = {record.case: record for row in overview.rows for record in row.records.values()}
    for case, name in names_of(records).items():
        if records[case].status != "ok":
            reasons[records[case].status, case.metric, records[case].reason].append(
                name.removeprefix(f"{case.metric} ")
            )
    lines = [
        f"- {enumerate_words(list(dict.fromkeys(names)), most=8, write=markdown)}: {markdown(metric)} "
        f"**{markdown(status)}**{': ' + markdown(reason) if reason else ''}"
        for (status, metric, reason), names in sorted(reasons.items())[:MOST_REASONS]
    ]
    if len(reasons) > MOST_REASONS:
        lines.append(f"- {count_of(len(reasons) - MOST_REASONS, 'further reason')} in [results.csv](results.csv)")
    return "## What was skipped or failed\n\n" + "\n".join(lines) if lines else ""


def _picture(picture: Picture) -> str:
    alt = markdown(picture.alt, 400)
    return (
        f"## {picture.heading}\n\n![{alt}](figures/{picture.name}.svg)\n\n{markdown(picture.caption, 1000)} "
        f"([PNG](figures/{picture.name}.png))"
    )


def _other_machine(machine: str, records: Sequence[Record]) -> str:
    """The comparison of another machine, by itself."""
    overview = survey(records, None)
    body = measured.comparison_table(overview).replace("## The comparison\n\n", "", 1)
    name = markdown(machine) or "without a name"
    return f"## Machine {name}\n\n" + body.replace("(results.csv)", f"(results-{_slug(machine)}.csv)")


def _slug(machine: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", machine)[:40] or "unnamed"
