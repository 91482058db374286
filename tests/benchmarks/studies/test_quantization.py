"""The study of quantization: claims that hold, do not, or cannot be told; tables and sentences from records alone."""

from __future__ import annotations

import csv
import dataclasses
import subprocess
import sys
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from benchmarks.metrics.schemes import (
    BASE,
    LAYER,
    LAYER_ASYMMETRIC,
    NOISE,
    PLAIN_SUMS,
    PLAIN_SUMS_SEVEN_BITS,
    SCHEMES,
    TEN,
    THOUSAND,
    Answers,
)
from benchmarks.records.predictions import pack
from benchmarks.records.record import FULL, Case, Measurement, Record
from benchmarks.report.studies.page import verdicts, write_study
from benchmarks.report.studies.pictures import DRAW
from benchmarks.report.studies.views import data_of
from benchmarks.studies import STUDIES
from benchmarks.studies.answers import brought_back, difference, down_to_guessing
from benchmarks.studies.evidence import Evidence
from benchmarks.studies.quantization import PUBLISHED, STUDY
from tests.benchmarks.studies.made import HERE, tables_of, trained

WITHOUT_VNNI = "x86-64 without VNNI"
IMAGES = 1000


def answers(classes: int = 10, **right: int) -> Answers:
    """A network that has the first so many of a thousand images right."""
    names = {"full": FULL, "base": BASE.name, "layer": LAYER_ASYMMETRIC.name}
    return Answers(
        right={names[name]: np.arange(IMAGES) < count for name, count in right.items()},
        calibrated={}, left_out={}, classes=classes, instructions=WITHOUT_VNNI,
    )  # fmt: skip


def record(model: str, seed: int, right: Mapping[str, int], instructions: str = WITHOUT_VNNI, **case: object) -> Record:
    """A training of which every scheme has the first so many images right, 900 where nothing is said."""
    like = trained(model, seed, 0.9)
    counts = {FULL: 900} | {scheme.name: right.get(scheme.name, 900) for scheme in SCHEMES}
    packed = {name: pack([int(place < count) for place in range(IMAGES)]) for name, count in counts.items()}
    about = {"right": packed[FULL], "classes": 10, "instructions": instructions, "left_out": {}}
    measurements = [Measurement(name="top1", value=0.9, unit="fraction", details=about)]
    measurements += [
        Measurement(name=f"scheme:{scheme.name}", value=counts[scheme.name] / IMAGES, unit="fraction",
                    details={"right": packed[scheme.name], "calibration_images": scheme.images or 10})
        for scheme in SCHEMES
    ]  # fmt: skip
    found = dataclasses.replace(like.case, metric="schemes", **case)  # type: ignore[arg-type]
    return dataclasses.replace(like, case=found, measurements=tuple(measurements))


def run(seeds: int = 3, instructions: str = WITHOUT_VNNI, **changes: int) -> list[Record]:
    """Trainings of every arm; `changes` are right answers of schemes, of which seeds differ a little."""
    names = {"base": BASE, "layer": LAYER_ASYMMETRIC, "symmetric": LAYER, "noise": NOISE, "ten": TEN,
             "thousand": THOUSAND, "cut": PLAIN_SUMS, "seven": PLAIN_SUMS_SEVEN_BITS}  # fmt: skip
    return [
        record(arm.model, seed, {names[name].name: count - seed for name, count in changes.items()}, instructions)
        for arm in STUDY.arms
        for seed in range(seeds)
    ]


def seen(*records: Record) -> Evidence:
    return Evidence(STUDY.arms, records, STUDY.training)


def statuses(records: list[Record]) -> dict[str, str]:
    """Verdicts by the first words of the claims."""
    return {claim.text.split(" (")[0]: verdict.status for claim, verdict in verdicts(STUDY, seen(*records))}


# --- one network ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("classes", "layer", "status"),
    [
        (1000, 1, "supported"),
        (10, 100, "supported"),  # which guessing has right, too
        (10, 300, "contradicted"),
        (1000, 300, "contradicted"),
        (10, 180, "too noisy"),
    ],
)
def test_only_guessing_is_told_by_what_guessing_has_right(classes: int, layer: int, status: str) -> None:
    assert down_to_guessing([answers(classes, full=900, layer=layer)]).status == status


@pytest.mark.parametrize(
    ("base", "layer", "status"),
    [(890, 100, "supported"), (200, 100, "contradicted"), (500, 100, "too noisy"), (900, 900, "too noisy")],
)
def test_what_is_brought_back_is_held_against_what_was_lost(base: int, layer: int, status: str) -> None:
    found = brought_back([answers(full=900, base=base, layer=layer)])
    assert found.status == status
    assert ("no loss is certain" in found.words) == (layer == 900)


