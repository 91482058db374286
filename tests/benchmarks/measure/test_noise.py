"""What the machine's counters say of other work, from counters that the test makes up."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks.measure import noise
from benchmarks.measure.noise import NoiseMeter, Reading, remarks, summary

QUIET = Reading(load=0.1, pressure=0.0, steal=0.0, foreign=0.0)
LOADED = Reading(load=3.0, pressure=0.4, steal=0.0, foreign=0.9)


class Machine:
    """Seconds since it started: of the clock, of all processors, stolen ones, and of this program's processes."""

    def __init__(self) -> None:
        self.wall = self.busy = self.steal = 0.0
        self.here = self.ended = self.worker = 0.0

    def tick(
        self, wall: float, *, here: float = 0.0, worker: float = 0.0, foreign: float = 0.0, steal: float = 0.0
    ) -> None:
        self.wall += wall
        self.here += here
        self.worker += worker
        self.busy += here + worker + foreign
        self.steal += steal

    def end_worker(self) -> None:
        """The worker ends, and another begins."""
        self.ended, self.worker = self.ended + self.worker, 0.0

    def process(self) -> SimpleNamespace:
        def times(own: float, children: float) -> Callable[[], SimpleNamespace]:
            return lambda: SimpleNamespace(user=own, system=0.0, children_user=children, children_system=0.0)

        worker = SimpleNamespace(cpu_times=times(self.worker, 0.0))
        return SimpleNamespace(cpu_times=times(self.here, self.ended), children=lambda recursive: [worker])


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()
    fake = SimpleNamespace(
        Process=made.process,
        Error=RuntimeError,
        cpu_times=lambda: SimpleNamespace(user=made.busy, system=0.0, nice=0.0, steal=made.steal),
    )
    monkeypatch.setattr(noise, "psutil", fake)
    monkeypatch.setattr(noise, "time", SimpleNamespace(perf_counter=lambda: made.wall))
    return made


def test_the_work_of_this_program_is_not_foreign_and_that_of_others_is(machine: Machine) -> None:
    machine.tick(5.0, here=2.0, worker=3.0, foreign=4.0)
    meter = NoiseMeter()
    machine.tick(2.0, here=0.5, worker=1.5)
    assert meter.read().foreign == pytest.approx(0.0)
    machine.tick(2.0, worker=2.0, foreign=1.0)
    assert meter.read().foreign == pytest.approx(0.5)


def test_a_worker_that_ended_counts_to_its_end(machine: Machine) -> None:
    meter = NoiseMeter()
    machine.tick(1.0, worker=1.0)
    machine.end_worker()
    machine.tick(1.0, worker=0.5)
    assert meter.read().foreign == pytest.approx(0.0)


def test_stolen_time_is_a_share_of_all_processors(machine: Machine) -> None:
    meter = NoiseMeter()
    machine.tick(2.0, steal=0.4)
    found = meter.read()
    assert found.steal == pytest.approx(0.2 / (os.cpu_count() or 1))


@pytest.mark.parametrize(
    ("reading", "loaded"),
    [
        (QUIET, False),
        (Reading(load=9.0, pressure=0.9, steal=0.029, foreign=0.149), False),
        (Reading(load=0.0, pressure=0.0, steal=0.031, foreign=0.0), True),
        (Reading(load=0.0, pressure=0.0, steal=0.0, foreign=0.151), True),
    ],
)
def test_other_processes_and_the_hypervisor_load_a_round(reading: Reading, loaded: bool) -> None:
    assert reading.loaded is loaded


def test_more_than_a_quarter_of_loaded_rounds_is_noisy() -> None:
    assert summary([QUIET] * 9 + [LOADED] * 3)["noisy"] is False
    assert summary([QUIET] * 6 + [LOADED] * 4)["noisy"] is True
    assert len(summary([QUIET] * 3)["noise_by_round"]) == 3
    assert remarks([QUIET] * 9 + [LOADED] * 3) == []
    assert remarks([QUIET] * 8 + [LOADED] * 3) == ["other work kept the processors busy in 3 of 11 rounds"]
    assert remarks([]) == []


def test_a_summary_holds_medians() -> None:
    found = summary([QUIET, LOADED, Reading(load=1.0, pressure=None, steal=0.0, foreign=0.2)])["noise"]
    assert (found["load"], found["pressure"], found["foreign_cpus"]) == (1.0, 0.2, 0.2)
    assert found["loaded_rounds"] == pytest.approx(2 / 3)


def test_every_round_is_kept_to_a_tenth_of_a_per_mille() -> None:
    found = summary([Reading(load=0.123456, pressure=None, steal=0.00004, foreign=1.98766)])
    assert found["noise_by_round"] == [{"load": 0.1235, "pressure": None, "steal": 0.0, "foreign": 1.9877}]
    assert found["noise"]["pressure"] is None
    assert summary([]) == {"noisy": False, "noise": {}, "noise_by_round": []}


def test_every_kind_of_busy_time_counts_once(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the machine: of users, of the kernel, at low priority; of this program: its own and of what it started."""
    whole = SimpleNamespace(user=0.0, system=0.0, nice=0.0, steal=0.0)
    own = SimpleNamespace(user=0.0, system=0.0, children_user=0.0, children_system=0.0)
    lost = SimpleNamespace(cpu_times=lambda: (_ for _ in ()).throw(RuntimeError("no such process")))
    here = SimpleNamespace(cpu_times=lambda: own, children=lambda recursive: [lost])
    fake = SimpleNamespace(Process=lambda: here, Error=RuntimeError, cpu_times=lambda: whole)
    monkeypatch.setattr(noise, "psutil", fake)
    meter = NoiseMeter()
    machine.tick(10.0)
    whole.user, whole.system, whole.nice = 5.0, 7.0, 9.0
    own.user, own.system, own.children_user, own.children_system = 1.0, 2.0, 3.0, 4.0
    assert meter.read().foreign == pytest.approx((21.0 - 10.0) / 10.0)
    assert meter.read().foreign == 0.0  # since then nothing


def test_pressure_is_the_share_of_the_round_in_which_a_task_waited(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told = tmp_path / "cpu"
    monkeypatch.setattr(noise, "Path", lambda path: told if path == "/proc/pressure/cpu" else Path(path))
    monkeypatch.setattr(noise, "load_average", lambda: (1.5, 9.0, 9.0))
    told.write_text("some avg10=0.00 avg60=0.00 avg300=0.00 total=1000000\nfull total=7\n")
    meter = NoiseMeter()
    machine.tick(4.0)
    told.write_text("some avg10=0.00 avg60=0.00 avg300=0.00 total=2000000\nfull total=9\n")
    assert meter.read() == Reading(load=1.5, pressure=pytest.approx(0.25), steal=0.0, foreign=0.0)
    told.unlink()
    machine.tick(1.0)
    assert meter.read().pressure is None


def test_where_nobody_counts_processors_there_is_one(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noise.os, "cpu_count", lambda: None)
    meter = NoiseMeter()
    machine.tick(2.0, steal=0.4)
    assert meter.read().steal == pytest.approx(0.2)
