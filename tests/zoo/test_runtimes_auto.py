"""How the fastest runtime is found and remembered, with runtimes and a clock that do as the test says."""

import functools
import json
import random
import time
from types import SimpleNamespace

import pytest
import torch

import zoo
from tests.zoo.small import images as small_images
from tests.zoo.small import small
from zoo import busy, turns
from zoo.cache import cache_folder
from zoo.runtimes import RUNTIMES, auto, memory, open_runtime
from zoo.runtimes.agreement import TOLERANCE, Proof, relative_difference
from zoo.runtimes.race import Race


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(memory, "_code", lambda: "the same")
    return tmp_path / "cache"


@functools.cache
def network():
    return small()


def runtime(seconds=0.0, *, wrong=False, broken=None, opened=None, libraries=(), opening=0.0, missing=None):
    """A runtime that takes a while, or answers wrongly, or cannot be opened."""

    def start(model, images):
        if opened is not None:
            opened.append(tuple(images.shape))
        if broken is not None:
            raise broken
        time.sleep(opening)
        factor = -1 if wrong else 1

        def run(images):
            time.sleep(seconds)
            return model(images) * factor

        return run

    def unavailable():
        if isinstance(missing, Exception):
            raise missing
        return missing

    return SimpleNamespace(ANY_SHAPE=True, LIBRARIES=libraries, unavailable=unavailable, open=start)


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """A clock that a runtime moves by its seconds and a little more, and nothing else does."""
    now = 0

    def sleep(seconds):
        nonlocal now
        now += int(1e9 * (seconds + 0.01))

    ours = SimpleNamespace(perf_counter=lambda: now * 1e-9, perf_counter_ns=lambda: now, sleep=sleep)
    monkeypatch.setattr(time, "sleep", sleep)
    for module in (turns, auto, busy):
        monkeypatch.setattr(module, "time", ours)
    return ours


@pytest.fixture(autouse=True)
def others(monkeypatch, clock):
    """Processors that other programs keep busy."""
    machine = SimpleNamespace(busy=0.0)
    monkeypatch.setattr(busy, "_seconds_of_others", lambda: machine.busy * clock.perf_counter())
    return machine


def opened(runtimes):
    """The session that is chosen, which has been found right."""
    session = auto.open_fastest(network(), small_images(0), runtimes)
    given = small_images(4)
    assert relative_difference(session(given), network()(given).detach()) <= TOLERANCE
    return session.runtime


def record():
    (file,) = (cache_folder() / "runtimes").glob("*.json")
    return file, json.loads(file.read_text())


