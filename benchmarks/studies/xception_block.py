"""Inside Xception's block: shortcut, activation between the halves, their order, and shared weights."""

from __future__ import annotations

from benchmarks.studies import count
from benchmarks.studies.arm import Arm
from benchmarks.studies.claims import as_accurate, figures_agree, holds, more_accurate
from benchmarks.studies.evidence import Evidence
from benchmarks.studies.study import Claim, Picture, Published, Study
from zoo.models.xception import ENTRY_FLOW, EXIT_FLOW, EXIT_SEPARABLE, MIDDLE_FLOW, STEM

__all__ = ["STUDY"]

PAPER, PLAIN, RELU, ELU = "Xception", "no shortcuts", "ReLU in between", "ELU in between"
POINTWISE, SHARED = "pointwise first", "one middle block, used 8 times"
MIDDLE = tuple(f"middle{row}" for row in range(1, len(MIDDLE_FLOW) + 1))
CONVOLUTIONS = len(STEM) + sum(map(len, ENTRY_FLOW + MIDDLE_FLOW)) + len(EXIT_FLOW) + len(EXIT_SEPARABLE)

FIGURES = (
    Published(
        what="parameters",
        where="Table 3",
        printed="22855952",
        counted=count.params("xception"),
    ),
    Published(
        what="convolution layers in features (a separable one counts once, shortcuts not)",
        where="Sec. 3",
        printed="36",
        counted=count.exactly(CONVOLUTIONS),
    ),
)


def in_words(evidence: Evidence) -> str:
    whole, middle = evidence.params("xception"), evidence.params("xception", *MIDDLE)
    shared = evidence.params("xception:share_middle=true")
    if whole is None or middle is None or shared is None:
        return ""
    return (
        f"The eight identical blocks of the middle flow hold {middle / whole:.0%} of Xception's parameters (sharing "
        f"one leaves {shared / 1e6:.1f} of {whole / 1e6:.1f} M); the paper finds shortcuts essential and an activation "
        "between the halves of a separable convolution harmful."
    )


def same_cost(evidence: Evidence) -> tuple[bool, str] | None:
    one, other = evidence.mult_adds("xception"), evidence.mult_adds("xception:share_middle=true")
    return None if one is None or other is None else (one == other, f"{one:,} multiply-adds either way")


STUDY = Study(
    name="xception_block",
    question="Which parts of Xception's block matter?",
    source="arXiv:1610.02357, Secs. 1.2, 4.6 and 4.7, Figures 9 and 10",
    arms=(
        Arm(title=PAPER, model="xception"),
        Arm(title=PLAIN, model="xception:residual=false"),
        Arm(title=RELU, model="xception:intermediate_activation=relu"),
        Arm(title=ELU, model="xception:intermediate_activation=elu"),
        Arm(title=POINTWISE, model="xception:separable_order=pointwise_first"),
        Arm(title=SHARED, model="xception:share_middle=true"),
    ),
    answer=in_words,
    published=FIGURES,
    claims=(
        Claim(text="the printed figures follow from Figure 5", source="Sec. 3, Table 3", judge=figures_agree(*FIGURES)),
        Claim(
            text="residual connections raise the accuracy",
            source="Sec. 4.6, Figure 9",
            judge=more_accurate(PAPER, PLAIN),
            short="shortcuts help",
        ),
        Claim(
            text="no activation between depthwise and pointwise is better than ReLU",
            source="Sec. 4.7, Figure 10",
            judge=more_accurate(PAPER, RELU),
            short="no activation better than ReLU",
        ),
        Claim(
            text="and better than ELU", source="Sec. 4.7, Figure 10", judge=more_accurate(PAPER, ELU), short="than ELU"
        ),
        Claim(
            text="the order of the two halves is unimportant (within 2 points)",
            source="Sec. 1.2",
            judge=as_accurate(PAPER, POINTWISE, within=0.02),
        ),
        Claim(
            text="sharing the middle flow's weights leaves the multiply-adds as they are",
            source="this project's question, not the paper's",
            judge=holds(same_cost),
        ),
        Claim(
            text="eight middle blocks of their own are more accurate than one used eight times",
            source="this project's question, not the paper's",
            judge=more_accurate(PAPER, SHARED),
        ),
    ),
    pictures=(
        Picture(
            kind="differences",
            caption="What Xception gains over each variant in top-1.",
            pairs=tuple((PAPER, title) for title in (PLAIN, RELU, ELU, POINTWISE, SHARED)),
        ),
        Picture(
            kind="curves",
            caption="Error on training images (thin) and on test images (bold) after each epoch, one line a seed.",
            panels=(("shortcuts (Figure 9)", (PAPER, PLAIN)), ("activation (Figure 10)", (PAPER, RELU, ELU))),
        ),
        Picture(kind="stacked", caption="Where the parameters and the multiply-adds sit."),
    ),
)
