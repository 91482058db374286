"""Networks in 8-bit integers: calibrated on images, as right as fp32, integers throughout, or refused with a reason."""

from __future__ import annotations

import dataclasses
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import zoo
from tests.zoo.quantizing.conftest import photographs
from tests.zoo.small import small
from zoo.classifier import Classifier
from zoo.runtimes import RUNTIMES
from zoo.runtimes.agreement import INTEGERS, Agreement
from zoo.runtimes.quantizing import choosing, instructions, ways
from zoo.runtimes.quantizing.calibration import FEWEST, calibration_of
from zoo.runtimes.quantizing.comparing import layer_noise, rounded_weight
from zoo.runtimes.quantizing.post_training import NotQuantized, check_names, weighted_layers
from zoo.runtimes.quantizing.reading import check_integers
from zoo.runtimes.session import Session, missing, precisions

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
def test_the_session_answers_what_the_network_does(opened: tuple[Classifier, Session]) -> None:
    model, session = opened
    images = photographs(2, seed=8)
    with torch.inference_mode():
        expected = model(images)
    logits = session(images)
    assert 0 < float((logits - expected).abs().max() / expected.abs().max()) < 0.15  # integers, and no sum cut off
    assert session.precision == "int8"


@pytest.mark.slow
def test_the_agreement_is_kept_with_how_it_was_made(opened: tuple[Classifier, Session]) -> None:
    agreement = opened[1].agreement
    assert agreement is not None and agreement.within and agreement.real
    assert agreement.images == 40 and agreement.top1 > 0.8 and agreement.signal_to_noise_db is not None
    facts = agreement.facts
    assert facts["calibration_images"] == 40 and len(facts["calibration_fingerprint"]) == 16
    assert facts["apart"] is False  # too few for others to be compared on
    assert facts["instructions"] == instructions.instruction_set() and facts["way"] and facts["kept_fp32"] == []
    weights = sum(parameter.numel() for parameter in opened[0].parameters())
    assert weights < facts["file_bytes"] < 2 * weights + 500_000  # a byte each, and the graph


def test_fp32_keeps_its_agreement_too() -> None:
    session = zoo.open_runtime(small(), photographs(2), "folded")
    assert session.precision == "fp32"
    assert session.agreement is not None and session.agreement.relative <= 1e-3 and session.agreement.within


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_halves_take_and_give_the_network_s_own_numbers(precision: str) -> None:
    model, images = small(), photographs(2)
    session = zoo.open_runtime(model, images, "folded", precision=precision)
    logits = session(images)
    with torch.inference_mode():
        difference = float((logits - model(images)).abs().max())
    assert logits.dtype == torch.float32 and difference > 0
    assert session.agreement is not None and session.agreement.precision == precision and session.agreement.within


def test_only_what_is_declared_is_opened() -> None:
    assert list(precisions(RUNTIMES["packed"])) == ["fp32"]
    with pytest.raises(zoo.RuntimeUnavailable, match=r"'packed' has no int8; it has: fp32"):
        zoo.open_runtime(small(), photographs(2), "packed", precision="int8", calibration=photographs())
    with pytest.raises(zoo.RuntimeUnavailable, match="no precision is named 'int4'; allowed: fp32, fp16, bf16, int8"):
        zoo.open_runtime(small(), photographs(2), precision="int4")
    with pytest.raises(zoo.RuntimeUnavailable, match="calibration belongs to int8"):
        zoo.open_runtime(small(), photographs(2), calibration=photographs())


