"""What a run plans and what it finds: frozen data that goes to JSON and back, without PyTorch.

Values are SI and unrounded (seconds, bytes, counts, fractions); rounding and prefixes belong to the report.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["SCHEMA", "STATUSES", "Case", "Environment", "Measurement", "Record", "RecordError"]

SCHEMA = 1
STATUSES = ("ok", "skipped", "failed", "oom", "crashed", "timeout")


class RecordError(ValueError):
    """A line that is not a record of this schema; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One metric of one model under one set of conditions.

    Conditions a metric does not depend on keep their defaults, so that equal questions have equal keys.

    Args:
        metric: name in `benchmarks.metrics`.
        model: label in shell form ("mobilenet_v1:width=0.5").
        runtime: name in `zoo.runtimes`.
        device: "cpu" or "cuda".
        precision: floating-point type of weights and images.
        img_size: side of the square input in pixels.
        batch_size: images a call.
        num_threads: threads of the runtime; 0 where threads do not matter.
        weights: as `zoo.create` takes them; empty for untrained.
        dataset: name in `zoo.data`; empty where none is read.
        data_dir: folder of the data set's files; empty for the embedded or default place.
        epochs: passes over the training images; 0 where nothing is trained.
        train_images: training images used; 0 where nothing is trained.
        seed: of initialisation, order and inputs.
        settings: what else the metric was told, as sorted pairs (measuring time, rounds, recipe key ...).
    """

    metric: str
    model: str
    runtime: str = "eager"
    device: str = "cpu"
    precision: str = "fp32"
    img_size: int = 0
    batch_size: int = 1
    num_threads: int = 0
    weights: str = ""
    dataset: str = ""
    data_dir: str = ""
    epochs: int = 0
    train_images: int = 0
    seed: int = 0
    settings: tuple[tuple[str, str | int | float | bool], ...] = ()

    @property
    def key(self) -> str:
        """Stable hash of every field: two cases are the same question exactly if their keys are equal."""
        text = json.dumps(dataclasses.asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


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
        environment: `Environment.id`.
        machine: `Environment.machine_id`.
        code: hash of the model code the case depends on (spec, blocks, weights), for staleness.
        started: UTC time in ISO 8601.
        seconds: wall time of the case.
    """

    case: Case
    status: str
    reason: str = ""
    measurements: tuple[Measurement, ...] = ()
    environment: str = ""
    machine: str = ""
    code: str = ""
    started: str = ""
    seconds: float = 0.0
    schema: int = SCHEMA

    def value(self, name: str) -> float | None:
        """The value of the measurement called `name`, or None."""
        found = self.find(name)
        return None if found is None else found.value

    def find(self, name: str) -> Measurement | None:
        """The measurement called `name`, or None."""
        return next((measurement for measurement in self.measurements if measurement.name == name), None)

    def to_json(self) -> str:
        """One line of `results.jsonl`."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True, allow_nan=False, default=_plain)

    @classmethod
    def from_json(cls, line: str) -> Record:
        """The record in one line of `results.jsonl`; raises `RecordError`."""
        try:
            data = json.loads(line)
        except ValueError as error:
            raise RecordError(f"not JSON: {error}") from None
        if not isinstance(data, dict):
            raise RecordError(f"a record is a JSON object; got {type(data).__name__}")
        if data.get("schema") != SCHEMA:
            raise RecordError(f"schema {data.get('schema')!r}; this version reads schema {SCHEMA}")
        try:
            case = dict(data.pop("case"))
            case["settings"] = tuple((str(name), value) for name, value in case.get("settings", ()))
            measurements = tuple(
                Measurement(
                    **{**entry, "samples": tuple(entry.get("samples", ())), "rounds": tuple(entry.get("rounds", ()))}
                )
                for entry in data.pop("measurements", ())
            )
            record = cls(case=Case(**case), measurements=measurements, **data)
        except (KeyError, TypeError, ValueError) as error:
            raise RecordError(f"not a record: {error}") from None
        if record.status not in STATUSES:
            raise RecordError(f"status {record.status!r}; allowed: {', '.join(STATUSES)}")
        return record


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not a JSON value")
