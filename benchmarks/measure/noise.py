"""What else the machine is doing while calls are timed: seen every round, said beside the figures."""

from __future__ import annotations

import contextlib
import os
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks.records.limits import load_average

__all__ = ["NoiseMeter", "Reading", "remarks", "summary"]

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


class NoiseMeter:
    """Reads the machine's counters; each reading covers the time since the one before.

    This process and those that it started, directly or by way of others, are the measurement itself.
    """

    def __init__(self) -> None:
        self._before = _counters()

    def read(self) -> Reading:
        """Conditions since the last call."""
        before, self._before = self._before, _counters()
        wall = max(self._before["wall"] - before["wall"], 1e-9)
        share = {name: (value - before.get(name, 0.0)) / wall for name, value in self._before.items()}
        return Reading(
            load=load_average()[0],
            pressure=share.get("pressure"),
            steal=share["steal"] / (os.cpu_count() or 1),
            foreign=max(share["foreign"], 0.0),
        )


def summary(readings: Sequence[Reading]) -> Mapping[str, Any]:
    """What a measurement says of its rounds: whether it is noisy, why, and every reading."""
    if not readings:
        return {"noisy": False, "noise": {}, "noise_by_round": []}
    pressures = [reading.pressure for reading in readings if reading.pressure is not None]
    return {
        "noisy": bool(remarks(readings)),
        "noise": {
            "loaded_rounds": _loaded(readings) / len(readings),
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


def remarks(readings: Sequence[Reading]) -> list[str]:
    """A sentence where more rounds were loaded than may be, for whoever reads the figures."""
    loaded = _loaded(readings)
    if loaded <= LOADED_ROUNDS * len(readings):
        return []
    return [f"other work kept the processors busy in {loaded} of {len(readings)} rounds"]


def _loaded(readings: Sequence[Reading]) -> int:
    return sum(reading.loaded for reading in readings)


def _counters() -> dict[str, float]:
    """Seconds since some start, of each kind that the kernel tells."""
    own = 0.0
    here = psutil.Process()
    for process in (here, *here.children(recursive=True)):
        with contextlib.suppress(psutil.Error):
            spent = process.cpu_times()
            own += spent.user + spent.system + spent.children_user + spent.children_system  # of children that ended
    times = psutil.cpu_times()
    busy = times.user + times.system + getattr(times, "nice", 0.0)
    counters = {"wall": time.perf_counter(), "steal": getattr(times, "steal", 0.0), "foreign": busy - own}
    with contextlib.suppress(OSError, ValueError, IndexError):
        pressure = Path("/proc/pressure/cpu").read_text(encoding="utf-8")
        counters["pressure"] = int(pressure.split("total=")[1].split()[0]) * 1e-6
    return counters
