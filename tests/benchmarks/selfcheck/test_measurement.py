"""The measurement benchmark: its bars and its page from made-up trials, and the pairs it plans."""

import itertools
import json
import random
import subprocess
import sys

import numpy as np
import pytest

from benchmarks.records.record import Case, Measurement, Record
from benchmarks.records.store import RECORDS
from benchmarks.selfcheck import tasks
from benchmarks.selfcheck.measurement import figures, page, simulated, trials
from benchmarks.selfcheck.measurement.page import BENCHMARK

COUNTS = ("8", "12", "24")
RATIOS = {"resnet50": 1.0, "mobilenet_v1": 0.2, "xception": 2.0, "vgg16": 3.0}


def repeat_case(*, factor=1.0, plain=1.0, busy=0.9):
    """A run in which every model but the base takes `factor` times as long; drift doubles everything by the end."""
    drift = [1, 1.1, 1.2, 1.3, 1.5, 1.6, 1.7, 1.8, 2.0]
    rounds = {
        name: {str(number): ratio * (1 if name == "resnet50" else factor) * each for number, each in enumerate(drift)}
        for name, ratio in RATIOS.items()
    }
    return {
        "rounds": rounds,
        "all_rounds": {name: {**found, "9": 1.4 * found["4"]} for name, found in rounds.items()},
        "plain": {name: ratio * (1 if name == "resnet50" else plain) for name, ratio in RATIOS.items()},
        "stage_s": 100.0,
        "spent": {"timed": 100 * busy - 10, "warmup": 10.0, "loading": 5.0},
        "noisy": False,
    }


def pairs_case(*differences, spread=0.001):
    """Pairs of twelve rounds, the second longer by a difference."""
    wobble = [1 + spread * (-1) ** number for number in range(12)]
    return {
        "pairs": [
            {"before": dict.fromkeys(map(str, range(12)), 2.0),
             "after": {str(number): 2.0 * (1 + each) * factor for number, factor in enumerate(wobble)}}
            for each in differences
        ],
        "noisy": False,
    }  # fmt: skip


def coverage_case(mean=0.95, lognormal=0.94):
    found = {"resnet": {n: {"cases": 3, "least": 0.91, "mean": mean, "width": 0.05, "bootstrap": 0.04} for n in COUNTS}}
    made_up = {"autocorrelation": 0.3, "spread": 0.04, "coverage": dict.fromkeys(COUNTS, lognormal)}
    return {"times": found, "ratios": found, "lognormal": {"times": made_up, "ratios": made_up}}


def alike_case(different=0.02):
    return {"pairs": {"pairs": {n: {"cases": 3, "different": different, "slower": 0.5} for n in COUNTS}}}


def everything():
    cases = {f"repeat {number}": repeat_case() for number in range(1, trials.REPEATS + 1)}
    for model, number in itertools.product(trials.SAME, range(1, trials.SESSIONS + 1)):
        cases[f"same {model} {number}"] = pairs_case(*[0.001] * trials.PAIRS)
    for model in trials.SLOWED:
        cases[f"slowdown {model}"] = pairs_case(*[0.05] * trials.PAIRS)
    cases |= {"coverage": coverage_case(), "alike": alike_case()}
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
        assert {*BENCHMARK.tasks, *BENCHMARK.computed} == set(everything())

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
        cases["same alexnet 1"] = pairs_case(*[-0.03] * alarms, *[0.001] * (trials.PAIRS - alarms))
        assert bar(cases, "timed twice").met is met
        assert bar(cases, "timed twice").found == f"{alarms} of 40"

    def test_pairs_whose_rounds_were_not_kept_are_judged_by_their_interval(self):
        cases = everything()
        kept = {"ratio": {"value": 1.03, "low": 1.02, "high": 1.04}, "rounds": 12, "verdict": "same", "p_value": 0.5}
        cases["same alexnet 1"]["pairs"] = [kept] * trials.PAIRS
        assert bar(cases, "timed twice").found == f"{trials.PAIRS} of 40"

    def test_a_slowdown_that_is_missed(self):
        cases = everything()
        cases["slowdown resnet50"] = pairs_case(0.005, *[0.05] * (trials.PAIRS - 1))
        assert bar(cases, "of 10 tries").met is True
        cases["slowdown resnet50"] = pairs_case(0.005, 0.005, *[0.05] * (trials.PAIRS - 2))
        assert bar(cases, "of 10 tries").met is False

    def test_a_slowdown_of_the_wrong_size(self):
        cases = everything()
        cases["slowdown resnet50"] = pairs_case(0.071, *[0.05] * (trials.PAIRS - 1))
        assert bar(cases, "Its size").met is False
        assert bar(cases, "Its size").found == "5.0% to 7.1%"

    def test_intervals_that_do_not_hold_their_level(self):
        short = {"coverage": coverage_case(mean=0.92)}
        for what in ("time", "ratio"):
            found = bar(short, f"interval of a {what}")
            assert found.met is False and found.found == "at least 92.0% (resnet, 12 rounds)"
        assert bar(short, "lognormal").met is True
        assert bar({"coverage": coverage_case(lognormal=0.929)}, "lognormal").met is False
        assert bar({"alike": alike_case(0.051)}, "Equal times").met is False

    def test_overhead(self):
        cases = everything()
        assert bar(cases, "latency stage").found == "at least 82%"
        cases["repeat 1"] = repeat_case(busy=0.79)
        assert bar(cases, "latency stage").met is False