class TestCalibration:
    def test_none_is_refused_with_what_to_pass(self) -> None:
        with pytest.raises(zoo.DataError, match=r"int8 needs calibration=: a data set"):
            zoo.open_runtime(small(), photographs(2), "openvino", precision="int8")

    def test_noise_only_where_it_is_asked_for(self) -> None:
        noise = torch.randn(20, 3, 32, 32, generator=torch.Generator().manual_seed(0))
        with pytest.raises(zoo.DataError, match='"noise" for noise'):
            calibration_of(small(), noise * 2, 32)
        asked = calibration_of(small(), "noise", 32)
        assert not asked.real and asked.name == "noise"

    def test_pixels_without_mean_and_deviation_are_refused(self) -> None:
        pixels = torch.rand(20, 3, 32, 32, generator=torch.Generator().manual_seed(0))
        with pytest.raises(zoo.DataError, match="before mean and deviation"):
            calibration_of(small(), pixels, 32)

    def test_too_few(self) -> None:
        with pytest.raises(zoo.DataError, match=f"3 training images; at least {FEWEST}"):
            calibration_of(small(), photographs(3), 32)

    @pytest.mark.parametrize("images", [torch.zeros(20, 3, 16, 16), torch.zeros(20, 3, 32, 32, dtype=torch.uint8)])
    def test_another_shape_or_type(self, images: torch.Tensor) -> None:
        with pytest.raises(zoo.DataError, match=r"floats \(N, 3, 32, 32\)"):
            calibration_of(small(), images, 32)

    def test_training_images_and_no_others(self) -> None:
        data = zoo.open_data("fashion_mnist")
        model = small()
        found = calibration_of(model, data, 32, count=20, compared=15)
        assert (found.images, found.compared, found.apart, found.name) == (20, 15, True, data.name)
        first = torch.cat(list(found.to_calibrate()))
        other = torch.cat([images for images, _ in found.to_compare()])
        assert first.shape == (20, 3, 32, 32) and len(other) == 15
        assert not any(bool((each == other).flatten(1).all(1).any()) for each in first)
        again = calibration_of(model, data, 32, count=20, compared=15)
        assert again.fingerprint == found.fingerprint != calibration_of(model, data, 32, count=21).fingerprint
        with pytest.raises(zoo.DataError, match="has no training images"):
            calibration_of(model, dataclasses.replace(data, train=None), 32)


class TestAgreement:
    def agreement(self, **facts: object) -> Agreement:
        common = {"precision": "int8", "images": 1000, "source": "x", "relative": 0.1, "top1": 0.9, "bound": INTEGERS}
        return Agreement(**{**common, "real": True, **facts})  # type: ignore[arg-type]

    def test_other_answers_are_out_of_bounds(self) -> None:
        assert self.agreement().within
        assert not self.agreement(top1=0.4).within
        assert self.agreement(top1=0.7, images=20).within  # which so few images cannot tell from the bound

    def test_lost_points_are_out_of_bounds(self) -> None:
        assert self.agreement(correct=(600, 560)).within
        assert not self.agreement(correct=(600, 500)).within
        assert self.agreement(correct=(600, 700)).within

    def test_noise_is_held_to_its_logits(self) -> None:
        assert self.agreement(real=False, top1=0.1).within
        assert not self.agreement(real=False, relative=0.6).within


@pytest.mark.parametrize(
    ("flags", "machine", "words", "cut_off"),
    [
        ("avx2 fma", "x86_64", instructions.BASE, True),
        ("avx2 avx_vnni", "x86_64", "AVX-VNNI", False),
        ("avx512_vnni avx_vnni", "AMD64", "AVX-512 VNNI", False),
        ("", "aarch64", "aarch64", False),
        ("", "x86_64", instructions.BASE, True),  # which does not say is taken for the worse
    ],
)
def test_what_the_processor_adds_with(
    flags: str, machine: str, words: str, cut_off: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instructions, "_flags", lambda: frozenset(flags.split()))
    monkeypatch.setattr(platform, "machine", lambda: machine)
    assert instructions.instruction_set.__wrapped__() == words
    assert instructions.saturates(words) == cut_off


@pytest.mark.parametrize("listed", [ways.OPENVINO, ways.ONNX])
def test_seven_bits_where_sums_are_cut_off(listed: tuple[ways.Way, ...]) -> None:
    assert all(way.seven_bits for way in ways.here(listed, saturating=True))
    assert not ways.here(listed, saturating=False)[0].seven_bits


