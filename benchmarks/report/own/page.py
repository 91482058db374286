"""The part of a page that answers which network is best for somebody's own images."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.records.record import FULL, PLAIN
from benchmarks.report.costs import session_of
from benchmarks.report.drawing import Drawing
from benchmarks.report.joining import pace_of
from benchmarks.report.overview import Overview
from benchmarks.report.own.candidates import Candidate, Trial, trials
from benchmarks.report.own.comparing import Ranking, rank
from benchmarks.report.own.pictures import names_in_pictures
from benchmarks.report.page import code, folded, image, listed
from benchmarks.report.table import Cell, TableColumn, table, text_column
from benchmarks.report.words import count_of, enumerate_words, gathered, markdown, number
from benchmarks.stats.intervals import Interval

__all__ = ["images_section"]

MOST_CLASSES = 50  # of the table of recalls
MOST_COLUMNS = 6
MOST_MISTAKES = 10
MINUTES = 180.0  # seconds from which a training's time is in minutes
NAMES = {"top1": "top-1", "balanced": "balanced accuracy"}
SCRATCH = "trained from scratch"  # how the note of a network begins that found no weights


def images_section(overview: Overview, folder: Path, pictures: Mapping[str, Drawing]) -> list[str]:
    """One section for each set of images; empty where nobody's own were tried.

    Args:
        folder: of the page, in which trained networks lie.
        pictures: those that were drawn, by name.
    """
    found = trials(overview.rows)
    return [_section(overview, trial, folder, pictures if trial is found[0] else {}) for trial in found]


def _section(overview: Overview, trial: Trial, folder: Path, pictures: Mapping[str, Drawing]) -> str:
    metric = overview.metric
    rankings = [(rank(group, metric), group is trial.scratch) for group in trial.groups]
    rankings = [(found, scratch) for found, scratch in rankings if found.ordered]
    blocks = [f"## Which network is best for {markdown(trial.name, 80)}?"]
    several = len(rankings) > 1
    for ranking, scratch in rankings:
        lead = f"### {'Trained from scratch' if scratch else 'From trained weights'}" if several else ""
        blocks += [
            lead,
            _apart_from_the_others(ranking) if scratch and several else "",
            *_answer(overview, ranking, metric),
            table(list(_columns(overview, trial, ranking, metric)), ranking.ordered),
            listed(_because(ranking)),
        ]
    blocks.append(_about(trial, metric))
    blocks.append("Use one of them:\n\n" + listed(_commands([each for each, _ in rankings], folder, metric)))
    for ranking, scratch in rankings:
        blocks += _in_detail(trial, ranking, pictures.get("confusion_scratch" if scratch else "confusion"), several)
    return "\n\n".join(filter(None, blocks))


def _apart_from_the_others(ranking: Ranking) -> str:
    networks = count_of(len(ranking.ordered), "network")
    return f"{networks} that began without trained weights, which is another task: not ranked with those above."


def _because(ranking: Ranking) -> list[str]:
    """Why networks were trained from scratch that were to begin with weights."""
    notes = (
        (markdown(note, 300), candidate.name)
        for candidate in ranking.ordered
        for record in candidate.records
        for note in record.notes
        if note.startswith(SCRATCH)
    )
    return gathered(notes)


# --- the answer -------------------------------------------------------------------------------------------------------


def _answer(overview: Overview, ranking: Ranking, metric: str) -> Iterator[str]:
    """The best, and what cannot be told apart from it."""
    first, ties = ranking.ordered[0], ranking.ties
    value = first.interval(metric)
    if value is None:
        return
    seeds = f"over {len(first.records)} seeds" if len(first.records) > 1 else "one network: of the images only"
    low, high = (number(100 * end, -1) for end in (value.low, value.high))
    sentence = (
        f"**Best by {NAMES[metric]}:** {_bold(first)} with {number(100 * value.value, -1)} % ({low} to {high}, {seeds})"
    )
    if ties:
        told = enumerate_words(ties, most=5, write=lambda each: f"{_bold(each)} ({_percent(each, metric)} %)")
        sentence += f"; {told} cannot be told apart from it"
    elif len(ranking.ordered) > 1:
        sentence += ", better than every other"
    yield f"{sentence}."
    if ties:
        yield from _cheapest(overview, [first, *ties])


def _cheapest(overview: Overview, good: Sequence[Candidate]) -> Iterator[str]:
    """Of those that are as good as the best, the fastest and the smallest."""
    told = []
    for words, figure, unit in (
        ("the fastest", lambda each: _latency(overview, each)[0], "ms"),
        ("the smallest", _megabytes, "MB"),
    ):
        known = {id(each): found for each in good if (found := figure(each)) is not None}
        if len(known) == len(good) and len({number(value) for value in known.values()}) > 1:
            least = min(good, key=lambda each: known[id(each)])
            told.append(f"{_bold(least)} is {words} ({number(known[id(least)])} {unit})")
    if told:
        yield f"Of these {len(good)}, {enumerate_words(told)}."


def _columns(overview: Overview, trial: Trial, ranking: Ranking, metric: str) -> Iterator[TableColumn]:
    first, ordered = ranking.ordered[0], ranking.ordered
    yield text_column("Network", lambda each: markdown(each.name, 120))
    yield text_column("How", _how)
    yield TableColumn("Top-1, % [95 %]", _share("top1"), digits=-1, better="high", bounds="[{}, {}]")
    if any(len(each.records) > 1 for each in ordered):
        yield TableColumn("Seeds: lowest to highest, %", _spread)
    if metric == "balanced" or _unequal(trial):
        title = "Balanced, % [95 %]"
        yield TableColumn(title, _share("balanced"), digits=-1, better="high", bounds="[{}, {}]")
    if len(ordered) > 1:
        yield text_column("Beside the best", lambda each: _beside(each, first, ranking, metric))
    if any(each.values("train_seconds") for each in ordered):
        longest = max(max(each.values("train_seconds"), default=0.0) for each in ordered)
        unit, factor = ("min", 1 / 60) if longest > MINUTES else ("s", 1.0)
        yield TableColumn(f"Training, {unit}", lambda each: _mean(each.values("train_seconds"), factor), better="low")
    if any(_latency(overview, each)[0] is not None for each in ordered):
        sizes = {_latency(overview, each)[1] for each in ordered} - {0}
        odd = any(_latency(overview, each)[1] not in (0, each.size) for each in ordered)
        at = f" at {enumerate_words(sorted(sizes))} px" if odd else ""
        yield TableColumn(f"Latency{at}, ms", lambda each: _latency(overview, each)[0], better="low")
    if any(_megabytes(each) is not None for each in ordered):
        yield TableColumn("Size, MB", _megabytes, better="low")


def _how(candidate: Candidate) -> str:
    case = candidate.case
    if not case.recipe:
        return f"as it is, {candidate.size} px"
    begun = "" if case.weights else "from scratch, "
    return f"{begun}{markdown(case.recipe, 60)}, {count_of(case.epochs, 'epoch')}, {candidate.size} px"


def _share(measurement: str) -> Callable[[Candidate], Cell]:
    def cell(candidate: Candidate) -> Cell:
        found = candidate.interval(measurement)
        return None if found is None else found.scaled(100)

    return cell


def _spread(candidate: Candidate) -> Cell:
    values = candidate.values("top1")
    if len(values) < 2:
        return ""
    return f"{number(100 * min(values), -1)} to {number(100 * max(values), -1)} ({len(values)})"


def _beside(candidate: Candidate, first: Candidate, ranking: Ranking, metric: str) -> str:
    if candidate is first:
        return "the best"
    if candidate in ranking.ties:
        return "cannot be told apart"
    values = candidate.interval(metric), first.interval(metric)
    if values[0] is None or values[1] is None:
        return ""
    return f"{number(100 * (values[1].value - values[0].value), -1)} points less"


def _latency(overview: Overview, candidate: Candidate) -> tuple[float | None, int]:
    """Milliseconds of images as large as it was tested on if there are any times of such; and the side of the images.

    Of the runtime and precision that it was tested in; where that is PyTorch as it is, else of the page's condition.
    """
    case, condition = candidate.case, overview.condition
    if condition is None:
        return None, 0
    plain = (case.runtime, case.precision) == (PLAIN, FULL)
    own = dataclasses.replace(condition, runtime=case.runtime, precision=case.precision)
    for each in (condition,) if case.recipe else (own, condition) if plain else (own,):
        found = {
            row.records["latency"].case.img_size: 1e3 * timed.value
            for row in overview.rows
            if row.model == case.model and row.pace == pace_of(each) and (timed := row.find("latency", "latency_s"))
        }
        if found:
            size = candidate.size if candidate.size in found else next(iter(found))
            return found[size], size
    return None, 0


def _megabytes(candidate: Candidate) -> float | None:
    """Of the file that a session was made of where it says so, else of the network's parameters."""
    session = session_of(candidate.records[0])
    written = session.get("file_bytes")
    return 1e-6 * written if isinstance(written, int) else _mean(candidate.values("network_bytes"), 1e-6)


