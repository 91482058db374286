"""Every runtime against plain PyTorch, and the race that chooses one."""

import functools
import importlib.util
import json
import random
import time
from types import SimpleNamespace

import pytest
import torch

import zoo
from zoo import blocks, turns
from zoo.cache import cache_folder
from zoo.runtimes import RUNTIMES, auto, check_model, open_runtime
from zoo.runtimes.agreement import TOLERANCE, relative_difference
from zoo.runtimes.folding import inference_copy
from zoo.runtimes.layouts import winograd
from zoo.runtimes.layouts.packed import PackedConv2d, PackedLinear
from zoo.runtimes.layouts.winograd import WinogradConv2d
from zoo.runtimes.session import Session

TINY = "mobilenet_v1:width=0.25,resolution=128"
# one of each family, the smallest; the others are marked slow
SMALL = ("alexnet", "googlenet", TINY, "nin", "resnet18", "xception")
ALL = sorted({*zoo.list_models(), TINY, "googlenet:auxiliary=true", "resnet50:shortcut=pad", "xception:residual=false"})


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@functools.lru_cache(maxsize=1)
def trained(name, classes=10):
    """A network whose batch norms have seen images, its images, and its logits."""
    torch.manual_seed(0)
    model = zoo.create(name, num_classes=classes)
    side = max(model.spec.input.min_size, 64)
    with torch.no_grad():
        model.train()(torch.randn(4, 3, side, side))
        model.eval()
        images = torch.randn(2, 3, side, side)
        return model, images, model(images)


def pairs(runtimes):
    for name in ALL:
        for runtime in runtimes:
            slow = name not in SMALL or (runtime == "compiled" and name not in (TINY, "alexnet"))
            marks = [pytest.mark.slow] if slow else []
            yield pytest.param(name, runtime, marks=marks, id=f"{name}-{runtime}")


@pytest.mark.parametrize(("name", "runtime"), list(pairs(RUNTIMES)))
def test_every_runtime_gives_the_logits_of_every_model(name, runtime):
    reason = RUNTIMES[runtime].unavailable()
    if reason is not None:
        pytest.skip(reason)
    model, images, expected = trained(name)
    logits = open_runtime(model, images, runtime)(images)
    assert logits.shape == expected.shape
    assert relative_difference(logits, expected) <= TOLERANCE
    assert torch.equal(logits.argmax(1), expected.argmax(1))


@functools.cache  # compiling takes seconds
def opened_on(runtime):
    model, images, expected = trained(TINY)
    return open_runtime(model, images, runtime), images, expected, model


@pytest.mark.parametrize("runtime", [name for name, runtime in RUNTIMES.items() if runtime.unavailable() is None])
class TestSession:
    @pytest.fixture
    def opened(self, runtime):
        return opened_on(runtime)

    def test_images_of_another_shape(self, opened, runtime):
        session, images, _, _ = opened
        if RUNTIMES[runtime].ANY_SHAPE:
            assert session(images[:1]).shape == (1, 10)
            with pytest.raises(zoo.InputSizeError, match="at least 32"):
                session(images[..., :16, :16])
        else:
            with pytest.raises(zoo.InputSizeError, match=r"opened for \(2, 3, 64, 64\).*got \(1, 3, 64, 64\).*again"):
                session(images[:1])

    def test_images_of_another_type(self, opened, runtime):
        with pytest.raises(TypeError, match=r"takes torch\.float32; got torch\.float64"):
            opened[0](opened[1].double())

    def test_images_in_any_memory_order(self, opened, runtime):
        session, images, expected, _ = opened
        rotated = images.permute(0, 1, 3, 2).contiguous().permute(0, 1, 3, 2)
        for same in (images.contiguous(memory_format=torch.channels_last), rotated):
            assert relative_difference(session(same), expected) <= TOLERANCE

    def test_an_answer_is_the_callers_own(self, opened, runtime):
        session, images, expected, _ = opened
        first = session(images)
        first += 1  # neither a buffer of the runtime nor a tensor of inference mode
        session(torch.zeros_like(images))
        assert relative_difference(first - 1, expected) <= TOLERANCE
        assert not first.is_inference()

    def test_the_model_is_as_it_was(self, opened, runtime):
        _, images, expected, model = opened
        assert torch.equal(model(images).detach(), expected)
        assert all(weight.requires_grad for weight in model.parameters())
        assert any(isinstance(layer, torch.nn.BatchNorm2d) for layer in model.modules())


