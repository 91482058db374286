"""What integers gain and cost: int8 against the fastest fp32 in turns, and right answers of trained networks."""

from __future__ import annotations

import argparse
import dataclasses
import glob
import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from benchmarks.plan.cases import SIX
from benchmarks.report.bars import Bar, Cases, CheckPage, judged
from benchmarks.report.page import section
from benchmarks.report.table import TableColumn, table, text_column
from benchmarks.selfcheck.speed.turns import play, ratio
from benchmarks.selfcheck.tasks import Benchmark, Task

__all__ = ["accuracy", "bars", "benchmark", "main", "speed"]

RUNTIMES = ("openvino", "onnxruntime")
BATCHES = {1: (1.5, 1.2), 16: (1.4, 0.0)}  # images a call: least geometric mean, least of any
VNNI_BAR = 2.5  # the first of these where the processor has VNNI
COST_BARS = (0.5, 1.0)  # points: mean over the networks, largest of any


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
    sessions = {"fp32": zoo.open_runtime(network, images)}
    refused = {}
    for runtime in RUNTIMES:
        try:
            sessions[runtime] = zoo.open_runtime(network, images, runtime, precision="int8", calibration="noise")
        except zoo.RuntimeUnavailable as error:
            refused[runtime] = str(error)
    players = {name: partial(settled, partial(session, images)) for name, session in sessions.items()}
    found = play(players, rounds=(8, 40), seconds=20)
    return {
        **found, "model": model, "batch": batch, "auto": sessions["fp32"].runtime, "refused": refused,
        "instructions": instruction_set(), "threads": torch.get_num_threads(),
    }  # fmt: skip


def accuracy(weights: str, model: str, data_dir: str) -> dict[str, Any]:
    """Right answers in fp32 and int8 of a trained network, calibrated on 200 training images.

    A folder with no images held out is halved: each half is calibrated on while the other is tried.
    """
    import torch

    import zoo
    from zoo.data.dataset import matched
    from zoo.training.evaluation import evaluate

    network = (zoo.create(model, weights=weights) if model else zoo.load(weights)).eval()
    data = zoo.open_data(data_dir or "fashion_mnist", val_fraction=0) if data_dir else zoo.open_data("fashion_mnist")
    if network.class_names is not None and data.class_names != network.class_names and not data_dir:
        data = matched(data, network.class_names)
    held = data.test or data.val
    train = data.train
    if train is None:
        raise zoo.DataError(f"{data.name} has no training images to calibrate on")
    rounds: list[tuple[Any, Any]]
    if held is None:
        order = torch.randperm(len(train.labels), generator=torch.Generator().manual_seed(0)).tolist()
        halves = [train.subset(order[place::2]) for place in (0, 1)]
        rounds = [(halves[0], halves[1]), (halves[1], halves[0])]
    else:
        rounds = [(train, held)]
    side = network.spec.input.size
    images = torch.zeros(1, network.in_channels, side, side)
    counts: dict[str, list[list[bool]]] = {runtime: [] for runtime in RUNTIMES}
    before: list[bool] = []
    for given, tried in rounds:
        plain = evaluate(network, tried)
        before += (plain.top[:, 0] == plain.labels).tolist()
        for runtime in RUNTIMES:
            session = zoo.open_runtime(
                network, images, runtime, precision="int8", calibration=dataclasses.replace(data, train=given)
            )
            after = evaluate(session, tried)
            counts[runtime].append((after.top[:, 0] == after.labels).tolist())
    flat = {runtime: [each for some in found for each in some] for runtime, found in counts.items()}
    pairs = {runtime: list(zip(before, found, strict=True)) for runtime, found in flat.items()}
    return {
        "weights": weights.rpartition("/")[2],
        "model": network.spec.label,
        "images": len(before),
        "fp32": sum(before),
        "lost": {runtime: sum(was and not now for was, now in each) for runtime, each in pairs.items()},
        "won": {runtime: sum(now and not was for was, now in each) for runtime, each in pairs.items()},
    }


# --- the page ---------------------------------------------------------------------------------------------------------


