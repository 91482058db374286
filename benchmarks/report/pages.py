"""The page people read: sections of Markdown computed from the records, and the files they are written to."""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd

from benchmarks.files import replace_file
from benchmarks.records import Case, Environment, Measurement, Record
from benchmarks.report import figures, labels
from benchmarks.report.answers import answers, indistinguishable_neighbours
from benchmarks.report.overview import Overview, survey
from benchmarks.report.pictures import PICTURES, Picture
from benchmarks.report.tables import REFERENCE, by_machine, comparison, latest, model_spec, ordered
from benchmarks.report.words import (
    condition_in_words,
    count_of,
    dataset_title,
    enumerate_words,
    markdown,
    markdown_table,
    number,
    shorten,
)

__all__ = ["write_report"]

MOST_ROWS = 120  # of a table on the page; results.csv has them all
MOST_REASONS = 40
NONE = ""  # an absent figure is an empty cell
TIMES = "\N{MULTIPLICATION SIGN}"


def write_report(
    records: Iterable[Record],
    environment: Environment | None,
    output_dir: str | Path,
    *,
    open_cases: Sequence[Case] = (),
    sort_key: str = "family",
    command: str = "",
) -> Path:
    """Writes `README.md`, `results.csv` and `figures/` into a folder, each file whole or not at all.

    Args:
        records: of a run, in any order; of a case that occurs twice the later record counts.
        environment: the machine this page is about; records of other machines get tables of their own.
        output_dir: made if absent. `studies/*.md`, `measurement.md` and `speed.md` in it are linked.
        open_cases: planned and not finished; the page names them.
        sort_key: "family" or a column of `results.csv`.
        command: as typed; empty for the environment's.

    Returns:
        The path of the page.

    Raises:
        ValueError: no such sort key.
        OSError: the disk is full or the folder read-only; earlier files are untouched.
    """
    folder = Path(output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    machines = by_machine(latest(records))
    own = environment.machine_id if environment else next(iter(machines), "")
    mine = machines.pop(own, [])
    overview = survey(mine, environment, open_cases=open_cases, sort_key=sort_key)
    pictures = [picture for make in PICTURES.values() if (picture := make(overview))]
    _write_pictures(pictures, folder / "figures")
    page = _page(overview, pictures, machines, folder, command or (environment.command if environment else ""))
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
) -> str:
    sections = [
        _head(overview, others),
        _answer(overview),
        _unfinished(overview),
        _more_pages(folder),
        _comparison(overview),
        _did_not_work(overview),
        *(_picture(picture) for picture in pictures),
        _sweep(overview, "latency", "latency_s", "runtime", "Runtimes", "Median latency in ms", 1e3, more=False),
        _sweep(overview, "latency", "latency_s", "num_threads", "Threads", "Median latency in ms", 1e3, more=False),
        _sweep(
            overview, "throughput", "samples_per_sec", "batch_size", "Throughput", "Images per second", 1.0, more=True
        ),
        _layers(overview),
        _deviations(overview),
        _how_to_read(overview),
        _recipe(overview),
        _sources(overview),
        *(_other_machine(machine, records) for machine, records in others.items()),
        _colophon(overview, command),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _head(overview: Overview, others: Mapping[str, Sequence[Record]]) -> str:
    machine = dict(overview.environment.machine) if overview.environment else {}
    place = markdown(str(machine.get("cpu") or "this machine"))
    cores = machine.get("effective_cpus") or machine.get("cores")
    lines = [f"# Which network? {count_of(len(overview.table), 'model')} compared on {place}"]
    facts = [f"{cores} processors" if cores else "", f"{machine['memory_gb']} GB" if machine.get("memory_gb") else ""]
    started = sorted(record.started[:10] for row in overview.rows for record in row.records.values() if record.started)
    if started:
        facts.append(started[0] if started[0] == started[-1] else f"{started[0]} to {started[-1]}")
    lines.append(f"*{markdown(', '.join([*filter(None, facts), 'written by the harness from its records']))}*")
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
    for case in overview.open_cases:
        by_metric[case.metric].append(_case_name(case))
    parts = [
        f"{markdown(metric)} of {enumerate_words(list(dict.fromkeys(names)), most=8, write=markdown)}"
        for metric, names in by_metric.items()
    ]
    return (
        f"> **Still open:** {count_of(len(overview.open_cases), 'case')} of this run: {'; '.join(parts)}. "
        "The same command goes on from here."
    )


def _case_name(case: Case) -> str:
    extras = [case.runtime] if case.runtime != "eager" else []
    extras += [f"batch {case.batch_size}"] if case.batch_size > 1 else []
    return f"{case.model} ({', '.join(extras)})" if extras else case.model


def _more_pages(folder: Path) -> str:
    """The other pages of this folder, each with its own first line."""
    pages = [folder / name for name in ("measurement.md", "speed.md")]
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
    return markdown(title, 120), markdown(answer.replace("**", "").lstrip("->* "), 300)


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
    ("published", "published_params", _printed(_fixed(2, 1e-6), 1e-6), ""),
    ("Multiply-adds, G", "gmacs", _plain(3), "low"),
    ("published", "published_gmacs", _printed(_plain(3)), ""),
    ("ImageNet top-1, % (published)", "published_top1", _fixed(1), ""),
    ("{dataset} top-1, % [95 %]", "top1", _fixed(1), "high"),
    ("Latency, ms [95 %]", "latency_ms_p50", _plain(3), "low"),
    (f"Speed, {TIMES} {REFERENCE}", "rel_speed", _plain(2), "high"),
    ("GMAC/s", "gmacs_per_sec", _plain(3), "high"),
    ("Peak memory, MB", "peak_rss_mb", _plain(3), "low"),
)


