"""Where AlexNet's parameters are, layer by layer, and what became of the network since 2012."""

from __future__ import annotations

import math

from benchmarks.studies import count
from benchmarks.studies.arm import Arm
from benchmarks.studies.claims import figures_agree, holds
from benchmarks.studies.evidence import Evidence
from benchmarks.studies.study import Claim, Picture, Published, Study

__all__ = ["STUDY"]

LINEAR = ("fc6", "fc7", "fc8")
NEURONS = {"conv1": "253440", "conv2": "186624", "conv3": "64896", "conv4": "64896", "conv5": "43264", "fc6": "4096",
           "fc7": "4096", "fc8": "1000"}  # fmt: skip


def neurons(row: str) -> count.Count:
    def counted(evidence: Evidence) -> float | None:
        rows = evidence.rows("alexnet_2012")
        return None if rows is None else math.prod(rows[row]["output"])

    return counted


def _all_neurons(evidence: Evidence) -> float | None:
    counts = [neurons(row)(evidence) for row in NEURONS]
    return sum(each for each in counts if each is not None) if None not in counts else None


def ten_classes(evidence: Evidence) -> float | None:
    params = evidence.params("alexnet")
    return None if params is None else params - 990 * (4096 + 1)  # a row of fc8 and its bias a class


def shares(evidence: Evidence, model: str) -> tuple[float, float] | None:
    """Shares of the linear layers in parameters and in multiply-adds."""
    params, mult_adds = evidence.params(model), evidence.mult_adds(model)
    own, cost = evidence.params(model, *LINEAR), evidence.mult_adds(model, *LINEAR)
    if params is None or mult_adds is None or own is None or cost is None:
        return None
    return own / params, cost / mult_adds


def in_words(evidence: Evidence) -> str:
    found = shares(evidence, "alexnet_2012")
    if found is None:
        return ""
    params, mult_adds = found
    return (
        f"Three linear layers hold {params:.1%} of AlexNet's parameters and do {mult_adds:.1%} of its multiply-adds; "
        "the five convolutions are the reverse."
    )


def weird_trick(evidence: Evidence) -> tuple[bool, str] | None:
    found = shares(evidence, "alexnet")
    if found is None:
        return None
    params, mult_adds = found
    true = abs(params - 0.95) < 0.015 and 0.05 <= mult_adds <= 0.10
    return true, f"{params:.1%} of the parameters, {mult_adds:.1%} of the multiply-adds"


FIGURES = (
    Published(
        what="parameters",
        where="Abstract (60 million)",
        printed="60",
        unit="M",
        counted=count.params("alexnet_2012"),
    ),
    Published(
        what="neurons",
        where="Abstract (650,000)",
        printed="0.65",
        unit="M",
        counted=_all_neurons,
    ),
    *(
        Published(
            what=f"neurons of {row}",
            where="Figure 2",
            printed=printed,
            counted=neurons(row),
            slip="96 maps of 55x55 have 290,400 neurons" if row == "conv1" else "",
        )
        for row, printed in NEURONS.items()
    ),
    Published(
        what="parameters of torchvision's alexnet",
        where="torchvision 0.29, weights metadata",
        printed="61100840",
        counted=count.params("alexnet"),
    ),
    Published(
        what="parameters of torchvision's alexnet with 10 classes",
        where="torchvision 0.29, alexnet(num_classes=10)",
        printed="57044810",
        counted=ten_classes,
    ),
)


STUDY = Study(
    name="alexnet_parameters",
    question="Where are AlexNet's parameters, and where its work?",
    source="Krizhevsky et al., NIPS 2012; arXiv:1404.5997, Sec. 2",
    arms=(
        Arm(title="2012, two groups", model="alexnet_2012", trained=False),
        Arm(title="2012, one group", model="alexnet_2012:groups=1", trained=False),
        Arm(title="torchvision", model="alexnet", trained=False),
        Arm(title="batch norm", model="alexnet_bn", trained=False),
    ),
    answer=in_words,
    published=FIGURES,
    claims=(
        Claim(
            text="the printed figures follow from the architecture", source="Figure 2", judge=figures_agree(*FIGURES)
        ),
        Claim(
            text="fully-connected layers hold about 95 % of the parameters and do 5 to 10 % of the computation",
            source="arXiv:1404.5997, Sec. 2",
            judge=holds(weird_trick),
        ),
    ),
    pictures=(Picture(kind="stacked", caption="Where the parameters and the multiply-adds of each variant sit."),),
    metrics=(),
    notes=("With 10 classes instead of 1000 the last layer loses 990 x 4097 parameters, whatever the image size.",),
)
