"""What a study is: a question, the variants that answer it, what the paper printed and what it claimed, as data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from benchmarks.studies.arm import Arm
from benchmarks.studies.evidence import Evidence

__all__ = ["SEEDS", "Arm", "Claim", "Part", "Picture", "Published", "Study", "Verdict"]

SEEDS = (0, 1, 2)
UNITS = {"": 1.0, "K": 1024.0, "M": 1e6, "G": 1e9, "%": 0.01, "MiB": 2.0**20}  # K as GoogLeNet's table uses it


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What the engine is to measure: some metrics of some models under the same conditions."""

    models: tuple[str, ...]
    metrics: tuple[str, ...]
    seeds: tuple[int, ...] = (0,)
    img_size: int = 0
    recipe: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A figure a paper prints, and how to count it.

    Args:
        what: the quantity.
        where: table or section.
        printed: its digits as printed ("4.2").
        unit: "", "K" (1024), "M", "G", "%" or "MiB".
        counted: the exact figure from the evidence; None where a record is missing.
        slip: why the printed figure is not the counted one; empty where they agree.
    """

    what: str
    where: str
    printed: str
    unit: str = ""
    counted: Callable[[Evidence], float | None]
    slip: str = ""

    def agreement(self, counted: float) -> str:
        """ "equal" if the counted figure rounds to the printed digits, "cut" if they are its first, else "differs"."""
        decimals = len(self.printed.partition(".")[2])
        printed = float(self.printed.replace(",", ""))
        exact = counted / UNITS[self.unit]
        if abs(exact - printed) <= 0.5 * 10**-decimals * (1 + 1e-9):
            return "equal"
        return "cut" if 0 <= exact - printed < 10**-decimals else "differs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the evidence says of a claim.

    Args:
        status: "supported", "contradicted", "too noisy" or "open".
        words: the figures behind it.
        more_seeds: seeds that would settle it, where it is too noisy; 0 where nothing can be said.
    """

    status: str
    words: str = ""
    more_seeds: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Something the paper says, and the judge of it.

    Args:
        text: the claim in one clause.
        source: table, figure or section.
        judge: the verdict of the evidence: see `benchmarks.studies.claims`.
        short: a few words for the first line of the page; only of claims that answer the question.
    """

    text: str
    source: str
    judge: Callable[[Evidence], Verdict]
    short: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A figure of the page: a function of `benchmarks.report.studies.pictures` by name, and what it needs to know.

    Args:
        kind: "stacked", "scatter", "heatmaps", "curves", "differences" or "rows".
        caption: one sentence below it.
        pairs: for "differences": better arm and worse arm of each bar.
        panels: for "curves" title and arms of each panel, for "rows" title and arm.
    """

    kind: str
    caption: str
    pairs: tuple[tuple[str, str], ...] = ()
    panels: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A comparison a paper made, to be made again. A new one is its file and its line in `benchmarks.studies`.

    Args:
        name: name for `--studies` and of its page.
        question: what it asks, in one sentence.
        source: publication, tables and figures.
        arms: the variants compared.
        answer: what counting alone answers, in one sentence; empty where a record is missing.
        published: every printed figure that counting can check.
        claims: what else the paper says.
        pictures: the figures of the page.
        metrics: what is measured of every arm besides its table; accuracy only of those that are trained.
        seeds: seeds of each training; differences are paired by seed.
        notes: what a reader must know to read it.
    """

    name: str
    question: str
    source: str
    arms: tuple[Arm, ...]
    answer: Callable[[Evidence], str] = lambda evidence: ""
    published: tuple[Published, ...] = ()
    claims: tuple[Claim, ...] = ()
    pictures: tuple[Picture, ...] = ()
    metrics: tuple[str, ...] = ("accuracy", "latency")
    seeds: tuple[int, ...] = SEEDS
    notes: tuple[str, ...] = field(default=())

    @property
    def by_title(self) -> Mapping[str, Arm]:
        """The arms by their names on the page."""
        return {arm.title: arm for arm in self.arms}

    @property
    def parts(self) -> tuple[Part, ...]:
        """What has to be measured: every arm's table at once, then the dear metrics arm by arm."""
        models = tuple(dict.fromkeys(arm.model for arm in self.arms))
        parts = [Part(models=models, metrics=("rows",))]
        timed = tuple(metric for metric in self.metrics if metric != "accuracy")
        if timed:
            parts.append(Part(models=models, metrics=timed))
        if "accuracy" in self.metrics:
            parts += [
                Part(
                    models=(arm.model,),
                    metrics=("accuracy",),
                    seeds=self.seeds,
                    img_size=arm.img_size,
                    recipe=arm.recipe,
                )
                for arm in self.arms
                if arm.trained
            ]
        return tuple(parts)
