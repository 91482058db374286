"""Where networks compute, and in which arithmetic: processors, NVIDIA's GPUs (cuda), Apple's (mps)."""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from zoo.errors import InvalidOption, shown
from zoo.lazy import torch
from zoo.training.processes import ALONE, Team

if TYPE_CHECKING:
    from torch import Tensor

    from zoo.data.dataset import Batch

__all__ = [
    "LARGE", "PRECISIONS", "autocast", "exact", "held_after", "keep_freed_memory", "named_device", "random_states",
    "return_freed_memory", "set_random_states", "synchronize", "to_device",
]  # fmt: skip

PRECISIONS = ("fp32", "bf16", "fp16")
# bytes of a block whose page faults cost little beside what is computed on it: the images of a batch are mostly such
# ones, and would leave holes where another thread put them between two layers
LARGE = 6 << 20


def named_device(name: str, crew: Team = ALONE) -> str:
    """The device that a name means for this process: with `auto` a GPU where there is one; of several its own.

    Raises:
        InvalidOption: there is none of this name, or too few for all processes of this machine.
    """
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        name = "cuda" if gpus else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise InvalidOption(f"a device is auto, cpu, cuda, cuda:N or mps; got {shown(name)}") from None
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise InvalidOption(f"PyTorch finds no GPU of Apple's here; got {shown(name)}; try --device cpu")
    if device.type != "cuda":
        return name
    number = device.index if device.index is not None else crew.local_rank
    if number >= gpus or (crew.local_size > gpus and crew.size > 1):
        raise InvalidOption(
            f"{crew.local_size} processes on this machine, {gpus} GPUs; got {shown(name)}; try --device cpu"
        )
    torch.cuda.set_device(number)
    return f"cuda:{number}"


def to_device(batch: Batch, device: torch.device) -> tuple[Tensor, Tensor]:
    """Images and labels of a batch where the network is, the channels of a pixel side by side."""
    images = batch.images
    if device.type == "cuda":  # from pinned memory the copy runs beside the arithmetic
        images = images.pin_memory()
    images = images.to(device, non_blocking=True).contiguous(memory_format=torch.channels_last)
    return images, batch.labels.to(device, non_blocking=True)


def synchronize(device: torch.device | str) -> None:
    """Waits until a device has done what it was told."""
    kind = device.partition(":")[0] if isinstance(device, str) else device.type  # cheap: it is called within timings
    if kind != "cpu":
        getattr(torch, kind).synchronize()


def held_after(device: torch.device | str, call: Callable[[], object]) -> dict[str, int]:
    """Bytes of the device's memory that a call needs, by kind; empty for processors.

    Of CUDA the peaks of what PyTorch's allocator gives ("allocated") and holds ("reserved"); of Apple's GPUs, of which
    it counts no peaks, what is held as the call ends.
    """
    kind = torch.device(device).type
    if kind == "cuda":
        torch.cuda.reset_peak_memory_stats()
        call()
        return {"allocated": torch.cuda.max_memory_allocated(), "reserved": torch.cuda.max_memory_reserved()}
    if kind == "mps":
        kept = call()  # noqa: F841  # what it answers is held, too
        return {"allocated": torch.mps.current_allocated_memory(), "reserved": torch.mps.driver_allocated_memory()}
    return {}


def random_states() -> tuple[Tensor, list[Tensor]]:
    """Where this process is in its random numbers, on the processor and on each GPU."""
    if torch.backends.mps.is_available():
        return torch.get_rng_state(), [torch.mps.get_rng_state()]
    return torch.get_rng_state(), torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []


def set_random_states(on_processor: Tensor, on_gpus: Sequence[Tensor]) -> None:
    """Puts this process where it was; its GPUs too, where there are as many as there were."""
    torch.set_rng_state(on_processor)
    if torch.backends.mps.is_available():
        for state in on_gpus[:1]:
            torch.mps.set_rng_state(state)
    elif on_gpus and len(on_gpus) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(list(on_gpus))


def exact(tensor: Tensor) -> Tensor:
    """In float64, on the processor where its device has none."""
    return (tensor.cpu() if tensor.device.type == "mps" else tensor).double()


def autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """The block in which a precision holds; raises `InvalidOption` for one that is none."""
    if precision not in PRECISIONS:
        raise InvalidOption(f"networks are trained and evaluated in fp32, bf16 or fp16; got {shown(precision)}")
    kind = torch.float16 if precision == "fp16" else torch.bfloat16
    return torch.autocast(device.type, kind, enabled=precision != "fp32")


def keep_freed_memory(*, reserve: int = 64 << 20, lean: bool = False, large: int = LARGE) -> bool:
    """Tells glibc to keep freed memory for the next step instead of handing it back to the kernel; True if it could.

    Every training step frees and asks again for the same few hundred megabytes; by default each round trip costs page
    faults, 10 to 19 % of the images per second. For a process that only trains: its memory does not shrink again.

    Args:
        reserve: bytes asked for beyond each need.
        lean: large blocks go back at once, and all threads take from one pool, so that the backward pass finds what the
            forward pass freed: a tenth less memory at the peak and no fewer images a second.
        large: bytes of a large block, of which glibc takes at most 32 MB.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    trim_threshold, top_pad, mmap_threshold, mmap_max, arenas = -1, -2, -3, -4, -8  # M_TRIM_THRESHOLD ... of malloc.h
    settings = {trim_threshold: 2**31 - 1, top_pad: reserve}
    settings |= {mmap_threshold: large, arenas: 1} if lean else {mmap_max: 0}
    libc = ctypes.CDLL("libc.so.6")
    return all([libc.mallopt(name, value) == 1 for name, value in settings.items()])


def return_freed_memory() -> None:
    """Hands what is kept back to the kernel, where another need begins, whose blocks would not fit into the holes."""
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL("libc.so.6").malloc_trim(0)
