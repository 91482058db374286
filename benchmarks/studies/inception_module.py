"""The Inception module: with and without 1x1 reductions, and with and without auxiliary classifiers in training."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.studies import count
from benchmarks.studies.arm import Arm
from benchmarks.studies.claims import figures_agree, holds, more_accurate, slower
from benchmarks.studies.evidence import Evidence
from benchmarks.studies.study import Claim, Picture, Published, Study
from zoo.table import PRINTED

__all__ = ["STUDY"]

PAPER, NAIVE = "paper, reduced", "paper, naive modules"
ALONE = "paper, no auxiliary loss"
BN, BN_ALONE = "batch norm", "batch norm, no auxiliary loss"
WITHOUT = "sample:auxiliary=false"
COSTLY_SLIPS = ("conv1", "inception5a")  # the rows of Table 1 whose multiply-adds are slips, too


def table_1() -> Iterator[Published]:
    for row, printed in PRINTED["googlenet_2014"].items():
        if printed.params:
            covered = printed.covers or (row,)
            yield Published(
                what=f"weights of {' and '.join(covered)}",
                where="Table 1",
                printed=printed.params[:-1],
                unit=printed.params[-1],
                counted=count.weights("googlenet_2014", *covered),
                slip=printed.slip,
            )
            yield Published(
                what=f"multiply-adds of {' and '.join(covered)}",
                where="Table 1",
                printed=printed.mult_adds[:-1],
                unit=printed.mult_adds[-1],
                counted=count.mult_adds("googlenet_2014", *covered),
                slip=printed.slip if row in COSTLY_SLIPS else "",
            )


FIGURES = (
    *table_1(),
    Published(
        what="multiply-adds of the network",
        where="Sec. 1 (a budget of 1.5 billion)",
        printed="1.5",
        unit="G",
        counted=count.mult_adds("googlenet_2014"),
    ),
    Published(
        what="weights of the network",
        where="Table 1, sum of the printed column",
        printed="6.8",
        unit="M",
        counted=count.weights("googlenet_2014"),
        slip="the rows whose printed weights are too few add up to it; the printed filters have 6.99 M",
    ),
    Published(
        what="saved by two 3x3 layers in place of one 5x5",
        where="arXiv:1512.00567, Sec. 3.1",
        printed="28",
        unit="%",
        counted=count.exactly(1 - 2 * 9 / 25),
    ),
)


def in_words(evidence: Evidence) -> str:
    reduced, naive = evidence.mult_adds("googlenet_2014"), evidence.mult_adds("googlenet_2014:reduce=false")
    if reduced is None or naive is None:
        return ""
    return (
        f"Without its 1x1 reductions GoogLeNet would take {naive / reduced:.1f} times the multiply-adds "
        f"({naive / 1e9:.1f} G against {reduced / 1e9:.2f} G)."
    )


def affordable(evidence: Evidence) -> tuple[bool, str] | None:
    reduced, naive = evidence.mult_adds("googlenet_2014"), evidence.mult_adds("googlenet_2014:reduce=false")
    if reduced is None or naive is None:
        return None
    return naive > 2 * reduced, f"{naive / reduced:.1f} times the multiply-adds without them"


STUDY = Study(
    name="inception_module",
    question="What do the 1x1 reductions and the auxiliary classifiers of an Inception net buy?",
    source="arXiv:1409.4842, Table 1, Secs. 4 and 5; arXiv:1512.00567, Sec. 3.1",
    arms=(
        Arm(title=PAPER, model="googlenet_2014"),
        Arm(title=NAIVE, model="googlenet_2014:reduce=false"),
        Arm(title=ALONE, model="googlenet_2014", recipe=WITHOUT),
        Arm(title=BN, model="googlenet"),
        Arm(title=BN_ALONE, model="googlenet", recipe=WITHOUT),
    ),
    answer=in_words,
    published=FIGURES,
    claims=(
        Claim(text="Table 1 follows from its own filters", source="Table 1", judge=figures_agree(*FIGURES)),
        Claim(
            text="the reductions keep computation from blowing up: naive modules cost more than twice as much",
            source="Sec. 4",
            judge=holds(affordable),
        ),
        Claim(text="they take more than twice the time, too", source="Sec. 4", judge=slower(NAIVE, PAPER, times=2)),
        Claim(
            text="the reductions cost less than 2 points of accuracy",
            source="Sec. 4, in words",
            judge=more_accurate(PAPER, NAIVE, by=-0.02),
            short="reductions cost under 2 points",
        ),
        Claim(
            text="auxiliary classifiers help in training (the paper: by about 0.5 points)",
            source="Sec. 5",
            judge=more_accurate(PAPER, ALONE),
            short="auxiliary classifiers help",
        ),
        Claim(
            text="they help with batch normalization, too",
            source="arXiv:1512.00567, Sec. 4",
            judge=more_accurate(BN, BN_ALONE),
        ),
    ),
    pictures=(
        Picture(kind="stacked", caption="Where the parameters and the multiply-adds sit."),
        Picture(
            kind="differences",
            caption="What reductions and auxiliary classifiers change in top-1.",
            pairs=((PAPER, NAIVE), (PAPER, ALONE), (BN, BN_ALONE)),
        ),
    ),
    notes=("K in Table 1 is 1024, and it counts filter weights without biases.",),
)
