"""Interleaved timing with processes whose calls take as long as the test says, so that no clock is involved."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from benchmarks.measure.noise import Reading
from benchmarks.measure.questions import Prepared, Turn, prepare, turn
from benchmarks.measure.session import ANCHOR, ENOUGH, Result, Session, Spent, anchor_of
from benchmarks.measure.worker import Worker, WorkerError
from benchmarks.metrics import METRICS
from benchmarks.metrics.columns import BASE
from benchmarks.metrics.metric import Timing
from benchmarks.records.record import Case
from benchmarks.stats.intervals import FEWEST_ROUNDS
from benchmarks.stats.rounds import Rounds, ratio_interval, round_medians

QUIET = Reading(load=0.1, pressure=0.0, steal=0.0, foreign=0.0)
LOADED = Reading(load=3.0, pressure=0.4, steal=0.0, foreign=0.9)


@dataclass
class World:
    """Fake processes: the time of a call by model and turn, and a log of who did what."""

    seconds: Callable[[str, int], float]
    resident_bytes: int = 100
    broken: dict[str, int] = field(default_factory=dict)  # model: the turn in which it dies, 0 while loading
    log: list[str] = field(default_factory=list)
    turns: Counter[str] = field(default_factory=Counter)  # of each model, whatever the process
    processes: Counter[str] = field(default_factory=Counter)
    load_s: float = 0.1
    loads: dict[str, float] = field(default_factory=dict)  # of some models, in its place
    handover: Callable[[int], float] = lambda turn: 4e-6
    block: int = 1
    notes: tuple[str, ...] = ()
    open: int = 0
    most_open: int = 0

    def start(self) -> Worker:
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        return cast(Worker, FakeWorker(self))


@dataclass
class FakeWorker:
    world: World
    model: str = ""
    closed: bool = False

    def ask(self, question: Callable[..., object], *arguments: Any) -> object:
        return {prepare: self.prepare, turn: self.turn}[question](*arguments)

    def prepare(self, case: Case) -> Prepared:
        self.model = case.model
        self.world.processes[self.model] += 1
        if self.world.broken.get(self.model) == 0:
            raise WorkerError("oom", "no memory for it")
        load_s = self.world.loads.get(self.model, self.world.load_s)
        return Prepared(load_s=load_s, warmup=(0.3, 0.05, 0.05, 0.05, 0.05), block=self.world.block,
                        resident_bytes=self.world.resident_bytes, notes=self.world.notes)  # fmt: skip

    def turn(self, seconds: float, longest_handover: float) -> Turn:
        self.world.turns[self.model] += 1
        self.world.log.append(self.model)
        if self.world.broken.get(self.model) == self.world.turns[self.model]:
            raise WorkerError("crashed", "the process was killed by SIGSEGV")
        each = self.world.seconds(self.model, self.world.turns[self.model])
        samples = (each,) * max(1, round(seconds / each / self.world.block + 0.499))
        return Turn(again_s=7 * each, samples=samples, timed_s=sum(samples) * self.world.block,
                    handover_s=self.world.handover(len(self.world.log)))  # fmt: skip

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self.world.open -= 1


def results(
    world: World, names: str, *, max_time: float = 4.0, rounds: int = 12, target_ci: float = 0.0001,
    memory_bytes: float = float("inf"), spent: Spent | None = None, readings: tuple[Reading, ...] = (),
    tell: Callable[[Case, str, float], None] = lambda case, step, share: None,
) -> list[Result]:  # fmt: skip
    effort = (("max_time", max_time), ("rounds", rounds), ("target_ci", target_ci))
    waiting = [Case(metric="latency", model=name, img_size=224, effort=effort) for name in names.split()]
    noise = iter(readings)
    found: list[Result] = []
    while waiting:
        session = Session(
            waiting=waiting, start_worker=world.start, read_noise=lambda: next(noise, QUIET),
            memory_bytes=memory_bytes, tell=tell, spent=spent or Spent(), seed=1,
        )  # fmt: skip
        found += session.results()
    assert sorted(case.model for case, *_ in found) == sorted(names.split())
    assert world.open == 0
    return found


def session(world: World, names: str, **options: Any) -> dict[str, Timing | WorkerError]:
    return {case.model: result for case, result, _ in results(world, names, **options)}


def jittered(seed: int = 0, spread: float = 0.2) -> Callable[[str, int], float]:
    draws = random.Random(seed)
    base = {"resnet18": 0.03, "fast": 0.01, "slow": 0.4, "model": 0.05, "other": 0.09, "resnet50": 0.09}
    return lambda model, turn: base[model] * (1 + spread * draws.random())


def test_every_model_and_the_reference_take_one_turn_a_round_in_changing_order() -> None:
    world = World(jittered())
    session(world, "fast model other")
    rounds = [tuple(world.log[start : start + 4]) for start in range(0, 32, 4)]
    assert all(sorted(each) == ["fast", "model", "other", "resnet18"] for each in rounds)
    assert len(set(rounds)) > 3


def test_measuring_time_is_spent_and_the_reason_stored() -> None:
    spent = Spent()
    found = session(World(jittered()), "fast slow", max_time=4.0, rounds=12, spent=spent)
    for result in found.values():
        assert isinstance(result, Timing)
        assert result.details["stop"] == "max-time"
        assert 4.0 <= sum(result.samples) < 5.5
        assert len(result.samples) == len(result.rounds)
    assert spent.timed + spent.warmup > 0.8 * (spent.timed + spent.warmup + spent.loading)


def test_steady_models_stop_early_and_together() -> None:
    found = session(World(lambda model, turn: 0.05), "fast model", target_ci=0.02, max_time=30.0, rounds=90)
    for result in found.values():
        assert isinstance(result, Timing)
        assert result.details["stop"] == "target-ci"
        assert max(result.rounds) == result.details["process_starts"][ENOUGH - 1]


def test_the_base_of_all_ratios_shares_its_turns_among_two_processes() -> None:
    """One process of the base is 10 % slower than the other; its times are neither's but those of both."""
    world = World(lambda model, turn: 0.05 * (1.1 if model == BASE and turn % 2 else 1.0))
    result = session(world, f"model {BASE}", max_time=4.0, rounds=16)[BASE]
    assert isinstance(result, Timing)
    assert world.turns[BASE] == 2 * world.turns["model"] == 2 * result.details["n_rounds"]
    assert Counter(result.rounds) == dict.fromkeys(range(1, 9), 6)
    assert list(round_medians(result.samples, result.rounds).values()) == pytest.approx([0.0525] * 8)
    assert result.details["warmup_calls"] == 5 * world.processes[BASE] + world.turns[BASE]
    assert (world.processes[BASE], result.details["process_starts"]) == (2, [1])


