"""What records say about the arms of a study, ready to be asked. Reads records only and never imports PyTorch."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import zoo
from benchmarks.metrics.latency import times_of
from benchmarks.records.record import Case, Measurement, Record
from benchmarks.stats.intervals import Interval, median_interval
from benchmarks.stats.means import Mean, mean_of
from benchmarks.stats.ratios import time_ratio
from benchmarks.studies.arm import Arm

__all__ = ["Evidence"]

ROW = "row:"  # before the name of a row in the measurements of `layers`
Conditions = Case  # of a training, without what is compared


class Evidence:
    """The usable records of a study.

    Args:
        arms: the variants it compares.
        records: those that are not ok are passed over. Counts and times are of one machine; trainings may be of
            several.
    """

    def __init__(self, arms: Sequence[Arm], records: Iterable[Record]) -> None:
        self.arms = arms
        self.by_title = {arm.title: arm for arm in arms}
        self.records = [record for record in records if record.status == "ok"]

    @cached_property
    def _tables(self) -> Mapping[str, Measurement]:
        """The table of each model at its own image size."""
        found = {}
        for record in self.records:
            measurement = record.find("rows") if record.case.metric == "rows" else None
            if measurement is not None and record.case.img_size == zoo.spec(record.case.model).input.size:
                found[record.case.model] = measurement
        return found

    def rows(self, model: str) -> Mapping[str, Mapping[str, Any]] | None:
        """The rows of a model's table by name: output, params, weights, mult_adds."""
        table = self._tables.get(zoo.spec(model).label)
        return None if table is None else {row["name"]: row for row in table.details["rows"]}

    def kinds(self, model: str) -> Mapping[str, Mapping[str, int]] | None:
        """Sums over the kinds of layers of a model: weights, biases, mult_adds."""
        table = self._tables.get(zoo.spec(model).label)
        return None if table is None else table.details["kinds"]

    def params(self, model: str, *rows: str) -> int | None:
        """Learnable parameters of a model, or of some of its rows."""
        return self._sum("params", model, rows)

    def weights(self, model: str, *rows: str) -> int | None:
        """Filter weights of a model, or of some of its rows, without biases and norms."""
        return self._sum("weights", model, rows)

    def mult_adds(self, model: str, *rows: str) -> int | None:
        """Multiply-adds of one image, or of some rows."""
        return self._sum("mult_adds", model, rows)

    def _sum(self, quantity: str, model: str, names: tuple[str, ...]) -> int | None:
        rows = self.rows(model)
        return (
            None
            if rows is None
            else sum(int(row[quantity]) for name, row in rows.items() if name in names or not names)
        )

    def trainings(self, arm: Arm) -> Mapping[Conditions, Mapping[int, Record]]:
        """The trainings of an arm: conditions, then seed. Conditions of two arms are equal where they compare.

        All arms of a seed are of one machine, the one that trained most of them with it: then a difference holds no
        rounding of two machines, and seeds of several machines add up.
        """
        return self._trainings[arm]

    @cached_property
    def _trainings(self) -> Mapping[Arm, Mapping[Conditions, Mapping[int, Record]]]:
        found = {arm: self._trained(arm) for arm in self.arms}
        arms: dict[tuple[Conditions, int], Counter[str]] = defaultdict(Counter)
        for trained in found.values():
            for key, records in trained.items():
                arms[key].update(records.keys())
        chosen: dict[Arm, dict[Conditions, dict[int, Record]]] = {arm: defaultdict(dict) for arm in found}
        for arm, trained in found.items():
            for (conditions, seed), records in trained.items():
                ((machine, _),) = arms[conditions, seed].most_common(1)
                if machine in records:
                    chosen[arm][conditions][seed] = records[machine]
        return chosen

    def _trained(self, arm: Arm) -> Mapping[tuple[Conditions, int], Mapping[str, Record]]:
        """The trainings of an arm: conditions and seed, then machine."""
        found: dict[tuple[Conditions, int], dict[str, Record]] = defaultdict(dict)
        for record in self.records:
            case = record.case
            if case.metric != "accuracy" or case.weights or case.model != zoo.spec(arm.model).label:
                continue
            prescribed = {each.recipe for each in self.arms}
            if arm.img_size not in (0, case.train_img_size) or (arm.recipe or case.recipe) != case.recipe:
                continue
            if not arm.recipe and case.recipe in prescribed:
                continue  # the recipe of another arm
            found[self._conditions(arm, case), case.seed][record.machine] = record
        return found

    def _conditions(self, arm: Arm, case: Case) -> Conditions:
        """What arms must share to be compared: all but the network, the seed and what the arm itself prescribes.

        The number of threads moves an accuracy by rounding only, as another seed does.
        """
        size = 0 if arm.img_size else case.train_img_size
        recipe = case.recipe.partition(":")[0] if arm.recipe else case.recipe
        return dataclasses.replace(case, model="", seed=0, train_threads=0, train_img_size=size, recipe=recipe)

    def accuracy(self, arm: Arm) -> Mean | None:
        """Top-1 over the seeds of the most thorough training; None if the arm was never trained."""
        trainings = self.trainings(arm)
        if not trainings:
            return None
        return mean_of([_top1(record) for record in trainings[max(trainings, key=self._thoroughness)].values()])

    def differences(self, left: Arm, right: Arm) -> list[float]:
        """Top-1 of `left` minus that of `right`, seed by seed, under the conditions with the most training."""
        one, other = self.trainings(left), self.trainings(right)
        common = [key for key in one if key in other and one[key].keys() & other[key].keys()]
        if not common:
            return []
        key = max(common, key=self._thoroughness)
        return [_top1(one[key][seed]) - _top1(other[key][seed]) for seed in sorted(one[key].keys() & other[key].keys())]

    def curves(self, arm: Arm) -> list[list[tuple[float, float, float]]]:
        """Epoch, training error and test error of each seed."""
        trainings = self.trainings(arm)
        if not trainings:
            return []
        found = []
        for record in trainings[max(trainings, key=self._thoroughness)].values():
            top1 = record.find("top1")
            points = top1.details.get("curve", ()) if top1 is not None else ()
            found.append([(point["epoch"], 1 - point["train_top1"], 1 - point["top1"]) for point in points])
        return [curve for curve in found if curve]

    def _thoroughness(self, conditions: Conditions) -> tuple[int, int]:
        """Images seen in training, then the number of arms trained so."""
        return conditions.epochs * conditions.train_images, sum(conditions in self.trainings(arm) for arm in self.arms)

    @cached_property
    def _timed(self) -> Mapping[str, Record]:
        """The latency of each model under the one condition that most arms were timed under."""
        labels = {zoo.spec(arm.model).label for arm in self.arms}
        groups: dict[Conditions, dict[str, Record]] = defaultdict(dict)
        for record in self.records:
            case = record.case
            if case.metric == "latency" and case.model in labels and record.find("latency_s"):
                size = 0 if case.img_size == zoo.spec(case.model).input.size else case.img_size
                groups[dataclasses.replace(case.question, model="", img_size=size)][case.model] = record
        return max(groups.values(), key=len, default={})

    def latency(self, model: str) -> Measurement | None:
        """The time of one call."""
        record = self._timed.get(zoo.spec(model).label)
        return None if record is None else record.find("latency_s")

    def time_ratio(self, left: Arm, right: Arm) -> Interval | None:
        """Latency of `left` over that of `right`."""
        one, other = (self._timed.get(zoo.spec(arm.model).label) for arm in (left, right))
        times = one and times_of(one), other and times_of(other)
        return time_ratio(times[0], times[1]) if times[0] and times[1] else None

    def row_times(self, model: str) -> Mapping[str, Measurement] | None:
        """The time of each row of a model's table: in `samples` pass by pass, all rows of a pass after one another."""
        label = zoo.spec(model).label
        records = [each for each in self.records if each.case.metric == "layers" and each.case.model == label]
        if not records:
            return None
        rows = (row for row in records[-1].measurements if row.name.startswith(ROW))
        return {row.name.removeprefix(ROW): row for row in rows}

    def time_share(self, model: str, rows: Collection[str]) -> Interval | None:
        """The part of a pass that some rows take, with its 95 % interval over passes."""
        times = self.row_times(model)
        if times is None:
            return None
        samples = zip(*(row.samples for row in times.values()), strict=True)
        passes = [dict(zip(times, each, strict=True)) for each in samples]
        return median_interval(
            [sum(taken for row, taken in each.items() if row in rows) / sum(each.values()) for each in passes]
        )

    @property
    def timed_case(self) -> Case | None:
        """A case under the condition of the times; None where nothing was timed."""
        return next((record.case for record in self._timed.values()), None)

    def next_seed(self, seeds: Sequence[int]) -> int:
        """The first seed after `seeds` that not every arm was trained with."""
        trained = [
            {seed for seeds in self.trainings(arm).values() for seed in seeds} for arm in self.arms if arm.trained
        ]
        seed = max(seeds) + 1
        while trained and all(seed in seeds for seeds in trained):
            seed += 1
        return seed

    def training_records(self) -> list[Record]:
        """Every training an arm's figure comes from."""
        found = []
        for arm in self.arms:
            trainings = self.trainings(arm)
            if trainings:
                found += list(trainings[max(trainings, key=self._thoroughness)].values())
        return found


def _top1(record: Record) -> float:
    value = record.value("top1")
    if value is None:
        raise ValueError(f"a record of accuracy without top1: {record.case}")
    return value
