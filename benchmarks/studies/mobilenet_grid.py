"""All sixteen MobileNets: four widths at four resolutions."""

import math
from collections.abc import Iterable, Iterator, Mapping

from benchmarks.stats.intervals import Interval
from benchmarks.stats.ranking import linear_correlation
from benchmarks.studies import count
from benchmarks.studies.claims import at_least, time_follows_work
from benchmarks.studies.finding import Count, combined
from benchmarks.studies.mobilenets import ALL_SMALLER, GRID, TRAINED_AT, label
from benchmarks.studies.study import OURS, Arm, Claim, Judge, Picture, Published, Study

__all__ = ["STUDY"]

COSTS = {(width, side): count.mult_adds(label(width=width, resolution=side)) for width, side in GRID}
SIZES = {(width, side): count.params(label(width=width, resolution=side)) for width, side in GRID}
MOST, LEAST = COSTS[1.0, 224], COSTS[0.25, 128]
# multiply-adds in M, by width and resolution
PAPER = {
    "Tables 6 and 7": {(1.0, 224): "569"},
    "Table 6": {(0.75, 224): "325", (0.5, 224): "149", (0.25, 224): "41"},
    "Table 7": {(1.0, 192): "418", (1.0, 160): "290", (1.0, 128): "186"},
    "Table 9": {(0.5, 160): "76"},
    "Table 10": {(0.75, 192): "239"},
}
# top-1 in percent and multiply-adds in M of the published checkpoints, a row a width
TF_SLIM = "TF-Slim, mobilenet_v1.md"
SLIM = (
    ((70.9, "569"), (70.0, "418"), (68.0, "291"), (65.2, "186")),
    ((68.4, "317"), (67.2, "233"), (65.3, "162"), (62.1, "104")),
    ((63.3, "150"), (61.7, "110"), (59.1, "77"), (56.3, "49")),
    ((49.8, "41"), (47.7, "34"), (45.5, "21"), (41.5, "14")),
)
SLIM_TOP1, SLIM_COSTS = (dict(zip(GRID, column, strict=True)) for column in zip(*sum(SLIM, ()), strict=True))
SLIM_SLIP = "TF-Slim's page disagrees with the network, and with the paper where it prints this one"
SLIM_WRONG = ((0.75, 224), (0.75, 192), (0.75, 160), (0.75, 128), (0.25, 192), (0.5, 224))


def mult_adds(where: str, digits: Mapping[tuple[float, int], str]) -> Iterator[Published]:
    """The figures that are printed in one place; TF-Slim's are not all right."""
    for (width, side), text in digits.items():
        wrong = where == TF_SLIM and (width, side) in SLIM_WRONG
        yield Published(
            f"multiply-adds of width {width:g} at {side} pixels",
            where,
            f"{text} M",
            COSTS[width, side],
            slip=SLIM_SLIP if wrong else "",
        )


FIGURES = (
    *(figure for where, digits in PAPER.items() for figure in mult_adds(where, digits)),
    Published("parameters of width 0.5", "Table 9", "1.32 M", SIZES[0.5, 160],
              slip="1.33 M follow from Table 1 with all its norms and biases"),
    *mult_adds(TF_SLIM, SLIM_COSTS),
)  # fmt: skip


LEAST_CORRELATION = 0.9


def log_linear(top1: Iterable[Count], costs: Iterable[Count]) -> Judge:
    """Accuracies follow the logarithm of multiply-adds."""

    def correlation(*found: float) -> Interval | None:
        return linear_correlation([math.log(cost) for cost in found[len(GRID) :]], found[: len(GRID)])

    words = f"correlation {{:.2f}} (95 % interval {{:.2f}} to {{:.2f}}) over {len(GRID)} networks"
    return at_least(LEAST_CORRELATION, words, combined(correlation, *top1, *costs))


ARMS = tuple(
    Arm(
        f"{width:g} at {resolution}",
        label(width=width, resolution=resolution),
        img_size=TRAINED_AT[resolution],
        printed=(top1 / 100, TF_SLIM),
    )
    for (width, resolution), top1 in SLIM_TOP1.items()
)
CLAIMS = (
    Claim(f"published accuracy grows with the logarithm of the multiply-adds (correlation {LEAST_CORRELATION:g} or "
          "more)", "Figure 4", log_linear(map(count.exactly, SLIM_TOP1.values()), COSTS.values())),
    Claim(f"so does accuracy measured here, over the multiply-adds at the size trained at (correlation "
          f"{LEAST_CORRELATION:g} or more)", "Figure 4",
          log_linear([count.accuracy(arm.title) for arm in ARMS], [count.trained_cost(arm.title) for arm in ARMS]),
          short=f"accuracy grows with the logarithm of the multiply-adds (correlation {LEAST_CORRELATION:g} or more)"),
    Claim("time falls with the multiply-adds from the largest to the smallest (within 20 %)", OURS,
          time_follows_work("1 at 224", "0.25 at 128", within=0.2), short="time falls as they do"),
)  # fmt: skip

STUDY = Study(
    name="mobilenet_grid",
    question="What do width and resolution buy together?",
    source="arXiv:1704.04861, Tables 6, 7, 9 and 10, Figures 4 and 5; TF-Slim, mobilenet_v1.md",
    arms=ARMS,
    answer=count.in_words(
        "Width and resolution together span {:.0f}-fold in multiply-adds ({:.0f} to {:.1f} M) and {:.0f}-fold in "
        "parameters, which resolution does not change; the published accuracies fall from 70.9 to 41.5 % on the way.",
        (MOST / LEAST, MOST / 1e6, LEAST / 1e6, SIZES[1.0, 224] / SIZES[0.25, 128]),
    ),
    published=FIGURES,
    claims=CLAIMS,
    pictures=(
        Picture(
            "scatter",
            "Accuracy against multiply-adds on a logarithmic axis; a colour a width, a marker a resolution, bars the "
            "95 % intervals over seeds.",
            color="width {width:g}",
            marker="{resolution} pixels",
        ),
        Picture(
            "heatmaps",
            "The grid: a row a width, a column a resolution.",
            rows=("width", "{width:g}"),
            columns=("resolution, pixels", "{resolution}"),
        ),
    ),
    notes=(ALL_SMALLER,),
)
