"""The machine, the versions and the settings under which numbers are made, read without PyTorch."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

from benchmarks.records.files import read_file
from benchmarks.records.limits import cpu_quota, fast_cores, job_cpus, load_average, memory_limit
from benchmarks.records.manifest import write_own
from benchmarks.records.record import Environment

__all__ = [
    "FILE",
    "effective_cpus",
    "gpus",
    "host_mark",
    "observe",
    "read_environment",
    "read_machines",
    "write_environment",
]

FILE = "environment.json"
PACKAGES = (
    "torch", "torchvision", "fvcore", "torchinfo", "numpy", "scipy", "pandas", "onnxruntime", "openvino", "h5py",
    "keras", "timm",
)  # fmt: skip
KIND = "BENCHMARKS_MACHINE"  # what a person says of a machine that it cannot tell itself, such as its cloud's type
INSTRUCTIONS = ("avx512_vnni", "avx512f", "avx2", "avx", "sse4_2", "sve", "asimd")  # the widest first
# what only says for which instructions a processor is made: two processors of one family are not equal by that
FAMILIES = ("", "x86_64", "amd64", "i386", "i686", "arm", "arm64", "aarch64", "armv7l", "riscv64", "unknown")
FLAGS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OMP_WAIT_POLICY", "KMP_AFFINITY", "LD_PRELOAD", "ONEDNN_MAX_CPU_ISA")


def observe(command: str, *, torch_details: Mapping[str, str] | None = None) -> Environment:
    """What can be told of this machine and these versions.

    Args:
        command: the command line.
        torch_details: what PyTorch says of itself (`benchmarks.measure.worker.describe_torch`).
    """
    return Environment(
        machine=_machine(), software=_software(dict(torch_details or {})), command=command, state=_state()
    )


def effective_cpus() -> int:
    """Processors this process may use: by affinity, by the quotas of its control groups, by the job it is in."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limits = [allowed, *(limit for limit in (cpu_quota(), job_cpus(), fast_cores()) if limit is not None)]
    return max(1, math.floor(min(limits)))


def write_environment(environment: Environment, folder: Path) -> None:
    """Writes `environment.json`; the facts of machines that made earlier records of the folder are kept in it."""
    data = {
        "id": environment.id,
        "machine_id": environment.machine_id,
        **asdict(environment),
        "machines": {**read_machines(folder), environment.machine_id: environment.machine},
    }
    write_own(folder / FILE, json.dumps(data, indent=2, default=str) + "\n")


