"""The self-check of deploying: its bars can be met and missed, its claim holds or does not, and the page says which."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

import zoo
from benchmarks.selfcheck import quantization
from benchmarks.selfcheck.deploy import RUNTIMES, bars, benchmark, cost, main
from benchmarks.selfcheck.held_out import rounds_of
from benchmarks.selfcheck.quantization import BASE, LAYER, SCHEMES, difference, published, verdict
from tests.zoo.small import small


def timed(batch: int, gain: float, instructions: str = "x86-64 without VNNI") -> dict[str, dict[str, Any]]:
    """A case of a network whose integers are `gain` times as fast on one runtime and slower on the other."""
    seconds = {"fp32": [gain] * 10, "openvino": [1.0] * 10, "onnxruntime": [2 * gain] * 10}
    case = {"model": "resnet50", "batch": batch, "auto": "folded", "seconds": seconds, "instructions": instructions}
    return {f"speed resnet50 batch {batch}": case}


def counted(lost: int, won: int = 0) -> dict[str, dict[str, Any]]:
    """A case of a thousand images, of which integers lose and win some."""
    both = {name: dict.fromkeys(RUNTIMES, count) for name, count in (("lost", lost), ("won", won))}
    case = {"model": "resnet18", "images": 1000, "fp32": 900, "ways": dict.fromkeys(RUNTIMES, "a way"), **both}
    return {"accuracy 0 resnet18": case}


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
    ],
)
def test_bars(cases: dict[str, dict[str, Any]], met: list[bool | None]) -> None:
    assert [bar.met for bar in bars(cases)] == met


def test_one_network_that_gains_little_is_enough_to_miss() -> None:
    other = {"other": next(iter(timed(1, 1.1).values()))}
    assert bars(timed(1, 4) | other)[0].met is False


def test_what_it_costs_has_an_interval() -> None:
    found = cost(next(iter(counted(9, 4).values())), "openvino")
    assert found.value == pytest.approx(0.5) and found.low < 0 < 0.5 < found.high


def schemes(base: int, layer: int) -> dict[str, dict[str, Any]]:
    """A case of 200 images: fp32 has all right, two schemes some, each the first so many."""
    right = {"fp32": 200, BASE.name: base, LAYER.name: layer}
    only = {f"{one}|{other}": max(right[one] - right[other], 0) for one in right for other in right if one != other}
    return {
        "quantization 0 net": {
            "weights": "net.h5", "model": "mobilenet_v1", "instructions": "AVX-VNNI", "images": 200, "right": right,
            "calibrated_on": {BASE.name: 100, LAYER.name: 100}, "only": only,
            "left_out": {"calibrated on 1000 images": "125 images to calibrate on"},
        }
    }  # fmt: skip


@pytest.mark.parametrize(
    ("base", "layer", "said"),
    [
        (190, 2, ["The first holds here: 100 % becomes 1.00 %", "The second holds here: one scale a channel has 94"]),
        (190, 90, ["The first does not hold here, although much is lost", "The second holds here"]),
        (20, 2, ["The first holds here", "The second does not hold here"]),
        (104, 2, ["The second is not decided here"]),
        (190, 180, ["The first does not hold here, although something is lost"]),
        (200, 200, ["The first does not hold here: 100", "Of the second nothing can be said"]),
    ],
)
def test_the_claim_is_judged(base: int, layer: int, said: list[str]) -> None:
    found = verdict(schemes(base, layer)["quantization 0 net"])
    assert [words for words in said if words not in found] == []


def test_the_page_has_every_section() -> None:
    cases = timed(1, 1.6) | counted(5) | schemes(190, 2)
    text = "\n\n".join(benchmark(["net.h5"], "", "").page.sections(cases, ""))
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        "## Speed", "## Accuracy", "## Schemes: mobilenet_v1", "## Schemes: published",
    ]  # fmt: skip
    assert "| resnet50 | 1 | folded | openvino | 1.60 |" in text
    assert "Left out: calibrated on 1000 images: there are only 125 images to calibrate on." in text
    assert text.count("arXiv:1806.08342") > 5


def test_printed_figures_have_their_source() -> None:
    assert all(row["source"] and row["int8_top1"] for row in published())


def test_differences_are_of_the_same_images() -> None:
    found = difference(schemes(190, 2)["quantization 0 net"], BASE.name, LAYER.name)
    assert found.value == pytest.approx(94) and found.low > 85 and found.high < 97


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


@pytest.mark.slow
@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: scheme.name)
def test_every_scheme_runs(scheme: quantization.Scheme, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    from zoo.runtimes.onnxruntime import write_onnx

    network, images = small(), torch.randn(10, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    write_onnx(network, tmp_path / "net.onnx", images, dynamic_batch=True)
    logits = quantization._integers(tmp_path / "net.onnx", images, scheme)(images)
    with torch.inference_mode():
        expected = network(images)
    assert 0 < float((logits - expected).abs().max() / expected.abs().max()) < 0.3
