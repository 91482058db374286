"""`zoo.train`: from a network, images and a recipe to a trained network and the files it is kept in."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.data.dataset import Data
from zoo.errors import InvalidOption, shown
from zoo.lazy import classifier, torch
from zoo.shell import Interrupted
from zoo.training.averaging import folded_norms, restore_statistics
from zoo.training.checkpoints import restore
from zoo.training.evaluation import Evaluation, TrainingFailed, evaluate, held_out
from zoo.training.fitting import is_out_of_memory, largest_batch
from zoo.training.folder import Folder, Plan
from zoo.training.forecast import Forecast
from zoo.training.loop import Epoch, Progress, Run, Stopped
from zoo.training.recipes import Recipe, recipe, recipes
from zoo.training.start import give_classes, input_for, take_input
from zoo.training.stopping import stop_requests

if TYPE_CHECKING:
    import pandas as pd

    from zoo.classifier import Classifier

__all__ = ["Training", "train"]

LARGEST = 2**31 - 1  # of a seed


def _silent(line: str) -> None:
    """Takes a note of what happens, and tells nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """A finished training.

    Args:
        curve: one point an epoch.
        evaluation: the answers of the network that was kept to the test images; where there are none, to the images
            that chose the epoch.
        judged_on: "test" or "val": which they are.
        chose_epoch: whether these very images also chose the epoch, so that the figure is a little too good.
        images_seen: images trained on, each as often as it was.
        seconds: spent training, without the tests between the epochs.
        output_dir: the folder of the files; None if none were asked for.
    """

    curve: tuple[Epoch, ...]
    evaluation: Evaluation
    judged_on: str
    chose_epoch: bool
    images_seen: int
    seconds: float
    output_dir: Path | None = None

    @property
    def best(self) -> Path | None:
        """The file of the network that was kept."""
        return None if self.output_dir is None else self.output_dir / "best.safetensors"

    @property
    def history(self) -> pd.DataFrame:
        """The learning curve, a row an epoch."""
        import pandas as pd

        frame = pd.DataFrame([dataclasses.asdict(epoch) for epoch in self.curve])
        frame.insert(0, "epoch", range(1, len(frame) + 1))
        return frame


def train(
    model: Classifier,
    data: Data,
    recipe_or_name: Recipe | str = "finetune",
    *,
    seed: int = 0,
    output_dir: str | os.PathLike[str] | None = None,
    fresh: bool = False,
    precision: str = "fp32",
    workers: int | None = None,
    command: str = "",
    weights: str = "",
    on_progress: Callable[[Progress], None] | None = None,
    on_note: Callable[[str], None] = _silent,
) -> Training:
    """Trains a network in place and tests it after every epoch; equal seeds give equal weights on one machine.

    With a folder, everything needed to go on is kept in it: the same call again goes on where the last one ended,
    however that was, and does nothing where it had come to its end. Asked to end by a signal, it writes down where it
    is and raises `KeyboardInterrupt`.

    Args:
        model: a network of the zoo; where its classes are not those of the data it gets a new classifier, and where the
            data or the recipe wants another size of images, that.
        data: from `zoo.open_data`; its val images choose the epoch, its test images are looked at once, at the end.
        recipe_or_name: see `zoo.recipes`.
        seed: of the order of the images, their changes and dropout; the weights are the caller's.
        output_dir: where config.json, summary.csv, last.ckpt, best.safetensors, the learning curve and, with
            TensorBoard installed, its events go.
        fresh: start anew in a folder beside the one there is.
        precision: "fp32", or "bf16" or "fp16" for mixed precision.
        workers: processes that read images; None for as many as suit the machine.
        command: that goes on, for the record.
        weights: what the network started from, for the record.
        on_progress: told after every step.
        on_note: told what a person should know, a line each.

    Raises:
        DataError: there is nothing to train on or to choose by, or the folder holds another training.
        TrainingFailed: the loss is no longer finite, or there is no memory for a batch.
    """
    _check(model, data, recipe_or_name, seed, output_dir, workers)
    chosen = recipe_or_name if isinstance(recipe_or_name, Recipe) else recipe(recipe_or_name, model.spec)
    data, new = give_classes(model, data, trained=False)
    if new:
        on_note(f"new classifier for {len(data.class_names)} classes")
    take_input(model, input_for(model.spec, data, chosen, scratch=False))
    wanted = data.img_size or chosen.img_size or model.spec.input.size
    if wanted < model.spec.input.min_size:
        on_note(f"{model.spec.label} takes no images below {model.spec.input.min_size} pixels, so they have that size")
    plan = Plan.of(model, data, chosen, seed=seed, precision=precision, weights=weights, command=command)
    folder = Folder.open(Path(output_dir), plan, fresh=fresh) if output_dir is not None else None
    try:
        trained = bool(weights) or chosen.head_only or chosen.head_epochs > 0  # new networks have such norms too
        return _train(model, data, chosen, folder, seed, precision, workers, trained, on_progress, on_note)
    finally:
        if folder is not None:
            folder.close()


