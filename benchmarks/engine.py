"""From options to cases, and from cases to records.

`plan` is pure and needs no PyTorch. `execute` measures each case in a process of its own and yields a record for
every one of them, whatever becomes of its process.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import itertools
import os
import queue
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import Any

import psutil

import zoo
from benchmarks.code import case_code
from benchmarks.environment import effective_cpus
from benchmarks.metrics import METRICS
from benchmarks.metrics.metric import Metric, Timing
from benchmarks.noise import NoiseMeter
from benchmarks.records import Case, Environment, Measurement, Record
from benchmarks.rounds import Plan, Spent, play
from benchmarks.studies.study import Study
from benchmarks.worker import Prepared, Turn, Worker, WorkerError, measure, prepare, start_server, turn
from zoo.runtimes import RUNTIMES

__all__ = ["REFERENCE", "SIX", "Options", "by_cost", "execute", "plan", "plan_study", "seconds_of", "skip_reason"]

REFERENCE = "resnet18"  # timed in every round, whatever else is
SIX = ("alexnet", "vgg16", "googlenet", "resnet50", "mobilenet_v1", "xception")  # one of each family
MEMORY_SHARE = 0.5  # of the available memory that the cases of one timed session may occupy
MOST_COUNTERS = 8  # processes that count at the same time
TRAINING_BYTES = 5e9  # of memory that a training may take: VGG-19 with Adam's means of 144 M gradients
Tell = Callable[[Case, str, float], None]  # the case, what is done with it, the share of it that is done


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What is asked. Where a value is 0 or empty, each metric takes its own default.

    Args:
        models: labels, each model once.
        metrics, runtimes: registered names.
        batch_sizes: images a call; a sweep where there are several.
        num_threads: threads; a sweep where there are several.
        training_threads: threads of a training, of which as many run at a time as there are processors.
        settings: what only some metrics read: max_time, rounds, target_ci.
    """

    models: tuple[str, ...]
    metrics: tuple[str, ...]
    runtimes: tuple[str, ...] = ("eager",)
    batch_sizes: tuple[int, ...] = ()
    num_threads: tuple[int, ...] = (1,)
    training_threads: tuple[int, ...] = (1,)
    img_size: int = 0
    device: str = "cpu"
    precision: str = "fp32"
    weights: str = ""
    dataset: str = ""
    data_dir: str = ""
    epochs: int = 0
    train_images: int = 0
    seed: int = 0
    settings: Mapping[str, str | int | float | bool] = field(default_factory=dict)


def plan(options: Options) -> tuple[Case, ...]:
    """Every case that is asked, each question once, in the order metrics, then models."""
    cases: dict[Case, None] = {}
    for name in options.metrics:
        metric = METRICS[name]
        sweep = itertools.product(
            options.models,
            options.runtimes if "runtime" in metric.depends_on else ("eager",),
            (options.batch_sizes or (metric.batch_size,)) if "batch_size" in metric.depends_on else (1,),
            (options.training_threads if metric.slow else options.num_threads)
            if "num_threads" in metric.depends_on
            else (0,),
        )
        for model, runtime, batch_size, num_threads in sweep:
            conditions: dict[str, str | int] = {
                "runtime": runtime,
                "batch_size": batch_size,
                "num_threads": num_threads,
                "img_size": options.img_size,
                "device": options.device,
                "precision": options.precision,
                "weights": options.weights,
                "dataset": options.dataset,
                "data_dir": options.data_dir,
                "epochs": options.epochs,
                "train_images": options.train_images,
                "seed": options.seed,
            }
            cases[_canonical(metric, model, conditions, options.settings)] = None
    return tuple(cases)


