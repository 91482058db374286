"""Studies: every printed figure counted again, verdicts on synthetic records, pages without PyTorch."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import pytest

import zoo
from benchmarks.metrics.rows import METRIC
from benchmarks.metrics.subject import Subject
from benchmarks.plan.cases import Options, plan_study
from benchmarks.records.record import Case, Environment, Measurement, Record
from benchmarks.report.studies.page import answer, verdicts, write_study
from benchmarks.report.studies.pictures import DRAW
from benchmarks.report.studies.views import data_of
from benchmarks.stats.intervals import Interval
from benchmarks.studies import STUDIES
from benchmarks.studies.claims import (
    as_accurate,
    judge_differences,
    more_accurate,
    no_slower,
    seeds_needed,
    slower,
    time_follows_work,
)
from benchmarks.studies.evidence import Evidence
from benchmarks.stats.means import mean_of
from benchmarks.studies.study import Arm, Claim, Picture, Published, Study

OPTIONS = Options(models=(), metrics=("params", "latency", "accuracy"), num_threads=(2,), settings={"max_time": 1.0})
HERE = Environment(machine={"cpu": "CPU here"}, software={"commit": 40 * "a"}, command="python -m benchmarks.run")
THERE = Environment(machine={"cpu": "CPU there"}, software={})
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


@pytest.fixture(scope="module")
def counted() -> list[Record]:
    """The tables of every model of every study, counted on the meta device."""
    return tables_of(*STUDIES.values())


def tables_of(*studies: Study) -> list[Record]:
    cases = {case: None for study in studies for case in plan_study(study, Options(models=(), metrics=()))}
    assert {case.metric for case in cases} == {"rows"}
    measure = METRIC.measure
    assert measure is not None
    return [Record(case=case, status="ok", measurements=measure(Subject(case))) for case in cases]


def test_every_printed_figure_is_reproduced_or_is_a_known_slip(counted: list[Record]) -> None:
    wrong = set()
    for study in STUDIES.values():
        evidence = Evidence(study, counted)
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
    assert [arm.printed_top1 for arm in STUDIES["xception_vs_inception"].arms] == [0.715, 0.770, 0.782, 0.790]


def test_claims_that_counting_settles(counted: list[Record]) -> None:
    settled = {}
    for study in STUDIES.values():
        for claim, verdict in verdicts(study, Evidence(study, counted)):
            if verdict.status != "open":
                settled[study.name, claim.text] = verdict.status
    contradicted = {key for key, status in settled.items() if status == "contradicted"}
    assert contradicted == {("mobilenet_width", "so do parameters (within 20 %)")}  # the classifier shrinks linearly
    assert set(settled.values()) == {"supported", "contradicted"}
    assert {name for name, _ in settled} == set(STUDIES)


@pytest.mark.parametrize("study", STUDIES.values(), ids=lambda study: study.name)
def test_a_study_is_sound(study: Study) -> None:
    assert Path(sys.modules["benchmarks.studies"].__path__[0], f"{study.name}.py").exists()
    assert len(study.by_title) == len(study.arms)
    for arm in study.arms:
        assert zoo.spec(arm.model).label == arm.model
        if arm.img_size:
            assert arm.img_size >= zoo.spec(arm.model).input.min_size
    for picture in study.pictures:
        assert picture.kind in DRAW
        named = {name for pair in picture.pairs for name in pair} | {
            name for _, arms in picture.panels for name in arms
        }
        assert named <= study.by_title.keys()
        assert all(study.by_title[name].trained for name in named)
    evidence = Evidence(study, [])
    assert {verdict.status for _, verdict in verdicts(study, evidence)} <= {"open", "supported"}
    assert study.answer(evidence) == ""


@pytest.mark.parametrize(
    ("printed", "unit", "counted", "expected"),
    [
        ("133", "M", 132_863_336, "equal"),
        ("290", "M", 290_675_200, "cut"),
        ("4866", "M", 4_867_293_184, "differs"),
        ("61100840", "", 61_100_840, "equal"),
        ("61100840", "", 61_100_841, "differs"),
        ("112", "K", 114_688, "equal"),
        ("1.19", "%", 0.0191, "differs"),
        ("0.5", "M", 470_072, "equal"),
        ("0.5", "M", 449_000, "differs"),
    ],
)
def test_agreement_with_printed_digits(printed: str, unit: str, counted: float, expected: str) -> None:
    figure = Published(what="x", where="y", printed=printed, unit=unit, counted=lambda evidence: counted)
    assert figure.agreement(counted) == expected


def test_a_difference_that_clears_its_interval() -> None:
    assert judge_differences([0.02, 0.021, 0.019]).status == "supported"
    assert judge_differences([-0.02, -0.021, -0.019]).status == "contradicted"
    assert "3 seeds" in judge_differences([0.02, 0.021, 0.019]).words


def test_a_difference_inside_its_interval_is_too_noisy_and_says_how_many_seeds_more() -> None:
    verdict = judge_differences([0.03, -0.01, 0.02])
    assert verdict.status == "too noisy"
    needed = seeds_needed(0.04 / 3, 0.020816659994661)
    assert needed is not None and verdict.more_seeds == needed - 3 > 0
    # with so many more seeds of the same kind the verdict would fall
    many = [0.04 / 3 + 0.0208 * sign for sign in (1, -1) for _ in range(needed)]
    assert judge_differences(many).status == "supported"


def test_no_difference_at_all_needs_no_end_of_seeds() -> None:
    verdict = judge_differences([0.01, -0.01])
    assert (verdict.status, verdict.more_seeds) == ("too noisy", 0)
    assert seeds_needed(0.0, 0.01) is None


def test_one_seed_is_not_enough() -> None:
    assert judge_differences([0.5]).status == "open"
    assert judge_differences([]).status == "open"


def test_a_margin_moves_the_threshold() -> None:
    differences = [-0.005, -0.006, -0.004]
    assert judge_differences(differences).status == "contradicted"
    assert judge_differences(differences, by=-0.011).status == "supported"


STUDY = Study(
    name="toy",
    question="Which is better?",
    source="nowhere",
    arms=(
        Arm(title="one", model="resnet18"),
        Arm(title="other", model="resnet34"),
        Arm(title="alone", model="resnet18", settings=(("auxiliary", False),)),
    ),
    answer=lambda evidence: "",
    claims=(Claim(text="one beats other", source="Table 0", judge=more_accurate("one", "other"), short="one ahead"),),
    seeds=(0, 1, 2),
)


def trained(
    model: str, seed: int, top1: float, *, epochs: int = 2, machine: Environment = HERE, **changes: object
) -> Record:
    case = Case(
        metric="accuracy",
        model=model,
        dataset="fashion_mnist",
        img_size=64,
        epochs=epochs,
        train_images=6000,
        seed=seed,
    )
    curve = [{"epoch": epoch + 1, "loss": 1.0, "train_top1": top1 / 2, "top1": top1} for epoch in range(epochs)]
    measurement = Measurement(name="top1", value=top1, unit="fraction", details={"curve": curve, "recipe_text": "So."})
    case = dataclasses.replace(case, **changes)  # type: ignore[arg-type]
    return Record(case=case, status="ok", measurements=(measurement,), machine=machine.machine_id)


def test_differences_are_paired_by_seed() -> None:
    records = [trained("resnet18", seed, 0.5 + 0.1 * seed) for seed in (0, 1, 2)]
    records += [trained("resnet34", seed, 0.49 + 0.1 * seed + 0.001 * seed) for seed in (2, 1, 0, 3)]
    one, other, _ = STUDY.arms
    assert Evidence(STUDY, records).differences(one, other) == pytest.approx([0.01, 0.009, 0.008])
    assert more_accurate("one", "other")(Evidence(STUDY, records)).status == "supported"
    assert more_accurate("other", "one")(Evidence(STUDY, records)).status == "contradicted"


def test_trainings_under_other_conditions_are_not_compared() -> None:
    short = [trained("resnet18", seed, 0.9, epochs=1) for seed in (0, 1)]
    long = [trained("resnet34", seed, 0.5) for seed in (0, 1)]
    assert more_accurate("one", "other")(Evidence(STUDY, short + long)).status == "open"
    both = short + long + [trained("resnet18", seed, 0.4) for seed in (0, 1)]
    assert Evidence(STUDY, both).differences(*STUDY.arms[:2]) == pytest.approx([-0.1, -0.1])


def test_trainings_of_two_machines_are_not_compared() -> None:
    one, other, _ = STUDY.arms
    here = [trained("resnet18", seed, 0.9) for seed in (0, 1, 2)]
    there = [trained("resnet34", seed, 0.5, machine=THERE) for seed in (0, 1, 2)]
    assert Evidence(STUDY, here + there).differences(one, other) == []
    there += [trained("resnet18", seed, 0.4, machine=THERE) for seed in (0, 1)]
    assert Evidence(STUDY, here + there).differences(one, other) == pytest.approx([-0.1, -0.1])


def test_seeds_of_two_machines_add_up() -> None:
    one, other, _ = STUDY.arms
    here = [trained(arm.model, seed, top1) for arm, top1 in ((one, 0.9), (other, 0.8)) for seed in (0, 1)]
    there = [
        trained(arm.model, seed, top1, machine=THERE) for arm, top1 in ((one, 0.7), (other, 0.5)) for seed in (1, 2, 3)
    ]
    evidence = Evidence(STUDY, here + there)
    assert evidence.differences(one, other) == pytest.approx([0.1, 0.1, 0.2, 0.2])  # of equals the first
    mean = evidence.accuracy(one)
    assert mean is not None and (mean.value, mean.count) == (pytest.approx(0.8), 4)
    assert {record.machine for record in evidence.training_records()} == {HERE.machine_id, THERE.machine_id}


def test_a_varied_recipe_belongs_to_its_own_arm() -> None:
    records = [trained("resnet18", 0, 0.7), trained("resnet18", 0, 0.6, settings=(("auxiliary", False),))]
    evidence = Evidence(STUDY, records)
    one, _, alone = STUDY.arms
    assert evidence.differences(one, alone) == pytest.approx([0.1])
    mean = evidence.accuracy(one)
    assert mean is not None and (mean.value, mean.low, mean.count) == (0.7, None, 1)


def test_the_next_seed_is_the_first_that_some_variant_lacks() -> None:
    study = dataclasses.replace(STUDY, arms=STUDY.arms[:2])
    records = [trained(arm.model, seed, 0.5) for arm in study.arms for seed in (0, 1, 2)]
    assert Evidence(study, []).next_seed() == Evidence(study, records).next_seed() == 3
    records += [trained("resnet18", seed, 0.5) for seed in (3, 4)]
    assert Evidence(study, records).next_seed() == 3
    records += [trained("resnet34", 3, 0.5)]
    assert Evidence(study, records).next_seed() == 4


def test_failed_trainings_do_not_count() -> None:
    records = [
        dataclasses.replace(trained("resnet18", seed, 0.7), status="failed", reason="diverged") for seed in (0, 1)
    ]
    assert Evidence(STUDY, records).accuracy(STUDY.arms[0]) is None


def test_as_accurate_as() -> None:
    def judged(differences: list[float]) -> str:
        records = [trained("resnet18", seed, 0.5 + change) for seed, change in enumerate(differences)]
        records += [trained("resnet34", seed, 0.5) for seed in range(len(differences))]
        return as_accurate("one", "other", within=0.02)(Evidence(STUDY, records)).status

    assert judged([0.001, 0.002, 0.0]) == "supported"
    assert judged([0.05, 0.051, 0.049]) == "contradicted"
    assert judged([-0.05, -0.051, -0.049]) == "contradicted"
    assert judged([0.05, -0.05, 0.01]) == "too noisy"
    assert judged([]) == "open"


def timed(model: str, seconds: list[float], run: str = "a", ratio: tuple[float, float, float] | None = None) -> Record:
    found = [
        Measurement(
            name="latency_s", value=seconds[0], unit="s", samples=tuple(seconds), rounds=tuple(range(len(seconds))),
            details={"run": run, "reference": "resnet50"},
        )
    ]  # fmt: skip
    if ratio:
        found.append(Measurement(name="latency_ratio", value=ratio[0], unit="ratio", low=ratio[1], high=ratio[2]))
    return Record(case=Case(metric="latency", model=model), status="ok", measurements=tuple(found))


def test_speed_is_judged_over_common_rounds() -> None:
    def judged(one: list[float], other: list[float]) -> str:
        evidence = Evidence(STUDY, [timed("resnet18", one), timed("resnet34", other)])
        return no_slower("one", "other")(evidence).status

    assert judged([1.0] * 8, [2.0] * 8) == "supported"
    assert judged([2.0] * 8, [1.0] * 8) == "contradicted"
    assert judged([1.0, 2.0] * 4, [2.0, 1.0] * 4) == "too noisy"
    assert no_slower("one", "other")(Evidence(STUDY, [])).status == "open"


def test_times_of_two_runs_compare_by_the_model_both_ran_beside() -> None:
    halved = timed("resnet18", [9.0] * 8, ratio=(0.5, 0.49, 0.51)), timed("resnet34", [1.0] * 8, "b", (1.0, 0.98, 1.02))
    verdict = no_slower("one", "other")(Evidence(STUDY, halved))
    assert verdict.status == "supported" and "0.50 times as long (0.49 to 0.51)" in verdict.words
    rough = halved[0], timed("resnet34", [1.0] * 8, "b", (1.0, 0.4, 3.0))
    assert no_slower("one", "other")(Evidence(STUDY, rough)).status == "too noisy"
    assert no_slower("one", "other")(Evidence(STUDY, [halved[0], timed("resnet34", [1.0], "b")])).status == "open"


def test_slower_by_a_factor() -> None:
    evidence = Evidence(STUDY, [timed("resnet18", [3.0] * 8), timed("resnet34", [1.0] * 8)])
    assert slower("one", "other")(evidence).status == "supported"
    assert slower("one", "other", times=2)(evidence).status == "supported"
    assert slower("one", "other", times=4)(evidence).status == "contradicted"


@pytest.mark.parametrize(("seconds", "status"), [(0.5, "supported"), (1.0, "contradicted"), (0.2, "contradicted")])
def test_time_follows_work(seconds: float, status: str) -> None:
    records = [timed("resnet18", [seconds] * 8), timed("resnet34", [1.0] * 8)]
    judge = time_follows_work("one", "other", within=0.2)  # 1.81 against 3.66 G multiply-adds
    assert judge(Evidence(STUDY, records)).status == "open"
    verdict = judge(Evidence(STUDY, [*records, *tables_of(STUDY)]))
    assert verdict.status == status and "0.50 times the multiply-adds" in verdict.words


def test_times_are_those_of_the_condition_most_arms_were_timed_under() -> None:
    batch = dataclasses.replace(
        timed("resnet18", [5.0] * 8), case=Case(metric="latency", model="resnet18", batch_size=8)
    )
    found = Evidence(STUDY, [batch, timed("resnet18", [1.0] * 8), timed("resnet34", [2.0] * 8), batch]).latency(
        "resnet18"
    )
    assert found is not None and found.value == 1.0


def passes(model: str, **seconds: float) -> Record:
    rows = [
        Measurement(name=f"row:{name}", value=each, unit="s", samples=(each,) * 8, details={"mult_adds": 10**6})
        for name, each in seconds.items()
    ]
    return Record(case=Case(metric="layers", model=model), status="ok", measurements=tuple(rows))


def test_the_share_of_the_time_that_some_rows_take() -> None:
    evidence = Evidence(STUDY, [passes("resnet18", conv1=0.001, conv2=0.002, head=0.001)])
    share = evidence.time_share("resnet18", ("conv1", "head"))
    assert share is not None and (share.low, share.value, share.high) == (0.5, 0.5, 0.5)
    assert evidence.time_share("resnet34", ("conv1",)) is None
    data = data_of(Picture(kind="rows", caption="", panels=(("one", ("one",)),)), evidence)
    assert data is not None
    assert [row["time"] for row in data["panels"][0]["rows"]] == [25, 50, 25]
    assert [row["rate"] for row in data["panels"][0]["rows"]] == pytest.approx([1.0, 0.5, 1.0])
    assert [text.get_text() for text in DRAW["rows"](data).axes[0].texts] == ["1.0", "0.50", "1.0"]


def test_separable_says_how_much_of_the_saving_arrives_as_time(counted: list[Record]) -> None:
    study = STUDIES["separable"]
    times = [timed("mobilenet_v1:separable=false", [4.0] * 8), timed("mobilenet_v1", [1.0] * 8)]
    rows = passes("mobilenet_v1", dw_2=0.003, pw_2=0.007)
    words = study.answer(Evidence(study, [*counted, *times, rows]))
    assert "4.0 times less time here (the depthwise halves do 3.1% of the multiply-adds in 30% of the time)" in words
    assert "time" not in study.answer(Evidence(study, [*counted, *times])).partition("fewer parameters")[2]


def test_the_interval_is_students() -> None:
    mean = mean_of([1.0, 2.0, 3.0])
    assert (mean.value, mean.count) == (2.0, 3)
    assert mean.low is not None and mean.high is not None
    assert Interval(mean.value, mean.low, mean.high).half_width == pytest.approx(4.3027 / 3**0.5 / 2, rel=1e-4)


def test_a_plan_has_every_seed_of_every_trained_arm() -> None:
    cases = plan_study(STUDY, OPTIONS)
    trainings = [case for case in cases if case.metric == "accuracy"]
    assert len(trainings) == 9
    assert sorted({case.seed for case in trainings}) == [0, 1, 2]
    assert {dict(case.settings).get("auxiliary") for case in trainings} == {None, False}
    assert [case.model for case in cases if case.metric == "rows"] == ["resnet18", "resnet34"]


def test_counts_are_planned_at_the_papers_size_and_dear_metrics_only_if_asked() -> None:
    small = dataclasses.replace(OPTIONS, img_size=32, metrics=("params",))
    cases = plan_study(STUDIES["mobilenet_resolution"], small)
    assert {(case.metric, case.img_size) for case in cases} == {("rows", side) for side in (224, 192, 160, 128)}


def test_resolution_is_trained_in_proportion() -> None:
    cases = plan_study(STUDIES["mobilenet_resolution"], OPTIONS)
    assert {case.img_size for case in cases if case.metric == "accuracy"} == {56, 48, 40, 32}


def test_a_page_without_trainings_leaves_claims_open_and_says_how_to_close_them(
    counted: list[Record], tmp_path: Path
) -> None:
    page = write_study(STUDIES["residual"], counted, HERE, tmp_path)
    title, _, first, *rest = page.read_text().splitlines()
    assert title == "# Do residual shortcuts let a deeper network be the better one?"
    assert "21,623,848 parameters" in first and "Not trained here yet: plain-34 behind plain-18" in first
    text = "\n".join(rest)
    assert "| **open** |" in text and "`python -m benchmarks.run --studies residual`" in text
    assert (tmp_path / "studies/figures/residual_stacked.svg").stat().st_size > 1000
    assert "residual_curves" not in text


def test_a_page_with_trainings(counted: list[Record], tmp_path: Path) -> None:
    study = STUDIES["residual"]
    level = {arm.model: 0.6 + 0.03 * place for place, arm in enumerate(study.arms)}
    records = [
        *counted,
        *(trained(arm.model, seed, level[arm.model] + 0.01 * seed) for arm in study.arms for seed in range(3)),
    ]
    text = write_study(study, records, HERE, tmp_path).read_text()
    first = text.splitlines()[2]
    assert first.startswith("**Plain-34 behind plain-18: contradicted; ResNet-34 ahead of ResNet-18: supported.**")
    assert "| plain-18 | `resnet18:shortcut=none` | 11.52 | 1.795 | 61.0 (58.5 to 63.5, 3 seeds)" in text
    assert "figures/residual_curves.svg" in text and "figures/residual_differences.svg" in text
    assert "28.54 against 27.94 % error" in text and "72.1 [1]" in text


def test_a_page_says_where_it_was_made_and_where_its_networks_were_trained(
    counted: list[Record], tmp_path: Path
) -> None:
    def page(*homes: Environment) -> str:
        records = [
            trained(arm.model, seed, 0.5, machine=machine)
            for seed, machine in enumerate(homes)
            for arm in STUDY.arms[:2]
        ]
        known = {THERE.machine_id: THERE.machine}
        return write_study(STUDY, [*counted, *records], HERE, tmp_path, known).read_text()

    text = page(HERE, HERE)
    assert text.endswith("commit aaaaaaaaaaaa.\n\n`python -m benchmarks.run`\n")
    assert "CPU here;" in text and "another machine" not in text and "Further ones" not in text
    assert "asks for 3 seeds. Further ones were trained after those had been looked at" in page(HERE, HERE, HERE, HERE)
    assert "- Seed 1: trained on another machine than the one below, CPU there, with" in page(HERE, THERE)
    assert "- Seeds 0 and 1: trained on another machine than the one below, CPU there, with" in page(THERE, THERE)


def test_a_picture_is_drawn_again_only_for_other_data(counted: list[Record], tmp_path: Path) -> None:
    study = STUDIES["mobilenet_shallow"]
    write_study(study, counted, HERE, tmp_path)
    picture = tmp_path / "studies/figures/mobilenet_shallow_stacked.svg"
    drawn = picture.stat().st_mtime_ns
    write_study(study, counted, HERE, tmp_path)
    assert picture.stat().st_mtime_ns == drawn
    changed = re.sub(rb"<dc:identifier>\w+", b"<dc:identifier>of other data", picture.read_bytes())
    assert changed != picture.read_bytes()
    picture.write_bytes(changed)
    write_study(study, counted, HERE, tmp_path)
    assert picture.read_bytes() != changed


def test_slips_are_named_on_the_page(counted: list[Record], tmp_path: Path) -> None:
    text = write_study(STUDIES["separable"], counted, HERE, tmp_path).read_text()
    assert "slip: 1.91 % follow from the architecture" in text
    assert "| 1.19 % | 1.91 % |" in text


def test_only_begun_studies_have_pages(counted: list[Record], tmp_path: Path) -> None:
    own = [record for record in counted if record.case.model.startswith("xception")]
    for study in STUDIES.values():
        write_study(study, own, HERE, tmp_path)
    assert [path.name for path in (tmp_path / "studies").glob("*.md")] == ["xception_block.md"]


def test_pages_are_written_without_pytorch(counted: list[Record], tmp_path: Path) -> None:
    records = tmp_path / "records.jsonl"
    records.write_text("\n".join(record.to_json() for record in counted))
    script = f"""
