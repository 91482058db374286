"""The command that answers a budget: what it prints, what it measures first, its exit status."""

from __future__ import annotations

import dataclasses
import json
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks import recommend
from benchmarks.plan.arguments import parse
from benchmarks.records.environment import observe, write_environment
from benchmarks.records.record import Case, Environment, Measurement, Record
from tests.benchmarks.photos import SMALL, folder, trained
from tests.benchmarks.report.made import ENVIRONMENT, counted, latency
from tests.benchmarks.report.test_ways import NAME, costly
from tests.benchmarks.report.test_ways import answered as answered_rightly
from zoo.data.fashion_mnist import CLASSES

LIGHT = "mobilenet_v1:width=0.5"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run with widths of MobileNet in fp32 and in integers, and what integers cost on other images."""
    folder = tmp_path / "run"
    folder.mkdir()
    records = [
        *map(counted, (NAME, LIGHT, "mobilenet_v1"), (2_585_560, 1_331_592, 4_231_976)),
        *(
            latency(model, seconds, runtime="onnxruntime", precision=precision, num_threads=1)
            for model, seconds in ((NAME, 0.008), (LIGHT, 0.005), ("mobilenet_v1", 0.010))
            for precision in ("fp32", "int8")
        ),
        *costly(),
    ]  # fmt: skip
    (folder / "results.jsonl").write_text("".join(record.to_json() + "\n" for record in records))
    write_environment(ENVIRONMENT, folder)
    return folder


def answered(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, dict[str, Any]]:
    status = recommend.main([*map(str, arguments), "--json"])
    return status, json.loads(capsys.readouterr().out)


BUDGET = ("--max-latency-ms", 15, "--max-size-mb", 5, "--min-top1", 65, "--num-threads", 1)


def test_the_edge_engineer_is_answered(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, found = answered(capsys, run, *BUDGET)
    assert status == 0
    assert [(each["model"], each["precision"]) for each in found["answers"]] == [
        ("mobilenet_v1", "int8"),
        (NAME, "int8"),
    ]
    first = found["answers"][0]
    assert {"model", "runtime", "precision", "num_threads", "latency_ms", "size_mb", "top1", "top1_source"} <= set(
        first
    )
    assert first["top1_source"] == "estimate" and first["size_mb"] == pytest.approx(4.231976)
    assert first["top1_ci95"][0] >= 65
    assert found["nearest_miss"] is None


def test_the_commands_are_such_that_can_be_typed(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, found = answered(capsys, run, *BUDGET, "--data-dir", "photos")
    make, check = map(shlex.split, found["commands"])
    assert make[:4] == ["python", "-m", "zoo", "export"]
    assert {"--precision", "int8", "--weights", "imagenet", "--calibration", "photos"} <= set(make)
    asked = parse(check[3:])
    assert check[:3] == ["python", "-m", "benchmarks.run"]
    assert (asked.options.models, asked.options.precisions) == (("mobilenet_v1",), ("int8",))
    assert (asked.options.runtimes, asked.options.num_threads) == (("onnxruntime",), (1,))


def test_where_nothing_fits_the_nearest_miss_is_named(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, found = answered(capsys, run, *BUDGET, "--precision", "fp32")
    assert status == 1 and found["answers"] == []
    miss = found["nearest_miss"]
    assert miss["model"] == LIGHT  # 5.33 MB and 63.7 %: nothing else is as near
    assert {each["limit"] for each in miss["misses"]} == {"max_size_mb", "min_top1"}
    assert recommend.main([str(run), *map(str, BUDGET), "--precision", "fp32"]) == 1
    said = capsys.readouterr().out
    assert "nothing that was measured fits for certain" in said
    assert "size 5.33 MB is above 5 MB" in said and "is below 65 %" in said


def test_a_person_reads_what_is_certain_and_what_milliseconds_contain(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert recommend.main([str(run), *map(str, BUDGET)]) == 0
    said = capsys.readouterr().out
    assert "fits for certain, the most accurate first (2 ways)" in said
    assert "top-1 of the first: an estimate" in said
    assert "decoding and resizing are not in it" in said
    assert "another machine's" in said
    assert said.rstrip().splitlines()[-2].startswith("  python -m zoo export")


def test_accuracies_taken_in_several_ways_are_not_compared_in_silence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def lines(*models: str) -> str:
        (tmp_path / "results.jsonl").write_text("".join(latency(model, 0.01).to_json() + "\n" for model in models))
        write_environment(ENVIRONMENT, tmp_path)
        assert recommend.main([str(tmp_path), "--max-latency-ms", "50"]) == 0
        return capsys.readouterr().out

    assert "taken in 2 ways" in lines("resnet18", "nin") and "single centre crop" in lines("resnet18", "nin")
    assert "taken in" not in lines("resnet18", "resnet50")


def test_what_nobody_measured_of_integers_is_said_with_the_command_that_does(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = [line for line in (run / "results.jsonl").read_text().splitlines() if '"accuracy"' not in line]
    (run / "results.jsonl").write_text("\n".join(kept) + "\n")
    status, found = answered(capsys, run, *BUDGET, "--data-dir", run)
    assert status == 1
    (said,) = [note for note in found["notes"] if "what int8 costs was not measured" in note]
    assert said.startswith("3 ways would fit")
    asked = parse(shlex.split(said.partition("know: ")[2])[3:]).options
    assert (asked.models, asked.metrics, asked.runtimes) == (("mobilenet_v1",), ("accuracy",), ("onnxruntime",))
    assert (asked.precisions, asked.weights, asked.data_dir) == (("fp32", "int8"), "imagenet", str(run))
    assert recommend.main([str(run), *map(str, BUDGET)]) == 1
    assert "what int8 costs was not measured" in capsys.readouterr().out
    _, without = answered(capsys, run, *BUDGET[:4])  # no accuracy is asked for, so none is missing
    assert not [note for note in without["notes"] if "accuracy" in note]


def test_only_what_is_named_is_chosen_from(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, found = answered(capsys, run, "--models", "mobilenet_v1:width=0.5|0.75", "--precision", "int8")
    assert status == 0
    assert [each["model"] for each in found["answers"]] == [NAME, LIGHT]
    status, found = answered(capsys, run, "--num-threads", 4)
    assert status == 1 and found["nearest_miss"] is None and found["commands"] == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--max-latency-ms", "-1"], "above 0"),
        (["--runtime", "onnx"], "onnxruntime"),
        (["--precision", "int4"], "int8"),
        (["--first-answer", "--percentile", "90"], "fresh process"),
        (["nowhere"], "no records"),
    ],
)
def test_a_wrong_command_line_is_refused_in_one_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        status = recommend.main(arguments)
    except SystemExit as stopped:
        status = int(str(stopped.code))
    error = capsys.readouterr().err.strip()
    assert status == 2 and said in error and len(error.splitlines()) == 1 and len(error) <= 300


# --- measuring first --------------------------------------------------------------------------------------------------


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[Case]:
    """What is measured, by a fake that counts as MobileNet does and times everything at 5 ms."""
    cases: list[Case] = []
    here = observe("")

    def execute(asked: Sequence[Case], environment: Environment, **_options: object) -> Iterator[Record]:
        for case in asked:
            cases.append(case)
            width = (
                0.75 if "0.75" in case.model else 0.5 if "0.5" in case.model else 0.25 if "0.25" in case.model else 1.0
            )
            count = 4.2e6 * width**1.5 if case.model.startswith("mobilenet") else 25e6
            value = Measurement(name="param_count", value=round(count), unit="count")
            if case.metric == "latency":
                timed = latency(case.model, 0.005).measurements[0]
                value = timed
            yield Record(case=case, status="ok", measurements=(value,), machine=here.machine_id, code="now",
                         environment=here.id)  # fmt: skip

    monkeypatch.setattr(recommend, "execute", execute)
    monkeypatch.setattr(recommend, "code_of", lambda case: "now")
    return cases


def test_measuring_takes_what_the_answer_needs_and_nothing_else(
    measured: list[Case], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(tmp_path / "run"), "--measure", "--max-size-mb", "5", "--min-top1", "65", "--num-threads", "1",
                 "--runtime", "onnxruntime", "--precision", "fp32,int8"]  # fmt: skip
    recommend.main(arguments)
    said = capsys.readouterr().err
    counts = [case.model for case in measured if case.metric == "params"]
    timed = {(case.model, case.precision) for case in measured if case.metric == "latency"}
    assert {case.metric for case in measured} == {"params", "latency"}
    assert NAME in counts and "resnet50" in counts
    assert "mobilenet_v1:width=0.25" not in counts and "alexnet" not in counts  # nobody has seen them reach 65 %
    assert ("mobilenet_v1", "int8") in timed and (NAME, "int8") in timed
    assert ("mobilenet_v1", "fp32") not in timed  # 17 MB
    assert not any(model == "resnet50" for model, _ in timed)  # 25 MB even in integers
    assert "timing" in said and "cases first, about 0:0" in said
    before = len(measured)
    recommend.main(arguments)
    assert len(measured) == before  # the records are there


def test_measuring_takes_memory_and_preparation_only_where_they_are_asked_for(
    measured: list[Case], tmp_path: Path
) -> None:
    recommend.main([str(tmp_path / "run"), "--measure", "--models", NAME, "--runtime", "eager", "--precision", "fp32",
                    "--num-threads", "1", "--max-memory-mb", "100", "--end-to-end", "--max-gmacs", "1"])  # fmt: skip
    assert {case.metric for case in measured} == {"params", "mult_adds", "latency", "memory", "preparation"}


def test_what_integers_cost_is_tried_on_a_network_whose_accuracy_is_known(
    measured: list[Case], run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A variant will do. What was trained by the run itself lies in its folder, and what is gone is no help."""
    kept = [line for line in (run / "results.jsonl").read_text().splitlines() if '"accuracy"' not in line]
    arguments = [str(run), "--measure", *map(str, BUDGET), "--models", NAME, "--runtime", "onnxruntime"]
    file = trained(run / "net.safetensors", CLASSES)
    own = trained(run / "trained" / "one" / "best.safetensors", ("cat", "dog", "red fox"))
    photos = folder(tmp_path / "photos", {"train": 1, "test": 1})
    tested = answered_rightly(SMALL, [True, False], runtime="eager", precision="fp32", weights_path=str(file))
    gone = answered_rightly(SMALL, [True, False], runtime="eager", precision="fp32", weights_path=f"{file}.old")
    other = answered_rightly("resnet18", [True, False], runtime="eager", precision="fp32", weights_path=str(file))
    (top1,) = (each for each in tested.measurements if each.name == "top1")
    details = {**top1.details, "weights_file": "trained/one/best.safetensors"}
    made = dataclasses.replace(
        tested, measurements=(dataclasses.replace(top1, details=details),),
        case=dataclasses.replace(tested.case, weights_path="", weights="", recipe="scratch", dataset="folder",
                                 data_dir=str(photos), img_size=0, train_img_size=32),
    )  # fmt: skip
    for records, where, weights in (
        ([gone, other], None, None), ([gone, tested, other], "fashion_mnist", file), ([made], "folder", own),
    ):  # fmt: skip
        (run / "results.jsonl").write_text(
            "".join(f"{line}\n" for line in [*kept, *(each.to_json() for each in records)])
        )
        measured.clear()
        recommend.main(arguments)
        tries = [case for case in measured if case.metric == "accuracy"]
        said = capsys.readouterr()
        assert ("testing 2 cases first" in said.err) == bool(where)
        assert [(case.model, case.runtime, case.precision, case.dataset) for case in tries] == (
            [(SMALL, "onnxruntime", precision, where) for precision in ("fp32", "int8")] if where else []
        )
        assert {case.weights_path for case in tries} <= {str(weights)}