def gain(case: Mapping[str, Any]) -> tuple[float, str]:
    """How many times as fast as the fastest fp32 the better int8 is, and on which runtime; 1 where none opened."""
    seconds = case["seconds"]
    gains = [(ratio(seconds["fp32"], seconds[name]).value, name) for name in RUNTIMES if name in seconds]
    return max(gains, default=(1.0, "none"))


def cost(case: Mapping[str, Any], runtime: str) -> tuple[float, float]:
    """Points lost by int8, and half the width of the 95 % interval of the paired difference."""
    lost, won, count = case["lost"][runtime], case["won"][runtime], case["images"]
    points = 100 * (lost - won) / count
    return points, 196 * math.sqrt(max(lost + won - (lost - won) ** 2 / count, 0)) / count


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
    for runtime in RUNTIMES:
        counted = [case for case in cases.values() if "lost" in case]
        text = f"int8 on {runtime} costs at most {COST_BARS[0]:g} points in the mean, none over {COST_BARS[1]:g}"
        found.append(judged(text, counted or None, partial(_right, runtime)))
    return found


def _fast(wanted: float, least: float, timed: Sequence[Mapping[str, Any]]) -> tuple[str, bool]:
    gains = [gain(case)[0] for case in timed]
    mean = math.exp(sum(map(math.log, gains)) / len(gains))
    return f"{mean:.2f}, least {min(gains):.2f}, {len(gains)} models", mean >= wanted and min(gains) >= least


def _right(runtime: str, counted: Sequence[Mapping[str, Any]]) -> tuple[str, bool]:
    costs = [cost(case, runtime)[0] for case in counted]
    mean = sum(costs) / len(costs)
    return f"{mean:.2f}, largest {max(costs):.2f}", mean <= COST_BARS[0] and max(costs) <= COST_BARS[1]


SPEEDS = (
    text_column("model", lambda case: case["model"]),
    TableColumn("batch", lambda case: case["batch"], 0),
    text_column("fastest fp32", lambda case: case["auto"]),
    text_column("better int8", lambda case: gain(case)[1]),
    TableColumn("times as fast", lambda case: gain(case)[0]),
)


def _lost(runtime: str, case: Mapping[str, Any]) -> str:
    """What a runtime's integers cost, in points and in images."""
    return "{:.2f} ± {:.2f} ({} lost, {} won)".format(*cost(case, runtime), case["lost"][runtime], case["won"][runtime])


COSTS = (
    text_column("model", lambda case: case["model"]),
    TableColumn("images", lambda case: case["images"], 0),
    TableColumn("right in fp32", lambda case: case["fp32"], 0),
    *(
        text_column(
            f"points lost on {runtime}",
            partial(_lost, runtime),
        )
        for runtime in RUNTIMES
    ),
)


def _sections(cases: Cases, picture: str) -> Iterator[str]:
    timed = [case for case in cases.values() if "seconds" in case]
    counted = [case for case in cases.values() if "lost" in case]
    if timed:
        on = ", ".join(sorted({case["instructions"] for case in timed}))
        yield section("Speed", f"In turns on {on}; the ratio is the median over rounds.", table(SPEEDS, timed))
    if counted:
        yield section("Accuracy", "The same images, in fp32 and in int8 as it is by default.", table(COSTS, counted))


def benchmark(weights: Sequence[str], model: str, data: str) -> Benchmark:
    """The self-check of these trained files; without any, of speed alone."""
    tasks: dict[str, Task] = {
        f"speed {model} batch {batch}": partial(speed, model, batch) for batch in BATCHES for model in SIX
    }
    tasks |= {f"accuracy {place} {file}": partial(accuracy, file, model, data) for place, file in enumerate(weights)}
    return Benchmark(
        name="deploy",
        description="What int8 gains in speed and costs in accuracy.",
        tasks=tasks,
        page=CheckPage(
            title="Deploy",
            remark="Integers of 8 bits against fp32, as a user gets them.",
            method="Each task is a process of its own. Networks of the speed part have random weights and are "
            "calibrated on noise: speed does not depend on which numbers they are.",
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
