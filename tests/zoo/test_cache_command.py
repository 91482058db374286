"""`zoo cache`: everything that is kept is shown, and only that is cleared."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zoo
from zoo.__main__ import main
from zoo.data.store import Stamp, Store


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One of each kind, and a stranger beside each."""
    monkeypatch.setenv("ZOO_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    store = Store({"data": "photos", "images": "4 of at most 24 pixels", "folder": "/my/photos"}, 4, 10**6)
    store.open()
    store.put(0, Stamp(1, 2), np.zeros((20, 30, 3), np.uint8))
    weights = zoo.spec("resnet18").weights[0].file_name
    for name in (
        "cache/mult_adds.json", "cache/runtimes/abc.json", f"torch/hub/checkpoints/{weights}",
        "torch/datasets/FashionMNIST/raw/a.gz",
        "cache/mine.txt", "cache/images/mine/photo.jpg", "cache/images/note.txt", "torch/hub/checkpoints/theirs.pth",
    ):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x" * 1000)
    return tmp_path


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    assert main(["cache", "--json", *arguments]) == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return found


def test_all_that_is_kept_is_shown(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = shown(capsys)
    assert [one["kind"] for one in found] == ["images", "answers", "answers", "weights", "data"]
    assert found[0]["what"] == "photos: 4 of at most 24 pixels, of /my/photos"
    assert 1800 < found[0]["bytes"] < 4000 and [one["bytes"] for one in found[1:]] == [1000] * 4
    assert main(["cache"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["kind", "MB", "last", "used", "what", "where"] and len(lines) == 7
    assert "4 of at most 24 pixels, of /my/photos" in lines[1] and "resnet18" in lines[4]


@pytest.mark.parametrize(
    ("kinds", "gone"),
    [
        ((), {"images", "answers"}), (("images",), {"images"}), (("answers",), {"answers"}),
        (("weights", "data"), {"weights", "data"}),
    ],
)  # fmt: skip
def test_what_is_named_is_cleared_and_nothing_else(
    kept: Path, capsys: pytest.CaptureFixture[str], kinds: tuple[str, ...], gone: set[str]
) -> None:
    before = shown(capsys)
    assert main(["cache", "--clear", *kinds]) == 0
    assert f"{sum(one['kind'] in gone for one in before)} removed, 0.0 MB" in capsys.readouterr().out
    assert shown(capsys) == [one for one in before if one["kind"] not in gone]
    for stranger in ("mine.txt", "images/mine/photo.jpg", "images/note.txt"):
        assert (kept / "cache" / stranger).is_file()
    assert (kept / "torch/hub/checkpoints/theirs.pth").is_file()


def test_nothing_kept_and_what_is_mistyped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ZOO_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    assert main(["cache"]) == 0 and "nothing is kept in" in capsys.readouterr().out
    assert main(["cache", "--clear"]) == 0 and "0 removed" in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        main(["cache", "--clear", "everything"])
    assert ended.value.code == 2 and "images" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_it_needs_no_pytorch() -> None:
    script = "import sys; from zoo.__main__ import main; main(['cache']); sys.exit('torch' in sys.modules)"
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", script], check=False, cwd=root, capture_output=True).returncode == 0
