"""A thinner MobileNet against a shallower one of about the same cost."""

from benchmarks.studies import count
from benchmarks.studies.claims import holds, more_accurate, time_follows_work
from benchmarks.studies.mobilenets import SMALLER, TRAINED_AT
from benchmarks.studies.study import OURS, Arm, Claim, Picture, Published, Study

__all__ = ["STUDY"]

NARROW, SHALLOW = "narrow (width 0.75)", "shallow (5 layers fewer)"
MODELS = {NARROW: "mobilenet_v1:width=0.75", SHALLOW: "mobilenet_v1:shallow=true"}
COSTS = [count.mult_adds(model) for model in MODELS.values()]
FIGURES = (
    Published("multiply-adds of the narrow one", "Table 5", "325 M", COSTS[0]),
    Published("parameters of the narrow one", "Table 5", "2.6 M", count.params(MODELS[NARROW])),
    Published("multiply-adds of the shallow one", "Table 5", "307 M", COSTS[1]),
    Published("parameters of the shallow one", "Table 5", "2.9 M", count.params(MODELS[SHALLOW])),
)
CLAIMS = (
    Claim("the two cost about the same (within 10 %)", "Table 5",
          holds(lambda ratio: abs(ratio - 1) < 0.1, "{:.2f} times the multiply-adds", COSTS[0] / COSTS[1])),
    Claim("they take about the same time, too (as their multiply-adds, within 10 %)", OURS,
          time_follows_work(NARROW, SHALLOW, within=0.1)),
    Claim("the narrow network is more accurate than the shallow one (68.4 against 65.3 %)", "Table 5",
          more_accurate(NARROW, SHALLOW), short="narrow more accurate than shallow"),
)  # fmt: skip

STUDY = Study(
    name="mobilenet_shallow",
    question="Is it better to make a network thinner or shallower?",
    source="arXiv:1704.04861, Table 5",
    arms=tuple(Arm(title, model, img_size=TRAINED_AT[224]) for title, model in MODELS.items()),
    answer=count.in_words(
        "At nearly the same cost ({:.0f} and {:.0f} M multiply-adds) the paper's narrow MobileNet is 3.1 points more "
        "accurate than its shallow one (68.4 against 65.3 %).",
        [cost / 1e6 for cost in COSTS],
    ),
    published=FIGURES,
    claims=CLAIMS,
    pictures=(Picture("differences"), Picture("stacked")),
    notes=(SMALLER,),
)
