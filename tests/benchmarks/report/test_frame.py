"""The columns of results.csv: units, conditions, what stands beside what, and text that stays text."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.metrics import derived
from benchmarks.metrics.columns import COLUMNS, SHOWN
from benchmarks.records.record import STATUSES, Measurement, Record
from benchmarks.report.frame import _natural, _scaled, comparison, to_csv
from benchmarks.report.overview import survey
from tests.benchmarks.report.made import ENVIRONMENT, MODELS, accuracy, chosen, counted, full_records, latency, record

RARE = {column.name for column in SHOWN if column.rare} | {"train_processes"}


class TestTable:
    def test_has_exactly_the_documented_columns(self) -> None:
        assert list(comparison(full_records()).columns) == list(COLUMNS)
        assert list(comparison([]).columns) == list(COLUMNS)

    def test_joins_what_belongs_to_a_model_and_converts_units(self) -> None:
        row = comparison(full_records()).dropna(subset=["param_count"]).set_index("model").loc["resnet50"]
        assert row["param_count"] == 25_557_032
        assert row["gmacs"] == pytest.approx(4.089, abs=0.001) and row["gflops"] == pytest.approx(2 * row["gmacs"])
        assert row["top1"] == pytest.approx(89.5) and row["top1_ci95_lo"] < 89.5 < row["top1_ci95_hi"]
        assert row["latency_ms_p50"] == pytest.approx(96 * 1.175, rel=0.05)
        assert row["gmacs_per_sec"] == pytest.approx(1e3 * row["gmacs"] / row["latency_ms_p50"])
        assert row["peak_rss_mb"] == pytest.approx(25.557032 * 4.5 + 40)
        assert row["published_params"] == 25_557_032 and row["published_top1"] == pytest.approx(76.13)
        assert (row["family"], row["dataset"], row["status"]) == ("resnet", "fashion_mnist", "ok")

    def test_an_edited_network_no_longer_carries_what_is_printed(self) -> None:
        found = chosen("mobilenet_v1")
        edited = [*map(derived, (counted("mobilenet_v1", 4_000_000), *found[1:]))]
        own, other = (comparison(records).dropna(subset=["param_count"]).iloc[0] for records in (found, edited))
        assert own["published_top1"] == pytest.approx(70.6) and "not the network" not in own["notes"]
        assert pd.isna(other[["published_params", "published_top1", "published_gmacs"]]).all()
        assert "not the network that was published under this name" in other["notes"]

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


class TestFile:
    def test_the_csv_reads_back(self, report: Path) -> None:
        table = pd.read_csv(report / "results.csv")
        assert list(table.columns) == [name for name in COLUMNS if name not in RARE]  # which nothing here has
        assert len(table) == 2 * len(MODELS) + 15  # a row at the size of the test images, and the grid

    def test_no_figure_has_digits_of_the_change_of_units_alone(self) -> None:
        text = to_csv(comparison([accuracy("resnet18", 0.824, seed=seed) for seed in range(3)]))
        assert "82.4," in text and "82.39999" not in text

    @pytest.mark.parametrize(
        ("text", "cell"),
        [
            ("=HYPERLINK(0)", "'=HYPERLINK(0)"), ("+1+1", "'+1+1"), ("-x", "'-x"), ("@sum", "'@sum"), ("-5", "-5"),
            ("1e5", "1e5"), ("\t=1", "' =1"), ("a\r\nb\x1b", "a  b "), ("mobilenet_v1", "mobilenet_v1"),
        ],
    )  # fmt: skip
    def test_a_spreadsheet_runs_none_of_it(self, text: str, cell: str) -> None:
        frame = pd.DataFrame({"notes": pd.array([text], dtype="string"), "top1": [1.0]})
        assert to_csv(frame) == pd.DataFrame({"notes": [cell], "top1": [1.0]}).to_csv(index=False)

    def test_weights_named_like_a_formula_are_no_formula(self) -> None:
        found = accuracy(
            "resnet18", 0.7, weights="sha256:1", weights_path="=HYPERLINK(A1)", dataset="imagenet", epochs=0
        )
        assert ",'=HYPERLINK(A1)," in to_csv(comparison([found]))


def test_networks_come_in_the_order_of_their_numbers_and_a_plain_name_before_its_variants() -> None:
    names = ["vgg16_bn", "resnet101", "vgg16", "resnet18", "mobilenet_v1:width=0.75", "mobilenet_v1:width=0.5",
             "mobilenet_v1", "resnet152", "vgg11"]  # fmt: skip
    assert sorted(names, key=_natural) == [
        "mobilenet_v1", "mobilenet_v1:width=0.5", "mobilenet_v1:width=0.75", "resnet18", "resnet101", "resnet152",
        "vgg11", "vgg16", "vgg16_bn",
    ]  # fmt: skip


def test_figures_are_in_the_unit_of_their_column() -> None:
    found = {"activations": 2_500_000, "param_count": 61_100_840, "weights_bytes": 4e6, "preparation_s": 0.0125,
             "top5": 0.912, "mult_adds": 714_000_000, "calibration_images": 200.0}  # fmt: skip
    shown = {column.name: _scaled(found[column.measurement], column) for column in SHOWN if column.measurement in found}
    assert shown["macts"] == 2.5 and shown["weights_mb"] == 4.0 and shown["preparation_ms"] == 12.5
    assert shown["top5"] == 91.2 and shown["gmacs"] == 0.714 and shown["gflops"] == 1.428
    assert shown["param_count"] == 61_100_840 and isinstance(shown["param_count"], int)
    assert isinstance(shown["calibration_images"], int)
    assert _scaled(None, SHOWN[0]) is None