def _mean(values: Sequence[float], factor: float) -> float | None:
    return factor * sum(values) / len(values) if values else None


def _unequal(trial: Trial) -> bool:
    """Whether some classes have more images than others."""
    answers = next((found for group in trial.groups for each in group for found in each.answers()), None)
    return answers is not None and len(set(np.unique(answers.labels, return_counts=True)[1].tolist())) > 1


# --- around it --------------------------------------------------------------------------------------------------------


def _about(trial: Trial, metric: str) -> str:
    """Which images these are, what was left out of them, and how far to trust the figures."""
    first = trial.groups[0][0]
    images = int(first.records[0].value("test_images") or 0)
    lines = [f"Judged by {count_of(images, trial.part + ' image')}, each answered once."]
    if trial.part == "val":
        best = [_kept_best(each) for group in trial.groups for each in group]
        whose = "each network" if all(best) else "the networks whose recipe keeps the best"
        chose = f"chose the epoch of {whose} and are what is shown: expect a little less of new images"
        lines.append(f"There is no test part: the val images {chose if any(best) else 'are what is shown'}.")
    for note in first.details.get("left_out", ()):
        lines.append(markdown(str(note), 400))
    lines.append(
        "Two networks are told apart where 95 % confidence says so: image by image (McNemar) as they answered the same "
        "ones, over several seeds by Student's interval of their differences, too."
    )
    if max(len(each.records) for group in trial.groups for each in group) == 2:
        lines.append(
            "Two seeds tell hardly anything apart, as they do not show how far seeds differ; three do: --seeds 0,1,2."
        )
    if metric == "balanced":
        lines.append("Balanced accuracy is the mean of the classes' recalls: each class counts the same.")
    return listed(lines)


