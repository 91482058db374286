"""The fastest runtime that is right: opened, checked, timed and remembered."""

from __future__ import annotations

import gc
import hashlib
import json
import logging
import math
import os
import platform
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.cache import cache_folder
from zoo.errors import RuntimeUnavailable
from zoo.lazy import torch
from zoo.runtimes.agreement import TOLERANCE, relative_difference
from zoo.runtimes.session import Runtime, Session
from zoo.turns import settled, take_turns

if TYPE_CHECKING:
    from zoo.classifier import Classifier

__all__ = ["Race", "Trial", "hold_trial", "open_fastest"]

log = logging.getLogger(__name__)

CLEARLY_SLOWER = 1.3  # against the fastest so far, in the few calls after each opening: closed at once
SAME = 1.01  # two medians this close are a tie, which the earlier runtime wins
ROUNDS = (3, 25)  # fewest and most rounds of the race among those that are close
RACE_SECONDS = 4.0  # of calls that count; the race ends at the first round past this, once the fewest rounds are run


def open_fastest(model: Classifier, images: torch.Tensor, runtimes: Mapping[str, Runtime]) -> Session:
    """The remembered choice for this model, shape, machine and software, or that of a trial now."""
    record = cache_folder() / "runtimes" / f"{_question(model, images, runtimes)}.json"
    name = _remembered(record)
    if name in runtimes:
        try:
            return Session.open(model, images, name, runtimes[name])
        except RuntimeUnavailable as error:
            log.warning("%s was the fastest for %s before and cannot be opened now: %s", name, model.spec.label, error)
    trial = hold_trial(model, images, runtimes)
    winner = trial.winner
    _remember(record, {"runtime": winner, "model": model.spec.label, "shape": list(images.shape), **trial.summary})
    return trial.sessions[winner]


@dataclass(slots=True)
class Trial:
    """What came of opening a model on every runtime.

    Args:
        sessions: those that are right and about as fast as the fastest; the others are closed.
        relative: of all that are right, time divided by the fastest's, from a few calls after each opening.
        refused: why a runtime is in neither.
        race: between the sessions.
    """

    sessions: dict[str, Session] = field(default_factory=dict)
    relative: dict[str, float] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    race: Race = field(default_factory=lambda: Race({}))

    @property
    def winner(self) -> str:
        """The runtime to use."""
        return self.race.winner

    @property
    def summary(self) -> dict[str, object]:
        """The trial in JSON values."""
        milliseconds = {name: round(1e3 * statistics.median(times), 3) for name, times in self.race.seconds.items()}
        rounds = {name: len(times) for name, times in self.race.seconds.items()}
        relative = {name: round(ratio, 3) for name, ratio in self.relative.items()}
        return {"milliseconds": milliseconds, "rounds": rounds, "relative": relative, "refused": self.refused}


def hold_trial(model: Classifier, images: torch.Tensor, runtimes: Mapping[str, Runtime]) -> Trial:
    """Opens the model on every runtime, checks each against the plain network and times those that are right.

    A runtime that is clearly slower than the best so far is closed at once: memory is needed for two or three of them
    at a time, not for all.
    """
    with torch.inference_mode():
        expected = model(images)
    trial = Trial()
    for name, runtime in runtimes.items():
        try:
            session = Session.open(model, images, name, runtime)
            logits = session(images)
        except RuntimeUnavailable as error:
            trial.refused[name] = str(error)
            continue
        difference = relative_difference(logits, expected)
        if not (difference <= TOLERANCE and bool((logits.argmax(1) == expected.argmax(1)).all())):
            trial.refused[name] = f"its logits differ from the plain network's by {difference:.2g} of the largest"
            log.warning("%s is not used for %s: %s", name, model.spec.label, trial.refused[name])
            continue
        _admit(trial, name, session, images)
        del session  # else the one that was just closed would live until the next is open
        gc.collect()
    trial.race = Race({name: _timer(session, images) for name, session in trial.sessions.items()})
    trial.race.run(rounds=ROUNDS, seconds=RACE_SECONDS)
    return trial


def _admit(trial: Trial, name: str, session: Session, images: torch.Tensor) -> None:
    """Times a session against the best so far and closes whichever is clearly slower than the best now."""
    relative = trial.relative
    relative[name] = 1.0
    if trial.sessions:
        best = min(trial.sessions, key=relative.__getitem__)
        duel = Race({best: _timer(trial.sessions[best], images), name: _timer(session, images)})
        duel.run(rounds=(1, 9), seconds=0.5)
        relative[name] = duel.ratio(name, best)
        if relative[name] < 1:  # the new best: all others are relative to it from here on
            relative.update({other: ratio / relative[name] for other, ratio in relative.items()})
    trial.sessions[name] = session
    for slow in [other for other in trial.sessions if relative[other] > CLEARLY_SLOWER]:
        del trial.sessions[slow]


