"""The pages people read: sections of Markdown computed from the records, and the files they are written to."""

from __future__ import annotations

import html
import json
import re
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from pathlib import Path

from benchmarks.records.files import read_file
from benchmarks.records.manifest import write_own
from benchmarks.records.naming import names_of
from benchmarks.records.record import Case, Environment, Record
from benchmarks.records.standing import counting
from benchmarks.report import measured, notes
from benchmarks.report.answers import answers
from benchmarks.report.drawing import draw
from benchmarks.report.first import first_page, grouped, links
from benchmarks.report.frame import comparison, ordered, to_csv
from benchmarks.report.html import write_index
from benchmarks.report.joining import by_machine
from benchmarks.report.overview import Overview, survey
from benchmarks.report.own.page import images_section
from benchmarks.report.page import image, listed, section, write_page
from benchmarks.report.pictures import PICTURES
from benchmarks.report.words import count_of, enumerate_words, gathered, machine_in_words, markdown

__all__ = ["write_report"]

MOST_REASONS = 40  # on the page; results.csv has them all


def write_report(
    records: Iterable[Record],
    environment: Environment | None,
    output_dir: str | Path,
    *,
    open_cases: Sequence[Case] = (),
    sort_key: str = "family",
    metric: str = "top1",
    asked: Container[str] = (),
    command: str = "",
    trained_on: str = "",
) -> Path:
    """Writes `README.md`, `details.md`, `index.html`, `results.csv` and `figures/` into a folder.

    Each file is whole or as it was.

    Args:
        records: of a run, in any order; of a case that occurs twice the later record counts. Where all accuracies
            are another machine's, `trained_on` says which; else records of other machines get tables of their own.
        environment: the machine this page is about.
        output_dir: made if absent. Other pages (`*.md`, `studies/*.md`) in it are linked.
        open_cases: planned and not finished; the page names them.
        sort_key: "family" or a column of `results.csv`.
        metric: what the best network for somebody's own images is the best in: "top1" or "balanced".
        asked: variants that belong in the comparison however little is known of them.
        command: as typed; empty for the environment's.
        trained_on: the machine that the accuracies come from, in words; empty for this one.

    Returns:
        The path of the page that is read first.

    Raises:
        ValueError: no such sort key.
        OSError: the disk is full or the folder read-only; earlier files are untouched.
    """
    folder = Path(output_dir)
    records = counting(records)
    borrowed = [record for record in records if trained_on and record.case.metric == "accuracy"]
    machines = by_machine(record for record in records if not trained_on or record.case.metric != "accuracy")
    own = environment.machine_id if environment else next(iter(machines), "")
    mine = machines.pop(own, []) + borrowed
    overview = survey(mine, environment, open_cases=open_cases, sort_key=sort_key, asked=asked,
                      metric=metric)  # fmt: skip
    pictures = [picture for make in PICTURES.values() if (picture := make(overview))]
    drawn = draw(pictures, folder / "figures", PICTURES)
    images = images_section(overview, folder, {picture.name: picture for picture in drawn})
    named = {picture.name: picture for picture in drawn}
    told = _beside(folder, overview.environment)
    head, unfinished = _head(overview, machines, trained_on), _unfinished(overview)
    write_page(
        folder / "README.md",
        first_page(
            overview, head, named, links(grouped({path: title for path, title, _ in told})),
            images, unfinished, _how_many_did_not_work(overview),
        ),
    )  # fmt: skip
    sections = [
        head.replace("# Which network?", "# Details:", 1),
        "What matters most is in [README.md](README.md), and [index.html](index.html) sorts, filters and chooses.",
        listed(answers(overview, trained=not images)) or ("" if images else "Nothing has been measured yet."),
        unfinished,
        measured.comparison_table(overview, trained_on),
        _did_not_work(overview),
        _had_to_say(overview),
        *(section(picture.heading, "", image(picture)) for picture in drawn if picture.heading),
        _more_pages(told),
        *measured.sweeps(overview),
        measured.layers(overview),
        measured.timing(overview),
        measured.memory(overview),
        notes.deviations(overview),
        notes.how_to_read(overview),
        notes.recipe(overview),
        notes.sources(overview),
        *(_other_machine(machine, others) for machine, others in machines.items()),
        notes.colophon(overview, command or (environment.command if environment else "")),
    ]
    write_page(folder / "details.md", sections)
    write_index(overview, folder, [(path, html.unescape(title), html.unescape(text)) for path, title, text in told])
    write_own(folder / "results.csv", to_csv(ordered(overview.frame, sort_key)))
    for machine, others in machines.items():
        write_own(folder / _csv(machine), to_csv(comparison(others, sort_key=sort_key)))
    return folder / "README.md"


def _head(overview: Overview, others: Mapping[str, Sequence[Record]], trained_on: str) -> str:
    machine = dict(overview.environment.machine) if overview.environment else {}
    place = markdown(str(machine.get("cpu") or "this machine"))
    cores = machine.get("cpus") or machine.get("cores")
    lines = [f"# Which network? {count_of(len(overview.table), 'model')} compared on {place}"]
    facts = [count_of(cores, "processor") if isinstance(cores, int) else "",
             f"{machine['memory_gb']} GB" if machine.get("memory_gb") else ""]  # fmt: skip
    started = sorted(record.started[:10] for row in overview.rows for record in row.records.values() if record.started)
    if started:
        facts.append(started[0] if started[0] == started[-1] else f"{started[0]} to {started[-1]}")
    if timed := overview.measurements("latency", "latency_s"):
        noisy = any(found.details.get("noisy") for found in timed.values())
        facts.append("not quiet while times were taken" if noisy else "quiet while times were taken")
    lines.append(f"*{markdown(', '.join([*filter(None, facts), 'written by the harness from its records']))}*")
    if trained_on:
        lines.append(
            f"Times and memory are this machine's. All accuracies were trained on another one, {markdown(trained_on)}, "
            "with the same code. Rounding differs from machine to machine, and by the end of a training it has made "
            "another network of the same seed, as another seed does."
        )
    if others:
        lines.append(
            f"This folder holds results of {len(others) + 1} machines. They share no column: this page is about the "
            "one above, the others have tables of their own at its end."
        )
    return "\n\n".join(lines)