def read_environment(folder: Path) -> Environment | None:
    """The environment of an output folder, or None where there is none that can be read."""
    try:
        data = json.loads(read_file(folder / FILE))
        return Environment(
            machine=dict(data["machine"]),
            software=dict(data["software"]),
            command=str(data["command"]),
            state=dict(data.get("state", {})),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def read_machines(folder: Path) -> dict[str, Mapping[str, Any]]:
    """`Environment.machine` by `Environment.machine_id`, of every machine that made records of an output folder."""
    try:
        data = json.loads(read_file(folder / FILE))
        return {data["machine_id"]: data["machine"], **data.get("machines", {})}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _machine() -> dict[str, Any]:
    return {
        "cpu": _cpu_model(),
        "architecture": platform.machine(),
        "cpus": psutil.cpu_count(),
        "cores": psutil.cpu_count(logical=False),
        "instructions": _instructions(),
        "caches": _caches(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9),
        "gpus": gpus(),
        "system": platform.system(),
        **({"kind": kind} if (kind := os.environ.get(KIND)) else {}),
    }


def _software(torch_details: dict[str, str]) -> dict[str, Any]:
    return {
        "os": _os_name(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
        "commit": _commit(),
        "flags": {name: value for name in FLAGS if (value := os.environ.get(name))},
        "aslr": _read("/proc/sys/kernel/randomize_va_space"),
        "governor": _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "torch": torch_details,
    }


def _state() -> dict[str, Any]:
    frequency = None
    with contextlib.suppress(OSError, NotImplementedError, AttributeError):
        found = psutil.cpu_freq()
        frequency = found.current if found else None
    return {
        "utc": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "load": list(load_average()),
        "available_gb": round(psutil.virtual_memory().available / 1e9, 1),
        "cpu_mhz": frequency,
        "effective_cpus": effective_cpus(),
        "uptime_s": round(time.time() - psutil.boot_time()),
        "cgroup_quota_cpus": cpu_quota(),
        "job_cpus": job_cpus(),
        "cgroup_memory_gb": None if (limit := memory_limit()) is None else round(limit / 1e9, 1),
        "affinity": sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
    }


def _cpu_model() -> str:
    """The processor by a name that no other kind of processor has; where none can be found out, this machine's own."""
    for found in (_named_by_linux, _named_by_arm, _named_by_apple, _named_by_windows, platform.processor):
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            name = " ".join(found().split())
            if name and name.lower() not in FAMILIES:
                return name
    return f"{platform.machine() or 'processor'} of unknown make, host {host_mark()}"


def host_mark() -> str:
    """What tells this host from others, without its name: records are shown to people."""
    return hashlib.sha256(platform.node().encode()).hexdigest()[:8]


def _named_by_linux() -> str:
    return next((value for name, value in _cpu_facts() if name == "model name"), "")


def _named_by_arm() -> str:
    """The kinds of cores by the numbers that every maker gives them, and the board they are on."""
    cores: dict[str, None] = {}
    core: dict[str, str] = {}
    for name, value in (*_cpu_facts(), ("processor", "")):
        if name == "processor" and core.keys() >= {"CPU implementer", "CPU part"}:
            numbers = (core.get(f"CPU {part}", "?") for part in ("implementer", "part", "variant", "revision"))
            cores["Arm core {}:{} r{}p{}".format(*numbers)] = None
        core = {} if name == "processor" else core | {name: value}
    boards = ("/sys/devices/virtual/dmi/id/sys_vendor", "/sys/devices/virtual/dmi/id/product_name",
              "/proc/device-tree/model")  # fmt: skip
    board = " ".join((_read(path) or "").strip("\0") for path in boards).strip()
    return f"{' + '.join(cores)} in {board}" if cores and board else ""


def _named_by_apple() -> str:
    if platform.system() != "Darwin":
        return ""
    asked = ["sysctl", "-n", "machdep.cpu.brand_string", "hw.model"]
    return subprocess.run(asked, capture_output=True, encoding="utf-8", timeout=10, check=True).stdout


def _named_by_windows() -> str:
    if sys.platform != "win32":
        return ""
    import winreg

    with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"HARDWARE\DESCRIPTION\System\CentralProcessor\0") as key:
        return str(winreg.QueryValueEx(key, "ProcessorNameString")[0])


def _cpu_facts() -> list[tuple[str, str]]:
    """Name and value of every line of Linux's description of the processors."""
    lines = (_read("/proc/cpuinfo") or "").splitlines()
    return [(name.strip(), value.strip()) for name, colon, value in (line.partition(":") for line in lines) if colon]


def _instructions() -> str:
    """The widest vectors the processor computes with: two machines without the same differ in the last bits."""
    flags = {flag for name, value in _cpu_facts() if name in ("flags", "Features") for flag in value.split()}
    return next((name for name in INSTRUCTIONS if name in flags), "")


def _caches() -> dict[str, str]:
    """Size of each cache one core sees."""
    found = {}
    for folder in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, kind, size = (_read(folder / name) for name in ("level", "type", "size"))
        if level and size:
            found[f"L{level}{'' if kind == 'Unified' else (kind or '')[:1].lower()}"] = size
    return found


def gpus() -> list[str]:
    """What NVIDIA's GPUs of this machine are called."""
    names = []
    for path in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")):
        for line in (_read(path) or "").splitlines():
            if line.startswith("Model:"):
                names.append(line.partition(":")[2].strip())
    return names


def _os_name() -> str:
    with contextlib.suppress(OSError):
        return platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    return platform.platform()


def _commit() -> str:
    """The commit of this checkout, marked when files differ from it; empty for an installed package."""
    folder = Path(__file__).resolve().parents[2]
    if not (folder / ".git").exists():
        return ""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, encoding="utf-8", timeout=10, check=True
        ).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no", "--", "zoo", "benchmarks")
        return git("rev-parse", "HEAD") + ("-dirty" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return ""


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _read(path: str | Path) -> str | None:
    with contextlib.suppress(OSError):
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    return None
