"""The Inception module: with and without 1x1 reductions, and with and without auxiliary classifiers in training."""

import zoo
from benchmarks.studies import count
from benchmarks.studies.claims import holds, more_accurate, slower
from benchmarks.studies.study import Arm, Claim, Picture, Published, Study
from zoo.spec import Printed

__all__ = ["STUDY"]

PAPER, NAIVE, ALONE = "paper, reduced", "paper, naive modules", "paper, no auxiliary loss"
BN, BN_ALONE = "batch norm", "batch norm, no auxiliary loss"
WITHOUT = "sample:auxiliary=false"
REDUCED, FULL = "googlenet_2014", "googlenet_2014:reduce=false"
COSTLY_SLIPS = ("conv1", "inception5a")  # the rows of Table 1 whose multiply-adds are slips, too
WORK, FULL_WORK = count.mult_adds(REDUCED), count.mult_adds(FULL)


def figures(row: Printed) -> tuple[Published, ...]:
    """The two figures of a row of Table 1; its units are written without a space there."""
    rows = row.covers or (row.row,)
    what, slip = " and ".join(rows), row.slip if row.row in COSTLY_SLIPS else ""
    params, mult_adds = (f"{text[:-1]} {text[-1]}" for text in (row.params, row.mult_adds))
    return (
        Published(f"weights of {what}", "Table 1", params, count.weights(REDUCED, *rows), slip=row.slip),
        Published(f"multiply-adds of {what}", "Table 1", mult_adds, count.mult_adds(REDUCED, *rows), slip=slip),
    )


FIGURES = (
    *(figure for row in zoo.spec(REDUCED).printed if row.params for figure in figures(row)),
    Published("multiply-adds of the network", "Sec. 1 (a budget of 1.5 billion)", "1.5 G", WORK),
    Published("weights of the network", "Table 1, sum of the printed column", "6.8 M", count.weights(REDUCED),
              slip="the rows whose printed weights are too few add up to it; the printed filters have 6.99 M"),
    Published("saved by two 3x3 layers in place of one 5x5", "arXiv:1512.00567, Sec. 3.1", "28 %",
              count.exactly(1 - 2 * 9 / 25)),
)  # fmt: skip
CLAIMS = (
    Claim("the reductions keep computation from blowing up: naive modules cost more than twice as much", "Sec. 4",
          holds(lambda ratio: ratio > 2, "{:.1f} times the multiply-adds without them", FULL_WORK / WORK)),
    Claim("they take more than twice the time, too", "Sec. 4", slower(NAIVE, PAPER, times=2)),
    Claim("the reductions cost less than 2 points of accuracy", "Sec. 4, in words",
          more_accurate(PAPER, NAIVE, by=-0.02), short="reductions cost under 2 points"),
    Claim("auxiliary classifiers help in training (the paper: by about 0.5 points)", "Sec. 5",
          more_accurate(PAPER, ALONE), short="auxiliary classifiers help"),
    Claim("they help with batch normalization, too", "arXiv:1512.00567, Sec. 4", more_accurate(BN, BN_ALONE)),
)  # fmt: skip

STUDY = Study(
    name="inception_module",
    question="What do the 1x1 reductions and the auxiliary classifiers of an Inception net buy?",
    source="arXiv:1409.4842, Table 1, Secs. 4 and 5; arXiv:1512.00567, Sec. 3.1",
    arms=(
        Arm(PAPER, REDUCED),
        Arm(NAIVE, FULL),
        Arm(ALONE, REDUCED, recipe=WITHOUT),
        Arm(BN, "googlenet"),
        Arm(BN_ALONE, "googlenet", recipe=WITHOUT),
    ),
    answer=count.in_words(
        "Without its 1x1 reductions GoogLeNet would take {:.1f} times the multiply-adds ({:.1f} G against {:.2f} G).",
        (FULL_WORK / WORK, FULL_WORK / 1e9, WORK / 1e9),
    ),
    published=FIGURES,
    claims=CLAIMS,
    pictures=(
        Picture("stacked"),
        Picture("differences", "What reductions and auxiliary classifiers change in top-1."),
    ),
    notes=("K in Table 1 is 1024, and it counts filter weights without biases.",),
)