class TestChoosing:
    def choose(self, **given: object) -> choosing.Integers:
        model, images = small(), photographs(2)
        calibration = calibration_of(model, photographs(), 32)
        halves: dict[str, object] = {
            "ways": ways.OPENVINO,
            "quantized": lambda *_: "graph",
            "started": lambda graph, layers: (model, ()),
            "fp32": model,
            "file_bytes": len,
        }
        maker = choosing.Maker(**{**halves, **given})  # type: ignore[arg-type]
        return choosing.choose(model, images, calibration, maker, bound=INTEGERS, keep_fp32=["head"])

    def test_layers_are_left_out_by_name(self) -> None:
        assert self.choose().kept == ("head.fc",)
        with pytest.raises(LookupError, match=r"layer with weights is named 'features.conv1'; did you mean feat"):
            check_names(small(), ["features.conv1"])

    def test_wrong_answers_step_aside(self) -> None:
        with pytest.raises(zoo.RuntimeUnavailable, match=r"no integers keep accuracy and speed: nncf.*: .*of 40 im"):
            self.choose(started=lambda graph, layers: (lambda images: -small()(images), ()))

    def test_a_graph_that_cannot_be_corrected_is_not_tried_so_again(self) -> None:
        tried = []

        def quantized(calibration: object, way: ways.Way, kept: object) -> str:
            tried.append(way)
            if not way.fast_bias_correction:
                raise NotQuantized("nncf.quantize failed: over the graph")
            return "graph"

        made = self.choose(quantized=quantized, ways=ways.ONNX)
        assert [way.fast_bias_correction for way in tried] == [False, True]
        assert made.agreement.facts["way"] == tried[-1].name

    def test_slower_steps_aside(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(choosing, "speed_up", lambda *_: (0.5, 0.6))
        with pytest.raises(zoo.RuntimeUnavailable, match=r"slower than fp32 in the same runtime: 2\.00 times"):
            self.choose()

    def test_layers_in_floats_step_aside(self) -> None:
        with pytest.raises(zoo.RuntimeUnavailable, match=r"1 layers are not integer .*: features\.conv_1\.conv"):
            self.choose(started=lambda graph, layers: (small(), ("features.conv_1.conv", "head.fc")))
        check_integers(["head.fc"], ["head.fc"])


def test_the_layer_that_costs_most_stands_first() -> None:
    model = small()
    with torch.no_grad():
        model.get_submodule("features.conv_3.conv").weight[0].mul_(1000)  # type: ignore[index]
    calibration = calibration_of(model, photographs(), 32)
    assert set(layer_noise(model, calibration)) == set(weighted_layers(model))
    table = layer_noise(model, calibration, per_channel=False)
    assert list(table.values()) == sorted(table.values()) and next(iter(table)) in ("features.conv_3.conv", "head.fc")
    assert table["features.conv_3.conv"] < layer_noise(model, calibration)["features.conv_3.conv"]


def test_rounded_weights_keep_their_largest() -> None:
    weight = torch.tensor([[1.0, -0.5], [100.0, 3.0]])
    assert torch.allclose(rounded_weight(weight), weight, atol=0.4)
    assert rounded_weight(weight, per_channel=False)[0, 1] == pytest.approx(-0.787, abs=1e-3)


@pytest.mark.slow
def test_nothing_is_sent_or_written(tmp_path: Path) -> None:
    """With a home of its own, a conversion and an import of NNCF leave no file and open no connection."""
    if missing("nncf", "openvino"):
        pytest.skip("nncf and openvino are not installed")
    script = (
        "import socket, sys\n"
        "def refuse(*_, **__): raise SystemExit('a connection')\n"
        "socket.socket.connect = refuse\n"
        "import torch, zoo\n"
        "from tests.zoo.small import small\n"
        "from zoo.runtimes.quantizing.silence import quietly_imported\n"
        "quietly_imported('nncf')\n"
        "zoo.open_runtime(small(), torch.zeros(2, 3, 32, 32), 'openvino')\n"
        "assert sys.modules.get('openvino_telemetry') is None\n"
    )
    (tmp_path / "cache").mkdir()
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "ZOO_CACHE_DIR": str(tmp_path / "cache"),
        "TMPDIR": str(tmp_path / "cache"),
    }
    done = subprocess.run(
        [sys.executable, "-B", "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.rglob("*") if path.is_file() and "cache" not in path.parts] == []