import sys
from dataclasses import replace
from pathlib import Path
from benchmarks.records.record import Environment, Record
from benchmarks.studies import STUDIES
from benchmarks.report.studies.page import write_study
records = [Record.from_json(line) for line in Path({str(records)!r}).read_text().splitlines()]
drawn = {{"separable": 1}}
for name, study in STUDIES.items():
    study = replace(study, pictures=study.pictures[: drawn.get(name, 0)])
    write_study(study, records, Environment(machine={{}}, software={{}}), Path({str(tmp_path)!r}))
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parents[2])
    pages = list((tmp_path / "studies").glob("*.md"))
    assert len(pages) == len(STUDIES)
    for page in pages:
        title, _, first, *_ = page.read_text().splitlines()
        assert title.startswith("# ") and title.endswith("?") and first.startswith("**")


def test_a_new_study_needs_nothing_but_itself(counted: list[Record], tmp_path: Path) -> None:
    text = write_study(STUDY, counted, HERE, tmp_path).read_text()
    assert "Not trained here yet: one ahead." in text.splitlines()[2]
    assert answer(STUDY, Evidence(STUDY, counted)) in text


def test_the_study_in_the_readme_works(counted: list[Record], tmp_path: Path) -> None:
    readme = (Path(zoo.__file__).parent.parent / "README.md").read_text()
    (code,) = re.findall(r"```python\n(from benchmarks\.studies.*?)```", readme, re.DOTALL)
    names: dict[str, Study] = {}
    exec(code, names)
    study = names["STUDY"]
    cases = plan_study(study, OPTIONS)
    assert sum(case.metric == "accuracy" for case in cases) == 2 * 3
    page = write_study(study, counted, HERE, tmp_path)
    assert "the wider one wins" in page.read_text()
