"""The benchmark of speed: its tasks, its bars and speed.md. Imports no torch."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from operator import itemgetter
from typing import Any

import zoo
from benchmarks.report.bars import Bar, Cases, CheckPage, judged
from benchmarks.report.drawing import Drawing
from benchmarks.report.page import listed, section
from benchmarks.report.style import TIMES
from benchmarks.report.table import Cell, TableColumn, table, text_column
from benchmarks.report.words import markdown
from benchmarks.selfcheck.speed import choosing, eager, inference, starting, training
from benchmarks.selfcheck.speed.references import DENSE, MODELS, library_of
from benchmarks.selfcheck.speed.roofline import roofline
from benchmarks.selfcheck.speed.turns import ratio
from benchmarks.selfcheck.tasks import Benchmark
from benchmarks.stats.intervals import Interval
from zoo.runtimes import RUNTIMES

__all__ = ["BENCHMARK", "bars", "speedup"]

Case = Mapping[str, Any]
Figures = Mapping[str, Interval]

AUTO = "auto"  # the runtime that `auto` chose
LIMITS = ("reference", "gemm", "gemm_packed", "read")  # what is timed beside the runtimes


# --- figures of one case ----------------------------------------------------------------------------------------------


def _seconds(case: Case, player: str) -> Sequence[float]:
    """By round."""
    found: Sequence[float] = case["seconds"][case["choice"] if player == AUTO else player]
    return found


def speedup(case: Case) -> Interval:
    """Time of the other library's eager model divided by that of `auto`."""
    return ratio(_seconds(case, "reference"), _seconds(case, AUTO))


def _ratio(above: str, below: str) -> Callable[[Case], Interval]:
    return lambda case: ratio(_seconds(case, above), _seconds(case, below))


def _behind_best(case: Case) -> Interval:
    """Time of `auto` divided by that of the fastest single runtime: 1 where it is the fastest."""
    ratios = [ratio(_seconds(case, AUTO), seconds) for name, seconds in case["seconds"].items() if name not in LIMITS]
    return max(ratios, key=lambda each: each.value)


def _worst_choice(case: Case) -> Interval:
    """`_behind_best` at the worst opening on the quiet machine."""
    quiet = case["openings"][1:]
    return max((_behind_best({**case, "choice": each["runtime"]}) for each in quiet), key=lambda each: each.value)


def _memory_ratio(case: Case) -> Interval:
    found = case["peak_bytes"]["zoo"] / case["peak_bytes"]["reference"]
    return Interval(found, found, found)


def _rate(case: Case, player: str = AUTO) -> float:
    """Multiply-adds a second in the median round."""
    return float(case["batch"] * case["mult_adds"] / statistics.median(_seconds(case, player)))


def _gemm_rate(case: Case, product: str = "gemm") -> float:
    """Multiply-adds a second of a matrix product in its best round."""
    return float(inference.GEMM**3 / min(case["seconds"][product]))


def _limit(case: Case) -> float:
    """Multiply-adds a second of the fastest matrix product."""
    return max(_gemm_rate(case, name) for name in case["seconds"] if "gemm" in name)


def _read_rate(case: Case) -> float:
    """Bytes a second that the machine reads from memory in its best round."""
    return float(4 * inference.BANDWIDTH / min(case["seconds"]["read"]))


# --- the bars ---------------------------------------------------------------------------------------------------------


