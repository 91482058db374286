"""The command line of `python -m benchmarks.run`, understood once and completely before any work begins."""

from __future__ import annotations

import argparse
import math
import re
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NoReturn

import zoo
from benchmarks.metrics import METRICS
from benchmarks.metrics.columns import COLUMNS
from benchmarks.plan.cases import SIX, Options
from benchmarks.records.environment import effective_cpus
from benchmarks.studies import STUDIES
from zoo.data import DATASETS
from zoo.names import Registry
from zoo.runtimes import RUNTIMES

__all__ = ["CHOICES", "DEFAULT_METRICS", "Parser", "Request", "expand_models", "parse", "words"]

CHOICES = Registry("runtime", (("auto", None), *((name, None) for name in RUNTIMES)))
DEVICES = ("cpu", "cuda")
PRECISIONS = ("fp32", "bf16", "fp16")
DEFAULT_METRICS = tuple(metric.name for metric in METRICS.values() if metric.default)
AS_TYPED = ("img_size", "device", "precision", "weights", "dataset", "data_dir", "seed")
ROUND_SECONDS = 1 / 3  # of measuring time a case takes in one round, where --rounds says nothing
PRESETS: Mapping[str, Mapping[str, float]] = {
    "default": {"max_time": 4.0, "target_ci": 0.02, "epochs": 0, "train_images": 0},
    "quick": {"max_time": 2.0, "target_ci": 0.02, "epochs": 1, "train_images": 3000},
    "rigorous": {"max_time": 30.0, "target_ci": 0.005, "epochs": 0, "train_images": 0},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a person asked for.

    Args:
        options: what to measure.
        studies: studies to run besides, or instead where no models are named.
        output_dir: where everything is written.
        action: "run", "list", "dry-run", "report-only" or "self-test".
        fresh: begin again instead of going on.
        timeout: seconds after which a case is given up.
        sort_key: column the tables are sorted by.
        command: the command line as it was typed.
    """

    options: Options
    studies: tuple[str, ...]
    output_dir: Path
    action: str
    fresh: bool
    timeout: float
    sort_key: str
    command: str


class Parser(argparse.ArgumentParser):
    """Refuses with one line."""

    def error(self, message: str) -> NoReturn:
        print(f"{self.prog}: {message}", file=sys.stderr)
        raise SystemExit(2)


def parse(arguments: Sequence[str] | None = None) -> Request:
    """The request in a command line; ends the process with status 2 and one line if there is none in it."""
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        return _request(given, list(sys.argv[1:] if arguments is None else arguments))
    except (LookupError, TypeError, ValueError) as error:
        parser.error(words(error))


def words(error: BaseException) -> str:
    """An error in one line; a LookupError's own text puts quotes around it."""
    text = error.args[0] if isinstance(error, LookupError) and error.args else error
    return " ".join(str(text).split())


def expand_models(text: str) -> list[str]:
    """Labels in a comma list of names, globs and options: "resnet*,mobilenet_v1:width=0.5,resolution=160,all".

    Raises:
        UnknownModel, UnknownOption, InvalidOption: as `zoo.spec`.
        ValueError: the list is empty or a pattern matches nothing.
    """
    items: list[str] = []
    for part in (part.strip() for part in text.split(",")):
        if re.match(r"\w+\s*=", part) and items and ":" in items[-1]:
            items[-1] += f",{part}"  # an option of the model before the comma
        elif part:
            items.append(part)
    if not items:
        raise ValueError(f"a list of models is wanted; got {text!r}; --list shows all {len(zoo.list_models())}")
    labels: dict[str, None] = {}
    for item in items:
        name, colon, options = item.partition(":")
        pattern = "*" if name == "all" else name
        matches = zoo.list_models(pattern) if re.search(r"[*?[]", pattern) else [name]
        if not matches:
            raise ValueError(f"no model matches {name!r}; --list shows all {len(zoo.list_models())}")
        labels |= dict.fromkeys(zoo.spec(f"{match}{colon}{options}").label for match in matches)
    return list(labels)


def _request(given: argparse.Namespace, typed: Sequence[str]) -> Request:
    preset = dict(PRESETS["quick" if given.quick else "rigorous" if given.rigorous else "default"])
    studies = STUDIES.select(given.studies) if given.studies else ()
    models = expand_models(given.models) if given.models else [] if studies else list(SIX if given.quick else ["all"])
    if models == ["all"]:
        models = expand_models("all")
    excluded = _excluded(given.exclude)
    kept = tuple(label for label in models if not excluded(label))
    if not kept and not studies:
        raise ValueError(f"--exclude {given.exclude!r} leaves no model of {len(models)}")
    if given.data_dir and not given.dataset:
        raise ValueError(
            f"--data-dir {given.data_dir} belongs to a data set; name it with --dataset, of {', '.join(DATASETS)}"
        )
    max_time = given.max_time or preset["max_time"]
    options = Options(
        models=kept,
        metrics=METRICS.select(given.metrics) if given.metrics else DEFAULT_METRICS,
        runtimes=CHOICES.select(given.runtimes),
        batch_sizes=given.batch_size,
        num_threads=given.num_threads or (effective_cpus(),),
        training_threads=given.num_threads or (1,),
        epochs=given.epochs or int(preset["epochs"]),
        train_images=int(preset["train_images"]),
        **{name: getattr(given, name) for name in AS_TYPED},
        effort={
            "max_time": float(max_time),
            "rounds": given.rounds or max(8, round(max_time / ROUND_SECONDS)),
            "target_ci": float(given.target_ci or preset["target_ci"]),
        },
    )
    return Request(
        options=options,
        studies=studies,
        command=shlex.join(["python", "-m", "benchmarks.run", *typed]),
        **{name: getattr(given, name) for name in ("output_dir", "action", "fresh", "timeout", "sort_key")},
    )


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="benchmarks.run",
        description="Compares the networks of the zoo on this machine and writes tables, figures and a page.",
        allow_abbrev=False,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    what = parser.add_argument_group("what to measure")
    what.add_argument("--models", "--model", "-m", default="", help="names, globs, all, name:option=value,...")
    what.add_argument("--exclude", default="", help="models left out of --models")
    what.add_argument(
        "--metrics", default="", help=f"of {', '.join(METRICS)}; by default all but throughput, which wants batches"
    )
    what.add_argument("--runtimes", default="eager", help=f"of {', '.join(CHOICES)}, all")
    what.add_argument("--studies", default="", help=f"of {', '.join(STUDIES) or '(none yet)'}, all")
    how = parser.add_argument_group("under which conditions")
    how.add_argument("--batch-size", "-b", type=_counts, default=(), metavar="N,...", help="images a call, a sweep")
    how.add_argument("--img-size", type=_count, default=0, metavar="PIXELS", help="0: each model's own")
    how.add_argument("--num-threads", type=_counts, default=(), metavar="N,...", help="all; a training 1")
    how.add_argument("--device", choices=DEVICES, default="cpu", help="where")
    how.add_argument("--precision", choices=PRECISIONS, default="fp32", help="of weights and images")
    how.add_argument("--weights", default="", help="imagenet, imagenet:TAG or a file; none: trained from scratch")
    how.add_argument("--dataset", choices=sorted(DATASETS), default="", help="for accuracy", metavar="NAME")
    how.add_argument("--data-dir", default="", help="folder of the data set's files")
    how.add_argument("--epochs", type=_count, default=0, help="0: the recipe's")
    how.add_argument("--seed", type=_whole, default=0, help="of initialisation, order and images")
    effort = parser.add_argument_group("how hard to look")
    level = effort.add_mutually_exclusive_group()
    level.add_argument("--quick", action="store_true", help="the six reference models, less time, fewer images")
    level.add_argument("--rigorous", action="store_true", help="30 s a case, intervals of 0.5 %%")
    effort.add_argument("--max-time", type=_seconds, default=0.0, metavar="S", help="measuring time of a case; 0: 4 s")
    effort.add_argument("--rounds", type=_count, default=0, help="turns it is divided into; 0: one each 1/3 s")
    effort.add_argument("--target-ci", type=_share, default=0.0, help="half-width to stop at; 0: 0.02")
    effort.add_argument("--timeout", type=_seconds, default=3600.0, metavar="S", help="give a case up after")
    run = parser.add_argument_group("the run")
    run.add_argument("--output-dir", type=Path, default=Path("reports"), help="where everything is written")
    again = run.add_mutually_exclusive_group()
    again.add_argument("--resume", dest="fresh", action="store_false", help="go on where the last run ended")
    again.add_argument("--fresh", action="store_true", help="begin again")
    run.add_argument(
        "--sort-key", choices=tuple(COLUMNS), default="family", metavar="COLUMN", help="column of results.csv"
    )
    run.set_defaults(action="run", fresh=False)
    instead = run.add_mutually_exclusive_group()
    for action, text in {
        "report-only": "write the report from the records there are",
        "dry-run": "print the plan",
        "list": "print models, metrics, runtimes, data sets and studies",
        "self-test": "show what the harness can tell apart on this machine",
    }.items():
        instead.add_argument(f"--{action}", dest="action", action="store_const", const=action, help=text)
    return parser


def _excluded(text: str) -> Callable[[str], bool]:
    """Whether a label is among those to leave out; a name stands for every variant of that model."""
    if not text:
        return lambda label: False
    expand_models(text)  # refuses names that mean nothing
    patterns = [part.strip() for part in text.split(",")]
    labels = set(expand_models(text))

    def excluded(label: str) -> bool:
        name = label.partition(":")[0]
        return label in labels or any(fnmatchcase(name, "*" if part == "all" else part) for part in patterns)

    return excluded


def _number(wanted: str, kind: Callable[[str], float], fits: Callable[[float], bool]) -> Callable[[str], float]:
    """What reads a number of a kind and refuses any other text by saying what is wanted."""

    def read(text: str) -> float:
        try:
            number = kind(text)
        except ValueError:
            number = math.nan
        if not fits(number) or (kind is int and not text.isascii()):
            raise argparse.ArgumentTypeError(f"{wanted} is wanted; got {text!r}")
        return number

    return read


_count = _number("a whole number of at least 1", int, lambda number: 1 <= number < 1e9)
_whole = _number("a whole number of at least 0", int, lambda number: 0 <= number < 1e9)
_seconds = _number("a number of seconds above 0", float, lambda number: 0 < number < 1e7)
_share = _number("a number between 0 and 1 (0.02 is 2 %)", float, lambda number: 0 < number < 1)


def _counts(text: str) -> tuple[int, ...]:
    return tuple(dict.fromkeys(int(_count(part.strip())) for part in text.split(",")))
