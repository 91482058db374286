"""MobileNet's width multiplier."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from benchmarks.studies import count
from benchmarks.studies.arm import Arm
from benchmarks.studies.claims import figures_agree, holds, more_accurate, time_follows_work
from benchmarks.studies.evidence import Evidence
from benchmarks.studies.mobilenet_grid import TRAINED_AT, WIDTHS, label
from benchmarks.studies.study import Claim, Picture, Published, Study

__all__ = ["STUDY"]

TABLE_6 = {
    1.0: ("569", "4.2", 0.706),
    0.75: ("325", "2.6", 0.684),
    0.5: ("149", "1.3", 0.637),
    0.25: ("41", "0.5", 0.506),
}
TITLES = {width: f"width {width:g}" for width in WIDTHS}


FIGURES = tuple(
    Published(
        what=f"{name} of width {width:g}",
        where="Table 6",
        printed=printed,
        unit="M",
        counted=counted(label(width, 224)),
    )
    for width, row in TABLE_6.items()
    for name, counted, printed in (("multiply-adds", count.mult_adds, row[0]), ("parameters", count.params, row[1]))
)


def _ratios(evidence: Evidence, counted: Callable[[str], count.Count]) -> dict[float, float] | None:
    """What is left at each width, over the square of the width."""
    counts = {width: counted(label(width, 224))(evidence) for width in WIDTHS}
    whole = counts[1.0]
    if whole is None or None in counts.values():
        return None
    return {width: left / whole / width**2 for width, left in counts.items() if left is not None}


def quadratic(counted: Callable[[str], count.Count]) -> Callable[[Evidence], tuple[bool, str] | None]:
    def test(evidence: Evidence) -> tuple[bool, str] | None:
        ratios = _ratios(evidence, counted)
        if ratios is None:
            return None
        words = ", ".join(f"{ratio:.2f} times the square at {width:g}" for width, ratio in ratios.items() if width < 1)
        return all(0.8 <= ratio <= 1.2 for ratio in ratios.values()), words

    return test


def in_words(evidence: Evidence) -> str:
    costs, sizes = _ratios(evidence, count.mult_adds), _ratios(evidence, count.params)
    if costs is None or sizes is None:
        return ""
    return (
        f"A quarter of the width leaves {costs[0.25] / 16:.1%} of the multiply-adds and {sizes[0.25] / 16:.1%} of the "
        "parameters: the work shrinks as the square, the parameters do not, as the classifier shrinks only linearly."
    )


STUDY = Study(
    name="mobilenet_width",
    question="What does a thinner network save, and what does it cost?",
    source="arXiv:1704.04861, Table 6",
    arms=tuple(Arm(title=TITLES[width], model=label(width, 224), img_size=TRAINED_AT[224]) for width in WIDTHS),
    answer=in_words,
    published=FIGURES,
    claims=(
        Claim(text="the printed costs follow from Table 1", source="Table 6", judge=figures_agree(*FIGURES)),
        Claim(
            text="multiply-adds fall roughly as the square of the width (within 20 %)",
            source="Sec. 3.3",
            judge=holds(quadratic(count.mult_adds)),
        ),
        Claim(
            text="so do parameters (within 20 %)",
            source="Sec. 3.3",
            judge=holds(quadratic(count.params)),
        ),
        Claim(
            text="time falls with the multiply-adds from width 1 to 0.25 (within 20 %)",
            source="this project's question, not the paper's",
            judge=time_follows_work(TITLES[1.0], TITLES[0.25], within=0.2),
            short="time falls as the multiply-adds do",
        ),
        *(
            Claim(
                text=f"width {wide:g} beats {thin:g} ({TABLE_6[wide][2]:.1%} against {TABLE_6[thin][2]:.1%})",
                source="Table 6",
                judge=more_accurate(TITLES[wide], TITLES[thin]),
                short=f"{wide:g} ahead of {thin:g}",
            )
            for wide, thin in pairwise(WIDTHS)
        ),
    ),
    pictures=(
        Picture(kind="scatter", caption="Accuracy against multiply-adds on a logarithmic axis."),
        Picture(
            kind="differences",
            caption="What each step in width changes in top-1.",
            pairs=tuple((TITLES[wide], TITLES[thin]) for wide, thin in pairwise(WIDTHS)),
        ),
        Picture(kind="stacked", caption="Where the parameters and the multiply-adds sit."),
    ),
    notes=(f"Trained here on images of {TRAINED_AT[224]} pixels, a quarter of the paper's side, as in the grid.",),
)
