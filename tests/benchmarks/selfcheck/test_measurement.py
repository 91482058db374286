"""The measurement benchmark: its bars and its page from made-up trials, and the pairs it plans."""

import itertools
import subprocess
import sys

import pytest

from benchmarks.selfcheck.measurement import page, trials
from benchmarks.selfcheck.measurement.page import BENCHMARK

RATIOS = {"resnet50": 1.0, "mobilenet_v1": 0.2, "xception": 2.0, "vgg16": 3.0}


def repeat_case(*, factor=1.0, plain=1.0, busy=0.9):
    """A run in which every model but the base takes `factor` times as long; drift doubles everything by the end."""
    drift = [1, 1.2, 1.5, 1.7, 2.0]
    rounds = {
        name: {str(number): ratio * (1 if name == "resnet50" else factor) * each for number, each in enumerate(drift)}
        for name, ratio in RATIOS.items()
    }
    return {
        "rounds": rounds,
        "all_rounds": {name: {**found, "9": 1.4 * found["2"]} for name, found in rounds.items()},
        "plain": {name: ratio * (1 if name == "resnet50" else plain) for name, ratio in RATIOS.items()},
        "stage_s": 100.0,
        "spent": {"timed": 100 * busy - 10, "warmup": 10.0, "loading": 5.0},
        "noisy": False,
    }


def pairs_case(*differences, verdict="same"):
    return {
        "pairs": [
            {
                "name": "pair", "ratio": {"value": 1 + each, "low": 0.99 + each, "high": 1.01 + each},
                "p_value": 0.5, "noise_floor": 0.01, "verdict": verdict, "rounds": 12,
            }
            for each in differences
        ],
        "noisy": False,
    }  # fmt: skip


def everything():
    cases = {f"repeat {number}": repeat_case() for number in range(1, trials.REPEATS + 1)}
    for model, number in itertools.product(trials.SAME, range(1, trials.SESSIONS + 1)):
        cases[f"same {model} {number}"] = pairs_case(*[0.001] * trials.PAIRS)
    for model in trials.SLOWED:
        cases[f"slowdown {model}"] = pairs_case(*[0.05] * trials.PAIRS, verdict="slower")
    return cases | {"overhead": {"stage_s": 100.0, "spent": {"timed": 70.0, "warmup": 12.0, "loading": 8.0}}}


def content(cases):
    return {
        "machine": {"cpu": "A <fast> CPU", "effective_cpus": 2, "memory_gb": 24},
        "software": {"os": "an OS", "packages": {"torch": "2.14"}},
        "command": "python -m benchmarks.selfcheck measurement",
        "cases": cases,
    }


def bar(cases, words):
    (found,) = [each for each in page.bars(cases) if words in each.text]
    return found


class TestBars:
    def test_nothing_measured(self):
        assert all(each.met is None for each in page.bars({}))

    def test_all_met(self):
        assert [each.text for each in page.bars(everything()) if not each.met] == []

    def test_every_task_has_its_place(self):
        assert set(BENCHMARK.tasks) == set(everything())

    def test_drift_within_a_run_cancels_and_difference_between_runs_counts(self):
        cases = everything() | {"repeat 3": repeat_case(factor=1.04, plain=1.2)}
        found = bar(cases, "Repeatability")
        assert found.met is False
        assert found.found == "at most 4.0% (mobilenet_v1); the plain loop 20.0%"
        cases["repeat 3"] = repeat_case(factor=0.98)
        assert bar(cases, "Repeatability").met is True

    def test_repeatability_needs_every_run(self):
        cases = everything()
        del cases["repeat 5"]
        assert bar(cases, "Repeatability").met is None

    @pytest.mark.parametrize(("alarms", "met"), [(2, True), (3, False)])
    def test_false_alarms(self, alarms, met):
        cases = everything()
        false = pairs_case(*[0.03] * alarms, verdict="faster")["pairs"]
        cases["same alexnet 1"]["pairs"][:alarms] = false
        assert bar(cases, "timed twice").met is met
        assert bar(cases, "timed twice").found == f"{alarms} of 40"

    def test_a_slowdown_that_is_missed(self):
        cases = everything()
        cases["slowdown resnet50"]["pairs"][0]["verdict"] = "same"
        assert bar(cases, "in at least").met is True
        cases["slowdown resnet50"]["pairs"][1]["verdict"] = "too noisy"
        assert bar(cases, "in at least").met is False

    def test_a_slowdown_of_the_wrong_size(self):
        cases = everything()
        cases["slowdown resnet50"]["pairs"][0]["ratio"]["value"] = 1.071
        assert bar(cases, "Its size").met is False
        assert bar(cases, "Its size").found == "5.0% to 7.1%"

    def test_overhead(self):
        cases = everything()
        assert bar(cases, "latency stage").found == "at least 82%"
        cases["repeat 1"] = repeat_case(busy=0.79)
        assert bar(cases, "latency stage").met is False


class TestPage:
    def test_a_whole_page(self, tmp_path):
        BENCHMARK.page.write(content(everything()), tmp_path / "measurement.md")
        text = (tmp_path / "measurement.md").read_text()
        assert text.startswith("# Measurement\n\n5 of 5 measured bars are met.")
        assert "| mobilenet_v1 | harness | 0.200 | 0.200 | 0.200 | 0.200 | 0.200 | 0.0 |" in text
        assert (
            "| mobilenet_v1 | 300 (1 of 6) | 300 (1 of 6) | 300 (1 of 6) | 300 (1 of 6) | 300 (1 of 6) | 1.40 |" in text
        )
        assert "A &lt;fast&gt; CPU" in text
        for line in text.splitlines():
            assert not line.startswith("|") or line.endswith("|")
        assert (tmp_path / "figures" / "measurement.png").read_bytes().startswith(b"\x89PNG")

    def test_an_empty_page(self, tmp_path):
        BENCHMARK.page.write(content({}), tmp_path / "measurement.md")
        assert "0 of 0 measured bars" in (tmp_path / "measurement.md").read_text()
        assert not (tmp_path / "figures").exists()

    def test_a_failure_is_named(self, tmp_path):
        BENCHMARK.page.write(
            content(everything() | {"overhead": {"error": "RuntimeError: no | room"}}), tmp_path / "measurement.md"
        )
        assert r"overhead: RuntimeError: no \| room" in (tmp_path / "measurement.md").read_text()


def test_the_page_needs_no_torch():
    code = "import sys, benchmarks.selfcheck.measurement.page; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.slow
def test_a_real_slowdown_is_seen(monkeypatch):
    monkeypatch.setattr(trials, "PAIRS", 1)
    cases = trials._plan("--models", "mobilenet_v1", "--max-time", "3")
    found = trials._pairs(cases, {"slowdown": 0.5})
    assert found["pairs"][0]["verdict"] == "slower"
    assert 0.3 < found["pairs"][0]["ratio"]["value"] - 1 < 0.7


def test_a_tree_with_uncommitted_changes_is_named_as_such(tmp_path):
    cases = everything()
    for number, commit in enumerate(["0123456789abcdef-dirty", "fedcba9876543210"], 1):
        cases[f"repeat {number}"]["commit"] = commit
    BENCHMARK.page.write(content(cases), tmp_path / "measurement.md")
    assert "commit 0123456789ab-dirty, fedcba987654." in (tmp_path / "measurement.md").read_text()
