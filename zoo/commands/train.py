"""`zoo train`: a network for somebody's own images, from scratch or from trained weights."""

from __future__ import annotations

import argparse
import dataclasses
import shlex
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

import zoo
from zoo.commands.words import percent, split_of, training_of, typed_data
from zoo.data.reduced import CACHE_GB
from zoo.errors import InvalidOption
from zoo.printing import printable
from zoo.training.processes import report
from zoo.training.recipes import PAPER, RECIPES, Recipe, recipe

if TYPE_CHECKING:
    from zoo.data.dataset import Data
    from zoo.training.course import Progress

__all__ = ["add_arguments", "run"]

FLAGS = (
    "epochs", "batch_size", "img_size", "lr", "opt", "weight_decay", "momentum", "sched", "label_smoothing", "mixup",
    "cutmix", "auto_augment", "color_jitter", "reprob", "model_ema", "model_ema_decay", "clip_grad",
    "grad_accum_steps", "dropout", "patience", "class_weights", "freeze_bn",
)  # fmt: skip
EVERY_S = 30.0  # a line without a terminal


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", metavar="NAME", help="which model; a file that zoo.save_weights wrote says it")
    parser.add_argument("--data", required=True, metavar="DATA", help="a folder of images, or the name of a data set")
    parser.add_argument("--data-dir", default="", metavar="DIR", help="where a named data set lies")
    parser.add_argument("--weights", metavar="SOURCE", help="to start from: imagenet, imagenet:TAG or a file")
    names = ", ".join([*RECIPES, PAPER])
    parser.add_argument("--recipe", metavar="NAME", help=f"{names}; default finetune with weights, else scratch")
    parser.add_argument("--output-dir", type=Path, metavar="DIR", help="default runs/<model>-<data>")
    parser.add_argument("--fresh", action="store_true", help="start anew, in a folder beside the one there is")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of weights, order and dropout (0)")
    parser.add_argument("--device", default="auto", metavar="DEVICE", help="auto, cpu, cuda, cuda:N or mps")
    parser.add_argument("--num-threads", type=int, metavar="N", help="that compute; default all")
    parser.add_argument("--workers", type=int, metavar="N", help="processes that read images; default half the cores")
    parser.add_argument(
        "--cache-gb", type=float, default=CACHE_GB, metavar="GB",
        help="decoded photographs to keep for later epochs, see zoo cache (%(default)g; 0: none)",
    )  # fmt: skip
    parser.add_argument("--precision", default="fp32", choices=("fp32", "bf16", "fp16"), help="bf16 and fp16: mixed")
    parser.add_argument("--compile", action="store_true", help="let torch.compile make the steps")
    for name in ("mean", "std"):
        parser.add_argument(
            f"--{name}", type=float, nargs="+", metavar="X",
            help="of pixels from 0 to 1, by which images are normalized; default the network's",
        )  # fmt: skip
    parser.add_argument("--sync-bn", action="store_true", help="norms see the images of all processes (CUDA)")
    parser.add_argument("--save-minutes", type=float, default=10.0, metavar="M", help="a checkpoint so often (10)")
    parser.add_argument("--save-steps", type=int, default=0, metavar="N", help="a checkpoint every so many steps, too")
    split = parser.add_argument_group("how a folder without train and val comes apart")
    split.add_argument("--val-fraction", type=float, default=0.2, metavar="X", help="of the images (0.2)")
    split.add_argument("--split-seed", type=int, default=0, metavar="N", help="another draw (0)")
    split.add_argument(
        "--group", metavar="RULE", help="keeps pictures together: folder, a .csv, or a regular expression"
    )
    how = parser.add_argument_group("the recipe, where it is to be another")
    meanings, kinds = _meanings(), get_type_hints(Recipe)
    for name in FLAGS:
        flag, text = f"--{name.replace('_', '-')}", meanings.get(name, "").replace("%", "%%")
        if kinds[name] is bool:
            how.add_argument(flag, dest=f"recipe_{name}", action=argparse.BooleanOptionalAction, help=text)
        else:
            how.add_argument(flag, dest=f"recipe_{name}", metavar="X", help=text)
    how.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="any other field of zoo.Recipe")