def plan_study(study: Study, options: Options) -> tuple[Case, ...]:
    """The cases of a study under the given conditions; dear metrics only where they are asked, tables always."""
    cases: dict[Case, None] = {}
    for part in study.parts:
        for seed, metric in itertools.product(part.seeds, part.metrics):
            if METRICS[metric].shares_process:  # a count: at the size the paper counts at
                asked = dataclasses.replace(options, models=part.models, metrics=(metric,), img_size=0)
            elif metric in options.metrics:
                asked = dataclasses.replace(
                    options,
                    models=part.models,
                    metrics=(metric,),
                    seed=options.seed + seed,
                    img_size=part.img_size or options.img_size,
                    settings={**options.settings, **dict(part.settings)},
                )
            else:
                continue
            cases |= dict.fromkeys(plan(asked))
    return tuple(cases)


def _canonical(
    metric: Metric,
    model: str,
    conditions: Mapping[str, str | int],
    settings: Mapping[str, str | int | float | bool],
) -> Case:
    """The case with only those conditions the metric depends on, so that equal questions are equal cases."""
    case = Case(
        metric=metric.name,
        model=model,
        settings=tuple(sorted((name, value) for name, value in settings.items() if name in metric.depends_on)),
        **{name: value for name, value in conditions.items() if name in metric.depends_on},  # type: ignore[arg-type]
    )
    if metric.complete is not None:
        return metric.complete(case)
    if "img_size" in metric.depends_on and not case.img_size:
        return dataclasses.replace(case, img_size=zoo.spec(model).input.size)
    return case


def skip_reason(case: Case) -> str | None:
    """Why a case cannot be measured here, for a person; None if nothing speaks against it."""
    metric = METRICS[case.metric]
    smallest = zoo.spec(case.model).input.min_size
    if 0 < case.img_size < smallest:
        return f"{case.model} takes images of at least {smallest} pixels; --img-size is {case.img_size}"
    if case.runtime in RUNTIMES and (reason := RUNTIMES[case.runtime].unavailable()):
        return reason
    return metric.unavailable(case) if metric.unavailable else None


def by_cost(cases: Iterable[Case], records: Iterable[Record]) -> list[Case]:
    """The cases in the order worth waiting for: the six reference models, then from the cheapest to the dearest.

    Args:
        records: counted parameters and multiply-adds are taken from here; without them the published figures decide.
    """
    counted = {
        (record.case.model, name): value
        for record in records
        for name in ("params", "mult_adds")
        if record.status == "ok" and (value := record.value(name)) is not None
    }
    return sorted(cases, key=lambda case: (case.model not in SIX, seconds_of(case, counted)))


def seconds_of(case: Case, counted: Mapping[tuple[str, str], float] | None = None) -> float:
    """About how long a case takes, for the progress bar; it scales the guess by what it sees.

    Args:
        counted: "params" and "mult_adds" by model and name, where they are known better than from publications.
    """
    metric, settings = METRICS[case.metric], dict(case.settings)
    if metric.prepare is not None:
        return 1.5 * float(settings.get("max_time", 1.0)) + 1.5
    if metric.slow:
        return _training_seconds(case, counted or {})
    return 0.1 if metric.shares_process else 1.5


def _training_seconds(case: Case, counted: Mapping[tuple[str, str], float]) -> float:
    """Work grows with the image; every step also updates every parameter, which costs VGG as much as its work."""
    spec = zoo.spec(case.model)

    def figure(name: str, usual: float) -> float:
        published = [value for entry in spec.references if (value := getattr(entry, name))]
        return counted.get((case.model, name)) or next(iter(published), usual)

    share = (case.img_size / spec.input.size) ** 2 if case.img_size else 1.0
    return 40.0 + 900.0 * share * figure("mult_adds", 4e9) / 1e9 + 1.6 * figure("params", 30e6) / 1e6