def test_a_difference_is_that_of_images_or_of_trainings() -> None:
    one, other = answers(full=900, base=880), answers(full=900, base=870)
    alone, both = difference([one], BASE.name, FULL), difference([one, other], BASE.name, FULL)
    assert alone is not None and both is not None
    assert alone == one.difference(BASE.name, FULL) and -0.03 < alone.low < alone.value == -0.02
    assert both.value == pytest.approx(-0.025) and both.low < -0.08 < 0 < both.high  # two seeds tell little
    assert difference([one], NOISE.name, FULL) is None and difference([], BASE.name, FULL) is None


def test_seeds_that_happen_to_agree_promise_nothing() -> None:
    found = difference([answers(full=900, base=899)] * 3, BASE.name, FULL)
    assert found is not None and found.low < -0.0025 and found.high > 0.0005
    assert found.value == pytest.approx(-0.001)


def test_nothing_is_said_of_what_was_not_tried() -> None:
    assert down_to_guessing([answers(full=900)]).status == "open"
    assert brought_back([answers(full=900, base=890)]).status == "open"


# --- the claims -------------------------------------------------------------------------------------------------------


def test_claims_hold_where_the_records_say_so() -> None:
    found = statuses(run(layer=103, base=895, noise=500, symmetric=90, cut=700, seven=890))
    assert found["with one scale a layer MobileNetV1 only guesses"] == "supported"
    assert found["one scale a channel brings most of it back"] == "supported"
    assert found["with symmetric weights and one scale a layer it only guesses, too"] == "supported"
    assert found["one scale a channel brings most of what these lose back"] == "supported"
    assert found["calibrating on noise costs accuracy"] == "supported"
    assert found["with one scale a layer, asymmetric weights have more right than symmetric ones"] == "supported"
    assert found["sums that the processor cuts off at 16 bits cost accuracy"] == "supported"
    assert found["where sums are cut off, weights of 7 bits"] == "supported"
    assert found["one scale a layer costs MobileNetV1 more than a residual network"] == "too noisy"  # both alike


def test_claims_do_not_hold_where_the_records_say_otherwise() -> None:
    found = statuses(run(layer=800, base=850, noise=890, ten=700, thousand=890, cut=899, seven=700))
    assert found["with one scale a layer MobileNetV1 only guesses"] == "contradicted"
    assert found["calibrating on noise costs accuracy"] == "contradicted"
    assert found["where sums are cut off, weights of 7 bits"] == "contradicted"
    assert found["10 images to calibrate on are enough: 0.5 points at most are lost against 1000"] == "contradicted"


def test_a_claim_is_open_before_two_seeds() -> None:
    assert set(statuses(run(seeds=1, layer=100)).values()) == {"open"}
    assert set(statuses([]).values()) == {"open"}


def test_sums_are_judged_only_where_the_processor_cuts_them_off() -> None:
    found = dict(verdicts(STUDY, seen(*run(instructions="AVX-VNNI", cut=500))))
    judged = {claim.text: verdict for claim, verdict in found.items() if "cut" in claim.text}
    assert len(judged) == 2
    assert all(verdict.words == "this processor (AVX-VNNI) adds in 32 bits" for verdict in judged.values())
    assert {verdict.status for verdict in judged.values()} == {"open"}


def test_a_network_that_loses_more_than_another() -> None:
    slim = {"mobilenet_v1": 200, "resnet18": 880}
    records = [
        record(arm.model, seed, {LAYER_ASYMMETRIC.name: slim.get(arm.model, 900) - seed})
        for arm in STUDY.arms
        for seed in range(3)
    ]
    assert statuses(records)["one scale a layer costs MobileNetV1 more than a residual network"] == "supported"


# --- the page ---------------------------------------------------------------------------------------------------------


def test_the_answer_says_what_it_costs_and_what_costs_most() -> None:
    said = STUDY.answer(seen(*run(base=890, layer=300)))
    assert said == (
        "In the mean of 4 networks and 3 seeds, integers with a scale a channel, asymmetric activations, calibrated on "
        "100 images, cost 1.10 (0.44 to 1.76) points of top-1; the dearest of the other choices that were tried is a "
        "scale a layer, asymmetric weights: 60.10 (57.06 to 63.14)."
    )
    assert "none of the other choices that were tried costs more" in str(STUDY.answer(seen(*run(base=500))))
    assert STUDY.answer(seen()) is None
    assert STUDY.answer(seen(*run()[:-3])) is None  # a network is missing


