"""Which machine this is, and what of it a run may take: no two machines are one by what is not known of them."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from benchmarks.records import environment, limits
from benchmarks.records.environment import effective_cpus, observe
from benchmarks.records.limits import available_memory, cpu_quota, memory_limit
from benchmarks.records.record import Environment

EPYC = "processor\t: 0\nmodel name\t: AMD EPYC\nflags\t\t: fpu avx2\n"
NEOVERSE = "CPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x3\nCPU part\t: 0xd0c\nCPU revision\t: 1\n"
CORTEX = NEOVERSE.replace("0xd0c", "0xd0b")
GIB = 1 << 30


def arm(*cores: str) -> str:
    return "\n".join(f"processor\t: {number}\n{core}" for number, core in enumerate(cores))


def machine_with(monkeypatch: pytest.MonkeyPatch, files: dict[str, str], **system: str) -> str:
    """The processor's name where these files can be read and `platform` says this."""
    with monkeypatch.context() as patch:
        patch.setattr(environment, "_read", lambda path: files.get(str(path)))
        for name, answer in ({"system": "Linux", "machine": "aarch64", "processor": "", "node": "a"} | system).items():
            patch.setattr(environment.platform, name, lambda answer=answer: answer)
        return environment._cpu_model()


CPUINFO, VENDOR, PRODUCT, BOARD = (
    "/proc/cpuinfo", "/sys/devices/virtual/dmi/id/sys_vendor", "/sys/devices/virtual/dmi/id/product_name",
    "/proc/device-tree/model",
)  # fmt: skip


def test_a_processor_with_a_name_goes_by_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine_with(monkeypatch, {CPUINFO: EPYC}, machine="x86_64") == "AMD EPYC"


def test_arm_processors_go_by_their_cores_and_their_board(monkeypatch: pytest.MonkeyPatch) -> None:
    amazon = {CPUINFO: arm(NEOVERSE, NEOVERSE), VENDOR: "Amazon EC2", PRODUCT: "c6g.large"}
    ampere = amazon | {VENDOR: "Ampere", PRODUCT: "Altra"}
    pie = {CPUINFO: arm(CORTEX, NEOVERSE), BOARD: "Raspberry Pi 5\0"}
    names = [machine_with(monkeypatch, files) for files in (amazon, ampere, pie)]
    assert names == [
        "Arm core 0x41:0xd0c r0x3p1 in Amazon EC2 c6g.large",
        "Arm core 0x41:0xd0c r0x3p1 in Ampere Altra",
        "Arm core 0x41:0xd0b r0x3p1 + Arm core 0x41:0xd0c r0x3p1 in Raspberry Pi 5",
    ]


@pytest.mark.parametrize("files", [{}, {CPUINFO: arm(NEOVERSE)}, {CPUINFO: "processor : 0\n"}, {BOARD: "A board"}])
@pytest.mark.parametrize("processor", ["", "aarch64", "arm"])
def test_machines_of_which_too_little_is_known_are_never_one(
    monkeypatch: pytest.MonkeyPatch, files: dict[str, str], processor: str
) -> None:
    one, other, again = (
        machine_with(monkeypatch, files, processor=processor, node=node)
        for node in ("one.host", "other.host", "one.host")
    )
    assert one != other and one == again and "one.host" not in one


def test_apples_go_by_chip_and_model(monkeypatch: pytest.MonkeyPatch) -> None:
    class Ran:
        stdout = "Apple M2 Pro\nMac14,10\n"

    monkeypatch.setattr(environment.subprocess, "run", lambda *_, **__: Ran)
    assert machine_with(monkeypatch, {}, system="Darwin", machine="arm64", processor="arm") == "Apple M2 Pro Mac14,10"


@contextlib.contextmanager
def groups(monkeypatch: pytest.MonkeyPatch, folder: Path, lines: str, files: dict[str, str]) -> Iterator[None]:
    for name, content in files.items():
        path = folder / "mount" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    (folder / "groups").write_text(lines)
    with monkeypatch.context() as patch:
        patch.setattr(limits, "GROUPS", folder / "groups")
        patch.setattr(limits, "MOUNT", folder / "mount")
        yield


