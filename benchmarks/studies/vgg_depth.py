"""VGG's columns A to E: what depth buys, with and without batch normalization."""

from benchmarks.studies import count
from benchmarks.studies.claims import less_accurate, more_accurate
from benchmarks.studies.study import Arm, Claim, Picture, Published, Study

__all__ = ["STUDY"]

MODELS = {"A": "vgg11", "B": "vgg13", "C": "vgg16_c", "D": "vgg16", "E": "vgg19"}
TABLE_2 = {"A": "133 M", "B": "133 M", "C": "134 M", "D": "138 M", "E": "144 M"}
FIGURES = (
    *(Published(f"parameters of {name}", "Table 2", TABLE_2[name], count.params(MODELS[name])) for name in MODELS),
    Published("weights of one 7x7 layer over those of three 3x3 layers of as many channels, in excess", "Sec. 2.3",
              "81 %", count.exactly(49 / 27 - 1)),
    Published("multiply-adds of D", "arXiv:1512.03385, Sec. 4.1", "15.3 G", count.mult_adds("vgg16"),
              slip="15.35 G are the convolutions alone; the 19.6 G printed for E include the fully-connected layers"),
    Published("multiply-adds of E", "arXiv:1512.03385, Sec. 4.1", "19.6 G", count.mult_adds("vgg19")),
)  # fmt: skip
CLAIMS = (
    Claim("B is more accurate than A (28.7 against 29.6 % error)", "Table 3", more_accurate("B", "A"),
          short="13 layers ahead of 11"),
    Claim("C is more accurate than B (28.1 against 28.7 %)", "Table 3", more_accurate("C", "B")),
    Claim("D, all 3x3, is more accurate than C with its 1x1 layers (27.0 against 28.1 %)", "Table 3",
          more_accurate("D", "C"), short="3x3 layers ahead of 1x1 in their place"),
    Claim("E is less accurate than D (27.3 against 27.0 %)", "Table 3", less_accurate("E", "D"),
          short="19 layers behind 16"),
    Claim("batch normalization helps at 16 layers (73.4 against 71.6 % with torchvision's weights)",
          "torchvision 0.29, weights metadata", more_accurate("D, batch norm", "D")),
)  # fmt: skip

STUDY = Study(
    name="vgg_depth",
    question="What does depth alone buy?",
    source="arXiv:1409.1556, Tables 2 and 3 (one scale, S = Q = 256)",
    arms=(
        *(Arm(name, model) for name, model in MODELS.items()),
        *(Arm(f"{name}, batch norm", f"{MODELS[name]}_bn") for name in "ABDE"),
    ),
    answer=count.in_words(
        "From 11 to 19 layers VGG grows by {:.0%} in parameters and {:.1f}-fold in multiply-adds; in the paper top-1 "
        "error falls from 29.6 % to 27.0 % at 16 layers and no further at 19.",
        [counted("vgg19") / counted("vgg11") - less for counted, less in ((count.params, 1), (count.mult_adds, 0))],
    ),
    published=FIGURES,
    claims=CLAIMS,
    pictures=(
        Picture("stacked", "Where the parameters and the multiply-adds of each configuration sit."),
        Picture(
            "differences",
            "What each step in depth changes in top-1.",
            pairs=(("B", "A"), ("C", "B"), ("D", "C"), ("D", "E"), ("A, batch norm", "A"), ("D, batch norm", "D")),
        ),
    ),
)
