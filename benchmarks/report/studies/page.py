"""The page of a study: records in, Markdown and pictures out. Never imports PyTorch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from benchmarks.records.record import Case, Environment, Record
from benchmarks.report import words
from benchmarks.report.drawing import Drawing, draw
from benchmarks.report.findings import estimate
from benchmarks.report.joining import by_machine
from benchmarks.report.page import image, listed, provenance, section, write_page
from benchmarks.report.studies.pictures import DRAW
from benchmarks.report.studies.views import data_of, published_top1
from benchmarks.report.table import Cell, TableColumn, table, text_column
from benchmarks.report.words import condition_in_words, count_of, enumerate_words, markdown, number
from benchmarks.studies.arm import Arm
from benchmarks.studies.evidence import Evidence
from benchmarks.studies.study import Claim, Published, Study, Verdict
from zoo.training.recipes import Recipe

__all__ = ["answer", "begun", "verdicts", "write_study"]

HOW_TO_READ = (
    "Right of zero the first is better. A bar is the 95 % interval of the mean, a small dot a seed; the mean is filled "
    "where the interval excludes zero."
)
STATUSES = ("supported", "contradicted", "too noisy", "open")
AGREEMENT = {"equal": "agrees", "cut": "agrees (digits cut, not rounded)"}


def write_study(
    study: Study,
    records: Iterable[Record],
    environment: Environment,
    folder: Path,
    machines: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
) -> Path | None:
    """Writes `studies/NAME.md` and its pictures under the report's folder, once every variant is counted.

    Args:
        records: what the study does not ask for is passed over; trainings may be of several machines.
        environment: of the run that writes the page, on the machine that made the other records.
        folder: the report's folder.
        machines: `Environment.machine` of the others that trained, by `Environment.machine_id`.

    Returns:
        The path of the page; None where there is none to write.
    """
    records = list(records)
    evidence = Evidence(study.arms, records)
    if not begun(study, evidence):
        return None
    page = folder / "studies" / f"{study.name}.md"
    pictures = [image(picture) for picture in draw(_drawings(study, evidence), page.parent / "figures", _names(study))]
    sections = [
        f"# {study.question}",
        answer(study, evidence),
        f"Source: {study.source}. Run it with `{command(study)}`.",
        *pictures[:1],
        _variants(study, evidence),
        _claims(study, evidence),
        _figures(study, evidence),
        *pictures[1:],
        section("How it was measured", "", listed(_conditions(study, evidence, records, environment, machines))),
        provenance(environment.machine, environment.software, environment.command),
    ]
    write_page(page, sections)
    return page


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
    lead = study.answer(evidence)
    key = [(claim.short, verdict.status) for claim, verdict in judged if claim.short]
    key_words = "; ".join(f"{short}: {status}" for short, status in key)
    if any(status != "open" for _, status in key):
        return " ".join(filter(None, [f"**{key_words[0].upper()}{key_words[1:]}.**", lead, tally]))
    missing = f"Not trained here yet: {'; '.join(short for short, _ in key)}." if key else ""
    return " ".join(filter(None, [f"**{lead}**" if lead else "", missing, tally]))


def begun(study: Study, evidence: Evidence) -> bool:
    """True once every variant is counted: then there is a page to write."""
    return all(evidence.rows(arm.model) is not None for arm in study.arms)


def _variants(study: Study, evidence: Evidence) -> str:
    """The arms: counted, measured and published side by side."""
    sources: dict[str, int] = {}

    def counted(count: Callable[[str], int | None], scale: float) -> Callable[[Arm], Cell]:
        return lambda arm: "open" if (found := count(arm.model)) is None else found / scale

    def latency(arm: Arm) -> Cell:
        found = evidence.latency(arm.model)
        return "open" if found is None else estimate(arm.model, found).scaled(1e3)

    def printed(arm: Arm) -> str:
        figure, source = published_top1(arm) or (None, "")
        return "" if figure is None else f"{100 * figure:.1f} [{sources.setdefault(source, len(sources) + 1)}]"

    trained = "accuracy" in study.metrics and any(arm.trained for arm in study.arms)
    columns = [
        text_column("variant", lambda arm: arm.title),
        text_column("model", lambda arm: f"`{arm.model}`"),
        TableColumn("parameters, M", counted(evidence.params, 1e6), -2),
        TableColumn("multiply-adds, G", counted(evidence.mult_adds, 1e9), -3),
        *([TableColumn("top-1 measured, % (95 %)", lambda arm: _accuracy(arm, evidence))] if trained else []),
        *([TableColumn("latency, ms (95 %)", latency)] if "latency" in study.metrics else []),
        TableColumn("top-1 printed, ImageNet, %", printed),
    ]
    body = table(columns, study.arms)
    return section("The variants", "", body, "\n".join(f"[{place}] {source}  " for source, place in sources.items()))


def _accuracy(arm: Arm, evidence: Evidence) -> str:
    if not arm.trained:
        return "not trained"
    mean = evidence.accuracy(arm)
    if mean is None:
        return "open"
    if mean.low is None or mean.high is None:
        return f"{100 * mean.value:.1f} (1 seed)"
    return f"{100 * mean.value:.1f} ({100 * mean.low:.1f} to {100 * mean.high:.1f}, {mean.count} seeds)"


def _claims(study: Study, evidence: Evidence) -> str:
    judged = verdicts(study, evidence)
    columns = [
        text_column("claim", lambda row: row[0].text),
        text_column("source", lambda row: row[0].source),
        text_column("verdict", lambda row: f"**{row[1].status}**"),
        text_column("evidence", lambda row: row[1].words),
    ]
    return section("The claims", "", table(columns, judged), *_how_judged(study, evidence, [row[1] for row in judged]))


def _how_judged(study: Study, evidence: Evidence, found: Sequence[Verdict]) -> Iterator[str]:
    if any(verdict.status == "open" for verdict in found):
        yield f"Open claims are closed by `{command(study)}`, which goes on from the records there are."
    if any(verdict.more_seeds for verdict in found):
        following = evidence.next_seed(study.seeds)
        yield f"`{command(study)} --seed {following}` adds the seeds from {following} on."
    if "latency" in study.metrics:
        latencies = (evidence.latency(arm.model) for arm in study.arms)
        names = sorted(
            {str(found.details["reference"]) for found in latencies if found and "reference" in found.details}
        )
        reference = f"{enumerate_words(names)}, which runs" if names else "the model that runs"
        yield (
            "A claim about time is judged by the 95 % interval of a ratio: over the rounds two networks shared, else "
            f"of their ratios to {reference} in every round."
        )
    if "accuracy" in study.metrics:
        yield (
            "A claim about accuracy is judged by the mean difference over seeds, paired by seed: it is supported or "
            "contradicted only if the 95 % interval (Student's t) clears the claim, and too noisy otherwise. Each "
            "verdict stands by itself; the intervals are not widened for the number of claims."
        )
    if any(record.case.seed > max(study.seeds) for record in evidence.training_records()):
        yield (
            f"The study asks for {len(study.seeds)} seeds. Further ones were trained after those had been looked at, "
            "which makes an interval a little too narrow: lean less on one that clears its claim by a hair."
        )


def _figures(study: Study, evidence: Evidence) -> str:
    columns = [
        text_column("quantity", lambda figure: figure.what),
        text_column("printed in", lambda figure: figure.where),
        TableColumn("printed", lambda figure: figure.text),
        TableColumn("counted", lambda figure: _counted(figure, figure.counted(evidence))),
        text_column("", lambda figure: _agreement(figure, figure.counted(evidence))),
    ]
    return section("Printed figures, counted again", "", table(columns, study.published))


def _counted(figure: Published, counted: float | None) -> str:
    if counted is None:
        return "open"
    return f"{100 * counted:.2f} %" if figure.unit == "%" else number(counted, -2).removesuffix(".00")


def _agreement(figure: Published, counted: float | None) -> str:
    if counted is None:
        return ""
    slip = f"slip: {figure.slip}" if figure.slip else "differs"
    return AGREEMENT.get(figure.agreement(counted), slip)


def _names(study: Study) -> list[str]:
    """File names of the study's pictures; from the second of a kind on with a number."""
    kinds = [picture.kind for picture in study.pictures]
    counts = [kinds[: place + 1].count(kind) for place, kind in enumerate(kinds)]
    return [f"{study.name}_{kind}{count if count > 1 else ''}" for kind, count in zip(kinds, counts, strict=True)]


