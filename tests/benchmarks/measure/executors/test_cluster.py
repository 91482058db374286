"""Runs on a cluster of three nodes of one processor, of which some die: every case exactly once, as on one machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from benchmarks.records.record import Record
from benchmarks.records.store import RECORDS, read_records

pytest.importorskip("ray", reason="pip install '.[ray]'")
cluster_utils = pytest.importorskip("ray.cluster_utils")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # Ray's own
]
ROOT = Path(__file__).resolve().parents[4]
MODELS = "resnet18,resnet50,alexnet,nin,vgg11_bn,googlenet"
AddNode = Callable[..., Any]
SETTINGS = {
    "PYTHONPATH": str(ROOT), "RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0",
    "OMP_NUM_THREADS": "1",
}  # fmt: skip


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A head without processors; nodes are added by the tests."""
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    made = cluster_utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    yield made
    made.shutdown()


def add(cluster: Any, **variables: str) -> Any:
    return cluster.add_node(num_cpus=1, object_store_memory=80 << 20, env_vars={"FAKE_SECONDS": "0.5", **variables})


def start(cluster: Any, folder: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.benchmarks.fake_run", "--output-dir", str(folder), "--executor", "ray",
               "--address", cluster.address, *arguments]  # fmt: skip
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> str:
    said = process.communicate(timeout=300)[1]
    assert process.returncode == 0, said
    return said


def records(folder: Path) -> tuple[Record, ...]:
    return read_records(folder / RECORDS).records


def wait_for(folder: Path, count: int) -> None:
    deadline = time.monotonic() + 120
    while len(records(folder)) < count and time.monotonic() < deadline:
        time.sleep(0.1)


def test_a_node_that_dies_costs_nothing_and_every_case_is_answered_once(cluster: Any, tmp_path: Path) -> None:
    nodes = [add(cluster) for _ in range(3)]
    process = start(cluster, tmp_path, "--models", MODELS, "--metrics", "accuracy,params")
    wait_for(tmp_path, 5)
    cluster.remove_node(nodes[0], allow_graceful=False)
    said = finish(process)
    assert "is gone" in said
    counts = Counter(record.case for record in records(tmp_path))
    assert set(counts.values()) == {1} and {record.status for record in records(tmp_path)} == {"ok"}
    alone = tmp_path / "local"
    command = [sys.executable, "-m", "tests.benchmarks.fake_run", "--output-dir", str(alone), "--models", MODELS,
               "--metrics", "accuracy,params"]  # fmt: skip
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    answers = {record.case: record.value("param_count") for record in records(alone)}
    assert {record.case: record.value("param_count") for record in records(tmp_path)} == answers
    assert all(record.where["nice"] == 0 and record.where["node"] for record in records(tmp_path))


def test_a_driver_that_is_killed_leaves_nothing_but_records_to_go_on_from(cluster: Any, tmp_path: Path) -> None:
    for _ in range(2):
        add(cluster)
    process = start(cluster, tmp_path, "--models", MODELS, "--metrics", "accuracy")
    wait_for(tmp_path, 2)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = len(records(tmp_path))
    said = finish(start(cluster, tmp_path, "--models", MODELS, "--metrics", "accuracy"))
    assert f"{before} of 6 cases are done already" in said
    assert set(Counter(record.case for record in records(tmp_path)).values()) == {1}


def test_kinds_of_nodes_have_records_and_a_page_of_their_own(cluster: Any, tmp_path: Path) -> None:
    for kind in ("small", "large", "large"):
        add(cluster, BENCHMARKS_MACHINE=kind)
    finish(start(cluster, tmp_path, "--models", MODELS, "--metrics", "memory,params"))
    counts = Counter((record.case.metric, record.case.model) for record in records(tmp_path))
    assert {metric: count for (metric, _), count in counts.items()} == {"memory": 2, "params": 1}
    assert len({record.machine for record in records(tmp_path) if record.case.metric == "memory"}) == 2


def test_a_node_with_another_version_says_so_and_takes_no_case(cluster: Any, tmp_path: Path) -> None:
    other = tmp_path / "other" / "numpy-0.0.1.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 0.0.1\n")
    add(cluster)
    add(cluster, PYTHONPATH=f"{other.parent}{os.pathsep}{ROOT}", BENCHMARKS_MACHINE="outdated")
    said = finish(start(cluster, tmp_path / "run", "--models", "resnet18,nin", "--metrics", "params,memory"))
    assert "is left out: numpy 0.0.1 instead of" in said
    assert len(records(tmp_path / "run")) == 4


def test_what_no_node_can_hold_is_a_row_within_seconds(cluster: Any, tmp_path: Path) -> None:
    add(cluster)
    process = start(cluster, tmp_path, "--models", "resnet18", "--metrics", "accuracy", "--num-threads", "64")
    process.communicate(timeout=120)
    assert process.returncode == 1
    assert [record.reason for record in records(tmp_path)] == [
        "needs 64 processors and 0 GPUs on one node; the largest have 1 processors and 0 GPUs"
    ]


def test_two_nodes_train_one_network_together_as_two_processes_of_one_machine(cluster: Any, tmp_path: Path) -> None:
    for _ in range(2):
        add(cluster)
    job = ["--models", "mobilenet_v1:width=0.25", "--metrics", "accuracy", "--nproc", "2", "--num-threads", "1",
           "--quick", "--img-size", "32"]  # fmt: skip
    answers = []
    for name, where in (("ray", ["--executor", "ray", "--address", cluster.address]), ("local", [])):
        command = [sys.executable, "-m", "benchmarks.run", *job, *where, "--output-dir", str(tmp_path / name)]
        done = subprocess.run(command, cwd=ROOT, env=os.environ | SETTINGS, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        (record,) = records(tmp_path / name)
        answers.append(record.find("top1").details["answers"])  # type: ignore[union-attr]
        assert len(record.where.get("nodes", ())) == (2 if where else 0) and record.where["threads"] == 1
    assert answers[0] == answers[1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_after_a_signal_nothing_of_a_run_with_its_own_cluster_is_left(tmp_path: Path, number: int) -> None:
    command = [sys.executable, "-m", "tests.benchmarks.fake_run", "--output-dir", str(tmp_path), "--executor", "ray",
               "--models", MODELS, "--metrics", "accuracy"]  # fmt: skip
    environment = os.environ | SETTINGS | {"FAKE_SECONDS": "3"}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
    started: set[psutil.Process] = set()
    while process.poll() is None and not any("multiprocessing.forkserver" in _told(each) for each in started):
        started |= {*psutil.Process(process.pid).children(recursive=True)}
        time.sleep(0.2)
    time.sleep(2)
    started |= {*psutil.Process(process.pid).children(recursive=True)}
    process.send_signal(number)
    process.communicate(timeout=60)
    deadline = time.monotonic() + 70
    while (left := [each for each in started if _lives(each)]) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert left == []
    assert process.returncode == (-number if number == signal.SIGKILL else 128 + number)


def _told(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
