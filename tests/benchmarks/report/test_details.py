"""What the page says beyond the comparison: noise, counters, sweeps, recipes, times, memory, other pages."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest

from benchmarks.records.record import Measurement, Record
from tests.benchmarks.report.made import ENVIRONMENT, chosen, latency, page_of, record


class TestDetails:
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
        assert "**Do not lean on the times of** vgg16" in page and "12.0 % slower" in page
        assert "quartiles over 10 % apart): vgg16" in page and "**Intervals wider than 10 %:** vgg16" in page

    @pytest.mark.usefixtures("undrawn")
    def test_rounds_with_the_processors_apart_are_said_and_where_they_count(self, tmp_path: Path) -> None:
        """Twelve rounds, of which 9, 7 and 12 are close."""

        def timed(model: str, apart: list[int]) -> Record:
            (found,) = latency(model, 0.1, turns=12, spread=0.0).measurements
            samples = tuple(
                each * (1.4 if number in apart else 1) for each, number in zip(found.samples, found.rounds, strict=True)
            )
            details = {**found.details, "apart_rounds": apart}
            return record("latency", model, dataclasses.replace(found, samples=samples, details=details), num_threads=2)

        rounds = [timed("resnet50", [9, 10, 11]), timed("vgg16", [7, 8, 9, 10, 11]), timed("vgg11", [])]
        page = page_of(rounds, tmp_path / "few")
        (remark,) = re.findall(r".*\*\*Processors apart:\*\*.*", page)
        assert "in 8 of 36 turns" in remark and "vgg16 then takes 1.7" in remark
        assert "where at least 8 others remain, left out" in remark
        assert "Too few remain of vgg16: such a time is the median over all rounds." in remark
        assert "Too few remain for both of resnet50 and vgg16: such a ratio" in remark
        page = page_of([timed("resnet50", [7, 8, 9, 10, 11]), rounds[1]], tmp_path / "base")
        assert "Too few remain of vgg16 and resnet50:" in page and "for both of resnet50 and vgg16:" in page
        page = page_of([rounds[0], rounds[2]], tmp_path / "enough")
        assert "in 3 of 24 turns" in page and "Too few remain" not in page
        assert "Processors apart" not in page_of([rounds[2]], tmp_path / "none")

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
                record(
                    "accuracy",
                    "resnet18",
                    top1,
                    dataset="fashion_mnist",
                    epochs=8,
                    train_images=6000,
                    train_img_size=64,
                ),
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
        assert "most for resnet18: 1,800 M become 1,825 M (batch_norm 25.00 M); torchinfo" in page
        assert re.search(r"\| resnet18 \| 47\.\d \| \*\*23\.\d\*\* \|", page)
        assert "| Model | batch 8 |" in page and "| resnet18 | **44.0** |" in page
        assert "From scratch for 8 epochs at 64x64 pixels" in page and "`epochs 8`" in page
        assert "Trained for 8 epochs on 6,000 images of Fashion-MNIST at 64 pixels." in page
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
    def test_a_page_of_another_machine_says_so_and_its_marks_stay_behind(self, tmp_path: Path) -> None:
        for name, machine in (("speed", {"cpu": "CPU there", "cpus": 1}), ("parity", dict(ENVIRONMENT.machine))):
            (tmp_path / f"{name}.md").write_text(
                f"# {name} of `auto`\n\n5 of 5 bars &lt; 2, \\*tried\\* on `this` machine.\n"
            )
            (tmp_path / f"{name}.json").write_text(json.dumps({"machine": machine}))
        page = page_of(chosen("vgg16"), tmp_path)
        words = "5 of 5 bars &lt; 2, \\*tried\\* on this machine."
        assert f"- [parity of auto](parity.md): {words}" in page
        assert f"- [speed of auto](speed.md): on another machine, CPU there, 1 processor. {words}" in page

    @pytest.mark.usefixtures("undrawn")
    def test_a_page_of_which_parts_are_another_machines_says_so(self, tmp_path: Path) -> None:
        (tmp_path / "speed.md").write_text("# Speed\n\nFast.\n")
        content = {"machine": dict(ENVIRONMENT.machine), "others": [{"machine": {"cpu": "CPU there", "cpus": 1}}]}
        (tmp_path / "speed.json").write_text(json.dumps(content))
        page = page_of(chosen("vgg16"), tmp_path)
        assert "- [Speed](speed.md): in part on another machine, CPU there, 1 processor. Fast." in page
