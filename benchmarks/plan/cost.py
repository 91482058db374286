"""How long a case takes, how many go side by side, and in which order cases are worth waiting for.

The constants are those of two cores of a server (AMD EPYC at 2.6 GHz), fitted to the records of the shipped report;
`benchmarks.plan.forecast` corrects them by what a run sees of its own machine.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Mapping

import psutil

import zoo
from benchmarks.metrics import METRICS
from benchmarks.metrics.beginnings import facts_of
from benchmarks.plan.cases import SIX
from benchmarks.records.environment import effective_cpus, gpus
from benchmarks.records.record import Case, Record
from zoo.counts import COUNTED
from zoo.data import DATASETS
from zoo.data.dataset import Facts

__all__ = [
    "KINDS",
    "TRAINING_BYTES",
    "Counts",
    "at_a_time",
    "by_cost",
    "call_seconds",
    "counts_of",
    "end_of",
    "kind_of",
    "processors_of",
    "seconds_of",
    "start_of",
    "usable_gpus",
]

KINDS = ("count", "alone", "timed", "training")  # in the order a run takes them
COUNTS = {"param_count": 30e6, "mult_adds": 4e9}  # of a model of which nothing is known
FIGURES = tuple(COUNTS)  # in the order of `COUNTED`
THREADS = 2  # of a call, and processors, on the machine of the constants
GAIN = 0.7  # power of the number of threads by which a call or a training becomes faster
GPU = 0.1  # of the time on a processor
LOADING = {"count": 0.1, "alone": 0.3, "timed": 1.3, "training": 1.0}  # seconds before there is progress to tell of
TESTED = 0.25  # of a training image's time, an image that is only answered
USUAL_TEST_IMAGES = 5000  # of a folder that nobody has counted
MOST_COUNTERS = 8  # processes that count at the same time
TRAINING_BYTES = 5e9  # of memory that a training may take: VGG-19 with Adam's means of 144 M gradients

Counts = Mapping[tuple[str, str], float]  # parameters and multiply-adds as counted, by model and measurement


def kind_of(case: Case) -> str:
    """Which of `KINDS` a case is: what is counted, measured alone, timed in rounds, or trained and tested."""
    metric = METRICS[case.metric]
    if metric.prepare is not None:
        return "timed"
    return "training" if metric.slow else "count" if metric.shares_process else "alone"


def at_a_time(kind: str, cases: Iterable[Case]) -> int:
    """How many cases of a kind go on side by side.

    Trainings: as many as there are processors and memory for, or one on each GPU.
    """
    if kind == "count":
        return min(effective_cpus(), MOST_COUNTERS)
    if kind != "training":
        return 1
    cases = list(cases)
    together = max((case.train_processes for case in cases), default=0) or 1
    if any(case.device != "cpu" for case in cases):
        return max(usable_gpus() // together, 1)
    asked = [(case.train_threads or effective_cpus()) * max(case.train_processes, 1) for case in cases]
    room = int(psutil.virtual_memory().available // TRAINING_BYTES)
    return max(min(effective_cpus() // max(asked, default=1), room), 1)


def processors_of(case: Case) -> int:
    """Processors that a case keeps busy."""
    return max(case.train_threads or case.num_threads, 1) * max(case.train_processes, 1)


def usable_gpus() -> int:
    """GPUs that PyTorch will see."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is None:
        return len(gpus())
    seen = itertools.takewhile(lambda each: each not in ("", "-1"), map(str.strip, named.split(",")))
    return len({*seen})  # CUDA reads numbers, GPU- and MIG- names up to the first that is none; equal ones are one


def by_cost(cases: Iterable[Case], counted: Counts) -> list[Case]:
    """The cases in the order worth waiting for: the six reference models, then from the cheapest to the most expensive.

    Args:
        counted: see `counts_of`; of models that are not counted the published figures decide.
    """
    return sorted(cases, key=lambda case: (case.model not in SIX, seconds_of(case, counted)))


def counts_of(records: Iterable[Record]) -> dict[tuple[str, str], float]:
    """What records say of parameters and multiply-adds at a model's own image size."""
    found: dict[tuple[str, str], float] = {}
    for record in records:
        case = record.case
        if case.img_size in (0, zoo.spec(case.model).input.size):
            found |= {(case.model, name): value for name in COUNTS if (value := record.value(name)) is not None}
    return found


def seconds_of(case: Case, counted: Counts | None = None) -> float:
    """About how long a case takes on the machine of the constants."""
    kind = kind_of(case)
    if kind == "training":
        return _training_seconds(case, counted or {})
    if kind == "timed":
        return LOADING[kind] + 1.45 * float(dict(case.effort).get("max_time", 1.0))
    return {"params": 0.1, "mult_adds": 0.8}.get(case.metric, 0.2) if kind == "count" else 1.0


def start_of(case: Case) -> float:
    """The part of `seconds_of` in which there is no progress to tell of: a new process, loading, warming up."""
    return LOADING[kind_of(case)]


def call_seconds(case: Case, counted: Counts | None = None) -> float:
    """About how long one inference of a case takes on the machine of the constants, in PyTorch as it is."""
    work = _share(case.model, case.img_size) * _figure(case.model, "mult_adds", counted or {})
    one = 2e-3 + case.batch_size * 6.7e-12 * work + 1.3e-10 * _figure(case.model, "param_count", counted or {})
    return float(one * (THREADS / max(case.num_threads, 1)) ** GAIN)


def end_of(case: Case) -> float:
    """The share of a training's time after its last step, of which there is no progress to tell: it is tested."""
    last = METRICS[case.metric].tests * TESTED * _test_images(case)
    return last / _images(case) if case.epochs else 0.0


def _images(case: Case) -> float:
    """Images of a training, and of its tests as many training images as take as long: one an epoch, the last longer."""
    tested = TESTED * _test_images(case)
    last = METRICS[case.metric].tests * tested
    return case.epochs * (case.train_images + tested) - tested + last if case.epochs else last


def _test_images(case: Case) -> int:
    """Images that answers are counted on, in a training after each epoch."""
    facts = facts_of(case.dataset, case.data_dir) if case.dataset in DATASETS else Facts(0)
    return (facts.val_images if case.epochs else 0) or facts.test_images or facts.val_images or USUAL_TEST_IMAGES


def _training_seconds(case: Case, counted: Counts) -> float:
    """Work grows with the image; every step also updates every parameter, which costs VGG as much as its work."""
    work = _share(case.model, case.train_img_size or case.img_size) * _figure(case.model, "mult_adds", counted)
    each = 1.6e-3 + 37e-12 * work + (1e-10 * _figure(case.model, "param_count", counted) if case.epochs else 0.0)
    threads = processors_of(case) ** GAIN
    return LOADING["training"] + _images(case) * each * (1 / threads if case.device == "cpu" else GPU)


def _share(model: str, img_size: int) -> float:
    """Pixels of an image as a share of those that the multiply-adds are counted for."""
    usual = zoo.spec(model).input.size
    return ((img_size or usual) / usual) ** 2


def _figure(model: str, name: str, counted: Counts) -> float:
    """A count of a model as it was made here, else that of the published network, else the nearest printed one."""
    if (model, name) in counted:
        return counted[model, name]
    if model in COUNTED:
        return float(COUNTED[model][FIGURES.index(name)])
    field = {"param_count": "params"}.get(name, name)
    spec = zoo.spec(model)
    nearest = sorted(spec.references, key=lambda entry: entry.options != spec.options)
    return next((float(value) for entry in nearest if (value := getattr(entry, field))), COUNTS[name])
