"""Several processes that train or evaluate together: PyTorch's own, as torchrun starts them; one alone is a team too.

Whoever ends for a reason of its own says it; whoever only finds the others gone says nothing, unless nobody did.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from zoo.errors import one_line
from zoo.lazy import torch
from zoo.shell import SIGNALS

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["ALONE", "GONE", "PeerLost", "Team", "report", "store_of_this_start", "team"]

T = TypeVar("T")
LOST = ("gloo", "NCCL", "Connection closed", "Connection reset", "Broken pipe")  # in what PyTorch says of a lost peer
GONE = "another process has gone"
GRACE_S = 1.0  # for the others to notice too
POLL_S = 0.01


class PeerLost(RuntimeError):
    """Another process of the team has gone; why, it says itself if it can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """The processes that do one thing together, seen from one of them.

    All of them call each method, in the same order. Raises `PeerLost` where one of them has gone.

    Args:
        rank: of this process; 0 leads: it alone writes and speaks.
        size: of the team.
        local_rank, local_size: the same on this machine.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes and speaks."""
        return self.rank == 0

    def totals(self, *values: float) -> list[float]:
        """The sum of each value over the processes, the same to the bit in all of them."""
        return [sum(column) for column in zip(*self._table(values), strict=True)]

    def largest(self, *values: float) -> list[float]:
        """The largest of each value."""
        return [max(column) for column in zip(*self._table(values), strict=True)]

    def _table(self, values: tuple[float, ...]) -> list[list[float]]:
        """A row of values a process."""
        rows = torch.zeros(self.size, len(values), dtype=torch.float64)
        rows[self.rank] = torch.tensor(values, dtype=torch.float64)
        return self.summed(rows).tolist()

    def summed(self, tensor: Tensor) -> Tensor:
        """The sum of a tensor in memory over the processes."""
        if self.size > 1:
            with self.together():
                torch.distributed.all_reduce(tensor)
        return tensor

    def shared(self, value: T) -> T:
        """What the leading process passes, in all of them."""
        return self._everybodys(value, 1)[0]

    def gathered(self, value: T) -> list[T]:
        """What each process passes, by rank."""
        return self._everybodys(value, self.size)

    def _everybodys(self, value: T, count: int) -> list[T]:
        if self.size == 1:
            return [value]
        found: list[Any] = [value] * count
        with self.together():
            if count == 1:
                torch.distributed.broadcast_object_list(found, src=0)
            else:
                torch.distributed.all_gather_object(found, value)
        return found

    def align(self, tensors: Iterable[Tensor]) -> None:
        """Gives tensors the values that they have in the leading process."""
        if self.size > 1:
            with torch.no_grad(), self.together():
                for tensor in tensors:
                    torch.distributed.broadcast(tensor, src=0)

    def share(self, order: Tensor, batch_size: int) -> Tensor:
        """Of images in the order of an epoch, those that this process is shown; in batches of `batch_size` as it goes.

        The images of a step are dealt out one by one. Where the last step has fewer images than there are processes,
        the rest are shown its first image, which does not count there: see `counts`.
        """
        if self.size == 1:
            return order
        steps = order.split(batch_size * self.size)
        own = [step[self.rank :: self.size] if len(step) > self.rank else step[:1] for step in steps]
        return torch.cat(own) if own else order

    def counts(self, batch: int, images: int, batch_size: int) -> bool:
        """Whether this process's part of batch 0, 1, ... of so many images counts."""
        return images - batch * batch_size * self.size > self.rank

    def wrapped(self, network: nn.Module, *, unused: bool) -> nn.Module:
        """The network such that backward leaves the mean of all processes' gradients.

        Args:
            unused: whether a parameter that is trained may have no gradient.
        """
        if self.size == 1:
            return network
        device = next(network.parameters()).device
        with self.together():
            return torch.nn.parallel.DistributedDataParallel(
                network, device_ids=[device] if device.type == "cuda" else None, find_unused_parameters=unused
            )

    @contextmanager
    def together(self) -> Iterator[None]:
        """A block that waits for the other processes; raises `PeerLost` where one of them has gone."""
        try:
            yield
        except RuntimeError as error:
            lost = isinstance(error, torch.distributed.DistError) or any(word in str(error) for word in LOST)
            if self.size > 1 and lost:
                raise PeerLost(GONE) from error
            raise


