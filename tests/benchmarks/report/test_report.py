"""The report: true sentences, whole tables, safe text and pictures, from records alone."""

from __future__ import annotations

import dataclasses
import os
import random
import re
import resource
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.metrics.columns import COLUMNS, SHOWN
from benchmarks.records.record import STATUSES, Case, Environment, Measurement, Record
from benchmarks.report import drawing, page, write_report
from benchmarks.report.answers import answers, indistinguishable_neighbours
from benchmarks.report.frame import comparison
from benchmarks.report.joining import model_spec
from benchmarks.report.overview import survey
from benchmarks.report.pictures import PICTURES, accuracy_latency, accuracy_mult_adds, mobilenet_grid
from benchmarks.report.table import MOST_ROWS, TableColumn, table
from benchmarks.report.words import enumerate_words, markdown, number
from benchmarks.stats.intervals import Interval

# name: parameters, M; multiply-adds, G; latency, ms; top-1 of 2,000 test images
MODELS = {
    "alexnet": (61.100840, 0.714, 29.7, 0.8805),
    "alexnet_2012": (60.965224, 0.724, 37.9, 0.8720),
    "alexnet_bn": (62.379560, 1.135, 41.2, 0.8875),
    "vgg11": (132.863336, 7.609, 152.0, 0.8860),
    "vgg13": (133.047848, 11.308, 224.0, 0.8890),
    "vgg16": (138.357544, 15.470, 299.0, 0.8840),
    "vgg19": (143.667240, 19.632, 371.0, 0.8690),
    "vgg11_bn": (132.868840, 7.609, 158.0, 0.9015),
    "vgg13_bn": (133.053736, 11.308, 236.0, 0.9060),
    "vgg16_bn": (138.365992, 15.470, 312.0, 0.9080),
    "vgg19_bn": (143.678248, 19.632, 390.0, 0.9035),
    "vgg16_c": (133.638952, 11.771, 241.0, 0.8830),
    "googlenet": (6.624904, 1.498, 81.0, 0.8990),
    "googlenet_2014": (6.998552, 1.583, 74.0, 0.8550),
    "resnet18": (11.689512, 1.814, 41.0, 0.8985),
    "resnet34": (21.797672, 3.664, 73.0, 0.9000),
    "resnet50": (25.557032, 4.089, 96.0, 0.8950),
    "resnet101": (44.549160, 7.801, 176.0, 0.8905),
    "resnet152": (60.192808, 11.514, 255.0, 0.8870),
    "mobilenet_v1": (4.231976, 0.569, 20.1, 0.8625),
    "xception": (22.855952, 8.357, 210.0, 0.8910),
}
IMAGES = 2000
ROUNDS = 8
ENVIRONMENT = Environment(
    machine={"cpu": "Example CPU 2.0 GHz", "cores": 2, "memory_bytes": 8e9},
    software={"python": "3.11.9", "torch": "2.14.1", "commit": "0123abc", "os": "Linux"},
    command="python -m benchmarks.run --models all",
)


def record(
    metric: str, model: str, *measurements: Measurement, status: str = "ok", reason: str = "", **case: object
) -> Record:
    entry = model_spec(model)
    sized = metric not in ("params", "accuracy")
    size = {"img_size": entry.input.size if entry else 224} if sized else {}
    return Record(
        case=Case(metric=metric, model=model, **(size | case)),  # type: ignore[arg-type]
        status=status,
        reason=reason,
        measurements=measurements,
        environment=ENVIRONMENT.id,
        machine=ENVIRONMENT.machine_id,
        started="2025-01-01T00:00:00+00:00",
    )


def wilson(right: float, images: int) -> tuple[float, float]:
    from scipy.stats import binomtest

    interval = binomtest(round(right * images), images).proportion_ci(method="wilson")
    return interval.low, interval.high


def accuracy(model: str, top1: float, images: int = IMAGES, **case: object) -> Record:
    low, high = wilson(top1, images)
    epochs = 8
    curve = [{"epoch": at, "top1": top1 * (1 - 0.75 * 0.55**at)} for at in range(1, epochs + 1)]
    return record(
        "accuracy",
        model,
        Measurement(name="top1", value=top1, unit="fraction", low=low, high=high, details={"curve": curve}),
        Measurement(name="top5", value=min(0.99 + top1 / 100, 1), unit="fraction"),
        Measurement(name="train_samples_per_sec", value=300.0, unit="1/s"),
        **{"dataset": "fashion_mnist", "epochs": epochs, "train_img_size": 64, "train_images": 6000} | case,
    )


