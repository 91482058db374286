"""Every runtime against plain PyTorch: every family, any thread, whatever the pixels."""

import functools
import importlib.util
import threading

import pytest
import torch

import zoo
from tests.zoo.small import images as small_images
from tests.zoo.small import small
from zoo.runtimes import RUNTIMES, auto, check_model, open_runtime
from zoo.runtimes.agreement import TOLERANCE, relative_difference
from zoo.runtimes.session import Session, missing

TINY = "mobilenet_v1:width=0.25,resolution=128"
# one of each family, small; the others are marked slow
SMALL = ("alexnet", "vgg11:head=global_pool", "googlenet", "resnet18", TINY, "xception")
# by runtime, those of SMALL that take it seconds to open: a graph of many layers, kernels of many shapes to compile
LONG = dict.fromkeys(("onnxruntime", "openvino"), ("alexnet", "googlenet", "xception")) | {
    "packed": ("alexnet", "vgg11:head=global_pool", "googlenet", "resnet18", "xception"),
    "compiled": SMALL,
}
ALL = sorted(
    {*zoo.list_models(), *SMALL, "googlenet:auxiliary=true", "resnet50:shortcut=pad", "xception:residual=false"}
)
HERE = [name for name, runtime in RUNTIMES.items() if runtime.unavailable() is None]
QUICK = [name for name in HERE if name != "compiled"]  # opened within a second


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module", autouse=True)
def two_threads():
    """Layers that share their work out, as they do for people."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


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
            slow = name not in SMALL or name in LONG.get(runtime, ())
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
def opened_small(runtime):
    model = small()
    return model, open_runtime(model, small_images(0), runtime)


@pytest.mark.parametrize("runtime", [name for name, runtime in RUNTIMES.items() if runtime.unavailable() is None])
class TestSession:
    @pytest.fixture
    def opened(self, runtime):
        model, session = opened_small(runtime)
        return session, small_images(0), model(small_images(0)).detach(), model

    def test_images_of_another_shape(self, opened, runtime):
        session, images, _, _ = opened
        if RUNTIMES[runtime].ANY_SHAPE:
            assert session(images[:1]).shape == (1, 10)
            model, images, _ = trained(TINY)
            with pytest.raises(zoo.InputSizeError, match="at least 32"):
                open_runtime(model, images, runtime)(images[..., :16, :16])
        else:
            with pytest.raises(zoo.InputSizeError, match=r"opened for \(2, 3, 32, 32\).*got \(1, 3, 32, 32\).*again"):
                session(images[:1])

    def test_images_of_another_type(self, opened, runtime):
        with pytest.raises(TypeError, match=r"takes torch\.float32 on cpu; got torch\.float64 on cpu"):
            opened[0](opened[1].double())
        with pytest.raises(TypeError, match=r"takes torch\.float32 on cpu; got 'images'"):
            opened[0]("images")

    def test_images_with_a_gradient(self, opened, runtime):
        session, images, expected, _ = opened
        logits = session(images.clone().requires_grad_())
        assert relative_difference(logits, expected) <= TOLERANCE and not logits.requires_grad

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


class TestThreads:
    CALLS = pytest.mark.parametrize("calls", [50, pytest.param(200, marks=pytest.mark.slow)])

    @staticmethod
    def wrong_answers(session, model, calls):
        """Answers of four threads, each with images of its own, that are not the network's; errors too."""
        given = [small_images(seed) for seed in range(4)]
        with torch.inference_mode():
            expected = [model(images) for images in given]
        wrong = []

        def work(number):
            try:
                for _ in range(calls):
                    if relative_difference(session(given[number]), expected[number]) > TOLERANCE:
                        wrong.append(number)
            except Exception as error:
                wrong.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return wrong

    @pytest.fixture(params=[1, 2])
    def threads(self, request):
        before = torch.get_num_threads()
        torch.set_num_threads(request.param)
        yield request.param
        torch.set_num_threads(before)

    @pytest.mark.parametrize(
        "runtime", [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow]) for name in HERE]
    )
    @CALLS
    def test_four_at_once(self, calls, runtime, threads):
        model, session = opened_small(runtime)
        assert self.wrong_answers(session, model, calls) == []

    @CALLS
    def test_four_at_once_on_the_fastest(self, calls):
        model = small()
        runtimes = {name: RUNTIMES[name] for name in ("eager", "packed", "openvino")}
        session = auto.open_fastest(model, small_images(0), runtimes)
        assert self.wrong_answers(session, model, calls) == []

    def test_opened_by_four_at_once(self):
        model = small()
        sessions = {}
        names = [name for name in ("folded", "openvino", "packed", "channels_last") if name in HERE]
        threads = [
            threading.Thread(
                target=lambda name=name: sessions.update({name: open_runtime(model, small_images(0), name)})
            )
            for name in names
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(sessions) == sorted(names)
        assert all(self.wrong_answers(session, model, 5) == [] for session in sessions.values())


class TestPixelsThatAreNoNumbers:
    @pytest.mark.parametrize("runtime", QUICK)
    @pytest.mark.parametrize("place", [(1, 0, 0, 0), (1, 2, 31, 31), (1, 1, 7, 12)])
    @pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
    def test_come_out_as_nan_and_in_no_other_image(self, runtime, place, value):
        model, session = opened_small(runtime)
        given = small_images(3)
        expected = model(given).detach()
        given[place] = value
        logits = session(given)
        if runtime != "eager" or value != value:
            assert logits[1].isnan().all()
        assert relative_difference(logits[:1], expected[:1]) <= TOLERANCE

    @pytest.mark.parametrize("runtime", QUICK)
    def test_numbers_whose_sum_overflows_are_numbers(self, runtime):
        _, session = opened_small(runtime)
        given = small_images(3)
        given[0, 0, :2] = 3e38  # more than float32 holds in all, and in no place
        assert not session(given)[1].isnan().any()

    def test_the_example_does_not_matter(self):
        model = small()
        for value in (float("nan"), 0.0, float("inf")):
            session = auto.open_fastest(
                model, torch.full_like(small_images(0), value), {name: RUNTIMES[name] for name in ("eager", "folded")}
            )
            assert relative_difference(session(small_images(1)), model(small_images(1)).detach()) <= TOLERANCE

    def test_a_network_that_gives_none_runs_as_it_is(self, caplog):
        model = small()
        with torch.no_grad():
            model.head.fc.bias.fill_(float("nan"))
        assert open_runtime(model, small_images(0)).runtime == "eager"
        assert "not finite" in caplog.text
        with pytest.raises(zoo.RuntimeUnavailable, match="cannot run on folded: the plain network's logits are not"):
            open_runtime(model, small_images(0), "folded")

    def test_nothing_is_remembered_of_it(self, cache):
        model = small()
        with torch.no_grad():
            model.head.fc.bias.fill_(float("nan"))
        open_runtime(model, small_images(0))
        assert not cache.exists()

    def test_an_example_without_images(self):
        for runtime in ("auto", *RUNTIMES):
            with pytest.raises(zoo.InputSizeError, match=r"at least one image; got shape \(0, 3, 32, 32\)"):
                open_runtime(small(), small_images(0)[:0], runtime)


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
        monkeypatch.setattr("zoo.runtimes.session.find_spec", lambda name: None if name == package else there(name))
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

    @pytest.mark.parametrize("model", ["resnet18", None, torch.nn.Linear(2, 2), 3, small])
    def test_no_network_of_the_zoo(self, model):
        with pytest.raises(TypeError, match=r"model must be a network of this zoo, as zoo\.create makes; got"):
            open_runtime(model, torch.zeros(1, 3, 32, 32))

    @pytest.mark.parametrize("images", ["photo.jpg", None, [1.0], 3])
    def test_no_images(self, images):
        with pytest.raises(TypeError, match=r"images must be a tensor \(N, channels, height, width\); got"):
            open_runtime(small(), images)

    @pytest.mark.parametrize("runtime", [None, 3, ["eager"], "x" * 5000])
    def test_no_name_of_a_runtime(self, runtime):
        with pytest.raises(zoo.RuntimeUnavailable, match="no runtime is named") as raised:
            open_runtime(small(), small_images(0), runtime)
        assert len(str(raised.value)) <= 300

    def test_what_another_library_raises_is_one_line_without_paths(self, monkeypatch):
        def fail(model, images):
            raise KeyError("no kernel in\n/home/somebody/lib/python3/kernels.so for 'conv'")

        monkeypatch.setattr(RUNTIMES["folded"], "open", fail)
        with pytest.raises(zoo.RuntimeUnavailable) as raised:
            open_runtime(small(), small_images(0), "folded")
        assert str(raised.value).startswith("resnet18 cannot run on folded: KeyError: ")
        assert "kernels.so" in str(raised.value)
        assert "somebody" not in str(raised.value) and "\n" not in str(raised.value)

    def test_a_network_that_cannot_be_run(self):
        model = small()
        model.head.fc = torch.nn.Linear(7, 7)
        with pytest.raises(
            zoo.RuntimeUnavailable, match="the network itself cannot be run: RuntimeError: mat1 and mat2"
        ):
            open_runtime(model.eval(), small_images(0))


def test_a_package_that_is_no_package_is_missing(monkeypatch):
    monkeypatch.setitem(importlib.import_module("sys").modules, "openvino", None)
    assert missing("torch", "openvino", "no_such_package") == ["openvino", "no_such_package"]


def test_runtimes_name_their_libraries():
    named = {name: runtime.LIBRARIES for name, runtime in RUNTIMES.items() if runtime.LIBRARIES}
    assert named == {"onnxruntime": ("onnxruntime", "onnx", "onnxscript"), "openvino": ("openvino",)}


@pytest.mark.skipif("onnxruntime" not in HERE, reason="onnxruntime is not installed")
@pytest.mark.parametrize(
    ("version", "entry", "value"),
    [
        ("1.32.0", "session.intra_op.spin_duration_us", "200"),
        ("1.27.0.dev1", "session.intra_op.spin_duration_us", "200"),
        ("1.26.9", "session.force_spinning_stop", "1"),
    ],
)
def test_threads_do_not_spin_for_long_after_a_call(version, entry, value, monkeypatch):
    import onnxruntime

    from zoo.runtimes.onnxruntime import options

    monkeypatch.setattr(onnxruntime, "__version__", version)
    assert options().get_session_config_entry(entry) == value


@pytest.mark.parametrize("runtime", [name for name in HERE if name in ("openvino", "onnxruntime")])
def test_pytorchs_threads_stay_asleep_where_a_runtime_has_its_own(runtime, monkeypatch):
    """They would go on spinning after a look at the pixels, and take the processors from it."""
    images = torch.rand(1, 3, 64, 64)
    session = zoo.open_runtime(small(), images, runtime)

    def wake(*_: object, **__: object) -> None:
        raise AssertionError("PyTorch computes")

    for name in ("dot", "sum", "amax", "isfinite"):
        monkeypatch.setattr(torch, name, wake)
    monkeypatch.setattr(torch.Tensor, "sum", wake)
    assert len(session(images)) == 1


def test_session_names_what_it_was_opened_for():
    session = Session("fake", lambda images: images, torch.zeros(1, 3, 8, 8), network=small(), any_shape=False)
    assert repr(session).startswith("resnet18 on fake, opened for (1, 3, 8, 8)")
