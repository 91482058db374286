"""MobileNet's resolution multiplier, a property of the image."""

from itertools import pairwise

from benchmarks.studies import count
from benchmarks.studies.claims import holds, more_accurate, time_follows_work
from benchmarks.studies.mobilenets import ALL_SMALLER, RESOLUTIONS, TRAINED_AT, label
from benchmarks.studies.study import OURS, Arm, Claim, Picture, Published, Study

__all__ = ["STUDY"]

TABLE_7 = {224: ("569 M", 0.706), 192: ("418 M", 0.691), 160: ("290 M", 0.672), 128: ("186 M", 0.644)}
TITLES = {resolution: f"{resolution} pixels" for resolution in RESOLUTIONS}
SIZES = [count.params(label(resolution=resolution)) for resolution in RESOLUTIONS]
COSTS = [count.mult_adds(label(resolution=resolution)) for resolution in RESOLUTIONS]
SQUARES = [cost / COSTS[0] / (side / 224) ** 2 for side, cost in zip(RESOLUTIONS, COSTS, strict=True)]
FIGURES = tuple(
    Published(f"{name} at {side} pixels", "Table 7", text, counted)
    for (side, (mult_adds, _)), cost, size in zip(TABLE_7.items(), COSTS, SIZES, strict=True)
    for name, text, counted in (("multiply-adds", mult_adds, cost), ("parameters", "4.2 M", size))
)
CLAIMS = (
    Claim("multiply-adds fall as the square of the resolution (within 1 %)", "Sec. 3.4",
          holds(lambda *found: all(abs(ratio - 1) < 0.01 for ratio in found),
                ", ".join(f"{{:.3f}} times the square at {side}" for side in RESOLUTIONS[1:]), *SQUARES[1:])),
    Claim("parameters do not depend on resolution", "Table 7",
          holds(lambda *found: len(set(found)) == 1, "{:,.0f} at every resolution", *SIZES)),
    Claim("time falls with the multiply-adds from 224 to 128 pixels (within 20 %)", OURS,
          time_follows_work(TITLES[224], TITLES[128], within=0.2), short="time falls as the multiply-adds do"),
    *(
        Claim(f"{large} pixels beat {small} ({TABLE_7[large][1]:.1%} against {TABLE_7[small][1]:.1%})", "Table 7",
              more_accurate(TITLES[large], TITLES[small]), short=f"{large} ahead of {small}")
        for large, small in pairwise(RESOLUTIONS)
    ),
)  # fmt: skip

STUDY = Study(
    name="mobilenet_resolution",
    question="What does a smaller image save, and what does it cost?",
    source="arXiv:1704.04861, Table 7",
    arms=tuple(Arm(TITLES[side], label(resolution=side), img_size=TRAINED_AT[side]) for side in RESOLUTIONS),
    answer=count.in_words(
        "At 128 instead of 224 pixels MobileNet takes {:.0%} of the multiply-adds with the same parameters; the paper "
        "pays 6.2 points of top-1 for it.",
        (COSTS[-1] / COSTS[0],),
    ),
    published=FIGURES,
    claims=CLAIMS,
    pictures=(Picture("scatter"), Picture("differences", "What each step in resolution changes in top-1.")),
    notes=(ALL_SMALLER,),
)