def latency(model: str, seconds: float, *, run: str = "a", spread: float = 0.01, **case: object) -> Record:
    noise = random.Random(model)
    samples, rounds = [], []
    for turn in range(ROUNDS):
        drift = 1 + 0.05 * turn  # hits every model alike
        for _ in range(5):
            samples.append(seconds * drift * (1 + spread * noise.uniform(-1, 1)))
            rounds.append(turn)
    middle = sorted(samples)[len(samples) // 2]
    return record(
        "latency",
        model,
        Measurement(
            name="latency_s",
            value=middle,
            unit="s",
            low=middle * (1 - 3 * spread),
            high=middle * (1 + 3 * spread),
            samples=tuple(samples),
            rounds=tuple(rounds),
            details={"run": run, "iqr": middle * spread, "stop_reason": "target reached"},
        ),
        **{"num_threads": 2} | case,
    )


def full_records() -> list[Record]:
    """Every model, every metric, and the sixteen MobileNets' sizes."""
    records = []
    for model, (params, mult_adds, milliseconds, top1) in MODELS.items():
        records += [
            record("params", model, Measurement(name="param_count", value=round(params * 1e6), unit="count")),
            record("mult_adds", model, Measurement(name="mult_adds", value=mult_adds * 1e9, unit="count")),
            record("activations", model, Measurement(name="activations", value=mult_adds * 4e6, unit="count")),
            latency(model, milliseconds / 1e3),
            record(
                "memory",
                model,
                Measurement(name="weights_bytes", value=params * 4e6, unit="B"),
                Measurement(name="peak_rss_bytes", value=params * 4.5e6 + 4e7, unit="B"),
                num_threads=2,
            ),
            accuracy(model, top1),
        ]
    counts = {1.0: (4.232, 568.7), 0.75: (2.586, 325.4), 0.5: (1.332, 149.5), 0.25: (0.470, 41.03)}
    for width, (params, mult_adds) in counts.items():
        for resolution in (224, 192, 160, 128):
            options = [f"resolution={resolution}"] * (resolution != 224) + [f"width={width}"] * (width != 1)
            if not options:
                continue
            label = f"mobilenet_v1:{','.join(options)}"
            count = mult_adds * 1e6 * (resolution / 224) ** 2
            records += [
                record("params", label, Measurement(name="param_count", value=params * 1e6, unit="count")),
                record("mult_adds", label, Measurement(name="mult_adds", value=count, unit="count")),
            ]
    return records


def chosen(*names: str) -> list[Record]:
    return [record for record in full_records() if record.case.model in names]


def page_of(records: Iterable[Record], folder: Path, **options: object) -> str:
    return write_report(records, ENVIRONMENT, folder, **options).read_text()  # type: ignore[arg-type]


def answer(records: Iterable[Record], need: str) -> str:
    return next(sentence for sentence in answers(survey(records, ENVIRONMENT)) if need in sentence)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures cost seconds; most pages are the same without drawing them."""
    monkeypatch.setattr(drawing, "render", lambda draw, data, mark="": (mark.encode(), b"png"))


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a whole run, drawn."""
    return write_report(full_records(), ENVIRONMENT, tmp_path_factory.mktemp("report")).parent


class TestTable:
    def test_has_exactly_the_documented_columns(self) -> None:
        assert list(comparison(full_records()).columns) == list(COLUMNS)
        assert list(comparison([]).columns) == list(COLUMNS)

    def test_joins_what_belongs_to_a_model_and_converts_units(self) -> None:
        row = comparison(full_records()).set_index("model").loc["resnet50"]
        assert row["param_count"] == 25_557_032
        assert row["gmacs"] == pytest.approx(4.089) and row["gflops"] == pytest.approx(2 * 4.089)
        assert row["top1"] == pytest.approx(89.5) and row["top1_ci95_lo"] < 89.5 < row["top1_ci95_hi"]
        assert row["latency_ms_p50"] == pytest.approx(96 * 1.175, rel=0.05)
        assert row["gmacs_per_sec"] == pytest.approx(4.089e3 / row["latency_ms_p50"])
        assert row["peak_rss_mb"] == pytest.approx(25.557032 * 4.5 + 40)
        assert row["published_params"] == 25_557_032 and row["published_top1"] == pytest.approx(76.13)
        assert (row["family"], row["dataset"], row["status"]) == ("resnet", "fashion_mnist", "ok")

    def test_one_row_for_each_timed_condition(self) -> None:
        records = [
            latency("resnet18", 0.04 / threads * batch, num_threads=threads, batch_size=batch, runtime=runtime)
            for threads in (1, 2)
            for batch in (1, 8)
            for runtime in ("eager", "openvino")
        ]
        table = comparison([*records, accuracy("resnet18", 0.9)])
        assert len(table) == 8
        eager = table["runtime"] == "eager"  # in which the accuracy was counted
        assert table.loc[eager, "top1"].tolist() == pytest.approx([90.0] * 4) and table.loc[~eager, "top1"].isna().all()

    def test_costs_join_only_at_their_image_size(self) -> None:
        table = comparison(
            [
                latency("resnet18", 0.04, img_size=128),
                record("mult_adds", "resnet18", Measurement(name="mult_adds", value=1.8e9, unit="count"), img_size=224),
            ]
        )
        assert pd.isna(table.loc[0, "gmacs"]) and pd.isna(table.loc[0, "published_gmacs"])

    def test_relative_speed_is_paired_within_rounds(self) -> None:
        slow_half = [0.1, 0.1, 0.1, 0.1, 0.2, 0.2, 0.2, 0.2]

        def timed(model: str, times: list[float]) -> Record:
            details = {"run": "one"}
            rounds = tuple(range(len(times)))
            measurement = Measurement(
                name="latency_s", value=0.9, unit="s", samples=tuple(times), rounds=rounds, details=details
            )
            return record("latency", model, measurement)

        both = [timed("resnet50", slow_half), timed("resnet18", [value / 2 for value in slow_half])]
        table = comparison(both).set_index("model")
        assert table.loc["resnet18", "rel_speed"] == pytest.approx(2)
        assert table.loc["resnet50", "rel_speed"] == pytest.approx(1)

    def test_relative_speed_of_two_runs_is_the_ratio_of_medians(self) -> None:
        table = comparison([latency("resnet50", 0.1, run="a"), latency("resnet18", 0.05, run="b")]).set_index("model")
        expected = table.loc["resnet50", "latency_ms_p50"] / table.loc["resnet18", "latency_ms_p50"]
        assert table.loc["resnet18", "rel_speed"] == pytest.approx(expected)

    def test_worst_status_and_every_reason(self) -> None:
        table = comparison(
            [
                latency("vgg16", 0.3),
                record("memory", "vgg16", status="skipped", reason="no counter", num_threads=2),
                record("accuracy", "vgg16", status="oom", reason="killed", dataset="fashion_mnist"),
            ]
        )
        assert table.loc[0, "status"] == "oom"
        assert set(table.loc[0, "error"].split("; ")) == {"memory: no counter", "accuracy: killed"}

    @pytest.mark.parametrize("status", STATUSES)
    def test_every_status_is_ranked(self, status: str) -> None:
        assert comparison([record("params", "vgg16", status=status)]).loc[0, "status"] == status

    def test_the_later_record_of_a_case_counts(self) -> None:
        early, late = (
            record("params", "vgg16", Measurement(name="param_count", value=value, unit="count")) for value in (1, 2)
        )
        late = dataclasses.replace(late, started="2025-02-01T00:00:00+00:00")
        assert comparison([late, early]).loc[0, "param_count"] == 2

    def test_a_second_data_set_has_a_row_of_its_own(self) -> None:
        records = [accuracy("resnet18", 0.9), accuracy("resnet50", 0.9)]
        records += [accuracy("resnet50", 0.76, dataset="imagenet", weights="imagenet", epochs=0, img_size=224)]
        table = comparison([*records, latency("resnet50", 0.1)])
        assert len(table) == 3
        assert table.loc[table["latency_ms_p50"].notna(), "dataset"].tolist() == ["fashion_mnist", "imagenet"]

    def test_a_model_tested_at_its_smallest_size_stands_among_the_others(self) -> None:
        records = [accuracy("resnet18", 0.9, train_img_size=40), accuracy("vgg16", 0.9, train_img_size=40)]
        records += [accuracy("alexnet", 0.8, train_img_size=63), latency("alexnet", 0.03)]
        table = comparison([*records, accuracy("vgg16", 0.95)])
        joined = table[table["model"] == "alexnet"]
        assert len(joined) == 1 and joined["top1"].tolist() == pytest.approx([80.0])
        assert table.loc[table["model"] == "vgg16", "train_img_size"].tolist() == [40, 64]
        overview = survey([*records, accuracy("vgg16", 0.95)], ENVIRONMENT)
        assert overview.figure("vgg16", "top1") == pytest.approx(90.0)

    @pytest.mark.parametrize(
        "weights", ["imagenet", "imagenet:keras", "some/where/mobilenet_2_5_128_tf.h5", "other.pth"]
    )
    def test_the_accuracy_published_for_the_weights_stands_beside_theirs(self, weights: str) -> None:
        found = accuracy("mobilenet_v1:width=0.25,resolution=128", 0.456, weights=weights, dataset="imagenet", epochs=0)
        assert comparison([found]).loc[0, "published_top1"] == pytest.approx(41.5)  # TF-Slim's table

    def test_two_machines_never_share_a_table(self) -> None:
        with pytest.raises(ValueError, match="2 machines"):
            comparison([latency("vgg16", 0.3), dataclasses.replace(latency("vgg19", 0.3), machine="other")])

    def test_sorting(self) -> None:
        assert comparison(full_records(), sort_key="latency_ms_p50")["model"].iloc[0] == "mobilenet_v1"
        assert comparison(full_records(), sort_key="top1")["model"].iloc[0] == "vgg16_bn"
        families = comparison(full_records())["family"].drop_duplicates().tolist()
        assert families == ["alexnet", "googlenet", "vgg", "resnet", "xception", "mobilenet_v1"]
        with pytest.raises(ValueError, match="sort key 'speed'; allowed: model, family"):
            comparison(full_records(), sort_key="speed")

    def test_a_model_this_zoo_does_not_know(self) -> None:
        table = comparison([latency("resnet18:width=7", 0.1), latency("\x00 | no `such` <model>", 0.1)])
        assert len(table) == 2 and table["published_params"].isna().all()


class TestAnswers:
    def test_most_accurate_names_its_ties(self) -> None:
        sentence = answer(
            [accuracy("resnet18", 0.90), accuracy("resnet50", 0.91), accuracy("alexnet", 0.80)], "accurate"
        )
        assert "**resnet50** with 91.0 %" in sentence and "Fashion-MNIST" in sentence
        assert "**resnet18** (90.0 %) cannot be told apart" in sentence and "alexnet" not in sentence

    def test_a_clear_winner_has_no_ties(self) -> None:
        assert "told apart" not in answer([accuracy("resnet18", 0.95), accuracy("alexnet", 0.80)], "Most accurate here")

    def test_times_of_one_run_are_compared_round_by_round(self) -> None:
        near = [latency("resnet18", 0.0400, spread=0.001), latency("alexnet", 0.0404, spread=0.001)]
        wide = [
            dataclasses.replace(found, measurements=(dataclasses.replace(found.measurements[0], low=0.03, high=0.06),))
            for found in near
        ]
        assert "told apart" not in answer(wide, "Fastest")  # 1 % apart in each of eight rounds, whatever drifts
        apart = [latency("resnet18", 0.0400), latency("alexnet", 0.0404, run="b")]
        assert re.search(r"\*\*alexnet\*\* \(.* ms\) cannot be told apart", answer(apart, "Fastest"))

    def test_fastest_says_under_which_conditions(self) -> None:
        sentence = answer(full_records(), "Fastest")
        assert "**mobilenet_v1**" in sentence and "4.8 times as fast as resnet50" in sentence
        assert "inference, eager on cpu, 1 image a call, 2 threads, fp32" in sentence

    def test_smallest_with_equals(self) -> None:
        same = [
            record("params", name, Measurement(name="param_count", value=4e6, unit="count"))
            for name in ("vgg16", "alexnet")
        ]
        assert "**vgg16** (4.00 M) has as many" in answer(same, "Smallest")

    def test_accuracy_per_cost(self) -> None:
        sentence = answer(full_records(), "per multiply-add")
        assert "**mobilenet_v1**, 86.2 % for 0.569 G" in sentence
        assert "**resnet18** in time" in answer(full_records(), "Cheapest")

    def test_needs_without_figures_are_left_out(self) -> None:
        kept = [found for found in full_records() if found.case.metric in ("params", "latency")]
        assert [sentence[:11] for sentence in answers(survey(kept, ENVIRONMENT))] == ["**Fastest h", "**Smallest:"]
        assert answers(survey([], ENVIRONMENT)) == []

    def test_neighbours_that_cannot_be_told_apart(self) -> None:
        records = [latency("vgg11", 0.100, run="a"), latency("vgg13", 0.101, run="b"), latency("vgg16", 0.3, run="c")]
        assert indistinguishable_neighbours(survey(records, ENVIRONMENT)) == [("vgg11", "vgg13")]


class TestPage:
    def test_the_answer_comes_first(self, report: Path) -> None:
        lines = (report / "README.md").read_text().splitlines()
        assert lines[0].startswith("# ") and lines[4].startswith("- **Most accurate here:**")

    def test_published_beside_measured_and_the_best_in_bold(self, report: Path) -> None:
        row = next(
            line for line in (report / "README.md").read_text().splitlines() if line.startswith("| mobilenet_v1")
        )
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert cells[1:6] == ["224", "**4.23**", "4.2", "**0.569**", "0.569"]
        assert cells[6].startswith("**24.") and cells[7] == "**4.8**"
        assert cells[-2] == "70.6" and cells[-1].startswith("86.2 [")

    def test_every_link_leads_to_a_file(self, report: Path) -> None:
        links = re.findall(r"\]\(([^)]+)\)", (report / "README.md").read_text())
        assert len(links) > 2 * len(PICTURES)
        assert all((report / link).is_file() for link in links)

    def test_every_picture_is_drawn_with_its_words(self, report: Path) -> None:
        names = {path.stem for path in (report / "figures").glob("*.svg")}
        assert names == set(PICTURES) == {path.stem for path in (report / "figures").glob("*.png")}
        page = (report / "README.md").read_text()
        assert all(len(alt) > 40 for alt in re.findall(r"!\[(.*)\]\(figures", page))

    def test_conditions_machine_and_command_are_stated(self, report: Path) -> None:
        page = (report / "README.md").read_text()
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
        page = (report / "README.md").read_text()
        assert "**googlenet_2014**: 6.9986 M parameters counted, 6.8 M published" in page
        assert "35 of 37 counts round" in page
        assert "**vgg16**:" not in page  # 138,357,544 is what is published
        assert "Table 1 prints stride 2 for the last depthwise layer" in page

    def test_the_csv_reads_back(self, report: Path) -> None:
        table = pd.read_csv(report / "results.csv")
        assert list(table.columns) == list(COLUMNS) and len(table) == len(MODELS) + 15

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
        assert set(titles) <= {*ours, *(column.published_title for column in known)}

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
        assert pd.read_csv(tmp_path / "results.csv")["model"].tolist() == ["vgg16"]
        assert pd.read_csv(tmp_path / "results-feed-b-.csv")["model"].tolist() == ["alexnet"]

    @pytest.mark.usefixtures("undrawn")
    def test_noise_is_said(self, tmp_path: Path) -> None:
        found = latency("vgg16", 0.3)
        details = {
            "noisy": True,
            "spread": "unreliable",
            "drift": {"last_third_over_first": 1.12},
            "reference": "resnet18",
        }
        loud = dataclasses.replace(
            found,
            measurements=(dataclasses.replace(found.measurements[0], details=details, low=0.2, high=0.5),),
        )
        page = page_of([loud], tmp_path)
        assert "**Do not lean on the times of** vgg16" in page and "12.0% slower" in page
        assert "quartiles over 10 % apart): vgg16" in page and "**Intervals wider than 10 %:** vgg16" in page

    @pytest.mark.usefixtures("undrawn")
    def test_counters_sweeps_and_recipe_appear_where_the_records_have_them(self, tmp_path: Path) -> None:
        counts = {
            "counts": {"fvcore": 1.8e9, "closed form": 1.8e9},
            "others": {"fvcore": {"conv": 1.7e9, "linear": 1e8, "batch_norm": 2.5e7}, "torchinfo_total": 1.81e9},
        }
        top1 = Measurement(name="top1", value=0.9, unit="fraction", details={"recipe": {"img_size": 64, "epochs": 8}})
        rows = [
            Measurement(name=f"row:{name}", value=value, unit="s", details={"mult_adds": 1e9})
            for name, value in (("conv1", 0.03), ("fc", 0.01))
        ]
        page = page_of(
            [
                record("mult_adds", "resnet18", Measurement(name="mult_adds", value=1.8e9, unit="", details=counts)),
                record("accuracy", "resnet18", top1, dataset="fashion_mnist", epochs=8, train_images=6000),
                record("layers", "resnet18", *rows, num_threads=2),
                latency("resnet18", 0.04),
                latency("resnet18", 0.02, runtime="openvino"),
                record(
                    "throughput",
                    "resnet18",
                    Measurement(name="samples_per_sec", value=44.0, unit="1/s"),
                    batch_size=8,
                    num_threads=2,
                ),
            ],
            tmp_path,
        )
        assert "closed form and fvcore agree on them" in page
        assert "for resnet18, 1,800 M become 1,825 M (batch_norm 25.00 M); torchinfo" in page
        assert re.search(r"\| resnet18 \| 47\.\d \| \*\*23\.\d\*\* \|", page)
        assert "| Model | batch 8 |" in page and "| resnet18 | **44.0** |" in page
        assert "From scratch for 8 epochs at 64x64 pixels" in page and "`epochs 8`" in page
        assert "Trained on 6,000 images of Fashion-MNIST" in page
        assert "| resnet18 | conv1 75% (50%) | fc 25% (50%) |" in page

    @pytest.mark.usefixtures("undrawn")
    def test_times_and_memory_in_detail(self, tmp_path: Path) -> None:
        found = latency("vgg16", 0.3)
        details = {"p90_s": "n/a (n=40)", "p95_s": 0.5, "min_s": 0.25, "stop": "max-time", "outliers_mild": 2}
        timed = dataclasses.replace(
            found,
            measurements=(
                dataclasses.replace(found.measurements[0], details=details),
                Measurement(name="first_call_s", value=1.5, unit="s"),
            ),
        )
        page = page_of([timed, *(other for other in chosen("vgg16") if other.case.metric == "memory")], tmp_path)
        assert "| 250 |  | n/a (n=40) | 500 |  | 1,500 |  | 40 | 8 | 2 | max-time |" in page
        assert "| vgg16 | 553 |  | 663 |" in page

    @pytest.mark.usefixtures("undrawn")
    def test_other_pages_are_linked_with_their_first_line(self, tmp_path: Path) -> None:
        (tmp_path / "studies").mkdir()
        (tmp_path / "studies" / "residual.md").write_text("# Residual\n\n**Yes:** [shortcuts](x.md) help.\n\nmore")
        (tmp_path / "speed.md").write_text("Twice as fast.")
        page = page_of(chosen("vgg16"), tmp_path)
        assert "- [speed](speed.md): Twice as fast." in page
        assert "- [Residual](studies/residual.md): Yes: shortcuts help." in page

    @pytest.mark.usefixtures("undrawn")
    def test_hostile_names_and_reasons_stay_text(self, tmp_path: Path) -> None:
        name = "a|b`c`<script>alert(1)</script>\n# owned [x](http://y) $z$ \x1b[31m"
        records = [latency(name, 0.1), record("params", name, status="failed", reason=f"| {name} |\n\n- gotcha")]
        page = page_of(records, tmp_path, command="python `x`\n```\n# owned")
        assert "<script" not in page and "\x1b" not in page
        assert not re.search(r"^(# owned|- gotcha)", page, re.MULTILINE)
        assert not re.search(r"(?<!\\)\]\(http", page)
        for drawn in re.findall(r"(?:^\|.*\n)+", page, re.MULTILINE):
            assert len({len(re.findall(r"(?<!\\)\|", line)) for line in drawn.splitlines()}) == 1

    def test_hostile_names_are_drawn(self) -> None:
        records = [latency(f"$\\frac{{$ {sign} <&> \x00" * 9, 0.1) for sign in "ab"]
        picture = PICTURES["latency"](survey(records, ENVIRONMENT))
        assert picture is not None and drawing.render(picture.draw, picture.data)[1].startswith(b"\x89PNG")


class TestFiles:
    def test_equal_data_gives_equal_bytes(self) -> None:
        picture = mobilenet_grid(survey(full_records(), ENVIRONMENT))
        assert picture is not None
        assert drawing.render(picture.draw, picture.data) == drawing.render(picture.draw, picture.data)

    def test_svg_holds_no_date(self, report: Path) -> None:
        assert all(b"<dc:date>" not in path.read_bytes() for path in (report / "figures").glob("*.svg"))

    def test_a_picture_is_drawn_again_only_when_it_would_change(
        self, report: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        drawn: list[str] = []
        monkeypatch.setattr(
            drawing, "render", lambda draw, data, mark="": (drawn.append(mark), (mark.encode(), b""))[1]
        )
        write_report(full_records(), ENVIRONMENT, tmp_path)
        assert len(drawn) == len(PICTURES)
        write_report(full_records(), ENVIRONMENT, tmp_path)
        assert len(drawn) == len(PICTURES)
        write_report([*full_records(), accuracy("resnet18", 0.5, seed=-1)], ENVIRONMENT, tmp_path)
        assert len(drawn) > len(PICTURES)

    @pytest.mark.usefixtures("undrawn")
    def test_a_picture_without_data_goes(self, tmp_path: Path) -> None:
        write_report(chosen("vgg16", "alexnet"), ENVIRONMENT, tmp_path)
        write_report([], ENVIRONMENT, tmp_path)
        assert {path.stem for path in (tmp_path / "figures").iterdir()} == {"mobilenet_grid"}

    def test_a_picture_that_fails_costs_no_page(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def fail(draw: object, data: object, mark: str = "") -> tuple[bytes, bytes]:
            raise RuntimeError("no fonts")

        monkeypatch.setattr(drawing, "render", fail)
        page = page_of(chosen("vgg16", "alexnet"), tmp_path)
        assert "## The comparison" in page and "figures/" not in page
        assert "figures/latency cannot be drawn: RuntimeError: no fonts\n" in capsys.readouterr().err

    @pytest.mark.usefixtures("undrawn")
    def test_files_are_replaced_whole(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        write_report(chosen("vgg16"), ENVIRONMENT, tmp_path)
        before = (tmp_path / "README.md").read_text()

        def full(path: Path, content: str | bytes) -> None:
            raise OSError("No space left on device")

        monkeypatch.setattr(page, "replace_file", full)
        with pytest.raises(OSError, match="No space"):
            write_report(chosen("alexnet"), ENVIRONMENT, tmp_path)
        assert (tmp_path / "README.md").read_text() == before

    def test_no_torch_and_no_backend_of_a_notebook(self, tmp_path: Path) -> None:
        script = (
            "import sys; from benchmarks.report import write_report; from benchmarks.records.record import *;"
            "write_report([Record(case=Case(metric='params', model='vgg16'), status='ok')], None, sys.argv[1]);"
            "sys.exit('torch' in sys.modules)"
        )
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3]), "MPLBACKEND": "of a notebook"}
        done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], env=environment, check=False)
        assert done.returncode == 0
        assert (tmp_path / "figures" / "mobilenet_grid.svg").exists()