def _unfinished(overview: Overview) -> str:
    by_metric: dict[str, dict[str, None]] = defaultdict(dict)
    for case, name in names_of(overview.open_cases).items():
        by_metric[markdown(case.metric)][name.removeprefix(f"{case.metric} ")] = None
    parts = [f"{metric} of {enumerate_words([*names], most=8, write=markdown)}" for metric, names in by_metric.items()]
    opened = f"> **Still open:** {count_of(len(overview.open_cases), 'case')} of this run: {'; '.join(parts)}."
    return f"{opened} The same command goes on from here." if parts else ""


def _did_not_work(overview: Overview) -> str:
    """Every record that is not ok, with its reason; equal reasons are said once."""

    def outcome(record: Record) -> list[str]:
        status = f"**{markdown(record.status)}**{': ' + markdown(record.reason) if record.reason else ''}"
        return [] if record.status == "ok" else [f"{markdown(record.case.metric)} {status}"]

    return section("What was skipped or failed", "", _said(overview, outcome))


def _had_to_say(overview: Overview) -> str:
    """What whoever uses the figures must know, in the measurements' own sentences."""

    def said(record: Record) -> list[str]:
        shown = record.case.model in overview.table.index
        return [f"{markdown(record.case.metric)}: {markdown(note)}" for note in record.notes if shown]

    return section("What the measurements had to say", "", _said(overview, said))


def _said(overview: Overview, sentences: Callable[[Record], list[str]]) -> str:
    """What records have to say as a list; of equal sentences one, with all that it is about."""
    records = {record.case: record for row in overview.rows for record in row.records.values()}
    found = [(text, case) for case, record in records.items() for text in sentences(record)]
    names = names_of(records) if found else {}
    lines = gathered(sorted((text, names[case].removeprefix(f"{case.metric} ")) for text, case in found), most=8)
    rest = len(lines) - MOST_REASONS
    more = [f"{count_of(rest, 'further reason')} in [results.csv](results.csv)"] if rest > 0 else []
    return listed([*lines[:MOST_REASONS], *more])


def _how_many_did_not_work(overview: Overview) -> str:
    """One line on what the first page has no room for."""
    records = {record.case: record for row in overview.rows for record in row.records.values()}
    count = sum(record.status != "ok" for record in records.values())
    reasons = "[details.md](details.md) has the reason" + ("" if count == 1 else "s")
    return (
        f"> {count_of(count, 'case')} {'was' if count == 1 else 'were'} skipped or failed: {reasons}." if count else ""
    )


def _beside(folder: Path, environment: Environment | None) -> list[tuple[str, str, str]]:
    """The other pages of this folder: path, title, and in its own first line where it was made and what it says."""
    pages = [path for path in sorted(folder.glob("*.md")) if path.name not in ("README.md", "details.md")]
    found = []
    machines = sorted((folder / "machines").glob("*/README.md"))
    for path in (*pages, *sorted((folder / "studies").glob("*.md")), *machines):
        title, answer = _first_lines(path)
        if title:
            place = _elsewhere(path, environment)
            told = ". ".join(filter(None, [markdown(place), answer]))
            found.append((path.relative_to(folder).as_posix(), title, told))
    return found


def _more_pages(pages: Sequence[tuple[str, str, str]]) -> str:
    lines = [f"[{title}]({path}){': ' + told if told else ''}" for path, title, told in pages]
    return section("More pages", "", listed(lines))


def _elsewhere(path: Path, environment: Environment | None) -> str:
    """Which other machine the figures beside a page are from, or some of them; empty where all are from this one."""
    try:
        content = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        machines = [each["machine"] for each in (content, *content.get("others", ()))]
        others = [
            machine_in_words(machine)
            for machine in machines
            if environment and Environment(machine=machine, software={}).machine_id != environment.machine_id
        ]
        some = "in part " if len(others) < len(machines) else ""
        return f"{some}on {'another machine' if len(others) == 1 else 'other machines'}, {'; '.join(others)}" * bool(
            others
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return ""  # no figures beside it: a study, whose page is of the run that writes this one


def _first_lines(path: Path) -> tuple[str, str]:
    """Title and first sentence of a page, without their marks; empty if it is absent."""
    try:
        text = read_file(path).decode(errors="replace")
    except OSError:
        return "", ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    title = lines.pop(0).lstrip("# ") if lines and lines[0].startswith("#") else path.stem.replace("_", " ")
    return _plain(title, 120), _plain(lines[0].lstrip("->* ") if lines else "", 600)


def _plain(text: str, longest: int) -> str:
    """What Markdown shows, as plain text that is safe in another page."""
    shown = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text).replace("**", "").replace("`", "")
    return markdown(html.unescape(re.sub(r"\\([^\w\s])", r"\1", shown)), longest)


def _other_machine(machine: str, records: Sequence[Record]) -> str:
    """The comparison of another machine, by itself."""
    body = measured.comparison_table(survey(records, None)).partition("\n\n")[2]
    name = markdown(machine) or "without a name"
    return section(f"Machine {name}", "", body.replace("(results.csv)", f"({_csv(machine)})"))


def _csv(machine: str) -> str:
    return f"results-{re.sub(r'[^A-Za-z0-9]+', '-', machine)[:40] or 'unnamed'}.csv"
