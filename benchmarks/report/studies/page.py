"""The page of a study: records in, Markdown and pictures out. Never imports PyTorch."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from benchmarks.records.record import Case, Environment, Record
from benchmarks.report import words
from benchmarks.report.commands import flags_of
from benchmarks.report.drawing import Drawing, draw
from benchmarks.report.findings import estimate
from benchmarks.report.joining import by_machine
from benchmarks.report.page import code, image, listed, provenance, section, write_page
from benchmarks.report.studies.pictures import DRAW
from benchmarks.report.studies.views import data_of, published_top1
from benchmarks.report.table import Cell, TableColumn, table, text_column
from benchmarks.report.words import condition_in_words, count_of, enumerate_words, markdown, number
from benchmarks.studies.arm import Arm
from benchmarks.studies.evidence import Evidence
from benchmarks.studies.study import Claim, Grid, Published, Study, Verdict
from zoo.data import DATASETS

__all__ = ["answer", "begun", "commands_of", "file_names", "grid_section", "verdicts", "write_study"]

HOW_TO_READ = (
    "Right of zero the first is better. A bar is the 95 % interval of the mean, a small dot a seed; the mean is filled "
    "where the interval excludes zero."
)
ALIKE = (  # options that all cases of a study share
    "--max-time", "--rounds", "--target-ci", "--num-threads", "--device", "--precision", "--dataset", "--data-dir",
    "--epochs",
)  # fmt: skip
HERE = " here"  # behind a verdict that rests on what was trained or timed for this page
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
    evidence = Evidence(study.arms, records, study.training)
    if not begun(study, evidence):
        return None
    page = folder / "studies" / f"{study.name}.md"
    pictures = [
        image(picture) for picture in draw(_drawings(study, evidence), page.parent / "figures", file_names(study))
    ]
    sections = [
        f"# {study.question}",
        answer(study, evidence),
        f"Source: {study.source}. Run it with {code(command(study))}.",
        *pictures[:1],
        *(grid_section(grid, evidence) for grid in study.grids),
        _variants(study, evidence),
        _claims(study, evidence),
        _figures(study, evidence),
        *pictures[1:],
        section("How it was measured", "", listed(_conditions(study, evidence, records, environment, machines))),
        provenance(environment.machine, environment.software, *commands_of(study, evidence, environment)),
    ]
    write_page(page, sections)
    return page


def command(study: Study) -> str:
    """What a person types to run the study; what is done already is not done again."""
    return f"python -m benchmarks.run --studies {study.name}"


def commands_of(study: Study, evidence: Evidence, environment: Environment) -> list[str]:
    """What a person types for the figures of this page: once for the study's own seeds, and for every further few."""
    trainings = evidence.training_records()
    sized = {arm.model for arm in study.arms if arm.img_size}  # at a size that the study itself prescribes
    cases = [record.case for record in sorted(trainings, key=lambda record: record.case.model in sized)[:1]]
    flags = {
        name: value
        for case in (*cases, *filter(None, [evidence.timed_case]))
        for name, value in flags_of(case, environment.machine)
        if name in ALIKE or (name == "--img-size" and case.metric == study.training and case.model not in sized)
    }
    seeds, starts = {record.case.seed for record in trainings} - set(study.seeds), []
    while seeds:
        starts.append(min(seeds) - min(study.seeds))
        seeds -= {starts[-1] + seed for seed in study.seeds}
    words = shlex.join(word for flag in sorted(flags.items()) for word in flag)
    plain = " ".join(filter(None, [command(study), words]))
    return [plain, *(f"{plain} --seed {start}" for start in starts)]


def verdicts(study: Study, evidence: Evidence) -> list[tuple[Claim, Verdict]]:
    """Every claim with its verdict."""
    return [(claim, claim.judge(evidence)) for claim in study.claims]


def answer(study: Study, evidence: Evidence) -> str:
    """The first line: the verdicts that answer the question, once there are any, and what counting answers."""
    judged = verdicts(study, evidence)
    counts = Counter(verdict.status for _, verdict in judged)
    by_status = ", ".join(f"{counts[status]} {status}" for status in STATUSES if counts[status])
    parts = [f"{count_of(len(judged), 'claim')}: {by_status}"] if judged else []
    parts += [_agreeing(study, evidence)] if study.published else []
    tally = f"({'; '.join(parts)}.)" if parts else ""
    lead = study.answer(evidence)
    key = [(claim, verdict) for claim, verdict in judged if claim.short]
    if any(verdict.status != "open" for _, verdict in key):
        words = "; ".join(f"{claim.short}: {_status(claim, verdict)}" for claim, verdict in key)
        here = _here(study, evidence) if any(_status(*each).endswith(HERE) for each in key) else ""
        return " ".join(filter(None, [f"**{words[0].upper()}{words[1:]}.**", here, lead, tally]))
    missing = f"Not trained here yet: {'; '.join(claim.short for claim, _ in key)}." if key else ""
    return " ".join(filter(None, [f"**{lead}**" if lead else "", missing, tally]))


