"""speed.md and the roofline figure, from what was measured; imports no torch."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

import zoo
from benchmarks.records.files import replace_file
from benchmarks.report.bars import Bar, bars_table, circumstances, failures
from benchmarks.report.figures import FAMILIES, INK, SOFT, TIMES, WIDTH, render
from benchmarks.report.labels import Anchor, place_labels
from benchmarks.report.words import markdown, markdown_table
from benchmarks.selfcheck.speed import eager, inference, training
from benchmarks.selfcheck.speed.references import DENSE, MODELS, library_of
from benchmarks.selfcheck.speed.turns import ratio
from benchmarks.stats.intervals import Interval

__all__ = ["bars", "roofline", "write_page"]

Cases = Mapping[str, Mapping[str, Any]]

LIMITS = ("reference", "gemm", "gemm_packed", "read")  # what is timed beside the runtimes


def write_page(content: Mapping[str, Any], folder: Path) -> None:
    """Writes speed.md and figures/roofline.svg and .png."""
    cases = {key: case for key, case in content["cases"].items() if "error" not in case}
    sections = [
        "# Speed",
        bars_table(bars(cases), "Every figure is a ratio of times taken in the same rounds."),
        _against_libraries(cases),
        _eager(cases),
        _runtimes(cases),
        _limits(cases),
        _training(cases),
        _starting(cases),
        _opening(cases),
        failures(content["cases"]),
        _method(content),
    ]
    if (points := _points(cases)) is not None:
        (folder / "figures").mkdir(exist_ok=True)
        for suffix, picture in zip(("svg", "png"), render(roofline, points), strict=True):
            replace_file(folder / "figures" / f"roofline.{suffix}", picture)
    replace_file(folder / "speed.md", "\n\n".join(filter(None, sections)) + "\n")


# --- the bars ---------------------------------------------------------------------------------------------------------


def bars(cases: Cases) -> list[Bar]:
    """Everything that was asked of the speed of the zoo, with its figure."""
    return [
        _speedup_bar(cases, 1, mean=1.8, each=1.5),
        _speedup_bar(cases, 16, mean=1.4, each=None),
        *(_choice_bar(cases, batch) for batch in (1, 8, 32)),
        *(_share_bar(cases, name, 0.75) for name in DENSE),
        _share_bar(cases, "mobilenet_v1", 0.55),
        _eager_bar(cases),
        _training_bar(cases),
        _memory_bar(cases),
        _program_bar(cases, "static", "import torch, torchvision, fvcore.nn", 2.0, "Static analysis of all models"),
        _program_bar(cases, "import zoo", "import torch", 1.1, "`import zoo`"),
    ]


def _speedup_bar(cases: Cases, batch: int, *, mean: float, each: float | None) -> Bar:
    none_under = f", none under {each:g}" if each else ""
    text = f"`auto` against torchvision's or timm's eager model, batch {batch}: {mean:g} in geometric mean{none_under}"
    found = _of_all(cases, batch, speedup)
    if found is None:
        return Bar(text, "", None)
    average, (worst, least) = _geometric(found), min(found.items(), key=lambda item: item[1].value)
    met = average >= mean and (each is None or least.value >= each)
    return Bar(text, f"{average:.2f}; least {least.value:.2f} ({worst})", met)


def _choice_bar(cases: Cases, batch: int) -> Bar:
    text = f"`auto` at most 5 % slower than the best single runtime, batch {batch}"
    found = _of_all(cases, batch, _behind_best)
    if found is None:
        return Bar(text, "", None)
    name, worst = max(found.items(), key=lambda item: item[1].value)
    if worst.value <= 1:
        return Bar(text, "chose the best for every model", True)
    return Bar(text, f"at most {100 * (worst.value - 1):.1f} % ({name})", worst.value <= 1.05)


def _share_bar(cases: Cases, name: str, least: float) -> Bar:
    text = f"{name} at {least:.0%} of the machine's GEMM rate (`torch.mm`), batch 1"
    case = cases.get(f"inference {name} 1")
    if case is None:
        return Bar(text, "", None)
    share = _rate(case) / _gemm_rates(case)["gemm"]
    return Bar(text, f"{share:.0%}; {_rate(case) / _limit(case):.0%} of the fastest product", share >= least)


def _eager_bar(cases: Cases) -> Bar:
    text = "The zoo's plain eager model never slower than torchvision's or timm's: ratio of times at most 1.02"
    found = {
        (name, batch): eager_ratio(case)
        for name in MODELS
        for batch in eager.BATCH_SIZES
        if (case := cases.get(f"eager {name} {batch}")) is not None
    }
    if len(found) < len(eager.BATCH_SIZES) * len(MODELS):
        return Bar(text, "", None)
    (name, batch), worst = max(found.items(), key=lambda item: item[1].value)
    return Bar(text, f"largest {_interval(worst)} ({name}, batch {batch})", worst.value <= 1.02)


def _training_bar(cases: Cases) -> Bar:
    text = (
        f"Training step at {training.SIZE}x{training.SIZE}, batch {training.BATCH}, against the plain loop: images per "
        "second 1.15 times in geometric mean, none under 1.0"
    )
    found = {name: _training_gain(case) for name in MODELS if (case := cases.get(f"training {name}")) is not None}
    if len(found) < len(MODELS):
        return Bar(text, "", None)
    average, (worst, least) = _geometric(found), min(found.items(), key=lambda item: item[1].value)
    return Bar(text, f"{average:.2f}; least {least.value:.2f} ({worst})", average >= 1.15 and least.value >= 1)


def _memory_bar(cases: Cases) -> Bar:
    text = "Training step: peak memory no higher than the plain loop's"
    found = {name: _memory_ratio(case) for name in MODELS if (case := cases.get(f"training {name}")) is not None}
    if len(found) < len(MODELS):
        return Bar(text, "", None)
    worst = max(found, key=found.__getitem__)
    return Bar(text, f"at most {found[worst]:.2f} times ({worst})", found[worst] <= 1)


def _program_bar(cases: Cases, program: str, other: str, most: float, title: str) -> Bar:
    text = f"{title} in at most {most:g} times the time of `{other}`"
    case = cases.get("starting")
    if case is None:
        return Bar(text, "", None)
    found = ratio(case["seconds"][program], case["seconds"][other])
    return Bar(text, _interval(found), found.value <= most)


# --- figures behind the bars ------------------------------------------------------------------------------------------


def speedup(case: Mapping[str, Any]) -> Interval:
    """Time of the other library's eager model divided by that of `auto`."""
    return ratio(case["seconds"]["reference"], case["seconds"][case["choice"]])