def execute(
    cases: Sequence[Case],
    environment: Environment,
    *,
    timeout: float,
    tell: Tell = lambda case, step, share: None,
    spent: Spent | None = None,
) -> Iterator[Record]:
    """One record for every case as it ends: the untimed ones first, then the timed ones.

    Args:
        timeout: seconds after which a case is given up.
        tell: what is going on, for the progress bar.
        spent: is told where the time of the timed cases goes.
    """
    stamp = _Stamp(environment, cases)
    able = []
    for case in cases:
        reason = skip_reason(case)
        if reason:
            yield stamp(case, "skipped", reason)
        else:
            able.append(case)
    if not able:
        return
    start_server(max(case.num_threads for case in able))
    yield from _measure_untimed([case for case in able if METRICS[case.metric].prepare is None], timeout, tell, stamp)
    for group in _comparable([case for case in able if METRICS[case.metric].prepare is not None]):
        yield from _measure_timed(group, timeout, tell, stamp, Spent() if spent is None else spent)


class _Stamp:
    """Makes records of one environment, each with the time since it began or, where rounds mix them, since the last.

    The code of a case is the one there was before it was measured, whatever is edited meanwhile.
    """

    def __init__(self, environment: Environment, cases: Iterable[Case]) -> None:
        self._environment = environment
        self._codes = {case: case_code(case) for case in cases}
        self._last = time.monotonic()

    def __call__(
        self,
        case: Case,
        status: str,
        reason: str = "",
        measurements: tuple[Measurement, ...] = (),
        since: float | None = None,
    ) -> Record:
        now = time.monotonic()
        seconds, self._last = now - (self._last if since is None else since), now
        started = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=seconds)
        return Record(
            case=case,
            status=status,
            reason=reason,
            measurements=measurements,
            environment=self._environment.id,
            machine=self._environment.machine_id,
            code=self._codes[case],
            started=started.isoformat(),
            seconds=seconds,
        )


def _measure_untimed(cases: Sequence[Case], timeout: float, tell: Tell, stamp: _Stamp) -> Iterator[Record]:
    """Counts several at a time, then what wants the machine for itself, then one training a processor."""
    counts = [case for case in cases if METRICS[case.metric].shares_process]
    trainings = [case for case in cases if METRICS[case.metric].slow]
    alone = [case for case in cases if not (METRICS[case.metric].shares_process or METRICS[case.metric].slow)]
    yield from _side_by_side(counts, min(effective_cpus(), MOST_COUNTERS), timeout, tell, stamp)
    yield from _side_by_side(alone, 1, timeout, tell, stamp)
    yield from _side_by_side(trainings, _trainings_at_a_time(trainings), timeout, tell, stamp)


