"""Where training and evaluation compute, and in which arithmetic."""

from __future__ import annotations

import ctypes
import platform
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from zoo.errors import InvalidOption, shown
from zoo.lazy import torch
from zoo.training.processes import ALONE, Team

if TYPE_CHECKING:
    from torch import Tensor

    from zoo.data.dataset import Batch

__all__ = ["PRECISIONS", "autocast", "keep_freed_memory", "named_device", "to_device"]

PRECISIONS = ("fp32", "bf16", "fp16")


def named_device(name: str, crew: Team = ALONE) -> str:
    """The device that a name means for this process: with `auto` a GPU where there is one; of several its own.

    Raises:
        InvalidOption: there is none of this name, or too few for all processes of this machine.
    """
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        name = "cuda" if gpus else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise InvalidOption(f"a device is auto, cpu, cuda or cuda:N; got {shown(name)}") from None
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


def autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """The block in which a precision holds; raises `InvalidOption` for one that is none."""
    if precision not in PRECISIONS:
        raise InvalidOption(f"networks are trained and evaluated in fp32, bf16 or fp16; got {shown(precision)}")
    kind = torch.float16 if precision == "fp16" else torch.bfloat16
    return torch.autocast(device.type, kind, enabled=precision != "fp32")


def keep_freed_memory(*, reserve: int = 64 << 20) -> bool:
    """Tells glibc to keep freed memory for the next step instead of handing it back to the kernel; True if it could.

    Every training step frees and asks again for the same few hundred megabytes; by default each round trip costs page
    faults, 10 to 19 % of the images per second. For a process that only trains: its memory does not shrink again.

    Args:
        reserve: bytes asked for beyond each need.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    trim_threshold, top_pad, mmap_max = -1, -2, -4  # M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX of malloc.h
    settings = {mmap_max: 0, trim_threshold: 2**31 - 1, top_pad: reserve}
    libc = ctypes.CDLL("libc.so.6")
    return all([libc.mallopt(name, value) == 1 for name, value in settings.items()])
