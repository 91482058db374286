"""The folder of a training: what it is, how far it is, what it found.

config.json        model, classes in order, input, recipe, data, versions, command; at the end the result
summary.csv        a row an epoch
curves.png         the same as a picture
events.out.tfevents*   the same for TensorBoard, where that is installed
last.ckpt          everything needed to go on, to the bit
best.safetensors   the network that is kept; `zoo.load` needs nothing else
"""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.data.dataset import Data
from zoo.errors import DataError, shown
from zoo.lazy import torch
from zoo.partial import replacing
from zoo.training.checkpoints import read_checkpoint, write_checkpoint
from zoo.training.recipes import Recipe
from zoo.weights.saving import save_weights
from zoo.weights.sources import open_file

if TYPE_CHECKING:
    from zoo.classifier import Classifier
    from zoo.training.evaluation import Evaluation
    from zoo.training.loop import Run
    from zoo.training.processes import Team
    from zoo.training.way import Way

__all__ = ["BEST", "CONFIG", "Finished", "Folder", "Plan", "differences", "folder_name", "open_together"]

CONFIG, SUMMARY, BEST, CURVES = "config.json", "summary.csv", "best.safetensors", "curves.png"
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # names that Windows keeps for itself
COLUMNS = ("epoch", "train_loss", "train_top1", "val_loss", "val_top1", "ema_top1", "lr", "seconds")


