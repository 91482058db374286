"""What a run plans and what it finds: frozen data that goes to JSON and back, without PyTorch.

Values are SI and unrounded (seconds, bytes, counts, fractions); rounding and prefixes belong to the report.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks.records.shapes import Shape, fits, is_json
from zoo.errors import one_line, shown

__all__ = [
    "FULL", "INTEGERS", "PLAIN", "PUBLISHED", "SCHEMA", "STATUSES", "Case", "Environment", "Measurement", "Record",
    "RecordError",
]  # fmt: skip

SCHEMA = 2
PLAIN = "eager"  # the runtime that is PyTorch itself
FULL = "fp32"  # the precision of the network's own numbers
INTEGERS = "int8"  # the precision whose numbers are made with images
PUBLISHED = "imagenet"  # published weights, and the data set that they and published accuracies are of
STATUSES = ("ok", "skipped", "failed", "oom", "crashed", "timeout")


class RecordError(ValueError):
    """A line that is not a record of this schema; the message says what is wrong with it."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One metric of one model under one set of conditions: the key of everything that is planned, kept and compared.

    A condition that a metric does not depend on keeps its default, so that equal questions are equal cases. Files
    count by what is in them, not by where they lie: `data_dir` and `weights_path` do not enter the comparison.

    Args:
        metric: name in `benchmarks.metrics`.
        model: label in shell form ("mobilenet_v1:width=0.5").
        runtime: name in `zoo.runtimes`.
        device: "cpu", "cuda" or "mps".
        precision: floating-point type of weights and images.
        img_size: side of the square input in pixels; 0 where it does not matter.
        batch_size: images a call.
        num_threads: threads of the runtime; 0 where they do not matter.
        weights: "imagenet", "imagenet:TAG" or the checksum of a file; empty for untrained.
        dataset: name in `zoo.data`; empty where none is read.
        data: fingerprint of the images; empty where none are read.
        recipe: how a network is trained, in shell form ("sample:auxiliary=false"); empty where nothing is.
        epochs: passes over the training images.
        train_images: training images used.
        train_img_size: side in pixels of the images it is trained and tested on.
        train_threads: threads of the training, of each of its processes.
        train_processes: that train it together; 0 for one alone.
        seed: of the initialisation and the order of a training.
        settings: what a self-check changes, as sorted pairs (a second run of the same, a slowdown).
        effort: how hard it is looked at (measuring time, rounds, interval), as sorted pairs.
        data_dir: folder of the data set's files, as typed.
        weights_path: file of the weights, as typed.
    """

    metric: str
    model: str
    runtime: str = PLAIN
    device: str = "cpu"
    precision: str = FULL
    img_size: int = 0
    batch_size: int = 1
    num_threads: int = 0
    weights: str = ""
    dataset: str = ""
    data: str = ""
    recipe: str = ""
    epochs: int = 0
    train_images: int = 0
    train_img_size: int = 0
    train_threads: int = 0
    train_processes: int = 0
    seed: int = 0
    settings: tuple[tuple[str, str | int | float | bool], ...] = ()
    effort: tuple[tuple[str, str | int | float | bool], ...] = ()
    data_dir: str = field(default="", compare=False)
    weights_path: str = field(default="", compare=False)

    @property
    def question(self) -> Case:
        """The case whatever the effort: what two looks at the same thing share."""
        return dataclasses.replace(self, effort=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One quantity that was found.

    Args:
        name: what it is ("param_count", "latency_s", "top1").
        value: the figure itself.
        unit: "count", "s", "B", "fraction", "1/s".
        low, high: its 95 % interval, where it has one.
        samples: every raw sample, in the order taken.
        rounds: the round each sample belongs to; empty where there are none.
        method: one line on how it was taken.
        details: whatever else belongs to it, as JSON values.
    """

    name: str
    value: float
    unit: str
    low: float | None = None
    high: float | None = None
    samples: tuple[float, ...] = ()
    rounds: tuple[int, ...] = ()
    method: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """The machine, versions and settings under which records were made.

    Args:
        machine: facts that must agree for two results to share a column (CPU model, cores, memory, GPU).
        software: versions (Python, torch, ...), commit, flags.
        command: the command line.
        state: what passes: load, frequency, free memory, uptime.
    """

    machine: Mapping[str, Any]
    software: Mapping[str, Any]
    command: str = ""
    state: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Stable hash of machine and software; neither the command nor the state enters."""
        text = json.dumps([dict(self.machine), dict(self.software)], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def machine_id(self) -> str:
        """Stable hash of the machine alone."""
        return hashlib.sha256(json.dumps(dict(self.machine), sort_keys=True, default=str).encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A finished case: what was asked, what came of it, where and when.

    Args:
        case: the question.
        status: one of `STATUSES`.
        reason: why it is not "ok", for a person; empty if it is.
        measurements: what was found; may be partial when the status is not "ok".
        notes: what a reader of the figures must know, one sentence each.
        environment: `Environment.id`.
        machine: `Environment.machine_id`.
        code: hash of the code, libraries and files the answer depends on (`benchmarks.records.staleness`).
        started: UTC time in ISO 8601.
        seconds: wall time of the case.
        where: what the process that measured found itself to be: "node" (which host, not by its name), "nice" (0 is
            the usual priority), "threads" (of PyTorch), "spinning" (processors that its threads keep busy right after a
            timed call), "gpu" (its name and number), "nodes" (those that shared a training); empty where none measured.
    """

    case: Case
    status: str
    reason: str = ""
    measurements: tuple[Measurement, ...] = ()
    notes: tuple[str, ...] = ()
    environment: str = ""
    machine: str = ""
    code: str = ""
    started: str = ""
    seconds: float = 0.0
    where: Mapping[str, Any] = field(default_factory=dict)
    schema: int = SCHEMA

    def value(self, name: str) -> float | None:
        """The value of the measurement called `name`, or None."""
        found = self.find(name)
        return None if found is None else found.value

    def find(self, name: str) -> Measurement | None:
        """The measurement called `name`, or None."""
        return next((measurement for measurement in self.measurements if measurement.name == name), None)

    def to_json(self) -> str:
        """One line of `results.jsonl`; letters that no text has, as in file names of another encoding, become "?"."""
        data = dataclasses.asdict(self)
        text = json.dumps(data, sort_keys=True, allow_nan=False, default=_plain)
        if re.search(r"\\ud[89a-f]", text):
            legible = json.dumps(data, ensure_ascii=False, default=_plain).encode(errors="replace")
            text = json.dumps(json.loads(legible), sort_keys=True)
        return text

    @classmethod
    def from_json(cls, line: str) -> Record:
        """The record in one line of `results.jsonl`; raises `RecordError`."""
        try:
            data = json.loads(line, parse_constant=_refuse)
        except (ValueError, RecursionError) as error:
            raise RecordError(f"not JSON: {error}") from None
        if not isinstance(data, dict):
            raise RecordError(f"a record is a JSON object; got {type(data).__name__}")
        if data.get("schema") != SCHEMA:
            raise RecordError(f"schema {shown(data.get('schema'))}; this version reads schema {SCHEMA}")
        try:
            case = dict(data.pop("case"))
            for pairs in ("settings", "effort"):
                case[pairs] = tuple((name, value) for name, value in case.get(pairs, ()))
            measurements = tuple(
                Measurement(**{**entry, **{name: _listed(entry.get(name, [])) for name in ("samples", "rounds")}})
                for entry in _listed(data.pop("measurements", []))
            )
            record = cls(case=Case(**case), measurements=measurements, notes=_listed(data.pop("notes", [])), **data)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise RecordError(f"not a record: {error}") from None
        if record.status not in STATUSES:
            raise RecordError(f"status {shown(record.status)}; allowed: {', '.join(STATUSES)}")
        parts: list[Record | Case | Measurement] = [record, record.case, *record.measurements]
        for part in parts:
            _check(part)
        return record


