"""Several processes train and evaluate as one."""

from __future__ import annotations

import os
import signal
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import torch

import zoo
from tests.zoo.training.several import together
from tests.zoo.training.small import Few, three_colours, tiny
from zoo.data.dataset import Data
from zoo.data.joined import Joined
from zoo.training.checkpoints import read_checkpoint
from zoo.training.course import Progress
from zoo.training.loop import Run
from zoo.training.processes import Team, store_of_this_start, team
from zoo.training.recipes import recipe

# --- who is shown what ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 3, 4])
@pytest.mark.parametrize("count", [1, 2, 7, 8, 9, 12, 25])
def test_every_image_of_an_epoch_is_shown_to_one_process_and_all_have_as_many_batches(size: int, count: int) -> None:
    order = torch.randperm(count, generator=torch.Generator().manual_seed(0))
    shown: list[int] = []
    batches = set()
    for rank in range(size):
        crew = Team(rank=rank, size=size)
        own = crew.share(order, 2).split(2)
        batches.add(len(own))
        shown += [int(each) for number, batch in enumerate(own) if crew.counts(number, count, 2) for each in batch]
    assert sorted(shown) == list(range(count))
    assert batches == {-(-count // (2 * size))}


def test_the_images_of_a_step_are_the_same_however_many_share_them() -> None:
    order = torch.randperm(24)
    alone = [set(step.tolist()) for step in order.split(6)]
    for size in (2, 3):
        shares = [Team(rank=rank, size=size).share(order, 6 // size).split(6 // size) for rank in range(size)]
        assert [set(torch.cat(step).tolist()) for step in zip(*shares, strict=True)] == alone


# --- one step ---------------------------------------------------------------------------------------------------------


def doubled(batch: Any, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    return batch.images.double(), batch.labels


def stepped(batch_size: int, accumulation: int, auxiliary: bool, count: int) -> dict[str, torch.Tensor]:
    """The gradients of the last step of an epoch, in double precision."""
    model = tiny(classes=3, norm=False, auxiliary=auxiliary).double()
    chosen = recipe("sample", **{**SGD_FIELDS, "batch_size": batch_size, "grad_accum_steps": accumulation})
    with patch("zoo.training.loop.to_device", doubled), patch("zoo.training.evaluation.to_device", doubled):
        run = Run(model, three_colours(count, 5), chosen, seed=0)
        run.epoch()
    return {name: each.grad for name, each in model.named_parameters() if each.grad is not None}


SGD_FIELDS = {"opt": "sgd", "lr": 0.1, "momentum": 0.0, "warmup": 0.0, "sched": "constant", "epochs": 1, "mirror": True}


@pytest.mark.parametrize(
    ("size", "batch_size", "accumulation", "auxiliary", "count"),
    [
        (2, 6, 1, False, 12),
        (3, 4, 1, False, 12),
        (2, 3, 2, True, 12),
        (3, 4, 1, False, 14),  # of the second step one process is shown what does not count
        (2, 6, 1, False, 13),
    ],
)
def test_the_same_images_give_the_same_gradients(
    size: int, batch_size: int, accumulation: int, auxiliary: bool, count: int
) -> None:
    wanted = stepped(12, 1, auxiliary, count)
    found = together(size, stepped, batch_size, accumulation, auxiliary, count)
    for gradients in found:
        assert gradients.keys() == wanted.keys()
        for name, gradient in gradients.items():
            assert torch.allclose(gradient, wanted[name], rtol=0, atol=1e-6), name
            assert torch.equal(gradient, found[0][name]), name


# --- evaluation -------------------------------------------------------------------------------------------------------


def evaluated(images: Any) -> tuple[int, int, float, torch.Tensor, list[int]]:
    found = zoo.evaluate(tiny(classes=3), images, batch_size=50)
    return found.images, found.correct, found.loss, found.top, sorted(found.unreadable)


@pytest.mark.parametrize("size", [2, 3])
def test_every_image_is_counted_once_and_all_know_the_figures(size: int) -> None:
    images = Few([position % 3 for position in range(1001)], broken=(7, 1000))
    alone = evaluated(images)
    assert alone[0] == 999
    for found in together(size, evaluated, images):
        assert found[:2] == alone[:2] and found[4] == alone[4] == [7, 1000]
        assert found[2] == pytest.approx(alone[2], rel=1e-6)
        assert torch.equal(found[3], alone[3])


def test_fewer_images_than_processes() -> None:
    assert [found[0] for found in together(3, evaluated, Few([0, 1]))] == [2, 2, 2]


def test_parts_are_shared_too() -> None:
    images = Joined([Few([0, 1, 2, 0]), Few([1, 2, 0])])  # type: ignore[list-item]
    alone = evaluated(images)
    assert all(torch.equal(found[3], alone[3]) for found in together(2, evaluated, images))


# --- a whole training -------------------------------------------------------------------------------------------------

CHOSEN = recipe("finetune", epochs=3, batch_size=4, head_epochs=1, patience=3)


def trained(
    path: Path | None, stop: int = 0, whose: int = 0, number: int = signal.SIGTERM, count: int = 21
) -> dict[str, Any]:
    """A training in one of several processes; a signal reaches one of them at its progress number `stop`."""
    told, notes = 0, list[str]()

    def count_them(progress: Progress) -> None:
        nonlocal told
        told += 1
        if told == stop and team().rank == whose:
            os.kill(os.getpid(), number)

    model = network()
    status = 0
    try:
        with patch("zoo.training.curves.draw"):
            zoo.train(
                model, colours(count), CHOSEN, output_dir=path, workers=0, on_progress=count_them, on_note=notes.append
            )
    except KeyboardInterrupt as stopped:
        status = stopped.status  # type: ignore[attr-defined]
    return {"status": status, "notes": notes, "weights": {k: v.clone() for k, v in model.state_dict().items()}}


def network() -> zoo.Classifier:
    torch.manual_seed(0)
    return zoo.create("mobilenet_v1:shallow=true,width=0.1", num_classes=3)


def colours(count: int) -> Data:
    return three_colours(count, 9, 6, img_size=32)


@pytest.mark.parametrize(("size", "count"), [(2, 21), pytest.param(3, 13, marks=pytest.mark.slow)])
def test_all_end_with_the_same_weights_and_one_writes(tmp_path: Path, size: int, count: int) -> None:
    found = together(size, trained, tmp_path / "run", 0, 0, 0, count)
    for other in found[1:]:
        assert all(torch.equal(tensor, found[0]["weights"][name]) for name, tensor in other["weights"].items())
    best = zoo.load(tmp_path / "run" / "best.safetensors").state_dict()
    assert all(torch.equal(tensor, found[0]["weights"][name]) for name, tensor in best.items())
    rows = (tmp_path / "run" / "summary.csv").read_text().splitlines()
    assert [row.partition(",")[0] for row in rows] == ["epoch", "1", "2", "3"]


@pytest.mark.parametrize(
    ("stop", "whose", "number"),
    [
        (2, 1, signal.SIGUSR1),
        pytest.param(5, 0, signal.SIGTERM, marks=pytest.mark.slow),
        pytest.param(9, 1, signal.SIGUSR2, marks=pytest.mark.slow),
    ],
)
def test_a_signal_to_one_stops_all_and_they_go_on_to_the_same_bits(
    tmp_path: Path, stop: int, whose: int, number: int
) -> None:
    whole = together(2, trained, None)
    assert all(torch.equal(tensor, whole[1]["weights"][name]) for name, tensor in whole[0]["weights"].items())
    stopped = together(2, trained, tmp_path / "run", stop, whose, number)
    assert [each["status"] for each in stopped] == [128 + number] * 2
    assert read_checkpoint(tmp_path / "run") is not None
    again = together(2, trained, tmp_path / "run")
    assert any(note.startswith("goes on in") for note in again[0]["notes"])
    assert all(torch.equal(tensor, whole[0]["weights"][name]) for name, tensor in again[0]["weights"].items())


@pytest.mark.parametrize(("before", "after"), [(2, 1), pytest.param(1, 3, marks=pytest.mark.slow)])
def test_another_number_of_processes_goes_on(tmp_path: Path, before: int, after: int) -> None:
    together(before, trained, tmp_path / "run", 5)
    found = together(after, trained, tmp_path / "run")
    assert any(f"with {after} processes instead of {before}" in note for note in found[0]["notes"])
    rows = (tmp_path / "run" / "summary.csv").read_text().splitlines()
    assert [row.partition(",")[0] for row in rows] == ["epoch", "1", "2", "3"]


# --- one start after another ------------------------------------------------------------------------------------------


PATIENCE_S = 20  # with what hangs if it is wrong


def met(store: Any, size: int) -> list[str]:
    """What each process of one start leaves for the others, by rank, read by the next one."""
    ready, start = threading.Barrier(size), uuid.uuid4().hex

    def member(rank: int) -> str:
        own = store_of_this_start(store, rank, size)
        own.set(f"address {rank}", f"{start} {rank}")
        found: str = own.get(f"address {(rank + 1) % size}").decode()
        ready.wait(PATIENCE_S)
        return found

    with ThreadPoolExecutor(size) as members:
        return list(members.map(member, range(size)))


@pytest.mark.parametrize("size", [2, 3])
def test_nothing_is_read_that_an_earlier_start_left(size: int) -> None:
    store = torch.distributed.HashStore()
    store.set_timeout(timedelta(seconds=PATIENCE_S))
    for asks in (None, "nobody who is still there"):
        if asks is not None:  # one that came and was killed before the others were there
            store.set(f"question {size - 1}", asks)
        starts = [met(store, size) for _ in range(3)]
        for found in starts:
            (start,) = {each.split()[0] for each in found}
            assert found == [f"{start} {(rank + 1) % size}" for rank in range(size)]


def test_who_does_not_come_is_named() -> None:
    store = torch.distributed.HashStore()
    store.set_timeout(timedelta(milliseconds=50))
    with pytest.raises(torch.distributed.DistStoreError, match=r"of 3 processes, counted from 0, 1, 2 did not come"):
        store_of_this_start(store, 0, 3)


# --- when one of them fails -------------------------------------------------------------------------------------------


def failing(path: Path, whose: int, how: str) -> None:
    """A training in which one process fails at its second step."""
    told = 0

    def fail(progress: Progress) -> None:
        nonlocal told
        told += 1
        if told == 2 and team().rank == whose:
            if how == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            raise ZeroDivisionError("the true cause")

    zoo.train(network(), colours(21), CHOSEN, output_dir=path, workers=0, on_progress=fail)


@pytest.mark.parametrize(
    ("how", "found"),
    [("raise", ["PeerLost", "ZeroDivisionError", "PeerLost"]), ("kill", ["PeerLost", "ended with -9", "PeerLost"])],
)
def test_the_others_notice_at_once(tmp_path: Path, how: str, found: list[str]) -> None:
    assert together(3, failing, tmp_path / "run", 1, how) == found


def diverging() -> None:
    chosen = recipe("sample", **{**SGD_FIELDS, "batch_size": 4, "lr": 1e30, "epochs": 3})
    zoo.train(tiny(classes=3, norm=False), colours(24), chosen, workers=0)


def test_a_loss_that_is_not_finite_ends_all_alike() -> None:
    assert together(2, diverging) == ["TrainingFailed", "TrainingFailed"]


def refused(path: Path) -> None:
    zoo.train(network(), colours(21), CHOSEN, output_dir=path, workers=0)


def test_a_folder_that_is_refused_is_refused_by_all(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("all of it")
    assert together(2, refused, tmp_path) == ["DataError", "DataError"]


def odd_one_out() -> None:
    seed = team().rank
    zoo.train(network(), colours(21), CHOSEN, seed=seed, workers=0)


def test_processes_that_would_train_different_things_are_refused() -> None:
    assert together(2, odd_one_out) == ["DataError", "DataError"]
