"""The whole command: faults cost their own row, and a killed run loses nothing."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

import zoo
from benchmarks.measure.engine import execute
from benchmarks.records.environment import effective_cpus, observe
from benchmarks.records.record import Case
from benchmarks.records.store import RECORDS, read_records
from tests.benchmarks import fake_run

ROOT = Path(__file__).resolve().parents[2]


def command(folder: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "tests.benchmarks.fake_run", "--output-dir", str(folder), *arguments]


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(folder, *arguments), cwd=ROOT, capture_output=True, text=True, timeout=120)


def test_every_fault_costs_its_own_row_and_nothing_else(tmp_path: Path) -> None:
    models = ["resnet18", *fake_run.FATES, "alexnet"]
    ended = run(tmp_path, "--models", ",".join(models), "--metrics", "params", "--timeout", "5")
    assert ended.returncode == 1, ended.stderr
    records = {each.case.model: each for each in read_records(tmp_path / RECORDS).records}
    assert {model: each.status for model, each in records.items()} == {
        "resnet18": "ok", "vgg11": "crashed", "vgg13": "crashed", "vgg16": "crashed", "vgg19": "timeout",
        "resnet34": "failed", "resnet152": "oom", "alexnet": "ok",
    }  # fmt: skip
    assert "SIGKILL" in records["vgg11"].reason
    assert "SIGSEGV" in records["vgg13"].reason
    assert "status 3" in records["vgg16"].reason
    assert "5 s" in records["vgg19"].reason and "_hang" in records["vgg19"].reason
    assert records["resnet34"].reason == "RuntimeError: it does not work"
    assert all(model in ended.stderr for model in fake_run.FATES)
    assert "Traceback" not in ended.stderr


def test_what_is_skipped_although_it_was_named_ends_with_1(tmp_path: Path) -> None:
    ended = run(tmp_path, "--models", "alexnet,resnet18", "--metrics", "activations", "--img-size", "32")
    assert ended.returncode == 1
    assert "1 cases that were asked for by name were skipped" in ended.stderr


def test_the_same_command_repeats_only_what_failed(tmp_path: Path) -> None:
    arguments = ("--models", "resnet18,resnet34,alexnet", "--metrics", "params,activations")
    run(tmp_path, *arguments)
    before = len(read_records(tmp_path / RECORDS).records)
    again = run(tmp_path, *arguments)
    assert "5 of 6 cases are done already" in again.stderr
    assert len(read_records(tmp_path / RECORDS).records) == before + 1
    assert again.returncode == 1


def test_the_same_command_again_has_nothing_to_do_and_says_so(tmp_path: Path) -> None:
    arguments = ("--models", "resnet18", "--metrics", "params")
    assert run(tmp_path, *arguments).returncode == 0
    before = (tmp_path / RECORDS).read_bytes()
    again = run(tmp_path, *arguments)
    assert again.returncode == 0, again.stderr
    assert "1 of 1 cases are done already" in again.stderr and "Traceback" not in again.stderr
    assert (tmp_path / RECORDS).read_bytes() == before


@pytest.mark.skipif(effective_cpus() < 2, reason="one processor")
def test_trainings_run_side_by_side_on_a_thread_each_in_a_process_of_its_own(tmp_path: Path) -> None:
    models = ("resnet18", "resnet34", "resnet50", "alexnet")
    ended = run(tmp_path, "--models", ",".join(models), "--metrics", "accuracy", "--timeout", "0.1")
    assert ended.returncode == 0, ended.stderr  # a training takes as long as it takes
    records = read_records(tmp_path / RECORDS).records
    assert {each.case.model for each in records} == set(models)
    assert {each.case.train_threads for each in records} == {1}
    spans = sorted(each.measurements[0].details["span"] for each in records)
    assert spans[1][0] < spans[0][1]
    assert all(each.seconds < 2 for each in records)
    assert len({each.measurements[0].details["pid"] for each in records}) == len(models)


def test_counts_share_processes(tmp_path: Path) -> None:
    run(tmp_path, "--models", "resnet18,resnet50,alexnet,nin,googlenet", "--metrics", "params,activations")
    pids = {each.measurements[0].details["pid"] for each in read_records(tmp_path / RECORDS).records}
    assert len(pids) <= effective_cpus()


def test_ctrl_c_stops_trainings_side_by_side(tmp_path: Path) -> None:
    with subprocess.Popen(
        command(tmp_path, "--models", "resnet*,vgg*", "--metrics", "accuracy"),
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        while _lines(tmp_path) < 1:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted" in said and "Traceback" not in said
    assert _lines(tmp_path) < 9


def test_stale_records_are_said_and_measured_again(tmp_path: Path) -> None:
    arguments = ("--models", "resnet18", "--metrics", "params")
    run(tmp_path, *arguments)
    path = tmp_path / RECORDS
    record = json.loads(path.read_text())
    path.write_text(json.dumps(record | {"code": "older"}) + "\n")
    again = run(tmp_path, *arguments)
    assert "1 records are stale and not used: made by other code" in again.stderr
    assert len(read_records(path).records) == 2


@pytest.mark.parametrize("kills", [3, pytest.param(30, marks=pytest.mark.slow)])
def test_killed_at_random_moments_every_case_is_there_once(kills: int, tmp_path: Path) -> None:
    moments = random.Random(7)
    models = [name for name in zoo.list_models() if name not in fake_run.FATES]
    arguments = ("--models", ",".join(models), "--metrics", "params,mult_adds,activations")
    for _ in range(kills):
        with subprocess.Popen(
            command(tmp_path, *arguments), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            earlier = _lines(tmp_path)
            while _lines(tmp_path) == earlier and process.poll() is None:
                time.sleep(0.01)  # let it get as far as measuring
            time.sleep(moments.uniform(0, 0.05))
            process.send_signal(signal.SIGKILL)
    kept = read_records(tmp_path / RECORDS).records
    ended = run(tmp_path, *arguments)
    assert ended.returncode == 0, ended.stderr
    records = read_records(tmp_path / RECORDS).records
    assert records[: len(kept)] == kept
    assert set(Counter(each.case for each in records).values()) == {1}
    assert len(records) == 3 * len(models)


def _lines(folder: Path) -> int:
    path = folder / RECORDS
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_ctrl_c_ends_with_130_and_goes_on(tmp_path: Path) -> None:
    arguments = ("--models", "resnet18,vgg19", "--metrics", "params")
    with subprocess.Popen(
        command(tmp_path, *arguments), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        while _lines(tmp_path) < 1:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted" in said and "Traceback" not in said
    assert [each.case.model for each in read_records(tmp_path / RECORDS).records] == ["resnet18"]


def test_a_second_run_is_refused_in_one_line(tmp_path: Path) -> None:
    with subprocess.Popen(
        command(tmp_path, "--models", "vgg19", "--metrics", "params"), cwd=ROOT, stderr=subprocess.DEVNULL
    ) as process:
        while not (tmp_path / RECORDS).exists():
            time.sleep(0.01)
        second = run(tmp_path, "--models", "resnet18", "--metrics", "params")
        process.kill()
    assert second.returncode == 1
    assert "another run" in second.stderr and second.stderr.count("\n") == 1


def test_a_full_disk_ends_with_one_line_and_whole_records(tmp_path: Path) -> None:
    def small_disk() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500))  # room for one or two records

    arguments = ("--models", "resnet*", "--metrics", "params,mult_adds,activations", "--exclude", "resnet34,resnet152")
    ended = subprocess.run(
        command(tmp_path, *arguments), cwd=ROOT, capture_output=True, text=True, timeout=120, preexec_fn=small_disk
    )
    assert ended.returncode == 1
    assert "cannot write" in ended.stderr and "Traceback" not in ended.stderr
    found = read_records(tmp_path / RECORDS)
    assert found.records and not found.notices


def test_records_that_are_no_file_end_with_one_line(tmp_path: Path) -> None:
    (tmp_path / RECORDS).symlink_to(os.devnull)
    ended = run(tmp_path, "--models", "resnet18", "--metrics", "params")
    assert ended.returncode == 1
    assert "not a regular file" in ended.stderr and ended.stderr.count("\n") == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_read_only_folder_ends_with_one_line(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    ended = run(tmp_path / "reports", "--models", "resnet18", "--metrics", "params")
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1


def test_what_a_measurement_says_is_kept_and_said(tmp_path: Path) -> None:
    """A note of the metric, a warning and a message of the zoo, each one line; chatter of others is not."""
    ended = run(tmp_path, "--models", f"{fake_run.TALKATIVE},resnet18", "--metrics", "params")
    assert ended.returncode == 0, ended.stderr
    notes = {each.case.model: each.notes for each in read_records(tmp_path / RECORDS).records}
    expected = ("folders left out: a, b", "packed is not used for googlenet: it is wrong", "the weights were guessed")
    assert notes == {fake_run.TALKATIVE: expected, "resnet18": ()}
    said = [line for line in ended.stderr.splitlines() if line.startswith("note: ")]
    assert said == [f"note: params {fake_run.TALKATIVE}: {note}" for note in expected]


@pytest.mark.slow
def test_real_networks_are_measured() -> None:
    """Every metric but accuracy on a real network, through real processes."""
    effort = (("max_time", 0.2), ("rounds", 3), ("target_ci", 0.02))
    model = "mobilenet_v1:resolution=64,width=0.25"
    cases = [
        Case(metric=metric, model=model, img_size=64, num_threads=threads, effort=effort if timed else ())
        for metric, threads, timed in (
            ("params", 0, False), ("mult_adds", 0, False), ("activations", 0, False), ("memory", 1, False),
            ("layers", 1, False), ("latency", 1, True), ("throughput", 1, True),
        )
    ]  # fmt: skip
    records = {each.case.metric: each for each in execute(cases, observe("test"), timeout=300)}
    assert {name: (each.status, each.reason) for name, each in records.items()} == {
        case.metric: ("ok", "") for case in cases
    }
    assert records["params"].value("param_count") == 470_072
    counts = records["mult_adds"].find("mult_adds")
    assert counts is not None and len(set(counts.details["counts"].values())) == 1
    weights = records["memory"].value("weights_bytes")
    assert weights == 4 * 470_072
    assert (records["memory"].value("peak_rss_bytes") or 0) > weights
    assert (records["memory"].value("activations_peak_bytes") or 0) >= 4 * 8 * 32 * 32
    rows = [each for each in records["layers"].measurements if each.name.startswith("row:")]
    assert sum(each.details["mult_adds"] for each in rows) == counts.value
    assert (records["latency"].value("latency_s") or 0) > 0
    assert (records["throughput"].value("samples_per_sec") or 0) > 0
