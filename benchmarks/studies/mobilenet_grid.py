"""All sixteen MobileNets: four widths at four resolutions."""

from __future__ import annotations

import math
import statistics

import zoo
from benchmarks.studies import count
from benchmarks.studies.arm import Arm
from benchmarks.studies.claims import figures_agree, holds, time_follows_work
from benchmarks.studies.evidence import Evidence
from benchmarks.studies.study import Claim, Picture, Published, Study

__all__ = ["RESOLUTIONS", "STUDY", "TRAINED_AT", "WIDTHS", "arm", "label"]

WIDTHS = (1.0, 0.75, 0.5, 0.25)
RESOLUTIONS = (224, 192, 160, 128)
TRAINED_AT = {224: 56, 192: 48, 160: 40, 128: 32}  # a quarter of the paper's, pixels
# top-1 in percent and multiply-adds in M of the published checkpoints (TF-Slim, mobilenet_v1.md)
TF_SLIM = {
    1.0: ((70.9, "569"), (70.0, "418"), (68.0, "291"), (65.2, "186")),
    0.75: ((68.4, "317"), (67.2, "233"), (65.3, "162"), (62.1, "104")),
    0.5: ((63.3, "150"), (61.7, "110"), (59.1, "77"), (56.3, "49")),
    0.25: ((49.8, "41"), (47.7, "34"), (45.5, "21"), (41.5, "14")),
}
PAPER = {
    (1.0, 224): ("569", "Tables 6 and 7"),
    (0.75, 224): ("325", "Table 6"),
    (0.5, 224): ("149", "Table 6"),
    (0.25, 224): ("41", "Table 6"),
    (1.0, 192): ("418", "Table 7"),
    (1.0, 160): ("290", "Table 7"),
    (1.0, 128): ("186", "Table 7"),
    (0.5, 160): ("76", "Table 9"),
    (0.75, 192): ("239", "Table 10"),
}
WRONG = {(0.75, 224), (0.75, 192), (0.75, 160), (0.75, 128), (0.25, 192), (0.5, 224)}  # of TF-Slim's


def label(width: float, resolution: int) -> str:
    """The label of one of the sixteen."""
    return zoo.spec("mobilenet_v1").vary(width=width, resolution=resolution).label


def arm(width: float, resolution: int) -> Arm:
    """One of the sixteen, trained on images as much smaller as the paper's."""
    return Arm(
        title=f"{width:g} at {resolution}",
        model=label(width, resolution),
        img_size=TRAINED_AT[resolution],
        printed_top1=TF_SLIM[width][RESOLUTIONS.index(resolution)][0] / 100,
        printed_source="TF-Slim, mobilenet_v1.md",
    )


FIGURES = (
    *(
        Published(
            what=f"multiply-adds of width {width:g} at {resolution} pixels",
            where=where,
            printed=printed,
            unit="M",
            counted=count.mult_adds(label(width, resolution)),
        )
        for (width, resolution), (printed, where) in PAPER.items()
    ),
    Published(
        what="parameters of width 0.5",
        where="Table 9",
        printed="1.32",
        unit="M",
        counted=count.params(label(0.5, 160)),
        slip="1.33 M follow from Table 1 with all its norms and biases",
    ),
    *(
        Published(
            what=f"multiply-adds of width {width:g} at {resolution} pixels",
            where="TF-Slim, mobilenet_v1.md",
            printed=row[1],
            unit="M",
            counted=count.mult_adds(label(width, resolution)),
            slip="TF-Slim's page disagrees with the network, and with the paper where it prints this one"
            if (width, resolution) in WRONG
            else "",
        )
        for width in WIDTHS
        for resolution, row in zip(RESOLUTIONS, TF_SLIM[width], strict=True)
    ),
)


def in_words(evidence: Evidence) -> str:
    most, least = evidence.mult_adds(label(1.0, 224)), evidence.mult_adds(label(0.25, 128))
    large, small = evidence.params(label(1.0, 224)), evidence.params(label(0.25, 128))
    if most is None or least is None or large is None or small is None:
        return ""
    return (
        f"Width and resolution together span {most / least:.0f}-fold in multiply-adds ({most / 1e6:.0f} to "
        f"{least / 1e6:.1f} M) and {large / small:.0f}-fold in parameters, which resolution does not change; the "
        "published accuracies fall from 70.9 to 41.5 % on the way."
    )


def log_linear(accuracies: list[tuple[int | None, float | None]]) -> tuple[bool, str] | None:
    """Whether accuracy follows the logarithm of multiply-adds: a correlation of at least 0.9."""
    points = [(math.log(cost), top1) for cost, top1 in accuracies if cost is not None and top1 is not None]
    if len(points) < len(accuracies):
        return None
    correlation = statistics.correlation(*zip(*points, strict=True))
    return correlation >= 0.9, f"correlation {correlation:.3f} over {len(points)} networks"


def published_log_linear(evidence: Evidence) -> tuple[bool, str] | None:
    return log_linear([(evidence.mult_adds(each.model), each.printed_top1) for each in evidence.arms])


def measured_log_linear(evidence: Evidence) -> tuple[bool, str] | None:
    found = [(evidence.mult_adds(each.model), evidence.accuracy(each)) for each in evidence.arms]
    return log_linear([(cost, None if mean is None else mean.value) for cost, mean in found])


STUDY = Study(
    name="mobilenet_grid",
    question="What do width and resolution buy together?",
    source="arXiv:1704.04861, Tables 6, 7, 9 and 10, Figures 4 and 5; TF-Slim, mobilenet_v1.md",
    arms=tuple(arm(width, resolution) for width in WIDTHS for resolution in RESOLUTIONS),
    answer=in_words,
    published=FIGURES,
    claims=(
        Claim(
            text="the printed multiply-adds follow from Table 1",
            source="Tables 6, 7, 9 and 10",
            judge=figures_agree(*FIGURES),
        ),
        Claim(
            text="published accuracy grows with the logarithm of the multiply-adds",
            source="Figure 4",
            judge=holds(published_log_linear),
        ),
        Claim(
            text="so does accuracy measured here",
            source="Figure 4",
            judge=holds(measured_log_linear),
            short="accuracy grows with the logarithm of the multiply-adds",
        ),
        Claim(
            text="time falls with the multiply-adds from the largest to the smallest (within 20 %)",
            source="this project's question, not the paper's",
            judge=time_follows_work("1 at 224", "0.25 at 128", within=0.2),
            short="time falls as they do",
        ),
    ),
    pictures=(
        Picture(
            kind="scatter",
            caption="Accuracy against multiply-adds on a logarithmic axis; a colour a width, a marker a resolution.",
        ),
        Picture(kind="heatmaps", caption="The grid: a row a width, a column a resolution."),
    ),
    notes=(
        "Resolutions 224, 192, 160 and 128 are trained here on images of 56, 48, 40 and 32 pixels, a quarter of each.",
    ),
)
