"""MobileNet's resolution multiplier, a property of the image."""

from __future__ import annotations

from itertools import pairwise

from benchmarks.studies import count
from benchmarks.studies.arm import Arm
from benchmarks.studies.claims import figures_agree, holds, more_accurate, time_follows_work
from benchmarks.studies.evidence import Evidence
from benchmarks.studies.mobilenet_grid import RESOLUTIONS, TRAINED_AT, label
from benchmarks.studies.study import Claim, Picture, Published, Study

__all__ = ["STUDY"]

TABLE_7 = {224: ("569", 0.706), 192: ("418", 0.691), 160: ("290", 0.672), 128: ("186", 0.644)}
TITLES = {resolution: f"{resolution} pixels" for resolution in RESOLUTIONS}
STEPS = tuple(pairwise(RESOLUTIONS))


FIGURES = tuple(
    Published(
        what=f"{name} at {resolution} pixels",
        where="Table 7",
        printed=printed,
        unit="M",
        counted=counted(label(1.0, resolution)),
    )
    for resolution, row in TABLE_7.items()
    for name, counted, printed in (("multiply-adds", count.mult_adds, row[0]), ("parameters", count.params, "4.2"))
)


def _costs(evidence: Evidence) -> dict[int, float] | None:
    """Multiply-adds at each resolution over those at 224, and that over the square of the ratio of sides."""
    counts = {resolution: evidence.mult_adds(label(1.0, resolution)) for resolution in RESOLUTIONS}
    whole = counts[224]
    if whole is None or None in counts.values():
        return None
    return {side: cost / whole / (side / 224) ** 2 for side, cost in counts.items() if cost is not None}


def quadratic(evidence: Evidence) -> tuple[bool, str] | None:
    found = _costs(evidence)
    if found is None:
        return None
    words = ", ".join(f"{ratio:.3f} times the square at {side}" for side, ratio in found.items() if side < 224)
    return all(abs(ratio - 1) < 0.01 for ratio in found.values()), words


def constant(evidence: Evidence) -> tuple[bool, str] | None:
    counts = {evidence.params(label(1.0, resolution)) for resolution in RESOLUTIONS}
    return None if None in counts else (len(counts) == 1, f"{counts.pop():,.0f} at every resolution")


def in_words(evidence: Evidence) -> str:
    found = _costs(evidence)
    if found is None:
        return ""
    return (
        f"At 128 instead of 224 pixels MobileNet takes {found[128] * (128 / 224) ** 2:.0%} of the multiply-adds with "
        "the same parameters; the paper pays 6.2 points of top-1 for it."
    )


STUDY = Study(
    name="mobilenet_resolution",
    question="What does a smaller image save, and what does it cost?",
    source="arXiv:1704.04861, Table 7",
    arms=tuple(
        Arm(title=TITLES[resolution], model=label(1.0, resolution), img_size=TRAINED_AT[resolution])
        for resolution in RESOLUTIONS
    ),
    answer=in_words,
    published=FIGURES,
    claims=(
        Claim(text="the printed costs follow from Table 1", source="Table 7", judge=figures_agree(*FIGURES)),
        Claim(
            text="multiply-adds fall as the square of the resolution (within 1 %)",
            source="Sec. 3.4",
            judge=holds(quadratic),
        ),
        Claim(text="parameters do not depend on resolution", source="Table 7", judge=holds(constant)),
        Claim(
            text="time falls with the multiply-adds from 224 to 128 pixels (within 20 %)",
            source="this project's question, not the paper's",
            judge=time_follows_work(TITLES[224], TITLES[128], within=0.2),
            short="time falls as the multiply-adds do",
        ),
        *(
            Claim(
                text=f"{large} pixels beat {small} ({TABLE_7[large][1]:.1%} against {TABLE_7[small][1]:.1%})",
                source="Table 7",
                judge=more_accurate(TITLES[large], TITLES[small]),
                short=f"{large} ahead of {small}",
            )
            for large, small in STEPS
        ),
    ),
    pictures=(
        Picture(kind="scatter", caption="Accuracy against multiply-adds on a logarithmic axis."),
        Picture(
            kind="differences",
            caption="What each step in resolution changes in top-1.",
            pairs=tuple((TITLES[large], TITLES[small]) for large, small in STEPS),
        ),
    ),
    notes=(
        "Resolutions 224, 192, 160 and 128 are trained here on images of 56, 48, 40 and 32 pixels, a quarter of each.",
    ),
)
