"""What was chosen, for a person at a terminal and as one JSON object."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.records.record import FULL, INTEGERS, PUBLISHED
from benchmarks.report.choosing import LIMITS, Budget, Candidate, Choice, Miss
from benchmarks.stats.digits import number
from benchmarks.stats.intervals import Interval

__all__ = ["Told", "as_json", "commands_of", "lines_of", "uncosted"]

MOST = 10  # answers on a terminal; --json has all
FORMATS = {"onnxruntime": ("onnx", "onnx"), "openvino": ("openvino", "xml")}  # what a runtime reads, and its ending
FIGURES = ("latency_ms", "size_mb", "top1", "memory_mb", "gmacs", "throughput")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What is told beside the choice.

    Args:
        run: the folder of the records.
        machine: on which the times were taken, in words.
        contains: what the milliseconds contain.
        dataset: name of the images whose accuracies count, for the commands.
        data_dir: their folder, as typed; empty for none.
        notes: what a reader must know besides.
    """

    run: str
    machine: str
    contains: str
    dataset: str
    data_dir: str = ""
    notes: Sequence[str] = ()


def as_json(choice: Choice, budget: Budget, told: Told) -> dict[str, Any]:
    """The whole choice as JSON values; a bound that is not known is null."""
    nearest = None
    if choice.nearest is not None:
        candidate, missed = choice.nearest
        nearest = {**_entry(candidate), "misses": [_miss(candidate, each) for each in missed]}
    tied = {id(each) for each in choice.ties}
    return {
        "answers": [{**_entry(each), "tied_with_first": id(each) in tied} for each in choice.answers],
        "nearest_miss": nearest,
        "commands": commands_of(choice, told),
        "possible": [_entry(each) for each in choice.possible],
        "set_aside": [_entry(each) for each in choice.set_aside],
        "budget": budget.limits,
        "run": told.run,
        "machine": told.machine,
        "milliseconds_contain": told.contains,
        "notes": [*told.notes, *_unmeasured(choice, budget, told)],
    }


def _entry(candidate: Candidate) -> dict[str, Any]:
    found: dict[str, Any] = {
        "model": candidate.model,
        "runtime": candidate.runtime,
        "precision": candidate.precision,
        "num_threads": candidate.num_threads,
        "img_size": candidate.img_size,
    }
    for name in FIGURES:
        figure: Interval | None = getattr(candidate, name)
        found[name] = None if figure is None else figure.value
        known = figure is not None and figure.known and figure.low < figure.high
        found[f"{name}_ci95"] = [figure.low, figure.high] if known and figure is not None else None
    return found | {
        "batch_size": candidate.batch_size or None,
        "size_source": candidate.size_source,
        "top1_source": candidate.top1_source,
        "top1_basis": candidate.basis,
        "top1_protocol": candidate.protocol,
        "weights": candidate.weights,
    }


def _miss(candidate: Candidate, missed: Miss) -> dict[str, Any]:
    return {
        "limit": missed.limit,
        "allowed": missed.allowed,
        "verdict": missed.verdict,
        "text": _missed(candidate, missed),
    }


def lines_of(choice: Choice, budget: Budget, told: Told) -> Iterator[str]:
    """The choice for a terminal: what fits, what cannot be told apart, what may fit, and what to type next."""
    wanted = ", ".join(
        f"{LIMITS[name].title} at {'most' if LIMITS[name].at_most else 'least'} {value:g} {LIMITS[name].unit}"
        for name, value in budget.limits.items()
    )
    yield f"wanted: {wanted or 'anything'}"
    if choice.answers:
        yield f"fits for certain, the most accurate first ({_count(choice.answers)}):"
        yield from _table(choice.answers)
        yield from _certain(choice)
    else:
        yield "nothing that was measured fits for certain"
        if choice.nearest is not None:
            candidate, missed = choice.nearest
            yield f"nearest: {_name(candidate)}; {'; '.join(_missed(candidate, each) for each in missed)}"
            yield from _table([candidate])
    if choice.possible:
        yield f"may fit, for all that is known ({_count(choice.possible)}):"
        yield from _table(choice.possible)
    yield from _unmeasured(choice, budget, told)
    for each in choice.set_aside[:MOST]:
        yield f"not counted: {_name(each)} is slower than on one thread; other work kept the processors busy"
    yield f"milliseconds: {told.contains}; {told.machine}; records of {told.run}"
    yield from told.notes
    made = commands_of(choice, told)
    if made:
        subject = "the first" if choice.answers else "the nearest"
        made_of = choice.answers[0] if choice.answers else choice.nearest[0] if choice.nearest else None
        without = "" if made_of is None or made_of.weights else ", with untrained weights, since none are published"
        yield f"make {subject}{without}, and check it:"
        yield from (f"  {command}" for command in made)


def uncosted(choice: Choice) -> list[Candidate]:
    """What may fit but for its accuracy, since nobody measured what its precision costs."""
    return [each for each in choice.unknown if each.top1 is None and each.precision != FULL]


def _unmeasured(choice: Choice, budget: Budget, told: Told) -> Iterator[str]:
    """What would tell the accuracy of ways that may fit: what their precision costs was not measured."""
    unknown = uncosted(choice)
    if budget.min_top1 is None or not unknown:
        return
    precisions = dict.fromkeys(each.precision for each in unknown)
    networks = dict.fromkeys(each.model.partition(":")[0] for each in unknown)
    command = ["python", "-m", "benchmarks.run", "--models", ",".join(networks), "--metrics", "accuracy"]
    command += ["--runtimes", ",".join(dict.fromkeys(each.runtime for each in unknown))]
    command += ["--precision", ",".join([FULL, *precisions]), "--weights", PUBLISHED, "--dataset", told.dataset]
    command += ["--data-dir", told.data_dir or "FOLDER", "--output-dir", told.run]
    yield (
        f"{_count(unknown)} would fit but for an accuracy that is not known: what {' and '.join(precisions)} costs was "
        f"not measured; this does it, on any images that trained weights know: {shlex.join(command)}"
    )


