"""Memory of inference, three numbers by name: weights, live activations by arithmetic, resident peak as measured."""

from __future__ import annotations

import contextlib
import sys
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from benchmarks.metrics.metric import Column, Metric
from benchmarks.records.record import Measurement
from zoo.lazy import nn, torch
from zoo.training.devices import held_after

if TYPE_CHECKING:
    from benchmarks.metrics.subject import Subject

__all__ = ["METRIC", "peak_bytes", "peak_of_activations", "reset_peak"]

# bytes: several looks at MobileNet differ by up to 4 million, by how the allocator takes blocks and gives them back
NOISE = 6e6


def measure(subject: Subject) -> tuple[Measurement, ...]:
    """The three numbers, and the CUDA allocator's peaks where the case runs there.

    The measured peak covers loading the network and two calls, above what the process held before with the libraries
    imported; it is meant for a process in which nothing else has run.
    """
    _touch_libraries(subject)
    idle = psutil.Process().memory_info().rss
    how = reset_peak()
    subject.call()
    subject.call()
    peak = peak_bytes()
    weights = sum(tensor.nbytes for tensor in subject.random_network.parameters())
    return (
        Measurement(name="weights_bytes", value=weights, unit="B"),
        Measurement(
            name="activations_peak_bytes",
            value=peak_of_activations(subject.structure, subject.example("meta")),
            unit="B",
            method="largest sum of live activations, input included, following each tensor's life on the meta device",
        ),
        Measurement(
            name="peak_rss_bytes",
            value=max(peak - idle, 0),
            unit="B",
            method=f"peak resident memory above the idle process, over loading and two calls ({how})",
            details={"idle_bytes": idle, "absolute_bytes": peak},
        ),
        *_on_device(subject),
    )


def peak_of_activations(model: nn.Module, images: torch.Tensor) -> int:
    """Largest number of bytes of activations alive at once in an inference pass, the input included."""
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    class Lifetimes(TorchDispatchMode):
        """Counts the bytes of every storage from the operator that makes it until nobody holds it."""

        def __init__(self) -> None:
            super().__init__()  # type: ignore[no-untyped-call]
            self.live = self.peak = 0
            self.known: dict[int, Any] = {}

        def follow(self, tensor: torch.Tensor) -> None:
            storage = tensor.untyped_storage()
            name = storage._cdata
            if name in self.known:
                return
            size = storage.nbytes()

            def gone(_reference: object) -> None:
                del self.known[name]
                self.live -= size

            self.known[name] = weakref.ref(storage, gone)
            self.live += size
            self.peak = max(self.peak, self.live)

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            result = func(*args, **(kwargs or {}))
            for tensor in tree_leaves(result):
                if isinstance(tensor, torch.Tensor):
                    self.follow(tensor)
            return result

    lifetimes = Lifetimes()
    for tensor in (*model.parameters(), *model.buffers()):  # known and not counted: weights are a number of their own
        lifetimes.known[tensor.untyped_storage()._cdata] = None
    lifetimes.follow(images)
    with torch.no_grad(), lifetimes:
        model(images)
    return lifetimes.peak


def _touch_libraries(subject: Subject) -> None:
    """Runs the kinds of layers once on next to nothing, so that the libraries' code is resident before the network."""
    layers = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8, 8)).eval()
    with torch.inference_mode():
        layers.to(subject.case.device)(torch.zeros(1, 3, 3, 3, device=subject.case.device))


def reset_peak() -> str:
    """Forgets the peak so far where Linux allows it, and says which counter will be read."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
        return "VmHWM after clear_refs"
    return "since the process began"


def peak_bytes() -> int:
    """Largest resident memory of this process since its peak was last forgotten, where Linux tells, or it began."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    with contextlib.suppress(ImportError):
        import resource  # of Unix

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    memory = psutil.Process().memory_info()
    return int(getattr(memory, "peak_wset", memory.rss))  # the first is Windows's


def _on_device(subject: Subject) -> tuple[Measurement, ...]:
    """What one call needs of a GPU's memory; nothing on processors."""
    device = subject.case.device
    held = held_after(device, subject.call)
    return tuple(Measurement(name=f"{device}_{kind}_bytes", value=value, unit="B") for kind, value in held.items())


METRIC = Metric(
    name="memory",
    title="memory",
    also=("ram", "peak", "rss"),
    depends_on=("runtime", "device", "precision", "img_size", "batch_size", "num_threads"),
    columns=(
        Column(
            name="peak_rss_mb",
            measurement="peak_rss_bytes",
            factor=1e-6,
            better="low",
            title="Peak memory, MB",
            noise=NOISE,
        ),
    ),
    measure=measure,
)
