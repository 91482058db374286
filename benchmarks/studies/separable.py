"""Standard against depthwise separable convolutions in MobileNet."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.studies import count
from benchmarks.studies.arm import Arm
from benchmarks.studies.claims import figures_agree, holds, more_accurate, time_follows_work
from benchmarks.studies.evidence import Evidence
from benchmarks.studies.study import Claim, Picture, Published, Study

__all__ = ["STUDY"]

STANDARD, SEPARABLE = "standard convolutions", "depthwise separable"
FULL = "mobilenet_v1:separable=false"
# Table 2: share of the multiply-adds and of the weights by kind of layer
TABLE_2 = {
    "conv 1x1": ("94.86", "74.59"),
    "depthwise 3x3": ("3.06", "1.06"),
    "conv 3x3": ("1.19", "0.02"),
    "linear": ("0.18", "24.33"),
}


def _share(kind: str, quantity: str) -> count.Count:
    def counted(evidence: Evidence) -> float | None:
        kinds = evidence.kinds("mobilenet_v1")
        return None if kinds is None else kinds[kind][quantity] / sum(sums[quantity] for sums in kinds.values())

    return counted


def table_2() -> Iterator[Published]:
    for kind, (mult_adds, weights) in TABLE_2.items():
        yield Published(
            what=f"share of {kind} layers in multiply-adds",
            where="Table 2",
            printed=mult_adds,
            unit="%",
            counted=_share(kind, "mult_adds"),
            slip="1.91 % follow from the architecture: two digits changed places (the printed column sums to 99.29 %)"
            if kind == "conv 3x3"
            else "",
        )
        yield Published(
            what=f"share of {kind} layers in weights",
            where="Table 2",
            printed=weights,
            unit="%",
            counted=_share(kind, "weights"),
        )


def standard(side: int, channels: int, filters: int, kernel: int = 3) -> tuple[int, int]:
    """Weights and multiply-adds of a convolution on a map of `side` x `side`."""
    weights = kernel**2 * channels * filters
    return weights, weights * side**2


def separable(side: int, channels: int, filters: int, kernel: int = 3) -> tuple[int, int]:
    """Weights and multiply-adds of a depthwise and a pointwise convolution."""
    weights = kernel**2 * channels + channels * filters
    return weights, weights * side**2


def table_3() -> Iterator[Published]:
    for step, (weights, mult_adds), printed in (
        ("a 3x3 convolution of 512 to 512 channels at 14x14", standard(14, 512, 512), ("2.36", "462")),
        ("the same, separable", separable(14, 512, 512), ("0.27", "52.3")),
        ("with width 0.75", separable(14, 384, 384), ("0.15", "29.6")),
        ("and resolution 0.714", separable(10, 384, 384), ("0.15", "15.1")),
    ):
        yield Published(
            what=f"weights of {step}", where="Table 3", printed=printed[0], unit="M", counted=count.exactly(weights)
        )
        yield Published(
            what=f"multiply-adds of {step}",
            where="Table 3",
            printed=printed[1],
            unit="M",
            counted=count.exactly(mult_adds),
        )


FIGURES = (
    Published(
        what="weights of a 5x5 convolution of 3 to 3 channels",
        where="the usual example",
        printed="225",
        counted=count.exactly(standard(1, 3, 3, kernel=5)[0]),
    ),
    Published(
        what="weights of the same, separable",
        where="the usual example",
        printed="84",
        counted=count.exactly(separable(1, 3, 3, kernel=5)[0]),
    ),
    Published(
        what="multiply-adds with standard convolutions",
        where="Table 4",
        printed="4866",
        unit="M",
        counted=count.mult_adds(FULL),
        slip="4866.3 M are the convolutions alone; the 569 M beside them include the classifier's 1.0 M",
    ),
    Published(
        what="parameters with standard convolutions",
        where="Table 4",
        printed="29.3",
        unit="M",
        counted=count.params(FULL),
    ),
    Published(
        what="multiply-adds of MobileNet",
        where="Table 4",
        printed="569",
        unit="M",
        counted=count.mult_adds("mobilenet_v1"),
    ),
    Published(
        what="parameters of MobileNet",
        where="Table 4",
        printed="4.2",
        unit="M",
        counted=count.params("mobilenet_v1"),
    ),
    *table_2(),
    *table_3(),
)


def in_words(evidence: Evidence) -> str:
    found = _ratios(evidence)
    if found is None:
        return ""
    return (
        f"Depthwise separable convolutions take {found[0]:.1f} times fewer multiply-adds and {found[1]:.1f} times "
        f"fewer parameters than standard ones{_in_time(evidence)}; in the paper they lose 1.1 points of top-1 for it."
    )


def _in_time(evidence: Evidence) -> str:
    """How much of the saving arrives as time, and why not all of it."""
    standard, separable = evidence.arms
    ratio = evidence.time_ratio(standard, separable)
    rows = evidence.rows(separable.model) or {}
    depthwise = [name for name in rows if name.startswith("dw_")]
    share, work = evidence.time_share(separable.model, depthwise), evidence.mult_adds(separable.model, *depthwise)
    whole = evidence.mult_adds(separable.model)
    if ratio is None or share is None or not work or not whole:
        return ""
    return (
        f", and {ratio.value:.1f} times less time here (the depthwise halves do {work / whole:.1%} of the "
        f"multiply-adds in {share.value:.0%} of the time)"
    )


def _ratios(evidence: Evidence) -> tuple[float, float] | None:
    costs = evidence.mult_adds(FULL), evidence.mult_adds("mobilenet_v1")
    sizes = evidence.params(FULL), evidence.params("mobilenet_v1")
    if costs[0] is None or costs[1] is None or sizes[0] is None or sizes[1] is None:
        return None
    return costs[0] / costs[1], sizes[0] / sizes[1]


def eight_to_nine(evidence: Evidence) -> tuple[bool, str] | None:
    found = _ratios(evidence)
    return None if found is None else (8 <= found[0] <= 9, f"{found[0]:.2f} times")


STUDY = Study(
    name="separable",
    question="What do depthwise separable convolutions save, and what do they cost?",
    source="arXiv:1704.04861, Tables 2, 3 and 4",
    arms=(Arm(title=STANDARD, model=FULL), Arm(title=SEPARABLE, model="mobilenet_v1")),
    answer=in_words,
    published=FIGURES,
    claims=(
        Claim(
            text="the printed costs and shares follow from Table 1",
            source="Tables 2 to 4",
            judge=figures_agree(*FIGURES),
        ),
        Claim(
            text="3x3 depthwise separable convolutions take 8 to 9 times less computation",
            source="Sec. 3.1",
            judge=holds(eight_to_nine),
        ),
        Claim(
            text="time falls with the multiply-adds (within 20 %), as nearly all of them sit in dense 1x1 convolutions",
            source="Sec. 3.2, in words; the margin is this project's",
            judge=time_follows_work(STANDARD, SEPARABLE, within=0.2),
            short="time falls as the multiply-adds do",
        ),
        Claim(
            text="standard convolutions are the more accurate (71.7 against 70.6 %)",
            source="Table 4",
            judge=more_accurate(STANDARD, SEPARABLE),
            short="standard convolutions more accurate",
        ),
        Claim(
            text="separable ones lose no more than the paper's 1.1 points",
            source="Table 4",
            judge=more_accurate(SEPARABLE, STANDARD, by=-0.011),
        ),
    ),
    pictures=(
        Picture(kind="stacked", caption="Where the parameters and the multiply-adds sit."),
        Picture(kind="differences", caption="Difference in top-1 on the same seeds.", pairs=((STANDARD, SEPARABLE),)),
        Picture(
            kind="rows",
            caption="Where the time goes, row by row: a bar that passes its diamond takes longer than its share of the "
            "work. At the right, multiply-adds a nanosecond.",
            panels=((STANDARD, (STANDARD,)), (SEPARABLE, (SEPARABLE,))),
        ),
    ),
    metrics=("accuracy", "latency", "layers"),
)