def mostly_apart_case(seed):
    """A run of 48 rounds of which each network has eight close, at other times than the rest; apart, they take longer.

    Every network has its own cost of that, and rounds vary by 2 %.
    """
    draws = random.Random(seed)
    whole, close = {}, {}
    for (name, ratio), cost in zip(RATIOS.items(), (1.1, 1.4, 1.2, 1.05), strict=True):
        kept = set(draws.sample(range(48), 8))
        whole[name] = {
            str(number): ratio * (1 if number in kept else cost) * draws.lognormvariate(0, 0.02) for number in range(48)
        }
        close[name] = {number: seconds for number, seconds in whole[name].items() if int(number) in kept}
    return repeat_case() | {"rounds": close, "all_rounds": whole}


class TestRoundsApart:
    """Where the processors are mostly far from one another, and where nothing can be paired at all."""

    def test_ratios_are_repeatable_though_few_rounds_are_close_for_two(self, tmp_path):
        cases = everything() | {f"repeat {number}": mostly_apart_case(number) for number in range(1, 6)}
        common = [
            {*case["rounds"][model]} & {*case["rounds"]["resnet50"]}
            for case in (cases[f"repeat {number}"] for number in range(1, 6))
            for model in RATIOS
            if model != "resnet50"
        ]
        assert min(map(len, common)) == 0 and max(map(len, common)) < 8
        assert bar(cases, "Repeatability").met is True
        BENCHMARK.page.write(content(cases), tmp_path / "measurement.md")
        text = (tmp_path / "measurement.md").read_text()
        assert "Ratios with fewer than 8 such rounds, 15 of 15, are taken over those in which" in text
        assert "(40 of 48)" in text and "| mobilenet_v1 | harness | 0.2" in text

    def test_enough_close_rounds_are_all_that_counts(self, tmp_path):
        case = repeat_case()
        case["all_rounds"]["vgg16"] = case["rounds"]["vgg16"] | {str(number): 99.0 for number in range(20, 60)}
        assert figures.repeats({"repeat 1": case})["vgg16"]["harness"] == [pytest.approx(3.0)]
        BENCHMARK.page.write(content({"repeat 1": case}), tmp_path / "measurement.md")
        assert "Ratios with fewer than" not in (tmp_path / "measurement.md").read_text()

    def test_runs_without_a_common_round_are_said_and_not_met(self, tmp_path, monkeypatch, capsys):
        monkeypatch.setattr(tasks, "measured", lambda task, environment: alike_case())
        arguments = ["--output-dir", str(tmp_path), "--sections", "alike"]
        cases = everything()
        (tmp_path / "measurement.json").write_text(json.dumps(content(cases)))
        assert BENCHMARK.main(arguments) == 0
        lost = cases["repeat 4"]
        for kind in ("rounds", "all_rounds"):
            lost[kind]["vgg16"] = {str(int(number) + 100): each for number, each in lost[kind]["vgg16"].items()}
        (pair,) = cases["slowdown resnet50"]["pairs"][:1]
        pair["after"] = {str(int(number) + 100): each for number, each in pair["after"].items()}
        (tmp_path / "measurement.json").write_text(json.dumps(content(cases)))
        assert BENCHMARK.main(arguments) == 1
        said = capsys.readouterr().err
        assert "not met: Repeatability" in said and "vgg16 had no round in common with resnet50" in said
        assert "not met: Its size" in said
        text = (tmp_path / "measurement.md").read_text()
        assert "| vgg16 | harness | 3.000 | 3.000 | 3.000 | - | 3.000 | - |" in text
        assert "A dash: in that run vgg16 had no round in common with resnet50." in text
        assert "| resnet50 | 0 | - | - | 1.000 | too few rounds |" in text

    def test_no_rounds_at_all_leave_a_page(self, tmp_path):
        case = repeat_case() | {"rounds": {name: {} for name in RATIOS}, "all_rounds": {name: {} for name in RATIOS}}
        BENCHMARK.page.write(content({"repeat 1": case}), tmp_path / "measurement.md")
        assert "| vgg16 | - (0 of 0) |" in (tmp_path / "measurement.md").read_text()

    def test_what_is_kept_of_a_trial_says_which_rounds_were_apart(self, monkeypatch):
        def record(model, apart, **settings):
            found = Measurement(name="latency_s", value=1.0, unit="s", samples=(1.0, 2.0, 3.0), rounds=(1, 2, 3),
                                details={"run": "one", "apart_rounds": apart})  # fmt: skip
            case = Case(metric="latency", model=model, settings=tuple(settings.items()))
            return Record(case=case, status="ok", measurements=(found,))

        stage = {"stage_s": 1.0, "spent": {}, "noisy": False}
        records = [record(model, [2] if model == "vgg16" else []) for model in RATIOS]
        monkeypatch.setattr(trials, "_plan", lambda *arguments: (Case(metric="latency", model="nin"),))
        monkeypatch.setattr(trials, "_plain_loop", lambda models: {})
        monkeypatch.setattr(trials, "_stage", lambda cases: (records, stage))
        kept = json.loads(json.dumps(trials.repeat()))
        assert figures.by_round(kept, "vgg16").far == {2: 2.0}
        assert figures.by_round(kept, "vgg16").close == {1: 1.0, 3: 3.0} and not figures.by_round(kept, "xception").far
        monkeypatch.setattr(trials, "PAIRS", 1)
        records[:] = [record("nin", [1], repeat=2), record("nin", [3], repeat=3)]
        (pair,) = json.loads(json.dumps(trials.same("nin")))["pairs"]
        assert pair["before"] == pair["after"] == {"1": 1.0, "2": 2.0, "3": 3.0}
        assert pair["apart"] == {"before": [1], "after": [3]}

    def test_pairs_leave_out_rounds_that_were_apart(self):
        (pair,) = pairs_case(0.05)["pairs"]
        pair["after"] |= {"3": 9.0, "5": 9.0}
        assert figures.all_pairs({"same nin 1": {"pairs": [pair]}}, "same")[0]["rounds"] == 12
        apart = {"pairs": [pair | {"apart": {"before": [], "after": [3, 5]}}]}
        (found,) = figures.all_pairs({"same nin 1": apart}, "same")
        assert (found["rounds"], found["verdict"]) == (10, "slower") and found["ratio"].high < 1.06


