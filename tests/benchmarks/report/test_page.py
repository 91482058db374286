"""The page: what comes first, what stands beside what, and what failed or is missing."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.metrics.columns import SHOWN
from benchmarks.records.record import Case, Record
from benchmarks.report.frame import comparison
from benchmarks.report.pictures import PICTURES
from tests.benchmarks.report.made import accuracy, chosen, full_records, latency, page_of, record

USUAL = {*PICTURES} - {"confusion", "confusion_scratch"}  # which somebody's own images have


class TestPage:
    def test_the_answer_comes_first(self, report: Path) -> None:
        lines = (report / "README.md").read_text().splitlines()
        assert lines[0].startswith("# ") and lines[4].startswith("- **Most accurate, as published for ImageNet:**")

    def test_published_beside_measured_and_the_best_in_bold(self, report: Path) -> None:
        row = next(
            line for line in (report / "details.md").read_text().splitlines() if line.startswith("| mobilenet_v1")
        )
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert cells[1:6] == ["224", "**4.23**", "4.2", "**0.569**", "0.569"]
        assert cells[6].startswith("**24.") and cells[7] == "**4.8**"
        assert cells[-3:] == ["70.6 (e)", "86.3 [84.7, 87.7]", "1"]

    def test_every_link_leads_to_a_file(self, report: Path) -> None:
        links = re.findall(r"\]\(([^)]+)\)", (report / "details.md").read_text())
        assert len(links) > 2 * len(USUAL)
        assert all((report / link).is_file() for link in links)

    def test_every_picture_is_drawn_with_its_words(self, report: Path) -> None:
        names = {path.stem for path in (report / "figures").glob("*.svg")}
        assert names == USUAL == {path.stem for path in (report / "figures").glob("*.png")}
        page = (report / "details.md").read_text()
        assert all(len(alt) > 40 for alt in re.findall(r"!\[(.*)\]\(figures", page))

    def test_conditions_machine_and_command_are_stated(self, report: Path) -> None:
        page = (report / "details.md").read_text()
        for words in (
            "2 threads",
            "Example CPU",
            "2.14.1",
            "0123abc",
            "python -m benchmarks.run --models all",
            "8 rounds",
        ):
            assert words in page

    def test_where_papers_and_implementations_part(self, report: Path) -> None:
        page = (report / "details.md").read_text()
        assert "**googlenet_2014**: 6.9986 M parameters counted, 6.8 M published" in page
        assert "33 of 37 counts round to the figure published for that network; 3 more begin with its digits." in page
        assert "**vgg16**:" not in page  # 138,357,544 rounds to 138 M
        assert (
            "**alexnet_2012**: 60.965 M parameters counted, 60 M published, its digits cut, not rounded (NIPS" in page
        )
        assert "3.6 G published, its digits cut, not rounded (arXiv:1512.03385, Tables 1 and 3)" in page
        assert "Table 1 prints stride 2 for the last depthwise layer" in page

    @pytest.mark.usefixtures("undrawn")
    def test_empty_records(self, tmp_path: Path) -> None:
        page = page_of([], tmp_path)
        assert "Nothing has been measured yet." in page
        assert pd.read_csv(tmp_path / "results.csv").empty

    @pytest.mark.usefixtures("undrawn")
    def test_failures_and_open_cases_are_named(self, tmp_path: Path) -> None:
        records = [*chosen("vgg16"), record("latency", "vgg19", status="timeout", reason="no answer in 60 s")]
        page = page_of(records, tmp_path, open_cases=[Case(metric="accuracy", model="xception")])
        assert "**Still open:** 1 case of this run: accuracy of xception." in page
        assert "- vgg19: latency **timeout**: no answer in 60 s" in page
        assert re.search(r"\| vgg19 .*\| timeout \|", page)

    @pytest.mark.usefixtures("undrawn")
    def test_what_measurements_had_to_say_is_said_once(self, tmp_path: Path) -> None:
        def noting(found: Record, *notes: str) -> Record:
            return dataclasses.replace(found, notes=notes)

        records = [
            noting(latency("vgg16", 0.3), "auto chose openvino: packed stepped aside"),
            noting(latency("vgg19", 0.4), "auto chose openvino: packed stepped aside"),
            noting(accuracy("vgg16", 0.8), "3 images <left> out"),
        ]
        section = page_of(records, tmp_path).split("## What the measurements had to say")[1].split("##")[0]
        assert "- vgg16 and vgg19: latency: auto chose openvino: packed stepped aside\n" in section
        assert "- vgg16: accuracy: 3 images &lt;left&gt; out\n" in section
        assert "had to say" not in page_of([latency("vgg16", 0.3)], tmp_path)
        notes = comparison(records).set_index("model")["notes"]
        assert notes["vgg19"] == "latency: auto chose openvino: packed stepped aside"

    @pytest.mark.usefixtures("undrawn")
    def test_the_order_of_the_columns_is_the_metrics_own(self, tmp_path: Path) -> None:
        header = next(line for line in page_of(full_records(), tmp_path).splitlines() if line.startswith("| Model | "))
        titles = [title.strip() for title in header.strip("|").split("|")][2:]
        known = [column for column in SHOWN if column.title]
        ours = [column.title.format(dataset="Fashion-MNIST") for column in known]
        assert [title for title in titles if title in ours] == [title for title in ours if title in titles]
        assert set(titles) <= {*ours, *(column.published_title for column in known), "Seeds"}

    @pytest.mark.usefixtures("undrawn")
    def test_of_several_runtimes_the_fastest_is_in_the_table_with_its_name(self, tmp_path: Path) -> None:
        times = {("vgg16", "eager"): 0.3, ("vgg16", "packed"): 0.2, ("vgg19", "eager"): 0.4, ("vgg19", "packed"): 0.5}
        records = [latency(name, seconds, runtime=runtime) for (name, runtime), seconds in times.items()]
        lines = [line for line in page_of(records, tmp_path).splitlines() if line.startswith("| ")]
        head = [cell.strip() for cell in lines[0].strip("|").split("|")]
        place = head.index("Fastest runtime, ms [95 %]")
        assert head[place + 1] == "Which"
        for line, runtime in zip(lines[2:4], ("packed", "eager"), strict=True):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            same = cells[place].replace("*", "") == cells[head.index("Latency, ms [95 %]")].replace("*", "")
            assert cells[place + 1] == runtime and same == (runtime == "eager")
        assert "Fastest runtime" not in page_of(records[::2], tmp_path)

    @pytest.mark.usefixtures("undrawn")
    def test_the_caption_says_where_and_how_accuracies_and_times_were_made(self, tmp_path: Path) -> None:
        page = page_of([latency("vgg16", 0.3), accuracy("vgg16", 0.8), accuracy("vgg19", 0.8)], tmp_path)
        assert "trained from scratch on this machine, 8 epochs on 6,000 images of Fashion-MNIST at 64 pixels" in page
        assert "Each time is a median over the 8 rounds that count, in which the models took turns" in page
        page = page_of([latency("vgg16", 0.3), accuracy("vgg16", 0.8)], tmp_path, trained_on="CPU there")
        assert "trained from scratch on CPU there, 8 epochs" in page
        given = {"weights": "sha256:1", "weights_path": "my_own.pth", "epochs": 0, "train_img_size": 0, "img_size": 224}
        page = page_of([latency("vgg16", 0.3), accuracy("vgg16", 0.8, **given)], tmp_path)
        assert "weights: my_own.pth, at 224 pixels" in page and "published weights" not in page
        given |= {"weights": "imagenet", "weights_path": "imagenet", "dataset": "imagenet"}
        assert "weights: published weights, at" in page_of([accuracy("vgg16", 0.7, **given)], tmp_path)

    @pytest.mark.usefixtures("undrawn")
    def test_missing_accuracy_leaves_its_columns_out(self, tmp_path: Path) -> None:
        page = page_of([found for found in chosen("vgg16", "alexnet") if found.case.metric != "accuracy"], tmp_path)
        assert "top-1 here" not in page and "Published ImageNet top-1" in page

    @pytest.mark.usefixtures("undrawn")
    def test_machines_are_kept_apart(self, tmp_path: Path) -> None:
        other = [dataclasses.replace(found, machine="feed<b>") for found in chosen("alexnet")]
        page = page_of([*chosen("vgg16"), *other], tmp_path)
        mine, theirs = page.split("## Machine feed&lt;b&gt;")
        assert "| vgg16 |" in mine and "| alexnet |" not in mine and "| alexnet |" in theirs
        assert set(pd.read_csv(tmp_path / "results.csv")["model"]) == {"vgg16"}
        assert set(pd.read_csv(tmp_path / "results-feed-b-.csv")["model"]) == {"alexnet"}