def bars(cases: Cases) -> list[Bar]:
    """Everything that was asked of the speed of the zoo, with its figure."""
    choosings = {name: f"choosing {name}" for name in MODELS}
    trainings = {name: f"training {name}" for name in MODELS}
    eagers = {f"{name}, batch {batch}": f"eager {name} {batch}" for name in MODELS for batch in eager.BATCH_SIZES}
    faster = "`auto` against torchvision's or timm's eager model, batch"

    def behind(name: str, worst: Interval) -> str:
        return "chose the best for every model" if worst.value <= 1 else f"at most {_percent(worst)} ({name})"

    return [
        judged(f"{faster} 1: 1.8 in geometric mean, none under 1.5", _of_all(cases, _batch(1), speedup),
               partial(_at_least, 1.8, 1.5)),
        judged(f"{faster} 16: 1.4 in geometric mean", _of_all(cases, _batch(16), speedup), partial(_at_least, 1.4, 0)),
        *(judged(f"`auto` at most 5 % slower than the best single runtime, batch {batch}",
                 _of_all(cases, _batch(batch), _behind_best), partial(_at_most, 1.05, behind))
          for batch in (1, 8, 32)),
        judged(f"`auto`, raced beside {choosing.BUSY} busy programs, at most 5 % slower than the best single runtime "
               f"at each of {choosing.OPENINGS} openings on the quiet machine afterwards",
               _of_all(cases, choosings, _worst_choice), partial(_at_most, 1.05, behind)),
        *(judged(f"{name} at {share:.0%} of the machine's GEMM rate (`torch.mm`), batch 1",
                 cases.get(f"inference {name} 1"), partial(_share_of, share))
          for name, share in {**dict.fromkeys(DENSE, 0.75), "mobilenet_v1": 0.55}.items()),
        judged("The zoo's plain eager model never slower than torchvision's or timm's: ratio of times at most 1.02",
               _of_all(cases, eagers, _ratio("zoo", "reference")),
               partial(_at_most, 1.02, lambda name, worst: f"largest {_interval(worst)} ({name})")),
        judged(f"Training step at {training.SIZE}x{training.SIZE}, batch {training.BATCH}, against the plain loop: "
               "images per second 1.15 times in geometric mean, none under 1.0",
               _of_all(cases, trainings, _ratio("reference", "zoo")), partial(_at_least, 1.15, 1)),
        judged("Training step: peak memory no higher than the plain loop's", _of_all(cases, trainings, _memory_ratio),
               partial(_at_most, 1, lambda name, worst: f"at most {worst.value:.2f} times ({name})")),
        *(judged(f"{title} in at most {most:g} times the time of `{other}`", cases.get("starting"),
                 partial(_program_within, most, program, other))
          for title, program, other, most in (
              ("Static analysis of all models", "static", "import torch, torchvision, fvcore.nn", 2),
              ("`import zoo`", "import zoo", "import torch", 1.1))),
    ]  # fmt: skip


def _batch(size: int) -> dict[str, str]:
    return {name: f"inference {name} {size}" for name in MODELS}


def _of_all(cases: Cases, keys: Mapping[str, str], figure: Callable[[Case], Interval]) -> Figures | None:
    """A figure of each case, by another name of it; None if one is missing."""
    return {name: figure(cases[key]) for name, key in keys.items()} if cases.keys() >= set(keys.values()) else None


def _at_least(mean: float, each: float, found: Figures) -> tuple[str, bool]:
    """The geometric mean is at least so much, and so is each."""
    average = statistics.geometric_mean([one.value for one in found.values()])
    worst, least = min(found.items(), key=lambda item: item[1].value)
    return f"{average:.2f}; least {least.value:.2f} ({worst})", average >= mean and least.value >= each


def _at_most(most: float, words: Callable[[str, Interval], str], found: Figures) -> tuple[str, bool]:
    """None is more than so much."""
    name, worst = max(found.items(), key=lambda item: item[1].value)
    return words(name, worst), worst.value <= most


def _share_of(least: float, case: Case) -> tuple[str, bool]:
    """The part of the GEMM rate that `auto` reaches is at least so much."""
    share = _rate(case) / _gemm_rate(case)
    return f"{share:.0%}; {_rate(case) / _limit(case):.0%} of the fastest product", share >= least


def _program_within(most: float, program: str, other: str, case: Case) -> tuple[str, bool]:
    """A program takes at most so many times as long as another."""
    found = ratio(case["seconds"][program], case["seconds"][other])
    return _interval(found), found.value <= most


def _interval(found: Interval) -> str:
    return f"{found.value:.2f}" + (f" ({found.low:.2f} to {found.high:.2f})" if found.known else "")


def _percent(above_one: Interval) -> str:
    return f"{100 * (above_one.value - 1):.1f} %"


# --- the tables -------------------------------------------------------------------------------------------------------

MODEL = text_column("model", itemgetter("model"))
BATCH = TableColumn("batch", itemgetter("batch"), 0)


def _milliseconds(title: str, player: str) -> TableColumn:
    return TableColumn(title, lambda case: 1e3 * statistics.median(_seconds(case, player)))


def _interval_column(title: str, above: str, below: str) -> TableColumn:
    return TableColumn(title, _ratio(above, below), -2)


def _billions(title: str, figure: Callable[[Case], float]) -> TableColumn:
    return TableColumn(title, lambda case: 1e-9 * figure(case))


def _share(title: str, player: str) -> TableColumn:
    return TableColumn(title, lambda case: 100 * _rate(case, player) / _limit(case), 0)


def _images_per_second(title: str, player: str) -> TableColumn:
    return TableColumn(title, lambda case: training.BATCH / statistics.median(_seconds(case, player)), -1)


def _peak(title: str, player: str) -> TableColumn:
    return TableColumn(title, lambda case: 1e-6 * case["peak_bytes"][player], 0)


def _opening(number: int, case: Case) -> str:
    return "{runtime}, {seconds:.1f} s".format(**case["openings"][number])


