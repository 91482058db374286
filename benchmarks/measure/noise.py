"""What else the machine is doing while calls are timed: seen every round, said beside the figures."""

from __future__ import annotations

import contextlib
import os
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

__all__ = ["NoiseMeter", "Reading", "summary"]

# A round counts as loaded above one of these.
FOREIGN_CPUS = 0.15  # processors kept busy by other processes
STEAL = 0.03  # share of all processor time the hypervisor gave to others
LOADED_ROUNDS = 0.25  # a row is noisy when more than this share of its rounds was loaded


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One round's conditions.

    Args:
        load: load average of the last minute.
        pressure: share of the round in which some task waited for a processor; None where the kernel does not say.
        steal: share of all processor time that the hypervisor gave to others.
        foreign: processors that processes other than the measured ones kept busy.
    """

    load: float
    pressure: float | None
    steal: float
    foreign: float

    @property
    def loaded(self) -> bool:
        """Whether the round's times are likely to be longer than on a quiet machine."""
        return self.foreign > FOREIGN_CPUS or self.steal > STEAL


@dataclass(frozen=True, slots=True)
class _Counters:
    at: float
    pressure_us: int | None
    steal: float
    busy: float
    own: Mapping[int, float]


class NoiseMeter:
    """Reads the machine's counters; each reading covers the time since the one before.

    Args:
        own_pids: the processes whose work is the measurement itself, asked anew at every reading.
    """

    def __init__(self, own_pids: Callable[[], Iterable[int]]) -> None:
        self._own_pids = own_pids
        self._before = self._counters()

    def read(self) -> Reading:
        """Conditions since the last call."""
        before, now = self._before, self._counters()
        self._before = now
        wall = max(now.at - before.at, 1e-9)
        pressure = None
        if before.pressure_us is not None and now.pressure_us is not None:
            pressure = (now.pressure_us - before.pressure_us) * 1e-6 / wall
        own = sum(spent - before.own.get(pid, 0.0) for pid, spent in now.own.items())
        return Reading(
            load=os.getloadavg()[0],
            pressure=pressure,
            steal=(now.steal - before.steal) / wall / (os.cpu_count() or 1),
            foreign=max(now.busy - before.busy - own, 0.0) / wall,
        )

    def _counters(self) -> _Counters:
        times = psutil.cpu_times()
        own: dict[int, float] = {}
        for pid in self._own_pids():
            with contextlib.suppress(psutil.Error):
                spent = psutil.Process(pid).cpu_times()
                own[pid] = spent.user + spent.system
        return _Counters(
            at=time.perf_counter(),
            pressure_us=_pressure_us(),
            steal=float(getattr(times, "steal", 0.0)),
            busy=float(times.user + times.system + getattr(times, "nice", 0.0)),
            own=own,
        )


def summary(readings: Sequence[Reading]) -> Mapping[str, Any]:
    """What a measurement says of its rounds: whether it is noisy, why, and every reading."""
    if not readings:
        return {"noisy": False, "noise": {}, "noise_by_round": []}
    loaded = sum(reading.loaded for reading in readings) / len(readings)
    pressures = [reading.pressure for reading in readings if reading.pressure is not None]
    return {
        "noisy": loaded > LOADED_ROUNDS,
        "noise": {
            "loaded_rounds": loaded,
            "load": statistics.median(reading.load for reading in readings),
            "pressure": statistics.median(pressures) if pressures else None,
            "steal": statistics.median(reading.steal for reading in readings),
            "foreign_cpus": statistics.median(reading.foreign for reading in readings),
        },
        "noise_by_round": [
            {name: value if value is None else round(value, 4) for name, value in asdict(reading).items()}
            for reading in readings
        ],
    }


def _pressure_us() -> int | None:
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(Path("/proc/pressure/cpu").read_text().split("total=")[1].split()[0])
    return None
