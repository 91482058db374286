"""Plain networks against residual ones, and the three kinds of shortcut."""

from __future__ import annotations

from benchmarks.studies import count
from benchmarks.studies.arm import Arm
from benchmarks.studies.claims import figures_agree, holds, less_accurate, more_accurate, time_follows_work
from benchmarks.studies.evidence import Evidence
from benchmarks.studies.study import Claim, Picture, Published, Study

__all__ = ["STUDY"]

PLAIN_18, PLAIN_34 = "plain-18", "plain-34"
A_18, A_34 = "ResNet-18, A", "ResNet-34, A"
B_34, C_34 = "ResNet-34, B", "ResNet-34, C"
TABLE_1 = {
    "resnet18:shortcut=pad": "1.8",
    "resnet34:shortcut=pad": "3.6",
    "resnet50:stride_in=1x1": "3.8",
    "resnet101:stride_in=1x1": "7.6",
    "resnet152:stride_in=1x1": "11.3",
}


FIGURES = tuple(
    Published(
        what=f"multiply-adds of {model.partition(':')[0]} (the table calls them FLOPs)",
        where="Table 1",
        printed=printed,
        unit="G",
        counted=count.mult_adds(model),
    )
    for model, printed in TABLE_1.items()
)


def in_words(evidence: Evidence) -> str:
    plain, residual = evidence.params("resnet34:shortcut=none"), evidence.params("resnet34:shortcut=pad")
    if plain is None or residual is None:
        return ""
    return (
        f"A shortcut that pads with zeros costs nothing ({residual:,} parameters with it and without), yet the paper's "
        "34 layers err 25.0 % with shortcuts and 28.5 % without."
    )


def free(evidence: Evidence) -> tuple[bool, str] | None:
    found = [
        (evidence.params(f"resnet{depth}:shortcut={kind}"), evidence.mult_adds(f"resnet{depth}:shortcut={kind}"))
        for depth in (18, 34)
        for kind in ("none", "pad")
    ]
    if any(value is None for pair in found for value in pair):
        return None
    return found[0] == found[1] and found[2] == found[3], f"{found[0][0]:,} and {found[2][0]:,} parameters either way"


STUDY = Study(
    name="residual",
    question="Do residual shortcuts let a deeper network be the better one?",
    source="arXiv:1512.03385, Tables 1, 2 and 3, Figure 4",
    arms=(
        Arm(title=PLAIN_18, model="resnet18:shortcut=none"),
        Arm(title=PLAIN_34, model="resnet34:shortcut=none"),
        Arm(title=A_18, model="resnet18:shortcut=pad"),
        Arm(title=A_34, model="resnet34:shortcut=pad"),
        Arm(title=B_34, model="resnet34"),
        Arm(title=C_34, model="resnet34:shortcut=project_all"),
        Arm(title="ResNet-50", model="resnet50:stride_in=1x1", trained=False),
        Arm(title="ResNet-101", model="resnet101:stride_in=1x1", trained=False),
        Arm(title="ResNet-152", model="resnet152:stride_in=1x1", trained=False),
    ),
    answer=in_words,
    published=FIGURES,
    claims=(
        Claim(text="the printed multiply-adds follow from the table", source="Table 1", judge=figures_agree(*FIGURES)),
        Claim(
            text="a shortcut of option A adds no parameters and no multiply-adds", source="Sec. 3.2", judge=holds(free)
        ),
        Claim(
            text="nor any time to speak of (within 5 %)",
            source="Sec. 3.2 (but for the addition)",
            judge=time_follows_work(A_34, PLAIN_34, within=0.05),
        ),
        Claim(
            text="plain-34 is less accurate than plain-18 (28.54 against 27.94 % error)",
            source="Table 2",
            judge=less_accurate(PLAIN_34, PLAIN_18),
            short="plain-34 behind plain-18",
        ),
        Claim(
            text="ResNet-34 is more accurate than ResNet-18 (25.03 against 27.88 %)",
            source="Table 2",
            judge=more_accurate(A_34, A_18),
            short="ResNet-34 ahead of ResNet-18",
        ),
        Claim(
            text="ResNet-34 is more accurate than plain-34 (25.03 against 28.54 %)",
            source="Table 2",
            judge=more_accurate(A_34, PLAIN_34),
        ),
        Claim(
            text="projections where the shape changes (B) beat padding (24.52 against 25.03 %)",
            source="Table 3",
            judge=more_accurate(B_34, A_34),
        ),
        Claim(
            text="projections everywhere (C) beat B (24.19 against 24.52 %)",
            source="Table 3",
            judge=more_accurate(C_34, B_34),
        ),
    ),
    pictures=(
        Picture(
            kind="curves",
            caption="Error on training images (thin) and on test images (bold) after each epoch, one line a seed.",
            panels=(("plain", (PLAIN_18, PLAIN_34)), ("residual, option A", (A_18, A_34))),
        ),
        Picture(
            kind="differences",
            caption="What depth and shortcuts change in top-1.",
            pairs=((PLAIN_18, PLAIN_34), (A_34, A_18), (A_34, PLAIN_34), (B_34, A_34), (C_34, B_34)),
        ),
        Picture(kind="stacked", caption="Where the parameters and the multiply-adds sit."),
    ),
)
