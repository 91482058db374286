"""A training that is killed at any moment goes on to the very weights it would have had."""

from __future__ import annotations

import csv
import os
import random
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import torch

import zoo
from tests.zoo.training.several import FORKED
from tests.zoo.training.small import three_colours
from zoo.partial import replacing
from zoo.training import checkpoints
from zoo.training.course import Progress
from zoo.training.folder import Finished
from zoo.training.recipes import recipe

CHOSEN = recipe("finetune", epochs=4, batch_size=4, head_epochs=1, patience=4)
KILLS = 10
TOLD = 4 * (5 + 2)  # steps and tests of all epochs: how often a training tells of its progress


def train(path: Path, kill: int = 0, writing: int = 0, patient: bool = False) -> None:
    """A training that kills itself when it has told of its progress so often, or while it writes a checkpoint."""
    torch.set_num_threads(1)
    told, written, save = 0, 0, torch.save

    def count(progress: Progress) -> None:
        nonlocal told
        told += 1
        if told == kill:
            os.kill(os.getpid(), signal.SIGKILL)

    def cut_off(state: Any, target: Path) -> None:
        nonlocal written
        written += 1
        save(state, target)
        if written == writing:
            os.truncate(target, os.path.getsize(target) // 2)
            os.kill(os.getpid(), signal.SIGKILL)

    torch.manual_seed(0)
    model = zoo.create("mobilenet_v1:shallow=true,width=0.1", num_classes=3)
    data = three_colours(20, 9, 6, img_size=32)
    with patch("zoo.training.curves.draw"), patch.object(checkpoints.torch, "save", cut_off), suppress(Finished):
        zoo.train(model, data, CHOSEN, output_dir=path, workers=0, on_progress=count, save_steps=0 if patient else 2)


def ended(task: Callable[..., None], *args: Any, **options: Any) -> int | None:
    """How a process ends that does the task."""
    process = FORKED.Process(target=task, args=args, kwargs=options)
    process.start()
    process.join(120)
    return process.exitcode


def figures(path: Path) -> list[dict[str, str]]:
    with (path / "summary.csv").open(encoding="utf-8", newline="") as file:
        return [{name: value for name, value in row.items() if name != "seconds"} for row in csv.DictReader(file)]


def assert_equal(path: Path, whole: Path) -> None:
    """The same network is kept, the same is the last, and every epoch stands once."""
    assert figures(path) == figures(whole)
    assert (path / "best.safetensors").read_bytes() == (whole / "best.safetensors").read_bytes()
    found, wanted = (torch.load(each / "last.ckpt", weights_only=True) for each in (path, whole))
    for part in ("model", "order", "random", "best"):
        assert str(found[part]) == str(wanted[part]), part
    assert all(torch.equal(tensor, wanted["model"][name]) for name, tensor in found["model"].items())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run") / "whole"
    train(path)
    return path


@pytest.mark.parametrize("options", [{"kill": 9}, {"writing": 3}, {"kill": 12, "patient": True}], ids=str)
def test_a_kill_costs_nothing(whole: Path, tmp_path: Path, options: dict[str, Any]) -> None:
    path = tmp_path / "run"
    assert ended(train, path, **options) == -signal.SIGKILL
    assert ended(train, path) == 0
    assert_equal(path, whole)
    assert not list(path.glob(".*.partial"))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_ten_kills_at_random_moments_cost_nothing(whole: Path, tmp_path: Path, seed: int) -> None:
    """Each after so little that the next begins before it is done: within epochs, tests, phases and writing."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    chance, path = random.Random(seed), tmp_path / "run"
    for _ in range(KILLS):
        options = {chance.choice(("kill", "writing")): chance.randint(1, 3)}
        assert ended(train, path, **options) in (-signal.SIGKILL, 0)
        if (path / "last.ckpt").exists():
            torch.load(path / "last.ckpt", weights_only=True)  # the last good one stays
    ended(train, path)
    assert_equal(path, whole)
    events = EventAccumulator(str(path))
    events.Reload()
    assert [each.step for each in events.Scalars("val_accuracy")] == [1, 2, 3, 4]


def test_a_full_disk_costs_one_line_and_the_last_good_checkpoint_stays(tmp_path: Path) -> None:
    (tmp_path / "last.ckpt").write_bytes(b"the last good one")
    state = {"model": {"weight": torch.zeros(1000)}}
    with (
        patch.object(checkpoints.shutil, "disk_usage", return_value=type("Usage", (), {"free": 100})),
        pytest.raises(zoo.DataError, match="needs 0 MB and 0 MB are free; make room") as refused,
    ):
        checkpoints.write_checkpoint(state, tmp_path)
    with (
        patch.object(checkpoints.torch, "save", side_effect=RuntimeError("PytorchStreamWriter failed writing file")),
        pytest.raises(zoo.DataError, match="the last good one stays") as failed,
    ):
        checkpoints.write_checkpoint(state, tmp_path)
    assert "\n" not in str(refused.value) + str(failed.value)
    assert [entry.name for entry in tmp_path.iterdir()] == ["last.ckpt"]
    assert (tmp_path / "last.ckpt").read_bytes() == b"the last good one"


def test_a_checkpoint_runs_no_code(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "trapped"),)

    with replacing(tmp_path / "last.ckpt") as partial:
        torch.save({"format": 2, "model": Trap()}, partial)
    with pytest.raises(zoo.DataError, match=r"last\.ckpt cannot be read"):
        checkpoints.read_checkpoint(tmp_path)
    assert not (tmp_path / "trapped").exists()