def _kept_best(candidate: Candidate) -> bool:
    """Whether the epoch that answered best was kept."""
    recipe = candidate.details.get("recipe")
    return isinstance(recipe, Mapping) and recipe.get("keep") == "best"


def _commands(rankings: Sequence[Ranking], folder: Path, metric: str) -> list[str]:
    """How each network is used; of several seeds the one that answered best."""
    lines, gone = [], []
    for candidate in (each for ranking in rankings for each in ranking.ordered):
        record = candidate.best_record(metric)
        top1 = record.find("top1")
        kept = str(top1.details.get("weights_file", "")) if top1 is not None else ""
        words = ["python", "-m", "zoo", "predict"]
        if kept:
            words += ["--weights", (folder / kept).as_posix()]
        elif record.case.weights_path.partition(":")[0] == "imagenet":
            words += ["--model", record.case.model, "--weights", record.case.weights_path]
        else:
            words += ["--weights", record.case.weights_path]
        if kept and not (folder / kept).is_file():
            gone.append(candidate)
        elif words[-1]:
            scratch = "" if len(rankings) == 1 or candidate.case.weights else " from scratch"
            lines.append(f"{_bold(candidate)}{scratch}: {code(f'{shlex.join(words)} IMAGE...')}")
    if gone:
        names = list(dict.fromkeys(map(_bold, gone)))
        lines.append(f"{enumerate_words(names)}: not kept here; the last commands of details.md train them again")
    return lines