def _status(claim: Claim, verdict: Verdict) -> str:
    """A verdict in words; one that rests on what was trained or timed here says so."""
    settled = verdict.status in ("supported", "contradicted")
    return f"{verdict.status}{HERE}" if settled and claim.judge.titles else verdict.status


def _here(study: Study, evidence: Evidence) -> str:
    """What the verdicts on times and accuracies rest on."""
    cases = [record.case for record in evidence.training_records()]
    timed = "times of this machine" if evidence.timed_case and "latency" in study.metrics else ""
    if not cases:
        return f"(Here: {timed}.)"
    epochs = enumerate_words(sorted({case.epochs for case in cases}))
    images = enumerate_words(sorted({case.train_images for case in cases}), write="{:,}".format)
    names = sorted({DATASETS[case.dataset].label if case.dataset in DATASETS else case.dataset for case in cases})
    trained = (
        f"networks trained for {epochs} epoch{'' if epochs == '1' else 's'} on {images} images of "
        f"{markdown(enumerate_words(names))}, not for as long and not on what the papers did"
    )
    return f"(Here: {'; '.join(filter(None, [timed, trained]))}.)"


def _agreeing(study: Study, evidence: Evidence) -> str:
    """How many of the printed figures are what counting gives."""
    counted = [figure.agreement(value) for figure in study.published if (value := figure.counted(evidence)) is not None]
    kinds, total = Counter(counted), count_of(len(study.published), "printed figure")
    cut = f", {kinds['cut']} with {'its' if kinds['cut'] == 1 else 'their'} digits cut" if kinds["cut"] else ""
    agree = kinds["equal"] + kinds["cut"]
    missing = len(study.published) - len(counted)
    return f"{agree} of {total} agree{'s' if len(study.published) == 1 else ''} with what is counted{cut}" + (
        f", {missing} not counted yet" if missing else ""
    )


def begun(study: Study, evidence: Evidence) -> bool:
    """True once every variant is counted, and there is a line in a table that is all a study has: there is a page."""
    tables_alone = study.grids and not study.claims and not study.published
    if tables_alone and not any(list(grid.rows(evidence)) for grid in study.grids):
        return False
    return all(evidence.rows(arm.model) is not None for arm in study.arms)


