"""The project's own studies: every printed figure counted again, every claim that counting settles, what is planned."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

import benchmarks.studies
import zoo
from benchmarks.metrics import METRICS
from benchmarks.plan.cases import plan_study
from benchmarks.records.record import Record
from benchmarks.report.studies.page import verdicts
from benchmarks.report.studies.pictures import DRAW
from benchmarks.report.studies.views import VIEWS
from benchmarks.studies import STUDIES
from benchmarks.studies.count import exactly
from benchmarks.studies.evidence import Evidence
from benchmarks.studies.study import CAPTIONS, Published, Study
from tests.benchmarks.studies.made import OPTIONS, STUDY, passes, timed

# every figure in print that does not follow from its architecture: study, quantity, where it is printed
SLIPS = {
    ("alexnet_parameters", "neurons of conv1", "Figure 2"),
    ("vgg_depth", "multiply-adds of D", "arXiv:1512.03385, Sec. 4.1"),
    ("nin_to_googlenet", "AlexNet's parameters over GoogLeNet's", "arXiv:1409.4842, Sec. 1"),
    *(
        ("inception_module", f"weights of {row}", "Table 1")
        for row in ("conv1", *(f"inception{row}" for row in ("3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b")))
    ),
    *(("inception_module", f"multiply-adds of {row}", "Table 1") for row in ("conv1", "inception5a")),
    ("inception_module", "weights of the network", "Table 1, sum of the printed column"),
    ("separable", "multiply-adds with standard convolutions", "Table 4"),
    ("separable", "share of conv 3x3 layers in multiply-adds", "Table 2"),
    ("mobilenet_grid", "parameters of width 0.5", "Table 9"),
    *(
        ("mobilenet_grid", f"multiply-adds of width {width} at {side} pixels", "TF-Slim, mobilenet_v1.md")
        for width, side in ((0.75, 224), (0.75, 192), (0.75, 160), (0.75, 128), (0.5, 224), (0.25, 192))
    ),
    ("xception_vs_inception", "parameters of Inception V3", "Table 3"),
    ("xception_vs_inception", "multiply-adds of Inception V3", "arXiv:1512.00567, Table 3"),
}


def test_every_printed_figure_is_reproduced_or_is_a_known_slip(counted: list[Record]) -> None:
    wrong = set()
    for study in STUDIES.values():
        evidence = Evidence(study.arms, counted)
        for figure in study.published:
            value = figure.counted(evidence)
            assert value is not None, figure.what
            differs = figure.agreement(value) == "differs"
            assert differs == bool(figure.slip), (study.name, figure.what, value)
            if differs:
                wrong.add((study.name, figure.what, figure.where))
    assert wrong == SLIPS


def test_the_figures_of_the_papers_are_all_there() -> None:
    printed = {study.name: {figure.printed for figure in study.published} for study in STUDIES.values()}
    assert {"60", "61100840", "57044810"} <= printed["alexnet_parameters"]
    assert {"655360", "10250"} <= printed["fc_vs_1x1"]
    assert {"133", "134", "138", "144"} <= printed["vgg_depth"]
    assert {"1.8", "3.6", "3.8", "7.6", "11.3"} == printed["residual"]
    assert {"225", "84", "4866", "29.3", "569", "4.2", "94.86", "1.19", "74.59"} <= printed["separable"]
    assert {"569", "325", "149", "41", "2.6", "1.3", "0.5"} <= printed["mobilenet_width"]
    assert {"569", "418", "290", "186"} <= printed["mobilenet_resolution"]
    assert {"325", "307", "2.6", "2.9"} <= printed["mobilenet_shallow"]
    assert {"22855952", "23626728"} <= printed["xception_vs_inception"]
    assert len(STUDIES["mobilenet_grid"].arms) == 16
    top1 = [arm.printed and arm.printed[0] for arm in STUDIES["xception_vs_inception"].arms]
    assert top1 == [0.715, 0.770, 0.782, 0.790]


def test_claims_that_counting_settles(counted: list[Record]) -> None:
    settled = {}
    for study in STUDIES.values():
        for claim, verdict in verdicts(study, Evidence(study.arms, counted)):
            if verdict.status != "open":
                settled[study.name, claim.text] = verdict.status
    contradicted = {key for key, status in settled.items() if status == "contradicted"}
    assert contradicted == {("mobilenet_width", "so do parameters (within 20 %)")}  # the classifier shrinks linearly
    assert set(settled.values()) == {"supported", "contradicted"}
    counted_claims = {"alexnet_parameters", "mobilenet_grid", "mobilenet_width", "xception_block"}
    assert counted_claims <= {name for name, _ in settled}


@pytest.mark.parametrize("study", STUDIES.values(), ids=lambda study: study.name)
def test_a_study_is_sound(study: Study) -> None:
    assert Path(benchmarks.studies.__path__[0], f"{study.name}.py").exists()
    by_title = {arm.title: arm for arm in study.arms}
    for arm in study.arms:
        assert zoo.spec(arm.model).label == arm.model
        if arm.img_size:
            assert arm.img_size >= zoo.spec(arm.model).input.min_size
    for picture in study.pictures:
        assert all(by_title[title].trained for title in picture.titles)
    evidence = Evidence(study.arms, [])
    assert {verdict.status for _, verdict in verdicts(study, evidence)} <= {"open", "supported"}
    assert not study.answer(evidence)


def test_every_kind_of_picture_has_a_view_and_a_drawing() -> None:
    assert CAPTIONS.keys() == VIEWS.keys() == DRAW.keys()


@pytest.mark.parametrize(
    ("text", "counted", "expected"),
    [
        ("133 M", 132_863_336, "equal"),
        ("290 M", 290_675_200, "cut"),
        ("4866 M", 4_867_293_184, "differs"),
        ("61100840", 61_100_840, "equal"),
        ("61100840", 61_100_841, "differs"),
        ("112 K", 114_688, "equal"),
        ("1.19 %", 0.0191, "differs"),
        ("0.5 M", 470_072, "equal"),
        ("0.5 M", 449_000, "differs"),
    ],
)
def test_agreement_with_printed_digits(text: str, counted: float, expected: str) -> None:
    assert Published("x", "y", text, exactly(counted)).agreement(counted) == expected


def test_separable_says_how_much_of_the_saving_arrives_as_time(counted: list[Record]) -> None:
    study = STUDIES["separable"]
    times = [timed("mobilenet_v1:separable=false", [4.0] * 8), timed("mobilenet_v1", [1.0] * 8)]
    rows = passes("mobilenet_v1", dw_2=0.003, pw_2=0.007)
    words = study.answer(Evidence(study.arms, [*counted, *times, rows])) or ""
    assert "4.0 times less time here (the depthwise halves do 3.1% of the multiply-adds in 30% of the time)" in words
    untimed = study.answer(Evidence(study.arms, [*counted, *times])) or ""
    assert "fewer" in untimed and "time" not in untimed.partition("fewer parameters")[2]


def test_a_plan_has_every_seed_of_every_trained_arm() -> None:
    cases = plan_study(STUDY, OPTIONS)
    trainings = [case for case in cases if case.metric == "accuracy"]
    assert len(trainings) == 9
    assert sorted({case.seed for case in trainings}) == [0, 1, 2]
    assert {case.recipe for case in trainings} == {"sample", "sample:auxiliary=false"}
    assert [case.model for case in cases if case.metric == "rows"] == ["resnet18", "resnet34"]


def test_a_study_may_ask_for_any_metric() -> None:
    study = dataclasses.replace(STUDY, claims=(), metrics=tuple(METRICS))
    usual = dataclasses.replace(OPTIONS, metrics=tuple(metric.name for metric in METRICS.values() if metric.default))
    assert {case.metric for case in plan_study(study, usual)} == set(METRICS)
    assert "throughput" not in {case.metric for case in plan_study(study, OPTIONS)}  # where --metrics says otherwise
    assert len([case for case in plan_study(study, usual) if case.metric == "throughput"]) == 2


def test_counts_are_planned_at_the_papers_size_and_other_metrics_only_if_asked() -> None:
    small = dataclasses.replace(OPTIONS, img_size=32, metrics=("params",))
    cases = plan_study(STUDIES["mobilenet_resolution"], small)
    assert {(case.metric, case.img_size) for case in cases} == {("rows", side) for side in (224, 192, 160, 128)}


def test_resolution_is_trained_in_proportion() -> None:
    cases = plan_study(STUDIES["mobilenet_resolution"], OPTIONS)
    assert {case.train_img_size for case in cases if case.metric == "accuracy"} == {56, 48, 40, 32}
