"""What records say about the arms of a study, ready to be asked. Reads records only and never imports PyTorch."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import zoo
from benchmarks.metrics.latency import times_of
from benchmarks.metrics.schemes import Answers, answers_of
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
        training: the metric whose trainings count.
    """

    def __init__(self, arms: Sequence[Arm], records: Iterable[Record], training: str = "accuracy") -> None:
        self.arms, self.training = arms, training
        self.by_title = {arm.title: arm for arm in arms}
        self.records = [record for record in records if record.status == "ok"]

    @cached_property
    def _tables(self) -> Mapping[str, Mapping[str, Any]]:
        """The table of each model at its own image size: its "rows" and the sums over its "kinds" of layers."""
        return {
            record.case.model: measurement.details
            for record in self.records
            if record.case.metric == "rows"
            and record.case.img_size == zoo.spec(record.case.model).input.size
            and (measurement := record.find("rows"))
        }

    def rows(self, model: str) -> Mapping[str, Mapping[str, Any]] | None:
        """The rows of a model's table by name: output, params, weights, mult_adds."""
        table = self._tables.get(zoo.spec(model).label)
        return None if table is None else {row["name"]: row for row in table["rows"]}

    def kinds(self, model: str) -> Mapping[str, Mapping[str, int]] | None:
        """Sums over the kinds of layers of a model: weights, biases, mult_adds."""
        table = self._tables.get(zoo.spec(model).label)
        return None if table is None else table["kinds"]

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
        return None if rows is None else sum(int(rows[name][quantity]) for name in names or rows)

    @cached_property
    def trainings(self) -> Mapping[Arm, Mapping[Conditions, Mapping[int, Record]]]:
        """The trainings of each arm: conditions, then seed. Conditions of two arms are equal where they compare.

        All arms of a seed are of one machine, the one that trained most of them with it: then a difference holds no
        rounding of two machines, and seeds of several machines add up.
        """
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
        others = {each.recipe for each in self.arms}  # an arm without a recipe takes any but those of others
        for record in self.records:
            case = record.case
            if (
                case.metric == self.training
                and not case.weights
                and case.model == zoo.spec(arm.model).label
                and arm.img_size in (0, case.train_img_size)
                and (case.recipe == arm.recipe if arm.recipe else case.recipe not in others)
            ):
                found[self._conditions(arm, case), case.seed][record.machine] = record
        return found

    def _conditions(self, arm: Arm, case: Case) -> Conditions:
        """What arms must share to be compared: all but the network, the seed and what the arm itself prescribes.

        The number of threads moves an accuracy by rounding only, as another seed does.
        """
        size = 0 if arm.img_size else case.train_img_size
        recipe = case.recipe.partition(":")[0] if arm.recipe else case.recipe
        return dataclasses.replace(case, model="", seed=0, train_threads=0, train_img_size=size, recipe=recipe)

    def _thorough(self, arm: Arm) -> Mapping[int, Record]:
        """The trainings of an arm under the conditions with the most training, by seed."""
        trainings = self.trainings[arm]
        return trainings[max(trainings, key=self._thoroughness)] if trainings else {}

    def _thoroughness(self, conditions: Conditions) -> tuple[int, int]:
        """Images seen in training, then the number of arms trained so."""
        return conditions.epochs * conditions.train_images, sum(conditions in self.trainings[arm] for arm in self.arms)

    def accuracy(self, arm: Arm) -> Mean | None:
        """Top-1 over the seeds of the most thorough training; None if the arm was never trained."""
        found = [_top1(record).value for record in self._thorough(arm).values()]
        return mean_of(found) if found else None

    def differences(self, left: Arm, right: Arm) -> list[float]:
        """Top-1 of `left` minus that of `right`, seed by seed, under the conditions with the most training."""
        one, other = self.trainings[left], self.trainings[right]
        common = [key for key in one if key in other and one[key].keys() & other[key].keys()]
        if not common:
            return []
        key = max(common, key=self._thoroughness)
        seeds = sorted(one[key].keys() & other[key].keys())
        return [_top1(one[key][seed]).value - _top1(other[key][seed]).value for seed in seeds]

    def answers(self, arm: Arm) -> Mapping[int, Answers]:
        """By seed, which images a network has right in fp32 and in integers, under the most thorough training."""
        found = {seed: answers_of(record) for seed, record in sorted(self._thorough(arm).items())}
        return {seed: each for seed, each in found.items() if each is not None}

    @cached_property
    def given(self) -> Sequence[tuple[Case, Answers]]:
        """The same of trained weights that were handed in, whatever network they are of."""
        found = [(record.case, answers_of(record)) for record in self.records if record.case.weights]
        return [(case, each) for case, each in found if each is not None]

    def curves(self, arm: Arm) -> list[list[tuple[float, float, float]]]:
        """Epoch, training error and test error of each seed."""
        curves = [_top1(record).details.get("curve", ()) for record in self._thorough(arm).values()]
        return [
            [(point["epoch"], 1 - point["train_top1"], 1 - point["top1"]) for point in curve]
            for curve in curves
            if curve
        ]

    def training_records(self) -> list[Record]:
        """Every training an arm's figure comes from; one whose arms are not to be trained was made for another."""
        return [record for arm in self.arms if arm.trained for record in self._thorough(arm).values()]

    def trained_cost(self, arm: Arm) -> float | None:
        """Multiply-adds of one image as large as those the arm's figure was taken on; None where none were counted."""
        size = next((record.case.train_img_size for record in self._thorough(arm).values()), 0)
        return self._costs.get((zoo.spec(arm.model).label, size))

    @cached_property
    def _costs(self) -> Mapping[tuple[str, int], float]:
        """Multiply-adds by model and size of the images."""
        counted = (record for record in self.records if record.case.metric == "mult_adds")
        return {
            (record.case.model, record.case.img_size): found
            for record in counted
            if (found := record.value("mult_adds")) is not None
        }

    def next_seed(self, seeds: Sequence[int]) -> int:
        """The first seed after `seeds` that not every arm was trained with."""
        trained = [
            {seed for seeds in self.trainings[arm].values() for seed in seeds} for arm in self.arms if arm.trained
        ]
        seed = max(seeds) + 1
        while trained and all(seed in seeds for seeds in trained):
            seed += 1
        return seed

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

    @property
    def timed_case(self) -> Case | None:
        """A case under the condition of the times; None where nothing was timed."""
        return next((record.case for record in self._timed.values()), None)

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
        passes = [
            dict(zip(times, each, strict=True)) for each in zip(*(row.samples for row in times.values()), strict=True)
        ]
        return median_interval([sum(each[row] for row in rows if row in each) / sum(each.values()) for each in passes])


def _top1(record: Record) -> Measurement:
    top1 = record.find("top1")
    if top1 is None:
        raise ValueError(f"a record of accuracy without top1: {record.case}")
    return top1
