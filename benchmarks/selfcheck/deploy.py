"""What integers gain and cost: int8 against the fastest fp32 in turns, and right answers of trained networks."""

from __future__ import annotations

import argparse
import dataclasses
import glob
import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.plan.cases import SIX
from benchmarks.report.bars import Bar, Cases, CheckPage, judged
from benchmarks.report.page import listed, section
from benchmarks.report.table import TableColumn, table, text_column
from benchmarks.report.words import markdown
from benchmarks.selfcheck import quantization
from benchmarks.selfcheck.held_out import network_of, rounds_of
from benchmarks.selfcheck.speed.turns import play, ratio
from benchmarks.selfcheck.tasks import Benchmark, Task
from benchmarks.stats.intervals import Interval
from benchmarks.stats.pairs import paired_difference

__all__ = ["accuracy", "bars", "benchmark", "main", "speed"]

RUNTIMES = ("openvino", "onnxruntime")
BATCHES = {1: (1.5, 1.2), 16: (1.4, 0.0)}  # images a call: least geometric mean, least of any
VNNI_BAR = 2.5  # the first of these where the processor has VNNI
COST_BARS = (0.5, 1.0)  # points: mean over the networks, largest of any
FEWEST_IMAGES = 1000  # that a network counts with: one of fewer is more than a tenth of a point


def speed(model: str, batch: int) -> dict[str, Any]:
    """Seconds of a call by turn: the fastest fp32, and int8 on each runtime that keeps its bound."""
    import torch

    import zoo
    from benchmarks.metrics.subject import fill
    from zoo.factory import allocate, build
    from zoo.runtimes.quantizing.instructions import instruction_set
    from zoo.turns import settled

    spec = zoo.spec(model)
    network = build(spec, num_classes=1000, in_channels=spec.input.channels)
    allocate(network, torch.device("cpu"))
    fill(network)
    network.eval()
    images = torch.randn(batch, 3, spec.input.size, spec.input.size, generator=torch.Generator().manual_seed(0))
    plain = zoo.open_runtime(network, images)
    runs: dict[str, Any] = {"fp32": plain}
    refused = {}
    for runtime in RUNTIMES:
        try:
            runs[runtime] = _integers(network, images, runtime)
        except zoo.RuntimeUnavailable as error:
            refused[runtime] = str(error)
    players = {name: partial(settled, partial(run, images)) for name, run in runs.items()}
    found = play(players, rounds=(5, 24), seconds=8)
    return {
        **found, "model": model, "batch": batch, "auto": plain.runtime, "refused": refused,
        "instructions": instruction_set(), "threads": torch.get_num_threads(),
    }  # fmt: skip


def _integers(network: Any, images: Any, runtime: str) -> Any:
    """The network in integers as a session of the runtime has it, but for the numbers its biases are corrected by.

    Correcting them layer by layer takes minutes for a large network and changes none of the operations that are timed.
    """
    from zoo.runtimes.agreement import INTEGERS
    from zoo.runtimes.quantizing.calibration import NOISE, calibration_of
    from zoo.runtimes.quantizing.choosing import choose

    maker = import_module(f"zoo.runtimes.{runtime}").maker(network, images)
    ways = tuple(dataclasses.replace(way, fast_bias_correction=True) for way in maker.ways)
    calibration = calibration_of(network, NOISE, images.shape[-1])
    return choose(network, images, calibration, dataclasses.replace(maker, ways=ways), bound=INTEGERS).run


def accuracy(weights: str, model: str, data_dir: str) -> dict[str, Any]:
    """Right answers in fp32 and int8 of a trained network, calibrated on 200 training images and tried on others."""
    import torch

    import zoo
    from zoo.training.evaluation import evaluate

    network = network_of(weights, model)
    side = network.spec.input.size
    images = torch.zeros(1, network.in_channels, side, side)
    right: dict[str, list[bool]] = {runtime: [] for runtime in ("fp32", *RUNTIMES)}
    ways, refused = {}, {}
    for data, tried in rounds_of(network, data_dir):
        for runtime, found in right.items():
            session: Any = network
            if runtime != "fp32":
                try:
                    session = zoo.open_runtime(network, images, runtime, precision="int8", calibration=data)
                except zoo.RuntimeUnavailable as error:
                    refused[runtime] = str(error)
                    continue
                ways[runtime] = session.agreement.facts["way"]
            answers = evaluate(session, tried)
            found += (answers.top[:, 0] == answers.labels).tolist()
    served = [runtime for runtime in RUNTIMES if runtime not in refused]
    pairs = {runtime: list(zip(right["fp32"], right[runtime], strict=True)) for runtime in served}
    return {
        "weights": Path(weights).name,
        "model": network.spec.label,
        "images": len(right["fp32"]),
        "ways": ways,
        "refused": refused,
        "fp32": sum(right["fp32"]),
        "lost": {runtime: sum(was and not now for was, now in each) for runtime, each in pairs.items()},
        "won": {runtime: sum(now and not was for was, now in each) for runtime, each in pairs.items()},
    }


# --- the page ---------------------------------------------------------------------------------------------------------


def gain(case: Mapping[str, Any]) -> tuple[float, str]:
    """How many times as fast as the fastest fp32 the better int8 is, and on which runtime; 1 where none opened."""
    seconds = case["seconds"]
    gains = [(ratio(seconds["fp32"], seconds[name]).value, name) for name in RUNTIMES if name in seconds]
    return max(gains, default=(1.0, "none"))