class TestPictures:
    @pytest.mark.parametrize("make", [accuracy_mult_adds, accuracy_latency])
    def test_no_label_covers_another_or_leaves_the_picture(self, make: type) -> None:
        picture = make(survey(full_records(), ENVIRONMENT))
        figure = picture.draw(picture.data)
        axes = figure.axes[0]
        boxes = [text.get_window_extent() for text in axes.texts]
        assert len(boxes) == len(MODELS)
        frame = axes.get_window_extent()
        for place, box in enumerate(boxes):
            assert frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1
            for other in boxes[place + 1 :]:
                width = min(box.x1, other.x1) - max(box.x0, other.x0)
                height = min(box.y1, other.y1) - max(box.y0, other.y0)
                assert min(width, height) < 2  # pixels

    def test_published_accuracy_stands_in_where_none_was_measured(self) -> None:
        static = [found for found in full_records() if found.case.metric in ("params", "mult_adds")]
        static += [latency(model, 0.1) for model in MODELS]
        picture = accuracy_mult_adds(survey(static, ENVIRONMENT))
        assert picture is not None and picture.data["y"].startswith("Published ImageNet")

    def test_the_grid_has_sixteen_cells_counted_and_printed(self) -> None:
        picture = mobilenet_grid(survey(full_records(), ENVIRONMENT))
        assert picture is not None and len(picture.data["cells"]) == 16
        assert "16 of the 16" in picture.caption
        corner = picture.data["cells"][0]
        assert corner["measured_params"] == 4_231_976 and corner["mult_adds"] == 569e6

    def test_one_model_alone(self) -> None:
        overview = survey(chosen("vgg16"), ENVIRONMENT)
        drawable = {name for name, make in PICTURES.items() if make(overview)}
        assert drawable == {"latency", "mobilenet_grid", "learning_curves"}


