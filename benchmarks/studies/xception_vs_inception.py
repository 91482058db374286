"""Xception against Inception V3 of the same size."""

from benchmarks.studies import count
from benchmarks.studies.claims import holds, more_accurate, slower
from benchmarks.studies.study import Arm, Claim, Picture, Published, Study

__all__ = ["STUDY"]

XCEPTION, INCEPTION = "Xception", "Inception V3"
TABLE_1 = "arXiv:1610.02357, Table 1"
SIDE = 75  # pixels; Inception V3 takes no fewer
SIZES = [count.params(model) for model in ("xception", "inception_v3")]
COSTS = [count.mult_adds(model) for model in ("xception", "inception_v3")]
FIGURES = (
    Published("parameters of Xception", "Table 3", "22855952", SIZES[0]),
    Published("parameters of Inception V3", "Table 3", "23626728", SIZES[1], slip="no public implementation has this "
              "count: torchvision 23,834,568, Keras 23,817,352 that are trained"),
    Published("multiply-adds of Inception V3", "arXiv:1512.00567, Table 3", "4.8 G", COSTS[1],
              slip="the network TensorFlow published takes 5.71 G at 299 pixels"),
)  # fmt: skip
CLAIMS = (
    Claim("the two have about as many parameters (within 5 %)", "Table 3",
          holds(lambda one, other: abs(one / other - 1) < 0.05, "{:,} against {:,}", *SIZES)),
    Claim("Xception is more accurate than Inception V3 (79.0 against 78.2 %)", "Table 1",
          more_accurate(XCEPTION, INCEPTION), short="Xception more accurate than Inception V3"),
    Claim("Xception is the slower of the two (28 against 31 steps a second in training there, inference here)",
          "Table 3", slower(XCEPTION, INCEPTION), short="slower"),
)  # fmt: skip

STUDY = Study(
    name="xception_vs_inception",
    question="Is Xception better than Inception V3 because it is larger, or because it uses its parameters better?",
    source="arXiv:1610.02357, Tables 1 and 3",
    arms=(
        Arm("VGG-16", "vgg16", trained=False, printed=(0.715, TABLE_1)),
        Arm("ResNet-152", "resnet152", trained=False, printed=(0.770, TABLE_1)),
        Arm(INCEPTION, "inception_v3", img_size=SIDE, printed=(0.782, TABLE_1)),
        Arm(XCEPTION, "xception", img_size=SIDE, printed=(0.790, TABLE_1)),
    ),
    answer=count.in_words(
        "Xception has {:.3f} times the parameters of Inception V3 and takes {:.2f} times its multiply-adds; the paper "
        "finds it 0.8 points more accurate on ImageNet.",
        (SIZES[0] / SIZES[1], COSTS[0] / COSTS[1]),
    ),
    published=FIGURES,
    claims=CLAIMS,
    pictures=(Picture("stacked"), Picture("differences")),
    notes=(
        "Table 1's accuracies (top-1 and top-5): VGG-16 71.5 and 90.1 %, ResNet-152 77.0 and 93.3 %, Inception V3 78.2 "
        "and 94.1 %, Xception 79.0 and 94.5 %, on the validation images that are not blacklisted.",
        "Both are trained here on images of 75 pixels, the smallest that Inception V3 takes.",
    ),
)
