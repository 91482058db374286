"""What a network answers to labelled images, each counted exactly once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from zoo.data.dataset import Batch, Data, Split, matched
from zoo.errors import DataError, shown
from zoo.lazy import classifier, nn, torch
from zoo.runtimes.session import Session
from zoo.spec import resized
from zoo.training.devices import autocast, to_device
from zoo.training.processes import Team, team

if TYPE_CHECKING:
    from torch import Tensor

    from zoo.classifier import Classifier
    from zoo.spec import Input

__all__ = ["Evaluation", "Labelled", "TrainingFailed", "evaluate", "held_out", "wilson"]

TOP = 5

Progress = Callable[[int, int], None]  # images done, images in all


class Labelled(Protocol):
    """What is asked of images to evaluate on; see `zoo.data.dataset.Split`."""

    @property
    def labels(self) -> Tensor: ...

    def name(self, position: int) -> str: ...

    def batches(self, batch_size: int, input: Input, channels: int = 3) -> Iterator[Batch]: ...

    def subset(self, positions: Sequence[int]) -> Labelled: ...


class TrainingFailed(RuntimeError):
    """The loss or the logits are no longer finite; the message says when that happened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What a network answered to every image of a split.

    Args:
        labels: (N), the right classes.
        top: (N, up to 5), the classes with the highest logits, best first; -1 for an image that could not be read.
        probabilities: (N), of the first answer.
        unreadable: reason by position.
        loss: mean cross-entropy of the images that could be read.
        class_names: what the classes are called, where it is known.
        num_classes: length of a logit vector.
    """

    labels: Tensor
    top: Tensor
    probabilities: Tensor
    unreadable: Mapping[int, str]
    loss: float
    class_names: tuple[str, ...] | None = None
    num_classes: int

    @property
    def images(self) -> int:
        """Images that were counted: all that could be read."""
        return len(self.labels) - len(self.unreadable)

    def right(self, within: int) -> int:
        """Images whose class is among the best `within` answers."""
        return int((self.top[:, :within] == self.labels[:, None]).sum())

    @property
    def correct(self) -> int:
        """Images whose class is the first answer."""
        return self.right(1)

    @property
    def correct5(self) -> int | None:
        """Images whose class is among the first five answers; None where there are no more than five classes."""
        return self.right(TOP) if self.num_classes > TOP else None

    @property
    def top1(self) -> float:
        """Percent."""
        return 100 * self.correct / self.images

    @property
    def top5(self) -> float | None:
        """Percent."""
        return None if self.correct5 is None else 100 * self.correct5 / self.images

    @property
    def top1_ci95(self) -> tuple[float, float]:
        """The ends of the 95 % Wilson interval of `top1`, in percent."""
        _, low, high = wilson(self.correct, self.images)
        return 100 * low, 100 * high

    @property
    def confusion(self) -> Tensor:
        """(num_classes, num_classes), images by their class (rows) and their first answer (columns)."""
        read = self.top[:, 0] >= 0
        pairs = self.labels[read] * self.num_classes + self.top[read, 0]
        return torch.bincount(pairs, minlength=self.num_classes**2).view(self.num_classes, self.num_classes)

    @property
    def per_class(self) -> dict[str, float | None]:
        """Recall of each class in percent, by its name or number; None for a class without images."""
        read = self.top[:, 0] >= 0
        labels = self.labels[read]
        images = torch.bincount(labels, minlength=self.num_classes).tolist()
        right = torch.bincount(labels[self.top[read, 0] == labels], minlength=self.num_classes).tolist()
        names = self.class_names or tuple(map(str, range(self.num_classes)))
        return {name: 100 * hit / of if of else None for name, hit, of in zip(names, right, images, strict=True)}

    @property
    def balanced(self) -> float:
        """Mean recall of the classes that have images, in percent: each class counts the same."""
        recalls = [recall for recall in self.per_class.values() if recall is not None]
        return sum(recalls) / len(recalls)

    @property
    def figures(self) -> dict[str, Any]:
        """The figures, as JSON takes them."""
        names = ("images", "correct", "correct5", "top1", "top5", "top1_ci95", "balanced", "loss")
        return {name: getattr(self, name) for name in names}


def held_out(data: Data) -> Split:
    """What a network that was trained on `data` is judged by: the test images, else those that chose the epoch.

    Raises:
        DataError: there are none of either.
    """
    part = data.test or data.val
    if part is None:
        raise DataError(f"{data.name} holds no images to evaluate on: it has neither a test nor a val part")
    return part


def evaluate(
    model: Classifier | Session,
    data: Data | Labelled,
    *,
    batch_size: int = 50,
    precision: str = "fp32",
    on_progress: Progress | None = None,
) -> Evaluation:
    """The model's answers to all images, each counted exactly once; leaves the model in evaluation mode.

    Images become the network's input as `zoo.preprocessing` has it. Where the model and the data name their classes,
    these are matched by name. Several processes, as torchrun starts them, share the images and all know the answers.

    Args:
        model: a network of the zoo, or one that `zoo.open_runtime` opened: then the very session is counted that is
            used and timed, with images of the size it was opened for.
        data: a data set, of which the test images count, else the val images; or one part of it.
        precision: "fp32", or "bf16" or "fp16" for mixed precision.
        on_progress: told after every batch.

    Raises:
        DataError: there are no images to evaluate on, or they have classes the model does not know.
        TrainingFailed: a logit is not finite.
    """
    if not isinstance(model, (Session, classifier.Classifier)):
        raise TypeError(f"zoo.evaluate takes a network of the zoo or a session; got {shown(model)}")
    if not (isinstance(data, Data) or hasattr(data, "batches")):
        raise TypeError(f"data is what zoo.open_data gives; got {shown(data)}")
    if isinstance(data, Data):
        _check_classes(model, data)
        if model.class_names is not None and model.class_names != data.class_names:
            data = matched(data, model.class_names)
        images: Labelled = held_out(data)
    else:
        images = data
    if isinstance(model, Session):
        device, images_input = model.device, resized(model.spec.input, model.shape[-1])
        answered: Callable[[Tensor], Tensor] = partial(_in_batches, model)
    else:
        model.eval().to(memory_format=torch.channels_last)
        device, images_input, answered = next(model.parameters()).device, model.spec.input, model
    count, crew = len(images.labels), team()
    top = torch.full((count, min(TOP, model.num_classes)), -1)  # as it stays where there is nothing to answer to
    probabilities = torch.zeros(count)
    times = torch.zeros(count, dtype=torch.long)
    unreadable: dict[int, str] = {}
    loss = 0.0
    with torch.inference_mode(), autocast(device, precision):
        for batch in _shares(images, batch_size, images_input, model.in_channels, crew):
            unreadable.update(batch.unreadable)
            finite = True
            seen = torch.cat([batch.positions, torch.tensor(list(batch.unreadable), dtype=torch.long)])
            times.index_add_(0, seen, torch.ones_like(seen))
            if len(batch.positions):
                inputs, labels = to_device(batch, device)
                logits = answered(inputs).float()
                finite = bool(logits.isfinite().all())
                top[batch.positions] = logits.topk(top.shape[1]).indices.cpu()
                probabilities[batch.positions] = logits.softmax(1).amax(1).cpu()
                loss += nn.functional.cross_entropy(logits, labels, reduction="sum").item()
            done, not_finite = crew.totals(int(times.sum()), not finite)
            if not_finite:
                raise TrainingFailed(f"{model.spec.label} answers with logits that are not finite")
            if on_progress is not None:
                on_progress(int(done), count)
    (loss,) = crew.totals(loss)
    top, probabilities, times = crew.summed(top + 1) - 1, crew.summed(probabilities), crew.summed(times)
    unreadable = {place: reason for found in crew.gathered(unreadable) for place, reason in found.items()}
    probabilities[list(unreadable)] = math.nan
    if not bool((times == 1).all()):
        wrong = int((times != 1).nonzero()[0])
        raise RuntimeError(f"image {images.name(wrong)} was counted {int(times[wrong])} times instead of once")
    readable = count - len(unreadable)
    if readable == 0:
        raise DataError(f"none of the {count} images could be read; the first: {next(iter(unreadable.values()), '')}")
    return Evaluation(
        labels=images.labels,
        top=top,
        probabilities=probabilities,
        unreadable=unreadable,
        loss=loss / readable,
        class_names=model.class_names,
        num_classes=model.num_classes,
    )


def _shares(images: Labelled, batch_size: int, input: Input, channels: int, crew: Team) -> Iterator[Batch]:
    """The batches of this process's part of the images, empty ones behind them as long as another has some."""
    if crew.size == 1:
        yield from images.batches(batch_size, input, channels)
        return
    own = range(crew.rank, len(images.labels), crew.size)
    batches = images.subset(own).batches(batch_size, input, channels) if len(own) else iter(())
    while True:
        batch = next(batches, None)
        (more,) = crew.totals(batch is not None)
        if not more:
            return
        if batch is None:
            nothing = torch.zeros(0, dtype=torch.long)
            yield Batch(torch.empty(0), nothing, nothing)
        else:
            unreadable = {own[position]: reason for position, reason in batch.unreadable.items()}
            yield Batch(batch.images, batch.labels, batch.positions * crew.size + crew.rank, unreadable)


def _in_batches(session: Session, images: Tensor) -> Tensor:
    """The logits of any number of images from a session that may take just so many at once."""
    size, images = session.batch_size or len(images), images.to(session.dtype).contiguous()
    logits = []
    for part in images.split(size):
        missing = size - len(part)
        whole = torch.cat([part, part[-1:].expand(missing, -1, -1, -1)]) if missing else part
        logits.append(session(whole)[: len(part)])
    return torch.cat(logits)


def wilson(right: int, count: int) -> tuple[float, float, float]:
    """The fraction `right / count` and the ends of its 95 % Wilson interval."""
    from scipy.stats import binomtest

    interval = binomtest(right, count).proportion_ci(confidence_level=0.95, method="wilson")
    return right / count, float(interval.low), float(interval.high)


def _check_classes(model: Classifier | Session, data: Data) -> None:
    """Raises `DataError` where a model without names of classes has another number of them than the data."""
    if model.class_names is None and model.num_classes != len(data.class_names):
        raise DataError(
            f"{model.spec.label} tells {model.num_classes} classes apart and does not say which; {data.name} has "
            f"{len(data.class_names)}; train it on them, or set its class_names"
        )
