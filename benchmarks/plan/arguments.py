"""The command line of `python -m benchmarks.run`, understood once and completely before any work begins."""

from __future__ import annotations

import argparse
import functools
import re
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

from benchmarks.metrics import METRICS
from benchmarks.metrics.beginnings import DEFAULT, SAMPLE
from benchmarks.metrics.columns import COLUMNS
from benchmarks.plan import typed
from benchmarks.plan.cases import SIX, Options, canonical
from benchmarks.plan.models import excluding, expand_models, files_of, is_file, is_pattern, items_of
from benchmarks.plan.published import absent_weights
from benchmarks.records.environment import effective_cpus
from benchmarks.records.record import FULL, PLAIN, PUBLISHED, Case, Record
from benchmarks.studies import STUDIES
from zoo.data import DATASETS
from zoo.data.folder import FOLDER
from zoo.errors import one_line, shown
from zoo.names import Registry
from zoo.runtimes import RUNTIMES
from zoo.training.recipes import PAPER, recipe, recipes

__all__ = ["CHOICES", "DEFAULT_METRICS", "PRESETS", "Parser", "Request", "parse", "parser", "words"]

CHOICES = Registry("runtime", (("auto", None), *((name, None) for name in RUNTIMES)))
DEVICES = Registry("device", (("cpu", ()), ("cuda", ("gpu", "nvidia")), ("mps", ("apple", "metal"))), also=tuple)
PRECISIONS = Registry(
    "precision",
    (
        ("fp32", ("float32", "float", "single")),
        ("bf16", ("bfloat16",)),
        ("fp16", ("float16", "half")),
        ("int8", ("8bit", "quantized", "uint8")),
    ),
    also=tuple,
)
SORT_KEYS = Registry("column", COLUMNS.items())
ACCURACY = "accuracy"
DEFAULT_METRICS = tuple(metric.name for metric in METRICS.values() if metric.default)
AS_TYPED = ("img_size", "device", "weights", "dataset", "data_dir", "recipe", "train_processes", "seeds")
RUN = (
    "output_dir", "action", "fresh", "timeout", "sort_key", "metric", "executor", "address", "ship_code",
)  # fmt: skip
BEST = ("top1", "balanced")  # what the best network for somebody's images may be the best in
ROUND_SECONDS = 1 / 4  # of measuring time a case takes in one round, where --rounds says nothing,
FEWEST_TURNS = 12  # but no fewer rounds than these, of which some may not count
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
        named: models, runtimes, metrics and weights that were asked for by name, not by a pattern.
        output_dir: where everything is written.
        action: "run", "list", "dry-run", "report-only" or "self-test".
        fresh: begin again instead of going on.
        timeout: seconds after which a measurement is given up.
        sort_key: column the tables are sorted by.
        metric: what the best network is the best in, one of `BEST`.
        command: the command line as it was typed.
        executor: where cases are measured, one of `EXECUTORS`.
        address: of a cluster; empty for one of the run's own.
        ship_code: whether its nodes get this project's files from here.
    """

    options: Options
    studies: tuple[str, ...]
    named: frozenset[str]
    output_dir: Path
    action: str
    fresh: bool
    timeout: float
    sort_key: str
    metric: str
    command: str
    executor: str = "local"
    address: str = ""
    ship_code: bool = False

    @property
    def placed(self) -> dict[str, str | bool]:
        """What the executor is told besides."""
        return {} if self.executor == "local" else {"address": self.address, "ship_code": self.ship_code}

    def settled(self, *, fetch: bool) -> Request:
        """The same, with what is to become of models whose published weights are not to be had here.

        Data sets whose classes are ImageNet's have no use for any others.

        Args:
            fetch: download those weights that are not on this machine.
        """
        options = self.options
        asked = options.models if ACCURACY in options.metrics else ()
        if not asked or options.weights.partition(":")[0] != PUBLISHED:
            return self
        case = canonical(
            Case(metric=ACCURACY, model=asked[0], dataset=options.dataset, data_dir=options.data_dir,
                 recipe=options.recipe, weights_path=options.weights)
        )  # fmt: skip
        if not case.recipe:
            return self
        without = absent_weights(asked, options.weights, fetch=fetch)
        return replace(self, options=replace(options, without=without))

    def missed(self, records: Sequence[Record]) -> int:
        """How many cases were skipped although they were asked for by name.

        Their model and runtime were, or something else of theirs was and nothing came of it in any case.
        """
        answered = {name for record in records if record.status != "skipped" for name in _names(record.case)}
        barren = self.named - answered
        skipped = [record.case for record in records if record.status == "skipped"]
        by_name = {*self.named, *({PLAIN} - {*self.options.runtimes})}  # the runtime of metrics that take no other
        return sum({case.model, case.runtime} <= by_name or bool(_names(case) & barren) for case in skipped)


class Parser(argparse.ArgumentParser):
    """Refuses with one line, which names the flag that a mistyped one is nearest to."""

    def error(self, message: str) -> NoReturn:
        mistyped = re.match(r"unrecognized arguments: (--[\w-]+)", message)
        near = get_close_matches(mistyped[1], self._option_string_actions, 1) if mistyped else ()
        message += "".join(f"; did you mean {flag}?" for flag in near)
        print(one_line(f"{self.prog}: {message}"), file=sys.stderr)
        raise SystemExit(2)


def parse(arguments: Sequence[str] | None = None) -> Request:
    """The request in a command line; ends the process with status 2 and one line if there is none in it."""
    reader = parser()
    given = reader.parse_args(arguments)
    try:
        return _request(given, list(sys.argv[1:] if arguments is None else arguments))
    except (LookupError, TypeError, ValueError) as error:
        reader.error(words(error))


def words(error: BaseException) -> str:
    """An error in one line; a LookupError's own text puts quotes around it."""
    return one_line(str(error.args[0] if isinstance(error, LookupError) and error.args else error))


