"""The benchmark of a GPU: its tasks, its bars and gpu.md. Imports no torch."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from operator import itemgetter
from typing import Any

from benchmarks.report.bars import Bar, Cases, CheckPage, judged
from benchmarks.report.page import listed, section
from benchmarks.report.table import TableColumn, table, text_column
from benchmarks.report.words import enumerate_words, markdown
from benchmarks.selfcheck.gpu import inference, learning
from benchmarks.selfcheck.speed.references import MODELS, library_of
from benchmarks.selfcheck.speed.turns import ratio
from benchmarks.selfcheck.tasks import Benchmark
from benchmarks.selfcheck.training.contenders import BATCH, EPOCHS, SIZE, WAYS
from benchmarks.stats.intervals import Interval
from zoo.runtimes.agreement import ROUNDED

__all__ = ["BENCHMARK", "bars"]

Condition = Mapping[str, Any]
BOUNDS = {**ROUNDED, "fp32": ROUNDED["fp16"]}  # TF32, in which float32 is convolved, has the digits of fp16
POINTS = 1.0  # of accuracy
ACCEPTED = 0.97  # of the library's pace, from which the plain network counts as no slower


# --- figures ----------------------------------------------------------------------------------------------------------


def _conditions(cases: Cases) -> list[Condition]:
    """All that was timed, model by model, each with its model's multiply-adds."""
    found = [cases[key] for name in MODELS if (key := f"inference {name}") in cases]
    return [{**condition, "mult_adds": case["mult_adds"]} for case in found for condition in case["conditions"]]


def _ways(condition: Condition) -> list[str]:
    """Of this zoo, those that ran."""
    return [way for way in inference.RUNTIMES if way in condition["seconds"]]


def _fastest(condition: Condition) -> str:
    return min(_ways(condition), key=lambda way: statistics.median(condition["seconds"][way]))


def _gain(way: str, condition: Condition) -> Interval:
    """How many times as fast as the library's plain network."""
    return ratio(condition["seconds"]["reference"], condition["seconds"][way])


def _share(way: str, condition: Condition) -> float:
    """The part of the rate of a matrix product at this precision, in its best round, that a network reaches."""
    rate = condition["batch"] * condition["mult_adds"] / statistics.median(condition["seconds"][way])
    return float(rate / _product_rate(condition))


def _product_rate(condition: Condition) -> float:
    """Multiply-adds a second."""
    return float(inference.GEMM**3 / min(condition["seconds"]["gemm"]))


def _pace(run: Mapping[str, Any]) -> float:
    """Images a second from the second epoch on."""
    epochs = len(run["epoch_s"])
    return float(run["images"] / epochs * (epochs - 1) / sum(run["epoch_s"][1:]))


def _right(run: Mapping[str, Any]) -> float:
    """Percent of what was tested."""
    return float(100 * run["correct"] / run["tested"])


def _mean(figure: Callable[[Mapping[str, Any]], float], way: str, case: Mapping[str, Any]) -> float:
    """Over the seeds."""
    return statistics.fmean(map(figure, case["runs"][way]))


def _faster(case: Mapping[str, Any]) -> Interval:
    ours, theirs = ([_pace(run) for run in case["runs"][way]] for way in WAYS)
    return ratio(ours, theirs)


# --- the bars ---------------------------------------------------------------------------------------------------------


def bars(cases: Cases) -> list[Bar]:
    """That what runs there is the network, no slower than the library's, and learns as well."""
    conditions = _conditions(cases) or None
    found = [
        judged("every runtime's logits are the network's at every precision and batch size", conditions, _agree),
        judged("the plain network is no slower than the library's, in the geometric mean", conditions, _plain),
    ]
    for model, trained in learning.MODELS.items():
        case = cases.get(learning.key(model))
        found.append(judged(f"{model}: at least as many images a second as torchvision's way", case, _pays))
        if trained:
            text = f"{model}: final accuracy within {POINTS:g} point of torchvision's way"
            found.append(judged(text, case, _as_good))
    return found


def _agree(conditions: Sequence[Condition]) -> tuple[str, bool]:
    outside = [
        f"{each['model']} on {way}, {each['precision']}, batch {each['batch']}: {each['agreement'][way]:.2g}"
        for each in conditions
        for way in _ways(each)
        if not each["agreement"][way] <= (BOUNDS[each["precision"]].relative or 0.0)
    ]
    tried = sum(len(_ways(each)) for each in conditions)
    return f"{tried - len(outside)} of {tried}" + (
        "; " + enumerate_words(outside, most=3) if outside else ""
    ), not outside


def _plain(conditions: Sequence[Condition]) -> tuple[str, bool]:
    found = statistics.geometric_mean(_gain("eager", each).value for each in conditions)
    return f"{found:.2f} times as fast", found >= ACCEPTED


def _pays(case: Mapping[str, Any]) -> tuple[str, bool]:
    found = _faster(case)
    return f"{found.value:.2f} times", found.value >= 1