def _comparison(overview: Overview) -> str:
    """The one table: published beside measured, the best of a column in bold."""
    table = overview.table
    if table.empty:
        return ""
    columns = [column for column in COMPARISON if table[column[1]].notna().any()]
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
        sizes = sorted({record.case.img_size for record in accuracies if record.case.img_size})
        pixels = f" at {enumerate_words([str(size) for size in sizes])} pixels" if sizes else ""
        sentences.append(f"Accuracy: {how}{pixels}, the share{counted} named rightly, with its Wilson interval.")
    sentences.append("Best of a column in **bold**. All columns and conditions: [results.csv](results.csv).")
    return " ".join(sentences)


def _did_not_work(overview: Overview) -> str:
    """Every record that is not ok, with its reason; equal reasons are told once."""
    reasons: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    seen = set()
    for row in overview.rows:
        for metric, record in row.records.items():
            if record.status != "ok" and record.case not in seen:
                seen.add(record.case)
                reasons[record.status, metric, record.reason].append(_case_name(record.case))
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


def _sweep(
    overview: Overview, metric: str, name: str, axis: str, heading: str, what: str, factor: float, *, more: bool
) -> str:
    """A table model x runtime, threads or batch size, everything else as in the comparison."""
    base = overview.condition
    cells: dict[str, dict[Any, float]] = defaultdict(dict)
    for row in overview.rows:
        measurement = row.find(metric, name)
        fixed = [part for part in ("runtime", "device", "batch_size", "precision", "num_threads") if part != axis]
        if measurement and base and all(getattr(row.condition, part) == getattr(base, part) for part in fixed):
            cells[row.model][getattr(row.condition, axis)] = measurement.value * factor
    values = sorted({value for found in cells.values() for value in found})
    if len(values) < (1 if more else 2):
        return ""
    rows = []
    for model in [model for model in overview.table.index if model in cells][:MOST_ROWS]:
        found = cells[model]
        best = max(found.values()) if more else min(found.values())
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
    titles = {"runtime": "{}", "num_threads": "{} threads", "batch_size": "batch {}"}
    header = ["Model", *(markdown(titles[axis].format(value)) for value in values)]
    return f"## {heading}\n\n{what}; the best of a row in **bold**.\n\n" + markdown_table(
        header, rows, "l" + "r" * len(values)
    )


def _layers(overview: Overview) -> str:
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


def _deviations(overview: Overview) -> str:
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


def _how_to_read(overview: Overview) -> str:
    lines = [
        "- **Multiply-adds** (GMAC) are those of convolutions and linear layers, as the papers count them. "
        "FLOPs = 2 x multiply-adds; a number that is called FLOPs elsewhere is often one of the two."
        + _other_counters(overview)
    ]
    neighbours = indistinguishable_neighbours(overview)
    if neighbours:
        pairs = [f"{markdown(one)} and {markdown(other)}" for one, other in neighbours[:MOST_REASONS]]
        lines.append(f"- **Neighbours in the latency ranking that cannot be told apart:** {'; '.join(pairs)}.")
    lines += _noise(overview)
    if overview.measurements("latency", "latency_s"):
        lines.append(
            "- **Intervals** of times are bootstrapped over rounds, since calls of one round share their noise; two "
            "models of one run are compared round by round. No sample is dropped."
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


def _recipe(overview: Overview) -> str:
    """How the networks were trained, in full, and on what."""
    texts: dict[str, list[str]] = defaultdict(list)
    full: dict[str, Mapping[str, Any]] = {}
    for model, measurement in overview.measurements("accuracy", "top1").items():
        text = str(measurement.details.get("recipe_text", ""))
        if text:
            texts[text].append(model)
            full[text] = measurement.details.get("recipe", {})
    if not texts:
        return ""
    cases = [record.case for record in overview.records("accuracy").values() if record.case.epochs]
    images = enumerate_words([f"{count:,}" for count in sorted({case.train_images for case in cases})])
    parts = [f"## The recipe\n\nTrained on {images} images of {markdown(dataset_title(overview))}."]
    for text, models in texts.items():
        who = "" if len(texts) == 1 else f"For {enumerate_words(models, most=8, write=markdown)}: "
        settings = ", ".join(f"{name} {value}" for name, value in full[text].items())
        parts.append(f"{who}{markdown(text, 2000)}" + (f"\n\n`{_code(settings)}`" if settings else ""))
    return "\n\n".join(parts)


def _sources(overview: Overview) -> str:
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


def _other_machine(machine: str, records: Sequence[Record]) -> str:
    """The comparison of another machine, by itself."""
    overview = survey(records, None)
    body = _comparison(overview).replace("## The comparison\n\n", "", 1)
    name = markdown(machine) or "without a name"
    return f"## Machine {name}\n\n" + body.replace("(results.csv)", f"(results-{_slug(machine)}.csv)")


def _colophon(overview: Overview, command: str) -> str:
    """Machine, versions, commit and command."""
    lines = []
    if overview.environment:
        for title, facts in (("Machine", overview.environment.machine), ("Software", overview.environment.software)):
            for name, value in facts.items():
                text = _fact(value)
                if text:
                    lines.append([title, markdown(str(name).replace("_", " ")), markdown(text, 600)])
                    title = NONE
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


def _slug(machine: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", machine)[:40] or "unnamed"
