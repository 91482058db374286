"""Xception against Inception V3 of the same size."""

from __future__ import annotations

from benchmarks.studies import count
from benchmarks.studies.arm import Arm
from benchmarks.studies.claims import figures_agree, holds, more_accurate, slower
from benchmarks.studies.evidence import Evidence
from benchmarks.studies.study import Claim, Picture, Published, Study

__all__ = ["STUDY"]

XCEPTION, INCEPTION = "Xception", "Inception V3"
TABLE_1 = "arXiv:1610.02357, Table 1"
SIDE = 75  # pixels; Inception V3 takes no fewer

FIGURES = (
    Published(
        what="parameters of Xception",
        where="Table 3",
        printed="22855952",
        counted=count.params("xception"),
    ),
    Published(
        what="parameters of Inception V3",
        where="Table 3",
        printed="23626728",
        counted=count.params("inception_v3"),
        slip="no public implementation has this count: torchvision 23,834,568, Keras 23,817,352 that are trained",
    ),
    Published(
        what="multiply-adds of Inception V3",
        where="arXiv:1512.00567, Table 3",
        printed="4.8",
        unit="G",
        counted=count.mult_adds("inception_v3"),
        slip="the network TensorFlow published takes 5.71 G at 299 pixels",
    ),
)


def in_words(evidence: Evidence) -> str:
    sizes = evidence.params("xception"), evidence.params("inception_v3")
    costs = evidence.mult_adds("xception"), evidence.mult_adds("inception_v3")
    if sizes[0] is None or sizes[1] is None or costs[0] is None or costs[1] is None:
        return ""
    return (
        f"Xception has {sizes[0] / sizes[1] - 1:+.1%} parameters against Inception V3 and takes "
        f"{costs[0] / costs[1]:.2f} times its multiply-adds; the paper finds it 0.8 points more accurate on ImageNet."
    )


def same_size(evidence: Evidence) -> tuple[bool, str] | None:
    sizes = evidence.params("xception"), evidence.params("inception_v3")
    if sizes[0] is None or sizes[1] is None:
        return None
    return abs(sizes[0] / sizes[1] - 1) < 0.05, f"{sizes[0]:,} against {sizes[1]:,}"


STUDY = Study(
    name="xception_vs_inception",
    question="Is Xception better than Inception V3 because it is larger, or because it uses its parameters better?",
    source="arXiv:1610.02357, Tables 1 and 3",
    arms=(
        Arm(title="VGG-16", model="vgg16", trained=False, printed_top1=0.715, printed_source=TABLE_1),
        Arm(title="ResNet-152", model="resnet152", trained=False, printed_top1=0.770, printed_source=TABLE_1),
        Arm(title=INCEPTION, model="inception_v3", img_size=SIDE, printed_top1=0.782, printed_source=TABLE_1),
        Arm(title=XCEPTION, model="xception", img_size=SIDE, printed_top1=0.790, printed_source=TABLE_1),
    ),
    answer=in_words,
    published=FIGURES,
    claims=(
        Claim(text="the printed sizes follow from the architectures", source="Table 3", judge=figures_agree(*FIGURES)),
        Claim(text="the two have about as many parameters (within 5 %)", source="Table 3", judge=holds(same_size)),
        Claim(
            text="Xception is more accurate than Inception V3 (79.0 against 78.2 %)",
            source="Table 1",
            judge=more_accurate(XCEPTION, INCEPTION),
            short="Xception more accurate than Inception V3",
        ),
        Claim(
            text="Xception is the slower of the two (28 against 31 steps a second in training there, inference here)",
            source="Table 3",
            judge=slower(XCEPTION, INCEPTION),
            short="slower",
        ),
    ),
    pictures=(
        Picture(kind="stacked", caption="Where the parameters and the multiply-adds sit."),
        Picture(kind="differences", caption="Difference in top-1 on the same seeds.", pairs=((XCEPTION, INCEPTION),)),
    ),
    notes=(
        "Table 1's accuracies (top-1 and top-5): VGG-16 71.5 and 90.1 %, ResNet-152 77.0 and 93.3 %, Inception V3 78.2 "
        "and 94.1 %, Xception 79.0 and 94.5 %, on the validation images that are not blacklisted.",
        "Both are trained here on images of 75 pixels, the smallest that Inception V3 takes.",
    ),
)
