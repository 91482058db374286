"""What the processor multiplies bytes with: on some, sums of two products are cut off at 16 bits.

Without VNNI (AVX-512 VNNI, AVX-VNNI) an x86 processor adds pairs of products of bytes into 16 bits, which overflow
where both weights are large: the same file answers worse there. Weights of 7 bits avoid it. Arm's dot products, and
whatever is not known here, add into 32 bits.
"""

from __future__ import annotations

import platform
from functools import cache
from pathlib import Path

__all__ = ["BASE", "VNNI", "instruction_set", "saturates"]

BASE = "x86-64 without VNNI"
VNNI = {"avx512_vnni": "AVX-512 VNNI", "avx_vnni": "AVX-VNNI"}  # as Linux writes it, and as people do
X86 = ("x86_64", "amd64", "i386", "i686")


@cache
def instruction_set() -> str:
    """What 8-bit products are added with on this machine, in words; of other processors than x86 their kind."""
    machine = platform.machine() or "unknown"
    if machine.lower() not in X86:
        return machine
    flags = _flags()
    return next((title for flag, title in VNNI.items() if flag in flags), BASE)


def saturates(instructions: str | None = None) -> bool:
    """Whether sums of 8-bit products may be cut off: on this machine, or on one of the named instruction set."""
    return (instruction_set() if instructions is None else instructions) == BASE


def _flags() -> frozenset[str]:
    """What the processor says it has; empty where the system does not tell, which counts as without VNNI."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return frozenset()
    return frozenset(word for line in lines if line.startswith("flags") for word in line.split(":", 1)[-1].split())