def _certain(choice: Choice) -> Iterator[str]:
    first = choice.answers[0]
    if first.basis:
        yield f"top-1 of the first: {first.basis}"
    if first.top1 is None:
        yield "accuracies are not known, so the fastest is first; with --min-top1 nothing without one fits"
    elif choice.ties:
        fastest = min(choice.ties, key=lambda each: each.latency_ms.value if each.latency_ms else math.inf)
        yield (
            f"{_count(choice.ties)} cannot be told apart from the first by accuracy; of these the fastest is "
            f"{_name(fastest)}{_ms(fastest)}"
        )
    elif len(choice.answers) > 1:
        yield "by these figures the first is more accurate than every other"
    protocols = dict.fromkeys(each.protocol for each in choice.answers if each.protocol)
    if len(protocols) > 1:
        told = "; ".join(protocols)
        yield f"published accuracies were taken in {len(protocols)} ways ({told}): a gap may be the way's"


def commands_of(choice: Choice, told: Told) -> list[str]:
    """What makes the file of the first answer, or of the nearest miss, and what checks it."""
    candidate = choice.answers[0] if choice.answers else choice.nearest[0] if choice.nearest else None
    if candidate is None:
        return []
    weights = candidate.weights
    name = "".join(sign if sign.isalnum() or sign in "._" else "-" for sign in candidate.model)
    if candidate.runtime in FORMATS:
        kind, ending = FORMATS[candidate.runtime]
        make = ["python", "-m", "zoo", "export", "--model", candidate.model]
        make += ["--weights", weights] if weights else []
        precision = FULL if candidate.precision == "bf16" else candidate.precision  # made of fp32 when it is opened
        make += ["--format", kind, "--precision", precision]
        if candidate.precision == INTEGERS:
            make += ["--calibration", told.data_dir or "FOLDER_OF_TRAINING_IMAGES"]
        make += ["--output", f"{name}-{candidate.precision}.{ending}"]
    else:
        given = f", weights={json.dumps(weights)}" if weights else ""
        made = f"zoo.create({json.dumps(candidate.model)}{given})"
        code = f'import zoo; zoo.save_weights({made}, "{name}.safetensors")'
        make = ["python", "-c", code]
    check = ["python", "-m", "benchmarks.run", "--models", candidate.model, "--runtimes", candidate.runtime,
             "--precision", candidate.precision, "--num-threads", str(candidate.num_threads)]  # fmt: skip
    if candidate.top1_source == "measured" and weights:
        check += ["--metrics", "params,latency,memory,accuracy", "--weights", weights, "--dataset", told.dataset]
        check += ["--data-dir", told.data_dir] if told.data_dir else []
    else:
        check += ["--metrics", "params,latency,memory"]
    return [shlex.join(make), shlex.join(check)]


def _table(candidates: Sequence[Candidate]) -> Iterator[str]:
    """A line a candidate, in columns."""
    heads = ["model", "runtime", "precision", "threads", "ms [95 %]", "MB", "top-1 % [95 %]", "which"]
    rows = [heads, *([*_cells(each)] for each in candidates[:MOST])]
    widths = [max(len(row[place]) for row in rows) for place in range(len(heads))]
    yield from (
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
    if len(candidates) > MOST:
        yield f"  and {len(candidates) - MOST} more; --json has all"


def _cells(candidate: Candidate) -> Iterator[str]:
    yield from (candidate.model, candidate.runtime, candidate.precision, str(candidate.num_threads))
    yield _written(candidate.latency_ms, 3)
    yield _written(candidate.size_mb, 3) + (" (parameters)" if candidate.size_source == "parameters" else "")
    yield _written(candidate.top1, -1)
    yield candidate.top1_source


def _written(figure: Interval | None, digits: int) -> str:
    if figure is None:
        return "?"
    value = number(figure.value, digits)
    if not figure.known:
        return f"{value} [too few rounds]"
    return (
        value if figure.low == figure.high else f"{value} [{number(figure.low, digits)}, {number(figure.high, digits)}]"
    )


def _missed(candidate: Candidate, missed: Miss) -> str:
    """What of a limit a candidate does not keep: "size 10.3 MB is above 5 MB"."""
    limit = LIMITS[missed.limit]
    figure: Interval | None = getattr(candidate, limit.figure)
    if figure is None or missed.verdict == "unknown":
        return f"its {limit.title} is not known; --measure, or the command below, finds it out"
    side = "above" if limit.at_most else "below"
    allowed = f"{missed.allowed:g} {limit.unit}"
    if missed.verdict == "missed":
        return f"{limit.title} {_written(figure, limit.digits)} {limit.unit} is {side} {allowed}"
    return f"{limit.title} {_written(figure, limit.digits)} {limit.unit} may be {side} {allowed}"


def _name(candidate: Candidate) -> str:
    threads = "1 thread" if candidate.num_threads == 1 else f"{candidate.num_threads} threads"
    return f"{candidate.model} with {candidate.runtime} at {candidate.precision} on {threads}"


def _ms(candidate: Candidate) -> str:
    return f" ({number(candidate.latency_ms.value)} ms)" if candidate.latency_ms else ""


def _count(candidates: Sequence[Candidate]) -> str:
    return f"{len(candidates)} way" if len(candidates) == 1 else f"{len(candidates)} ways"