class TestPage:
    def test_a_whole_page(self, tmp_path):
        BENCHMARK.page.write(content(everything()), tmp_path / "measurement.md")
        text = (tmp_path / "measurement.md").read_text()
        assert text.startswith("# Measurement\n\n9 of 9 measured bars are met.")
        assert "| mobilenet_v1 | harness | 0.200 | 0.200 | 0.200 | 0.200 | 0.200 | 0.0 |" in text
        assert f"| mobilenet_v1 | {' | '.join(5 * ['300 (1 of 10)'])} | 1.40 |" in text
        assert "A &lt;fast&gt; CPU" in text
        assert "| mobilenet_v1 | 12 | +5.00 | +4.90 to +5.11 | 0.000 | slower |" in text
        assert "| resnet | 3 | 95.0 (91) | 95.0 (91) | 95.0 (91) | 5.0 (4.0) | 5.0 (4.0) | 5.0 (4.0) |" in text
        assert "| times | 0.30 | 94.0 | 94.0 | 94.0 |" in text
        assert "| pairs | 2.0 | 2.0 | 2.0 | 50.0 | 50.0 | 50.0 |" in text
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
    (pair,) = figures.all_pairs({"slowdown mobilenet_v1": found}, "slowdown")
    assert pair["verdict"] == "slower"
    assert 0.3 < pair["ratio"].value - 1 < 0.7