VERSION2 = {
    "cpu.max": "max 100000\n",
    "outer/cpu.max": "150000 100000\n",
    "outer/inner/cpu.max": "max 100000\n",
    "outer/memory.max": f"{8 * GIB}\n",
    "outer/memory.current": f"{7 * GIB}\n",
    "outer/memory.stat": f"anon {5 * GIB}\ninactive_file {2 * GIB}\n",
    "outer/inner/memory.max": "max\n",
    "other/cpu.max": "10000 100000\n",
}
VERSION1 = {
    "cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
    "cpu,cpuacct/cpu.cfs_period_us": "100000\n",
    "cpu,cpuacct/outer/cpu.cfs_quota_us": "150000\n",
    "cpu,cpuacct/outer/cpu.cfs_period_us": "100000\n",
    "cpu,cpuacct/outer/inner/cpu.cfs_quota_us": "400000\n",
    "cpu,cpuacct/outer/inner/cpu.cfs_period_us": "100000\n",
    "memory/memory.limit_in_bytes": "9223372036854771712\n",
    "memory/outer/memory.limit_in_bytes": f"{8 * GIB}\n",
    "memory/outer/memory.usage_in_bytes": f"{7 * GIB}\n",
    "memory/outer/memory.stat": f"cache 1\ntotal_inactive_file {2 * GIB}\n",
    "memory/outer/inner/memory.limit_in_bytes": f"{16 * GIB}\n",
    "memory/outer/inner/memory.usage_in_bytes": f"{GIB}\n",
}


@pytest.mark.parametrize(
    ("lines", "files"),
    [
        ("0::/outer/inner\n", VERSION2),
        ("3:memory:/outer/inner\n2:cpu,cpuacct:/outer/inner\n1:name=systemd:/x\n", VERSION1),
        ("3:memory:/outer/inner\n2:cpu,cpuacct:/outer/inner\n0::/\n", VERSION1 | {"unified/cgroup.procs": ""}),
    ],
)
def test_the_narrowest_limit_of_nested_groups_counts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lines: str, files: dict[str, str]
) -> None:
    with groups(monkeypatch, tmp_path, lines, files):
        assert cpu_quota() == 1.5 and memory_limit() == 8 * GIB
        assert available_memory() == min(3 * GIB, psutil.virtual_memory().available)
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
        assert effective_cpus() == 1
        state = observe("test").state
    assert state["cgroup_quota_cpus"] == 1.5 and state["cgroup_memory_gb"] == 8.6


@pytest.mark.parametrize(
    ("lines", "files"),
    [
        ("", {}),
        ("0::/gone/elsewhere\n", {"cpu.max": "max 100000\n"}),
        ("0::/../../host\n", {"cpu.max": "100000 100000\n"}),
        ("0::/\n", {"cpu.max": "many words\n", "memory.max": "\n"}),
    ],
)
def test_groups_without_a_limit_that_can_be_read_limit_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lines: str, files: dict[str, str]
) -> None:
    with groups(monkeypatch, tmp_path, lines, files):
        assert cpu_quota() is None and memory_limit() is None
        assert available_memory() > 0


@pytest.mark.parametrize(
    "confine",
    [
        lambda patch: patch.setattr(os, "sched_getaffinity", lambda _: {0}, raising=False),
        lambda patch: patch.setattr(environment, "cpu_quota", lambda: 0.5),
        lambda patch: patch.setattr(environment, "memory_limit", lambda: GIB),
    ],
)
def test_a_process_with_less_of_the_machine_is_on_the_same_machine(
    monkeypatch: pytest.MonkeyPatch, confine: Callable[[Any], None]
) -> None:
    free = observe("test")
    confine(monkeypatch)
    confined = observe("test")
    assert (confined.machine_id, confined.id) == (free.machine_id, free.id)
    assert dict(confined.state) != dict(free.state)


def test_caches_are_told_by_level_and_kind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    kinds = [("1", "Data", "48K"), ("1", "Instruction", "32K"), ("2", "Unified", "2048K"), ("3", "Unified", "")]
    for number, values in enumerate(kinds):
        folder = tmp_path / f"index{number}"
        folder.mkdir()
        for name, value in zip(("level", "type", "size"), values, strict=True):
            (folder / name).write_text(value)
    monkeypatch.setattr(environment, "Path", lambda path: tmp_path if str(path).startswith("/sys") else Path(path))
    assert environment._caches() == {"L1d": "48K", "L1i": "32K", "L2": "2048K"}


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({"status": "", "rev-parse": "0123abc"}, "0123abc"),
        ({"status": " M zoo/spec.py", "rev-parse": "0123abc"}, "0123abc-dirty"),
        ({}, ""),
    ],
)
def test_a_commit_says_whether_files_differ_from_it(
    answers: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        asked.append(command)
        if command[3] not in answers:
            raise subprocess.CalledProcessError(128, command)
        return subprocess.CompletedProcess(command, 0, stdout=f"{answers[command[3]]}\n")

    (tmp_path / ".git").mkdir()
    (tmp_path / "benchmarks" / "records").mkdir(parents=True)
    monkeypatch.setattr(environment, "__file__", str(tmp_path / "benchmarks" / "records" / "environment.py"))
    monkeypatch.setattr(environment.subprocess, "run", run)
    assert environment._commit() == expected
    assert all(command[:3] == ["git", "-C", str(tmp_path)] for command in asked)
    (tmp_path / ".git").rmdir()
    asked.clear()
    assert environment._commit() == "" and not asked


def test_the_system_has_the_name_it_gives_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment.platform, "freedesktop_os_release", lambda: {"PRETTY_NAME": "Debian 12"})
    assert environment._os_name() == "Debian 12"
    monkeypatch.setattr(environment.platform, "freedesktop_os_release", dict)
    assert environment._os_name() == environment.platform.system()

    def refuse() -> None:
        raise OSError

    monkeypatch.setattr(environment.platform, "freedesktop_os_release", refuse)
    assert environment._os_name() == environment.platform.platform()


