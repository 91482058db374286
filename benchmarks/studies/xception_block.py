"""Inside Xception's block: shortcut, activation between the halves, their order, and shared weights."""

from benchmarks.studies import count
from benchmarks.studies.claims import as_accurate, holds, more_accurate
from benchmarks.studies.study import OURS, Arm, Claim, Picture, Published, Study
from zoo.models.xception import ENTRY_FLOW, EXIT_FLOW, EXIT_SEPARABLE, MIDDLE_FLOW, STEM

__all__ = ["STUDY"]

PAPER, PLAIN, RELU, ELU = "Xception", "no shortcuts", "ReLU in between", "ELU in between"
POINTWISE, SHARED = "pointwise first", "one middle block, used 8 times"
SHARING = "xception:share_middle=true"
MIDDLE = [f"middle{row}" for row in range(1, len(MIDDLE_FLOW) + 1)]
CONVOLUTIONS = len(STEM) + sum(map(len, ENTRY_FLOW + MIDDLE_FLOW)) + len(EXIT_FLOW) + len(EXIT_SEPARABLE)
PARAMS = count.params("xception")
FIGURES = (
    Published("parameters", "Table 3", "22855952", PARAMS),
    Published("convolution layers in features (a separable one counts once, shortcuts not)", "Sec. 3", "36",
              count.exactly(CONVOLUTIONS)),
)  # fmt: skip
CLAIMS = (
    Claim("residual connections raise the accuracy", "Sec. 4.6, Figure 9", more_accurate(PAPER, PLAIN),
          short="shortcuts help"),
    Claim("no activation between depthwise and pointwise is better than ReLU", "Sec. 4.7, Figure 10",
          more_accurate(PAPER, RELU), short="no activation better than ReLU"),
    Claim("and better than ELU", "Sec. 4.7, Figure 10", more_accurate(PAPER, ELU), short="than ELU"),
    Claim("the order of the two halves is unimportant (within 2 points)", "Sec. 1.2",
          as_accurate(PAPER, POINTWISE, within=0.02)),
    Claim("sharing the middle flow's weights leaves the multiply-adds as they are", OURS,
          holds(lambda own, shared: own == shared, "{:,} multiply-adds either way", count.mult_adds("xception"),
                count.mult_adds(SHARING))),
    Claim("eight middle blocks of their own are more accurate than one used eight times", OURS,
          more_accurate(PAPER, SHARED)),
)  # fmt: skip

STUDY = Study(
    name="xception_block",
    question="Which parts of Xception's block matter?",
    source="arXiv:1610.02357, Secs. 1.2, 4.6 and 4.7, Figures 9 and 10",
    arms=(
        Arm(PAPER, "xception"),
        Arm(PLAIN, "xception:residual=false"),
        Arm(RELU, "xception:intermediate_activation=relu"),
        Arm(ELU, "xception:intermediate_activation=elu"),
        Arm(POINTWISE, "xception:separable_order=pointwise_first"),
        Arm(SHARED, SHARING),
    ),
    answer=count.in_words(
        "The eight identical blocks of the middle flow hold {:.0%} of Xception's parameters (sharing one leaves {:.1f} "
        "of {:.1f} M); the paper finds shortcuts essential and an activation between the halves of a separable "
        "convolution harmful.",
        (count.params("xception", *MIDDLE) / PARAMS, count.params(SHARING) / 1e6, PARAMS / 1e6),
    ),
    published=FIGURES,
    claims=CLAIMS,
    pictures=(
        Picture("differences", "What Xception gains over each variant in top-1."),
        Picture(
            "curves",
            panels=(("shortcuts (Figure 9)", (PAPER, PLAIN)), ("activation (Figure 10)", (PAPER, RELU, ELU))),
        ),
        Picture("stacked"),
    ),
)