def _check(model: object, data: object, named: object, seed: object, output_dir: object, workers: object) -> None:
    """Raises `TypeError` or `InvalidOption` for arguments of another kind than `train` takes."""
    if not isinstance(model, classifier.Classifier):
        raise TypeError(f"zoo.train trains a network of the zoo; got {shown(model)}")
    if not isinstance(data, Data):
        raise TypeError(f"data is what zoo.open_data gives; got {shown(data)}")
    if not isinstance(named, (Recipe, str)):
        raise TypeError(f"a recipe is a zoo.Recipe or one of {', '.join(recipes())}; got {shown(named)}")
    if output_dir is not None and not isinstance(output_dir, (str, os.PathLike)):
        raise TypeError(f"output_dir is a path or None; got {shown(output_dir)}")
    for name, value in (("seed", seed), ("workers", 0 if workers is None else workers)):
        if classifier.check_count(name, value, at_least=0) > LARGEST:
            raise InvalidOption(f"{name} is at most {LARGEST:,}; got {shown(value)}")


def _train(
    model: Classifier,
    data: Data,
    chosen: Recipe,
    folder: Folder | None,
    seed: int,
    precision: str,
    workers: int | None,
    trained: bool,
    on_progress: Callable[[Progress], None] | None,
    on_note: Callable[[str], None],
) -> Training:
    with torch.random.fork_rng(), stop_requests() as wish:

        def told(progress: Progress) -> None:
            if on_progress is not None:
                on_progress(progress)
            if wish.number:
                raise Stopped
            if folder is not None and not progress.testing:
                folder.step_done(run)

        torch.manual_seed(seed)  # dropout draws from the global generator
        run = Run(
            model, data, chosen, seed=seed, precision=precision,
            workers=_workers(data) if workers is None else workers, on_progress=told,
            improved=folder.improved if folder is not None else None,
        )  # fmt: skip
        try:
            if folder is not None and folder.state is not None:
                restore(run, folder.state)
                folder.went_on(run)
            elif trained and folded_norms(model) and not chosen.freeze_bn:
                on_note(
                    "the statistics of its batch norms are folded away (mean 0, variance 1): they are estimated anew "
                    "on the training images, which changes no answer; --freeze-bn leaves them as they are"
                )
                restore_statistics(model, run.batches.epoch(0, torch.arange(run.count)))
                run.restart()
            if folder is not None:
                on_note(folder.first_line(run))
                forecast = Forecast.of(run)
                run.left_s = partial(forecast.left_s, run)
                on_note(forecast.text)
            while not run.finished:
                run.epoch()
                if folder is not None:
                    folder.epoch_done(run)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            fits = largest_batch(run)
            hint = f"a batch_size of {fits} fits" if fits else "a smaller img_size may fit"
            raise TrainingFailed(f"out of memory with batches of {chosen.batch_size}; {hint}") from error
        except Stopped:
            if folder is not None:
                folder.save(run)
                on_note(
                    f"stopped at step {run.position.step} of epoch {run.position.epoch + 1}; the same command goes on"
                )
            raise Interrupted(wish.number) from None
        finally:
            run.batches.close()
        evaluation = _kept(run, data, folder)
    training = Training(
        curve=tuple(run.curve),
        evaluation=evaluation,
        judged_on="val" if data.test is None else "test",
        chose_epoch=chosen.keep == "best" and held_out(data) is run.watched,
        images_seen=run.count * len(run.curve),
        seconds=sum(epoch.seconds for epoch in run.curve),
        output_dir=None if folder is None else folder.path,
    )
    if folder is not None:
        folder.finished(run, training.judged_on, evaluation)
    return training


def _kept(run: Run, data: Data, folder: Folder | None) -> Evaluation:
    """Puts the weights that are the result into the network, and has it judged."""
    if run.recipe.keep == "best":
        if folder is not None:
            folder.load_best(run.model)
        elif run.best_weights:
            run.model.load_state_dict(run.best_weights)
    judges = held_out(data)
    last = run.evaluation if run.recipe.keep == "last" and judges is run.watched else None
    if last is not None and (folder is None or run.precision == "fp32"):
        return last
    return evaluate(run.model, judges, precision="fp32" if folder is not None else run.precision)


def _workers(data: Data) -> int:
    """Processes that read images beside the one that trains: half of the processors, at most 8."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(8, max(1, processors // 2))
