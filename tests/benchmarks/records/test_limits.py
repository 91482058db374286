"""What a job and a machine leave to a process."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import psutil
import pytest

from benchmarks.records import limits
from benchmarks.records.limits import fast_cores, job_cpus, load_average

ON_NODE, PER_NODE = "SLURM_CPUS_ON_NODE", "SLURM_JOB_CPUS_PER_NODE"


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, None),
        ({ON_NODE: "24"}, 24),
        ({ON_NODE: " 1 "}, 1),
        ({PER_NODE: "24(x2)"}, 24),
        ({PER_NODE: "24,16(x3)"}, 16),
        ({PER_NODE: "8(x2), 16"}, 8),
        ({ON_NODE: "4", PER_NODE: "24(x2)"}, 4),
        ({ON_NODE: "many", PER_NODE: "24(x2)"}, 24),
        ({PER_NODE: "24,0"}, None),
        ({PER_NODE: "24,"}, None),
        ({PER_NODE: "0"}, None),
    ],
)
def test_what_slurm_gave(
    variables: dict[str, str], expected: int | None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in (ON_NODE, PER_NODE):
        monkeypatch.delenv(name, raising=False)
    for name, text in variables.items():
        monkeypatch.setenv(name, text)
    assert job_cpus() == expected
    misunderstood = [text for text in variables.values() if text in ("many", "24,0", "24,", "0")]
    assert [text in record.getMessage() for text, record in zip(misunderstood, caplog.records, strict=True)] == [
        True
    ] * len(misunderstood)


@pytest.fixture
def asked_anew() -> Iterator[None]:
    fast_cores.cache_clear()
    yield
    fast_cores.cache_clear()


@pytest.mark.parametrize(
    ("system", "said", "expected"),
    [("Darwin", "4\n", 4), ("Darwin", "0\n", None), ("Darwin", "unknown oid", None), ("Linux", "4\n", None)],
)
def test_apples_fast_cores(
    system: str, said: str, expected: int | None, asked_anew: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits.platform, "system", lambda: system)
    answer = subprocess.CompletedProcess([], 0, stdout=said)
    monkeypatch.setattr(limits.subprocess, "run", lambda *_, **__: answer)
    assert fast_cores() == expected


def test_an_intel_mac_has_no_fast_cores(asked_anew: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise subprocess.CalledProcessError(1, "sysctl")

    monkeypatch.setattr(limits.platform, "system", lambda: "Darwin")
    monkeypatch.setattr(limits.subprocess, "run", refuse)
    assert fast_cores() is None


def test_the_load_is_the_systems_and_zeros_where_nothing_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "getloadavg", lambda: (1.5, 1.0, 0.5))
    assert load_average() == (1.5, 1.0, 0.5)

    def refuse() -> None:
        raise OSError

    monkeypatch.setattr(psutil, "getloadavg", refuse)
    assert load_average() == (0.0, 0.0, 0.0)
