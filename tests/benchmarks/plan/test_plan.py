"""From a command line to cases: names, globs, options, sweeps; one line and status 2 for everything else."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import zoo
from benchmarks.metrics import METRICS
from benchmarks.plan.arguments import PRESETS, parse, parser
from benchmarks.plan.cases import SIX, Options, canonical, plan, skip_reason
from benchmarks.plan.cost import by_cost, counts_of
from benchmarks.plan.models import expand_models
from benchmarks.records.record import Case, Measurement, Record

TIMING = {"max_time": 1.0, "rounds": 8, "target_ci": 0.02}


def test_an_option_stays_with_its_model() -> None:
    labels = expand_models("mobilenet_v1:width=0.5,resolution=160,resnet18")
    assert labels == ["mobilenet_v1:resolution=160,width=0.5", "resnet18"]


def test_globs_take_options_and_repeat_nothing() -> None:
    assert expand_models("resnet18,resnet*") == [
        "resnet18",
        *(n for n in zoo.list_models("resnet*") if n != "resnet18"),
    ]
    assert expand_models("resnet1[8]:shortcut=none") == ["resnet18:shortcut=none"]
    assert expand_models("all") == zoo.list_models()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--models", "resnet51"], "resnet50"),
        (["--models", "zzz*"], "no model matches"),
        (["--models", "width=0.5"], "no model is named"),
        (["--models", "mobilenet_v1:width=7"], "width"),
        (["--models", ","], "list of models"),
        (["--modles", "all"], "did you mean --models?"),
        (["--metrics", "latencies"], "did you mean latency?"),
        (["--metrics", "flops"], "did you mean mult_adds?"),
        (["--metrics", "MACs"], "did you mean mult_adds?"),
        (["--metrics", "top1"], "did you mean accuracy?"),
        (["--metrics", "speed"], "did you mean latency, throughput?"),
        (["--metrics", "time"], "did you mean latency?"),
        (["--runtimes", "onnx"], "did you mean onnxruntime?"),
        (["--runtimes", "tensorrt"], "eager"),
        (["--studies", "residuals"], "did you mean residual?"),
        (["--dataset", "mnist"], "did you mean fashion_mnist"),
        (["--device", "gpu"], "did you mean cuda?"),
        (["--precision", "half"], "did you mean fp16?"),
        (["--precision", "float32"], "did you mean fp32?"),
        (["--sort-key", "latency"], "did you mean latency_ms_p50"),
        (["--models", "resnet"], "did you mean resnet"),
        (["--studies", "nothing_of_the_kind"], "no study is named"),
        (["--batch-size", "0"], "at least 1"),
        (["--num-threads", "two"], "whole number"),
        (["--max-time", "nan"], "seconds above 0"),
        (["--target-ci", "2"], "between 0 and 1"),
        (["--data-dir", "photos"], "--dataset"),
        (["--quick", "--rigorous"], "not allowed with"),
        (["--model", "alexnet", "--exclude", "alexnet"], "leaves no model"),
        (["--wrong-flag"], "--wrong-flag"),
    ],
)
def test_a_wrong_command_line_ends_with_one_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(arguments)
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert said in error


FLAGS = sorted(action.option_strings[0] for group in parser()._action_groups for action in group._group_actions)
KNOWN = (
    "resnet18",
    "all",
    "mobilenet_v1:width=0.5",
    "latency",
    "eager",
    "residual",
    "imagenet",
    "1,2",
    "0.5",
    "cpu",
    "*",
)
WORD = st.text(max_size=20) | st.sampled_from([*FLAGS, *KNOWN]) | st.integers().map(str) | st.just("x" * 400)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(FLAGS), WORD).map("=".join) | WORD, max_size=4))
def test_any_command_line_is_understood_or_refused_in_one_line(arguments: list[str]) -> None:
    said, printed = io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(printed):
            request = parse(arguments)
    except SystemExit as ended:
        if ended.code == 0:
            assert "--help" in printed.getvalue()
            return
        assert ended.code == 2
        line = said.getvalue()
        assert line.count("\n") == 1 and line.endswith("\n")
        assert len(line) <= 301 and line[:-1].isprintable()
    else:
        assert request.options.models or request.studies


def test_help_fits_a_terminal_and_names_no_default_that_is_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as ended:
        parse(["--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert all(len(line) <= 80 for line in text.splitlines())
    assert "()" not in text and "(default: )" not in text and "False" not in text
    for word in (*METRICS, "--list shows", f"default {PRESETS['default']['max_time']:g}"):
        assert word in text


def test_what_was_asked_for_by_name_is_known() -> None:
    asked = ["--models", "resnet18,vgg*,mobilenet_v1:width=0.5,resolution=160", "--metrics", "latency"]
    assert parse(asked).named == {"resnet18", "mobilenet_v1:resolution=160,width=0.5", "latency", "eager"}
    assert parse(["--runtimes", "all"]).named == {"all"}
    assert "mine.pth" in parse(["--weights", "mine.pth"]).named


@pytest.mark.parametrize(
    ("models", "runtimes", "metrics", "skipped", "missed"),
    [
        ("alexnet,nin", "eager", "latency", {"alexnet"}, 1),
        ("alexnet?*,nin", "eager", "latency", {"alexnet_bn"}, 0),
        ("alexnet?*,nin", "eager", "latency", {"alexnet_bn", "alexnet_2012", "nin"}, 3),
        ("alexnet,nin", "all", "latency", {"packed"}, 0),
        ("alexnet,nin", "eager,packed", "latency", {"packed"}, 2),
        ("alexnet?*", "eager,packed", "latency", {"packed"}, 2),
        ("all", "eager", "params,accuracy", {"accuracy"}, 23),
        ("alexnet,nin", "packed", "params,accuracy", {"accuracy"}, 2),
        ("alexnet,nin", "eager", "latency", set(), 0),
    ],
)
def test_a_skip_is_missed_where_its_case_was_asked_for_by_name(
    models: str, runtimes: str, metrics: str, skipped: set[str], missed: int
) -> None:
    request = parse(["--models", models, "--runtimes", runtimes, "--metrics", metrics])
    records = [
        Record(case=case, status="skipped" if {case.model, case.runtime, case.metric} & skipped else "ok")
        for case in plan(request.options)
    ]
    assert request.missed(records) == missed


def test_exclude_takes_variants_with_their_model() -> None:
    request = parse(["--models", "resnet18:shortcut=none,resnet18,vgg16", "--exclude", "resnet18"])
    assert request.options.models == ("vgg16",)


def test_quick_is_the_six() -> None:
    assert parse(["--quick"]).options.models == SIX


def test_equal_questions_are_one_case() -> None:
    options = Options(models=("resnet18",), metrics=("params", "latency"), batch_sizes=(1, 8), num_threads=(1, 2),
                      seeds=(3,), effort=TIMING)  # fmt: skip
    cases = plan(options)
    assert [case.metric for case in cases] == ["params", *["latency"] * 4]
    assert cases[0] == plan(Options(models=("resnet18",), metrics=("params",)))[0]
    assert {(case.batch_size, case.num_threads) for case in cases[1:]} == {(1, 1), (1, 2), (8, 1), (8, 2)}
    assert all(dict(case.effort) == TIMING for case in cases[1:])


def test_size_is_each_models_own_unless_given() -> None:
    options = Options(models=("xception", "mobilenet_v1:resolution=128"), metrics=("mult_adds",))
    assert [case.img_size for case in plan(options)] == [299, 128]


def test_a_size_too_small_is_a_skip_with_its_reason() -> None:
    smallest = zoo.spec("alexnet").input.min_size
    case = plan(Options(models=("alexnet",), metrics=("mult_adds",), img_size=smallest - 1))[0]
    assert str(smallest) in (skip_reason(case) or "")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"depends_on": ("imgsize",)}, "depends on 'imgsize'; a case has metric, model"),
        ({"measure": None}, "has either `measure`"),
        ({"prepare": lambda subject: None}, "has either `measure`"),
    ],
)
def test_a_metric_that_is_wrong_says_so_where_it_is_defined(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=f"metric 'params' {said}"):
        dataclasses.replace(METRICS["params"], **wrong)


def test_the_six_come_first_then_the_cheap() -> None:
    cases = [
        Case(metric="accuracy", model=name, train_img_size=40) for name in ("vgg19", "resnet18", "vgg11", "xception")
    ]
    records = [
        Record(case=Case(metric="mult_adds", model=name), status="ok",
               measurements=(Measurement(name="mult_adds", value=value, unit="count"),))
        for name, value in {"vgg19": 20e9, "resnet18": 2e9, "vgg11": 8e9, "xception": 9e9}.items()
    ]  # fmt: skip
    assert [case.model for case in by_cost(cases, counts_of(records))] == ["xception", "resnet18", "vgg11", "vgg19"]


def test_a_model_without_published_figures_comes_where_its_counts_put_it() -> None:
    cases = [
        Case(metric="accuracy", model=name, train_img_size=40) for name in ("vgg19", "resnet152", "nin", "resnet18")
    ]
    counts = {"mult_adds": 1.1e9, "param_count": 7.6e6, "latency": 0.009}  # the order in which a run leaves them
    records = [
        Record(case=Case(metric="params", model="nin"), status="ok",
               measurements=(Measurement(name=name, value=value, unit="count"),))
        for name, value in counts.items()
    ]  # fmt: skip
    assert [case.model for case in by_cost(cases, counts_of(records))] == ["nin", "resnet18", "resnet152", "vgg19"]


def test_ten_thousand_cases_are_planned_in_a_second() -> None:
    options = Options(
        models=tuple(zoo.list_models()), metrics=("latency",), batch_sizes=tuple(range(1, 101)),
        num_threads=tuple(range(1, 6)), effort=TIMING,
    )  # fmt: skip
    started = time.process_time()
    cases = plan(options)
    assert len(cases) == len(zoo.list_models()) * 500 >= 10_000
    assert time.process_time() - started < 1


def test_reading_and_planning_import_no_torch() -> None:
    code = (
        "import sys; from benchmarks.run import main; status = main(['--dry-run', '--models', 'all']); "
        "sys.exit(3 if {'torch', 'pandas', 'scipy'} & set(sys.modules) else status)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60).returncode == 0


def test_a_case_keeps_what_its_metric_depends_on_and_nothing_else(tmp_path: Path) -> None:
    told = {"runtime": "packed", "num_threads": 2, "weights_path": str(tmp_path / "w.pth"), "data_dir": str(tmp_path)}
    count = canonical(Case(metric="mult_adds", model="xception", **told))  # type: ignore[arg-type]
    assert count == Case(metric="mult_adds", model="xception", img_size=299)
    timed = canonical(Case(metric="latency", model="xception", batch_size=1, **told))  # type: ignore[arg-type]
    assert (timed.runtime, timed.num_threads, timed.img_size, timed.weights_path) == ("packed", 2, 299, "")
