"""Decoded pixels on the disk: shared, whole or absent, and never a reason to stop."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import shutil
import signal
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from zoo.data import store as module
from zoo.data.store import ABOUT, INDEX, PIXELS, Stamp, Store, stamp, stores_folder

NOW = Stamp(123_456_789, 1000)


def pixels(number: int, height: int = 5, width: int = 7) -> NDArray[np.uint8]:
    return np.random.default_rng(number).integers(0, 256, (height, width, 3), np.uint8)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ZOO_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def opened(count: int = 10, limit: int = 10**6, **about: object) -> Store:
    store = Store({"data": "photos", **about}, count, limit)
    store.open()
    return store


@pytest.fixture
def store() -> Iterator[Store]:
    found = opened()
    yield found
    found.close()


def holds(store: Store, position: int, number: int, state: Stamp = NOW, height: int = 5, width: int = 7) -> bool:
    found = store.get(position, state)
    return found is not None and np.array_equal(found, pixels(number, height, width))


def test_what_is_put_is_there_in_any_order_and_shape(store: Store) -> None:
    for position, (height, width) in {3: (5, 7), 0: (1, 1), 9: (300, 2)}.items():
        assert store.get(position, NOW) is None
        store.put(position, NOW, pixels(position, height, width))
    for position, (height, width) in {0: (1, 1), 9: (300, 2), 3: (5, 7)}.items():
        assert holds(store, position, position, height=height, width=width)
    assert list(store.empty()) == [1, 2, 4, 5, 6, 7, 8] and store.used == 3 * (35 + 1 + 600)


def test_another_process_and_another_day_find_it(store: Store) -> None:
    store.put(2, NOW, pixels(2))
    again = opened()
    assert again.folder == store.folder and holds(again, 2, 2)
    again.put(4, NOW, pixels(4))
    assert holds(store, 4, 4)  # although it was open before
    copy = pickle.loads(pickle.dumps(store))
    assert holds(copy, 2, 2) and holds(copy, 4, 4)


def test_other_images_or_another_size_are_another_store(store: Store) -> None:
    assert len({store.folder, Store({"data": "others"}, 10, 1).folder, Store({"data": "photos"}, 11, 1).folder}) == 3
    assert store.folder.parent == stores_folder()
    assert '"photos"' in (store.folder / ABOUT).read_text()


def test_an_image_whose_file_has_changed_is_absent(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "a.jpg"
    file.write_bytes(b"one")
    before = stamp(str(file))
    store.put(1, before, pixels(1))
    os.utime(file, ns=(0, before.time + 1))
    assert store.get(1, stamp(str(file))) is None
    file.write_bytes(b"three")
    os.utime(file, ns=(0, before.time))
    assert store.get(1, stamp(str(file))) is None
    store.put(1, stamp(str(file)), pixels(7))
    assert holds(store, 1, 7, stamp(str(file))) and store.get(1, before) is None


def test_a_damaged_image_or_slot_is_absent_and_mended(store: Store) -> None:
    for position in range(4):
        store.put(position, NOW, pixels(position))
    with (store.folder / f"{PIXELS}1").open("rb+") as file:
        file.seek(105 + 50)
        file.write(b"damage")
        file.truncate(3 * 105 + 20)  # as a full disk leaves it
    with (store.folder / INDEX).open("rb+") as file:
        file.seek(2 * module.SLOT_BYTES + 3)
        file.write(b"\xff")
    fresh = opened()
    assert holds(fresh, 0, 0)
    assert [fresh.get(position, NOW) for position in (1, 2, 3)] == [None] * 3
    for position in (1, 2, 3):
        fresh.put(position, NOW, pixels(position))
    assert all(holds(fresh, position, position) for position in range(4))


def test_nothing_is_kept_past_the_limit_or_on_a_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    limited = opened(limit=2 * 105 + 50)
    for position in range(5):
        limited.put(position, NOW, pixels(position))
    assert [limited.get(position, NOW) is not None for position in range(5)] == [True, True, False, False, False]
    assert limited.used <= limited.limit and limited.room == 50
    limited.close()
    free = shutil.disk_usage("/")._replace(free=module.SPARE + 200)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free)
    full = opened(count=11)
    full.put(0, NOW, pixels(0))
    full.put(1, NOW, pixels(1, 10, 10))
    assert holds(full, 0, 0) and full.get(1, NOW) is None


def test_what_cannot_be_written_costs_one_line_and_no_image(store: Store) -> None:
    store.put(0, NOW, pixels(0))
    assert holds(store, 0, 0)
    for path in store.folder.iterdir():
        path.unlink()
    store.folder.rmdir()  # somebody cleared it
    assert holds(store, 0, 0)  # what is open stays readable
    other = opened()
    for path in other.folder.iterdir():
        path.unlink()
    other.folder.rmdir()
    with pytest.warns(UserWarning, match="no longer kept in .*No such file"):
        other.put(1, NOW, pixels(1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        other.put(2, NOW, pixels(2))
    assert other.get(1, NOW) is None


def _fill(store: Store, first: int, last: int) -> None:
    for position in range(first, last):
        store.put(position, NOW, pixels(position, 64, 64))


def test_processes_write_side_by_side_and_a_kill_leaves_whole_images() -> None:
    shared = opened(count=4000, limit=10**9)
    shared.put(0, NOW, pixels(0, 64, 64))  # its own file is not the children's
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_fill, args=(shared, first, first + 1900)) for first in (1, 1901)]
    for writer in writers:
        writer.start()
    while not (len(shared.empty()) < 3940 and len(list(shared.folder.glob(f"{PIXELS}*"))) == 3):
        pass
    os.kill(writers[0].pid or 0, signal.SIGKILL)
    writers[1].terminate()
    for writer in writers:
        writer.join()
    fresh = opened(count=4000, limit=10**9)
    there = [position for position in range(4000) if fresh.get(position, NOW) is not None]
    assert len(there) >= 60
    assert all(holds(fresh, position, position, height=64, width=64) for position in there)
    assert {int(path.name.removeprefix(PIXELS)) for path in shared.folder.glob(f"{PIXELS}*")} == {1, 2, 3}


def _fill_strictly(store: Store, first: int, last: int) -> None:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        _fill(store, first, last)
    os._exit(len(said))


def test_a_file_that_was_open_before_a_process_was_forked_is_closed_there() -> None:
    """Else Python remarks on it in the middle of `zoo train`."""
    store = opened()
    store.put(0, NOW, pixels(0, 64, 64))
    writer = multiprocessing.get_context("fork").Process(target=_fill_strictly, args=(store, 1, 3))
    writer.start()
    writer.join()
    assert writer.exitcode == 0
    store.put(3, NOW, pixels(3, 64, 64))
    fresh = opened()
    assert all(holds(fresh, position, position, height=64, width=64) for position in range(4))


def test_a_process_holds_no_more_than_the_image_it_reads() -> None:
    import psutil

    large = opened(count=40, limit=10**9)
    for position in range(40):
        large.put(position, NOW, np.full((1000, 1000, 3), position, np.uint8))
    this = psutil.Process()
    large.get(0, NOW)
    before = this.memory_info().rss
    assert all(large.get(position, NOW) is not None for position in range(40))
    assert this.memory_info().rss - before < 20e6  # of 120
