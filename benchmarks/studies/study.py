"""What a study is: a question, the variants that answer it, what the paper printed and what it claimed, as data.

One that cannot be carried out as it is written says so when it is written: see `StudyError`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any

import zoo
from benchmarks.metrics import METRICS
from benchmarks.stats.digits import agreement
from benchmarks.studies.arm import Arm
from benchmarks.studies.evidence import Evidence
from benchmarks.studies.finding import Count, Finding
from zoo.training.recipes import recipe

__all__ = [
    "OURS", "Arm", "Claim", "Grid", "Judge", "Part", "Picture", "Published", "Study", "StudyError", "Verdict",
    "words_of",
]  # fmt: skip

ACCURACY = "accuracy"
OURS = "this project's question, not the paper's"  # the source of a claim
UNITS = {"": 1.0, "K": 1024.0, "M": 1e6, "G": 1e9, "%": 0.01, "MiB": 2.0**20}  # K as GoogLeNet's table uses it
# kinds of pictures, and what is usually written below them
CAPTIONS = {
    "stacked": "Where the parameters and the multiply-adds sit.",
    "scatter": "Accuracy against multiply-adds on a logarithmic axis; bars are 95 % intervals over seeds.",
    "heatmaps": "The grid.",
    "curves": "Error on training images (thin) and on test images (bold) after each epoch, one line a seed.",
    "differences": "Difference in top-1 on the same seeds.",
    "schemes": "Points of top-1 that integers have more than fp32, on the same images, by how they are made; bars are "
    "95 % intervals. Farther than one point from zero the axis is logarithmic.",
    "rows": "Where the time goes, row by row: a bar that passes its diamond takes longer than its share of the work. "
    "At the right, multiply-adds a nanosecond.",
}


class StudyError(ValueError):
    """A study that cannot be carried out; the message names it, what is wrong with it and what is allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What the engine is to measure: some metrics of some models under the same conditions."""

    models: tuple[str, ...]
    metrics: tuple[str, ...]
    seeds: tuple[int, ...] = (0,)
    img_size: int = 0
    recipe: str = ""


@dataclass(frozen=True, slots=True)
class Published:
    """A figure a paper prints, and how to count it.

    Args:
        what: the quantity.
        where: table or section.
        text: its digits as printed and their unit: "4.2 M"; none, K (1024), M, G, % or MiB.
        counted: the exact figure.
        slip: why the printed figure may differ from the counted one; empty where they agree.
    """

    what: str
    where: str
    text: str
    counted: Count
    slip: str = ""

    @property
    def printed(self) -> str:
        """The digits."""
        return self.text.partition(" ")[0]

    @property
    def unit(self) -> str:
        """What follows them."""
        return self.text.partition(" ")[2]

    def agreement(self, counted: float) -> str:
        """How the counted figure agrees with the printed digits: see `benchmarks.stats.digits.agreement`."""
        decimals = len(self.printed.partition(".")[2])
        return agreement(counted / UNITS[self.unit], float(self.printed.replace(",", "")), decimals)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the evidence says of a claim.

    Args:
        status: "supported", "contradicted", "too noisy" or "open".
        words: the figures behind it.
    """

    status: str
    words: str = ""


@dataclass(frozen=True, slots=True)
class Judge(Finding[Verdict]):
    """Finds the verdict on a claim: see `benchmarks.studies.claims`.

    Args:
        pair: of a claim about accuracy, the arm that is to be ahead and the other.
        seeds: whether it rests on a difference a seed, of which more make it surer.
    """

    pair: tuple[str, str] | None = None
    seeds: bool = False

    def __call__(self, evidence: Evidence) -> Verdict:
        return self.of(evidence) or Verdict("open", "not counted yet")


