"""Memory that a training frees: kept for the next step or handed back."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

# megabytes that a process holds after freeing a block of each size
SCRIPT = """
import sys
from pathlib import Path
import torch
from zoo.training.devices import keep_freed_memory
assert keep_freed_memory(reserve=0, **eval(sys.argv[1]))
def held():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6
for megabytes in map(int, sys.argv[2:]):
    before = held()
    block = torch.ones(megabytes << 18)
    del block
    print(round(held() - before))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ({}, (True, True)),
        ({"lean": True}, (False, False)),
        ({"lean": True, "large": 32 << 20}, (True, False)),
    ],
    ids=str,
)
def test_blocks_are_kept_unless_they_are_large_and_memory_is_to_be_lean(
    settings: dict[str, int], kept: tuple[bool, ...]
) -> None:
    command = [sys.executable, "-c", SCRIPT, str(settings), "20", "60"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    held = [int(line) for line in done.stdout.split()]
    assert tuple(megabytes > 10 for megabytes in held) == kept