def test_what_was_available_is_told_in_gigabytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment.psutil, "virtual_memory", lambda: SimpleNamespace(available=12_340_000_000))
    assert environment._state()["available_gb"] == 12.3
    found = Environment(machine={"cpu": "one"}, software={"torch": "2"}, command="", state={})
    other = dataclasses.replace(found, software={"torch": "3"}, command="another")
    assert found.machine_id == other.machine_id and found.id != other.id
    assert {len(name) for name in (found.id, found.machine_id)} == {12}


def test_gpus_are_told_by_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for number, text in enumerate(("Model: \t NVIDIA H100\nIRQ: 7\n", "IRQ: 8\n", "Model: NVIDIA L4\n")):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "information").write_text(text)
    monkeypatch.setattr(environment, "Path", lambda path: tmp_path if str(path).startswith("/proc") else Path(path))
    assert environment.gpus() == ["NVIDIA H100", "NVIDIA L4"]


def test_what_a_run_had_of_the_machine_is_told_in_units_of_people(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment.time, "time", lambda: 5000.4)
    monkeypatch.setattr(environment.psutil, "boot_time", lambda: 1000.0)
    monkeypatch.setattr(environment.psutil, "cpu_freq", lambda: SimpleNamespace(current=2900.0))
    monkeypatch.setattr(environment, "load_average", lambda: (0.5, 0.25, 0.0))
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {9, 1, 8}, raising=False)
    for name, value in (("memory_limit", 2_540_000_000), ("cpu_quota", 1.5), ("job_cpus", None)):
        monkeypatch.setattr(environment, name, lambda value=value: value)
    found = environment._state()
    assert (found["uptime_s"], found["cgroup_memory_gb"], found["cgroup_quota_cpus"]) == (4000, 2.5, 1.5)
    assert (found["load"], found["cpu_mhz"], found["job_cpus"]) == ([0.5, 0.25, 0.0], 2900.0, None)
    assert found["affinity"] == [1, 8, 9]
    assert found["effective_cpus"] == 1  # of a quota of one and a half
    monkeypatch.setattr(environment.psutil, "cpu_freq", lambda: None)
    monkeypatch.setattr(environment, "memory_limit", lambda: None)
    found = environment._state()
    assert found["cpu_mhz"] is None and found["cgroup_memory_gb"] is None


def test_a_machine_is_told_by_what_does_not_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment.psutil, "virtual_memory", lambda: SimpleNamespace(total=25_400_000_000))
    monkeypatch.setattr(environment.psutil, "cpu_count", lambda logical=True: 4 if logical else 2)
    monkeypatch.delenv(environment.KIND, raising=False)
    found = environment._machine()
    assert (found["memory_gb"], found["cpus"], found["cores"]) == (25, 4, 2) and "kind" not in found
    monkeypatch.setenv(environment.KIND, "c7i.large")
    assert environment._machine() == found | {"kind": "c7i.large"}


@pytest.mark.parametrize(
    ("limits_", "expected"), [({}, 3), ({"cpu_quota": 2.9}, 2), ({"cpu_quota": 0.5}, 1), ({"job_cpus": 1}, 1),
                              ({"fast_cores": 2, "job_cpus": 3}, 2), ({"cpu_quota": 9.0}, 3)]
)  # fmt: skip
def test_the_narrowest_of_all_limits_tells_the_processors(
    limits_: dict[str, float], expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2} if pid == 0 else {0}, raising=False)
    for name in ("cpu_quota", "job_cpus", "fast_cores"):
        monkeypatch.setattr(environment, name, lambda name=name: limits_.get(name))
    assert effective_cpus() == expected
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert effective_cpus() == 1
