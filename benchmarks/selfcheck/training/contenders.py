"""Five epochs on a folder of photographs: of this zoo's training, and of the way of torchvision's reference scripts."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.measure.worker import die_with_parent
from zoo.lazy import nn, torch

if TYPE_CHECKING:
    from zoo.classifier import Classifier
    from zoo.data.dataset import Data
    from zoo.training.recipes import Recipe

__all__ = ["BATCH", "EPOCHS", "SIZE", "WAYS", "contest"]

SIZE, BATCH, EPOCHS = 128, 32, 5
LR, MOMENTUM = (0.02, 0.005), 0.9  # the rate from scratch and from trained weights, falling to 0
CROP_SCALE = 0.35
EVERY_S = 0.1  # between two looks at the memory
WAYS = ("zoo", "torchvision")


def contest(
    way: str,
    model: str,
    folder: Path,
    *,
    seed: int,
    epochs: int = EPOCHS,
    workers: int = 1,
    weights: str = "",
    device: str = "cpu",
) -> dict[str, Any]:
    """A training in processes of its own, as JSON values: images a second, peak memory, right answers, waiting.

    Args:
        way: of `WAYS`.
        folder: with train and val.
        workers: of the reference; the zoo takes as many as it takes.
        weights: a file that training starts from; empty for none.
        device: where the network is; only of processors is the memory watched.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_train, args=(theirs, way, model, folder, seed, epochs, workers, weights, device))
    process.start()
    theirs.close()
    memory = _Memory(process.pid or 0) if device == "cpu" else None
    try:
        found: dict[str, Any] = ours.recv()
    finally:
        peak = {"peak_bytes": memory.peak()} if memory else {}
        process.join()
    return {**found, **peak}


class _Memory:
    """The most memory of a process and all its children, shared pages counted once."""

    def __init__(self, process: int) -> None:
        self._process, self._most, self._over = process, 0, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        import psutil

        while not self._over.wait(EVERY_S):
            try:
                root = psutil.Process(self._process)
                total = sum(each.memory_full_info().pss for each in (root, *root.children(recursive=True)))
            except psutil.Error:  # one has just ended
                continue
            self._most = max(self._most, total)

    def peak(self) -> int:
        self._over.set()
        self._thread.join()
        return self._most


def _train(
    pipe: Connection,
    way: str,
    model: str,
    folder: Path,
    seed: int,
    epochs: int,
    workers: int,
    weights: str,
    device: str,
) -> None:
    """One training; what it found goes into the pipe."""
    import zoo
    from zoo.training.recipes import recipe
    from zoo.training.start import pretrained, untrained

    die_with_parent()
    # a process that was started afresh starts its own so: here as for whoever runs a script, as the system does it
    multiprocessing.set_start_method(None, force=True)
    data = zoo.open_data(folder, img_size=SIZE)
    chosen = recipe(
        "sample", batch_size=BATCH, epochs=epochs, img_size=SIZE, opt="sgd", lr=LR[bool(weights)], momentum=MOMENTUM,
        sched="cosine", warmup=0.0, mirror=True, crop_scale=CROP_SCALE,
    )  # fmt: skip
    torch.manual_seed(seed)
    if weights:
        network, data, _ = pretrained(model, weights, data, chosen, seed=seed)
    else:
        network = untrained(zoo.spec(model), data, chosen, seed=seed)
    network.to(device)
    found = (
        _of_zoo(network, data, chosen, seed)
        if way == "zoo"
        else _of_torchvision(network, data, folder, chosen, workers)
    )
    pipe.send({**found, "images": epochs * len(data.train.labels) if data.train is not None else 0})
    pipe.close()


def _of_zoo(network: Classifier, data: Data, chosen: Recipe, seed: int) -> dict[str, Any]:
    """`zoo.train` as anybody calls it, with nothing decoded before."""
    import tempfile

    import zoo
    from zoo.training.devices import keep_freed_memory

    keep_freed_memory(lean=True)
    waits = _timed_waits()
    with tempfile.TemporaryDirectory() as cache:
        os.environ["ZOO_CACHE_DIR"] = cache
        training = zoo.train(network, data, chosen, seed=seed)
    seconds = [epoch.seconds for epoch in training.curve]
    return {
        "epoch_s": seconds,
        "correct": training.evaluation.correct,
        "tested": training.evaluation.images,
        "waiting": sum(waits[1:]) / sum(seconds[1:]) if len(waits) > 1 else None,
    }


def _timed_waits() -> list[float]:
    """Seconds, by epoch, that the loop waits for batches from now on."""
    from zoo.training.batches import Batches

    waits: list[float] = []
    epoch = Batches.epoch

    def timed(self: Batches, *arguments: Any, **options: Any) -> Iterator[Any]:
        waits.append(0.0)
        batches = epoch(self, *arguments, **options)
        while True:
            started = time.perf_counter()
            batch = next(batches, None)
            waits[-1] += time.perf_counter() - started
            if batch is None:
                return
            yield batch

    Batches.epoch = timed  # type: ignore[method-assign]
    return waits


def _of_torchvision(network: Classifier, data: Data, folder: Path, chosen: Recipe, workers: int) -> dict[str, Any]:
    """ImageFolder, random crops and flips, DataLoader, SGD: torchvision's references/classification without extras."""
    from torchvision.datasets import ImageFolder
    from torchvision.transforms import v2

    import zoo

    device = next(network.parameters()).device
    transform = v2.Compose([
        v2.RandomResizedCrop(SIZE, scale=(CROP_SCALE, 1.0), antialias=True), v2.RandomHorizontalFlip(),
        v2.PILToTensor(), v2.ToDtype(torch.float32, scale=True),
        v2.Normalize(network.spec.input.mean, network.spec.input.std),
    ])  # fmt: skip
    loader = torch.utils.data.DataLoader(
        ImageFolder(str(folder / "train"), transform), batch_size=BATCH, shuffle=True, num_workers=workers,
        pin_memory=device.type == "cuda",
    )  # fmt: skip
    optimizer = torch.optim.SGD(network.parameters(), lr=chosen.lr, momentum=MOMENTUM)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, chosen.epochs * len(loader))
    loss_of, seconds = nn.CrossEntropyLoss(), []
    for _ in range(chosen.epochs):
        network.train()
        started = time.perf_counter()
        for images, labels in loader:
            images, labels = images.to(device, non_blocking=True), labels.to(device, non_blocking=True)
            optimizer.zero_grad()
            loss = loss_of(network(images), labels)
            loss.backward()
            optimizer.step()
            falling.step()
            loss.item()
        seconds.append(time.perf_counter() - started)
    evaluation = zoo.evaluate(network, data)
    return {"epoch_s": seconds, "correct": evaluation.correct, "tested": evaluation.images, "workers": workers}