def _as_good(case: Mapping[str, Any]) -> tuple[str, bool]:
    ours, theirs = (_mean(_right, way, case) for way in WAYS)
    return f"{ours:.1f} % against {theirs:.1f}", ours >= theirs - POINTS


# --- the tables -------------------------------------------------------------------------------------------------------

CONDITION = (
    text_column("model", itemgetter("model")),
    text_column("precision", itemgetter("precision")),
    TableColumn("batch", itemgetter("batch"), 0),
)


def _milliseconds(way: str, condition: Condition) -> float | None:
    seconds = condition["seconds"].get(way)
    return None if seconds is None else 1e3 * float(statistics.median(seconds))


TIMES = (
    *CONDITION,
    text_column("library", lambda condition: library_of(condition["model"])),
    TableColumn("library eager, ms", partial(_milliseconds, "reference")),
    *(TableColumn(f"{way}, ms", partial(_milliseconds, way), better="low") for way in inference.RUNTIMES),
    TableColumn("eager, times the library", partial(_gain, "eager"), -2),
    TableColumn("fastest, times the library", lambda condition: _gain(_fastest(condition), condition), -2),
)
SHARES = (
    *CONDITION,
    TableColumn("library eager, % of the product", lambda condition: 100 * _share("reference", condition), -1),
    TableColumn("fastest, % of the product", lambda condition: 100 * _share(_fastest(condition), condition), -1),
    text_column("which", _fastest),
    TableColumn("images/s", lambda condition: condition["batch"]
                / statistics.median(condition["seconds"][_fastest(condition)]), 0),
)  # fmt: skip


def _first_epoch(run: Mapping[str, Any]) -> float:
    return float(run["epoch_s"][0])


LEARNING = (
    text_column("model", itemgetter("model")),
    text_column("starts", lambda case: "from trained weights" if case["trained"] else "from scratch"),
    *(TableColumn(f"{way}, images/s", partial(_mean, _pace, way), 0, better="high") for way in WAYS),
    TableColumn("times", _faster, -2),
    *(TableColumn(f"{way}, first epoch, s", partial(_mean, _first_epoch, way), -1) for way in WAYS),
    *(TableColumn(f"{way}, top-1 %", partial(_mean, _right, way), -1) for way in WAYS),
    TableColumn("readers of torchvision's way", itemgetter("workers"), 0),
)


def _sections(cases: Cases, picture: str) -> Iterator[str]:
    conditions = _conditions(cases)
    cards = list(dict.fromkeys(cases[key]["card"] for key in cases if key.startswith("inference")))
    yield section(
        "Beside torchvision and timm",
        f"{enumerate_words(cards)}. Same weights, same rounds, images already on the card, each call waited for; "
        "milliseconds a batch, the best in bold. `compiled` and `cuda_graphs` run the network with its norms folded "
        "away, channels last. At fp32 PyTorch's convolutions compute in TF32, which is its default.",
        table(TIMES, conditions, across=True),
        listed(sorted({f"{way}: {markdown(why)}" for each in conditions for way, why in each["refused"].items()})),
    )
    rates: dict[str, list[float]] = {}
    for each in conditions:
        rates.setdefault(each["precision"], []).append(2e-12 * _product_rate(each))
    product = enumerate_words([f"{max(found):,.0f} TFLOP/s at {name}" for name, found in rates.items()])
    yield section(
        "How far from the card's limit",
        f"The limit is the product of two {inference.GEMM}x{inference.GEMM} matrices in the same rounds (in TF32 at "
        f"fp32), in its best round: up to {product}, a multiply-add being two operations.",
        table(SHARES, conditions),
    )
    yield section(
        "Training",
        f"{EPOCHS} epochs at {SIZE} pixels in batches of {BATCH} on {learning.TRAIN:,} photographs of 300 to 500 "
        "pixels, SGD at a rate that falls to 0, random crops and flips, float32 with TF32 in convolutions; images a "
        f"second from the second epoch on, in the mean over {learning.SEEDS} seeds, whose trainings take turns. The "
        "reference is ImageFolder, RandomResizedCrop, RandomHorizontalFlip and a DataLoader with pinned memory.",
        table(
            LEARNING, [cases[key] for model in learning.MODELS if (key := learning.key(model)) in cases], across=True
        ),
    )


BENCHMARK = Benchmark(
    name="gpu",
    description="The six reference models on an NVIDIA GPU, beside torchvision, timm and the card's own limit.",
    tasks={
        "ready": inference.make_ready,
        **{f"inference {name}": partial(inference.measure, name) for name in MODELS},
    },
    inputs=learning.INPUTS,
    fed=learning.FED,
    page=CheckPage(
        title="On a GPU",
        remark="The bars compare what took turns in the same rounds, by the median of the ratios within a round.",
        method="In each round everything that is compared takes one turn, in shuffled order; a turn begins with a call "
        "that is not counted. What is compiled was compiled before, on all processors, and is found in a cache.",
        bars=bars,
        sections=_sections,
    ),
)