def _listed(value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise TypeError(f"a list is wanted; got {shown(value)}")
    return tuple(value)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number")


TEXT = 10_000  # characters of a field: more is no name, reason or note


def _is_text(value: Any) -> bool:
    return fits(value, str) and len(value) <= TEXT


# what a field may hold, by its annotation; what is not listed is made of parts that are checked themselves
KINDS: Mapping[str, Shape] = {
    "str": _is_text,
    "int": int,
    "float": float,
    "float | None": (float, None),
    "tuple[float, ...]": [float],
    "tuple[int, ...]": [int],
    "tuple[str, ...]": [_is_text],
    "tuple[tuple[str, str | int | float | bool], ...]": lambda pairs: all(
        _is_text(name) and fits(value, (bool, _is_text, float)) for name, value in pairs
    ),
    "Mapping[str, Any]": lambda value: isinstance(value, Mapping) and is_json(value),
}
QUANTITIES = ("count", "s", "B", "1/s", "ratio")  # units of what is never negative, and not 0 where it was sampled


def _check(part: Record | Case | Measurement) -> None:
    """Raises `RecordError` unless every field holds what its annotation says: no NaN, no negative count."""
    for each in dataclasses.fields(part):
        value = getattr(part, each.name)
        if str(each.type) in KINDS and not fits(value, KINDS[str(each.type)]):
            raise RecordError(f"{each.name} of a {type(part).__name__.lower()} is {repr(value)[:60]}")
    if isinstance(part, Measurement):
        _check_quantity(part)


def _check_quantity(found: Measurement) -> None:
    if found.rounds and len(found.rounds) != len(found.samples):
        raise RecordError(f"{found.name} has {len(found.samples)} samples and {len(found.rounds)} rounds")
    low, high = found.value if found.low is None else found.low, found.value if found.high is None else found.high
    if not low <= high:
        raise RecordError(f"{found.name} has an interval from {low:g} to {high:g}")
    if found.unit in QUANTITIES and min(found.value, low, *found.samples) < 0:
        raise RecordError(f"{found.name} is below 0")
    if found.unit in QUANTITIES and found.samples and min(found.value, *found.samples) == 0:
        raise RecordError(f"{found.name} is 0")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not a JSON value")