def test_inference_copy_folds_and_shares():
    model, images, expected = trained("googlenet:auxiliary=true")
    copy = inference_copy(model)
    left = [layer for layer in copy.modules() if isinstance(layer, torch.nn.BatchNorm2d)]
    assert not left and not copy.auxiliary and model.auxiliary
    assert copy.head.fc.weight.data_ptr() == model.head.fc.weight.data_ptr()
    assert relative_difference(copy(images), expected) < 1e-5
    assert not any(weight.requires_grad for weight in copy.parameters())


def test_a_norm_that_follows_no_convolution_stays():
    model, images, expected = trained("alexnet_bn")
    copy = inference_copy(model)
    norms = [[layer for layer in net.modules() if isinstance(layer, torch.nn.BatchNorm2d)] for net in (model, copy)]
    assert len(norms[0]) == len(norms[1]) == 3
    assert relative_difference(copy(images), expected) < 1e-5


class TestWinograd:
    @pytest.fixture(autouse=True)
    def plain(self, monkeypatch):
        """The transforms as they are; compiled they are part of the test of every model."""
        monkeypatch.setattr(winograd, "_transforms", lambda: (winograd._split, winograd._join))

    @pytest.mark.parametrize("shape", [(1, 32, 8, 8), (2, 40, 7, 13), (1, 32, 14, 30), (3, 64, 9, 4), (2, 32, 90, 70)])
    @pytest.mark.parametrize("bias", [True, False])
    def test_the_same_as_the_convolution(self, shape, bias):
        torch.manual_seed(0)
        conv = torch.nn.Conv2d(shape[1], 48, 3, padding=1, bias=bias)
        images = torch.randn(shape)
        with torch.inference_mode():
            expected = conv(images)
            for same in (images, images.contiguous(memory_format=torch.channels_last)):
                assert relative_difference(WinogradConv2d(conv, images.shape)(same), expected) < 1e-5
                assert relative_difference(WinogradConv2d(conv, images.shape, relu=True)(same), expected.relu()) < 1e-5

    @pytest.mark.parametrize(
        "changes",
        [
            {"kernel_size": 5}, {"stride": 2}, {"padding": 0}, {"dilation": 2}, {"groups": 32},
            {"padding_mode": "reflect"}, {"in_channels": 16}, {"out_channels": 16},
        ],
    )  # fmt: skip
    def test_other_convolutions_do_not_suit(self, changes):
        usual = {"in_channels": 32, "out_channels": 32, "kernel_size": 3, "padding": 1}
        assert WinogradConv2d.suits(torch.nn.Conv2d(**usual))
        assert not WinogradConv2d.suits(torch.nn.Conv2d(**{**usual, **changes}))
        assert not WinogradConv2d.suits(torch.nn.Linear(32, 32))
        assert not WinogradConv2d.suits(torch.nn.Conv2d(**usual).double())