def _in_detail(trial: Trial, ranking: Ranking, picture: Drawing | None, several: bool) -> list[str]:
    """Recall by class, what is taken for what, and the mistakes of the best."""
    best = ranking.ordered[0]
    kind = f" ({'from scratch' if ranking.ordered[0] in trial.scratch else 'from trained weights'})" if several else ""
    recalls = _recalls(ranking)
    mistakes = best.details.get("mistakes") or ()
    columns = [
        text_column("Image", lambda row: markdown(str(row["image"]), 160)),
        text_column("is", lambda row: markdown(str(row["class"]), 60)),
        text_column("is taken for", lambda row: markdown(str(row["answer"]), 60)),
        TableColumn("Probability, %", lambda row: 100 * float(row["probability"]), digits=-1),
    ]
    wrong = table(columns, mistakes[:MOST_MISTAKES])
    return [
        f"### Recall of each class{kind}, %" if recalls else "",
        recalls,
        f"### What is taken for what{kind}" if picture else "",
        image(picture) if picture else "",
        folded(f"The surest mistakes of {markdown(best.name)}{kind}: look at these images first", wrong),
    ]


def _recalls(ranking: Ranking) -> str:
    """The share of each class that each of the best networks answers rightly, the mean over its seeds."""
    shown = ranking.ordered[:MOST_COLUMNS]
    found = {id(each): _recall(each) for each in shown}
    first = found[id(shown[0])]
    names = list(first)
    if len(names) > MOST_CLASSES:
        names = sorted(names, key=lambda name: (first[name][0] is None, first[name][0] or 0.0))[:MOST_CLASSES]
    written = dict(zip(first, names_in_pictures(list(first)), strict=True))
    rows = [(name, written[name]) for name in names]

    def recall(candidate: Candidate) -> Callable[[tuple[str, str]], Cell]:
        def cell(row: tuple[str, str]) -> Cell:
            value, count = found[id(candidate)].get(row[0], (None, 0))
            return 100 * value if value is not None and count else "\N{EN DASH}"

        return cell

    def title(row: tuple[str, str]) -> str:
        place = f" ({row[1]})" if row[1].startswith("class ") and row[1] != row[0] else ""
        return f"{markdown(row[0], 80)}{place}"

    columns = [text_column("Class", title)]
    columns.append(TableColumn("Images", lambda row: float(first[row[0]][1]), digits=0))
    columns += [TableColumn(markdown(each.name, 60), recall(each), digits=-1, better="high") for each in shown]
    text = table(columns, rows, across=True)
    rest = len(first) - len(names)
    note = f"The {len(names)} classes that {markdown(shown[0].name)} knows least, of {len(first)}."
    return f"{note}\n\n{text}" if rest and text else text


def _recall(candidate: Candidate) -> dict[str, tuple[float | None, int]]:
    """Recall of each class and its images, by name; None for a class without any."""
    sums: dict[str, list[float]] = {}
    counts: dict[str, int] = {}
    for answers in candidate.answers():
        numbers = sorted({*answers.names, *answers.labels.tolist()})
        for label in numbers:
            inside = (answers.labels == label) & answers.read
            counts[answers.name(label)] = int(inside.sum())
            if inside.any():
                sums.setdefault(answers.name(label), []).append(float(answers.right[inside].mean()))
    return {name: (_mean(sums.get(name, ()), 1.0), count) for name, count in counts.items()}


def _percent(candidate: Candidate, metric: str) -> str:
    found = candidate.interval(metric) or Interval(0.0, 0.0, 0.0)
    return number(100 * found.value, -1)


def _bold(candidate: Candidate) -> str:
    return f"**{markdown(candidate.name, 120)}**"
