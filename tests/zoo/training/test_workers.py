"""How many processes read images, and that too little room for them is said and costs nothing else."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import pytest

import zoo
from tests.zoo.training.small import three_colours
from zoo.training import workers
from zoo.training.recipes import recipe
from zoo.training.way import Way

MB = 1 << 20


def limited(free: int, files: int | None = None, wanted: int = 8) -> tuple[int, str]:
    """For batches of 32 images of 3x224x224 bytes, 4.8 MB each."""
    with (
        patch.object(workers.shutil, "disk_usage", return_value=SimpleNamespace(free=free)),
        patch.object(workers, "_open_files", return_value=files),
        patch.object(workers, "SHARED", Path("/")),
    ):
        return workers.limited(wanted, images=32, image_bytes=3 * 224 * 224)


@pytest.mark.parametrize(("free", "number"), [(1024 * MB, 8), (64 * MB, 3), (8 * MB, 0)])
def test_as_many_read_as_there_is_shared_memory_for(free: int, number: int) -> None:
    found, line = limited(free)
    assert found == number
    assert ("--shm-size" in line) == (number < 8) and len(line) <= 300


def test_as_many_read_as_files_may_be_open() -> None:
    assert limited(1024 * MB, files=1024) == (8, "")
    found, line = limited(1024 * MB, files=160)
    assert found == 2 and "ulimit -n" in line
    assert limited(0, files=0, wanted=0) == (0, "")


def test_processors_are_shared_by_those_that_train() -> None:
    assert workers.usual(1000) == 1 <= workers.usual() <= 8


def test_it_trains_in_little_shared_memory_and_says_so() -> None:
    notes: list[str] = []
    model = zoo.create("mobilenet_v1:shallow=true,width=0.1", num_classes=3)
    with patch.object(workers.shutil, "disk_usage", return_value=SimpleNamespace(free=1000)):
        chosen = recipe("finetune", epochs=1, batch_size=4)
        zoo.train(model, three_colours(8, 3, img_size=32), chosen, workers=2, on_note=notes.append)
    assert any("/dev/shm has 0 MB, too few for 2" in note for note in notes)


@pytest.mark.parametrize("options", [{"save_minutes": 0.0}, {"save_steps": -1}, {"precision": "fp8"}])
def test_a_way_that_is_none_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(zoo.InvalidOption):
        Way(**options)  # type: ignore[arg-type]
