"""Plain networks against residual ones, and the three kinds of shortcut."""

from benchmarks.studies import count
from benchmarks.studies.claims import holds, less_accurate, more_accurate, time_follows_work
from benchmarks.studies.study import Arm, Claim, Picture, Published, Study

__all__ = ["STUDY"]

PLAIN_18, PLAIN_34 = "plain-18", "plain-34"
A_18, A_34, B_34, C_34 = "ResNet-18, A", "ResNet-34, A", "ResNet-34, B", "ResNet-34, C"
TABLE_1 = {
    "resnet18:shortcut=pad": "1.8 G",
    "resnet34:shortcut=pad": "3.6 G",
    "resnet50:stride_in=1x1": "3.8 G",
    "resnet101:stride_in=1x1": "7.6 G",
    "resnet152:stride_in=1x1": "11.3 G",
}
FIGURES = tuple(
    Published(f"multiply-adds of {model.partition(':')[0]} (the table calls them FLOPs)", "Table 1", text,
              count.mult_adds(model))
    for model, text in TABLE_1.items()
)  # fmt: skip
PARAMS, MULT_ADDS = (
    [counted(f"resnet{depth}:shortcut={kind}") for depth in (18, 34) for kind in ("none", "pad")]
    for counted in (count.params, count.mult_adds)
)
CLAIMS = (
    Claim("a shortcut of option A adds no parameters and no multiply-adds", "Sec. 3.2",
          holds(lambda *counts: counts[::2] == counts[1::2], "{0:,} and {2:,} parameters either way",
                *PARAMS, *MULT_ADDS)),
    Claim("nor any time to speak of (within 5 %)", "Sec. 3.2 (but for the addition)",
          time_follows_work(A_34, PLAIN_34, within=0.05)),
    Claim("plain-34 is less accurate than plain-18 (28.54 against 27.94 % error)", "Table 2",
          less_accurate(PLAIN_34, PLAIN_18), short="plain-34 behind plain-18"),
    Claim("ResNet-34 is more accurate than ResNet-18 (25.03 against 27.88 %)", "Table 2", more_accurate(A_34, A_18),
          short="ResNet-34 ahead of ResNet-18"),
    Claim("ResNet-34 is more accurate than plain-34 (25.03 against 28.54 %)", "Table 2", more_accurate(A_34, PLAIN_34)),
    Claim("projections where the shape changes (B) beat padding (24.52 against 25.03 %)", "Table 3",
          more_accurate(B_34, A_34)),
    Claim("projections everywhere (C) beat B (24.19 against 24.52 %)", "Table 3", more_accurate(C_34, B_34)),
)  # fmt: skip

STUDY = Study(
    name="residual",
    question="Do residual shortcuts let a deeper network be the better one?",
    source="arXiv:1512.03385, Tables 1, 2 and 3, Figure 4",
    arms=(
        Arm(PLAIN_18, "resnet18:shortcut=none"),
        Arm(PLAIN_34, "resnet34:shortcut=none"),
        Arm(A_18, "resnet18:shortcut=pad"),
        Arm(A_34, "resnet34:shortcut=pad"),
        Arm(B_34, "resnet34"),
        Arm(C_34, "resnet34:shortcut=project_all"),
        *(Arm(f"ResNet-{depth}", f"resnet{depth}:stride_in=1x1", trained=False) for depth in (50, 101, 152)),
    ),
    answer=count.in_words(
        "A shortcut that pads with zeros costs nothing ({:,} parameters with it and without), yet the paper's 34 "
        "layers err 25.0 % with shortcuts and 28.5 % without.",
        PARAMS[-1:],
    ),
    published=FIGURES,
    claims=CLAIMS,
    pictures=(
        Picture("curves", panels=(("plain", (PLAIN_18, PLAIN_34)), ("residual, option A", (A_18, A_34)))),
        Picture("differences", "What depth and shortcuts change in top-1."),
        Picture("stacked"),
    ),
)