@dataclass(frozen=True, slots=True)
class Claim:
    """Something the paper says, and the judge of it.

    Args:
        text: the claim in one clause.
        source: table, figure or section.
        judge: finds its verdict.
        short: a few words for the first line of the page; only of claims that answer the question.
    """

    text: str
    source: str
    judge: Judge
    short: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure of the page: a function of `benchmarks.report.studies.pictures` by name, and what it needs to know.

    What an arm is by its colour or place is a text with its title and the options of its model in braces.

    Args:
        kind: one of `CAPTIONS`.
        caption: one sentence below it; empty for the usual one.
        pairs: for "differences", better arm and worse arm of each bar; empty for those of the claims.
        panels: for "curves" title and arms of each panel, for "rows" title and arm.
        color, marker: for "scatter", what the points of one colour or one marker are: "width {width:g}".
        rows, columns: for "heatmaps", title of the axis and what an arm is on it: ("width", "{width:g}").
    """

    kind: str
    caption: str = ""
    _: KW_ONLY
    pairs: tuple[tuple[str, str], ...] = ()
    panels: tuple[tuple[str, tuple[str, ...]], ...] = ()
    color: str = ""
    marker: str = "{title}"
    rows: tuple[str, str] = ("", "{title}")
    columns: tuple[str, str] = ("", "")

    def __post_init__(self) -> None:
        object.__setattr__(self, "caption", self.caption or CAPTIONS.get(self.kind, ""))

    @property
    def titles(self) -> tuple[str, ...]:
        """The arms it names."""
        return tuple(title for titles in (*self.pairs, *(arms for _, arms in self.panels)) for title in titles)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A table of a study's own, where its arms side by side do not answer the question.

    Args:
        title: heading.
        text: what a reader must know of it.
        heads: of the columns.
        rows: their cells as plain text, as the evidence has them; none leaves the table out.
    """

    title: str
    text: str
    heads: tuple[str, ...]
    rows: Callable[[Evidence], Iterable[Sequence[str]]]


def words_of(arm: Arm, text: str) -> str:
    """A text of a picture for one arm."""
    return text.format(title=arm.title, **zoo.spec(arm.model).settings)


def extremes(evidence: Evidence) -> str | None:
    """What the variants with the most and the fewest multiply-adds take, in one sentence."""
    costs = {arm.title: evidence.mult_adds(arm.model) for arm in evidence.arms}
    found = {title: cost / 1e6 for title, cost in costs.items() if cost is not None}
    if len(found) < len(costs):
        return None
    large, small = (extreme(found, key=lambda title: found[title]) for extreme in (max, min))
    if found[large] == found[small]:
        return f"Each variant takes {found[large]:,.0f} M multiply-adds."
    return f"{large[0].upper()}{large[1:]} takes {found[large]:,.0f} M multiply-adds, {small} {found[small]:,.0f} M."


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A comparison a paper made, to be made again. A new one is its file and its line in `benchmarks.studies`.

    Args:
        name: name for `--studies`, of its file and of its page.
        question: what it asks, in one sentence.
        source: publication, tables and figures.
        arms: the variants compared.
        answer: what counting alone answers, in one sentence; None where a record is missing.
        published: every printed figure that counting can check.
        claims: what else the paper says; where none has a short form, those about arms answer the question.
        pictures: the figures of the page.
        grids: its own tables.
        metrics: what is measured of every arm besides its table; what networks are trained for only of those that are.
        seeds: seeds of each training; differences are paired by seed.
        notes: what a reader must know to read it.

    Raises:
        StudyError: it cannot be carried out as it is written.
    """

    name: str
    question: str
    source: str
    arms: tuple[Arm, ...]
    answer: Callable[[Evidence], str | None] = extremes
    published: tuple[Published, ...] = ()
    claims: tuple[Claim, ...] = ()
    pictures: tuple[Picture, ...] = ()
    grids: tuple[Grid, ...] = ()
    metrics: tuple[str, ...] = ("accuracy", "latency")
    seeds: tuple[int, ...] = (0, 1, 2)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        try:
            fault = next(_faults(self), "")
        except (LookupError, TypeError, ValueError) as error:  # of a model, an option or a recipe, and says which
            fault = str(error)
        if fault:
            raise StudyError(f"study {self.name!r}: {fault}")
        shorts = any(claim.short for claim in self.claims)
        pairs = tuple(dict.fromkeys(_pairs(self)))
        completed: dict[str, list[Any]] = {
            "arms": [replace(arm, model=zoo.spec(arm.model).label) for arm in self.arms],
            "claims": [
                claim if shorts or not claim.judge.titles else replace(claim, short=claim.text) for claim in self.claims
            ],
            "pictures": [replace(picture, pairs=picture.pairs or pairs) for picture in self.pictures],
        }
        for name, values in completed.items():
            object.__setattr__(self, name, tuple(values))

    @property
    def training(self) -> str:
        """The metric whose trainings are its arms' own: accuracy, unless it asks for another one that trains."""
        trained = [metric for metric in self.metrics if METRICS[metric].trains]
        return ACCURACY if ACCURACY in trained else next(iter(trained), ACCURACY)

    @property
    def parts(self) -> tuple[Part, ...]:
        """What has to be measured: tables, times and the like of all models at once, then the trainings arm by arm."""
        models = tuple(dict.fromkeys(arm.model for arm in self.arms))
        trained = tuple(metric for metric in self.metrics if METRICS[metric].trains)
        others = tuple(dict.fromkeys(("rows", *(metric for metric in self.metrics if metric not in trained))))
        trainings = (
            Part(models=(arm.model,), metrics=trained, seeds=self.seeds, img_size=arm.img_size, recipe=arm.recipe)
            for arm in self.arms
            if arm.trained and trained
        )
        return (Part(models=models, metrics=others), *trainings)