def test_no_network_is_trained_to_answer_a_budget(measured: list[Case], run: Path) -> None:
    """As one would be whose file does not know the classes of the images."""
    kept = [line for line in (run / "results.jsonl").read_text().splitlines() if '"accuracy"' not in line]
    file = trained(run / "net.safetensors", ("cat", "dog", "red fox"))
    tested = answered_rightly(SMALL, [True, False], runtime="eager", precision="fp32", weights_path=str(file))
    (run / "results.jsonl").write_text("".join(f"{line}\n" for line in [*kept, tested.to_json()]))
    recommend.main([str(run), "--measure", *map(str, BUDGET), "--models", NAME, "--runtime", "onnxruntime"])
    assert not [case for case in measured if case.metric == "accuracy"]


def test_what_integers_cost_is_tried_with_published_weights_where_there_are_images(
    measured: list[Case], run: Path, tmp_path: Path
) -> None:
    kept = [line for line in (run / "results.jsonl").read_text().splitlines() if '"accuracy"' not in line]
    (run / "results.jsonl").write_text("".join(f"{line}\n" for line in kept))
    (tmp_path / "imagenet").mkdir()
    arguments = [str(run), "--measure", *map(str, BUDGET), "--models", NAME, "--runtime", "onnxruntime"]
    recommend.main([*arguments, "--data-dir", str(tmp_path / "imagenet")])
    tries = [case for case in measured if case.metric == "accuracy"]
    assert [(case.model, case.precision, case.dataset) for case in tries] == [
        (NAME, precision, "imagenet") for precision in ("fp32", "int8")
    ]
    assert {case.weights_path for case in tries} == {"imagenet"}
    measured.clear()
    recommend.main([str(run), "--measure", *map(str, BUDGET[:4]), *arguments[-4:], "--data-dir", str(tmp_path)])
    assert not [case for case in measured if case.metric == "accuracy"]  # no accuracy is asked for


def test_the_shipped_report_is_never_measured_into(capsys: pytest.CaptureFixture[str]) -> None:
    assert recommend.main([str(recommend.SHIPPED), "--measure"]) == 2
    assert "shipped report" in capsys.readouterr().err


def test_two_looks_at_one_question_are_one_way(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    again = latency(LIGHT, 0.020, runtime="onnxruntime", precision="int8", num_threads=1)
    again = dataclasses.replace(again, case=dataclasses.replace(again.case, effort=(("max_time", 9.0),)))
    with (run / "results.jsonl").open("a") as file:
        file.write(again.to_json() + "\n")
    _, found = answered(capsys, run, "--models", LIGHT, "--precision", "int8")
    (answer,) = found["answers"]
    assert answer["latency_ms"] > 20