ALONE = Team()
_found: list[tuple[Team, Any]] = []  # the team that this process was started for, and where its members leave word


def team() -> Team:
    """The processes this one belongs to; the first call waits until all of them are there.

    torchrun says in the environment which they are, as may whoever starts them otherwise (RANK, WORLD_SIZE,
    MASTER_ADDR, MASTER_PORT). Where a process group is open, it is that one.
    """
    if not torch.distributed.is_available():
        return ALONE
    store = _found[0][1] if _found else None
    if not torch.distributed.is_initialized():
        if int(os.environ.get("WORLD_SIZE", "1")) < 2 or "RANK" not in os.environ:
            return ALONE
        store, rank, size = next(torch.distributed.rendezvous("env://"))  # type: ignore[attr-defined]
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        store = store_of_this_start(store, rank, size)
        torch.distributed.init_process_group(backend, store=store, rank=rank, world_size=size)
    rank, size = torch.distributed.get_rank(), torch.distributed.get_world_size()
    found = Team(
        rank=rank,
        size=size,
        local_rank=int(os.environ.get("LOCAL_RANK", rank)),
        local_size=int(os.environ.get("LOCAL_WORLD_SIZE", size)),
    )
    _found[:] = [(found, store)]
    return found


def store_of_this_start(store: Any, rank: int, size: int) -> Any:
    """The part of a store that belongs to the processes started together; raises `DistStoreError` if one never comes.

    torchrun keeps one store over its restarts, and in it the addresses of processes that are gone. So the leading
    process makes a new name, and tells it in answer to a question that is new as well: of one who is there.
    """
    new = uuid.uuid4().hex
    if rank == 0:
        _tell(store, new, size)
        name = new
    else:
        store.set(f"question {rank}", new)
        name = store.get(f"answer {new}").decode()
        store.set(f"{name} {rank}", "heard")
    return torch.distributed.PrefixStore(name, store)  # type: ignore[attr-defined]


def _tell(store: Any, name: str, size: int) -> None:
    """Answers every question, of earlier starts too, until all processes have heard the name."""
    missing = set(range(1, size))
    until = time.monotonic() + store.timeout.total_seconds()
    while missing:
        for other in missing:
            if store.check([f"question {other}"]):
                store.set(f"answer {store.get(f'question {other}').decode()}", name)
        time.sleep(POLL_S)
        missing = {other for other in missing if not store.check([f"{name} {other}"])}
        if missing and time.monotonic() > until:
            raise torch.distributed.DistStoreError(
                f"of {size} processes, counted from 0, {', '.join(map(str, sorted(missing)))} did not come; start all "
                "of them with the same MASTER_ADDR and MASTER_PORT"
            )


def report(error: BaseException, text: str) -> bool:
    """Prints why this process ends, if it is the one to say so; returns whether it is one of several."""
    known, store = _found[0] if _found else (ALONE, None)
    if store is not None:
        for number in SIGNALS:  # whoever started the team ends all of it now, but first the reason
            with suppress(ValueError):  # not the main thread
                signal.signal(number, signal.SIG_IGN)
        with suppress(Exception):  # where word is left is gone with the first process
            text = _unsaid(error, text, known, store)
    if text:
        print(one_line(text), file=sys.stderr, flush=True)
    return known.size > 1


def _unsaid(error: BaseException, text: str, known: Team, store: Any) -> str:
    """The line if nobody has given the reason yet, else nothing."""
    if not isinstance(error, PeerLost):
        return text if store.add("said", 1) == 1 else ""
    store.set(f"noticed {known.rank}", "yes")
    if store.add("lost", 1) > 1:
        return ""
    until = time.monotonic() + GRACE_S
    while time.monotonic() < until:
        time.sleep(0.05)
        if store.check(["said"]):
            return ""
    gone = [rank for rank in range(known.size) if not store.check([f"noticed {rank}"])]
    who = f"process {', '.join(map(str, gone))} of {known.size}, counted from 0," if gone else "another process"
    command = text.partition(":")[0]
    return (
        f"{command}: {who} ended without a word: killed, perhaps for want of memory; the same command goes on from the "
        "last checkpoint"
    )
