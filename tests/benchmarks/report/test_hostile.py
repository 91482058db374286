"""Text from outside stays text: whatever stands in records and environment, no page, table or cell comes apart."""

from __future__ import annotations

import dataclasses
import random
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from benchmarks.records.record import Case, Environment, Measurement, Record
from benchmarks.report import drawing, write_report
from benchmarks.report.bars import Bar, CheckPage
from benchmarks.report.overview import survey
from benchmarks.report.pictures import PICTURES
from benchmarks.report.studies.page import write_study
from tests.benchmarks.report.made import ENVIRONMENT, accuracy, counted, latency, mult_adds_of, page_of, record
from tests.benchmarks.studies.made import STUDY, tables_of, timed, trained

HOSTILE = (
    "<script>alert(1)</script>", "\n# owned\n", "\n\n---\n", "| a | b |\n| - | - |", "`code` ``` ```", "[x](http://y)",
    "![x](y.svg)", "**bold** _under_ ~~out~~", "=HYPERLINK(A1)", "@here", "+1-1", "\x1b[31mred", "a\r\nb\tc\x00",
    "</details>", "&lt;b&gt; &amp;", "$x$ \\", "<!-- gone", "- item", "1. item", "> quoted", "<b", "\u202egnp",
    "x" * 700, "</script><script>owned = 1</script>", "<img src=x onerror='owned = 1'>", "' onclick='owned = 1",
)  # fmt: skip
KEPT = {"metric", "status", "name", "samples", "rounds"}  # what decides whether a record is one that a page shows
OURS = re.compile(r"</?(details|summary)>")


def spoiled(value: Any, chance: random.Random) -> Any:
    """The same with hostile text in place of about half of its texts."""
    if isinstance(value, str):
        return "".join(chance.sample(HOSTILE, chance.choice((1, 2)))) if chance.random() < 0.5 else value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [each.name for each in dataclasses.fields(value) if each.name not in KEPT]
        return dataclasses.replace(value, **{name: spoiled(getattr(value, name), chance) for name in names})
    if isinstance(value, Mapping):
        return {name if name in KNOWN else spoiled(name, chance): spoiled(each, chance) for name, each in value.items()}
    if isinstance(value, (tuple, list)):
        return type(value)(spoiled(each, chance) for each in value)
    return value


# keys under which the report looks for something
KNOWN = {
    "counts", "others", "fvcore", "torchinfo_total", "recipe", "img_size", "curve", "epoch", "top1", "drift",
    "last_third_over_first", "reference", "run", "cpu", "cpus", "caches", "gpus", "packages", "commit", "os",
}  # fmt: skip


def whole() -> list[Record]:
    """Records that fill every section of the page."""
    noted = dataclasses.replace(latency("resnet18", 0.04), notes=("auto chose openvino",))
    details = {**noted.measurements[0].details, "stop": "max-time", "reference": "resnet18", "p90_s": "n/a",
               "drift": {"last_third_over_first": 1.1}, "noisy": True}  # fmt: skip
    noted = dataclasses.replace(noted, measurements=(dataclasses.replace(noted.measurements[0], details=details),))
    others = {"counts": {"fvcore": 1e9}, "others": {"fvcore": {"conv": 1e9, "norm": 1e8}, "torchinfo_total": 2e9}}
    work = Measurement(name="mult_adds", value=1e9, unit="count", details=others)
    recipe = {"recipe": {"img_size": 64, "epochs": 8}, "curve": [{"epoch": 1, "top1": 0.5}, {"epoch": 2, "top1": 0.9}]}
    top1 = Measurement(name="top1", value=0.9, unit="fraction", low=0.88, high=0.91, details=recipe)
    peak = Measurement(name="peak_rss_bytes", value=1e8, unit="B", method="resident")
    row = Measurement(name="row:conv1", value=0.01, unit="s", details={"mult_adds": 1e9})
    return [
        noted, latency("vgg16", 0.3, runtime="packed"), record("mult_adds", "resnet18", work),
        record("accuracy", "resnet18", top1, dataset="imagenet", epochs=8, train_images=6, train_img_size=64,
               data_dir="/data", recipe="sample"),
        accuracy("vgg16", 0.7, weights="sha256:1", weights_path="mine.pth", epochs=0), counted("resnet18", 1e6),
        mult_adds_of("resnet18", 1e8, 64), record("memory", "resnet18", peak, num_threads=2),
        record("layers", "resnet18", row, num_threads=2),
        record("params", "vgg19", status="failed", reason="no memory"),
    ]  # fmt: skip


