"""Standard against depthwise separable convolutions in MobileNet."""

from benchmarks.studies import count
from benchmarks.studies.claims import holds, more_accurate, time_follows_work
from benchmarks.studies.finding import Finding
from benchmarks.studies.study import Arm, Claim, Picture, Published, Study
from zoo.models.mobilenet_v1 import TABLE_1

__all__ = ["STUDY"]

STANDARD, SEPARABLE = "standard convolutions", "depthwise separable"
FULL, SMALL = "mobilenet_v1:separable=false", "mobilenet_v1"
DEPTHWISE = [f"dw_{row}" for row in range(2, len(TABLE_1) + 2)]
DEPTHWISE_WORK = count.mult_adds(SMALL, *DEPTHWISE) / count.mult_adds(SMALL)
FEWER_MULT_ADDS = count.mult_adds(FULL) / count.mult_adds(SMALL)
FEWER_PARAMS = count.params(FULL) / count.params(SMALL)
# share of the multiply-adds and of the weights by kind of layer
TABLE_2 = {
    "conv 1x1": ("94.86 %", "74.59 %"),
    "depthwise 3x3": ("3.06 %", "1.06 %"),
    "conv 3x3": ("1.19 %", "0.02 %"),
    "linear": ("0.18 %", "24.33 %"),
}
SWAPPED = "1.91 % follow from the architecture: two digits changed places (the printed column sums to 99.29 %)"


def standard(channels: int, filters: int, kernel: int = 3) -> int:
    """Weights of a convolution; with as many multiply-adds at each place of its map."""
    return kernel**2 * channels * filters


def separable(channels: int, filters: int, kernel: int = 3) -> int:
    """Weights of a depthwise and a pointwise convolution."""
    return kernel**2 * channels + channels * filters


TABLE_3 = (
    ("a 3x3 convolution of 512 to 512 channels at 14x14", standard(512, 512), 14, "2.36 M", "462 M"),
    ("the same, separable", separable(512, 512), 14, "0.27 M", "52.3 M"),
    ("the separable one with width 0.75", separable(384, 384), 14, "0.15 M", "29.6 M"),
    ("that at resolution 0.714", separable(384, 384), 10, "0.15 M", "15.1 M"),
)
FIGURES = (
    Published("weights of a 5x5 convolution of 3 to 3 channels", "the usual example", "225",
              count.exactly(standard(3, 3, kernel=5))),
    Published("weights of the same, separable", "the usual example", "84", count.exactly(separable(3, 3, kernel=5))),
    Published("multiply-adds with standard convolutions", "Table 4", "4866 M", count.mult_adds(FULL),
              slip="4866.3 M are the convolutions alone; the 569 M beside them include the classifier's 1.0 M"),
    Published("parameters with standard convolutions", "Table 4", "29.3 M", count.params(FULL)),
    Published("multiply-adds of MobileNet", "Table 4", "569 M", count.mult_adds(SMALL)),
    Published("parameters of MobileNet", "Table 4", "4.2 M", count.params(SMALL)),
    *(
        Published(f"share of {kind} layers in {what}", "Table 2", text, count.share(SMALL, kind, quantity),
                  slip=SWAPPED if text == "1.19 %" else "")
        for kind, texts in TABLE_2.items()
        for what, quantity, text in zip(("multiply-adds", "weights"), ("mult_adds", "weights"), texts, strict=True)
    ),
    *(
        Published(f"{what} of {step}", "Table 3", text, count.exactly(value))
        for step, weights, side, small, large in TABLE_3
        for what, text, value in (("weights", small, weights), ("multiply-adds", large, weights * side**2))
    ),
)  # fmt: skip
IN_TIME = count.in_words(
    ", and {:.1f} times less time here (the depthwise halves do {:.1%} of the multiply-adds in {:.0%} of the time)",
    (count.time_ratio(STANDARD, SEPARABLE), DEPTHWISE_WORK, count.time_share(SMALL, *DEPTHWISE)),
)
CLAIMS = (
    Claim("3x3 depthwise separable convolutions take 8 to 9 times less computation", "Sec. 3.1",
          holds(lambda ratio: 8 <= ratio <= 9, "{:.2f} times", FEWER_MULT_ADDS)),
    Claim("time falls with the multiply-adds (within 20 %), as nearly all of them sit in dense 1x1 convolutions",
          "Sec. 3.2, in words; the margin is this project's", time_follows_work(STANDARD, SEPARABLE, within=0.2),
          short="time falls as the multiply-adds do"),
    Claim("standard convolutions are the more accurate (71.7 against 70.6 %)", "Table 4",
          more_accurate(STANDARD, SEPARABLE), short="standard convolutions more accurate"),
    Claim("separable ones lose no more than the paper's 1.1 points", "Table 4",
          more_accurate(SEPARABLE, STANDARD, by=-0.011)),
)  # fmt: skip

STUDY = Study(
    name="separable",
    question="What do depthwise separable convolutions save, and what do they cost?",
    source="arXiv:1704.04861, Tables 2, 3 and 4",
    arms=(Arm(STANDARD, FULL), Arm(SEPARABLE, SMALL)),
    answer=count.in_words(
        "Depthwise separable convolutions take {:.1f} times fewer multiply-adds and {:.1f} times fewer parameters than "
        "standard ones{}; in the paper they lose 1.1 points of top-1 for it.",
        (FEWER_MULT_ADDS, FEWER_PARAMS, Finding(lambda evidence: IN_TIME(evidence) or "")),
    ),
    published=FIGURES,
    claims=CLAIMS,
    pictures=(
        Picture("stacked"),
        Picture("differences", pairs=((STANDARD, SEPARABLE),)),
        Picture("rows", panels=((STANDARD, (STANDARD,)), (SEPARABLE, (SEPARABLE,)))),
    ),
    metrics=("accuracy", "latency", "layers"),
)
