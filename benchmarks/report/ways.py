"""The ways to run networks that records tell of, each with what is known of it: what is chosen from.

A way is a network at its own image size, a runtime, a precision and a number of threads. Its time is of one image.
"""

from __future__ import annotations

import dataclasses
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.records.record import FULL, PLAIN, PUBLISHED, Case, Measurement, Record
from benchmarks.report.choosing import Candidate
from benchmarks.report.costs import Cost, costs_of, pooled, session_of
from benchmarks.report.joining import model_spec, protocol_of
from benchmarks.report.printed import first_printed
from benchmarks.stats.intervals import Interval, percentile_interval
from benchmarks.stats.means import mean_of
from zoo.data import DATASETS

__all__ = ["BYTES", "Contents", "ways_of"]

BYTES = {"fp32": 4, "bf16": 2, "fp16": 2, "int8": 1}  # of a parameter in a file
MEDIAN = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What the milliseconds of a way contain.

    Args:
        percentile: of the calls: 50, 90, 95 or 99.
        preparation: decoding, resizing and normalizing a photograph, too.
        first: the first answer of a fresh process, with loading, instead of a warm one's.
    """

    percentile: int = MEDIAN
    preparation: bool = False
    first: bool = False

    @property
    def text(self) -> str:
        """In words."""
        if self.first:
            core = "the first answer of a fresh process, with loading the network, from one look without an interval"
        elif self.percentile == MEDIAN:
            core = "the median call"
        else:
            core = f"percentile {self.percentile} of the calls"
        added = ", with decoding, resizing and normalizing a photograph of 500 x 375 pixels"
        without = "; decoding and resizing are not in it"
        return f"{core} with one image, from pixels to logits{added if self.preparation else without}"


def ways_of(
    records: Iterable[Record], *, dataset: str = PUBLISHED, contents: Contents = Contents(), device: str = "cpu"
) -> list[Candidate]:
    """Every way that one machine's records tell a time, a rate or a peak of memory of.

    Args:
        records: one a question, as the present rules read them; accuracies may be another machine's.
        dataset: whose accuracies count.
        contents: of the milliseconds.
    """
    records = [record for record in records if record.status == "ok"]
    ways: dict[Case, dict[str, list[Record]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        case, entry = record.case, model_spec(record.case.model)
        own = entry is not None and case.img_size == entry.input.size
        if case.metric in ("latency", "memory", "throughput") and case.device == device and own:
            ways[_way(case)][case.metric].append(record)
    facts, accuracies = _Facts(records), _Accuracies(records, dataset)
    return [_candidate(case, found, facts, accuracies, contents) for case, found in ways.items()]


def _way(case: Case) -> Case:
    """What the records of one way share."""
    return Case(
        metric="", model=case.model, runtime=case.runtime, precision=case.precision,
        img_size=case.img_size, num_threads=case.num_threads,
    )  # fmt: skip


def _candidate(
    way: Case, found: Mapping[str, Sequence[Record]], facts: _Facts, accuracies: _Accuracies, contents: Contents
) -> Candidate:
    single = [record for record in found.get("latency", ()) if record.case.batch_size == 1]
    rates = [(_interval(rate), record.case.batch_size) for record in found.get("throughput", ())
             if (rate := record.find("samples_per_sec"))]  # fmt: skip
    fastest = max(rates, key=lambda rate: rate[0].value, default=(None, 0))
    peaks = [peak for record in found.get("memory", ()) if record.case.batch_size == 1
             if (peak := record.find("peak_rss_bytes"))]  # fmt: skip
    size, size_source = facts.size(way, single)
    known = accuracies.of(way)
    return Candidate(
        model=way.model,
        runtime=way.runtime,
        precision=way.precision,
        num_threads=way.num_threads,
        img_size=way.img_size,
        latency_ms=facts.latency(way, single, contents),
        size_mb=size,
        size_source=size_source,
        memory_mb=_interval(peaks[-1]).scaled(1e-6) if peaks else None,
        gmacs=facts.gmacs(way),
        throughput=fastest[0],
        batch_size=fastest[1],
        top1=known.top1,
        top1_source=known.source,
        basis=known.basis,
        protocol=known.protocol,
        weights=known.weights,
    )


class _Facts:
    """Counts and preparation times by model."""

    def __init__(self, records: Iterable[Record]) -> None:
        self._params: dict[str, float] = {}
        self._mult_adds: dict[tuple[str, int], float] = {}
        self._preparation: dict[tuple[str, int, int], Interval] = {}
        for record in records:
            case = record.case
            if (count := record.value("param_count")) is not None:
                self._params[case.model] = count
            if (work := record.value("mult_adds")) is not None:
                self._mult_adds[case.model, case.img_size] = work
            if found := record.find("preparation_s"):
                self._preparation[case.model, case.img_size, case.num_threads] = _interval(found)

    def size(self, way: Case, latencies: Sequence[Record]) -> tuple[Interval | None, str]:
        """Megabytes of the file as it was made to be timed, else of the parameters."""
        for record in reversed(latencies):
            written = session_of(record).get("file_bytes")
            if isinstance(written, int) and written > 0:
                return _exact(written * 1e-6), "file"
        count, each = self._params.get(way.model), BYTES.get(way.precision)
        if count is None and (entry := model_spec(way.model)) and (printed := first_printed(entry, "params")):
            count = printed[0]
        return (None, "") if count is None or each is None else (_exact(count * each * 1e-6), "parameters")

    def gmacs(self, way: Case) -> Interval | None:
        found = self._mult_adds.get((way.model, way.img_size))
        return None if found is None else _exact(found * 1e-9)

    def latency(self, way: Case, records: Sequence[Record], contents: Contents) -> Interval | None:
        """Milliseconds, of the last look at it."""
        record = records[-1] if records else None
        found = record.find("latency_s") if record else None
        if record is None or found is None:
            return None
        if contents.first:
            parts = [record.value(name) for name in ("load_s", "first_call_s")]
            time = None if None in parts else _exact(sum(part for part in parts if part is not None))
        elif contents.percentile == MEDIAN:
            time = _time(found)
        else:
            time = percentile_interval(found.samples, contents.percentile) if found.samples else None
        if contents.preparation and time is not None:
            added = self._preparation.get((way.model, way.img_size, way.num_threads))
            time = None if added is None else _sum(time, added)
        return None if time is None else time.scaled(1e3)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """An accuracy in percent, and where it is from."""

    top1: Interval | None = None
    source: str = ""
    basis: str = ""
    protocol: str = ""
    weights: str = ""


class _Accuracies:
    """What is known of accuracies on one data set, and what a precision costs on any."""

    def __init__(self, records: Sequence[Record], dataset: str) -> None:
        self._dataset = dataset
        found = [record for record in records if record.case.metric == "accuracy" and record.case.dataset == dataset
                 and record.find("top1")]  # fmt: skip
        shared = Counter(_protocol(record.case) for record in found).most_common(1)
        self._measured = [record for record in found if _protocol(record.case) == shared[0][0]]
        self._costs = costs_of(records)

    def of(self, way: Case) -> _Known:
        """Measured, else published, else the one or the other in fp32 with what the precision costs elsewhere."""
        measured = self._measured_at(way, way.runtime, way.precision)
        if way.precision == FULL:
            return measured or self._measured_at(way, "", FULL) or self._published(way) or _Known()
        if measured:
            return measured
        full = self._measured_at(way, "", FULL) or self._published(way)
        return (full and self._estimated(way, full)) or _Known()

    def _measured_at(self, way: Case, runtime: str, precision: str) -> _Known | None:
        """On any runtime where none is named: in fp32 they are all held to the plain network's logits."""
        found = [
            record
            for record in self._measured
            if record.case.model == way.model
            and record.case.precision == precision
            and runtime in ("", record.case.runtime)
            and (record.case.train_img_size or record.case.img_size) == way.img_size
        ]
        if not found:
            return None
        last = found[-1].case
        found = [record for record in found if record.case.weights == last.weights]
        seeds = [record for record in found if record.case.seed != last.seed]
        label = DATASETS[self._dataset].label
        top1 = found[-1].find("top1")
        images = int(found[-1].value("test_images") or 0)
        basis = f"measured on {images:,} images of {label}"
        if seeds and last.recipe:
            mean = mean_of([value for record in found if (value := record.value("top1")) is not None])
            known = Interval(mean.value, _or(mean.low, -math.inf), _or(mean.high, math.inf))
            basis += f", the mean of {len(found)} trainings"
        elif top1 is None:
            return None
        else:
            known = _interval(top1)
        kept = str(top1.details.get("weights_file") or "") if top1 is not None else ""
        return _Known(
            top1=known.scaled(100), source="measured", basis=basis, weights=last.weights_path or last.weights or kept
        )

    def _published(self, way: Case) -> _Known | None:
        entry = model_spec(way.model)
        printed = first_printed(entry, "top1", PUBLISHED) if entry and self._dataset == PUBLISHED else None
        if printed is None:
            return None
        value, reference = printed
        told = ", ".join(filter(None, [reference.source, reference.protocol]))
        there = entry is not None and any(each.options == entry.options for each in entry.weights)
        return _Known(
            top1=_exact(100 * value),
            source="published",
            basis=f"published for ImageNet ({told})",
            protocol=reference.protocol,
            weights=PUBLISHED if there else "",
        )

    def _estimated(self, way: Case, full: _Known) -> _Known | None:
        evidence = self._evidence(way)
        cost = pooled(evidence)
        if cost is None or full.top1 is None:
            return None
        points, images = cost
        networks = sorted({each.case.model for each in evidence})
        labels = sorted({DATASETS[each.case.dataset].label for each in evidence})
        basis = (
            f"an estimate: {full.basis} at {FULL}, and {points.value:+.2f} points ({points.low:+.2f} to "
            f"{points.high:+.2f}) for {way.precision} with {way.runtime}, measured on {images:,} answers of "
            f"{' and '.join(networks)} to {' and '.join(labels)}"
        )
        return _Known(
            top1=_sum(full.top1, points), source="estimate", basis=basis, protocol=full.protocol, weights=full.weights
        )

    def _evidence(self, way: Case) -> list[Cost]:
        """What the precision costs this network with this runtime, else its variants."""
        alike = [
            each for each in self._costs if (each.case.runtime, each.case.precision) == (way.runtime, way.precision)
        ]
        same = [each for each in alike if each.case.model == way.model]
        name = way.model.partition(":")[0]
        return same or [each for each in alike if each.case.model.partition(":")[0] == name]


def _protocol(case: Case) -> Case:
    """What accuracies share that compare, whatever ran the network."""
    return dataclasses.replace(protocol_of(case), runtime=PLAIN, precision=FULL)


def _interval(found: Measurement) -> Interval:
    """A measurement without an interval counts as exact."""
    return Interval(found.value, _or(found.low, found.value), _or(found.high, found.value))


def _time(found: Measurement) -> Interval:
    """A time without an interval is of too few rounds."""
    return Interval(found.value, _or(found.low, -math.inf), _or(found.high, math.inf))


def _exact(value: float) -> Interval:
    return Interval(value, value, value)


def _sum(one: Interval, other: Interval) -> Interval:
    """Of two independent figures (MOVER)."""
    value = one.value + other.value
    down = math.hypot(one.value - one.low, other.value - other.low)
    up = math.hypot(one.high - one.value, other.high - other.value)
    return Interval(value, value - down, value + up)


def _or(bound: float | None, otherwise: float) -> float:
    return otherwise if bound is None else bound
