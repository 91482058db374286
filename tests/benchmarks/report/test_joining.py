"""A row joins what the metrics' declared conditions allow; every figure is under its own conditions."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.metrics import METRICS
from benchmarks.plan.cases import canonical
from benchmarks.records.record import Case, Measurement, Record
from benchmarks.records.standing import counting
from benchmarks.report.frame import comparison
from benchmarks.report.joining import join
from benchmarks.report.overview import survey

FIGURES = {"params": "param_count", "mult_adds": "mult_adds", "latency": "latency_s", "memory": "peak_rss_bytes",
           "accuracy": "top1", "activations": "activations", "throughput": "samples_per_sec"}  # fmt: skip


def record(metric: str, value: float, model: str = "resnet18", **conditions: object) -> Record:
    case = canonical(Case(metric=metric, model=model, **conditions))  # type: ignore[arg-type]
    found = Measurement(name=FIGURES[metric], value=value, unit="", samples=(value,), rounds=(1,))
    return Record(case=case, status="ok", measurements=(found,), machine="here")


def trained(top1: float, **conditions: object) -> Record:
    return record("accuracy", top1, **conditions)


def of_weights(top1: float, **conditions: object) -> Record:
    """Of weights, whose identity is given here, since no file is."""
    found = record("accuracy", top1, dataset="imagenet", weights_path="imagenet")
    return dataclasses.replace(found, case=dataclasses.replace(found.case, **conditions))


TRAINED, TIMED = trained(0.8), record("latency", 0.010, num_threads=2)
PAIRS = {
    "two data folders": [of_weights(0.7, data="one", data_dir="A"), of_weights(0.6, data="two", data_dir="B")],
    "two precisions": [TIMED, record("latency", 0.005, num_threads=2, precision="bf16")],
    "two image sizes": [TIMED, record("latency", 0.006, num_threads=2, img_size=160)],
    "two training sizes": [TRAINED, trained(0.7, img_size=64)],
    "two numbers of epochs": [TRAINED, trained(0.7, epochs=1)],
    "two seeds": [TRAINED, trained(0.7, seed=1)],
    "two recipes": [TRAINED, trained(0.7, recipe="sample:mirror=true")],
    "two runtimes": [TIMED, record("latency", 0.004, num_threads=2, runtime="packed")],
    "two numbers of threads": [TIMED, record("latency", 0.02, num_threads=1)],
    "two weight files": [
        of_weights(0.7, weights="sha256:1", weights_path="a.pth"),
        of_weights(0.6, weights="sha256:2", weights_path="b.pth"),
    ],
}  # fmt: skip
COLUMNS = {"latency": "latency_ms_p50", "accuracy": "top1"}
FACTORS = {"latency": 1e3, "accuracy": 1e2}


@pytest.mark.parametrize("name", PAIRS)
def test_both_figures_are_there_under_their_own_conditions(name: str) -> None:
    pair = PAIRS[name]
    metric = pair[0].case.metric
    frame = comparison(counting([*pair, record("params", 11e6), record("mult_adds", 2e9)]))
    shown = [value for value in frame[COLUMNS[metric]].dropna()]
    expected = [FACTORS[metric] * each.measurements[0].value for each in pair]
    assert sorted(shown) == pytest.approx(sorted(expected))
    conditions = ["runtime", "precision", "img_size", "num_threads", "weights", "data_dir", "recipe", "epochs",
                  "train_img_size", "seed"]  # fmt: skip
    rows = frame.dropna(subset=[COLUMNS[metric]])
    assert len(rows[conditions].drop_duplicates()) == 2


def test_the_same_data_elsewhere_is_the_same_case() -> None:
    first, moved = of_weights(0.7, data="one", data_dir="A"), of_weights(0.7, data="one", data_dir="B")
    assert len(counting([first, moved])) == 1
    assert comparison(counting([first, moved]))["data_dir"].tolist() == ["B"]  # as typed last


def test_an_accuracy_stands_beside_a_time_of_its_own_precision_and_runtime_only() -> None:
    others = [record("latency", 0.004, num_threads=2, runtime="packed"),
              record("latency", 0.005, num_threads=2, precision="bf16")]  # fmt: skip
    frame = comparison([TRAINED, TIMED, *others])
    beside = frame.dropna(subset=["top1", "latency_ms_p50"])
    assert beside[["runtime", "precision"]].to_numpy().tolist() == [["eager", "fp32"]]
    assert len(frame) == 3


def test_weights_are_tested_beside_times_of_the_same_size_only() -> None:
    assert comparison([of_weights(0.7)])["seed"].isna().all()  # nothing was trained
    frame = comparison([of_weights(0.7), TIMED, record("latency", 0.006, num_threads=2, img_size=160)])
    assert frame.dropna(subset=["top1"])["img_size"].tolist() == [224]


def test_a_row_a_seed_and_the_mean_on_the_page() -> None:
    records = [trained(top1, seed=seed) for seed, top1 in enumerate((0.818, 0.82, 0.822))]
    frame = comparison([*records, TIMED])
    assert frame["seed"].tolist() == [0, 1, 2]
    assert frame["latency_ms_p50"].tolist() == [10.0] * 3
    table = survey([*records, TIMED], None).table
    assert table["top1"].tolist() == pytest.approx([82.0])
    assert pd.isna(table["seed"]).all()
    assert 81 < table["top1_ci95_lo"].item() < 82 < table["top1_ci95_hi"].item() < 83


def test_nothing_is_ranked_across_unequal_protocols() -> None:
    most = [trained(0.8, model=name) for name in ("resnet18", "vgg11", "alexnet")]
    more = trained(0.95, model="nin", epochs=30)
    overview = survey([*most, more], None)
    assert set(overview.records("accuracy")) == {"resnet18", "vgg11", "alexnet"}
    assert "nin" in overview.frame["model"].tolist()


CONDITIONS = {
    "runtime": st.sampled_from(["eager", "packed"]), "precision": st.sampled_from(["fp32", "bf16"]),
    "img_size": st.sampled_from([160, 224]), "batch_size": st.integers(1, 2), "num_threads": st.integers(1, 2),
    "epochs": st.integers(1, 2), "seed": st.integers(0, 2),
}  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(st.builds(record, st.sampled_from(sorted(FIGURES)), st.floats(0.1, 1),
                          **CONDITIONS), min_size=1, max_size=12))  # type: ignore[arg-type]  # fmt: skip
def test_every_record_is_in_a_row_and_rows_hold_what_agrees(records: list[Record]) -> None:
    records = counting(records)
    rows = join(records)
    assert {id(each) for row in rows for each in row.records.values()} == {id(each) for each in records}
    for row in rows:
        for one in row.records.values():
            for other in row.records.values():
                shared = set(METRICS[one.case.metric].depends_on) & set(METRICS[other.case.metric].depends_on)
                stated = [name for name in shared if getattr(one.case, name) and getattr(other.case, name)]
                assert all(getattr(one.case, name) == getattr(other.case, name) for name in stated)
    assert len({(row.case, frozenset(row.records)) for row in rows}) == len(rows)