def eager_ratio(case: Mapping[str, Any]) -> Interval:
    """Time of the zoo's eager model divided by that of the other library's."""
    return ratio(case["seconds"]["zoo"], case["seconds"]["reference"])


def _behind_best(case: Mapping[str, Any]) -> Interval:
    """Time of `auto` divided by that of the fastest single runtime: 1 where it is the fastest."""
    chosen = case["seconds"][case["choice"]]
    ratios = [ratio(chosen, seconds) for name, seconds in case["seconds"].items() if name not in LIMITS]
    return max(ratios, key=lambda each: each.value)


def _training_gain(case: Mapping[str, Any]) -> Interval:
    return ratio(case["seconds"]["reference"], case["seconds"]["zoo"])


def _memory_ratio(case: Mapping[str, Any]) -> float:
    return float(case["peak_bytes"]["zoo"] / case["peak_bytes"]["reference"])


def _rate(case: Mapping[str, Any], player: str | None = None) -> float:
    """Multiply-adds a second in the median round."""
    return float(case["batch"] * case["mult_adds"] / statistics.median(case["seconds"][player or case["choice"]]))


def _gemm_rates(case: Mapping[str, Any]) -> dict[str, float]:
    """Multiply-adds a second of the matrix products, each in its best round."""
    return {name: inference.GEMM**3 / min(seconds) for name, seconds in case["seconds"].items() if "gemm" in name}


def _limit(case: Mapping[str, Any]) -> float:
    """Multiply-adds a second of the fastest matrix product."""
    return max(_gemm_rates(case).values())


def _read_rate(case: Mapping[str, Any]) -> float:
    """Bytes a second that the machine reads from memory in its best round."""
    return float(4 * inference.BANDWIDTH / min(case["seconds"]["read"]))


def _of_all(cases: Cases, batch: int, figure: Callable[[Mapping[str, Any]], Interval]) -> dict[str, Interval] | None:
    """A figure of each reference model, or None if one is missing."""
    found = {name: figure(case) for name in MODELS if (case := cases.get(f"inference {name} {batch}")) is not None}
    return found if len(found) == len(MODELS) else None