class TestChoice:
    def test_the_fastest_right_one(self, caplog):
        runtimes = {
            "slow": runtime(0.2),
            "wrong": runtime(wrong=True),
            "fast": runtime(),
            "broken": runtime(broken=zoo.RuntimeUnavailable("no")),
        }
        assert opened(runtimes) == "fast"
        assert "wrong is not used: resnet18 cannot run on wrong: its logits differ" in caplog.text
        assert "broken" not in caplog.text  # it said itself that it cannot

    @pytest.mark.parametrize(
        "error",
        [ValueError("max() arg is an empty sequence"), KeyError("weight"), ImportError("no such library"),
         MemoryError(), RecursionError("deep"), OSError(28, "No space left"), AssertionError(), StopIteration()],
    )  # fmt: skip
    def test_whatever_a_library_raises_costs_that_candidate(self, error, caplog):
        assert (
            opened({"eager": runtime(0.1), "broken": runtime(broken=error), "gone": runtime(missing=error)}) == "eager"
        )
        assert type(error).__name__ in caplog.text
        (line,) = [each for each in caplog.messages if "broken" in each]
        assert len(line) <= 400 and "\n" not in line

    def test_no_runtime_at_all(self):
        with pytest.raises(zoo.RuntimeUnavailable, match="no runtime takes resnet18: resnet18 cannot run on a: no"):
            opened({"a": runtime(broken=zoo.RuntimeUnavailable("no"))})

    def test_losers_are_closed(self):
        runtimes = {"slow": runtime(0.2), "fast": runtime(), "slower": runtime(0.4)}
        trial = auto.hold_trial(network(), small_images(0), runtimes)
        assert list(trial.sessions) == ["fast"]
        assert trial.relative == pytest.approx({"slow": 21, "fast": 1, "slower": 41})
        assert trial.choice(1).ranking == ("fast", "slow", "slower")

    def test_one_slow_call_closes_nobody(self, monkeypatch):
        """The only one that counted in the first round, after the call of the check and one that does not count."""
        calls = 0

        def sometimes(images):
            nonlocal calls
            calls += 1
            time.sleep(0.6 if calls == 3 else 0.01)
            return network()(images)

        unlucky = SimpleNamespace(ANY_SHAPE=True, LIBRARIES=(), unavailable=lambda: None, open=lambda *_: sometimes)
        trial = auto.hold_trial(network(), small_images(0), {"steady": runtime(0.02), "unlucky": unlucky})
        assert trial.winner == "unlucky"

    def test_those_that_are_close_are_kept_until_the_race_tells_them_apart(self):
        runtimes = {"slow": runtime(0.012), "tie": runtime(0.01), "fast": runtime(0.0099)}
        trial = auto.hold_trial(network(), small_images(0), runtimes)
        assert list(trial.sessions) == ["slow", "tie", "fast"]
        assert trial.winner == "tie"  # within a percent of the fastest, and earlier
        assert trial.summary["rounds"] == {"slow": 5, "tie": 25, "fast": 25}

    @pytest.mark.slow
    def test_all_that_is_installed(self, monkeypatch):
        monkeypatch.undo()
        session = open_runtime(network(), small_images(0))
        assert session.runtime in RUNTIMES
        assert relative_difference(session(small_images(1)), network()(small_images(1))) <= TOLERANCE


class TestMemory:
    def test_the_second_opening_races_nobody(self):
        counts = {"fast": [], "slow": []}
        runtimes = {"fast": runtime(opened=counts["fast"]), "slow": runtime(2.0, opened=counts["slow"])}
        assert opened(runtimes) == opened(runtimes) == "fast"
        assert len(counts["fast"]) == 2 and len(counts["slow"]) == 1
        _, kept = record()
        assert kept["runtime"] == "fast" and kept["next"] == ["slow"] and kept["relative"]["slow"] > 100

    def test_another_question_is_asked_again(self):
        found = []
        runtimes = {"one": runtime(opened=found)}
        threads = torch.get_num_threads()
        other = small()
        other.features.conv_1.set_submodule("act", torch.nn.LeakyReLU().eval())
        try:
            for change in (small_images(0), small_images(0)[:1], small_images(0)[..., :31]):
                auto.open_fastest(network(), change, runtimes)
            auto.open_fastest(other, small_images(0), runtimes)
            torch.set_num_threads(threads + 1)
            auto.open_fastest(network(), small_images(0), runtimes)
        finally:
            torch.set_num_threads(threads)
        keys = {path.name for path in (cache_folder() / "runtimes").iterdir()}
        assert len(keys) == 5 and len(found) == 5

    def test_another_version_of_a_runtimes_library_is_another_question(self, monkeypatch):
        runtimes = {"one": runtime(libraries=("torchvision",))}
        versions = {"torch": "2.0", "torchvision": "1.0", "openvino": "3.0"}
        monkeypatch.setattr(memory, "_version", lambda package: versions[package])
        for package, version in (("torch", "2.0"), ("openvino", "3.1"), ("torchvision", "1.1"), ("torch", "2.1")):
            versions[package] = version
            opened(runtimes)
        assert len(list((cache_folder() / "runtimes").iterdir())) == 3  # OpenVINO is not this runtime's

    @pytest.mark.parametrize(
        "text",
        [b"", b"{", b"[]", b'{"runtime": 3}', b'{"runtime": "gone"}', b"\xff\xfe\x00", b"[" * 100_000, b"0" * (2 << 20),
         b'{"runtime": "fast", "next": 3, "relative": [], "call_s": null}'],
    )  # fmt: skip
    def test_a_damaged_record_is_made_again(self, text):
        runtimes = {"fast": runtime()}
        opened(runtimes)
        file, _ = record()
        file.write_bytes(text)
        assert opened(runtimes) == "fast"
        assert record()[1]["runtime"] == "fast"

    def test_a_record_that_is_no_file_is_not_waited_for(self, tmp_path):
        import os

        opened({"fast": runtime()})
        file, _ = record()
        file.unlink()
        os.mkfifo(file)
        assert opened({"fast": runtime()}) == "fast"

    def test_a_remembered_runtime_that_fails_now(self, caplog):
        opened({"fast": runtime(), "slow": runtime(0.2)})
        assert opened({"fast": runtime(broken=OSError("gone")), "slow": runtime(0.2)}) == "slow"
        assert "cannot be opened now" in caplog.text

    def test_a_remembered_runtime_that_is_wrong_now(self):
        opened({"fast": runtime(), "slow": runtime(0.2)})
        assert opened({"fast": runtime(wrong=True), "slow": runtime(0.2)}) == "slow"
        assert opened({"fast": runtime(wrong=True), "slow": runtime(0.2)}) == "slow"

    def test_a_folder_that_cannot_be_written(self, tmp_path, monkeypatch, caplog):
        (tmp_path / "file").write_text("")
        monkeypatch.setenv("ZOO_CACHE_DIR", str(tmp_path / "file"))
        assert opened({"fast": runtime()}) == "fast"
        assert "is not kept" in caplog.text

    def test_a_home_that_cannot_be_found(self, monkeypatch, caplog):
        def fail():
            raise RuntimeError("could not determine the home directory")

        monkeypatch.setattr(memory, "cache_folder", fail)
        assert opened({"fast": runtime()}) == "fast"
        assert "cannot be kept: RuntimeError: could not determine" in caplog.text


