"""Pages of studies on made-up records: what their first lines say, what is drawn, and that PyTorch stays out of it."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from benchmarks.records.record import Environment, Record
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


def test_a_page_with_trainings(counted: list[Record], tmp_path: Path) -> None:
    study = STUDIES["residual"]
    level = {arm.model: 0.6 + 0.03 * place for place, arm in enumerate(study.arms)}
    records = [trained(arm.model, seed, level[arm.model] + 0.01 * seed) for arm in study.arms for seed in range(3)]
    text = page_of(study, [*counted, *records], tmp_path)
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
            trained(arm.model, seed, 0.5, machine=machine) for seed, machine in enumerate(homes) for arm in (ONE, OTHER)
        ]
        return page_of(STUDY, [*counted, *records], tmp_path, machines={THERE.machine_id: THERE.machine})

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
    text = page_of(STUDIES["separable"], counted, tmp_path)
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
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parents[3])
    pages = list((tmp_path / "studies").glob("*.md"))
    assert len(pages) == len(STUDIES)
    for page in pages:
        title, _, first, *_ = page.read_text().splitlines()
        assert title.startswith("# ") and title.endswith("?") and first.startswith("**")


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
    assert page_of(study, [*counted, *records], tmp_path).splitlines()[2].startswith("**One wins: supported.** Other")
    short = dataclasses.replace(STUDY, claims=(*STUDY.claims, Claim("fast", "nowhere", no_slower("one", "other"))))
    assert [claim.short for claim in short.claims] == ["one ahead", ""]
    assert [claim.short for claim in STUDIES["alexnet_parameters"].claims] == ["", ""]


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
    records = [*tables, *times, *(trained(arm.model, 0, 0.5) for arm in DEPTHS.arms)]
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