def test_a_base_that_dies_in_one_of_its_processes_is_lost_and_closed() -> None:
    for dying in (0, 4):
        world = World(jittered(), broken={BASE: dying})
        found = session(world, f"model {BASE}")
        assert isinstance(found[BASE], WorkerError) and isinstance(found["model"], Timing)


def test_a_case_goes_on_until_enough_rounds_count_but_not_for_ever() -> None:
    """The processors are apart in every other round, then in all but the first two."""

    def timed(apart: Callable[[int], bool]) -> Timing:
        world = World(lambda model, turn: 0.05)
        world.handover = lambda turn: 6e-6 if apart((turn + 1) // 2) else 4e-6  # two turns a round
        result = session(world, "model", max_time=2.0, rounds=12)["model"]
        assert isinstance(result, Timing)
        return result

    often, always = timed(lambda number: number % 2 == 0), timed(lambda number: number > 5)
    assert often.details["n_rounds"] - len(often.apart) == FEWEST_ROUNDS
    assert (always.details["n_rounds"], len(always.apart)) == (24, 19)


def test_a_ratio_to_a_reference_that_is_close_in_other_rounds_may_be_narrow_enough() -> None:
    """The processors are apart in every second round of the one and, but for two rounds, in the others of the other."""
    world = World(lambda model, turn: 0.05, load_s=20.0)

    def apart(number: int) -> bool:
        return number % 2 == 0 if world.log[-1] == "model" else number % 2 == 1 and number > 3

    world.handover = lambda turn: 6e-6 if apart((turn + 1) // 2) else 4e-6  # two turns a round
    result = session(world, "model", target_ci=0.02, max_time=30.0, rounds=60)["model"]
    assert isinstance(result, Timing)
    close = {number for number in result.rounds if number not in {*result.apart, *result.reference_apart}}
    assert close == {1, 3} and result.details["stop"] == "target-ci"
    assert result.details["n_rounds"] - len(result.apart) == FEWEST_ROUNDS


def test_a_call_longer_than_its_turn_still_has_rounds_enough_to_count() -> None:
    result = session(World(jittered()), "slow", max_time=2.0, rounds=12)["slow"]
    assert isinstance(result, Timing) and result.details["n_rounds"] == FEWEST_ROUNDS


@pytest.mark.parametrize("load_s", [0.1, 20.0])
def test_time_for_few_processes_leaves_the_rounds_to_decide(load_s: float) -> None:
    found = session(World(lambda model, turn: 0.05, load_s=load_s), "fast model", target_ci=0.02, max_time=4.0)
    for result in found.values():
        assert isinstance(result, Timing)
        assert result.details["stop"] == "target-ci"
        assert max(result.rounds) == FEWEST_ROUNDS


def test_every_case_is_timed_in_several_processes() -> None:
    """Each process has its own luck, 10 % up or down; the median is over processes."""
    world = World(lambda model, turn: 0.05)
    world.seconds = lambda model, turn: 0.05 * (1 + 0.1 * random.Random(world.processes[model] + 7).uniform(-1, 1))
    found = session(world, "fast model", max_time=15.0, rounds=45)
    assert world.processes["model"] == len(found["model"].details["process_starts"]) >= ENOUGH
    assert all(left < right for left, right in itertools.pairwise(found["model"].details["process_starts"]))


def test_a_process_that_takes_long_to_start_is_kept() -> None:
    world = World(jittered(), load_s=30.0)
    session(world, "fast model", max_time=15.0, rounds=45)
    assert world.processes == {"resnet18": 1, "fast": 1, "model": 1}


def test_a_process_that_cannot_be_renewed_costs_its_own_result_only() -> None:
    world = World(jittered())
    renewed = world.start

    def start() -> Worker:
        if world.processes["fast"] == 2:
            world.broken["fast"] = 0
        return renewed()

    world.start = start  # type: ignore[method-assign]
    found = session(world, "fast model", max_time=15.0, rounds=45)
    assert isinstance(found["fast"], WorkerError)
    assert isinstance(found["model"], Timing)


def test_drift_cancels_in_ratios() -> None:
    """The machine becomes three times slower while it measures; the ratio of two models does not change."""
    found = session(World(lambda model, turn: {"resnet18": 0.03, "model": 0.06}[model] * (1 + turn / 6)), "model")
    result = found["model"]
    assert isinstance(result, Timing)
    own, other = round_medians(result.samples, result.rounds), round_medians(result.reference, result.reference_rounds)
    ratio = ratio_interval(Rounds(own), Rounds(other))
    assert ratio is not None
    assert ratio.value == pytest.approx(2, rel=1e-6)
    assert result.details["drift"]["last_third_over_first"] > 1.3


@pytest.mark.parametrize(("turn", "status"), [(0, "oom"), (3, "crashed")])
def test_a_dying_model_costs_its_own_result_only(turn: int, status: str) -> None:
    found = session(World(jittered(), broken={"fast": turn}), "fast model")
    lost, kept = found["fast"], found["model"]
    assert isinstance(lost, WorkerError) and lost.status == status
    assert isinstance(kept, Timing) and kept.reference


def test_without_its_reference_the_rest_is_still_timed() -> None:
    found = session(World(jittered(), broken={"resnet18": 2}), "resnet18 model")
    assert isinstance(found["resnet18"], WorkerError)
    assert isinstance(found["model"], Timing)


def test_the_reference_does_not_play_for_itself_alone() -> None:
    world = World(jittered(), broken={"fast": 0})
    session(world, "fast")
    assert not world.log


def test_the_reference_is_the_anchor_as_it_is() -> None:
    """On PyTorch, at its own size and never slowed down, under the conditions of the others."""
    asked = Case(metric="latency", model="vgg11", runtime="openvino", img_size=64, num_threads=2, batch_size=8,
                 precision="bf16", settings=(("slowdown", 0.05),), effort=(("max_time", 1.0),))  # fmt: skip
    expected = Case(metric="latency", model=ANCHOR, img_size=224, num_threads=2, batch_size=8, precision="bf16",
                    effort=(("max_time", 1.0),))  # fmt: skip
    assert anchor_of(asked) == expected


def test_the_reference_alone_ends() -> None:
    result = session(World(jittered()), "resnet18")["resnet18"]
    assert isinstance(result, Timing)
    assert result.details["stop"] == "max-time"


def test_memory_divides_the_models_into_sessions_that_share_the_reference() -> None:
    world = World(jittered())
    found = session(world, "fast model other slow", memory_bytes=300)
    runs = [result.details["run"] for result in found.values() if isinstance(result, Timing)]
    assert len(set(runs)) == 2
    assert world.most_open == 3
    assert all(isinstance(result, Timing) and result.reference for result in found.values())


def test_latency_keeps_every_sample_with_its_round() -> None:
    result = session(World(jittered()), "fast")["fast"]
    assert isinstance(result, Timing)
    summarize = METRICS["latency"].summarize
    assert summarize is not None
    latency, ratio, load, first = summarize(Case(metric="latency", model="fast"), result)
    assert (latency.samples, latency.rounds) == (result.samples, result.rounds)
    assert latency.low is not None and latency.high is not None and latency.low <= latency.value <= latency.high
    assert ratio.value == pytest.approx(1 / 3, rel=0.2)
    assert (load.value, first.value) == (0.1, 0.3)
    assert latency.details["p90_s"] > 0
    assert latency.details["p99_s"] == f"n/a (n={len(result.samples)})"
    assert latency.details["noisy"] is False


def test_throughput_is_all_images_over_all_time() -> None:
    timing = Timing(samples=(1.0, 3.0), rounds=(1, 2), reference=(1.0, 1.0), reference_rounds=(1, 2),
                    details={"reference": "resnet18"})  # fmt: skip
    summarize = METRICS["throughput"].summarize
    assert summarize is not None
    rate = summarize(Case(metric="throughput", model="m", batch_size=8), timing)[0]
    assert rate.value == 16 / 4


def test_rounds_with_the_processors_apart_are_kept_and_left_out_of_medians() -> None:
    """In every third round handovers take longer, and so do the calls of one model."""

    def apart(turn: int) -> bool:
        return (turn - 1) // 3 % 3 == 2  # three turns a round: two models and the reference

    world = World(lambda model, turn: 0.05 * (1.4 if model == "model" and turn % 3 == 0 else 1.0))
    world.handover = lambda turn: 6e-6 if apart(turn) else 4e-6
    found = session(world, "fast model", max_time=6.0, rounds=18)
    result = found["model"]
    assert isinstance(result, Timing)
    rounds = sorted(set(result.rounds))
    assert result.apart == result.reference_apart == tuple(number for number in rounds if number % 3 == 0)
    own = Rounds(round_medians(result.samples, result.rounds), result.apart)
    assert set(own.counting.values()) == {0.05} and min(own.far.values()) == pytest.approx(0.07)
    (measured, ratio, *_) = METRICS["latency"].summarize(Case(metric="latency", model="model"), result)  # type: ignore[misc]
    assert (measured.value, ratio.value) == (0.05, 1.0)
    assert measured.details["apart_rounds"] == list(result.apart)
    assert len(measured.samples) == len(result.samples)


def test_one_thread_hands_nothing_over() -> None:
    found = session(World(jittered(), handover=lambda turn: 0.0), "fast")
    assert found["fast"].apart == ()  # type: ignore[union-attr]


def test_models_are_given_out_when_they_are_done_though_the_reference_is_not() -> None:
    """The reference takes so long to load that it has had too few processes when the others have had enough."""
    world = World(lambda model, turn: 0.05, loads={"resnet18": 2.0})
    found = session(world, "fast model", target_ci=0.02, max_time=30.0, rounds=90)
    stops = {name: result.details["stop"] for name, result in found.items() if isinstance(result, Timing)}
    assert stops == {"fast": "target-ci", "model": "target-ci"}


def test_one_samples_share_of_a_block_is_recorded_and_all_of_it_counts_as_time() -> None:
    world = World(lambda model, turn: 1e-4, block=10)
    spent = Spent()
    result = session(world, "fast", max_time=0.5, rounds=5, spent=spent)["fast"]
    assert isinstance(result, Timing)
    assert set(result.samples) == {1e-4} and result.details["block"] == 10
    assert 10 * sum(result.samples) == pytest.approx(0.5, rel=0.1)
    assert spent.timed == pytest.approx(2 * 0.5, rel=0.1)


def test_warmup_is_what_was_discarded_in_every_process() -> None:
    world = World(lambda model, turn: 0.05)
    result = session(world, "model", max_time=15.0, rounds=45)["model"]
    assert isinstance(result, Timing)
    processes, rounds = world.processes["model"], result.details["n_rounds"]
    assert result.details["warmup_calls"] == 5 * processes + rounds
    assert result.details["warmup_s"] == pytest.approx(0.5 * processes + 7 * 0.05 * rounds)


def test_the_median_of_unequal_rounds_is_neither_mean_nor_extreme() -> None:
    """A turn of a slow round holds fewer calls: the rounds count alike all the same."""
    times = [0.05, 0.4, 0.05, 0.07, 0.06, 0.09, 0.05, 0.3]
    world = World(lambda model, turn: times[turn % 8] if model == "model" else 0.1)
    result = session(world, "model", max_time=4.0, rounds=8)["model"]
    assert isinstance(result, Timing)
    (measured, ratio, *_) = METRICS["latency"].summarize(Case(metric="latency", model="model"), result)  # type: ignore[misc]
    assert measured.value == pytest.approx(0.065, abs=0.006)
    assert ratio.value == pytest.approx(10 * measured.value)


def test_what_every_process_says_is_noted_once() -> None:
    world = World(jittered(), notes=("packed is not used for\nthis", "packed is not used for this"))
    found = results(world, "fast model", max_time=15.0, rounds=45)
    assert world.processes["fast"] > 1
    assert {case.model: notes for case, _, notes in found} == {
        name: ("packed is not used for this",) for name in ("fast", "model")
    }


@pytest.mark.parametrize(("loaded", "noted"), [(3, False), (4, True)])
def test_a_case_is_told_that_other_work_disturbed_it(loaded: int, noted: bool) -> None:
    first = (QUIET,)  # the time before the rounds
    ((_, result, notes),) = results(World(jittered()), "model", readings=first + loaded * (LOADED,))
    assert isinstance(result, Timing)
    assert result.details["n_rounds"] == 12 and result.details["noisy"] is noted
    assert notes == ((f"other work kept the processors busy in {loaded} of 12 rounds",) if noted else ())


def test_it_is_told_what_is_going_on() -> None:
    told: list[tuple[str, str, float]] = []
    session(World(jittered()), "model", rounds=4, tell=lambda case, step, share: told.append((case.model, step, share)))
    assert told[:2] == [("resnet18", "warming up", 0.0), ("model", "warming up", 0.0)]
    assert [step for step in told if step[0] == "model"][1:] == [
        ("model", f"round {number}", (number - 1) / 4) for number in range(1, 5)
    ]


def test_processes_are_closed_whatever_happens() -> None:
    world = World(jittered())

    def interrupted(turn: int) -> float:
        if turn == 7:
            raise KeyboardInterrupt
        return 4e-6

    world.handover = interrupted
    with pytest.raises(KeyboardInterrupt):
        session(world, "fast model")
    assert world.open == 0


def test_where_the_time_went_is_added_up_over_all_processes() -> None:
    spent = Spent()
    world = World(lambda model, turn: 0.05)
    found = session(world, "model", max_time=15.0, rounds=45, spent=spent)["model"]
    assert isinstance(found, Timing)
    warmup = found.details["warmup_s"]
    assert spent.warmup > warmup > 0  # the reference's, too
    assert spent.loading > 0


def test_no_more_than_so_many_take_turns_that_a_round_stays_short() -> None:
    """32 cases and the reference; the rest are another session's."""
    world = World(lambda model, turn: 0.5)
    session(world, " ".join(f"m{number}" for number in range(40)), rounds=2, max_time=1.0)
    assert world.most_open == 33 and world.processes[ANCHOR] == 2


def test_a_restless_reference_keeps_a_steady_case_going() -> None:
    """Its own interval is narrow after eight rounds, that of its ratio to the reference is not."""
    draws = random.Random(3)
    world = World(lambda model, turn: 0.05 if model == "model" else 0.03 * (1 + draws.random()), load_s=20.0)
    result = session(world, "model", target_ci=0.02, max_time=4.0, rounds=16)["model"]
    assert isinstance(result, Timing)
    assert (result.details["stop"], result.details["n_rounds"]) == ("max-time", 16)


def test_a_process_lives_twice_as_long_as_it_took_to_get_ready() -> None:
    """Two and a half seconds here, half of them warming up: five seconds of calls, of fifteen."""
    found = session(World(jittered(), load_s=2.0), "model", max_time=15.0, rounds=15)["model"]
    assert isinstance(found, Timing)
    assert found.details["process_starts"] == [1, 6, 11]
