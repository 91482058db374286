"""The speed benchmark: its statistics and its page from made-up measurements, and one real measurement."""

import dataclasses
import json
import multiprocessing
import subprocess
import sys

import pytest

from benchmarks.report.bars import Bar, CheckPage
from benchmarks.selfcheck import tasks
from benchmarks.selfcheck.speed import choosing, eager, inference, page, starting, turns
from benchmarks.selfcheck.speed.page import BENCHMARK
from benchmarks.selfcheck.speed.references import MODELS

ROUNDS = 8


def inference_case(name, batch, *, auto=0.5, other=0.6, **changes):
    """Measurements in which the other library takes one second, in every round a little longer."""
    drift = [1 + 0.1 * index for index in range(ROUNDS)]
    times = {"reference": 1.0, "eager": 1.0, "onnxruntime": auto, "openvino": other}
    if batch == 1:
        product = inference.GEMM**3 / 100e9
        times |= {"gemm": product, "gemm_packed": product / 2, "read": 4 * inference.BANDWIDTH / 20e9}
    return {
        "model": name,
        "batch": batch,
        "img_size": 224,
        "threads": 2,
        "mult_adds": 60e9,
        "bytes_moved": int(2e9) * len(name),
        "choice": "onnxruntime",
        "trial": {
            "milliseconds": {"onnxruntime": 500.0, "openvino": 600.0},
            "rounds": {"onnxruntime": 5, "openvino": 5},
            "relative": {"eager": 2.0, "folded": 1.7, "onnxruntime": 1.0, "openvino": 1.2},
            "refused": {"compiled": "torch.compile needs a C++ compiler"},
        },
        "first_open_s": 12.0,
        "second_open_s": 0.4,
        "agreement": {"reference": 1e-6, "onnxruntime": 3e-6},
        "seconds": {key: [value * each for each in drift] for key, value in times.items()},
        "noisy": False,
        "noise": {},
    } | changes


def eager_case(name, batch, *, zoo=1.0, **changes):
    """Measurements in which the other library takes one second, in every round a little longer."""
    drift = [1 + 0.1 * index for index in range(ROUNDS)]
    return {
        "model": name,
        "batch": batch,
        "operators": {"zoo": 20, "reference": 20},
        "same_operators": True,
        "seconds": {"zoo": [zoo * each for each in drift], "reference": drift},
        "noisy": False,
        "noise": {},
    } | changes


def choosing_case(name, *chosen, best=0.5):
    """Openings beside busy programs and then on the quiet machine."""
    chosen = chosen or ("openvino", "packed", "packed", "packed")
    return {
        "model": name,
        "openings": [
            {"runtime": each, "seconds": 20.0 - 5 * number, "record": ""} for number, each in enumerate(chosen)
        ],
        "alone_s": 1.5,
        "seconds": {"packed": [best] * ROUNDS, "openvino": [0.52] * ROUNDS, "eager": [0.6] * ROUNDS},
        "noisy": False,
        "noise": {},
    }


def training_case(name, *, zoo=0.8, memory=0.9):
    return {
        "model": name,
        "memory_format": "channels_last",
        "keep_large": name == "alexnet",
        "peak_bytes": {"reference": 1e9, "zoo": memory * 1e9},
        "seconds": {"reference": [1.0] * ROUNDS, "zoo": [zoo] * ROUNDS},
        "noisy": name == "vgg16",
        "noise": {},
    }


def starting_case(static=3.0, zoo=0.1):
    seconds = {"import torch": 2.0, "import zoo": zoo, "import torch, torchvision, fvcore.nn": 3.0, "static": static}
    return {
        "first_static_s": 20.0,
        "seconds": {name: [value] * ROUNDS for name, value in seconds.items()},
        "noisy": False,
        "noise": {},
    }


