"""The networks that were tried on somebody's images, each with what all its seeds answered."""

from __future__ import annotations

import dataclasses
import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.records.naming import names_of
from benchmarks.records.predictions import unpack
from benchmarks.records.record import Case, Measurement, Record
from benchmarks.report.joining import Row
from benchmarks.stats.intervals import Interval
from benchmarks.stats.means import mean_of

__all__ = ["Answers", "Candidate", "Trial", "trials"]


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What one network answered to every image.

    Args:
        images: what identifies them, their order included.
        labels, answers: (N), class numbers of the right and the first answer; -1 for an image that was not read.
        names: of the classes by their numbers.
    """

    images: str
    labels: NDArray[np.int32]
    answers: NDArray[np.int32]
    names: Mapping[int, str]

    @property
    def read(self) -> NDArray[np.bool_]:
        """(N), whether there is an answer."""
        found: NDArray[np.bool_] = self.answers >= 0
        return found

    @property
    def right(self) -> NDArray[np.bool_]:
        """(N), whether it is the right one."""
        found: NDArray[np.bool_] = self.read & (self.answers == self.labels)
        return found

    def name(self, number: int) -> str:
        """Of a class; its number where it has none."""
        return self.names.get(int(number), str(number))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidate:
    """A network that was tried, with every seed.

    Args:
        name: its model, and what tells it from others of the same model.
        records: one a seed.
    """

    name: str
    records: tuple[Record, ...]

    @property
    def case(self) -> Case:
        """That of its first seed."""
        return self.records[0].case

    @property
    def size(self) -> int:
        """Side in pixels of the images it was tested on."""
        return self.case.train_img_size or self.case.img_size

    @property
    def details(self) -> Mapping[str, Any]:
        """What its first seed says of the images."""
        return _top1(self.records[0]).details

    @property
    def seeds(self) -> dict[int, Record]:
        """The records by seed."""
        return {record.case.seed: record for record in self.records}

    def values(self, measurement: str) -> list[float]:
        """Of every seed that has it."""
        return [value for record in self.records if (value := record.value(measurement)) is not None]

    def interval(self, measurement: str) -> Interval | None:
        """The mean over the seeds with Student's interval; of one seed its own."""
        values = self.values(measurement)
        if not values:
            return None
        mean = mean_of(values)
        if mean.low is not None and mean.high is not None:
            return Interval(mean.value, max(mean.low, 0.0), min(mean.high, 1.0))
        found = next(each for record in self.records if (each := record.find(measurement)) is not None)
        low, high = (found.value if end is None else end for end in (found.low, found.high))
        return Interval(found.value, low, high)

    def answers(self) -> list[Answers]:
        """Of every seed whose answers were kept."""
        return [found for record in self.records if (found := _answers(record)) is not None]

    def best_record(self, metric: str) -> Record:
        """The seed that answered best."""
        return max(self.records, key=lambda record: (record.value(metric) or 0.0, -record.case.seed))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trial:
    """Networks that were tried on the same images.

    Args:
        name: of the images.
        part: "test", or "val" where these have chosen the epoch.
        weighted: networks that began with trained weights or are tested as they are.
        scratch: networks trained from scratch.
    """

    name: str
    part: str
    weighted: tuple[Candidate, ...]
    scratch: tuple[Candidate, ...]

    @property
    def groups(self) -> list[tuple[Candidate, ...]]:
        """Those that are ranked together, where there are any."""
        return [group for group in (self.weighted, self.scratch) if group]


def trials(rows: Iterable[Row]) -> list[Trial]:
    """What was tried on images of people's own, the latest first; of images that have changed only the latest."""
    found: dict[tuple[str, str], dict[str, list[Record]]] = defaultdict(lambda: defaultdict(list))
    records = {id(record): record for row in rows if (record := row.records.get("accuracy"))}.values()
    for record in records:
        top1 = record.find("top1")
        if record.status == "ok" and top1 is not None and "part" in top1.details:
            name = str(top1.details.get("data_name") or record.case.dataset)
            found[record.case.dataset, name][record.case.data].append(record)
    made = [(_latest(group), name) for (_, name), group in found.items()]
    made.sort(key=lambda item: (max(record.started for record in item[0]), item[1]), reverse=True)
    return [_trial(name, group) for group, name in made]


def _latest(groups: Mapping[str, list[Record]]) -> list[Record]:
    return max(groups.values(), key=lambda group: max(record.started for record in group))


def _trial(name: str, records: Sequence[Record]) -> Trial:
    seeds: dict[Case, list[Record]] = defaultdict(list)
    for record in records:
        seeds[dataclasses.replace(record.case.question, seed=0)].append(record)
    weighted, scratch = (
        _candidates({case: found for case, found in seeds.items() if bool(case.weights) is given})
        for given in (True, False)
    )
    first = (*weighted, *scratch)[0]
    return Trial(
        name=name,
        part="val" if first.details.get("part") == "val" else "test",
        weighted=weighted,
        scratch=scratch,
    )


def _candidates(seeds: Mapping[Case, Sequence[Record]]) -> tuple[Candidate, ...]:
    """Networks by the records of their seeds, each with a name that no other has."""
    models: dict[str, list[Case]] = defaultdict(list)
    for case in seeds:
        models[case.model].append(case)
    found = []
    for model, cases in models.items():
        names = names_of(_shortened(cases)) if len(cases) > 1 else {cases[0]: f"accuracy {model}"}
        for case in cases:
            ordered = sorted(seeds[case], key=lambda record: record.case.seed)
            found.append(Candidate(name=names[case].removeprefix("accuracy "), records=tuple(ordered)))
    return tuple(found)


def _shortened(cases: Sequence[Case]) -> list[Case]:
    """The same cases, the paths of their weights without what all of them begin and end with."""
    paths = [Path(case.weights_path).parts for case in cases if case.weights_path]
    begin, end = _alike(paths), _alike([each[::-1] for each in paths])

    def short(path: str) -> str:
        parts = Path(path).parts
        return Path(*(parts[begin : len(parts) - end] or parts[-1:])).as_posix()

    return [dataclasses.replace(case, weights_path=short(case.weights_path)) if case.weights_path else case
            for case in cases]  # fmt: skip


def _alike(paths: Sequence[Sequence[str]]) -> int:
    """Parts with which all of several paths begin."""
    same = (len(set(parts)) == 1 for parts in zip(*paths, strict=False))
    return sum(1 for _ in itertools.takewhile(bool, same)) if len(set(map(tuple, paths))) > 1 else 0


def _top1(record: Record) -> Measurement:
    found = record.find("top1")
    if found is None:
        raise LookupError(f"no top1 of {record.case.model}")
    return found


def _answers(record: Record) -> Answers | None:
    details = _top1(record).details
    try:
        labels, answers = (unpack(details.get(name, {})) for name in ("labels", "answers"))
    except ValueError:
        return None
    if answers.ndim != 2 or answers.shape[:1] != labels.shape:
        return None
    named = details.get("class_names") or {}
    names = {int(number): str(name) for number, name in named.items() if number.isdecimal()}
    return Answers(str(details.get("fingerprint")), labels, answers[:, 0], names)
