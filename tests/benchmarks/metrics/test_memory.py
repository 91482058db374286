"""Memory of inference: the peak of live activations by hand, and what is subtracted from what was measured."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from benchmarks.metrics import memory
from benchmarks.metrics.memory import measure, peak_bytes, peak_of_activations
from benchmarks.metrics.subject import Subject
from benchmarks.records.record import Case

CASE = Case(metric="memory", model="mobilenet_v1:width=0.25", img_size=32, num_threads=1)


class Branches(nn.Module):
    """Two convolutions of one input, side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 3, 1), nn.Conv2d(1, 5, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.first(images), self.second(images)], 1)


@pytest.mark.parametrize(
    ("network", "shape", "floats"),
    [
        (lambda: nn.Linear(8, 4), (1, 8), 8 + 4),
        (lambda: nn.Sequential(nn.Linear(8, 16), nn.Linear(16, 4)), (1, 8), 8 + 16 + 4),
        (lambda: nn.Sequential(nn.Linear(8, 64), nn.Linear(64, 4), nn.Linear(4, 2)), (1, 8), 8 + 64 + 4),
        (lambda: nn.Sequential(nn.Linear(8, 16), nn.ReLU(inplace=True)), (1, 8), 8 + 16),
        (Branches, (1, 1, 10, 10), 100 + 300 + 500 + 800),
    ],
)
def test_the_peak_of_activations_is_what_lives_at_once(network: type, shape: tuple[int, ...], floats: int) -> None:
    with torch.device("meta"):
        assert peak_of_activations(network().eval(), torch.empty(shape)) == 4 * floats


def test_what_the_idle_process_holds_is_no_memory_of_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    peaks = iter([170_000_000, 90_000_000])
    process = SimpleNamespace(memory_info=lambda: SimpleNamespace(rss=100_000_000))
    monkeypatch.setattr(memory, "psutil", SimpleNamespace(Process=lambda: process))
    monkeypatch.setattr(memory, "reset_peak", lambda: "a counter")
    monkeypatch.setattr(memory, "peak_bytes", lambda: next(peaks))
    subject = Subject(CASE)
    found = {each.name: each for each in measure(subject)}
    assert found["peak_rss_bytes"].value == 70_000_000
    assert found["peak_rss_bytes"].details == {"idle_bytes": 100_000_000, "absolute_bytes": 170_000_000}
    assert found["weights_bytes"].value == 4 * 470_072
    assert found["activations_peak_bytes"].value >= 4 * 3 * 32 * 32
    assert {each.name: each.value for each in measure(subject)}["peak_rss_bytes"] == 0


def test_the_peak_of_a_process_is_at_least_what_it_held() -> None:
    held = torch.ones(8 << 20)
    assert peak_bytes() > held.nbytes


@pytest.mark.parametrize(("system", "told"), [("darwin", 7_000_000), ("linux", 7_000_000 * 1024)])
def test_where_linux_does_not_tell_the_system_does_in_its_own_unit(
    system: str, told: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(memory, "Path", lambda path: Path("/there/is/no/such/file"))
    monkeypatch.setattr(memory.sys, "platform", system)
    monkeypatch.setattr(resource, "getrusage", lambda who: SimpleNamespace(ru_maxrss=7_000_000))
    assert peak_bytes() == told


def test_a_peak_is_read_in_bytes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "status").write_text("VmRSS:\t 5 kB\nVmHWM:\t 9 kB\n")
    monkeypatch.setattr(memory, "Path", lambda path: tmp_path / "status")
    assert peak_bytes() == 9 * 1024
