"""`zoo.train`: from a network, images and a recipe to a trained network and the files it is kept in."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.data.dataset import Data
from zoo.data.reduced import CACHE_GB, reduced
from zoo.errors import DataError, InvalidOption, shown
from zoo.lazy import classifier, torch
from zoo.shell import Interrupted
from zoo.training.averaging import folded_norms, restore_statistics
from zoo.training.batches import needed_side, seed_of
from zoo.training.checkpoints import restore, state_of
from zoo.training.course import Epoch, Progress, Stopped
from zoo.training.devices import random_states
from zoo.training.evaluation import Evaluation, TrainingFailed, evaluate, held_out
from zoo.training.fitting import is_out_of_memory, largest_batch
from zoo.training.folder import Folder, Plan, differences, open_together
from zoo.training.forecast import Forecast
from zoo.training.loop import Run
from zoo.training.normalizing import looked_at, normalized_by, remark
from zoo.training.norms import synchronized
from zoo.training.processes import PeerLost, Team, team
from zoo.training.recipes import Recipe, recipe, recipes
from zoo.training.start import give_classes, input_for, take_input
from zoo.training.stopping import stop_requests
from zoo.training.way import Way
from zoo.training.workers import limited, usual

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
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    output_dir: str | os.PathLike[str] | None = None,
    fresh: bool = False,
    precision: str = "fp32",
    workers: int | None = None,
    cache_gb: float = CACHE_GB,
    compile: bool = False,
    sync_bn: bool = False,
    save_minutes: float = 10.0,
    save_steps: int = 0,
    command: str = "",
    weights: str = "",
    on_progress: Callable[[Progress], None] | None = None,
    on_note: Callable[[str], None] = _silent,
) -> Training:
    """Trains a network in place and tests it after every epoch; equal seeds give equal weights on one machine.

    With a folder, everything needed to go on is kept in it: the same call again goes on where the last one ended,
    however that was, and does nothing where it had come to its end. Asked to end by a signal, it writes down where it
    is and raises `KeyboardInterrupt`. Several processes, as torchrun starts them, train one network together, with
    batches of the recipe's size in each; a checkpoint may be gone on from by another number of them.

    Args:
        model: a network of the zoo; where its classes are not those of the data it gets a new classifier, and where the
            data or the recipe wants another size of images, that.
        data: from `zoo.open_data`; its val images choose the epoch, its test images are looked at once, at the end.
        recipe_or_name: see `zoo.recipes`.
        seed: of the order of the images, their changes and dropout; the weights are the caller's.
        mean, std: that images are normalized by, of pixels scaled to [0, 1]; a value a channel, or one for all. None
            for the network's own, which trained weights want. The file that is kept says them.
        output_dir: where config.json, summary.csv, last.ckpt, best.safetensors, the learning curve and, with
            TensorBoard installed, its events go.
        fresh: start anew in a folder beside the one there is.
        precision: "fp32", or "bf16" or "fp16" for mixed precision.
        workers: processes that read images, for each that trains; None for as many as suit the machine.
        cache_gb: gigabytes of decoded photographs that are kept on this machine, from which later epochs and trainings
            read; what does not fit is decoded each time. 0 for none; the weights are the same with any number.
        compile: let `torch.compile` make the steps.
        sync_bn: norms take the statistics of all processes' images, on CUDA.
        save_minutes, save_steps: a checkpoint at least so often, besides that behind every epoch.
        command: that goes on, for the record.
        weights: what the network started from, for the record.
        on_progress: told after every step.
        on_note: told what a person should know, a line each.

    Raises:
        DataError: there is nothing to train on or to choose by, or the folder holds another training.
        TrainingFailed: the loss is no longer finite, or there is no memory for a batch.
    """
    _check(model, data, recipe_or_name, seed, output_dir, workers, cache_gb)
    chosen = recipe_or_name if isinstance(recipe_or_name, Recipe) else recipe(recipe_or_name, model.spec)
    data, new = give_classes(model, data, trained=False)
    if new:
        on_note(f"new classifier for {len(data.class_names)} classes")
    trained = bool(weights) or chosen.head_only or chosen.head_epochs > 0  # new networks too may have folded norms
    images, line = normalized_by(input_for(model.spec, data, chosen, scratch=False), model.in_channels, mean, std)
    take_input(model, images)
    if line and trained:
        on_note(line)
    wanted = data.img_size or chosen.img_size or model.spec.input.size
    if wanted < model.spec.input.min_size:
        on_note(f"{model.spec.label} takes no images below {model.spec.input.min_size} pixels, so they have that size")
    way = Way(precision=precision, compiled=compile, sync_bn=sync_bn, save_minutes=save_minutes, save_steps=save_steps)
    plan, crew = Plan.of(model, data, chosen, seed=seed, way=way, weights=weights, command=command), team()
    _check_alike(plan, crew)
    folder = open_together(Path(output_dir), plan, crew, fresh=fresh) if output_dir is not None else None
    synced = sync_bn and crew.size > 1 and next(model.parameters()).is_cuda
    if sync_bn and not synced:
        on_note("norms are synchronised between several processes on CUDA; here each takes its own images' statistics")
    try:
        side = needed_side(model.spec.input, chosen)
        small, notes = reduced(data, side, model.spec.input.interpolation, cache_gb=cache_gb)
        data = dataclasses.replace(data, train=small)
        for note in notes:
            on_note(note)
        with synchronized(model) if synced else nullcontext():
            return _train(model, data, chosen, folder, seed, way, workers, trained, on_progress, on_note)
    finally:
        if folder is not None:
            folder.close()


def _check(
    model: object, data: object, named: object, seed: object, output_dir: object, workers: object, cache_gb: object
) -> None:
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
    if not isinstance(cache_gb, Real) or isinstance(cache_gb, bool) or not 0 <= float(cache_gb) < math.inf:
        raise InvalidOption(f"cache_gb takes a number of gigabytes from 0 on; got {shown(cache_gb)}")


def _check_alike(plan: Plan, crew: Team) -> None:
    """Raises `DataError` where the processes of a team are about to train different things."""
    for rank, other in enumerate(crew.gathered(plan.identity)):
        if differs := differences(crew.shared(plan.identity), other):
            raise DataError(f"process {rank} differs from process 0 in {', '.join(differs[:3])}; all need the same")


def _train(
    model: Classifier,
    data: Data,
    chosen: Recipe,
    folder: Folder | None,
    seed: int,
    way: Way,
    workers: int | None,
    trained: bool,
    on_progress: Callable[[Progress], None] | None,
    on_note: Callable[[str], None],
) -> Training:
    crew = team()
    with torch.random.fork_rng(), stop_requests(alone=crew.size == 1) as wish:

        def told(progress: Progress) -> None:
            if on_progress is not None:
                on_progress(progress)
            due = folder is not None and not progress.testing and folder.due(way)
            number, anyones = crew.largest(wish.number, due)
            if number:
                wish.number = int(number)
                raise Stopped
            if anyones:
                save()

        def save() -> None:
            if folder is not None:
                folder.save(state_of(run, crew.gathered(random_states())))

        # dropout draws from the global generator, in each process other numbers
        torch.manual_seed(seed if crew.leads else seed_of(seed, crew.rank))
        run = Run(
            model, data, chosen, seed=seed, precision=way.precision, compiled=way.compiled,
            workers=_workers(model, chosen, workers, crew, on_note), on_progress=told,
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
            if folder is None or folder.state is None:
                line = remark(run.batches.here(looked_at(run.count)).images)
                if line:
                    on_note(line)
            if folder is not None:
                on_note(folder.first_line(run))
                if crew.leads:
                    forecast = Forecast.of(run)
                    run.left_s = partial(forecast.left_s, run)
                    on_note(forecast.text)
            while not run.finished:
                run.epoch()
                if folder is not None:
                    folder.epoch_done(run)
                    save()
        except (RuntimeError, MemoryError) as error:
            if isinstance(error, PeerLost) or not is_out_of_memory(error):
                raise
            if crew.size > 1:  # the others cannot be asked to try
                raise TrainingFailed(f"out of memory with batches of {chosen.batch_size}; try half of it") from error
            fits = largest_batch(run)
            hint = f"a batch_size of {fits} fits" if fits else "a smaller img_size may fit"
            raise TrainingFailed(f"out of memory with batches of {chosen.batch_size}; {hint}") from error
        except Stopped:
            if folder is not None:
                save()
                crew.totals(0)  # the others leave when it is written, lest their end takes the leading one along
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
            run.team.align(run.model.state_dict().values())
        elif run.best_weights:
            run.model.load_state_dict(run.best_weights)
    judges = held_out(data)
    last = run.evaluation if run.recipe.keep == "last" and judges is run.watched else None
    if last is not None and (folder is None or run.precision == "fp32"):
        return last
    return evaluate(run.model, judges, precision="fp32" if folder is not None else run.precision)


def _workers(model: Classifier, chosen: Recipe, wanted: int | None, crew: Team, on_note: Callable[[str], None]) -> int:
    """Processes that read images beside each that trains."""
    side = model.spec.input.size
    number, line = limited(
        usual(crew.local_size) if wanted is None else wanted,
        images=chosen.batch_size,
        image_bytes=model.in_channels * side * side,
        processes=crew.local_size,
    )
    if line:
        on_note(line)
    return number