def _geometric(found: Mapping[str, Interval]) -> float:
    return statistics.geometric_mean([each.value for each in found.values()])


# --- the page ---------------------------------------------------------------------------------------------------------


def _against_libraries(cases: Cases) -> str:
    rows = []
    for name, batch, case in _inference(cases, (1, 16)):
        library, chosen = _milliseconds(case, "reference"), _milliseconds(case, case["choice"])
        rows.append(
            [
                name, str(batch), f"{library_of(name)} {library}", f"{chosen} ({case['choice']})",
                f"**{_interval(speedup(case))}**", f"{max(value for key, value in case['agreement'].items()):.0e}",
            ]
        )  # fmt: skip
    if not rows:
        return ""
    header = ["model", "batch", "library eager, ms", "`auto`, ms", "times faster", "logits differ by"]
    return "\n\n".join(
        [
            "## Beside torchvision and timm",
            "Same weights, float32, eval mode, all cores. Brackets hold the 95 % interval over rounds; the last column "
            "is the largest difference of a logit between any two of them, relative to the largest logit.",
            markdown_table(header, rows, "lrrrrr"),
        ]
    )


def _eager(cases: Cases) -> str:
    rows = []
    for batch in eager.BATCH_SIZES:
        for name in MODELS:
            if (case := cases.get(f"eager {name} {batch}")) is None:
                continue
            called = case["operators"]
            same = (
                f"the same {called['zoo']}" if case["same_operators"] else f"{called['reference']} and {called['zoo']}"
            )
            times = [_milliseconds(case, each) for each in ("reference", "zoo")]
            rows.append([name, str(batch), *times, f"**{_interval(eager_ratio(case))}**", same])
    if not rows:
        return ""
    header = ["model", "batch", "library, ms", "zoo, ms", "zoo / library", "operators"]
    return "\n\n".join(
        [
            "## The plain network, written twice",
            "The zoo's eager model beside the library's, same weights, as PyTorch runs them. Every turn is on a copy "
            "made for it, in a process that keeps freed memory: where its weights lie makes one copy of a network "
            "several percent faster than another. Operators are what PyTorch is asked for in one call; where both ask "
            "for the same ones on tensors of the same shapes, a ratio other than 1 is chance.",
            markdown_table(header, rows, "lrrrrl"),
        ]
    )


def _runtimes(cases: Cases) -> str:
    found = list(_inference(cases, inference.BATCH_SIZES))
    if not found:
        return ""
    names = list(dict.fromkeys(name for _, _, case in found for name in case["trial"]["relative"]))
    rows = []
    for name, batch, case in found:
        timed = {runtime: _median(case, runtime) for runtime in names if runtime in case["seconds"]}
        best = min(timed, key=timed.__getitem__)
        cells = []
        for runtime in names:
            if runtime in timed:
                text = f"{1e3 * timed[runtime]:.3g}"
                cells.append(f"**{text}**" if runtime == best else text)
            elif runtime in case["trial"]["relative"]:
                cells.append(f"({case['trial']['relative'][runtime]:.1f}{TIMES})")
            else:
                cells.append("-")
        behind = _behind_best(case).value
        rows.append([name, str(batch), *cells, f"{case['choice']} ({100 * (behind - 1):.1f} %)"])
    refused = {
        f"{runtime}: {markdown(reason)}" for _, _, case in found for runtime, reason in case["trial"]["refused"].items()
    }
    return "\n\n".join(
        [
            "## Every runtime",
            "Milliseconds a batch, the best in bold. In brackets: clearly slower in the few calls behind its opening, "
            "closed then and not timed on. The last column is what `auto` chose and how far it is behind the best.",
            markdown_table(["model", "batch", *names, "`auto`"], rows, "lr" + "r" * len(names) + "l"),
            "\n".join(f"- Left out: {line}" for line in sorted(refused)),
        ]
    ).strip()


