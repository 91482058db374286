"""Counts of a network whose sums can be checked on paper, and counters that disagree."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from benchmarks.metrics import METRICS, mult_adds
from benchmarks.metrics.mult_adds import CountsDisagree, by_flop_counter, by_layer
from benchmarks.metrics.subject import Subject
from benchmarks.records.record import Case, Measurement
from zoo.counts import COUNTED

# AlexNet of torchvision at 224 pixels: side and channels of its convolutions' outputs
CONVOLUTIONS = 55 * 55 * 64 + 27 * 27 * 192 + 13 * 13 * (384 + 256 + 256)
LINEAR = 4096 + 4096 + 1000


def measured(metric: str, model: str = "alexnet") -> dict[str, Measurement]:
    measure = METRICS[metric].measure
    assert measure is not None
    subject = Subject(Case(metric=metric, model=model, img_size=224))
    return {each.name: each for each in measure(subject)}


def test_activations_are_the_outputs_of_convolutions_and_linear_layers() -> None:
    found = measured("activations")["activations"]
    assert found.value == CONVOLUTIONS + LINEAR
    assert (found.details["convolutions"], found.details["linear"]) == (CONVOLUTIONS, LINEAR)


def test_multiply_adds_of_layers_known_by_hand() -> None:
    network = nn.Sequential(nn.Conv2d(4, 6, 3, padding=1, groups=2), nn.Flatten(), nn.Linear(6 * 5 * 5, 7))
    images = torch.zeros(2, 4, 5, 5)
    expected = {"0": 2 * 5 * 5 * 6 * 9 * 2, "2": 2 * 150 * 7}  # of a batch of two
    assert by_layer(network, images) == expected
    assert by_flop_counter(network, images) == sum(expected.values())


@pytest.mark.parametrize("counter", ["by_flop_counter", "by_layer", "_cross_check"])
def test_counters_that_disagree_count_nothing(counter: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = getattr(mult_adds, counter)

    def one_more(*given: object) -> object:
        found = before(*given)
        if isinstance(found, dict):
            name = "fvcore" if "fvcore" in found else next(iter(found))
            return found | {name: found[name] + 1}
        return found + 1

    measured("mult_adds")
    monkeypatch.setattr(mult_adds, counter, one_more)
    with pytest.raises(CountsDisagree, match=r"disagree: FlopCounterMode 7[\d,]+, closed form 7[\d,]+, fvcore 7[\d,]+"):
        measured("mult_adds")


def test_rows_and_kinds_of_layers_add_up_to_the_whole() -> None:
    assert not METRICS["rows"].default  # what a study asks for
    rows = measured("rows")["rows"]
    kinds, whole = rows.details["kinds"], rows.details["rows"]
    assert rows.value == len(whole) and rows.details["rows"][0]["output"] == [64, 55, 55]
    params, count = COUNTED["alexnet"]
    assert sum(row["params"] for row in whole) == params
    assert sum(kind["weights"] + kind["biases"] for kind in kinds.values()) == params
    assert sum(row["mult_adds"] for row in whole) == sum(kind["mult_adds"] for kind in kinds.values()) == count


def test_the_counter_that_needs_real_tensors_says_nothing(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    subject = Subject(Case(metric="mult_adds", model="mobilenet_v1:width=0.25", img_size=32))
    found = mult_adds._count_on_real_tensors(subject)
    assert found["fvcore"] == by_flop_counter(subject.structure, subject.example("meta"))
    assert (
        found["others"]["torchinfo_total"]
        >= found["fvcore"]
        == sum(found["others"]["fvcore"][name] for name in ("conv", "linear"))
    )
    assert capsys.readouterr().out == "" and not caplog.records


def test_the_slow_counter_counts_once_and_its_answer_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of the same network at the same size; where nothing can be kept it counts again."""
    counted: list[str] = []
    monkeypatch.setattr(mult_adds, "cache_folder", lambda: tmp_path / "deep" / "cache")
    monkeypatch.setattr(
        mult_adds, "_count_on_real_tensors", lambda subject: counted.append(subject.spec.label) or {"fvcore": 7}
    )
    nin, small = (Subject(Case(metric="mult_adds", model="nin", img_size=side)) for side in (224, 64))
    assert [mult_adds._cross_check(each) for each in (nin, nin, small, nin, small)] == [{"fvcore": 7}] * 5
    assert len(counted) == 2
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setattr(mult_adds, "cache_folder", lambda: tmp_path / "file")
    assert [mult_adds._cross_check(nin) for _ in range(2)] == [{"fvcore": 7}] * 2 and len(counted) == 4