def run(given: argparse.Namespace) -> int:
    from zoo.data.likeness import with_look_alikes
    from zoo.training.devices import keep_freed_memory, named_device
    from zoo.training.evaluation import TrainingFailed
    from zoo.training.folder import Finished, folder_name
    from zoo.training.processes import team
    from zoo.training.start import pretrained, untrained
    from zoo.training.train import train

    if given.model is None and (given.weights is None or given.weights.partition(":")[0] == "imagenet"):
        raise zoo.WeightsError("name a model with --model, or a file of this zoo's own with --weights")
    with warnings.catch_warnings():
        warnings.filterwarnings("always", module=r"zoo\.")
        crew = team()
        say = _say if crew.leads else _nothing
        warnings.showwarning = lambda message, *_, **__: say(str(message))
        keep_freed_memory(lean=True)
        data = typed_data(given)
        data = with_look_alikes(data) if crew.leads else data
        for note in (*data.notes, *_seen_before(given, data)):
            say(note)
        spec = zoo.spec(given.model) if given.model is not None else zoo.load(given.weights, device="meta").spec
        chosen = _recipe(given, spec)
        device = named_device(given.device, crew)
        if given.num_threads:
            import torch

            torch.set_num_threads(given.num_threads)
        weights = given.weights or ""
        if weights:
            model, data, notes = pretrained(given.model, weights, data, chosen, seed=given.seed, device=device)
            for note in notes:
                say(note)
        else:
            model = untrained(spec, data, chosen, seed=given.seed, device=device)
        path = given.output_dir or Path("runs") / folder_name(spec.label, data.name)
        say(_step_line(chosen, crew.size))
        shown = _Shown()
        try:
            training = train(
                model, data, chosen, seed=given.seed, mean=given.mean, std=given.std, output_dir=path,
                fresh=given.fresh, precision=given.precision, workers=given.workers, cache_gb=given.cache_gb,
                weights=weights, command=_command(), compile=given.compile, sync_bn=given.sync_bn,
                save_minutes=given.save_minutes, save_steps=given.save_steps,
                on_progress=shown if crew.leads else None, on_note=say,
            )  # fmt: skip
        except Finished as finished:
            part = finished.result["judged_on"]
            say(f"{finished.path} is finished: {percent(finished.result[part])} on {part}; more --epochs goes on")
            return 0
        except TrainingFailed as error:
            report(error, f"zoo train: {printable(str(error))}; {path} keeps the last good checkpoint")
            return 1
        finally:
            shown.close()
    if not crew.leads:
        return 0
    evaluation = training.evaluation
    chose = " (the images that chose the epoch)" if training.chose_epoch else ""
    print(f"{evaluation.top1:.2f} % of {evaluation.images:,} images right on {training.judged_on}{chose}")
    print(f"python -m zoo predict --weights {shlex.quote(str(training.best))} IMAGE...")
    return 0


def _seen_before(given: argparse.Namespace, data: Data) -> list[str]:
    """How many of the held-out images a file was trained on that was trained on this folder, split in another way."""
    trained_on = training_of(given.weights).get("data", {})
    held = data.test or data.val
    if not data.split or held is None or trained_on.get("name") != data.name:
        return []
    before = typed_data(given, **split_of(trained_on)).train
    if before is None:
        return []
    known = {before.name(position) for position in range(len(before.labels))}
    count = sum(held.name(position) in known for position in range(len(held.labels)))
    how = "; what it answers to them says little, the --split-seed of then keeps them apart" if count else ""
    return [f"{given.weights} was trained on {count:,} of the {len(held.labels):,} images that are held out now{how}"]