def _drawings(study: Study, evidence: Evidence) -> Iterator[Drawing]:
    """The pictures there are records for."""
    for name, picture in zip(_names(study), study.pictures, strict=True):
        data = data_of(picture, evidence)
        if data is not None:
            caption = picture.caption + (f" {HOW_TO_READ}" if picture.kind == "differences" else "")
            yield Drawing(name=name, draw=DRAW[picture.kind], data=data, alt=picture.caption, caption=caption)


def _conditions(
    study: Study,
    evidence: Evidence,
    records: Sequence[Record],
    environment: Environment,
    machines: Mapping[str, Mapping[str, Any]],
) -> Iterator[str]:
    """How it was measured, what failed or had something to say, and where it was trained, if not on this machine."""
    yield from study.notes
    yield "Parameters and multiply-adds are counted on the network's shapes, at the size its paper counts at."
    if "latency" in study.metrics and evidence.timed_case:
        condition = condition_in_words(evidence.timed_case)
        yield f"Times: {condition}, at each network's own size; median over rounds in which they took turns."
    trainings = evidence.training_records()
    yield from dict.fromkeys(f"Trained: {recipe}" for record in trainings if (recipe := _recipe(record)))
    yield from dict.fromkeys(
        f"Data set: {case.dataset}, {case.train_images:,} training images, {count_of(case.epochs, 'epoch')}."
        for case in (record.case for record in trainings)
    )
    asked = [record for record in records if _belongs(study, record.case)]
    for record in asked:
        if record.status not in ("ok", "skipped"):
            case = record.case
            reason = markdown(record.reason)
            yield f"{record.status}: {case.metric} of `{case.model}`, seed {case.seed}: {reason}"
    yield from words.gathered(
        (f"{record.case.metric}: {markdown(note)}", record.case.model) for record in asked for note in record.notes
    )
    for machine, group in by_machine(trainings).items():
        if machine != environment.machine_id:
            seeds = [str(seed) for seed in sorted({record.case.seed for record in group})]
            place = markdown(words.machine_in_words(machines.get(machine, {})))
            yield (
                f"{'Seeds' if len(seeds) > 1 else 'Seed'} {enumerate_words(seeds, most=len(seeds))}: trained on "
                f"another machine than the one below, {place}, with the same code, and each with all that it is "
                "compared with. What a training reaches depends on the machine only by rounding."
            )


def _recipe(record: Record) -> str:
    top1 = record.find("top1")
    return Recipe(**top1.details["recipe"]).text if top1 is not None and "recipe" in top1.details else ""


def _belongs(study: Study, case: Case) -> bool:
    return case.metric in ("rows", *study.metrics) and any(case.model == arm.model for arm in study.arms)