class Race:
    """Runners timed in rounds, each once a round, until one is left or the difference no longer matters.

    Noise hits those that run side by side alike, so times are compared within a round. A runner drops out when it is
    slower than the leader beyond what chance explains.

    Args:
        runners: functions that run once and return the seconds it took, in order of preference.
    """

    def __init__(self, runners: Mapping[str, Callable[[], float]]) -> None:
        self.runners = dict(runners)
        self.seconds: dict[str, list[float]] = {name: [] for name in runners}

    def run(self, *, rounds: tuple[int, int], seconds: float) -> None:
        """Runs between `rounds[0]` and `rounds[1]` rounds, none after the one in which `seconds` of calls are full."""
        running = list(self.runners)

        def turn(name: str) -> None:
            self.seconds[name].append(self.runners[name]())

        def spent() -> float:
            return sum(map(sum, self.seconds.values()))

        for _ in take_turns(running, turn, rounds=rounds, seconds=seconds, clock=spent):
            leader = self.winner
            running[:] = [name for name in running if name == leader or not self._slower(name, leader)]
            if len(running) == 1:
                return

    @property
    def winner(self) -> str:
        """The fastest in the median of the ratios; of those within `SAME` of it, the first in order of preference."""
        longest = max(map(len, self.seconds.values()))
        alive = [name for name, times in self.seconds.items() if len(times) == longest]
        best = min(alive, key=lambda name: statistics.median(self.seconds[name]))
        return next(name for name in alive if self.ratio(name, best) <= SAME)

    def ratio(self, name: str, other: str) -> float:
        """Median over common rounds of the time of `name` divided by that of `other`."""
        return statistics.median(self._ratios(name, other))

    def _ratios(self, name: str, other: str) -> list[float]:
        return [mine / theirs for mine, theirs in zip(self.seconds[name], self.seconds[other], strict=False)]

    def _slower(self, name: str, leader: str) -> bool:
        """Whether the 5 % lower bound of the median ratio, an order statistic, is above 1; takes 5 rounds at least."""
        ratios = sorted(self._ratios(name, leader))
        # 1.64 standard deviations of the number of heads below its mean: of 5 ratios the first, of 16 the fifth
        rank = int(len(ratios) / 2 - 0.82 * math.sqrt(len(ratios)))
        return len(ratios) >= 5 and ratios[rank] > 1


def _timer(session: Session, images: torch.Tensor) -> Callable[[], float]:
    return partial(settled, partial(session, images))


def _question(model: Classifier, images: torch.Tensor, runtimes: Mapping[str, Runtime]) -> str:
    """Hash of everything the answer depends on: what is run, on what, by what."""
    libraries = dict.fromkeys(library for runtime in runtimes.values() for library in runtime.LIBRARIES)
    facts = {
        "model": model.spec.label,
        "weights": [(name, list(weight.shape), str(weight.dtype)) for name, weight in model.named_parameters()],
        "code": _code(),
        "images": [list(images.shape), str(images.dtype), str(images.device)],
        "threads": torch.get_num_threads(),
        "machine": [platform.machine(), _processor(), os.cpu_count()],
        "packages": [(name, _version(name)) for name in ("torch", *libraries)],
        "runtimes": [(name, runtime.unavailable()) for name, runtime in runtimes.items()],
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:24]


def _code() -> str:
    """Hash of the zoo's own source files."""
    root = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(str(path.relative_to(root)).encode() + path.read_bytes())
    return digest.hexdigest()


def _processor() -> str:
    """The CPU's name; on Linux `platform.processor` does not know it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    wanted = ("vendor_id", "model name", "cpu family", "stepping", "flags", "cache size")
    return "\n".join(sorted({line for line in lines if line.startswith(wanted)}))


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _remembered(record: Path) -> str:
    try:
        name = json.loads(record.read_text())["runtime"]
    except (OSError, ValueError, KeyError, TypeError):
        return ""  # nothing there, or not a record: race again
    return name if isinstance(name, str) else ""


def _remember(record: Path, choice: Mapping[str, object]) -> None:
    """Writes a choice in one step; a folder that cannot be written costs a race the next time, nothing else."""
    part = record.with_suffix(f".{os.getpid()}.part")
    try:
        record.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(choice, indent=1) + "\n")
        part.replace(record)
    except OSError as error:
        log.warning("the choice of a runtime is not kept in %s: %s", record.parent, error)