class TestTables:
    NAME = TableColumn("name", lambda row: row[0], align="l")
    LOW = TableColumn("time, ms", lambda row: row[1], better="low")
    HIGH = TableColumn("rate", lambda row: row[2], -1, better="high", bounds="[{}, {}]")

    def test_units_bounds_and_the_best(self) -> None:
        rows = [("a|b", 1950.0, 3.0), ("c\nd", 12.34, Interval(4.0, 3.96, 5.0)), ("none", None, "n/a")]
        assert table([self.NAME, self.LOW, self.HIGH], rows).splitlines() == [
            "| name | time, ms | rate |",
            "| :--- | ---: | ---: |",
            "| a\\|b | 1,950 | 3.0 |",
            "| c d | **12.3** | **4.0** [4.0, 5.0] |",
            "| none |  | n/a |",
        ]

    def test_the_best_of_each_row(self) -> None:
        other = TableColumn("other, ms", lambda row: row[2], better="low")
        rows = [("a", 2.0, 1.0), ("b", 1.0, 1.0), ("c", None, 3.0)]
        lines = table([self.NAME, self.LOW, other], rows, across=True).splitlines()
        assert lines[2:] == ["| a | 2.00 | **1.00** |", "| b | **1.00** | **1.00** |", "| c |  | **3.00** |"]

    def test_no_rows_no_table(self) -> None:
        assert table([self.NAME], []) == ""

    def test_a_long_table_is_cut_and_its_best_is_of_all(self) -> None:
        lines = table([self.NAME, self.LOW], [("x", 1000.0 - place) for place in range(500)]).splitlines()
        assert len(lines) == 2 + MOST_ROWS and "**" not in "".join(lines)


