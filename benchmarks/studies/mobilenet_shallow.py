"""A thinner MobileNet against a shallower one of about the same cost."""

from __future__ import annotations

from benchmarks.studies import count
from benchmarks.studies.arm import Arm
from benchmarks.studies.claims import figures_agree, holds, more_accurate, time_follows_work
from benchmarks.studies.evidence import Evidence
from benchmarks.studies.mobilenet_grid import TRAINED_AT
from benchmarks.studies.study import Claim, Picture, Published, Study

__all__ = ["STUDY"]

NARROW, SHALLOW = "narrow (width 0.75)", "shallow (5 layers fewer)"
MODELS = {NARROW: "mobilenet_v1:width=0.75", SHALLOW: "mobilenet_v1:shallow=true"}

FIGURES = (
    Published(
        what="multiply-adds of the narrow one",
        where="Table 5",
        printed="325",
        unit="M",
        counted=count.mult_adds(MODELS[NARROW]),
    ),
    Published(
        what="parameters of the narrow one",
        where="Table 5",
        printed="2.6",
        unit="M",
        counted=count.params(MODELS[NARROW]),
    ),
    Published(
        what="multiply-adds of the shallow one",
        where="Table 5",
        printed="307",
        unit="M",
        counted=count.mult_adds(MODELS[SHALLOW]),
    ),
    Published(
        what="parameters of the shallow one",
        where="Table 5",
        printed="2.9",
        unit="M",
        counted=count.params(MODELS[SHALLOW]),
    ),
)


def in_words(evidence: Evidence) -> str:
    costs = [evidence.mult_adds(model) for model in MODELS.values()]
    if costs[0] is None or costs[1] is None:
        return ""
    return (
        f"At nearly the same cost ({costs[0] / 1e6:.0f} and {costs[1] / 1e6:.0f} M multiply-adds) the paper's narrow "
        "MobileNet is 3.1 points more accurate than its shallow one (68.4 against 65.3 %)."
    )


def alike(evidence: Evidence) -> tuple[bool, str] | None:
    costs = [evidence.mult_adds(model) for model in MODELS.values()]
    if costs[0] is None or costs[1] is None:
        return None
    return abs(costs[0] / costs[1] - 1) < 0.1, f"{costs[0] / costs[1]:.2f} times the multiply-adds"


STUDY = Study(
    name="mobilenet_shallow",
    question="Is it better to make a network thinner or shallower?",
    source="arXiv:1704.04861, Table 5",
    arms=tuple(Arm(title=title, model=model, img_size=TRAINED_AT[224]) for title, model in MODELS.items()),
    answer=in_words,
    published=FIGURES,
    claims=(
        Claim(text="the printed costs follow from Table 1", source="Table 5", judge=figures_agree(*FIGURES)),
        Claim(text="the two cost about the same (within 10 %)", source="Table 5", judge=holds(alike)),
        Claim(
            text="they take about the same time, too (as their multiply-adds, within 10 %)",
            source="this project's question, not the paper's",
            judge=time_follows_work(NARROW, SHALLOW, within=0.1),
        ),
        Claim(
            text="the narrow network is more accurate than the shallow one (68.4 against 65.3 %)",
            source="Table 5",
            judge=more_accurate(NARROW, SHALLOW),
            short="narrow more accurate than shallow",
        ),
    ),
    pictures=(
        Picture(kind="differences", caption="Difference in top-1 on the same seeds.", pairs=((NARROW, SHALLOW),)),
        Picture(kind="stacked", caption="Where the parameters and the multiply-adds sit."),
    ),
    notes=(f"Trained here on images of {TRAINED_AT[224]} pixels, a quarter of the paper's side, as in the grid.",),
)