def _names(case: Case) -> set[str]:
    return {case.model, case.metric, case.runtime, case.weights_path}


def _named(given: argparse.Namespace) -> frozenset[str]:
    """What was asked for by its own name: models, runtimes, metrics and weights."""
    items = items_of(given.models)
    models = [item for item in items if not is_file(item) and not is_pattern(item.partition(":")[0])]
    files = [item for item in items if is_file(item) and not is_pattern(item)]
    others = [part.strip() for text in (given.runtimes, given.metrics) for part in text.split(",")]
    labels = [label for item in models for label in expand_models(item)]
    return frozenset(labels) | frozenset(filter(None, (*others, *files, given.weights)))


def _request(given: argparse.Namespace, typed: Sequence[str]) -> Request:
    preset = dict(PRESETS["quick" if given.quick else "rigorous" if given.rigorous else "default"])
    studies = STUDIES.select(given.studies) if given.studies else ()
    models = expand_models(given.models) if given.models else [] if studies else list(SIX if given.quick else ["all"])
    if models == ["all"]:
        models = expand_models("all")
    excluded = excluding(given.exclude)
    kept = tuple(label for label in models if not excluded(label))
    files = files_of(given.models)
    if not kept and not studies and not files:
        raise ValueError(f"--exclude {shown(given.exclude)} leaves no model of {len(models)}")
    if (given.address or given.ship_code) and given.executor == "local":
        raise ValueError("--address and --ship-code belong to --executor ray")
    if given.data_dir and not given.dataset:
        raise ValueError(
            f"--data-dir {shown(given.data_dir)} belongs to a data set; name that with --dataset: {', '.join(DATASETS)}"
        )
    if given.action in ("run", "dry-run") and (given.data_dir or given.dataset == FOLDER.name):
        reason = DATASETS[given.dataset].unavailable(given.data_dir)
        if reason is not None:
            raise ValueError(reason)
    small = not given.recipe and not given.weights and given.dataset in ("", DEFAULT)
    max_time = given.max_time or preset["max_time"]
    options = Options(
        models=kept,
        files=files,
        metrics=METRICS.select(given.metrics) if given.metrics else DEFAULT_METRICS,
        runtimes=CHOICES.select(given.runtimes),
        precisions=PRECISIONS.select(given.precision),
        batch_sizes=given.batch_size,
        num_threads=given.num_threads or (effective_cpus(),),
        training_threads=given.num_threads or (1,),
        epochs=given.epochs or int(small and preset["epochs"]),
        train_images=int(small and preset["train_images"]),
        **{name: getattr(given, name) for name in AS_TYPED},
        effort={
            "max_time": float(max_time),
            "rounds": given.rounds or max(FEWEST_TURNS, round(max_time / ROUND_SECONDS)),
            "target_ci": float(given.target_ci or preset["target_ci"]),
        },
    )
    return Request(
        options=options,
        studies=studies,
        named=_named(given),
        command=shlex.join(["python", "-m", "benchmarks.run", *typed]),
        **{name: getattr(given, name) for name in RUN},
    )