class TestPacked:
    @pytest.mark.parametrize(
        "options", [{}, {"stride": 2}, {"padding": (0, 2)}, {"groups": 8}, {"dilation": 2}, {"bias": False}]
    )
    def test_convolution(self, options):
        torch.manual_seed(0)
        conv = torch.nn.Conv2d(16, 24, 3, **options)
        images = torch.randn(2, 16, 11, 14).contiguous(memory_format=torch.channels_last)
        with torch.inference_mode():
            expected = conv(images)
            assert relative_difference(PackedConv2d(conv, images.shape)(images), expected) < 1e-5
            assert relative_difference(PackedConv2d(conv, images.shape, relu=True)(images), expected.relu()) < 1e-5

    @pytest.mark.parametrize("bias", [True, False])
    def test_linear(self, bias):
        torch.manual_seed(0)
        linear = torch.nn.Linear(70, 33, bias=bias)
        inputs = torch.randn(3, 70)
        with torch.inference_mode():
            expected = linear(inputs)
            assert relative_difference(PackedLinear(linear, 3)(inputs), expected) < 1e-5
            assert relative_difference(PackedLinear(linear, 3, relu=True)(inputs), expected.relu()) < 1e-5

    def test_what_does_not_suit(self):
        assert PackedConv2d.suits(torch.nn.Conv2d(3, 4, 3)) and PackedLinear.suits(torch.nn.Linear(3, 4))
        assert not PackedConv2d.suits(torch.nn.Conv2d(3, 4, 3).double())
        assert not PackedConv2d.suits(torch.nn.Conv2d(3, 4, 3, padding=1, padding_mode="circular"))
        assert not PackedConv2d.suits(torch.nn.Conv2d(3, 4, 3, padding="same"))
        assert not PackedLinear.suits(torch.nn.Conv2d(3, 4, 3))
        one_sided = blocks.Conv2d(3, 4, 3, 2, 1)
        one_sided.padding_rule = "same"
        assert not PackedConv2d.suits(one_sided)


class TestErrors:
    def test_unknown_runtime(self):
        model, images, _ = trained(TINY)
        with pytest.raises(zoo.RuntimeUnavailable, match="no runtime is named 'onxruntime'; did you mean onnxruntime"):
            open_runtime(model, images, "onxruntime")
        with pytest.raises(zoo.RuntimeUnavailable, match=r"allowed: eager, channels_last.*auto is the fastest"):
            open_runtime(model, images, "tpu")

    @pytest.mark.parametrize("package", ["onnxruntime", "openvino"])
    def test_runtime_that_is_not_installed(self, package, monkeypatch):
        model, images, _ = trained(TINY)
        there = importlib.util.find_spec
        monkeypatch.setattr(RUNTIMES[package], "find_spec", lambda name: None if name == package else there(name))
        with pytest.raises(zoo.RuntimeUnavailable, match=rf"not installed: {package}; pip install"):
            open_runtime(model, images, package)

    def test_no_compiler(self, monkeypatch):
        monkeypatch.setenv("PATH", "")
        assert "C++ compiler" in RUNTIMES["compiled"].unavailable()

    @pytest.mark.parametrize("runtime", ["auto", *RUNTIMES])
    def test_training_mode(self, runtime):
        model = zoo.create(TINY)
        with pytest.raises(ValueError, match=r"training mode.*call \.eval\(\)"):
            open_runtime(model, torch.zeros(1, 3, 128, 128), runtime)

    @pytest.mark.parametrize("shape", [(3, 64, 64), (1, 1, 64, 64), (1, 3, 8, 64)])
    def test_images_the_model_cannot_take(self, shape):
        model, _, _ = trained(TINY)
        with pytest.raises(zoo.InputSizeError):
            open_runtime(model, torch.zeros(shape))

    def test_model_without_weights(self):
        model = zoo.create(TINY, device="meta").eval()
        with pytest.raises(zoo.RuntimeUnavailable, match="meta device"):
            open_runtime(model, torch.zeros(1, 3, 128, 128))

    def test_images_of_another_type_than_the_weights(self):
        model, images, _ = trained(TINY)
        with pytest.raises(zoo.RuntimeUnavailable, match=r"torch\.float32 on cpu and the images are torch\.float64"):
            check_model(model, images.double())

    @pytest.mark.parametrize(
        "runtime", [name for name in ("onnxruntime", "openvino") if not RUNTIMES[name].unavailable()]
    )
    def test_only_float32(self, runtime):
        model = zoo.create(TINY, dtype=torch.bfloat16).eval()
        with pytest.raises(zoo.RuntimeUnavailable, match=r"runs float32 on the CPU; got torch\.bfloat16"):
            open_runtime(model, torch.zeros(1, 3, 128, 128, dtype=torch.bfloat16), runtime)