def _trainings_at_a_time(cases: Iterable[Case]) -> int:
    """As many as there are processors and memory for; one where they share a GPU."""
    asked = [case.num_threads if case.device == "cpu" else effective_cpus() for case in cases]
    room = int(psutil.virtual_memory().available // TRAINING_BYTES)
    return max(min(effective_cpus() // max(asked, default=1), room), 1)


def _side_by_side(cases: Sequence[Case], at_a_time: int, timeout: float, tell: Tell, stamp: _Stamp) -> Iterator[Record]:
    """A record of each case as it ends. Counts go on in one another's processes, every other case in a fresh one."""
    idle: queue.SimpleQueue[_Player] = queue.SimpleQueue()
    players = [_Player(timeout) for _ in range(min(at_a_time, len(cases)))]
    for player in players:
        idle.put(player)

    def answer(case: Case) -> tuple[float, tuple[Measurement, ...] | WorkerError]:
        player = idle.get()
        started = time.monotonic()
        tell(case, "", 0.0)
        try:
            if player.worn and not METRICS[case.metric].shares_process:
                player.renew()
            return started, player.measure(case, _images(case, tell))
        except WorkerError as error:
            player.renew()
            return started, error
        finally:
            idle.put(player)

    pool = ThreadPoolExecutor(max(len(players), 1))
    futures = {pool.submit(answer, case): case for case in cases}
    try:
        for future in as_completed(futures):
            started, found = future.result()
            if isinstance(found, WorkerError):
                yield stamp(futures[future], found.status, found.reason, since=started)
            else:
                yield stamp(futures[future], "ok", measurements=found, since=started)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        while not all(future.done() for future in futures):
            for player in players:
                player.kill()  # so that nobody waits for an answer; only then may it be closed
            time.sleep(0.05)
        for player in players:
            player.close()


def _images(case: Case, tell: Tell) -> Callable[[int, int], None]:
    return lambda done, whole: tell(case, f"{done:,} of {whole:,} images", done / whole)


def _comparable(cases: Iterable[Case]) -> list[list[Case]]:
    """Timed cases in groups whose rounds compare: the same metric, device, precision, batch, threads and settings."""
    groups: dict[tuple[object, ...], list[Case]] = {}
    for case in cases:
        settings = tuple(pair for pair in case.settings if pair[0] not in ("repeat", "slowdown"))
        key = (case.metric, case.device, case.precision, case.batch_size, case.num_threads, case.seed, settings)
        groups.setdefault(key, []).append(case)
    return list(groups.values())


def _measure_timed(cases: Sequence[Case], timeout: float, tell: Tell, stamp: _Stamp, spent: Spent) -> Iterator[Record]:
    settings = dict(cases[0].settings)
    rounds = Plan(
        max_time=float(settings["max_time"]),
        rounds=int(settings["rounds"]),
        target_ci=float(settings["target_ci"]),
        seed=cases[0].seed,
        memory_bytes=MEMORY_SHARE * psutil.virtual_memory().available,
    )
    reference = _reference(cases[0])
    players: list[_Player] = []

    def open_player() -> _Player:
        players.append(_Player(timeout))
        return players[-1]

    meter = NoiseMeter(lambda: [os.getpid(), *(player.pid for player in players if player.pid is not None)])
    with contextlib.ExitStack() as stack:
        results = play(cases, reference, rounds, open_player=open_player, read_noise=meter.read, tell=tell, spent=spent)
        stack.callback(results.close)  # type: ignore[attr-defined]
        for case, result in results:
            if isinstance(result, Timing):
                summarize = METRICS[case.metric].summarize
                measurements = summarize(case, result) if summarize else ()
                yield stamp(case, "ok", measurements=measurements)
            else:
                yield stamp(case, result.status, result.reason)


def _reference(case: Case) -> Case:
    """The reference model under the conditions of a case, at its own image size."""
    settings = tuple(pair for pair in case.settings if pair[0] not in ("repeat", "slowdown"))
    size = zoo.spec(REFERENCE).input.size
    return dataclasses.replace(case, model=REFERENCE, runtime="eager", img_size=size, settings=settings)


class _Player:
    """A process for one case after the other, or for a timed case, as `benchmarks.rounds` wants it."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._worker: Worker | None = Worker()
        self.worn = False

    @property
    def pid(self) -> int | None:
        return self._worker.pid if self._worker else None

    def measure(self, case: Case, on_progress: Callable[[int, int], None]) -> tuple[Measurement, ...]:
        self.worn = True
        found: tuple[Measurement, ...] = self._ask(measure, case, on_progress=on_progress)
        return found

    def kill(self) -> None:
        if self._worker:
            self._worker.kill()

    def renew(self) -> None:
        self.close()
        self._worker = Worker()
        self.worn = False

    def prepare(self, case: Case) -> Prepared:
        prepared: Prepared = self._ask(prepare, case)
        return prepared

    def turn(self, seconds: float, longest_handover: float) -> Turn:
        timed: Turn = self._ask(turn, seconds, longest_handover)
        return timed

    def close(self) -> None:
        if self._worker:
            self._worker.close()
            self._worker = None

    def _ask(
        self, question: Callable[..., Any], *arguments: object, on_progress: Callable[[int, int], None] | None = None
    ) -> Any:
        if self._worker is None:
            raise WorkerError("crashed", "the process is gone")
        return self._worker.ask(question, *arguments, timeout=self._timeout, on_progress=on_progress)
