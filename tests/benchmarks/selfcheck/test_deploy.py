"""The self-check of deploying: its bars can be met and missed, its claim holds or does not, and the page says which."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest

import zoo
from benchmarks.metrics.schemes import BASE, LAYER_ASYMMETRIC, THOUSAND, Answers
from benchmarks.records.record import FULL
from benchmarks.selfcheck.deploy import RUNTIMES, bars, benchmark, cost, main
from benchmarks.selfcheck.held_out import rounds_of
from benchmarks.selfcheck.quantization import answers, case_of
from tests.zoo.small import small


def timed(batch: int, gain: float, instructions: str = "x86-64 without VNNI") -> dict[str, dict[str, Any]]:
    """A case of a network whose integers are `gain` times as fast on one runtime and slower on the other."""
    seconds = {"fp32": [gain] * 10, "openvino": [1.0] * 10, "onnxruntime": [2 * gain] * 10}
    case = {"model": "resnet50", "batch": batch, "auto": "folded", "seconds": seconds, "instructions": instructions}
    return {f"speed resnet50 batch {batch}": case}


def counted(lost: int, won: int = 0, images: int = 1000) -> dict[str, dict[str, Any]]:
    """A case of so many images, of which integers lose and win some."""
    both = {name: dict.fromkeys(RUNTIMES, count) for name, count in (("lost", lost), ("won", won))}
    case = {"model": "resnet18", "images": images, "fp32": 900, "ways": dict.fromkeys(RUNTIMES, "a way"), **both}
    return {"accuracy 0 resnet18": case}


def stepped_aside(*runtimes: str) -> dict[str, dict[str, Any]]:
    """The same where some runtimes cannot keep accuracy and speed."""
    ((key, case),) = counted(5).items()
    both = {
        name: {each: count for each, count in case[name].items() if each not in runtimes} for name in ("lost", "won")
    }
    return {key: {**case, **both, "refused": dict.fromkeys(runtimes, "it would be slow")}}


@pytest.mark.parametrize(
    ("cases", "met"),
    [
        (timed(1, 1.6), [True, None, None, None]),
        (timed(1, 1.4), [False, None, None, None]),
        (timed(1, 1.6, "AVX-VNNI"), [False, None, None, None]),  # which is asked for more
        (timed(16, 1.5), [None, True, None, None]),
        (counted(5), [None, None, True, True]),
        (counted(6), [None, None, False, False]),
        (counted(25, 20), [None, None, True, True]),
        (counted(6, images=250), [None, None, None, None]),  # of which one is half a point
        (stepped_aside("onnxruntime"), [None, None, True, False]),
        (stepped_aside(*RUNTIMES), [None, None, False, False]),
    ],
)
def test_bars(cases: dict[str, dict[str, Any]], met: list[bool | None]) -> None:
    assert [bar.met for bar in bars(cases)] == met


def test_one_network_that_gains_little_is_enough_to_miss() -> None:
    other = {"other": next(iter(timed(1, 1.1).values()))}
    assert bars(timed(1, 4) | other)[0].met is False


def test_what_it_costs_has_an_interval() -> None:
    found = cost(next(iter(counted(9, 4).values())), "openvino")
    assert found is not None
    assert found.value == pytest.approx(0.5) and found.low < 0 < 0.5 < found.high


def test_who_steps_aside_is_on_the_page_with_the_reason() -> None:
    text = "".join(benchmark([], "", "").page.sections(stepped_aside("onnxruntime"), ""))
    assert "- it would be slow" in text and "| resnet18 | 1,000 | 900 | 0.5" in text


def schemes(base: int, layer: int) -> dict[str, dict[str, Any]]:
    """A case of 200 images: fp32 has all right, two schemes some, each the first so many."""
    right = {FULL: 200, BASE.name: base, LAYER_ASYMMETRIC.name: layer}
    found = Answers(
        right={name: np.arange(200) < count for name, count in right.items()},
        calibrated={BASE.name: 100, LAYER_ASYMMETRIC.name: 100},
        left_out={THOUSAND.name: "125 images to calibrate on"},
        classes=1000,
        instructions="AVX-VNNI",
    )
    return {"quantization 0 net": {"weights": "net.h5", "model": "mobilenet_v1", **case_of(found)}}


def test_answers_are_kept_as_they_are() -> None:
    found = answers(json.loads(json.dumps(schemes(190, 2)["quantization 0 net"])))
    assert {name: int(right.sum()) for name, right in found.right.items()} == {
        FULL: 200, BASE.name: 190, LAYER_ASYMMETRIC.name: 2,
    }  # fmt: skip
    assert found.calibrated[BASE.name] == 100 and found.classes == 1000


def test_the_page_has_every_section() -> None:
    cases = timed(1, 1.6) | counted(5) | schemes(190, 2)
    text = "\n\n".join(benchmark(["net.h5"], "", "").page.sections(cases, ""))
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        "## Speed", "## Accuracy", "## Schemes: mobilenet_v1", "## Published",
    ]  # fmt: skip
    assert "| resnet50 | 1 | folded | openvino | 1.60 |" in text
    assert "Left out: calibrated on 1000 images: there are only 125 images to calibrate on." in text
    assert text.count("arXiv:1806.08342") > 5
    assert "held against mobilenet_v1: with one scale a layer MobileNetV1 only guesses (70.9 % becomes 0.1 %): " in text
    assert "supported here, 100 % becomes 1.00 %, where guessing has 0.100 %: 99.00 (95.8" in text


def test_no_file_is_said() -> None:
    with pytest.raises(SystemExit, match="no file is 'nowhere/"):
        main(["--weights", "nowhere/*.safetensors"])


def test_images_without_parts_are_halved(monkeypatch: pytest.MonkeyPatch) -> None:
    data = dataclasses.replace(zoo.open_data("fashion_mnist"), test=None, val=None)
    assert data.train is not None
    data = dataclasses.replace(data, train=data.train.subset(list(range(41))))
    monkeypatch.setattr(zoo, "open_data", lambda *_, **__: data)
    found = rounds_of(small(), "folder")
    assert [(len(part.train.labels), len(tried.labels)) for part, tried in found if part.train] == [(21, 20), (20, 21)]
    assert found[0][0].train is found[1][1]