def _recipe(given: argparse.Namespace, spec: zoo.ModelSpec) -> Recipe:
    """The recipe that is named, or the usual one, with what the command line changes."""
    name = given.recipe or ("finetune" if given.weights else "scratch")
    pairs = [f"{field}={value}" for field in FLAGS if (value := getattr(given, f"recipe_{field}")) is not None]
    pairs = [pair.replace("=True", "=true").replace("=False", "=false") for pair in pairs] + given.set
    base = recipe(name, spec)
    if given.recipe_lr is not None and (given.recipe_opt or base.opt) == "layerwise":
        raise InvalidOption(
            f"recipe {name} gives each tensor a rate of its own; --opt adamw or --opt sgd takes --lr, or --set "
            "normalized_step=X makes it larger or smaller"
        )
    return recipe(name + (":" if ":" not in name else ",") + ",".join(pairs), spec) if pairs else base


def _meanings() -> dict[str, str]:
    """What each field of a recipe means, as its documentation says; empty where Python leaves that out."""
    found: dict[str, str] = {}
    names: Sequence[str] = ()
    for line in (Recipe.__doc__ or "").partition("Args:\n")[2].splitlines():
        head, colon, rest = line.strip().partition(": ")
        parts = [part.strip() for part in head.split(",")]
        if colon and all(part in {field.name for field in dataclasses.fields(Recipe)} for part in parts):
            names = parts
            found |= dict.fromkeys(names, rest)
        elif line.strip():
            found |= {name: f"{found[name]} {line.strip()}" for name in names}
    return {name: text.replace("`", "") for name, text in found.items()}


def _step_line(chosen: Recipe, processes: int) -> str:
    a_step = chosen.batch_size * processes * chosen.grad_accum_steps
    rate = "rates relative to the weights" if chosen.opt == "layerwise" else f"rate {chosen.lr:g}"
    many = f"{processes} process{'es' if processes > 1 else ''}"
    return f"{a_step} images a step = {chosen.batch_size} x {many} x {chosen.grad_accum_steps} accumulation, {rate}"


def _command() -> str:
    return shlex.join(["python", "-m", "zoo", *sys.argv[1:]])


def _say(text: str) -> None:
    print(f"zoo train: {printable(text)}", file=sys.stderr, flush=True)


def _nothing(text: str) -> None:
    """The leading process says it."""


class _Shown:
    """A bar in a terminal, else a line each half minute."""

    def __init__(self) -> None:
        self._last = time.monotonic()
        self._bar: Any = None
        self._before: tuple[float, int] | None = None
        self._speed = 0.0

    def _start(self) -> None:
        """Draws the bar, below all that was said before the first step."""
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        self._bar = Progress(TextColumn("{task.description}"), BarColumn(None), console=Console(stderr=True))
        self._bar.start()
        self._task = self._bar.add_task("", total=None)

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if self._bar is None and sys.stderr.isatty():
            self._start()
        if self._before is None or progress.done < self._before[1]:
            self._before = (now, progress.done)
        elif progress.done > self._before[1] and now - self._before[0] > 1:
            self._speed = (progress.done - self._before[1]) / (now - self._before[0])
            self._before = (now, progress.done)
        if self._bar is not None:
            self._bar.update(
                self._task, description=self._text(progress), completed=progress.done, total=progress.total
            )
        elif now - self._last > EVERY_S:
            self._last = now
            _say(self._text(progress))

    def _text(self, progress: Progress) -> str:
        from zoo.training.forecast import duration

        parts = [f"epoch {progress.epoch} of {progress.epochs}"]
        if progress.testing:
            parts.append("testing")
        else:
            parts.append(f"loss {progress.loss:.3f}")
            if progress.accuracy is not None:
                parts.append(f"{progress.accuracy:.1%}")
            if self._speed:
                parts.append(f"{self._speed:,.0f} images/s")
        if progress.left_s is not None:
            parts.append(f"{duration(progress.left_s)} left")
        return ", ".join(parts)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.stop()