class TestNoise:
    def test_a_quiet_race_is_final(self):
        opened({"fast": runtime(), "slow": runtime(0.2)})
        _, kept = record()
        assert kept["noisy"] is False and kept["races"] == 1 and kept["facts"]["busy_for_others"] == 0

    def test_a_noisy_race_is_held_again_on_the_quiet_machine(self, others):
        others.busy = 2.0
        assert opened({"a": runtime(0.02), "b": runtime(0.1)}) == "a"
        assert record()[1]["noisy"] is True and record()[1]["facts"]["busy_for_others"] == 2
        others.busy = 0.0
        assert opened({"a": runtime(0.1), "b": runtime(0.02)}) == "b"
        assert record()[1]["noisy"] is False and record()[1]["races"] == 2

    def test_while_the_noise_lasts_the_choice_serves(self, others):
        count = []
        others.busy = 2.0
        for _ in range(4):
            assert opened({"a": runtime(), "b": runtime(3.0, opened=count)}) == "a"
        assert len(count) == 1

    def test_after_three_noisy_races_no_more(self, others, monkeypatch):
        monkeypatch.setattr(auto, "_quiet", lambda: True)  # and then it is not
        count = []
        others.busy = 2.0
        for _ in range(6):
            assert opened({"a": runtime(), "b": runtime(3.0, opened=count)}) == "a"
        assert len(count) == 3 == record()[1]["races"]