def _limits(cases: Cases) -> str:
    rows = []
    for name, _, case in _inference(cases, (1,)):
        limit, memory = _limit(case), case["bytes_moved"] / _read_rate(case)
        rows.append(
            [
                name, f"{case['mult_adds'] / 1e9:.3g}", f"{_gemm_rates(case)['gemm'] / 1e9:.0f}", f"{limit / 1e9:.0f}",
                f"{_rate(case, 'reference') / 1e9:.1f} ({_rate(case, 'reference') / limit:.0%})",
                f"{_rate(case) / 1e9:.1f} (**{_rate(case) / limit:.0%}**)",
                f"{1e3 * case['mult_adds'] / limit:.3g}", f"{1e3 * memory:.3g}", _milliseconds(case, case["choice"]),
            ]
        )  # fmt: skip
    if not rows:
        return ""
    header = [
        "model", "GMAC", "`torch.mm`, GMAC/s", "fastest GEMM, GMAC/s", "library eager, GMAC/s", "`auto`, GMAC/s",
        "arithmetic, ms", "memory, ms", "`auto`, ms",
    ]  # fmt: skip
    return "\n\n".join(
        [
            "## How far from the machine's limit",
            f"Batch 1. The limit is the best round of a {inference.GEMM}x{inference.GEMM} float32 matrix product in "
            "the same rounds as the model: of `torch.mm` and of oneDNN's product with packed weights the faster, "
            "against which the shares are taken. Arithmetic and memory are the least times at that rate and at the "
            f"rate at which {4 * inference.BANDWIDTH >> 20} MB are read; no network can be faster than the larger of "
            "the two unless it does fewer multiplications than the count says, as `packed` in 3x3 convolutions "
            "(Winograd).",
            markdown_table(header, rows, "lrrrrrrrr"),
            "![Roofline: multiply-adds a second over multiply-adds a byte](figures/roofline.png)",
        ]
    )


def _training(cases: Cases) -> str:
    rows = []
    for name in MODELS:
        if (case := cases.get(f"training {name}")) is None:
            continue
        plain, ours = _median(case, "reference"), _median(case, "zoo")
        rows.append(
            [
                name, case["memory_format"], "kept" if case["keep_large"] else "returned",
                f"{training.BATCH / plain:.1f}", f"{training.BATCH / ours:.1f}",
                f"**{_interval(_training_gain(case))}**", f"{case['peak_bytes']['reference'] / 1e6:.0f}",
                f"{case['peak_bytes']['zoo'] / 1e6:.0f}",
            ]
        )  # fmt: skip
    if not rows:
        return ""
    header = [
        "model", "memory format", "large blocks", "plain loop, images/s", "zoo, images/s", "times faster",
        "plain loop, peak MB", "zoo, peak MB",
    ]  # fmt: skip
    return "\n\n".join(
        [
            "## Training step",
            f"Forward, backward and SGD with momentum on {training.BATCH} images of {training.SIZE}x{training.SIZE}, "
            "float32. The plain loop is torchvision's or timm's model, contiguous, with `torch.optim.SGD` as it comes. "
            "The zoo's updates each weight as soon as its gradient is there (the same sums: no other gradient depends "
            "on it any more) and keeps freed memory for the next step. It takes the faster of two memory formats, with "
            f"blocks of {training.LARGE >> 20} MB and more either kept too or returned to the kernel at once and asked "
            "for in pages of 2 MB (`GLIBC_TUNABLES=glibc.malloc.hugetlb=1`): the fastest in a trial of those whose "
            "peak is not above the plain loop's. Peak is the resident memory of the whole process.",
            markdown_table(header, rows, "lllrrrrr"),
        ]
    )


def _starting(cases: Cases) -> str:
    case = cases.get("starting")
    if case is None:
        return ""
    titles = {"static": "static analysis of all models (`benchmarks.run`)"}
    rows = [
        [titles.get(name, f"`{name}`"), f"{statistics.median(seconds):.2f}", f"{min(seconds):.2f}"]
        for name, seconds in case["seconds"].items()
    ]
    return "\n\n".join(
        [
            "## Starting",
            "Seconds of a whole process. The static analysis counts parameters, multiply-adds and activations of every "
            f"registered model; its first run on a machine, {case['first_static_s']:.1f} s, also makes fvcore's "
            "cross-check, which is kept.",
            markdown_table(["program", "median, s", "least, s"], rows, "lrr"),
        ]
    )


def _opening(cases: Cases) -> str:
    rows = [
        [name, f"{case['first_open_s']:.1f}", case["choice"], f"{case['second_open_s']:.2f}"]
        for name, _, case in _inference(cases, (1,))
    ]
    if not rows:
        return ""
    return "\n\n".join(
        [
            "## What opening costs",
            "Batch 1. The first time, `auto` opens, checks and races every runtime; then the choice is on the disk and "
            "only that runtime is opened.",
            markdown_table(["model", "first, s", "choice", "again, s"], rows, "lrlr"),
        ]
    )