class TestWords:
    @pytest.mark.parametrize(
        ("value", "text"),
        [(0, "0"), (0.5687, "0.569"), (9.999, "10.0"), (20.14, "20.1"), (138.4, "138"), (1234.5, "1,230")],
    )
    def test_numbers(self, value: float, text: str) -> None:
        assert number(value) == text

    @pytest.mark.parametrize(
        ("value", "digits", "text"),
        [(1950, 3, "1,950"), (7.01e3, 3, "7,010"), (9e-7, 1, "0.0000009"), (138.357544, -2, "138.36"),
         (1234567, 0, "1,234,567"), (-0.001, -2, "0.00"), (float("nan"), 3, "nan"), (float("inf"), 3, "inf")],
    )  # fmt: skip
    def test_numbers_have_no_exponent(self, value: float, digits: int, text: str) -> None:
        assert number(value, digits) == text

    def test_lists(self) -> None:
        assert enumerate_words([]) == ""
        assert enumerate_words(["a"]) == "a"
        assert enumerate_words(["a", "b", "c"]) == "a, b and c"
        assert enumerate_words(list("abcdefgh"), most=4) == "a, b, c and 5 others"

    def test_markdown(self) -> None:
        assert markdown("vgg16_bn") == "vgg16_bn"
        assert markdown("a|b\n<i>*x*_y_") == "a\\|b &lt;i&gt;\\*x\\*\\_y\\_"
        assert len(markdown("x" * 999)) == 240


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_a_hundred_thousand_records(tmp_path: Path) -> None:
    noise = random.Random(0)

    def many() -> Iterable[Record]:
        for place in range(25_000):
            name = f"mobilenet_v1:width={0.1 + place * 1e-5:.5f}"
            yield record("params", name, Measurement(name="param_count", value=4e6, unit="count"))
            yield record("mult_adds", name, Measurement(name="mult_adds", value=5e8 + place, unit="count"))
            yield latency(name, noise.uniform(0.01, 0.1), run=str(place // 30))
            yield accuracy(name, noise.uniform(0.5, 0.9))

    records = list(many())
    started = time.process_time()
    page = page_of(records, tmp_path)
    assert time.process_time() - started < 20
    assert "further rows in [results.csv]" in page and len(page) < 100_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 1_000_000  # kB