def _pairs(study: Study) -> list[tuple[str, str]]:
    """The arms whose accuracies its claims compare."""
    return [claim.judge.pair for claim in study.claims if claim.judge.pair]


def _faults(study: Study) -> Iterator[str]:
    """What is wrong with a study and what is allowed, the first thing first."""
    if not study.arms or not study.seeds:
        yield "it needs arms to compare and seeds to train them with"
    titles = [arm.title for arm in study.arms]
    labels = [zoo.spec(arm.model).label for arm in study.arms]
    trainings = [
        (label, arm.img_size, recipe(arm.recipe or "sample")) for label, arm in zip(labels, study.arms, strict=True)
    ]
    for title, training in zip(titles, trainings, strict=True):
        if titles.count(title) > 1:
            yield f"two arms are called {title!r}; each needs a title of its own"
        if trainings.count(training) > 1:
            yield f"arm {title!r} and another are one: the same network, trained in the same way"
    yield from (METRICS.unknown(metric) for metric in study.metrics if metric not in METRICS)
    for figure in study.published:
        if figure.unit not in UNITS or not re.fullmatch(r"[0-9,]*[0-9](\.[0-9]+)?", figure.printed):
            allowed = f"a number, a space and a unit of {', '.join(filter(None, UNITS))}"
            yield f"figure {figure.what!r} is printed as {figure.text!r}; allowed: a number, or {allowed}"
    for picture in study.pictures:
        if picture.kind not in CAPTIONS:
            yield f"no kind of picture is called {picture.kind!r}; allowed: {', '.join(CAPTIONS)}"
        needed = {"curves": picture.panels, "rows": picture.panels, "differences": picture.pairs or _pairs(study)}
        if not needed.get(picture.kind, True):
            yield f"picture {picture.kind!r} shows nothing without pairs or panels of arms"
        for arm in study.arms:
            try:
                [words_of(arm, text) for text in (picture.color, picture.marker, picture.rows[1], picture.columns[1])]
            except (LookupError, TypeError, ValueError) as error:
                allowed = ", ".join(("title", *zoo.spec(arm.model).settings))
                yield f"picture {picture.kind!r} cannot write {error} of {arm.title!r}; allowed in braces: {allowed}"
    parts: list[tuple[str, Any]] = [("the answer", study.answer)]
    parts += [(f"figure {figure.what!r}", figure.counted) for figure in study.published]
    parts += [(f"claim {claim.text!r}", claim.judge) for claim in study.claims]
    parts += [(f"picture {picture.kind!r}", picture) for picture in study.pictures]
    for place, part in parts:
        for title in getattr(part, "titles", ()):
            if title not in titles:
                yield f"{place} names arm {title!r}; the arms are {', '.join(titles)}"
        for model in getattr(part, "models", ()):
            if zoo.spec(model).label not in labels:
                yield f"{place} counts {model}, the model of no arm; those are {', '.join(labels)}"