def _method(content: Mapping[str, Any]) -> str:
    return "\n\n".join(
        [
            "## How this was measured",
            "In each round everything that is compared takes one turn, in shuffled order; a turn begins with a call "
            "that is not counted. A ratio is the median over rounds of the ratio within a round, its interval a "
            "bootstrap over rounds. Each row of a table was measured in a process of its own; the two training loops "
            "in one each, taking turns.",
            circumstances(content, raw="speed.json"),
        ]
    )


def _inference(cases: Cases, batches: Sequence[int]) -> Iterable[tuple[str, int, Mapping[str, Any]]]:
    for batch in batches:
        for name in MODELS:
            if (case := cases.get(f"inference {name} {batch}")) is not None:
                yield name, batch, case


def _median(case: Mapping[str, Any], player: str) -> float:
    return float(statistics.median(case["seconds"][player]))


def _milliseconds(case: Mapping[str, Any], player: str) -> str:
    return f"{1e3 * _median(case, player):.3g}"


def _interval(found: Interval) -> str:
    return f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})"


# --- the picture ------------------------------------------------------------------------------------------------------


def _points(cases: Cases) -> dict[str, Any] | None:
    found = [case for _, _, case in _inference(cases, (1,))]
    if not found:
        return None
    return {
        "gemm": max(map(_limit, found)) / 1e9,
        "read": max(map(_read_rate, found)) / 1e9,
        "models": [
            {
                "model": case["model"],
                "x": case["mult_adds"] / case["bytes_moved"],
                "library": _rate(case, "reference") / 1e9,
                "auto": _rate(case) / 1e9,
            }
            for case in found
        ],
    }


def roofline(data: Mapping[str, Any]) -> Figure:
    """Multiply-adds a second over multiply-adds a byte: what each network reaches under the machine's two ceilings."""
    figure = Figure(figsize=(WIDTH, 5.0), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    models, roof, slope = data["models"], data["gemm"], data["read"]
    left = min(*(model["x"] for model in models), roof / slope) / 2
    right = max(*(model["x"] for model in models), roof / slope) * 2.5
    rates = [model[key] for model in models for key in ("library", "auto")]
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(left, right)
    axes.set_ylim(min(rates) / 2, max(roof, *rates) * 1.8)
    ceiling = [(left, min(roof, slope * left)), (roof / slope, roof), (right, roof)]
    axes.plot(*zip(*ceiling, strict=True), color=INK, linewidth=1.6)
    axes.annotate(f"matrix product {roof:.0f} GMAC/s", (roof / slope, roof), (6, 4), textcoords="offset points", size=9)
    axes.annotate(
        f"reading memory {slope:.0f} GB/s",
        (left * 1.2, slope * left * 1.2),
        (8, -8),
        textcoords="offset points",
        size=9,
    )
    for model in models:
        color, marker, _ = FAMILIES[zoo.spec(model["model"]).family]
        axes.plot([model["x"]] * 2, [model["library"], model["auto"]], color=color, linewidth=1.4)
        common: dict[str, Any] = {"marker": marker, "markersize": 8, "linestyle": "none", "markeredgecolor": color}
        axes.plot(model["x"], model["library"], markerfacecolor="white", **common)
        axes.plot(model["x"], model["auto"], markerfacecolor=color, **common)
    axes.set_xlabel("multiply-adds a byte moved (weights once, inputs and outputs of convolutions and pools)")
    axes.set_ylabel("multiply-adds a second, in billions")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5)))
        axis.set_major_formatter(lambda value, _: f"{value:g}")
        axis.set_minor_formatter(NullFormatter())
    axes.text(0.99, 0.02, "hollow: torchvision or timm, eager; filled: auto", transform=axes.transAxes, ha="right",
              color=SOFT, size=9)  # fmt: skip
    figure.canvas.draw()
    anchors = [Anchor(model["x"], model["auto"], 4.5, model["model"], INK) for model in models]
    place_labels(axes, anchors, size=9, lines=[ceiling, *_stems(models)])
    return figure


def _stems(models: Sequence[Mapping[str, Any]]) -> list[list[tuple[float, float]]]:
    """The lines between hollow and filled markers, in enough steps for labels to stay off them."""
    return [
        [(model["x"], model["library"] * (model["auto"] / model["library"]) ** (step / 8)) for step in range(9)]
        for model in models
    ]