def timed(model, seed, *, run="one", count=12, spread=0.03):
    draws = random.Random(seed)
    samples = tuple(draws.lognormvariate(0, spread) for _ in range(count))
    found = Measurement(name="latency_s", value=1.0, unit="s", samples=samples, rounds=tuple(range(count)),
                        details={"run": run})  # fmt: skip
    return Record(case=Case(metric="latency", model=model), status="ok", measurements=(found,))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A run of four models, one of them of too few rounds."""
    monkeypatch.setattr(simulated, "DRAWS", 60)
    monkeypatch.setattr(simulated, "LOGNORMAL", 300)
    records = [timed("resnet18", 1), timed("resnet34", 2), timed("alexnet", 3), timed("nin", 4, count=7)]
    (tmp_path / RECORDS).write_text("".join(each.to_json() + "\n" for each in records))
    return tmp_path


class TestSimulated:
    def test_the_intervals_in_use_hold_and_narrower_ones_do_not(self, folder, monkeypatch):
        found = simulated.coverage(folder)
        assert found == simulated.coverage(folder)
        assert set(found["times"]) == {"resnet", "alexnet"} and set(found["ratios"]) == {"resnet"}
        assert found["times"]["resnet"]["8"]["cases"] == 2 and found["ratios"]["resnet"]["24"]["cases"] == 3
        assert bar({"coverage": found}, "interval of a time").met and bar({"coverage": found}, "lognormal").met
        for each in found["times"]["resnet"].values():
            assert each["least"] <= each["mean"] and each["width"] > each["bootstrap"] > 0.005
        monkeypatch.setattr("benchmarks.stats.intervals.NORMAL", 1.2)
        narrow = simulated.coverage(folder)
        assert bar({"coverage": narrow}, "interval of a ratio").met is False
        assert bar({"coverage": narrow}, "lognormal").met is False

    def test_equal_times_are_alike_and_a_rule_without_intervals_is_not(self, folder, monkeypatch):
        found = simulated.alike(folder)
        assert bar({"alike": found}, "Equal times").met
        slower = [each["slower"] for by_count in found["pairs"].values() for each in by_count.values()]
        assert max(slower) > 0.8 > min(slower) > 0.1
        monkeypatch.setattr("benchmarks.stats.intervals.NORMAL", 0.3)
        assert bar({"alike": simulated.alike(folder)}, "Equal times").met is False

    def test_neighbours_stay_together(self):
        drawn = simulated._drawn(np.arange(10.0), 8, np.random.default_rng(0))
        assert drawn.shape == (simulated.DRAWS, 8)
        steps = np.diff(drawn, axis=1) % 10
        assert (steps[:, [0, 1, 3, 4, 6]] == 1).all() and (steps[:, 2] != 1).any()

    def test_made_up_rounds_are_as_alike_as_they_should_be(self):
        assert simulated._autocorrelation(np.tile([1.0, -1.0], 50)) < -0.9
        draws = np.random.default_rng(1).standard_normal((400, 12))
        for place in range(1, 12):
            draws[:, place] = 0.3 * draws[:, place - 1] + 0.91**0.5 * draws[:, place]
        found = np.mean([simulated._autocorrelation(each) for each in draws])
        assert found == pytest.approx(0.25, abs=0.08)  # short of 0.3 still

    def test_a_folder_without_times_says_so(self, tmp_path):
        with pytest.raises(ValueError, match="no model was timed over 8 rounds"):
            simulated.coverage(tmp_path)

    def test_asked_for_alone_they_leave_the_rest_as_it_was_measured(self, folder, monkeypatch):
        monkeypatch.setattr(tasks, "measured", lambda task, environment: task())
        before = content({"overhead": everything()["overhead"] | {"machine": "another"}})
        (folder / "measurement.json").write_text(json.dumps(before))
        arguments = ["--output-dir", str(folder), "--sections", "alike"]
        assert BENCHMARK.main(arguments) == 1  # others are not measured
        after = json.loads((folder / "measurement.json").read_text())
        assert after["cases"].keys() == {"overhead", "alike"}
        assert after["cases"]["overhead"] == before["cases"]["overhead"]
        assert "Equal times, and slower ones" in (folder / "measurement.md").read_text()


def test_a_tree_with_uncommitted_changes_is_named_as_such(tmp_path):
    cases = everything()
    for number, commit in enumerate(["0123456789abcdef-dirty", "fedcba9876543210"], 1):
        cases[f"repeat {number}"]["commit"] = commit
    BENCHMARK.page.write(content(cases), tmp_path / "measurement.md")
    text = (tmp_path / "measurement.md").read_text()
    assert "commit 0123456789ab with changes that are in no commit, fedcba987654." in text
