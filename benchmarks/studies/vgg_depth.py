"""VGG's columns A to E: what depth buys, with and without batch normalization."""

from __future__ import annotations

from benchmarks.studies import count
from benchmarks.studies.arm import Arm
from benchmarks.studies.claims import figures_agree, more_accurate
from benchmarks.studies.evidence import Evidence
from benchmarks.studies.study import Claim, Picture, Published, Study

__all__ = ["STUDY"]

MODELS = {"A": "vgg11", "B": "vgg13", "C": "vgg16_c", "D": "vgg16", "E": "vgg19"}
TABLE_2 = {"A": "133", "B": "133", "C": "134", "D": "138", "E": "144"}


FIGURES = (
    *(
        Published(
            what=f"parameters of {config}",
            where="Table 2",
            printed=TABLE_2[config],
            unit="M",
            counted=count.params(model),
        )
        for config, model in MODELS.items()
    ),
    Published(
        what="weights of one 7x7 layer over those of three 3x3 layers of as many channels, in excess",
        where="Sec. 2.3",
        printed="81",
        unit="%",
        counted=count.exactly(49 / 27 - 1),
    ),
    Published(
        what="multiply-adds of D",
        where="arXiv:1512.03385, Sec. 4.1",
        printed="15.3",
        unit="G",
        counted=count.mult_adds("vgg16"),
        slip="15.35 G are the convolutions alone; the 19.6 G printed for E include the fully-connected layers",
    ),
    Published(
        what="multiply-adds of E",
        where="arXiv:1512.03385, Sec. 4.1",
        printed="19.6",
        unit="G",
        counted=count.mult_adds("vgg19"),
    ),
)


def in_words(evidence: Evidence) -> str:
    first, last = evidence.params("vgg11"), evidence.params("vgg19")
    one, other = evidence.mult_adds("vgg11"), evidence.mult_adds("vgg19")
    if first is None or last is None or one is None or other is None:
        return ""
    return (
        f"From 11 to 19 layers VGG grows by {last / first - 1:.0%} in parameters and {other / one:.1f}-fold in "
        "multiply-adds; in the paper top-1 error falls from 29.6 % to 27.0 % at 16 layers and no further at 19."
    )


STUDY = Study(
    name="vgg_depth",
    question="What does depth alone buy?",
    source="arXiv:1409.1556, Tables 2 and 3 (one scale, S = Q = 256)",
    arms=(
        *(Arm(title=config, model=model) for config, model in MODELS.items()),
        *(Arm(title=f"{config}, batch norm", model=f"{MODELS[config]}_bn") for config in "ABDE"),
    ),
    answer=in_words,
    published=FIGURES,
    claims=(
        Claim(text="the printed sizes follow from the configurations", source="Table 2", judge=figures_agree(*FIGURES)),
        Claim(
            text="B is more accurate than A (28.7 against 29.6 % error)",
            source="Table 3",
            judge=more_accurate("B", "A"),
            short="13 layers ahead of 11",
        ),
        Claim(text="C is more accurate than B (28.1 against 28.7 %)", source="Table 3", judge=more_accurate("C", "B")),
        Claim(
            text="D, all 3x3, is more accurate than C with its 1x1 layers (27.0 against 28.1 %)",
            source="Table 3",
            judge=more_accurate("D", "C"),
            short="3x3 layers ahead of 1x1 in their place",
        ),
        Claim(
            text="E is less accurate than D (27.3 against 27.0 %)",
            source="Table 3",
            judge=more_accurate("D", "E"),
            short="19 layers behind 16",
        ),
        Claim(
            text="batch normalization helps at 16 layers (73.4 against 71.6 % with torchvision's weights)",
            source="torchvision 0.29, weights metadata",
            judge=more_accurate("D, batch norm", "D"),
        ),
    ),
    pictures=(
        Picture(kind="stacked", caption="Where the parameters and the multiply-adds of each configuration sit."),
        Picture(
            kind="differences",
            caption="What each step in depth changes in top-1.",
            pairs=(("B", "A"), ("C", "B"), ("D", "C"), ("D", "E"), ("A, batch norm", "A"), ("D, batch norm", "D")),
        ),
    ),
)
