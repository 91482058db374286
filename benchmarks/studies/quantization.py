"""What each choice in making integers of a network costs: tried on networks trained here, beside what is printed."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.resources import files
from pathlib import Path

from benchmarks.metrics.schemes import (
    BASE,
    IMAGES,
    LAYER,
    LAYER_ASYMMETRIC,
    NO_ZERO_POINT,
    NOISE,
    PLAIN_SUMS,
    PLAIN_SUMS_SEVEN_BITS,
    SCHEMES,
    SEVEN_BITS,
    TEN,
    THOUSAND,
    Answers,
)
from benchmarks.records.record import FULL
from benchmarks.stats.intervals import Interval
from benchmarks.studies.answers import (
    NEARLY_ALL,
    alone,
    brought_back,
    difference,
    down_to_guessing,
    few,
    in_points,
    judged,
    less,
    over,
    weighed,
)
from benchmarks.studies.evidence import Evidence
from benchmarks.studies.study import OURS, Arm, Claim, Grid, Judge, Picture, Study, Verdict
from zoo.runtimes.quantizing.instructions import saturates

__all__ = ["CLAIMED", "FIRST", "PUBLISHED", "STUDY"]

MOBILENET, RESIDUAL = "MobileNetV1", "ResNet-18"
ARMS = (
    Arm(MOBILENET, "mobilenet_v1"),
    Arm("MobileNetV1, width 0.25", "mobilenet_v1:width=0.25"),
    Arm(RESIDUAL, "resnet18"),
    Arm("GoogLeNet", "googlenet"),
)
TITLES = tuple(arm.title for arm in ARMS)
PAPER = "arXiv:1806.08342, Table 3"
ENOUGH = 0.005  # of top-1, that a few images to calibrate on may cost and be enough


def _of(evidence: Evidence, title: str) -> list[Answers]:
    """The answers of an arm, by seed."""
    return list(evidence.answers(evidence.by_title[title]).values())


def _seeds(evidence: Evidence, titles: Sequence[str], *names: str) -> list[list[Answers]]:
    """The answers of some networks seed by seed, of seeds that all of them have with these schemes."""
    tried = [
        {
            seed: each
            for seed, each in evidence.answers(evidence.by_title[title]).items()
            if {*names} <= each.right.keys()
        }
        for title in titles
    ]
    return [[of[seed] for of in tried] for seed in sorted(set(tried[0]).intersection(*tried[1:]))]


def _of_seeds(title: str, verdict: Callable[[Sequence[Answers]], Verdict]) -> Judge:
    """A verdict on an arm that takes at least two seeds."""

    def judge(evidence: Evidence) -> Verdict:
        found = _of(evidence, title)
        return verdict(found) if len(found) > 1 else Verdict("open", few(len(found)))

    return Judge(judge, titles=(title,), seeds=True)


def _more_right(one: str, other: str, *, by: float = 0.0) -> Judge:
    """One scheme has more right than another, by more than `by`, in the mean of all networks."""

    def judge(evidence: Evidence) -> Verdict:
        return judged(_seeds(evidence, TITLES, one, other), weighed({one: 1.0, other: -1.0}), by=by)

    return Judge(judge, titles=TITLES, seeds=True)


def _loses_more(title: str, than: str, scheme: str) -> Judge:
    """A scheme costs one network more than another."""

    def judge(evidence: Evidence) -> Verdict:
        return judged(_seeds(evidence, (title, than), FULL, scheme), less(FULL, scheme))

    return Judge(judge, titles=(title, than), seeds=True)


def _where_cut(exactly: Judge) -> Judge:
    """A claim about sums that are cut off at 16 bits; open on a processor that adds in 32."""

    def judge(evidence: Evidence) -> Verdict:
        added = {each.instructions for title in TITLES for each in _of(evidence, title)}
        exact = sorted(each for each in added if not saturates(each))
        return Verdict("open", f"this processor ({exact[0]}) adds in 32 bits") if exact else exactly(evidence)

    return Judge(judge, titles=exactly.titles, seeds=True)


def answer(evidence: Evidence) -> str | None:
    """What the usual scheme costs, and which of the others costs most."""
    tried = {scheme.name: _seeds(evidence, TITLES, FULL, scheme.name) for scheme in SCHEMES}
    costs = {name: over(seeds, weighed({FULL: 1.0, name: -1.0})) for name, seeds in tried.items() if seeds}
    if BASE.name not in costs:
        return None
    most = max(costs, key=lambda name: costs[name].value)
    seeds = len(tried[BASE.name])
    text = (
        f"In the mean of {len(TITLES)} networks and {seeds} seed{'' if seeds == 1 else 's'}, integers with "
        f"{BASE.name}, calibrated on {IMAGES} images, cost {in_points(costs[BASE.name])} points of top-1"
    )
    if most == BASE.name:
        return f"{text}; none of the other choices that were tried costs more."
    return f"{text}; the dearest of the other choices that were tried is {most}: {in_points(costs[most])}."


def _right(evidence: Evidence) -> Iterator[Sequence[str]]:
    """Top-1 of every scheme and network, with how many images a scheme was calibrated on."""
    for name in (FULL, *(scheme.name for scheme in SCHEMES)):
        found = {title: [each for each in _of(evidence, title) if name in each.right] for title in TITLES}
        counts = sorted({each.calibrated[name] for of in found.values() for each in of if name in each.calibrated})
        if any(found.values()):
            shares = (_mean_right(of, name) for of in found.values())
            yield (name, " or ".join(map(str, counts)) or "-", *shares)


def _mean_right(found: Sequence[Answers], name: str) -> str:
    if not found:
        return "-"
    share = over(alone(found), weighed({name: 1.0}))
    return in_points(Interval(share.value, max(share.low, 0.0), min(share.high, 1.0)))


def _more(evidence: Evidence, than: str) -> Iterator[Sequence[str]]:
    """Points that every scheme has right more than another has, network by network."""
    for scheme in SCHEMES:
        cells = [difference(_of(evidence, title), scheme.name, than) for title in TITLES]
        if scheme.name != than and any(cells):
            yield (scheme.name, *map(in_points, cells))


def _given(evidence: Evidence) -> Iterator[Sequence[str]]:
    """Every scheme on weights that were handed in, and what becomes of the paper's two claims on MobileNetV1's."""
    for case, found in evidence.given:
        weights = Path(case.weights_path or case.weights).name
        for name in (FULL, *(scheme.name for scheme in SCHEMES if scheme.name in found.right)):
            more = "" if name == FULL else in_points(difference([found], name, FULL))
            yield (case.model, weights, name, _mean_right([found], name), more)


def _given_claims(evidence: Evidence) -> Iterator[Sequence[str]]:
    for case, found in evidence.given:
        if case.model.partition(":")[0] == "mobilenet_v1":
            for text, _, judge in CLAIMED:
                verdict = judge([found])
                yield (case.model, Path(case.weights_path or case.weights).name, text, verdict.status, verdict.words)


def _printed(_: Evidence) -> Iterator[Sequence[str]]:
    """Figures that others printed: the table beside this file."""
    text = files("benchmarks.studies").joinpath("published_int8.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(text.splitlines()):
        note = ", ".join(filter(None, (row["hardware"], row["note"])))
        source = f"{row['source']}, {row['locator']}".rstrip(", ")
        yield (row["model"], row["scheme"], row["fp32_top1"] or "-", row["int8_top1"], source, note or "-")


# of MobileNetV1: the claim, whose it is, its verdict
CLAIMED: tuple[tuple[str, str, Callable[[Sequence[Answers]], Verdict]], ...] = (
    ("with one scale a layer MobileNetV1 only guesses (70.9 % becomes 0.1 %)", PAPER, down_to_guessing),
    ("one scale a channel brings most of it back (59.1 %)", PAPER, brought_back),
    ("with symmetric weights and one scale a layer it only guesses, too", OURS, partial(down_to_guessing, layer=LAYER)),
    ("one scale a channel brings most of what these lose back", OURS, partial(brought_back, layer=LAYER)),
)
SHORT = ("one scale a layer leaves MobileNetV1 guessing", "one scale a channel brings most back", "", "")
FIRST = (
    f"The first scheme has one scale a channel of symmetric weights of 8 bits, asymmetric activations, {IMAGES} images "
    "to calibrate on and sums in 32 bits; every other changes one or two things of it. ONNX Runtime has no kernels for "
    "asymmetric weights with a scale a channel."
)
HOW = (
    "In brackets the 95 % interval, wide enough both for networks trained anew (Student's t, where there are several "
    "seeds) and for other images."
)
PUBLISHED = Grid(
    title="Published",
    text="What others printed, of other weights, images and machines: for the direction, not to subtract.",
    heads=("model", "scheme", "fp32, %", "int8, %", "source", "note"),
    rows=_printed,
)
STUDY = Study(
    name="quantization",
    question="Which choices in making integers of a network cost it right answers?",
    source=f"{PAPER} (Krishnamoorthi); calibration, range and sums are {OURS}",
    arms=ARMS,
    answer=answer,
    claims=(
        *(
            Claim(text, source, _of_seeds(MOBILENET, judge), short=short)
            for (text, source, judge), short in zip(CLAIMED, SHORT, strict=True)
        ),
        Claim(
            "one scale a layer costs MobileNetV1 more than a residual network (ResNet-50: 75.2 % becomes 75.0 %)",
            PAPER,
            _loses_more(MOBILENET, RESIDUAL, LAYER_ASYMMETRIC.name),
        ),
        Claim(
            "with one scale a layer, asymmetric weights have more right than symmetric ones",
            OURS,
            _more_right(LAYER_ASYMMETRIC.name, LAYER.name),
        ),
        Claim("symmetric activations cost accuracy", OURS, _more_right(BASE.name, NO_ZERO_POINT.name)),
        Claim(
            "calibrating on noise costs accuracy",
            OURS,
            _more_right(BASE.name, NOISE.name),
            short="calibrating on noise costs accuracy",
        ),
        Claim(
            f"10 images to calibrate on are enough: {100 * ENOUGH:g} points at most are lost against 1000",
            OURS,
            _more_right(TEN.name, THOUSAND.name, by=-ENOUGH),
            short="10 images are enough",
        ),
        Claim("weights of 7 bits cost accuracy where sums are exact", OURS, _more_right(BASE.name, SEVEN_BITS.name)),
        Claim(
            "sums that the processor cuts off at 16 bits cost accuracy",
            OURS,
            _where_cut(_more_right(BASE.name, PLAIN_SUMS.name)),
            short="sums cut off at 16 bits cost accuracy",
        ),
        Claim(
            "where sums are cut off, weights of 7 bits (reduce_range) have more right",
            OURS,
            _where_cut(_more_right(PLAIN_SUMS_SEVEN_BITS.name, PLAIN_SUMS.name)),
        ),
    ),
    pictures=(Picture("schemes"),),
    grids=(
        Grid(
            title="Right answers",
            text=f"Top-1 on the held-out images, %. {HOW}",
            heads=("scheme", "images calibrated on", *TITLES),
            rows=_right,
        ),
        Grid(
            title="Against fp32",
            text=f"Points of top-1 more than fp32 has, on the same images. {HOW}",
            heads=("scheme", *TITLES),
            rows=partial(_more, than=FULL),
        ),
        Grid(
            title="Against the first scheme",
            text="Points of top-1 more than the first scheme has, on the same images.",
            heads=("scheme", *TITLES),
            rows=partial(_more, than=BASE.name),
        ),
        Grid(
            title="Trained weights that were handed in",
            text="Top-1 on the held-out images, %, and points more than fp32 has; intervals are those of other images.",
            heads=("network", "weights", "scheme", "top-1, %", "points more than fp32"),
            rows=_given,
        ),
        Grid(
            title="The claims on MobileNetV1, on weights that were handed in",
            text="Judged by the 95 % interval of other images.",
            heads=("network", "weights", "claim", "verdict here", "evidence"),
            rows=_given_claims,
        ),
        PUBLISHED,
    ),
    metrics=("schemes",),
    notes=(
        f"Integers are ONNX Runtime's, calibrated on training images by minima and maxima, nothing corrected. {FIRST}",
        "Only guessing: what is left above the share that guessing has right is at most "
        f"{100 * NEARLY_ALL:g} % of what fp32 has above it. Brought back most: more than half of what was lost.",
        "Claims that name no network are judged by the mean over the networks of the table, seed by seed, and every "
        "claim by an interval that is wide enough for other images, too.",
        "Trained weights are tried by python -m benchmarks.run --metrics schemes --models MODEL --weights FILE "
        "--dataset NAME --data-dir FOLDER in the same output folder.",
    ),
)  # fmt: skip
