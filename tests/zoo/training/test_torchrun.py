"""`zoo train` and `zoo evaluate` under torchrun, as they are typed."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.zoo.training.small import folder_of_colours

pytestmark = pytest.mark.slow

MODEL = "mobilenet_v1:resolution=32,shallow=true,width=0.1"
END_S = 30.0  # within which all processes have to be gone


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of_colours(tmp_path_factory.mktemp("data") / "photos", {"blue": 24, "green": 24, "red": 24})


def started(command: str, *, processes: int = 2, restarts: int = 0) -> subprocess.Popen[str]:
    """torchrun with a command of the zoo."""
    line = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    line += ["--max-restarts", str(restarts), "-m", "zoo", *shlex.split(command)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def train(photos: Path, path: Path, epochs: int, more: str = "") -> str:
    return (
        f"train --model {MODEL} --data {photos} --batch-size 8 --workers 0 --device cpu --epochs {epochs} "
        f"--output-dir {path} {more}"
    )


def ranks(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """The processes that torchrun started, by rank."""
    children = psutil.Process(process.pid).children()
    return sorted(children, key=lambda child: int(child.environ().get("RANK", "-1")))


def wait_for(path: Path) -> None:
    until = time.monotonic() + 120
    while not path.exists() and time.monotonic() < until:
        time.sleep(0.1)
    assert path.exists()


def ours(err: str) -> list[str]:
    return [line for line in err.splitlines() if line.startswith("zoo train: ")]


def test_two_trainings_side_by_side_and_the_evaluation_of_one(photos: Path, tmp_path: Path) -> None:
    both = [started(train(photos, tmp_path / name, 2)) for name in ("one", "other")]
    for process in both:
        _, err = process.communicate(timeout=200)
        assert process.returncode == 0, err
        assert "16 images a step = 8 x 2 processes x 1 accumulation" in err
        assert err.count("new training in") == 1
    recorded = json.loads((tmp_path / "one" / "config.json").read_text(encoding="utf-8"))["result"]["val"]
    evaluation = started(
        f"evaluate --weights {tmp_path / 'one' / 'best.safetensors'} --data {photos} --json", processes=3
    )
    out, err = evaluation.communicate(timeout=200)
    assert evaluation.returncode == 0, err
    found = json.loads(out)
    assert (found["images"], found["correct"]) == (recorded["images"], recorded["correct"])


def test_a_kill_ends_all_with_one_line_and_the_same_command_goes_on(photos: Path, tmp_path: Path) -> None:
    process = started(train(photos, tmp_path / "run", 500))
    wait_for(tmp_path / "run" / "last.ckpt")
    members = ranks(process)
    killed = time.monotonic()
    members[1].kill()
    _, err = process.communicate(timeout=120)
    assert time.monotonic() - killed < END_S
    assert process.returncode != 0
    assert "process 1 of 2, counted from 0, ended without a word" in ours(err)[-1]
    assert err.count("without a word") == 1
    assert "Traceback" not in "".join(ours(err))
    assert not any(member.is_running() and member.status() != psutil.STATUS_ZOMBIE for member in members)


def test_a_restart_goes_on_from_the_last_checkpoint(photos: Path, tmp_path: Path) -> None:
    process = started(train(photos, tmp_path / "run", 40), restarts=2)
    wait_for(tmp_path / "run" / "last.ckpt")
    ranks(process)[1].kill()
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert err.count("new training in") == 1 and err.count("goes on in") == 1
    rows = (tmp_path / "run" / "summary.csv").read_text().splitlines()[1:]
    assert [row.partition(",")[0] for row in rows] == [str(number) for number in range(1, 41)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_to_one_process_leaves_a_checkpoint(photos: Path, tmp_path: Path, number: signal.Signals) -> None:
    process = started(train(photos, tmp_path / "run", 500))
    wait_for(tmp_path / "run" / "last.ckpt")
    sent = time.monotonic()
    ranks(process)[1].send_signal(number)
    _, err = process.communicate(timeout=120)
    assert time.monotonic() - sent < END_S
    assert err.count("the same command goes on") == 1


def test_what_is_wrong_everywhere_is_said_once(tmp_path: Path) -> None:
    process = started(train(tmp_path / "nowhere", tmp_path / "run", 1))
    _, err = process.communicate(timeout=120)
    assert process.returncode != 0
    assert len(ours(err)) == 1 and "nowhere" in ours(err)[0]