class Finished(Exception):
    """The folder holds this very training, complete; `result` is what it found."""

    def __init__(self, path: Path, result: Mapping[str, Any]) -> None:
        super().__init__(path, result)
        self.path, self.result = path, result


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What tells a training from others, and what else is written down of it.

    Args:
        identity: whatever differs makes another training of it.
        about: what may differ between two calls of one training.
    """

    identity: dict[str, Any]
    about: dict[str, Any]

    @classmethod
    def of(
        cls, model: Classifier, data: Data, recipe: Recipe, *, seed: int, way: Way, weights: str, command: str
    ) -> Plan:
        identity = {
            "model": model.spec.label,
            "weights": weights,
            "classes": list(data.class_names),
            "input": dataclasses.asdict(model.spec.input),
            "recipe": dataclasses.asdict(recipe),
            "seed": seed,
            **way.identity,
            "data": {"name": data.name, "fingerprint": data.fingerprint, "split": dict(data.split)},
        }
        about = {
            "command": command,
            "torch": str(torch.__version__),
            "threads": torch.get_num_threads(),
            "notes": list(data.notes),
        }
        return cls(identity=json.loads(json.dumps(identity)), about=about)


class Folder:
    """The files of a training while it runs; no other process writes them meanwhile."""

    def __init__(self, path: Path, plan: Plan, state: dict[str, Any] | None, lock: Any = None) -> None:
        self.path, self.plan, self.state = path, plan, state
        self._lock, self._saved, self._steps = lock, time.monotonic(), 0
        self._events: Any = None

    @classmethod
    def open(cls, path: Path, plan: Plan, *, fresh: bool = False) -> Folder:
        """A new folder, or one that holds this training.

        Raises:
            Finished: it has come to its end.
            DataError: the folder holds something else, another process trains in it, or it cannot be written.
        """
        if fresh:
            path = _beside(path, again=int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) > 0)
        try:
            path.mkdir(parents=True, exist_ok=True)
            lock = _locked(path)
        except OSError as error:
            raise DataError(
                f"{path} cannot be written: {error.strerror or error}; name another with --output-dir"
            ) from error
        try:
            state = _resumable(path, plan)
            return cls(path, plan, state, lock)
        except BaseException:
            lock.release()
            raise

    def close(self) -> None:
        """Lets other processes in."""
        if self._events is not None:
            self._events.close()
        self._lock.release()
        Path(self._lock.lock_file).unlink(missing_ok=True)

    # --- while it runs ------------------------------------------------------------------------------------------------

    def first_line(self, run: Run) -> str:
        """Whether it is new or goes on, and where."""
        if self.state is None:
            self._write_config()
            return f"new training in {self.path}"
        before = (self.state or {}).get("processes", run.team.size)
        others = f", with {run.team.size} processes instead of {before}" if before != run.team.size else ""
        total = run.recipe.epochs * run.steps_an_epoch
        return f"goes on in {self.path} at step {run.steps_done:,} of {total:,}{others}"

    def went_on(self, run: Run) -> None:
        """After a checkpoint was put back: a training that was complete may have been given more epochs."""
        if run.position.epoch < run.recipe.epochs:
            run.position.stopped = False
        self._write_config()

    def improved(self, model: Classifier) -> None:
        """Writes the network that is now the best."""
        auxiliary, model.auxiliary = model.auxiliary, torch.nn.ModuleDict()
        try:
            save_weights(model, self.path / BEST, training=self._provenance())
        finally:
            model.auxiliary = auxiliary

    def due(self, way: Way) -> bool:
        """After a step: whether the last checkpoint is so old that the next is to be written."""
        self._steps += 1
        old = time.monotonic() - self._saved >= 60 * way.save_minutes
        return old or bool(way.save_steps and self._steps >= way.save_steps)

    def epoch_done(self, run: Run) -> None:
        """Writes the curve; a checkpoint is to follow, and after a kill between the two the epoch is done again."""
        self._write_summary(run)
        self._write_events(run)

    def save(self, state: Mapping[str, Any]) -> None:
        """Writes a checkpoint; see `zoo.training.checkpoints.state_of`."""
        write_checkpoint(state, self.path)
        self._saved, self._steps = time.monotonic(), 0

    def finished(self, run: Run, judged_on: str, evaluation: Evaluation) -> None:
        """Writes the result and draws the curve."""
        from zoo.training.curves import draw

        result = {"judged_on": judged_on, **run.best_state, "epochs": len(run.curve), judged_on: evaluation.figures}
        self._write_config(result)
        draw(
            run.curve,
            run.best_state,
            self.path / CURVES,
            f"{self.plan.identity['model']} on {self.plan.identity['data']['name']}",
        )

    def load_best(self, model: Classifier) -> None:
        """The weights that were kept, into the network."""
        from zoo.weights.loading import recognise, write

        auxiliary, model.auxiliary = model.auxiliary, torch.nn.ModuleDict()
        try:
            write(model, recognise(model, open_file(self.path / BEST)))
        finally:
            model.auxiliary = auxiliary

    # --- files --------------------------------------------------------------------------------------------------------

    def _provenance(self) -> dict[str, Any]:
        return {key: self.plan.identity[key] for key in ("data", "recipe", "seed", "weights")}

    def _write_config(self, result: Mapping[str, Any] | None = None) -> None:
        text = json.dumps({**self.plan.identity, **self.plan.about, "result": result}, indent=1, ensure_ascii=False)
        with replacing(self.path / CONFIG) as partial:
            partial.write_text(text + "\n", encoding="utf-8")

    def _write_summary(self, run: Run) -> None:
        with replacing(self.path / SUMMARY) as partial, partial.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            for number, each in enumerate(run.curve, start=1):
                values = (each.loss, each.train_accuracy, each.val_loss, each.val_accuracy, each.ema_accuracy, each.lr)
                writer.writerow(
                    [number, *("" if value is None else repr(value) for value in values), f"{each.seconds:.3f}"]
                )

    def _write_events(self, run: Run) -> None:
        """For TensorBoard, where it is installed; epochs that an earlier call wrote after its last checkpoint go."""
        if self._events is None:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError:
                return
            self._events = SummaryWriter(str(self.path), purge_step=len(run.curve))
        epoch, number = run.curve[-1], len(run.curve)
        for name in ("loss", "train_accuracy", "val_loss", "val_accuracy", "ema_accuracy", "lr"):
            value = getattr(epoch, name)
            if value is not None:
                self._events.add_scalar(name, value, number)
        self._events.flush()


class Onlooker(Folder):
    """The folder in a process that does not lead: it knows what was read, and writes nothing."""

    def close(self) -> None:
        """Nothing is held."""

    def improved(self, model: Classifier) -> None:
        """The leading process has the same network, and writes it."""

    def due(self, way: Way) -> bool:
        """The leading process says when."""
        return False

    def epoch_done(self, run: Run) -> None:
        """The leading process has the same curve."""

    def save(self, state: Mapping[str, Any]) -> None:
        """The leading process has the same state."""

    def finished(self, run: Run, judged_on: str, evaluation: Evaluation) -> None:
        """The leading process has the same result."""

    def load_best(self, model: Classifier) -> None:
        """The leading process hands it over."""

    def _write_config(self, result: Mapping[str, Any] | None = None) -> None:
        """The leading process has the same plan."""


def open_together(path: Path, plan: Plan, crew: Team, *, fresh: bool) -> Folder:
    """`Folder.open` in the leading process of a team; the others get to know what it found.

    Raises:
        DataError, Finished: in all of them.
    """
    folder, found = None, None
    if crew.leads:
        try:
            folder = Folder.open(path, plan, fresh=fresh)
            found = (folder.path, folder.state)
        except (DataError, Finished) as error:
            if crew.size == 1:
                raise
            found = error
    answer: Any = crew.shared(found)
    if isinstance(answer, Exception):
        raise answer
    return folder if folder is not None else Onlooker(answer[0], plan, answer[1])


def folder_name(model: str, data: str) -> str:
    """A name for the folder of a training that is one on every system."""
    parts = [re.sub(r"[^\w.=+-]+", "_", part).strip("._-") for part in (model, data)]
    name = "-".join(filter(None, parts))[:120].rstrip("._-") or "training"
    return f"_{name}" if RESERVED.fullmatch(name) else name


def _resumable(path: Path, plan: Plan) -> dict[str, Any] | None:
    """The checkpoint of this very training; None in an empty folder."""
    config = path / CONFIG
    if not config.exists():
        strangers = sorted(entry.name for entry in path.iterdir() if not entry.name.startswith("."))
        if strangers:
            raise DataError(f"{path} holds {strangers[0]!r} and no training; name an empty folder with --output-dir")
        return None
    try:
        written = json.loads(config.read_text(encoding="utf-8"))
        before = {key: written[key] for key in plan.identity}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{config} cannot be read: {error!r:.80}; --fresh starts anew beside it") from error
    result = written.get("result")
    differs = differences(before, plan.identity)
    longer = differs == ["recipe.epochs"] and plan.identity["recipe"]["epochs"] > before["recipe"]["epochs"]
    if differs and not (longer and result):
        told = "; ".join(f"{key} was {_at(before, key)}, now {_at(plan.identity, key)}" for key in differs[:3])
        raise DataError(
            f"{path} holds another training: {told}; --fresh starts beside it, --weights {path / BEST} from it"
        )
    if result and not differs:
        raise Finished(path, result)
    return read_checkpoint(path)


def differences(before: Mapping[str, Any], now: Mapping[str, Any], above: str = "") -> list[str]:
    """The keys whose values differ, those of parts with a dot."""
    found = []
    for key in sorted({*before, *now}):
        old, new = before.get(key), now.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += differences(old, new, f"{above}{key}.")
        elif old != new:
            found.append(f"{above}{key}")
    return found


def _at(values: Mapping[str, Any], key: str) -> str:
    found: Any = values
    for part in key.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return shown(found) if not isinstance(found, list) else f"{len(found)} of them"


def _beside(path: Path, *, again: bool) -> Path:
    """The first of path, path-2, path-3 ... that is not there; the one before it if it was begun by this command."""
    number, free, before = 1, path, path
    while free.exists():
        number += 1
        before, free = free, path.with_name(f"{path.name}-{number}")
    return before if again else free


def _locked(path: Path) -> Any:
    """The lock of a folder; raises `DataError` while another process holds it."""
    import filelock

    name = str(path / ".lock")
    for kind in (filelock.FileLock, filelock.SoftFileLock):
        lock = kind(name, timeout=0)
        try:
            lock.acquire()
        except filelock.Timeout:
            raise DataError(f"another process trains in {path}; wait for it, or name another folder") from None
        except NotImplementedError:  # a file system without locks
            continue
        return lock
    raise OSError(f"{os.fspath(path)} takes no lock")
