"""The part of a page that says which network is best for somebody's own images."""

from __future__ import annotations

import dataclasses
import re
import shlex
from collections.abc import Iterable
from pathlib import Path

import pytest

from benchmarks.records.record import Measurement, Record
from benchmarks.report.drawing import render
from benchmarks.report.overview import survey
from benchmarks.report.own import pictures
from benchmarks.report.pictures import PICTURES
from tests.benchmarks.report import made
from tests.benchmarks.report.made import ENVIRONMENT, accuracy, counted, latency
from tests.benchmarks.report.own.made import timed, tried

SCRATCH = {"weights": "", "weights_path": "", "recipe": "scratch"}
pytestmark = pytest.mark.usefixtures("undrawn")


def page_of(records: Iterable[Record], folder: Path, *, kept: bool = True, **options: object) -> str:
    """The page that is read first, with the files of trained networks beside it."""
    records = list(records)
    for found in records if kept else ():
        top1 = found.find("top1")
        if top1 is not None and top1.details.get("weights_file"):
            path = folder / top1.details["weights_file"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    return made.page_of(records, folder, "README.md", **options)


def rows(page: str, heading: str) -> dict[str, list[str]]:
    """The rows of the first table behind a heading, by their first cell."""
    text = page.partition(heading)[2]
    lines = re.findall(r"^\|.*\|$", text.partition("\n\n- ")[0], flags=re.MULTILINE)
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return {line[0]: line[1:] for line in cells}


def test_the_question_is_answered_first(tmp_path: Path) -> None:
    records = [tried("resnet18", (19, 18, 17)), tried("vgg11", (12, 11, 10)), *timed("resnet18", "vgg11")]
    page = page_of(records, tmp_path)
    assert page.index("## Which network is best for photos?") < page.index("## The models")
    assert "**Best by top-1:** **resnet18** with 90.0 %" in page and "better than every other" in page
    table = rows(page, "## Which network is best for photos?")
    assert list(table) == ["Network", ":---", "resnet18", "vgg11"]
    assert table["resnet18"][:2] == ["finetune, 2 epochs, 224 px", "**90.0** [79.9, 95.3]"]
    assert table["vgg11"][2] == "35.0 points less"
    assert "Latency, ms" in table["Network"] and "Size, MB" in table["Network"]
    assert "Balanced, % [95 %]" not in table["Network"]  # all classes have as many images
    assert "Most accurate" not in page  # said once


def test_what_cannot_be_told_apart_is_said_and_what_it_costs(tmp_path: Path) -> None:
    records = [tried("resnet18", (17, 17, 17)), tried("nin", (17, 17, 16)), *timed("resnet18", "nin")]
    page = page_of(records, tmp_path)
    assert "**nin** (83.3 %) cannot be told apart from it" in page
    assert "Of these 2, **resnet18** is the fastest" in page and "**nin** is the smallest (3.00 MB)" in page
    assert rows(page, "## Which")["nin"][2] == "cannot be told apart"


def test_each_way_of_one_network_stands_with_its_own_time_and_size(tmp_path: Path) -> None:
    """The same file as PyTorch runs it and in integers; a way that nobody timed has no time, but PyTorch's of old."""
    tested = {"recipe": "", "epochs": 0, "train_images": 0, "train_img_size": 0, "img_size": 224}
    plain = tried("nin", (17, 17, 17), **tested)
    said = Measurement(name="agreement", value=1.0, unit="fraction", details={"session": {"file_bytes": 750_000}})
    integers = tried("nin", (17, 17, 16), runtime="openvino", precision="int8", **tested)
    integers = dataclasses.replace(integers, measurements=(*integers.measurements, said))
    untimed = tried("nin", (17, 16, 16), runtime="onnxruntime", precision="int8", **tested)
    times = [latency("nin", 0.01), latency("nin", 0.002, runtime="openvino", precision="int8")]
    page = page_of([plain, integers, untimed, *times], tmp_path)
    table = rows(page, "## Which network is best for photos?")
    place = {name: table["Network"].index(name) for name in ("Latency, ms", "Size, MB")}
    cells = {name: [cells[place["Latency, ms"]], cells[place["Size, MB"]]] for name, cells in table.items()}
    plain_s, integers_s = (record.value("latency_s") or 0.0 for record in times)
    assert integers_s < plain_s / 4
    assert cells["nin eager fp32"] == [f"{1e3 * plain_s:.1f}", "3.00"]
    assert cells["nin openvino int8"] == [f"**{1e3 * integers_s:.2f}**", "**0.750**"]
    assert cells["nin onnxruntime int8"] == ["", "3.00"]


def test_what_began_otherwise_is_not_ranked_together(tmp_path: Path) -> None:
    why = "trained from scratch, since its weights are not to be had here: 'nin' has no published ImageNet weights"
    records = [
        tried("resnet18", (12, 12, 12)), tried("vgg11", (11, 12, 12)),
        tried("nin", (20, 20, 20), notes=(why,), **SCRATCH),
    ]  # fmt: skip
    page = page_of(records, tmp_path)
    weighted, _, scratch = page.partition("### Trained from scratch")
    assert "**Best by top-1:** **resnet18**" in weighted and "| nin |" not in weighted
    assert "**Best by top-1:** **nin** with 100.0 %" in scratch and "not ranked with those above" in scratch
    assert "no published ImageNet weights" in scratch


def test_seeds_are_one_row_with_their_spread(tmp_path: Path) -> None:
    records = [tried("resnet18", (15 + seed, 15, 15), seed=seed) for seed in range(3)]
    page = page_of([*records, tried("vgg11", (12, 12, 12))], tmp_path)
    table = rows(page, "## Which")
    assert table["resnet18"][1] == "**76.7** [72.5, 80.8]"
    assert table["resnet18"][2] == "75.0 to 78.3 (3)"
    assert table["vgg11"][2] == ""
    assert "Two seeds tell hardly anything" not in page
    assert "trained/resnet18-2/best.safetensors" in page  # of the seed that answered best


def test_the_images_are_accounted_for(tmp_path: Path) -> None:
    page = page_of([tried("resnet18", (19, 18, 17), part="val")], tmp_path)
    assert "found 62 files = 60 used + 2 left out: 2 of no known format" in page
    assert "There is no test part: the val images chose the epoch of each network and are what is shown" in page
    assert "There is no test part" not in page_of([tried("resnet18", (19, 18, 17))], tmp_path / "test")


def test_balanced_accuracy_stands_beside_where_classes_are_unequal_and_may_decide(tmp_path: Path) -> None:
    unequal = {"counts": (80, 4, 4)}
    records = [tried("resnet18", (78, 1, 1), **unequal), tried("vgg11", (66, 4, 4), **unequal)]  # type: ignore[arg-type]
    by_image = page_of(records, tmp_path / "top1")
    by_class = page_of(records, tmp_path / "balanced", metric="balanced")
    assert "Balanced, % [95 %]" in rows(by_image, "## Which")["Network"]
    assert "**Best by top-1:** **resnet18**" in by_image
    assert "**Best by balanced accuracy:** **vgg11** with 94.2 %" in by_class
    assert "balanced" in (tmp_path / "top1" / "results.csv").read_text().splitlines()[0]


def test_recalls_are_by_name_whatever_the_order_of_the_classes(tmp_path: Path) -> None:
    other = ("dog", "cat", "red fox")
    records = [tried("resnet18", (20, 10, 15)), tried("vgg11", (4, 8, 12), classes=other)]
    table = rows(page_of(records, tmp_path), "### Recall of each class, %")
    assert table["cat"] == ["20", "**100.0**", "40.0"]
    assert table["dog"] == ["20", "**50.0**", "20.0"]


def test_a_class_without_images_has_a_dash(tmp_path: Path) -> None:
    records = [tried("resnet18", (20, 0, 15), counts=(20, 0, 20))]
    assert rows(page_of(records, tmp_path), "### Recall of each class, %")["dog"] == ["0", "\N{EN DASH}"]


def test_of_very_many_classes_the_worst_are_shown(tmp_path: Path) -> None:
    classes = [f"kind {place}" for place in range(70)]
    right = [place % 3 for place in range(70)]
    page = page_of([tried("resnet18", right, counts=[2] * 70, classes=classes)], tmp_path)
    table = rows(page, "### Recall of each class, %\n\n")
    assert len([name for name in table if name.startswith("kind")]) == 50
    assert "The 50 classes that resnet18 knows least, of 70." in page
    assert {cells[1] for name, cells in table.items() if name.startswith("kind")} >= {"**0.0**", "**50.0**"}


def test_the_surest_mistakes_are_named_and_harmless(tmp_path: Path) -> None:
    page = page_of([tried("resnet18", (19, 18, 17))], tmp_path)
    assert "test/cat/&lt;7&gt;.png" in page and "| 97.0 |" in page


def test_every_network_says_how_it_is_used(tmp_path: Path) -> None:
    records = [
        tried("resnet18", (19, 18, 17)),
        tried("vgg11", (12, 11, 10), recipe="", epochs=0, img_size=224, train_img_size=0, details={"weights_file": ""}),
        tried("nin", (3, 3, 3), recipe="", epochs=0, img_size=64, train_img_size=0, weights="sha256:1",
              weights_path="runs/my nin/best.safetensors", details={"weights_file": ""}),
    ]  # fmt: skip
    page = page_of(records, tmp_path)
    lines = [shlex.split(line) for line in re.findall(r"`(python -m zoo predict .*)`", page)]
    files = [line[line.index("--weights") + 1] for line in lines]
    assert files == [f"{tmp_path}/trained/resnet18-0/best.safetensors", "imagenet", "runs/my nin/best.safetensors"]
    assert lines[1][4:6] == ["--model", "vgg11"]
    assert rows(page, "## Which")["nin"][0] == "as it is, 64 px"


def test_a_network_whose_file_is_gone_names_no_file(tmp_path: Path) -> None:
    page = page_of([tried("resnet18", (19, 18, 17)), tried("nin", (12, 11, 10))], tmp_path, kept=False)
    assert "zoo predict" not in page
    assert "**resnet18** and **nin**: not kept here; the last commands of details.md train them again" in page


def test_whose_epoch_was_chosen_is_said_of_those_alone(tmp_path: Path) -> None:
    last = {"recipe": {"keep": "last"}, "part": "val"}
    both = [tried("resnet18", (19, 18, 17), part="val"), tried("nin", (12, 11, 10), details=last)]
    assert "the val images chose the epoch of the networks whose recipe keeps the best" in page_of(both, tmp_path)
    alone = page_of([tried("nin", (12, 11, 10), details=last)], tmp_path / "alone")
    assert "There is no test part: the val images are what is shown." in alone


def test_accuracies_on_own_images_stand_in_their_own_table_alone(tmp_path: Path) -> None:
    page = page_of([tried("resnet18", (19, 18, 17))], tmp_path)
    assert "Small data" not in page and "own images" not in page.partition("## The models")[2]


def test_two_files_of_one_model_are_told_apart(tmp_path: Path) -> None:
    given = {"recipe": "", "epochs": 0, "img_size": 64, "train_img_size": 0}
    records = [
        tried("nin", (15, 15, 12 + place), weights=f"sha256:{place}", weights_path=f"runs/{name}/best.safetensors",
              **given)
        for place, name in enumerate(("spring", "autumn"))
    ]  # fmt: skip
    page = page_of(records, tmp_path)
    assert {"nin weights spring", "nin weights autumn"} <= set(rows(page, "## Which"))
    assert "top-1 here" not in page  # one line a model could show one of them only


def test_of_images_that_have_changed_the_latest_count(tmp_path: Path) -> None:
    old, new = (tried("resnet18", (count, 10, 10), data=f"0{count}") for count in (5, 19))
    newer = dataclasses.replace(new, started="2025-02-01T00:00:00+00:00")
    page = page_of([newer, old], tmp_path)
    assert page.count("## Which network is best") == 1
    assert "65.0 %" in page


def test_other_pages_are_as_before(tmp_path: Path) -> None:
    page = page_of([accuracy("resnet18", 0.9), accuracy("vgg11", 0.8), counted("resnet18", 1e6)], tmp_path)
    assert "## Which network" not in page and "Most accurate" in page
    assert "balanced" not in (tmp_path / "results.csv").read_text()


# --- pictures ---------------------------------------------------------------------------------------------------------


def test_the_confusion_matrix_counts_by_name() -> None:
    drawing = pictures.confusion(survey([tried("resnet18", (18, 20, 17))], ENVIRONMENT))
    assert drawing is not None
    assert drawing.data == {"classes": ["cat", "dog", "red fox"], "counts": [[18, 2, 0], [0, 20, 0], [3, 0, 17]]}
    assert pictures.confusion_scratch(survey([tried("resnet18", (18, 20, 17))], ENVIRONMENT)) is None


def test_over_seeds_it_is_the_mean() -> None:
    records = [tried("resnet18", (18 + seed, 20, 17), seed=seed) for seed in range(2)]
    drawing = pictures.confusion(survey(records, ENVIRONMENT))
    assert drawing is not None and drawing.data["counts"][0] == [18.5, 1.5, 0]


def test_names_that_the_font_cannot_write_are_numbered() -> None:
    assert pictures.names_in_pictures(["cat", "空", "blåsky"]) == ["cat", "class 2", "blåsky"]


def test_of_very_many_classes_there_is_no_picture() -> None:
    many = tried("resnet18", [1] * 120, counts=[1] * 120, classes=[f"kind {place}" for place in range(120)])
    assert pictures.confusion(survey([many], ENVIRONMENT)) is None


def test_pictures_of_own_images_are_drawn() -> None:
    overview = survey([tried("resnet18", (18, 20, 17)), tried("nin", (9, 9, 9), **SCRATCH)], ENVIRONMENT)
    for name in ("confusion", "confusion_scratch", "learning_curves"):
        drawing = PICTURES[name](overview)
        assert drawing is not None and drawing.name == name
        vector, pixels = render(drawing.draw, drawing.data)
        assert vector.startswith(b"<?xml") and pixels.startswith(b"\x89PNG")