def cost(case: Mapping[str, Any], runtime: str) -> Interval | None:
    """Points lost by int8 on the same images, with the paired difference's 95 % interval; None if it is refused."""
    if runtime not in case["lost"]:
        return None
    return paired_difference(case["lost"][runtime], case["won"][runtime], case["images"]).scaled(100)


def bars(cases: Cases) -> list[Bar]:
    """Fast enough by batch, and right enough by runtime."""
    found = []
    for batch, (mean, least) in BATCHES.items():
        timed = [case for case in cases.values() if case.get("batch") == batch]
        vnni = any("without" not in case["instructions"] for case in timed)
        wanted = VNNI_BAR if vnni and batch == 1 else mean
        text = f"int8 at least {wanted:g} times the fastest fp32 in geometric mean at batch {batch}"
        text += f", none under {least:g}" if least else ""
        found.append(judged(text, timed or None, partial(_fast, wanted, least)))
    tried = [case for case in cases.values() if case.get("images", 0) >= FEWEST_IMAGES and "lost" in case]
    for runtime in RUNTIMES:
        text = f"int8 on {runtime} costs at most {COST_BARS[0]:g} points in the mean, none over {COST_BARS[1]:g}"
        found.append(judged(text, tried or None, partial(_right, runtime)))
    return found


def _fast(wanted: float, least: float, timed: Sequence[Mapping[str, Any]]) -> tuple[str, bool]:
    gains = [gain(case)[0] for case in timed]
    mean = math.exp(sum(map(math.log, gains)) / len(gains))
    return f"{mean:.2f}, least {min(gains):.2f}, {len(gains)} models", mean >= wanted and min(gains) >= least


def _right(runtime: str, tried: Sequence[Mapping[str, Any]]) -> tuple[str, bool]:
    costs = [found.value for case in tried if (found := cost(case, runtime))]
    absent = [case["model"] for case in tried if runtime not in case["lost"]]
    if absent:
        return f"{listed(absent)} cannot be run so", False
    mean, most = sum(costs) / len(costs), max(costs)
    return f"{mean:.2f}, largest {most:.2f}, {len(costs)} networks", mean <= COST_BARS[0] and most <= COST_BARS[1]


SPEEDS = (
    text_column("model", lambda case: case["model"]),
    TableColumn("batch", lambda case: case["batch"], 0),
    text_column("fastest fp32", lambda case: case["auto"]),
    text_column("better int8", lambda case: gain(case)[1]),
    TableColumn("times as fast", lambda case: gain(case)[0]),
)
COSTS = (
    text_column("model", lambda case: case["model"]),
    TableColumn("images", lambda case: case["images"], 0),
    TableColumn("right in fp32", lambda case: case["fp32"], 0),
    *(TableColumn(f"points lost on {name}", partial(cost, runtime=name)) for name in RUNTIMES),
    text_column("made by", lambda case: "; ".join(f"{name}: {way}" for name, way in sorted(case["ways"].items()))),
)


def _sections(cases: Cases, picture: str) -> Iterator[str]:
    timed = [case for case in cases.values() if "seconds" in case]
    counted = [case for case in cases.values() if "lost" in case]
    if timed:
        on = ", ".join(sorted({case["instructions"] for case in timed}))
        yield section("Speed", f"In turns on {on}; the ratio is the median over rounds.", table(SPEEDS, timed))
    if counted:
        yield section("Accuracy", "The same images, in fp32 and in int8 as it is by default.", table(COSTS, counted))
    aside = [f"{markdown(text)}" for case in (*timed, *counted) for text in case.get("refused", {}).values()]
    yield section("Runtimes that step aside, and why", "", listed(dict.fromkeys(aside)))
    yield from quantization.sections(cases)


def benchmark(weights: Sequence[str], model: str, data: str) -> Benchmark:
    """The self-check of these trained files; without any, of speed alone."""
    tasks: dict[str, Task] = {
        f"speed {model} batch {batch}": partial(speed, model, batch) for batch in BATCHES for model in SIX
    }
    for place, file in enumerate(weights):
        name = f"{place} {Path(file).name}"
        tasks[f"accuracy {name}"] = partial(accuracy, file, model, data)
        tasks[f"quantization {name}"] = partial(quantization.quantization, file, model, data)
    return Benchmark(
        name="deploy",
        description="What int8 gains in speed and costs in accuracy. Sections accuracy and quantization need trained "
        "files: --weights GLOB, --model NAME where the files do not say it, --data FOLDER unless it is Fashion-MNIST.",
        tasks=tasks,
        page=CheckPage(
            title="Deploy",
            remark="Integers of 8 bits against fp32, as a user gets them.",
            method="Each task is a process of its own. Networks of the speed part have random weights and are "
            "calibrated on noise: speed does not depend on which numbers they are, so their biases are corrected in "
            "one pass.",
            bars=bars,
            sections=_sections,
        ),
    )


def main(arguments: Sequence[str]) -> int:
    """`python -m benchmarks.selfcheck deploy`; exit status as of every self-check."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--weights", default="")
    parser.add_argument("--model", default="")
    parser.add_argument("--data", default="")
    own, rest = parser.parse_known_args(arguments)
    files = sorted(glob.glob(own.weights)) if own.weights else []
    if own.weights and not files:
        raise SystemExit(f"benchmarks.selfcheck deploy: no file is {own.weights!r}")
    return benchmark(files, own.model, own.data).main(rest)
