"""Names of files that every system can hold: those of this project, and those that it makes."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

import zoo
from benchmarks.report.publish import written
from zoo.training.folder import folder_name

ROOT = Path(__file__).parents[1]
FORBIDDEN = re.compile(r'[:*?"<>|\\\x00-\x1f]|[. ]$')
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def sound(path: str) -> bool:
    return not any(FORBIDDEN.search(part) or RESERVED.fullmatch(part) for part in path.split("/"))


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="no clone")
def test_every_tracked_file_can_be_checked_out_anywhere() -> None:
    said = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, encoding="utf-8", check=True).stdout
    names = said.strip("\0").split("\0")
    assert [name for name in names if not sound(name)] == []
    assert [name for name, count in Counter(name.casefold() for name in names).items() if count > 1] == []


def test_every_name_that_is_made_can_be_held_anywhere() -> None:
    made = [folder_name(name, "fashion_mnist") for name in zoo.list_models()]
    made += [
        folder_name(name, data) for name in ("mobilenet_v1:width=0.5", "aux", 'a"b<c>|d*?') for data in ("a:b", "con ")
    ]
    assert [name for name in made if not sound(name)] == []
    assert [name for name in written() if not sound(name.replace("*", "x"))] == []
    assert len({name.casefold() for name in made}) == len(made)
