"""A result is stale exactly when something that it was computed by has changed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FrameType

import pytest
from PIL import Image

import benchmarks
import zoo
from benchmarks.measure import questions
from benchmarks.measure.basis import code_of
from benchmarks.metrics import METRICS
from benchmarks.plan.cases import canonical
from benchmarks.records import staleness
from benchmarks.records.record import Case
from benchmarks.records.staleness import Definition

ROOT = Path(zoo.__file__).parents[1]

CASES = {
    "params mobilenet": Case(metric="params", model="mobilenet_v1:width=0.5"),
    "params vgg": Case(metric="params", model="vgg11"),
    "rows resnet": Case(metric="rows", model="resnet18", img_size=224),
    "mult_adds googlenet": Case(metric="mult_adds", model="googlenet", img_size=224),
    "activations alexnet": Case(metric="activations", model="alexnet", img_size=224),
    "latency eager": Case(metric="latency", model="resnet18", img_size=224, num_threads=1),
    "latency packed": Case(metric="latency", model="resnet18", runtime="packed", img_size=224, num_threads=1),
    "latency openvino": Case(metric="latency", model="vgg11", runtime="openvino", img_size=224, num_threads=1),
    "latency int8": Case(
        metric="latency", model="vgg11", runtime="openvino", precision="int8", img_size=224, num_threads=1
    ),
    "latency auto": Case(metric="latency", model="vgg11", runtime="auto", img_size=224, num_threads=1),
    "memory": Case(metric="memory", model="alexnet", img_size=224, num_threads=1),
    "layers": Case(metric="layers", model="mobilenet_v1", img_size=224, num_threads=1),
    "trained resnet": Case(metric="accuracy", model="resnet18", dataset="fashion_mnist", recipe="sample"),
    "trained mobilenet": Case(metric="accuracy", model="mobilenet_v1", dataset="fashion_mnist", recipe="sample"),
    "tested keras": Case(metric="accuracy", model="mobilenet_v1", dataset="imagenet", weights="imagenet:keras"),
    "tested torchvision": Case(metric="accuracy", model="resnet18", dataset="imagenet", weights="imagenet"),
    "tested file": Case(metric="accuracy", model="resnet18", dataset="imagenet", weights="sha256:0123"),
}  # fmt: skip
TIMED = {name for name in CASES if name.startswith("latency")}
TRAINED = {name for name in CASES if name.startswith("trained")}
TESTED = {name for name in CASES if name.startswith("tested")}
SHOWN = TRAINED | TESTED | {"latency int8"}  # images, all through one door
MOBILENET = {name for name, case in CASES.items() if case.model.startswith("mobilenet")}
VGG = {name for name, case in CASES.items() if case.model.startswith("vgg")}


@pytest.fixture(scope="module")
def codes_after(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, list[Changes]], set[str]]:
    """The names of the cases that are stale once files of a copy of the project have changed."""
    folder = tmp_path_factory.mktemp("copies")
    (folder / "cases.json").write_text(json.dumps({name: vars_of(case) for name, case in CASES.items()}))
    script = (
        "import json, sys; from benchmarks.measure.basis import code_of; from benchmarks.records.record import Case;"
        "cases = json.load(open(sys.argv[1]));"
        "print(json.dumps({name: code_of(Case(**case)) for name, case in cases.items()}))"
    )

    def codes(copy: Path) -> dict[str, str]:
        done = subprocess.run(
            [sys.executable, "-c", script, str(folder / "cases.json")], cwd=copy, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        answer: dict[str, str] = json.loads(done.stdout)
        return answer

    def copied(name: str) -> Path:
        copy = folder / name
        for package in ("zoo", "benchmarks"):
            shutil.copytree(
                ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__", "*.npz", "*.txt")
            )
        return copy

    before = codes(copied("before"))

    def stale(name: str, together: list[Changes]) -> set[str]:
        copy = copied(name.replace(" ", "_"))
        for path, (old, new) in (change for changes in together for change in changes.items()):
            target = copy / path
            text = target.read_text() if target.exists() else ""
            assert old in text, f"{path} has no {old!r}"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text.replace(old, new, 1) if old else text + new)
        after = codes(copy)
        shutil.rmtree(copy)
        return {case for case in CASES if after[case] != before[case]}

    return stale


def vars_of(case: Case) -> dict[str, object]:
    return {name: getattr(case, name) for name in ("metric", "model", "runtime", "precision", "img_size", "num_threads",
                                                   "weights", "dataset", "recipe")}  # fmt: skip


Changes = dict[str, tuple[str, str]]  # by file: a text and what takes its place; at the end, where there is none

HARMLESS: dict[str, Changes] = {
    "a docstring": {"zoo/blocks.py": ('"""', '"""Reworded: ')},
    "a comment": {"zoo/models/vgg.py": ("", "\n# a remark\n")},
    "an import": {"zoo/models/vgg.py": ("from __future__ import annotations\n",
                                         "from __future__ import annotations\n\nimport math\n")},
    "an unused class": {"zoo/blocks.py": ("", "\n\nclass Unused(nn.Module):\n    pass\n")},
    "an annotation": {"zoo/models/mobilenet_v1.py": ("channels: int, width: float", "channels: float, width: float")},
    "the text of an error": {"zoo/creation.py": ("holds no weights", "has no weights")},
    "the title of a metric": {"benchmarks/metrics/params.py": ('title="parameters"', 'title="weights"')},
    "the title of a model": {"zoo/models/mobilenet_v1.py": ('title="MobileNetV1"', 'title="MobileNet"')},
    "a study": {"benchmarks/studies/residual.py": ("", "\nUNUSED = 1\n")},
    "another model's checkpoint": {"zoo/weights/checkpoints.py": ("vgg19-dcbb9e9d", "vgg19-dcbb9e9e")},
    "the interval of a time": {"benchmarks/stats/intervals.py": ("WORTH = 0.6", "WORTH = 0.7")},
    "the report": {"benchmarks/report/frame.py": ("1e-9", "1e-8")},
    "a function in another file": {
        "zoo/models/mobilenet_v1.py": ("def scaled(channels: int, width: float) -> int:",
                                       "from zoo.models.widths import scaled\n\n\ndef _gone() -> int:"),
        "zoo/models/widths.py": ("", "def scaled(channels: int, width: float) -> int:\n"
                                     "    return max(int(channels * width), 1)\n"),
    },
}  # fmt: skip
CHANGES: dict[str, tuple[Changes, set[str]]] = {
    "one model's table": ({"zoo/models/mobilenet_v1.py": ("(1024, 2)", "(1024, 1)")}, MOBILENET),
    "another model's network": ({"zoo/models/vgg.py": ("nn.Sequential()", "nn.Sequential(*())")}, VGG),
    "an option's default": ({"zoo/models/mobilenet_v1.py": ('name="width", default=1.0', 'name="width", default=0.9')},
                            MOBILENET - {"params mobilenet"}),  # which states its width
    "how weights start": ({"zoo/models/mobilenet_v1.py": ("std=0.09", "std=0.1")}, {"trained mobilenet"}),
    "a checkpoint": ({"zoo/weights/checkpoints.py": ("resnet18-f37072fd", "resnet18-f37072fe")},
                     {"tested torchvision", "tested file"}),
    "a key map": ({"zoo/weights/keras.py": ("conv_preds", "conv_scores")}, {"tested keras", "tested file"}),
    "the transform of photographs": ({"zoo/resizing.py": ("// 2", "// 3")}, SHOWN),
    "the images of training": ({"zoo/data/fashion_mnist.py": ("MEAN = 0.2844", "MEAN = 0.2845")}, TRAINED),
    "the reading of photographs": ({"zoo/images.py": ("BACKGROUND = (255", "BACKGROUND = (0")}, SHOWN),
    "the step of training": ({"zoo/training/loop.py": ("(main.item(), weight)", "(2 * main.item(), weight)")}, TRAINED),
    "the counting of answers": ({"zoo/training/evaluation.py": ("TOP = 5", "TOP = 4")}, TRAINED | TESTED),
    "the images of int8": ({"zoo/runtimes/quantizing/calibration.py": ("CALIBRATE = 200", "CALIBRATE = 100")},
                           {"latency int8"}),
    "random weights": ({"benchmarks/metrics/subject.py": ("1 << 20", "1 << 19")},
                       TIMED | {"memory", "layers"} | {n for n in CASES if n.startswith("mult_adds")}),
    "a runtime": ({"zoo/runtimes/packed.py": ("TRIES = 5", "TRIES = 6")}, {"latency packed", "latency auto"}),
    "the race of runtimes": ({"zoo/runtimes/auto.py": ("CLEARLY_SLOWER = 1.3", "CLEARLY_SLOWER = 1.4")},
                             {"latency auto"}),
    "OpenVINO's version": ({"openvino-1.0.dist-info/METADATA": ("", "Metadata-Version: 2.1\nName: openvino\n"
                                                                     "Version: 1.0\n")},
                           {"latency openvino", "latency int8", "latency auto"}),
    "Pillow's version": ({"pillow-1.0.dist-info/METADATA": ("", "Metadata-Version: 2.1\nName: pillow\nVersion: 1.0\n")},
                         TESTED),
    "PyTorch's version": ({"torch-1.0.dist-info/METADATA": ("", "Metadata-Version: 2.1\nName: torch\nVersion: 1.0\n")},
                          set(CASES)),
}  # fmt: skip


def test_a_change_of_nothing_that_computes_makes_nothing_stale(
    codes_after: Callable[[str, list[Changes]], set[str]],
) -> None:
    if codes_after("all of them", list(HARMLESS.values())):
        found = {name: codes_after(name, [changes]) for name, changes in HARMLESS.items()}
        pytest.fail("\n".join(f"{name}: {sorted(cases)}" for name, cases in found.items() if cases))


TOGETHER = (  # in a row, no case is made stale by two
    ("how weights start", "a key map", "a runtime"),
    ("the step of training", "Pillow's version"),
    ("one model's table",),
)


@pytest.mark.parametrize("names", TOGETHER, ids=", ".join)
def test_changes_make_exactly_those_stale_that_they_concern(
    names: tuple[str, ...], codes_after: Callable[[str, list[Changes]], set[str]]
) -> None:
    concerned = [CHANGES[name][1] for name in names]
    assert sum(map(len, concerned)) == len(set().union(*concerned))
    assert codes_after(names[0], [CHANGES[name][0] for name in names]) == set().union(*concerned)


@pytest.mark.slow
@pytest.mark.parametrize("name", CHANGES)
def test_a_change_makes_exactly_those_stale_that_it_concerns(
    name: str, codes_after: Callable[[str, list[Changes]], set[str]]
) -> None:
    changes, stale = CHANGES[name]
    assert codes_after(name, [changes]) == stale


def test_other_weights_or_images_under_the_same_name_are_another_question(tmp_path: Path) -> None:
    weights, images = tmp_path / "weights.pth", tmp_path / "elsewhere"
    images.mkdir()
    data = tmp_path / "images"
    data.mkdir()
    (data / "n01440764").symlink_to(images)
    (images / "one.jpg").write_bytes(b"pixels")
    weights.write_bytes(b"one")
    case = Case(metric="accuracy", model="resnet18", weights_path=str(weights), dataset="imagenet", data_dir=str(data))
    asked = [canonical(case)]
    assert canonical(case) == asked[0]
    weights.write_bytes(b"two!")
    asked.append(canonical(case))
    (images / "one.jpg").write_bytes(b"others")  # behind a link, of the same size
    asked.append(canonical(case))
    (images / "one.jpg").unlink()
    asked.append(canonical(case))
    assert len(set(asked)) == 4


def test_the_same_files_elsewhere_are_the_same_question(tmp_path: Path) -> None:
    asked = []
    for folder in (tmp_path / "here", tmp_path / "there"):
        (folder / "n01440764").mkdir(parents=True)
        (folder / "n01440764" / "one.jpg").write_bytes(b"pixels")
        (folder / "weights.pth").write_bytes(b"one")
        asked.append(
            canonical(
                Case(
                    metric="accuracy",
                    model="resnet18",
                    weights_path=str(folder / "weights.pth"),
                    dataset="imagenet",
                    data_dir=str(folder),
                )
            )
        )
    assert asked[0] == asked[1] and asked[0].data_dir != asked[1].data_dir


# --- what is executed is within reach ---------------------------------------------------------------------------------

OUTSIDE = ("zoo.names", "zoo.lazy")  # looking an entry up, and importing
CHOOSING = {  # the case says the same
    ("zoo.runtimes.eager", "unavailable"), ("benchmarks.metrics.accuracy", "measure"),
    ("benchmarks.metrics.together", "is_shared"),
}  # fmt: skip


def executed(call: Callable[[], object]) -> set[Definition]:
    """The functions of this project that a call runs."""
    found: set[tuple[str, CodeType]] = set()

    def note(frame: FrameType, event: str, _argument: object) -> None:
        module = frame.f_globals.get("__name__", "")
        if event == "call" and module.partition(".")[0] in ("zoo", "benchmarks"):
            found.add((module, frame.f_code))

    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(None)
    return set(named(found))


def named(found: set[tuple[str, CodeType]]) -> Iterator[Definition]:
    for module, code in found:
        if code.co_filename.startswith("<") or code.co_qualname.startswith("<") or module in OUTSIDE:
            continue
        first, *rest = code.co_qualname.split(".")
        yield Definition(module, first, rest[0] if rest and not rest[0].startswith("<") else "")


def reached(case: Case) -> set[Definition]:
    """What the hash of a case covers."""
    starts: list[Definition] = []
    original = staleness._code
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            staleness, "_code", lambda functions, apart: starts.extend(functions) or original(functions, apart)
        )
        code_of.__wrapped__(case)
    return staleness.reach(starts)


LONG = {name for name, metric in METRICS.items() if metric.tests > 1}


@pytest.mark.parametrize(
    "metric", [pytest.param(name, marks=pytest.mark.slow) if name in LONG else name for name in METRICS]
)
def test_what_is_executed_counts(metric: str) -> None:
    case = canonical(Case(metric=metric, model="mobilenet_v1:width=0.25", img_size=32, num_threads=1, epochs=1,
                          train_images=40, effort=(("max_time", 1.0),)))  # fmt: skip
    memory: dict[str, object] = {"on_progress": lambda done, whole: None}

    def run() -> None:
        if METRICS[metric].prepare:
            questions.prepare(memory, case)
            questions.turn(memory, 0.001, 1.0)
        else:
            questions.measure(memory, case)

    run()  # imports happen in the first
    assert {each for each in executed(run) - reached(case) if each[:2] not in CHOOSING} == set()


def test_what_a_test_of_weights_executes_counts(tmp_path: Path) -> None:
    (tmp_path / "n01440764").mkdir()
    Image.new("RGB", (80, 60)).save(tmp_path / "n01440764" / "one.png")
    weights = tmp_path / "weights.safetensors"
    zoo.save_weights(zoo.create("mobilenet_v1:width=0.25"), weights)
    case = canonical(
        Case(
            metric="accuracy",
            model="mobilenet_v1:width=0.25",
            dataset="imagenet",
            data_dir=str(tmp_path),
            weights_path=str(weights),
        )
    )
    memory: dict[str, object] = {"on_progress": lambda done, whole: None}
    questions.measure(memory, case)
    found = executed(lambda: questions.measure(memory, case)) - reached(case)
    assert {each for each in found if each[:2] not in CHOOSING} == set()


def test_benchmarks_are_found_without_importing_them() -> None:
    script = (
        "import sys; from benchmarks.measure.basis import code_of; from benchmarks.records.record import Case;"
        "code_of(Case(metric='accuracy', model='resnet18', dataset='fashion_mnist', recipe='sample'));"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], cwd=Path(benchmarks.__file__).parents[1]).returncode == 0