PLACE = Environment(
    machine={"cpu": "CPU", "cpus": 2, "caches": {"L2": "1 M"}, "gpus": ["GPU"], "name": "here"},
    software={"os": "Linux", "packages": {"torch": "2"}, "commit": "a" * 40 + "-dirty"},
    command="python -m benchmarks.run",
)
OPEN = [Case(metric="accuracy", model="xception")]


def assert_whole(page: str, headings: int) -> None:
    """No tag but ours, no heading or rule but the page's, every table's lines equally wide, nothing unprintable."""
    assert "<" not in OURS.sub("", page)
    found = [line for line in page.splitlines() if line.startswith("#")]
    assert len(found) == headings and not re.search(r"^# owned", page, re.MULTILINE)
    assert not re.search(r"^(---|===|- item|1\. item|> quoted|\| a \| b)", page, re.MULTILINE)
    assert all(sign.isprintable() or sign == "\n" for sign in page)
    assert not re.search(r"(?<!\\)\]\((http|y\.svg)", page)
    assert page.count("```") == 0 and page.count("<details>") == page.count("</details>")
    for drawn in re.findall(r"(?:^\|.*\n)+", page, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in drawn.splitlines()}) == 1


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("seed", range(12))
def test_no_text_of_a_record_or_environment_leaves_its_place(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    place = spoiled(PLACE, chance)
    machine = place.machine_id
    records = [dataclasses.replace(spoiled(each, chance), machine=machine) for each in whole()]
    opened = [spoiled(case, chance) for case in OPEN]
    page = write_report(records, place, tmp_path, open_cases=opened, trained_on=spoiled("there", chance)).read_text()
    assert_whole(page, page.count("\n## ") + 1)
    sections = {line for line in page.splitlines() if line.startswith("## ")}
    assert all(re.fullmatch(r"## [A-Z][A-Za-z0-9 :,-]+", line) for line in sections)
    for cell in pd.read_csv(tmp_path / "results.csv", dtype=str, keep_default_na=False).to_numpy().ravel():
        assert not re.match(r"\s*[=+@]", cell) and "\n" not in cell and "\x1b" not in cell


@pytest.mark.usefixtures("undrawn")
def test_a_machine_of_a_hostile_name_has_its_tables(tmp_path: Path) -> None:
    there = [dataclasses.replace(each, machine="".join(HOSTILE[:8])) for each in whole()[:2]]
    page = page_of([latency("vgg16", 0.3), *there], tmp_path)
    assert_whole(page, page.count("\n## ") + 1)


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("seed", range(6))
def test_nor_on_the_page_of_a_study_or_of_a_self_check(seed: int, tmp_path: Path, counted_tables: list[Record]) -> None:
    chance = random.Random(seed)
    here = spoiled(PLACE, chance)
    text = "".join(HOSTILE)
    trainings = [
        dataclasses.replace(trained(arm.model, number, 0.5, dataset=text, data_dir=text), notes=(text,), machine=place)
        for arm in STUDY.arms[:2]
        for number, place in enumerate((here.machine_id, "there", "there"))
    ]
    failed = dataclasses.replace(trained("resnet18", 7, 0.5), status="failed", reason=text)
    slow = timed("resnet18", [1.0] * 8)
    details = {**slow.measurements[0].details, "reference": text}
    slow = dataclasses.replace(slow, measurements=(dataclasses.replace(slow.measurements[0], details=details),))
    records = [*counted_tables, *trainings, failed, slow]
    path = write_study(STUDY, records, here, tmp_path, {"there": spoiled(PLACE.machine, chance)})
    assert path is not None
    assert_whole(path.read_text(), 4)
    check = CheckPage(
        title="Check", remark="Tried.", bars=lambda cases: [Bar("a bar")], sections=lambda cases, image: ()
    )
    cases = {"good": {"wall_s": 1.0, "commit": text}, "bad": {"error": text}}
    content = {"cases": cases, "machine": here.machine, "software": here.software, "command": text}
    check.write(content, tmp_path / "check.md")
    assert_whole((tmp_path / "check.md").read_text(), 3)


@pytest.fixture(scope="module")
def counted_tables() -> list[Record]:
    return tables_of(STUDY)


def test_hostile_names_are_drawn() -> None:
    records = [latency(f"$\\frac{{$ {sign} <&> \x00" * 9, 0.1) for sign in "ab"]
    picture = PICTURES["latency"](survey(records, ENVIRONMENT))
    assert picture is not None and drawing.render(picture.draw, picture.data)[1].startswith(b"\x89PNG")