def test_trainings_of_another_metric_are_not_the_studys() -> None:
    others = [trained(arm.model, seed, 0.5) for arm in STUDY.arms for seed in range(3)]
    assert STUDY.training == "schemes" and STUDIES["residual"].training == "accuracy"
    assert not seen(*others).training_records()
    assert len(seen(*others, *run()).training_records()) == 12
    mine = Evidence(STUDY.arms, [*others, *run()])
    assert {each.case.metric for each in mine.training_records()} == {"accuracy"}


@pytest.mark.usefixtures("undrawn")
def test_the_page(tmp_path: Path) -> None:
    handed = record("mobilenet_v1:width=0.25", 0, {LAYER_ASYMMETRIC.name: 100}, weights="sha256:1", recipe="",
                    weights_path="/home/somebody/net.h5")  # fmt: skip
    records = [*tables_of(STUDY), *run(layer=103, base=890), handed]
    page = write_study(STUDY, records, HERE, tmp_path)
    assert page is not None
    text = page.read_text()
    first = text.splitlines()[2]
    assert first.startswith(
        "**One scale a layer leaves MobileNetV1 guessing: supported here; one scale a channel brings"
    )
    assert "networks trained for 2 epochs on 6,000 images of Fashion-MNIST" in first
    rows = [line for line in text.splitlines() if line.startswith(f"| {LAYER_ASYMMETRIC.name} |")]
    assert [row.split(" | ")[1] for row in rows] == ["100", "-79.80 (-82.29 to -77.31)", "-78.70 (-81.24 to -76.16)"]
    assert "| fp32 | - | 90.00 (88.13 to 91.87) |" in text
    assert "| mobilenet_v1:width=0.25 | net.h5 | a scale a layer, asymmetric weights | 10.00 (8.1" in text
    assert "somebody" not in text
    assert "## The claims on MobileNetV1, on weights that were handed in" in text
    assert "| MobileNetV1 | `mobilenet_v1` | 4.23 | 0.569 | 90.0 (90.0 to 90.0, 3 seeds) |" in text
    assert "figures/quantization_schemes.svg" in text
    assert text.count("arXiv:1806.08342, Table 3") > 6


def test_no_share_is_more_than_all() -> None:
    records = [record("mobilenet_v1", seed, {NOISE.name: 900 * seed}) for seed in range(2)]
    (line,) = [row for row in STUDY.grids[0].rows(seen(*records)) if row[0] == NOISE.name]
    assert line[2] == "45.00 (0.00 to 100.00)" and line[3] == "-"


def test_without_trainings_the_page_has_what_is_printed(tmp_path: Path) -> None:
    page = write_study(STUDY, tables_of(STUDY), HERE, tmp_path)
    assert page is not None
    text = page.read_text()
    assert "## Published" in text and "## Right answers" not in text and "handed in\n" not in text
    assert "Not trained here yet: one scale a layer leaves MobileNetV1 guessing" in text


def test_printed_figures_have_their_source() -> None:
    printed = list(csv.DictReader(files("benchmarks.studies").joinpath("published_int8.csv").read_text().splitlines()))
    assert all(row["source"] and row["int8_top1"] for row in printed)
    assert len(list(PUBLISHED.rows(seen()))) == len(printed) == 19


def test_the_picture_has_every_network_and_scheme() -> None:
    data = data_of(STUDY.pictures[0], seen(*run(layer=103)))
    assert data is not None and data["schemes"] == [scheme.name for scheme in SCHEMES]
    assert [arm["title"] for arm in data["arms"]] == [arm.title for arm in STUDY.arms]
    assert data["arms"][0]["points"][LAYER_ASYMMETRIC.name]["mean"] == pytest.approx(-79.8)
    figure = DRAW["schemes"](data)
    assert [text.get_text() for text in figure.legends[0].texts] == [arm.title for arm in STUDY.arms]
    assert data_of(STUDY.pictures[0], seen()) is None


def test_records_are_read_without_pytorch(tmp_path: Path) -> None:
    (tmp_path / "record.json").write_text(run(seeds=1, layer=500)[0].to_json())
    script = f"""
import sys
from pathlib import Path
from benchmarks.metrics.schemes import BASE, answers_of
from benchmarks.records.record import FULL, Record
found = answers_of(Record.from_json(Path({str(tmp_path / "record.json")!r}).read_text()))
assert found.difference(BASE.name, FULL).value == 0
assert not {{"torch", "onnxruntime"}} & sys.modules.keys()
"""
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parents[3])


def test_a_case_of_the_study_is_a_training_of_the_metric() -> None:
    (tables, *trainings) = STUDY.parts
    assert tables.metrics == ("rows",) and {part.metrics for part in trainings} == {("schemes",)}
    assert Case(metric="schemes", model="nin").metric == STUDY.training