LIBRARIES = (
    MODEL, BATCH, text_column("library", lambda case: library_of(case["model"])),
    _milliseconds("eager, ms", "reference"), text_column("`auto` chose", itemgetter("choice")),
    _milliseconds("`auto`, ms", AUTO), _interval_column("times faster", "reference", AUTO),
    TableColumn("logits differ by, millionths", lambda case: 1e6 * max(case["agreement"].values()), 1),
)  # fmt: skip
EAGER = (
    MODEL, BATCH, _milliseconds("library, ms", "reference"), _milliseconds("zoo, ms", "zoo"),
    _interval_column("zoo / library", "zoo", "reference"),
    text_column("operators", lambda case: ("the same {zoo}" if case["same_operators"] else "{reference} and {zoo}")
          .format(**case["operators"])),
)  # fmt: skip
LIMIT = (
    MODEL, _billions("GMAC", itemgetter("mult_adds")), _billions("`torch.mm`, GMAC/s", _gemm_rate),
    _billions("fastest GEMM, GMAC/s", _limit),
    _billions("library eager, GMAC/s", lambda case: _rate(case, "reference")), _share("eager, % of it", "reference"),
    _billions("`auto`, GMAC/s", _rate), _share("`auto`, % of it", AUTO),
    TableColumn("arithmetic, ms", lambda case: 1e3 * case["mult_adds"] / _limit(case)),
    TableColumn("memory, ms", lambda case: 1e3 * case["bytes_moved"] / _read_rate(case)),
    _milliseconds("`auto`, ms", AUTO),
)  # fmt: skip
TRAINING = (
    MODEL, text_column("memory format", itemgetter("memory_format")),
    text_column("large blocks", lambda case: "kept" if case["keep_large"] else "returned"),
    _images_per_second("plain loop, images/s", "reference"), _images_per_second("zoo, images/s", "zoo"),
    _interval_column("times faster", "reference", "zoo"), _peak("plain loop, peak MB", "reference"),
    _peak("zoo, peak MB", "zoo"),
)  # fmt: skip
OPENING = (
    MODEL, TableColumn("first, s", itemgetter("first_open_s"), -1), text_column("choice", itemgetter("choice")),
    TableColumn("again, s", itemgetter("second_open_s"), -2),
)  # fmt: skip
CHOOSING = (
    MODEL,
    *(text_column(title, partial(_opening, number))
      for number, title in enumerate(("busy", *(f"quiet, {number}." for number in range(1, choosing.OPENINGS + 1))))),
    TableColumn("by name, s", itemgetter("alone_s"), -1),
    text_column("worst quiet choice behind the best", lambda case: _percent(_worst_choice(case))),
)  # fmt: skip
PROGRAMS = {"static": "static analysis of all models (`benchmarks.run`)"}
STARTING = (
    text_column("program", lambda row: PROGRAMS.get(row[0], f"`{row[0]}`")),
    TableColumn("median, s", lambda row: statistics.median(row[1]), -2),
    TableColumn("least, s", lambda row: min(row[1]), -2),
)


def _sections(cases: Cases, picture: str) -> Iterable[str]:
    yield section(
        "Beside torchvision and timm",
        "Same weights, float32, eval mode, all cores. Brackets hold the 95 % interval over rounds; the last column is "
        "the largest difference of a logit between any two of them, relative to the largest logit.",
        table(LIBRARIES, _of(cases, "inference", (1, 16))),
    )
    yield section(
        "The plain network, written twice",
        "The zoo's eager model beside the library's, same weights, as PyTorch runs them. Every turn is on a copy made "
        "for it, in a process that keeps freed memory: where its weights lie makes one copy of a network several "
        "percent faster than another. Operators are what PyTorch is asked for in one call; where both ask for the same "
        "ones on tensors of the same shapes, a ratio other than 1 is chance.",
        table(EAGER, _of(cases, "eager", eager.BATCH_SIZES)),
    )
    yield _runtimes(_of(cases, "inference", inference.BATCH_SIZES))
    yield section(
        "How far from the machine's limit",
        f"Batch 1. The limit is the best round of a {inference.GEMM}x{inference.GEMM} float32 matrix product in the "
        "same rounds as the model: of `torch.mm` and of oneDNN's product with packed weights the faster, against which "
        "the shares are taken. Arithmetic and memory are the least times at that rate and at the rate at which "
        f"{4 * inference.BANDWIDTH >> 20} MB are read; no network can be faster than the larger of the two unless it "
        "does fewer multiplications than the count says, as `packed` in 3x3 convolutions (Winograd).",
        table(LIMIT, _of(cases, "inference", (1,))),
        picture,
    )
    yield section(
        "Training step",
        f"Forward, backward and SGD with momentum on {training.BATCH} images of {training.SIZE}x{training.SIZE}, "
        "float32. The plain loop is torchvision's or timm's model, contiguous, with `torch.optim.SGD` as it comes. The "
        "zoo's updates each weight as soon as its gradient is there (the same sums: no other gradient depends on it "
        "any more) and keeps freed memory for the next step. It takes the faster of two memory formats, with blocks of "
        f"{training.LARGE >> 20} MB and more either kept too or returned to the kernel at once: the fastest in a "
        "trial of those whose peak is not above the plain loop's. Peak is the resident memory of the whole process.",
        table(TRAINING, _of(cases, "training", ("",))),
    )
    start = cases.get("starting", {"seconds": {}, "first_static_s": 0.0})
    yield section(
        "Starting",
        "Seconds of a whole process. The static analysis counts parameters, multiply-adds and activations of every "
        f"registered model; its first run on a machine, {start['first_static_s']:.1f} s, also makes fvcore's "
        "cross-check, which is kept.",
        table(STARTING, start["seconds"].items()),
    )
    yield section(
        "What opening costs",
        "Batch 1. The first time, `auto` opens, checks and races every runtime; then the choice is on the disk and "
        "only that runtime is opened.",
        table(OPENING, _of(cases, "inference", (1,))),
    )
    yield section(
        "Choosing on a busy machine",
        f"Batch 1. `auto` is opened beside {choosing.BUSY} programs that each keep a processor busy, then on the quiet "
        "machine, each time in a process of its own: what it chose and how long opening took. By name is the last "
        "choice opened without `auto`. The choices are then timed beside every runtime that came close.",
        table(CHOOSING, _of(cases, "choosing", ("",))),
    )


