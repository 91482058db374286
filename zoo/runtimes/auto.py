"""The fastest runtime that is right: opened, checked, timed and remembered."""

from __future__ import annotations

import gc
import logging
import math
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from zoo.busy import Watch
from zoo.errors import RuntimeUnavailable
from zoo.lazy import torch
from zoo.runtimes.agreement import Proof
from zoo.runtimes.memory import Choice, place_of, recall, remember
from zoo.runtimes.race import CERTAIN, Race
from zoo.runtimes.session import Runtime, Session, precisions
from zoo.turns import settled

if TYPE_CHECKING:
    from zoo.classifier import Classifier
    from zoo.runtimes.quantizing.calibration import Calibration

__all__ = ["Trial", "hold_trial", "open_fastest", "open_fastest_at"]

log = logging.getLogger(__name__)

CLEARLY_SLOWER = 1.3  # in every one of the few calls after an opening, against the fastest so far: closed at once
ROUNDS = (CERTAIN, 25)  # fewest and most rounds of the race among those that are close
RACE_SECONDS = 4.0  # of calls that count; the race ends at the first round past this, once the fewest rounds are run
RACES = 3  # after so many a busy machine is taken for its usual state
LISTENING = 0.25  # seconds of looking whether the machine is quiet before a noisy race is held again
# what a remembered choice may cost beside its own opening: the second best and a few calls of both
SMALLEST, LARGEST = (0.5e6, 0.5), (140e6, 3.0)  # weights of a network, seconds; in between by powers
FEWEST, MOST = 3, 9  # rounds of these calls
CONFIRMED = 2  # after so many openings at which it held, a choice is final


def open_fastest(model: Classifier, images: torch.Tensor, runtimes: Mapping[str, Runtime]) -> Session:
    """The remembered choice for this model, shape, machine and software, or that of a trial now."""
    from zoo.runtimes.folding import interference

    proof = Proof(model, images)
    alone = interference(model) if proof.finite else "its logits are not finite, so nothing can be compared with them"
    if alone is not None:
        log.warning("%s runs as it is, not faster: %s", model.spec.label, alone)
        plain = next(iter(runtimes))
        return Session.open(model, images, plain, runtimes[plain], proof)
    place = place_of(model, images, runtimes)
    choice = recall(place)
    if choice is not None and not (choice.noisy and choice.races < RACES and _quiet()):
        reopened = _reopen(model, images, runtimes, proof, choice)
        if reopened is not None:
            session, now = reopened
            if now != choice:
                remember(place, now, {"model": model.spec.label, "shape": list(images.shape)})
            return session
    trial = hold_trial(model, images, runtimes, proof)
    races = 1 + (choice.races if choice else 0)
    remember(place, trial.choice(races), {"model": model.spec.label, "shape": list(images.shape), **trial.summary})
    return trial.sessions[trial.winner]


def open_fastest_at(
    precision: str,
    model: Classifier,
    images: torch.Tensor,
    runtimes: Mapping[str, Runtime],
    calibration: Calibration | None,
) -> Session:
    """The fastest of the runtimes that have a precision and keep its bound; raced at every opening.

    Raises:
        RuntimeUnavailable: none does; the message has each one's reason.
    """
    proof = Proof(model, images)
    sessions: dict[str, Session] = {}
    refused = {}
    for name, runtime in runtimes.items():
        if precision in precisions(runtime):
            try:
                sessions[name] = Session.open(
                    model, images, name, runtime, proof, precision=precision, calibration=calibration
                )
            except RuntimeUnavailable as error:
                refused[name] = str(error)
    if not sessions:
        raise RuntimeUnavailable(f"no runtime takes {model.spec.label} in {precision}: {'; '.join(refused.values())}")
    race = Race({name: _timer(session, proof.example) for name, session in sessions.items()})
    race.run(rounds=ROUNDS, seconds=RACE_SECONDS)
    return sessions[race.winner]


def _quiet() -> bool:
    """Whether the processors have nothing else to do now."""
    with Watch() as watch:
        time.sleep(LISTENING)
    return not watch.noisy


def _reopen(
    model: Classifier, images: torch.Tensor, runtimes: Mapping[str, Runtime], proof: Proof, choice: Choice
) -> tuple[Session, Choice] | None:
    """The remembered runtime or, if it is faster now, the second best, and what to remember; None if neither opens."""

    def opened(name: str) -> Session | None:
        try:
            return Session.open(model, images, name, runtimes[name], proof)
        except RuntimeUnavailable as error:
            log.warning("%s was fast for %s before and cannot be opened now: %s", name, model.spec.label, error)
            return None

    first = choice.ranking[0]
    session = opened(first) if first in runtimes else None
    if session is None:
        return None
    until = time.perf_counter() + _allowance(model)
    rival = _rival(choice, runtimes, _allowance(model))
    other = None if rival is None else opened(rival)
    if rival is None or other is None:
        return session, choice
    watch = Watch()
    duel = Race({first: _timer(session, proof.example), rival: _timer(other, proof.example)}, watch)
    duel.run(rounds=(1, MOST), seconds=(until - time.perf_counter()) / 2)  # half of the calls count
    if len(duel.seconds[first]) < FEWEST or watch.noisy:
        return session, choice  # nothing is learnt
    if duel.at_least(first, rival) > 1:
        return other, choice.mended(rival, duel.ratio(first, rival))
    return session, replace(choice, confirmed=choice.confirmed + 1)