def everything():
    cases = {
        f"inference {name} {batch}": inference_case(name, batch) for name in MODELS for batch in inference.BATCH_SIZES
    }
    cases |= {f"eager {name} {batch}": eager_case(name, batch) for name in MODELS for batch in eager.BATCH_SIZES}
    cases |= {f"choosing {name}": choosing_case(name) for name in MODELS}
    cases |= {f"training {name}": training_case(name) for name in MODELS}
    return cases | {"starting": starting_case()}


def content(cases):
    return {
        "machine": {"cpu": "A <fast> CPU", "effective_cpus": 2, "memory_gb": 24},
        "software": {"os": "an OS", "packages": {"torch": "2.14"}},
        "command": "python -m benchmarks.selfcheck speed",
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

    def test_speedup_needs_its_mean_and_its_least(self):
        cases = everything()
        assert bar(cases, "batch 1: 1.8").found == "2.00; least 2.00 (alexnet)"
        cases["inference vgg16 1"] = inference_case("vgg16", 1, auto=0.7)
        assert bar(cases, "batch 1: 1.8").met is False
        assert "least 1.43 (vgg16)" in bar(cases, "batch 1: 1.8").found
        assert bar(cases, "batch 16: 1.4").met is True

    def test_drift_cancels(self):
        assert page.speedup(inference_case("vgg16", 8)).low == page.speedup(inference_case("vgg16", 8)).high == 2.0

    def test_choice_behind_the_best(self):
        cases = everything()
        assert bar(cases, "single runtime, batch 8").found == "chose the best for every model"
        for other, met in ((0.48, True), (0.47, False)):
            cases["inference alexnet 8"] = inference_case("alexnet", 8, other=other)
            assert bar(cases, "single runtime, batch 8").met is met
        assert bar(cases, "single runtime, batch 8").found == "at most 6.4 % (alexnet)"

    def test_choice_after_a_race_beside_others(self):
        cases = everything()
        assert bar(cases, "busy programs").found == "chose the best for every model"  # the first opening does not count
        cases["choosing vgg16"] = choosing_case("vgg16", "eager", "openvino", "packed", "packed")
        assert bar(cases, "busy programs").found == "at most 4.0 % (vgg16)"
        cases["choosing vgg16"] = choosing_case("vgg16", "packed", "packed", "packed", "eager")
        assert bar(cases, "busy programs").met is False

    def test_share_of_the_gemm_rate(self):
        cases = everything()
        cases["inference vgg16 1"] = inference_case("vgg16", 1, mult_adds=40e9, auto=0.5)  # 1.35 of that at the median
        found = bar(cases, "vgg16 at 75%")
        assert found.found == "59%; 30% of the fastest product" and found.met is False

    def test_eager(self):
        cases = everything()
        assert bar(cases, "plain eager").met is True
        cases["eager xception 16"] = eager_case("xception", 16, zoo=1.03)
        found = bar(cases, "plain eager")
        assert found.met is False and "(xception, batch 16)" in found.found

    def test_training_needs_every_model(self):
        cases = everything()
        assert bar(cases, "1.15 times").found == "1.25; least 1.25 (alexnet)"
        cases["training vgg16"] = training_case("vgg16", zoo=1.01, memory=1.2)
        assert bar(cases, "1.15 times").met is False
        assert bar(cases, "peak memory").found == "at most 1.20 times (vgg16)"

    def test_programs(self):
        cases = {"starting": starting_case(static=6.3, zoo=2.3)}
        assert bar(cases, "Static analysis").met is False
        assert bar(cases, "`import zoo`").met is False


class TestPage:
    def test_a_whole_page(self, tmp_path):
        BENCHMARK.page.write(content(everything()), tmp_path / "speed.md")
        text = (tmp_path / "speed.md").read_text()
        assert text.startswith("# Speed\n\n16 of 16 measured bars are met.")
        assert "A &lt;fast&gt; CPU" in text
        assert "the same 20" in text
        assert "Left out: compiled: torch.compile needs a C++ compiler" in text
        assert "(1.7" in text  # closed behind its opening
        assert "disturbed: training vgg16" in text
        assert "| openvino, 20.0 s | packed, 15.0 s | packed, 10.0 s | packed, 5.0 s |" in text
        for line in text.splitlines():
            assert not line.startswith("|") or line.endswith("|")
        assert (tmp_path / "figures" / "roofline.png").read_bytes().startswith(b"\x89PNG")
        assert b"xception" in (tmp_path / "figures" / "roofline.svg").read_bytes()

    def test_an_empty_page(self, tmp_path):
        BENCHMARK.page.write(content({}), tmp_path / "speed.md")
        assert "0 of 0 measured bars" in (tmp_path / "speed.md").read_text()
        assert not (tmp_path / "figures").exists()

    def test_a_failure_is_named(self, tmp_path):
        cases = everything() | {"inference vgg16 32": {"error": "MemoryError: no | room"}}
        BENCHMARK.page.write(content(cases), tmp_path / "speed.md")
        text = (tmp_path / "speed.md").read_text()
        assert r"inference vgg16 32: MemoryError: no \| room" in text
        assert "batch 32 | - | not measured" in text


class TestTurns:
    def test_every_players_seconds_round_by_round(self):
        drift = iter(range(1, 100))
        players = {name: lambda each=each: each * next(drift) for name, each in (("a", 1.0), ("b", 1e6))}
        played = turns.play(players, rounds=(4, 9), seconds=0.0)
        assert {name: len(values) for name, values in played["seconds"].items()} == {"a": 4, "b": 4}
        taken = sorted([*played["seconds"]["a"], *(value / 1e6 for value in played["seconds"]["b"])])
        assert taken == list(range(1, 9))
        assert isinstance(played["noisy"], bool) and played["noise"]["loaded_rounds"] >= 0

    def test_a_ratio_is_taken_within_rounds(self):
        found = turns.ratio([2.0, 20.0, 2.2, 4.0, 6.0, 200.0, 8.0, 10.0], [1.0, 10.0, 1.0, 2.0, 3.0, 100.0, 4.0, 5.0])
        assert (found.value, found.low) == (2.0, 2.0)


class TestCommand:
    @pytest.fixture(autouse=True)
    def fake(self, monkeypatch):
        self.counts = dict.fromkeys(["starting", "inference a 1", "training a"], 0)
        self.broken = set()
        self.bars = []

        def measured(task, environment):
            key = task()
            self.counts[key] += 1
            found = {"error": "Broken: no"} if key in self.broken else {"noisy": False, "seconds": {}}
            return found | {"machine": environment.machine_id, "packages": environment.software["packages"]}

        monkeypatch.setattr(tasks, "measured", measured)
        self.benchmark = dataclasses.replace(
            BENCHMARK,
            tasks={key: lambda key=key: key for key in self.counts},
            page=CheckPage(title="", remark="", bars=lambda cases: self.bars, sections=lambda cases, picture: ()),
        )

    def run(self, tmp_path, *arguments):
        return self.benchmark.main(["--output-dir", str(tmp_path), *arguments])

    def test_measures_what_is_missing(self, tmp_path):
        self.broken = {"training a"}
        assert self.run(tmp_path) == 1
        self.broken = set()
        assert self.run(tmp_path) == 0
        assert self.counts == {"starting": 1, "inference a 1": 1, "training a": 2}

    def test_a_missed_bar_is_a_failure(self, tmp_path, capsys):
        self.bars = [Bar("fast", "9", True), Bar("lean", "fat", False), Bar("small")]
        assert self.run(tmp_path) == 1
        assert "not met: lean: fat" in capsys.readouterr().err
        assert "1 of 2 measured bars are met." in (tmp_path / "speed.md").read_text()

    def test_a_section_again(self, tmp_path):
        self.run(tmp_path)
        assert self.run(tmp_path, "--sections", "inference,training") == 0
        assert self.counts == {"starting": 1, "inference a 1": 2, "training a": 2}

    def test_a_task_again(self, tmp_path):
        self.run(tmp_path)
        assert self.run(tmp_path, "--sections", "inference a 1,training") == 0
        assert self.counts == {"starting": 1, "inference a 1": 2, "training a": 2}

    def test_fresh(self, tmp_path):
        self.run(tmp_path)
        self.run(tmp_path, "--fresh")
        assert set(self.counts.values()) == {2}

    def test_report_only(self, tmp_path):
        assert self.run(tmp_path, "--report-only") == 1
        assert set(self.counts.values()) == {0}

    def test_report_only_leaves_what_was_measured(self, tmp_path):
        self.run(tmp_path)
        before = (tmp_path / "speed.json").read_bytes()
        assert self.run(tmp_path, "--report-only") == 0
        assert (tmp_path / "speed.json").read_bytes() == before
        assert set(self.counts.values()) == {1}

    def test_another_machine_is_measured_again(self, tmp_path):
        self.run(tmp_path)
        path = tmp_path / "speed.json"
        data = json.loads(path.read_text())
        for case in data["cases"].values():
            case["machine"] = "elsewhere"
        path.write_text(json.dumps(data))
        self.run(tmp_path)
        assert set(self.counts.values()) == {2}

    def test_wrong_section(self, tmp_path, capsys):
        with pytest.raises(SystemExit) as stop:
            self.run(tmp_path, "--sections", "traning")
        assert stop.value.code == 2
        assert "no section is named 'traning'; there are starting, inference, training" in capsys.readouterr().err


def test_choices_and_what_comes_close_are_timed(monkeypatch, tmp_path):
    """One opening after another of a small network, in this process and without the noise."""
    from tests.zoo.small import images, small
    from zoo.runtimes import RUNTIMES, memory

    ways = {name: RUNTIMES[name] for name in ("eager", "folded")}
    monkeypatch.setattr("zoo.runtimes.RUNTIMES", ways)
    monkeypatch.setattr(memory, "_code", lambda: "the same")
    monkeypatch.setattr(choosing, "_network", lambda name: (small(), images(0)))
    monkeypatch.setattr(choosing, "_in_a_process", lambda function, *arguments: function(*arguments))
    monkeypatch.setattr(choosing, "_started", lambda function: multiprocessing.Process(target=function))
    monkeypatch.setattr(multiprocessing.Process, "kill", lambda self: None)
    monkeypatch.setattr(multiprocessing.Process, "join", lambda self: None)
    monkeypatch.setattr(choosing, "SECONDS", 0.0)
    monkeypatch.setenv("ZOO_CACHE_DIR", str(tmp_path))
    found = choosing.measure("small")
    assert len(found["openings"]) == 1 + choosing.OPENINGS
    assert {each["runtime"] for each in found["openings"]} <= set(found["seconds"]) <= set(ways)
    assert all(json.loads(each["record"])["runtime"] == each["runtime"] for each in found["openings"])
    assert all(len(values) >= 6 for values in found["seconds"].values())


def test_runtimes_stand_in_the_order_of_the_registry_however_their_figures_were_kept(tmp_path):
    BENCHMARK.page.write(content(everything()), tmp_path / "speed.md")
    (head,) = [
        line
        for line in (tmp_path / "speed.md").read_text().splitlines()
        if line.startswith("| model | batch |") and "openvino" in line
    ]
    assert [name.strip() for name in head.split("|")[3:-2]] == ["eager", "folded", "openvino", "onnxruntime"]


def test_a_program_that_fails_is_an_error():
    with pytest.raises(RuntimeError, match="ended with status 1"):
        starting._seconds(("-c", "raise SystemExit(1)"))


def test_the_page_needs_no_torch():
    code = "import sys, benchmarks.selfcheck.speed.page; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.slow
def test_the_other_librarys_network_is_the_same():
    import torch

    from benchmarks.selfcheck.speed.references import pair
    from zoo.runtimes.agreement import relative_difference

    for name in MODELS:
        model, reference = pair(name)
        images = torch.randn(2, 3, 96, 96)
        with torch.inference_mode():
            assert relative_difference(model(images), reference(images)) < 1e-4
