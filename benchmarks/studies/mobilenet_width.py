"""MobileNet's width multiplier."""

from itertools import pairwise

from benchmarks.studies import count
from benchmarks.studies.claims import holds, more_accurate, time_follows_work
from benchmarks.studies.finding import Count
from benchmarks.studies.mobilenets import SMALLER, TRAINED_AT, WIDTHS, label
from benchmarks.studies.study import OURS, Arm, Claim, Judge, Picture, Published, Study

__all__ = ["STUDY"]

# multiply-adds and parameters in M, top-1
TABLE_6 = {1.0: ("569", "4.2", 0.706), 0.75: ("325", "2.6", 0.684), 0.5: ("149", "1.3", 0.637),
           0.25: ("41", "0.5", 0.506)}  # fmt: skip
TITLES = {width: f"width {width:g}" for width in WIDTHS}
COUNTED = {"multiply-adds": count.mult_adds, "parameters": count.params}
FIGURES = tuple(
    Published(f"{name} of width {width:g}", "Table 6", f"{digits} M", counted(label(width=width)))
    for width, row in TABLE_6.items()
    for (name, counted), digits in zip(COUNTED.items(), row[:2], strict=True)
)
COSTS, SIZES = (  # what is left at each width, over the square of the width
    [counted(label(width=width)) / counted(label(width=1.0)) / width**2 for width in WIDTHS]
    for counted in COUNTED.values()
)


def quadratic(ratios: list[Count]) -> Judge:
    """What is left at each width is, within 20 %, what the square of the width would leave."""
    words = ", ".join(f"{{:.2f}} times the square at {width:g}" for width in WIDTHS[1:])
    return holds(lambda *found: all(0.8 <= ratio <= 1.2 for ratio in found), words, *ratios[1:])


CLAIMS = (
    Claim("multiply-adds fall roughly as the square of the width (within 20 %)", "Sec. 3.3", quadratic(COSTS)),
    Claim("so do parameters (within 20 %)", "Sec. 3.3", quadratic(SIZES)),
    Claim("time falls with the multiply-adds from width 1 to 0.25 (within 20 %)", OURS,
          time_follows_work(TITLES[1.0], TITLES[0.25], within=0.2), short="time falls as the multiply-adds do"),
    *(
        Claim(f"width {wide:g} beats {thin:g} ({TABLE_6[wide][2]:.1%} against {TABLE_6[thin][2]:.1%})", "Table 6",
              more_accurate(TITLES[wide], TITLES[thin]), short=f"{wide:g} ahead of {thin:g}")
        for wide, thin in pairwise(WIDTHS)
    ),
)  # fmt: skip

STUDY = Study(
    name="mobilenet_width",
    question="What does a thinner network save, and what does it cost?",
    source="arXiv:1704.04861, Table 6",
    arms=tuple(Arm(TITLES[width], label(width=width), img_size=TRAINED_AT[224]) for width in WIDTHS),
    answer=count.in_words(
        "A quarter of the width leaves {:.1%} of the multiply-adds and {:.1%} of the parameters: the work shrinks "
        "about as the square, the parameters do not, as the classifier shrinks only linearly.",
        (COSTS[-1] / 16, SIZES[-1] / 16),
    ),
    published=FIGURES,
    claims=CLAIMS,
    pictures=(
        Picture("scatter"),
        Picture("differences", "What each step in width changes in top-1."),
        Picture("stacked"),
    ),
    notes=(SMALLER,),
)