def runtime(seconds=0.0, *, wrong=False, broken="", opened=None, libraries=()):
    """A runtime that takes a while, or answers wrongly, or cannot be opened."""

    def start(model, images):
        if broken:
            raise zoo.RuntimeUnavailable(broken)
        if opened is not None:
            opened.append(tuple(images.shape))
        logits = model(images).detach() * (-1 if wrong else 1)

        def run(images):
            time.sleep(seconds)
            return logits

        return run

    return SimpleNamespace(ANY_SHAPE=True, LIBRARIES=libraries, unavailable=lambda: None, open=start)


class TestAuto:
    @pytest.fixture(autouse=True)
    def clock(self, monkeypatch):
        """A clock that a runtime moves by its seconds and a little more, and nothing else does."""
        now = 0

        def sleep(seconds):
            nonlocal now
            now += int(1e9 * (seconds + 0.01))

        monkeypatch.setattr(time, "sleep", sleep)
        monkeypatch.setattr(turns, "time", SimpleNamespace(perf_counter_ns=lambda: now))

    def choose(self, runtimes):
        model, images, expected = trained(TINY)
        session = auto.open_fastest(model, images, runtimes)
        assert torch.equal(session(images), expected)
        return session.runtime

    def test_the_fastest_right_one(self, caplog):
        choice = self.choose(
            {"slow": runtime(0.2), "wrong": runtime(wrong=True), "fast": runtime(), "broken": runtime(broken="no")}
        )
        assert choice == "fast"
        assert "wrong is not used" in caplog.text

    def test_the_second_call_races_nobody(self, cache):
        counts = {"fast": [], "slow": []}
        runtimes = {"fast": runtime(opened=counts["fast"]), "slow": runtime(0.2, opened=counts["slow"])}
        assert self.choose(runtimes) == self.choose(runtimes) == "fast"
        assert len(counts["fast"]) == 2 and len(counts["slow"]) == 1
        (record,) = (cache / "runtimes").glob("*.json")
        written = json.loads(record.read_text())
        assert written["runtime"] == "fast" and written["relative"]["slow"] > 1.3

    def test_another_question_is_asked_again(self):
        model, images, _ = trained(TINY)
        opened = []
        runtimes = {"one": runtime(opened=opened)}
        threads = torch.get_num_threads()
        try:
            for change in (images, images[:1], images[..., :32]):
                auto.open_fastest(model, change, runtimes)
            torch.set_num_threads(threads + 1)
            auto.open_fastest(model, images, runtimes)
        finally:
            torch.set_num_threads(threads)
        keys = {path.name for path in (cache_folder() / "runtimes").iterdir()}
        assert len(keys) == 4 and len(opened) == 4

    def test_another_version_of_a_runtimes_library_is_another_question(self, monkeypatch):
        opened = []
        runtimes = {"one": runtime(opened=opened, libraries=("torchvision",))}
        versions = {"torch": "2.0", "torchvision": "1.0", "openvino": "3.0"}
        monkeypatch.setattr(auto, "_version", lambda package: versions[package])
        for package, version in (("torch", "2.0"), ("openvino", "3.1"), ("torchvision", "1.1"), ("torch", "2.1")):
            versions[package] = version
            self.choose(runtimes)
        assert len(list((cache_folder() / "runtimes").iterdir())) == 3  # OpenVINO is not this runtime's

    @pytest.mark.parametrize("text", ["", "{", "[]", '{"runtime": 3}', '{"runtime": "gone"}'])
    def test_a_damaged_record_is_made_again(self, cache, text):
        runtimes = {"fast": runtime()}
        self.choose(runtimes)
        (record,) = (cache / "runtimes").glob("*.json")
        record.write_text(text)
        assert self.choose(runtimes) == "fast"
        assert json.loads(record.read_text())["runtime"] == "fast"

    def test_a_remembered_runtime_that_fails_now(self):
        runtimes = {"fast": runtime(), "slow": runtime(0.2)}
        self.choose(runtimes)
        assert self.choose({"fast": runtime(broken="gone"), "slow": runtime(0.2)}) == "slow"

    def test_a_folder_that_cannot_be_written(self, tmp_path, monkeypatch, caplog):
        (tmp_path / "file").write_text("")
        monkeypatch.setenv("ZOO_CACHE_DIR", str(tmp_path / "file"))
        assert self.choose({"fast": runtime()}) == "fast"
        assert "is not kept" in caplog.text

    def test_losers_are_closed(self):
        model, images, _ = trained(TINY)
        trial = auto.hold_trial(model, images, {"slow": runtime(0.2), "fast": runtime(), "slower": runtime(0.4)})
        assert list(trial.sessions) == ["fast"]
        assert trial.relative == pytest.approx({"slow": 21, "fast": 1, "slower": 41})

    def test_those_that_are_close_are_kept_until_the_race_tells_them_apart(self):
        model, images, _ = trained(TINY)
        trial = auto.hold_trial(model, images, {"slow": runtime(0.012), "tie": runtime(0.01), "fast": runtime(0.0099)})
        assert list(trial.sessions) == ["slow", "tie", "fast"]
        assert trial.winner == "tie"  # within a percent of the fastest, and earlier
        assert trial.summary["rounds"] == {"slow": 5, "tie": 25, "fast": 25}

    @pytest.mark.slow
    def test_all_that_is_installed(self):
        model, images, expected = trained(TINY)
        session = open_runtime(model, images)
        assert session.runtime in RUNTIMES
        assert relative_difference(session(images), expected) <= TOLERANCE
        again = open_runtime(model, images)
        assert again.runtime == session.runtime


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

        race = auto.Race({name: functools.partial(runner, name) for name in true_seconds})
        race.run(rounds=auto.ROUNDS, seconds=4.0)
        return race.winner

    def test_never_much_slower_than_the_best(self):
        times = {"a": 0.0106, "b": 0.01, "c": 0.012, "d": 0.0101}
        wins = [self.winner(times, seed) for seed in range(200)]
        late = sum(times[name] > 1.05 * min(times.values()) for name in wins)
        assert late <= 4

    def test_a_tie_goes_to_the_first(self):
        race = auto.Race({"first": lambda: 0.01, "second": lambda: 0.00999})
        race.run(rounds=(3, 9), seconds=1.0)
        assert race.winner == "first"

    def test_a_clear_loser_stops_running(self):
        race = auto.Race({"fast": lambda: 0.01, "slow": lambda: 0.02, "close": lambda: 0.01})
        race.run(rounds=(3, 12), seconds=100.0)
        assert len(race.seconds["slow"]) == 5 and len(race.seconds["fast"]) == 12

    def test_long_calls_end_early(self):
        race = auto.Race({"a": lambda: 3.0, "b": lambda: 3.1})
        race.run(rounds=(3, 25), seconds=4.0)
        assert len(race.seconds["a"]) == 3


def test_runtimes_name_their_libraries():
    named = {name: runtime.LIBRARIES for name, runtime in RUNTIMES.items() if runtime.LIBRARIES}
    assert named == {"onnxruntime": ("onnxruntime", "onnx", "onnxscript"), "openvino": ("openvino",)}


def test_session_names_what_it_was_opened_for():
    session = Session("net", "fake", lambda images: images, torch.zeros(1, 3, 8, 8), any_shape=False)
    assert repr(session).startswith("net on fake, opened for (1, 3, 8, 8)")


def test_names_are_read_without_torch():
    import subprocess
    import sys

    code = "import sys, zoo, zoo.runtimes; assert 'torch' not in sys.modules; print(*zoo.runtimes.RUNTIMES)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == list(RUNTIMES)
