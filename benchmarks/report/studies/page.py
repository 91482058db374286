"""The page of a study: records in, Markdown and pictures out. Never imports PyTorch."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Any

from benchmarks.records.files import replace_file
from benchmarks.records.record import Case, Environment, Measurement, Record
from benchmarks.report.bars import provenance
from benchmarks.report.joining import by_machine
from benchmarks.report.studies.views import data_of, published_top1
from benchmarks.report.words import condition_in_words, count_of, enumerate_words, machine_in_words, markdown, number
from benchmarks.stats.means import Mean
from benchmarks.studies.evidence import Evidence
from benchmarks.studies.study import Claim, Published, Study, Verdict
from zoo.training.recipes import Recipe

__all__ = ["answer", "begun", "verdicts", "write_page", "write_study"]

HOW_TO_READ = (
    "Right of zero the first is better. A bar is the 95 % interval of the mean, a small dot a seed; the mean is filled "
    "where the interval excludes zero."
)
STATUSES = ("supported", "contradicted", "too noisy", "open")


def write_page(
    study: Study,
    records: Iterable[Record],
    environment: Environment,
    folder: Path,
    machines: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
) -> Path:
    """Writes `studies/NAME.md` and its pictures under the report's folder; returns the page's path.

    Args:
        records: what the study does not ask for is passed over; trainings may be of several machines.
        environment: of the run that writes the page, on the machine that made the other records.
        folder: the report's folder.
        machines: `Environment.machine` of the others that trained, by `Environment.machine_id`.
    """
    records = list(records)
    evidence = Evidence(study.arms, records)
    page = folder / "studies" / f"{study.name}.md"
    pictures = _draw(study, evidence, page.parent / "figures")
    sections = [
        f"# {study.question}",
        answer(study, evidence),
        f"Source: {study.source}. Run it with `{command(study)}`.",
        *pictures[:1],
        _table(study, evidence),
        _claims(study, evidence),
        _figures(study, evidence),
        *pictures[1:],
        _conditions(study, evidence, records, environment, machines),
        provenance(environment.machine, environment.software, environment.command),
    ]
    page.parent.mkdir(parents=True, exist_ok=True)
    replace_file(page, "\n\n".join(filter(None, sections)) + "\n")
    return page


def write_study(
    study: Study,
    records: Sequence[Record],
    environment: Environment,
    folder: Path,
    machines: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
) -> None:
    """Writes the page of a study that these records have begun: see `write_page`."""
    if begun(study, Evidence(study.arms, records)):
        write_page(study, records, environment, folder, machines)


def command(study: Study) -> str:
    """What a person types to run the study; what is done already is not done again."""
    return f"python -m benchmarks.run --studies {study.name}"


def verdicts(study: Study, evidence: Evidence) -> list[tuple[Claim, Verdict]]:
    """Every claim with its verdict."""
    return [(claim, claim.judge(evidence)) for claim in study.claims]


def answer(study: Study, evidence: Evidence) -> str:
    """The first line: the verdicts that answer the question, once there are any, and what counting answers."""
    judged = verdicts(study, evidence)
    counts = Counter(verdict.status for _, verdict in judged)
    by_status = ", ".join(f"{counts[status]} {status}" for status in STATUSES if counts[status])
    tally = f"({count_of(len(judged), 'claim')}: {by_status}.)"
    lead = study.answer(evidence) or "Not counted yet."
    key = [(claim.short, verdict.status) for claim, verdict in judged if claim.short]
    words = "; ".join(f"{short}: {status}" for short, status in key)
    if any(status != "open" for _, status in key):
        return f"**{words[0].upper()}{words[1:]}.** {lead} {tally}"
    return f"**{lead}** {f'Not trained here yet: {_names(key)}. ' if key else ''}{tally}"


def _names(key: Iterable[tuple[str, str]]) -> str:
    return "; ".join(short for short, _ in key)


def begun(study: Study, evidence: Evidence) -> bool:
    """True once every variant is counted: then there is a page to write."""
    return all(evidence.rows(arm.model) is not None for arm in study.arms)


def _table(study: Study, evidence: Evidence) -> str:
    """The arms: counted, measured and published side by side."""
    header = ["variant", "model", "parameters, M", "multiply-adds, G"]
    header += (
        ["top-1 measured, % (95 %)"] if any(arm.trained for arm in study.arms) and "accuracy" in study.metrics else []
    )
    header += ["latency, ms (95 %)"] if "latency" in study.metrics else []
    header += ["top-1 printed, ImageNet, %"]
    notes: dict[str, int] = {}
    lines = []
    for arm in study.arms:
        params, mult_adds = evidence.params(arm.model), evidence.mult_adds(arm.model)
        line = [
            arm.title,
            f"`{arm.model}`",
            "open" if params is None else f"{params / 1e6:,.2f}",
            "open" if mult_adds is None else f"{mult_adds / 1e9:,.3f}",
        ]
        if "top-1 measured, % (95 %)" in header:
            line.append(_measured(evidence.accuracy(arm)) if arm.trained else "not trained")
        if "latency" in study.metrics:
            line.append(_milliseconds(evidence.latency(arm.model)))
        printed = published_top1(arm)
        if printed is None:
            line.append("")
        else:
            number = notes.setdefault(printed[1], len(notes) + 1)
            line.append(f"{100 * printed[0]:.1f} [{number}]")
        lines.append(line)
    sources = "\n".join(f"[{number}] {source}  " for source, number in notes.items())
    return "\n\n".join(filter(None, ["## The variants", _markdown(header, lines), sources]))


def _measured(mean: Mean | None) -> str:
    if mean is None:
        return "open"
    if mean.low is None or mean.high is None:
        return f"{100 * mean.value:.1f} (1 seed)"
    return f"{100 * mean.value:.1f} ({100 * mean.low:.1f} to {100 * mean.high:.1f}, {mean.count} seeds)"


def _milliseconds(latency: Measurement | None) -> str:
    if latency is None:
        return "open"
    bounds = (latency.value, latency.low, latency.high)
    value, low, high = (number(1e3 * (latency.value if bound is None else bound)) for bound in bounds)
    return f"{value} ({low} to {high})"


def _claims(study: Study, evidence: Evidence) -> str:
    judged = verdicts(study, evidence)
    lines = [[claim.text, claim.source, f"**{verdict.status}**", verdict.words] for claim, verdict in judged]
    text = ["## The claims", _markdown(["claim", "source", "verdict", "evidence"], lines)]
    if any(verdict.status == "open" for _, verdict in judged):
        text.append(f"Open claims are closed by `{command(study)}`, which goes on from the records there are.")
    if any(verdict.more_seeds for _, verdict in judged):
        following = evidence.next_seed(study.seeds)
        text.append(f"`{command(study)} --seed {following}` adds the seeds from {following} on.")
    if "latency" in study.metrics:
        text.append(
            "A claim about time is judged by the 95 % interval of a ratio: over the rounds two networks shared, else "
            "of their ratios to the model that runs in every round."
        )
    if "accuracy" in study.metrics:
        text.append(
            "A claim about accuracy is judged by the mean difference over seeds, paired by seed: it is supported or "
            "contradicted only if the 95 % interval (Student's t) clears the claim, and too noisy otherwise. Each "
            "verdict stands by itself; the intervals are not widened for the number of claims."
        )
    if any(record.case.seed > max(study.seeds) for record in evidence.training_records()):
        text.append(
            f"The study asks for {len(study.seeds)} seeds. Further ones were trained after those had been looked at, "
            "which makes an interval a little too narrow: lean less on one that clears its claim by a hair."
        )
    return "\n\n".join(text)


def _figures(study: Study, evidence: Evidence) -> str:
    if not study.published:
        return ""
    lines = [_figure_line(figure, evidence) for figure in study.published]
    table = _markdown(["quantity", "printed in", "printed", "counted", ""], lines)
    return f"## Printed figures, counted again\n\n{table}"


def _figure_line(figure: Published, evidence: Evidence) -> list[str]:
    counted = figure.counted(evidence)
    unit = {"": "", "%": " %", "MiB": " MiB"}.get(figure.unit, f" {figure.unit}")
    if counted is None:
        return [figure.what, figure.where, f"{figure.printed}{unit}", "open", ""]
    exact = f"{100 * counted:.2f} %" if figure.unit == "%" else f"{counted:,.2f}".removesuffix(".00")
    agreement = figure.agreement(counted)
    words = {"equal": "agrees", "cut": "agrees (digits cut, not rounded)", "differs": figure.slip or "differs"}[
        agreement
    ]
    note = f"slip: {words}" if agreement == "differs" and figure.slip else words
    return [figure.what, figure.where, f"{figure.printed}{unit}", exact, note]


def _draw(study: Study, evidence: Evidence, folder: Path) -> list[str]:
    """Draws what there are records for, unless it is there already; the Markdown of each picture."""
    blocks = []
    for picture in study.pictures:
        name = f"{study.name}_{picture.kind}"
        svg, png = folder / f"{name}.svg", folder / f"{name}.png"
        data = data_of(picture, evidence)
        if data is None:
            svg.unlink(missing_ok=True)
            png.unlink(missing_ok=True)
            continue
        mark = _mark(picture.kind, data)
        if not (png.exists() and svg.exists() and mark.encode() in svg.read_bytes()[:4096]):
            _render(picture.kind, data, mark, svg, png)
        caption = picture.caption + (f" {HOW_TO_READ}" if picture.kind == "differences" else "")
        blocks.append(f"![{picture.caption}](figures/{name}.svg)\n\n{caption}")
    return blocks


def _mark(kind: str, data: Mapping[str, Any]) -> str:
    """Changes with the data and with the code that draws them."""
    code = _drawing_code()
    return hashlib.sha256(code + json.dumps([kind, data], sort_keys=True).encode()).hexdigest()[:24]


@functools.cache
def _drawing_code() -> bytes:
    found = [
        importlib.util.find_spec(name) for name in ("benchmarks.report.studies.pictures", "benchmarks.report.figures")
    ]
    sources = [Path(spec.origin).read_bytes() for spec in found if spec is not None and spec.origin is not None]
    return b"".join([*sources, version("matplotlib").encode()])


def _render(kind: str, data: Mapping[str, Any], mark: str, svg: Path, png: Path) -> None:
    from benchmarks.report.figures import render
    from benchmarks.report.studies.pictures import DRAW

    vector, pixels = render(DRAW[kind], data, mark)
    svg.parent.mkdir(parents=True, exist_ok=True)
    replace_file(png, pixels)
    replace_file(svg, vector)


def _conditions(
    study: Study,
    evidence: Evidence,
    records: Sequence[Record],
    environment: Environment,
    machines: Mapping[str, Mapping[str, Any]],
) -> str:
    """How it was measured, what failed, and where it was trained, if not where the page was made."""
    lines = ["## How it was measured"]
    lines += [f"- {note}" for note in study.notes]
    lines.append("- Parameters and multiply-adds are counted on the network's shapes, at the size its paper counts at.")
    if "latency" in study.metrics and evidence.timed_case:
        condition = condition_in_words(evidence.timed_case)
        lines.append(f"- Times: {condition}, at each network's own size; median over rounds in which they took turns.")
    trainings = evidence.training_records()
    recipes = dict.fromkeys(_recipe(record) for record in trainings)
    lines += [f"- Trained: {recipe}" for recipe in recipes if recipe]
    sets = dict.fromkeys(
        f"{record.case.dataset}, {record.case.train_images:,} training images, {record.case.epochs} epochs"
        for record in trainings
    )
    lines += [f"- Data set: {line}." for line in sets]
    failed = [record for record in records if record.status not in ("ok", "skipped") and _belongs(study, record.case)]
    lines += [
        f"- {record.status}: {record.case.metric} of `{record.case.model}`, seed {record.case.seed}: {record.reason}"
        for record in failed
    ]
    for machine, group in by_machine(trainings).items():
        if machine != environment.machine_id:
            seeds = [str(seed) for seed in sorted({record.case.seed for record in group})]
            place = markdown(machine_in_words(machines.get(machine, {})))
            trained = f"{'Seeds' if len(seeds) > 1 else 'Seed'} {enumerate_words(seeds, most=len(seeds))}"
            lines.append(
                f"- {trained}: trained on another machine than the one below, {place}, with the same code, and each "
                "with all that it is compared with. What a training reaches depends on the machine only by rounding."
            )
    return "\n".join([lines[0], "", *lines[1:]])


def _recipe(record: Record) -> str:
    top1 = record.find("top1")
    return Recipe(**top1.details["recipe"]).text if top1 is not None and "recipe" in top1.details else ""


def _belongs(study: Study, case: Case) -> bool:
    return case.metric in ("rows", *study.metrics) and any(case.model == arm.model for arm in study.arms)


def _markdown(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rows = [header, ["---"] * len(header), *lines]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in rows
    )
