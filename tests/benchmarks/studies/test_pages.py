"""Pages of studies on made-up records: what their first lines say, what is drawn, and that PyTorch stays out of it."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from benchmarks.records.record import Case, Environment, Measurement, Record
from benchmarks.report.studies.page import write_study
from benchmarks.report.studies.pictures import DRAW
from benchmarks.report.studies.views import data_of
from benchmarks.studies import STUDIES
from benchmarks.studies.claims import more_accurate, no_slower
from benchmarks.studies.evidence import Evidence
from benchmarks.studies.study import Arm, Claim, Picture, Study
from tests.benchmarks.studies.made import HERE, ONE, OTHER, STUDY, THERE, tables_of, timed, trained


def page_of(study: Study, records: Iterable[Record], folder: Path, **others: object) -> str:
    page = write_study(study, records, HERE, folder, **others)  # type: ignore[arg-type]
    assert page is not None and page == folder / "studies" / f"{study.name}.md"
    return page.read_text()


def test_a_page_without_trainings_leaves_claims_open_and_says_how_to_close_them(
    counted: list[Record], tmp_path: Path
) -> None:
    title, _, first, *rest = page_of(STUDIES["residual"], counted, tmp_path).splitlines()
    assert title == "# Do residual shortcuts let a deeper network be the better one?"
    assert "21,623,848 parameters" in first and "Not trained here yet: plain-34 behind plain-18" in first
    text = "\n".join(rest)
    assert "| **open** |" in text and "`python -m benchmarks.run --studies residual`" in text
    assert (tmp_path / "studies/figures/residual_stacked.svg").stat().st_size > 1000
    assert "residual_curves" not in text


@pytest.mark.usefixtures("undrawn")
def test_a_page_with_trainings(counted: list[Record], tmp_path: Path) -> None:
    study = STUDIES["residual"]
    level = {arm.model: 0.6 + 0.03 * place for place, arm in enumerate(study.arms)}
    records = [trained(arm.model, seed, level[arm.model] + 0.01 * seed) for arm in study.arms for seed in range(3)]
    text = page_of(study, [*counted, *records], tmp_path)
    first = text.splitlines()[2]
    assert first.startswith(
        "**Plain-34 behind plain-18: contradicted here; ResNet-34 ahead of ResNet-18: supported here.** (Here: "
        "networks trained for 2 epochs on 6,000 images of Fashion-MNIST, not for as long and not on what the papers "
        "did.) "
    )
    assert "5 of 5 printed figures agree with what is counted" in first
    assert "| plain-18 | `resnet18:shortcut=none` | 11.52 | 1.795 | 61.0 (58.5 to 63.5, 3 seeds)" in text
    assert "figures/residual_curves.svg" in text and "figures/residual_differences.svg" in text
    assert "28.54 against 27.94 % error" in text and "72.1 [1]" in text


def test_a_page_says_where_it_was_made_and_where_its_networks_were_trained(
    counted: list[Record], tmp_path: Path
) -> None:
    def page(*homes: Environment) -> str:
        records = [
            trained(arm.model, seed, 0.5, machine=machine) for seed, machine in enumerate(homes) for arm in (ONE, OTHER)
        ]
        return page_of(STUDY, [*counted, *records], tmp_path, machines={THERE.machine_id: THERE.machine})

    text = page(HERE, HERE)
    assert text.endswith("commit aaaaaaaaaaaa.\n\n`python -m benchmarks.run --studies toy --epochs 2 --img-size 64`\n")
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
    renamed = dataclasses.replace(study.arms[0], title="slim")
    other = dataclasses.replace(study, arms=(renamed, study.arms[1]), claims=(), pictures=(Picture("stacked"),))
    write_study(other, counted, HERE, tmp_path)
    assert picture.stat().st_mtime_ns != drawn


def test_how_many_printed_figures_agree_is_counted_and_not_judged(counted: list[Record], tmp_path: Path) -> None:
    """The tally of each page against its own table, line by line."""
    for study in filter(lambda study: study.published, STUDIES.values()):
        text = page_of(dataclasses.replace(study, pictures=()), counted, tmp_path)
        lines = [line for line in text.partition("counted again")[2].splitlines() if line.startswith("| ")][2:]
        last = [line.rstrip("| ").rpartition(" | ")[2] for line in lines]
        agree, cut = sum(cell.startswith("agrees") for cell in last), sum("cut" in cell for cell in last)
        assert len(lines) == len(study.published) == agree + sum(cell.startswith("differs") for cell in last)
        said = f"{agree} of {len(lines)} printed figure"
        assert text.count(said) == 2  # in the first line and above the table
        assert (f", {cut} with " in text) == bool(cut)
        assert "follow from" not in text.partition("## The claims")[2].partition("\n## ")[0].replace("slip", "")


def test_a_claim_that_compares_unequal_recipes_says_so_where_it_stands(counted: list[Record], tmp_path: Path) -> None:
    study = dataclasses.replace(STUDIES["vgg_depth"], pictures=())
    records = [trained(arm.model, seed, 0.5 + 0.01 * seed) for arm in study.arms for seed in range(3)]
    text = page_of(study, [*counted, *records], tmp_path)
    remark = "part of it may be the recipe, whose steps differ with and without batch normalization"
    assert [line.partition(" | ")[0] for line in text.splitlines() if remark in line] == [
        "| batch normalization helps at 16 layers (73.4 against 71.6 % with torchvision's weights)"
    ]


def test_nothing_is_promised_of_further_seeds(counted: list[Record], tmp_path: Path) -> None:
    gains = (0.03, -0.01, 0.02)
    records = [
        trained(arm.model, seed, 0.5 + gain * (arm is ONE)) for arm in (ONE, OTHER) for seed, gain in enumerate(gains)
    ]
    text = page_of(STUDY, [*counted, *records], tmp_path)
    assert "**One ahead: too noisy.**" in text and "settle" not in text
    assert "`python -m benchmarks.run --studies toy --seed 3` adds the seeds from 3 on." in text


def test_a_page_ends_with_the_commands_of_all_its_trainings(counted: list[Record], tmp_path: Path) -> None:
    records = [trained(arm.model, seed, 0.5) for arm in (ONE, OTHER) for seed in (0, 1, 2, 3, 5, 9)]
    text = page_of(STUDY, [*counted, *records], tmp_path)
    assert re.findall(r"`python -m benchmarks.run --studies toy --epochs 2 --img-size 64( --seed \d)?`\n", text) == [
        "", " --seed 3", " --seed 9",
    ]  # fmt: skip


def test_the_published_figure_of_a_page_is_that_of_the_report(counted: list[Record], tmp_path: Path) -> None:
    text = page_of(dataclasses.replace(STUDIES["vgg_depth"], pictures=()), counted, tmp_path)
    assert "| D | `vgg16` | 138.36 | 15.470 | open | open | 73.0 [4] |" in text
    assert "[4] arXiv:1409.1556, Tables 2 and 3 (D) (ILSVRC-2012 validation, dense evaluation at scale 256" in text


def test_differences_are_named_on_the_page(counted: list[Record], tmp_path: Path) -> None:
    text = page_of(STUDIES["separable"], counted, tmp_path)
    assert "differs: 1.91 % follow from the architecture" in text
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
import pytest

from benchmarks.records.record import Case, Environment, Measurement, Record
from benchmarks.studies import STUDIES
from benchmarks.report.studies.page import write_study
records = [Record.from_json(line) for line in Path({str(records)!r}).read_text().splitlines()]
drawn = {{"separable": 1}}
for name, study in STUDIES.items():
    study = replace(study, pictures=study.pictures[: drawn.get(name, 0)])
    write_study(study, records, Environment(machine={{}}, software={{}}), Path({str(tmp_path)!r}))
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parents[3])
    pages = list((tmp_path / "studies").glob("*.md"))
    assert {page.stem for page in pages} == {name for name, study in STUDIES.items() if study.published or study.claims}
    for page in pages:
        title, _, first, *_ = page.read_text().splitlines()
        assert title.startswith("# ") and title.endswith("?") and first.startswith(("**", "Not trained here yet: "))


def test_a_study_without_an_answer_of_its_own_is_answered_by_what_was_counted(
    counted: list[Record], tmp_path: Path
) -> None:
    first = page_of(STUDY, counted, tmp_path).splitlines()[2]
    assert first.startswith("**Other takes 3,664 M multiply-adds, one 1,814 M.** Not trained here yet: one ahead.")


def test_where_no_claim_is_short_those_about_arms_answer_the_question(counted: list[Record], tmp_path: Path) -> None:
    claims = (Claim("one wins", "nowhere", more_accurate("one", "other")),)
    study = dataclasses.replace(STUDY, claims=claims)
    assert "Not trained here yet: one wins." in page_of(study, counted, tmp_path)
    records = [trained(arm.model, seed, 0.5 + gain) for arm, gain in ((ONE, 0.1), (OTHER, 0.0)) for seed in (0, 1)]
    assert (
        page_of(study, [*counted, *records], tmp_path)
        .splitlines()[2]
        .startswith("**One wins: supported here.** (Here: networks trained for 2 epochs")
    )
    short = dataclasses.replace(STUDY, claims=(*STUDY.claims, Claim("fast", "nowhere", no_slower("one", "other"))))
    assert [claim.short for claim in short.claims] == ["one ahead", ""]
    assert [claim.short for claim in STUDIES["alexnet_parameters"].claims] == [""]


def test_differences_are_those_of_the_claims_unless_others_are_named() -> None:
    (picture,) = dataclasses.replace(STUDY, pictures=(Picture("differences"),)).pictures
    assert picture.pairs == (("one", "other"),)
    own = Picture("differences", pairs=(("other", "alone"),))
    assert dataclasses.replace(STUDY, pictures=(own,)).pictures == (own,)


DEPTHS = Study(
    name="depths",
    question="Depth, or what the shortcut is?",
    source="nowhere",
    arms=tuple(
        Arm(f"{depth}, {kind}", f"resnet{depth}:shortcut={kind}") for depth in (18, 34) for kind in ("none", "pad")
    )[:3],
    pictures=(
        Picture("scatter", color="{shortcut} in it"),
        Picture("heatmaps", rows=("shortcut", "{shortcut}"), columns=("layers", "{title:.2}")),
    ),
)


def test_points_and_grids_are_of_any_model() -> None:
    """Colours, markers, rows and columns are options of whatever networks the study compares."""
    tables = tables_of(DEPTHS)
    times = [timed(arm.model, [1.0 + place] * 8) for place, arm in enumerate(DEPTHS.arms)]
    costs = [
        Record(case=Case(metric="mult_adds", model=arm.model, img_size=64), status="ok",
               measurements=(Measurement(name="mult_adds", value=1e8, unit="count"),))
        for arm in DEPTHS.arms
    ]  # fmt: skip
    records = [*tables, *times, *costs, *(trained(arm.model, 0, 0.5) for arm in DEPTHS.arms)]
    scatter, heatmaps = (data_of(picture, Evidence(DEPTHS.arms, records)) for picture in DEPTHS.pictures)
    assert scatter is not None and heatmaps is not None
    measured = scatter["panels"][1]["points"]
    assert [(point["group"], point["mark"]) for point in measured] == [
        ("none in it", "18, none"), ("pad in it", "18, pad"), ("none in it", "34, none"),
    ]  # fmt: skip
    assert (heatmaps["rows"], heatmaps["columns"], heatmaps["y"], heatmaps["x"]) == (
        ["none", "pad"], ["18", "34"], "shortcut", "layers",
    )  # fmt: skip
    (latency,) = [panel["texts"] for panel in heatmaps["panels"] if "latency" in panel["title"]]
    assert latency == [["1000.0", "3000.0"], ["2000.0", ""]]  # nobody asked for 34 layers that pad
    figure = DRAW["heatmaps"](heatmaps)
    assert "3000.0" in [text.get_text() for axes in figure.axes for text in axes.texts]
    assert [text.get_text() for text in DRAW["scatter"](scatter).legends[0].texts] == [
        "none in it", "pad in it", "18, none", "18, pad", "34, none",
    ]  # fmt: skip


def test_more_points_than_markers_can_be_drawn() -> None:
    points = [{"x": 1.0 + place, "y": 50.0, "low": None, "high": None, "group": str(place), "mark": str(place)}
              for place in range(20)]  # fmt: skip
    figure = DRAW["scatter"]({"panels": [{"title": "many", "points": points}]})
    assert len(figure.legends[0].texts) == 40