class TestRunnerUp:
    def test_it_wins_and_the_record_is_mended(self):
        assert opened({"a": runtime(0.02), "b": runtime(0.03)}) == "a"
        assert opened({"a": runtime(0.04), "b": runtime(0.03)}) == "b"
        _, kept = record()
        assert (kept["runtime"], kept["next"], kept["confirmed"]) == ("b", ["a"], 0)
        assert kept["relative"]["b"] == 1 and kept["relative"]["a"] == pytest.approx(0.05 / 0.04)

    def test_after_two_confirmations_it_is_opened_no_more(self):
        count = []
        for _ in range(5):
            assert opened({"a": runtime(0.01), "b": runtime(0.02, opened=count)}) == "a"
        assert len(count) == 3 and record()[1]["confirmed"] == 2

    def test_noise_teaches_nothing(self, others):
        opened({"a": runtime(0.02), "b": runtime(0.03)})
        before = record()[1]
        others.busy = 1.0
        assert opened({"a": runtime(0.06), "b": runtime(0.03)}) == "a"
        assert record()[1] == before

    @pytest.mark.parametrize(("opening", "call"), [(0.6, 0.0), (0.0, 0.05), (0.0, 30.0)])
    def test_it_is_left_out_where_it_does_not_fit(self, opening, call):
        """A small network has half a second for it."""
        count = []
        runtimes = {"a": runtime(call), "b": runtime(call * 1.2 + 0.01, opening=opening, opened=count)}
        assert opened(runtimes) == opened(runtimes) == "a"
        assert len(count) == 1

    @pytest.mark.parametrize("call", [0.0, 0.005, 0.01, 0.02, 0.04])
    def test_it_never_costs_more_than_is_allowed(self, call, clock):
        runtimes = {"a": runtime(call), "b": runtime(call + 0.005)}
        opened(runtimes)
        proof = Proof(network(), small_images(0))
        choice = memory.recall(record()[0])
        before = clock.perf_counter()
        auto._reopen(network(), small_images(0), runtimes, proof, choice)
        alone = 2 * (0.01 + call)  # opening the first takes a moment and one call
        assert clock.perf_counter() - before - alone <= 0.5 + 4 * (0.01 + call + 0.005)  # a last round

    def test_one_that_cannot_be_opened_costs_nothing_else(self):
        opened({"a": runtime(0.01), "b": runtime(0.012)})
        assert opened({"a": runtime(0.01), "b": runtime(broken=OSError("gone"))}) == "a"

    @pytest.mark.parametrize(
        ("name", "seconds"),
        [("mobilenet_v1:width=0.25", 0.5), ("mobilenet_v1", 1.0), ("resnet50", 1.7), ("vgg16", 3.0), ("vgg19", 3.0)],
    )
    def test_what_it_may_cost_grows_with_the_network(self, name, seconds):
        assert auto._allowance(zoo.create(name, device="meta")) == pytest.approx(seconds, rel=0.05)


class TestRace:
    @staticmethod
    def winner(true_seconds, seed):
        """A race on a machine where calls take up to twice as long, for all at once and for each alone."""
        noise = random.Random(seed)
        drift = 1.0

        def runner(name):
            nonlocal drift
            drift = max(1.0, drift + noise.gauss(0, 0.05))
            return true_seconds[name] * drift * (1 + noise.expovariate(20)) * (2 if noise.random() < 0.05 else 1)

        race = Race({name: functools.partial(runner, name) for name in true_seconds})
        race.run(rounds=auto.ROUNDS, seconds=4.0)
        return race.winner

    def test_never_much_slower_than_the_best(self):
        times = {"a": 0.0106, "b": 0.01, "c": 0.012, "d": 0.0101}
        wins = [self.winner(times, seed) for seed in range(200)]
        late = sum(times[name] > 1.05 * min(times.values()) for name in wins)
        assert late <= 4

    def test_a_tie_goes_to_the_first(self):
        race = Race({"first": lambda: 0.01, "second": lambda: 0.00999})
        race.run(rounds=(3, 9), seconds=1.0)
        assert race.winner == "first"

    def test_a_clear_loser_stops_running(self):
        race = Race({"fast": lambda: 0.01, "slow": lambda: 0.02, "close": lambda: 0.01})
        race.run(rounds=(3, 12), seconds=100.0)
        assert len(race.seconds["slow"]) == 5 and len(race.seconds["fast"]) == 12

    def test_long_calls_end_early(self):
        race = Race({"a": lambda: 3.0, "b": lambda: 3.1})
        race.run(rounds=(3, 25), seconds=4.0)
        assert len(race.seconds["a"]) == 3

    @pytest.mark.parametrize(
        ("ratios", "bound"), [([1.2], 1.2), ([1.2, 1.1], 1.1), ([3, 1, 2, 5, 4], 1), (range(1, 17), 5)]
    )
    def test_the_lower_bound_of_a_ratio(self, ratios, bound):
        race = Race({"a": float, "b": float})
        race.seconds = {"a": list(ratios), "b": [1.0] * len(ratios)}
        assert race.at_least("a", "b") == bound