def _allowance(model: Classifier) -> float:
    """Seconds that trying a remembered choice may take beside its own opening."""
    weights = sum(weight.numel() for weight in model.parameters())
    (small, least), (large, most) = SMALLEST, LARGEST
    share = math.log(max(weights, 1) / small) / math.log(large / small)
    return float(least * (most / least) ** min(max(share, 0.0), 1.0))


def _rival(choice: Choice, runtimes: Mapping[str, Runtime], seconds: float) -> str | None:
    """The best runtime after the first that can be opened and called often enough within so many seconds."""
    if choice.confirmed >= CONFIRMED:
        return None
    for name in choice.ranking[1:]:
        calls = 2 * FEWEST * choice.call_s * (1 + choice.relative.get(name, math.inf))
        if name in runtimes and choice.opening_s.get(name, math.inf) + calls <= seconds:
            return name
    return None


@dataclass(slots=True)
class Trial:
    """What came of opening a model on every runtime.

    Args:
        sessions: those that are right and about as fast as the fastest; the others are closed.
        relative: of all that are right, time divided by the fastest's, from a few calls after each opening.
        refused: why a runtime is in neither.
        race: between the sessions.
        opening_s: seconds that opening each took.
        watch: of what the machine did for others while they were timed.
    """

    sessions: dict[str, Session] = field(default_factory=dict)
    relative: dict[str, float] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    race: Race = field(default_factory=lambda: Race({}))
    opening_s: dict[str, float] = field(default_factory=dict)
    watch: Watch = field(default_factory=Watch)

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
        return {
            "milliseconds": milliseconds,
            "rounds": rounds,
            "relative": relative,
            "refused": self.refused,
            "busy_for_others": round(self.watch.others, 3),
        }

    def choice(self, races: int) -> Choice:
        """What to remember; `races` counts this one."""
        winner = self.winner
        raced = {name: self.race.ratio(name, winner) for name in self.sessions}
        relative = (
            {name: ratio / self.relative[winner] for name, ratio in self.relative.items()} | raced | {winner: 1.0}
        )
        return Choice(
            ranking=(winner, *(name for name in sorted(relative, key=relative.__getitem__) if name != winner)),
            relative=relative,
            call_s=statistics.median(self.race.seconds[winner]),
            opening_s=self.opening_s,
            noisy=self.watch.noisy,
            races=races,
        )


def hold_trial(
    model: Classifier, images: torch.Tensor, runtimes: Mapping[str, Runtime], proof: Proof | None = None
) -> Trial:
    """Opens the model on every runtime, which checks each against the plain network, and times those that are right.

    A runtime that is clearly slower than the best so far is closed at once: memory is needed for two or three of them
    at a time, not for all.

    Args:
        proof: what to check against, where it is there already.

    Raises:
        RuntimeUnavailable: no runtime takes the network.
    """
    proof = proof or Proof(model, images)
    trial = Trial()
    for name, runtime in runtimes.items():
        started = time.perf_counter()
        try:
            session = Session.open(model, images, name, runtime, proof)
        except RuntimeUnavailable as error:
            trial.refused[name] = str(error)
            if error.__cause__ is not None and type(error.__cause__) is not RuntimeUnavailable:  # nobody said so before
                log.warning("%s is not used: %s", name, error)
            continue
        trial.opening_s[name] = time.perf_counter() - started
        _admit(trial, name, session, proof.example)
        del session  # else the one that was just closed would live until the next is open
        gc.collect()
    if not trial.sessions:
        raise RuntimeUnavailable(f"no runtime takes {model.spec.label}: {'; '.join(trial.refused.values())}")
    trial.race = Race({name: _timer(session, proof.example) for name, session in trial.sessions.items()}, trial.watch)
    trial.race.run(rounds=ROUNDS, seconds=RACE_SECONDS)
    return trial


def _admit(trial: Trial, name: str, session: Session, images: torch.Tensor) -> None:
    """Times a session against the best so far and closes whichever is clearly slower than the best now."""
    relative = trial.relative
    relative[name] = 1.0
    trial.sessions[name] = session
    if len(trial.sessions) == 1:
        return
    best = min((other for other in trial.sessions if other != name), key=relative.__getitem__)
    duel = Race({each: _timer(trial.sessions[each], images) for each in (best, name)}, trial.watch)
    duel.run(rounds=(2, 9), seconds=0.5)
    relative[name] = duel.ratio(name, best)
    if relative[name] < 1:  # the new best: all others are relative to it from here on
        relative.update({other: ratio / relative[name] for other, ratio in list(relative.items())})
    if duel.at_least(name, best) > CLEARLY_SLOWER:
        del trial.sessions[name]
    elif duel.at_least(best, name) > CLEARLY_SLOWER:
        for slow in [other for other in trial.sessions if relative[other] > CLEARLY_SLOWER]:
            del trial.sessions[slow]


def _timer(session: Session, images: torch.Tensor) -> Callable[[], float]:
    return partial(settled, partial(session, images))