def _variants(study: Study, evidence: Evidence) -> str:
    """The arms: counted, measured and published side by side."""
    sources: dict[str, int] = {}

    def counted(count: Callable[[str], int | None], scale: float) -> Callable[[Arm], Cell]:
        return lambda arm: "open" if (found := count(arm.model)) is None else found / scale

    def latency(arm: Arm) -> Cell:
        found = evidence.latency(arm.model)
        if found is None:
            return "open"
        time = estimate(arm.model, found)
        return time.scaled(1e3) if time.bounded else 1e3 * time.value

    def printed(arm: Arm) -> str:
        figure, source = published_top1(arm, evidence) or (None, "")
        return "" if figure is None else f"{number(100 * figure, -1)} [{sources.setdefault(source, len(sources) + 1)}]"

    trained = study.training in study.metrics and any(arm.trained for arm in study.arms)
    columns = [
        text_column("variant", lambda arm: arm.title),
        text_column("model", lambda arm: code(arm.model)),
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
        return f"{number(100 * mean.value, -1)} (1 seed)"
    value, low, high = (number(100 * figure, -1) for figure in (mean.value, mean.low, mean.high))
    return f"{value} ({low} to {high}, {mean.count} seeds)"


def grid_section(grid: Grid, evidence: Evidence) -> str:
    """A table of the study's own."""

    def column(place: int, head: str) -> TableColumn:
        return text_column(head, lambda row: markdown(row[place]))

    columns = [column(place, head) for place, head in enumerate(grid.heads)]
    return section(grid.title, grid.text, table(columns, grid.rows(evidence)))


def _claims(study: Study, evidence: Evidence) -> str:
    judged = verdicts(study, evidence)
    columns = [
        text_column("claim", lambda row: row[0].text),
        text_column("source", lambda row: row[0].source),
        text_column("verdict", lambda row: f"**{_status(*row)}**"),
        text_column("evidence", lambda row: row[1].words + _confounded(row[0], evidence)),
    ]
    return section("The claims", "", table(columns, judged), *_how_judged(study, evidence, judged))


def _confounded(claim: Claim, evidence: Evidence) -> str:
    """A remark where a claim about accuracy compares a network with batch normalization and one without."""
    pair = [evidence.kinds(evidence.by_title[title].model) for title in claim.judge.pair or ()]
    differ = len({"norm" in kinds for kinds in pair if kinds is not None}) > 1
    return "; part of it may be the recipe, whose steps differ with and without batch normalization" if differ else ""


def _how_judged(study: Study, evidence: Evidence, judged: Sequence[tuple[Claim, Verdict]]) -> Iterator[str]:
    if any(_status(*each).endswith(HERE) for each in judged):
        yield _here(study, evidence).strip("()")
    if any(verdict.status == "open" for _, verdict in judged):
        yield f"Open claims are closed by {code(command(study))}, which goes on from the records there are."
    if any(verdict.status == "too noisy" and claim.judge.seeds for claim, verdict in judged):
        following = evidence.next_seed(study.seeds)
        yield f"{code(f'{command(study)} --seed {following}')} adds the seeds from {following} on."
    if "latency" in study.metrics:
        latencies = (evidence.latency(arm.model) for arm in study.arms)
        names = sorted(
            {str(found.details["reference"]) for found in latencies if found and "reference" in found.details}
        )
        reference = f"{enumerate_words(names, write=markdown)}, which runs" if names else "the model that runs"
        yield (
            "A claim about time is judged by the 95 % interval of a ratio: over the rounds two networks shared, else "
            f"of their ratios to {reference} in every round."
        )
    if study.training in study.metrics:
        yield (
            "A claim about accuracy is judged by the mean difference over seeds, paired by seed and trained on one "
            "machine: it is supported or contradicted only if the 95 % interval (Student's t) clears the claim, "
            "and too noisy otherwise. Each verdict stands by itself; the intervals are not widened for the number of "
            "claims."
        )
    if any(record.case.seed > max(study.seeds) for record in evidence.training_records()):
        yield (
            f"The study asks for {count_of(len(study.seeds), 'seed')}. Further ones were trained after those had been "
            "looked at, which makes an interval a little too narrow: lean less on one that clears its claim by a hair."
        )


def _figures(study: Study, evidence: Evidence) -> str:
    counted = [(figure, figure.counted(evidence)) for figure in study.published]
    columns = [
        text_column("quantity", lambda row: row[0].what),
        text_column("printed in", lambda row: row[0].where),
        TableColumn("printed", lambda row: row[0].text),
        TableColumn("counted", lambda row: _counted(*row)),
        text_column("", lambda row: _agreement(*row)),
    ]
    agreeing = f"{_agreeing(study, evidence).capitalize()}." if counted else ""
    return section("Printed figures, counted again", agreeing, table(columns, counted))


def _counted(figure: Published, counted: float | None) -> str:
    if counted is None:
        return "open"
    return f"{100 * counted:.2f} %" if figure.unit == "%" else number(counted, -2).removesuffix(".00")


def _agreement(figure: Published, counted: float | None) -> str:
    if counted is None:
        return ""
    differs = f"differs: {figure.slip}" if figure.slip else "differs"
    return AGREEMENT.get(figure.agreement(counted), differs)


def file_names(study: Study) -> list[str]:
    """File names of the study's pictures; from the second of a kind on with a number."""
    kinds = [picture.kind for picture in study.pictures]
    counts = [kinds[: place + 1].count(kind) for place, kind in enumerate(kinds)]
    return [f"{study.name}_{kind}{count if count > 1 else ''}" for kind, count in zip(kinds, counts, strict=True)]


def _drawings(study: Study, evidence: Evidence) -> Iterator[Drawing]:
    """The pictures there are records for."""
    for name, picture in zip(file_names(study), study.pictures, strict=True):
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
    yield from _recipes(trainings)
    yield from dict.fromkeys(
        f"Data set: {markdown(case.dataset)}, {case.train_images:,} training images, {count_of(case.epochs, 'epoch')}."
        for case in (record.case for record in trainings)
    )
    asked = [record for record in records if _belongs(study, record.case)]
    for record in asked:
        if record.status not in ("ok", "skipped"):
            case = record.case
            reason = markdown(record.reason)
            yield f"{record.status}: {case.metric} of {code(case.model)}, seed {case.seed}: {reason}"
    yield from words.gathered(
        (f"{record.case.metric}: {markdown(note)}", record.case.model) for record in asked for note in record.notes
    )
    for machine, group in by_machine(trainings).items():
        if machine != environment.machine_id:
            seeds = sorted({record.case.seed for record in group})
            place = markdown(words.machine_in_words(machines.get(machine, {})))
            yield (
                f"{'Seeds' if len(seeds) > 1 else 'Seed'} {enumerate_words(seeds, most=len(seeds))}: trained on "
                f"another machine than the one below, {place}, with the same code. Rounding differs from machine to "
                "machine, and by the end of a training it has made another network of the same seed, as another seed "
                "does."
            )


def _recipes(trainings: Iterable[Record]) -> Iterator[str]:
    """How networks were trained; what differs in nothing but the size of its images is said once."""
    alike: dict[str, dict[int, str]] = {}
    for record in trainings:
        top1 = record.find("top1")
        settings = top1.details.get("recipe") if top1 else None
        text = words.recipe_in_words(settings) if isinstance(settings, Mapping) else ""
        if text and settings:
            size = int(settings.get("img_size", 0))
            alike.setdefault(str(sorted({**settings, "img_size": 0}.items())), {})[size] = text
    for sizes in alike.values():
        first, *others = sizes
        more = f" Others were trained so at {enumerate_words(others)} pixels." if others else ""
        yield f"Trained: {markdown(sizes[first], 2000)}{more}"


def _belongs(study: Study, case: Case) -> bool:
    return case.metric in ("rows", *study.metrics) and any(case.model == arm.model for arm in study.arms)