def _of(cases: Cases, kind: str, batches: Iterable[object]) -> list[Case]:
    """The cases of a kind in the order of the models, batch by batch."""
    keys = [f"{kind} {name} {batch}".strip() for batch in batches for name in MODELS]
    return [cases[key] for key in keys if key in cases]


def _runtimes(found: Sequence[Case]) -> str:
    def time(name: str) -> Callable[[Case], Cell]:
        def cell(case: Case) -> Cell:
            if name in case["seconds"]:
                return 1e3 * float(statistics.median(case["seconds"][name]))
            slower = case["trial"]["relative"].get(name)
            return None if slower is None else f"({slower:.1f}{TIMES})"

        return cell

    names = [name for name in RUNTIMES if any(name in case["trial"]["relative"] for case in found)]
    columns = (
        MODEL,
        BATCH,
        *(TableColumn(name, time(name), better="low") for name in names),
        text_column("`auto`", lambda case: f"{case['choice']} ({_percent(_behind_best(case))})"),
    )
    refused = {f"{name}: {markdown(why)}" for case in found for name, why in case["trial"]["refused"].items()}
    return section(
        "Every runtime",
        "Milliseconds a batch, the best in bold. In brackets: clearly slower in the few calls after its opening, "
        "closed then and not timed on. The last column is what `auto` chose and how far it is behind the best.",
        table(columns, found, across=True),
        listed(f"Left out: {line}" for line in sorted(refused)),
    )


# --- the picture ------------------------------------------------------------------------------------------------------


def _picture(cases: Cases) -> Drawing | None:
    found = _of(cases, "inference", (1,))
    if not found:
        return None
    models = [
        {
            "model": case["model"],
            "family": zoo.spec(case["model"]).family,
            "x": case["mult_adds"] / case["bytes_moved"],
            "library": _rate(case, "reference") / 1e9,
            "auto": _rate(case) / 1e9,
        }
        for case in found
    ]
    return Drawing(
        name="roofline",
        draw=roofline,
        data={"gemm": max(map(_limit, found)) / 1e9, "read": max(map(_read_rate, found)) / 1e9, "models": models},
        alt="Roofline: multiply-adds a second over multiply-adds a byte",
    )


BENCHMARK = Benchmark(
    name="speed",
    description="The zoo's speed beside torchvision's, timm's and the machine's own limit.",
    tasks={
        "starting": starting.measure,
        **{f"eager {name} {size}": partial(eager.measure, name, size) for name in MODELS for size in eager.BATCH_SIZES},
        **{
            f"inference {name} {size}": partial(inference.measure, name, size)
            for name in MODELS
            for size in inference.BATCH_SIZES
        },
        **{f"choosing {name}": partial(choosing.measure, name) for name in MODELS},
        **{f"training {name}": partial(training.measure, name) for name in MODELS},
    },
    page=CheckPage(
        title="Speed",
        remark="The bars compare times taken in the same rounds, by the median of the ratios within a round; the "
        "quotient of two medians beside it may be another.",
        method="In each round everything that is compared takes one turn, in shuffled order; a turn begins with a call "
        "that is not counted. A ratio is the median over rounds of the ratio within a round, its interval is over "
        "rounds. Each row of a table was measured in a process of its own; the two training loops in one each, "
        "taking turns.",
        bars=bars,
        sections=_sections,
        picture=_picture,
    ),
)