@functools.cache
def parser() -> Parser:
    """What reads the command line."""
    reader = Parser(
        prog="benchmarks.run",
        description="Compares the networks of the zoo on this machine and writes tables, figures and a page.",
        allow_abbrev=False,
    )
    usual = PRESETS["default"]
    what = reader.add_argument_group("what to measure")
    what.add_argument(
        "--models", "--model", "-m", default="", metavar="LIST",
        help="names, globs, name:option=value|value,..., trained files ('runs/*/best.safetensors'); default all",
    )  # fmt: skip
    what.add_argument("--exclude", default="", metavar="LIST", help="models left out of --models")
    what.add_argument(
        "--metrics",
        default="",
        metavar="LIST",
        help=f"of {', '.join(METRICS)}, all; default {', '.join(DEFAULT_METRICS)}",
    )
    what.add_argument(
        "--runtimes", default=PLAIN, metavar="LIST", help=f"of {', '.join(CHOICES)}, all; default {PLAIN}"
    )
    what.add_argument("--studies", default="", metavar="LIST", help=f"of {', '.join(STUDIES)}, all; default none")
    how = reader.add_argument_group("under which conditions")
    how.add_argument(
        "--batch-size",
        "-b",
        type=typed.counts,
        default=(),
        metavar="N,...",
        help="images a call, or a sweep; default the metric's own",
    )
    how.add_argument(
        "--img-size", type=typed.count, default=0, metavar="PIXELS", help="of a side; default each model's own"
    )
    how.add_argument(
        "--num-threads", type=typed.counts, default=(), metavar="N,...", help="default all processors; for a training 1"
    )
    how.add_argument(
        "--device", type=_one_of(DEVICES), default="cpu", metavar="NAME", help="cpu (default), cuda or mps"
    )
    how.add_argument(
        "--precision", default=FULL, metavar="LIST", help=f"of {', '.join(PRECISIONS)}, or a sweep; default {FULL}"
    )
    how.add_argument(
        "--weights",
        default="",
        metavar="WEIGHTS",
        help="imagenet, imagenet:TAG or a file: tested where they know the classes, else fine-tuned; default none",
    )
    how.add_argument(
        "--dataset",
        type=_one_of(DATASETS),
        default="",
        metavar="NAME",
        help=f"of {', '.join(sorted(DATASETS))}; default fashion_mnist, with --weights imagenet",
    )
    how.add_argument("--data-dir", default="", metavar="DIR", help="folder of the data set's files, or of your images")
    how.add_argument(
        "--recipe",
        type=_recipe,
        default="",
        metavar="NAME",
        help=f"train by it, from --weights where there are any: {', '.join(recipes())}, NAME:field=value,...",
    )
    how.add_argument("--epochs", type=typed.count, default=0, metavar="N", help="of a training; default its recipe's")
    how.add_argument(
        "--nproc", "--nproc-per-node", dest="train_processes", type=typed.count, default=1, metavar="N",
        help="processes of a training, as torchrun starts them: a batch each, --num-threads or a GPU each; default 1",
    )  # fmt: skip
    how.add_argument(
        "--seeds", "--seed", type=typed.seeds, default=(0,), metavar="N,...",
        help="of initialisation, order and images, a training each: 0,1,2 or 0-2; default 0",
    )  # fmt: skip
    effort = reader.add_argument_group("how hard to look")
    level = effort.add_mutually_exclusive_group()
    level.add_argument("--quick", action="store_true", help="the six reference models, less time, fewer images")
    level.add_argument("--rigorous", action="store_true", help="30 s a case, intervals of 0.5 %%")
    effort.add_argument(
        "--max-time",
        type=typed.seconds,
        default=0.0,
        metavar="S",
        help=f"measuring time of a case in seconds; default {usual['max_time']:g}",
    )
    effort.add_argument(
        "--rounds",
        type=typed.count,
        default=0,
        metavar="N",
        help="turns it is divided into; default 1 each 1/4 s, at least 12",
    )
    effort.add_argument(
        "--target-ci",
        type=typed.share,
        default=0.0,
        metavar="SHARE",
        help=f"half-width of an interval to stop at; default {usual['target_ci']:g}",
    )
    effort.add_argument(
        "--timeout", type=typed.seconds, default=3600.0, metavar="S",
        help="seconds after which a measurement is given up; default 3600; trainings take as long as they take",
    )  # fmt: skip
    run = reader.add_argument_group("the run")
    run.add_argument(
        "--output-dir",
        type=Path,
        default=Path("reports"),
        metavar="DIR",
        help="of all that is written; default reports",
    )
    again = run.add_mutually_exclusive_group()
    again.add_argument(
        "--resume", dest="fresh", action="store_false", help="go on where the last run ended; the default"
    )
    again.add_argument("--fresh", action="store_true", help="begin again")
    run.add_argument(
        "--sort-key",
        type=_one_of(SORT_KEYS),
        default="family",
        metavar="COLUMN",
        help="column of results.csv to sort tables by; --list shows all; default family",
    )
    run.add_argument(
        "--metric",
        choices=BEST,
        default=BEST[0],
        help="what the best network for your images is the best in; default top1",
    )
    run.add_argument(
        "--executor",
        choices=("local", "ray"),
        default="local",
        help="where cases are measured: here (default), or on the nodes of a Ray cluster",
    )
    run.add_argument(
        "--address",
        default="",
        metavar="ADDRESS",
        help="of a Ray cluster: auto, HOST:PORT or ray://HOST:PORT; default one of the run's own, on this machine",
    )
    run.add_argument("--ship-code", action="store_true", help="nodes of the cluster get this project's files from here")
    run.set_defaults(action="run", fresh=False)
    instead = run.add_mutually_exclusive_group()
    for action, text in {
        "report-only": "write the report from the records there are",
        "dry-run": "print the plan and how long it takes",
        "list": "print models, metrics, runtimes, data sets, studies and columns",
        "self-test": "show what the harness can tell apart on this machine",
    }.items():
        instead.add_argument(f"--{action}", dest="action", action="store_const", const=action, help=text)
    return reader


def _one_of(names: Registry[Any]) -> Callable[[str], str]:
    """What takes a registered name, or none, and refuses any other text with the near misses."""

    def read(text: str) -> str:
        if text and text not in names:
            raise argparse.ArgumentTypeError(names.unknown(text))
        return text

    return read


def _recipe(text: str) -> str:
    """A recipe as it is typed, which may be each model's own; refuses what is none."""
    name, colon, changes = text.partition(":")
    try:
        _ = text and recipe(f"{SAMPLE if name == PAPER else name}{colon}{changes}")
    except (LookupError, TypeError, ValueError) as error:
        raise argparse.ArgumentTypeError(words(error)) from error
    return text
