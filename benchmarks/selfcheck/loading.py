"""How fast and how lean a checkpoint becomes a network, beside torchvision's own way.

    python -m benchmarks.selfcheck.loading --output reports/loading.md

One file of random weights, two ways to a VGG-16: `zoo.create("vgg16", weights=FILE)`, and torchvision's `vgg16()`
followed by `load_state_dict(torch.load(FILE))`. Each repetition is a process of its own that has imported PyTorch,
torchvision and the zoo; the two ways take turns. The zoo maps the file instead of reading it, so each way is timed
twice: until the call returns, and until every weight has been read once. Memory is the peak of the process from the
first call to the last weight read, above what it held before.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.report.bars import origin

__all__ = ["Loading", "measure", "table"]

WAYS = ("zoo", "torchvision")
SPEED_BAR = 5.0  # torchvision's seconds over the zoo's, at least
MEMORY_BAR = 1.2  # the zoo's peak over the size of the file, at most


@dataclass(frozen=True, slots=True, kw_only=True)
class Loading:
    """One repetition.

    Args:
        way: "zoo" or "torchvision".
        call_s: seconds until the network is there.
        read_s: seconds until each of its weights was read too.
        peak_bytes: peak resident memory above what the process held before.
    """

    way: str
    call_s: float
    read_s: float
    peak_bytes: int


def measure(model: str, path: Path, repetitions: int) -> list[Loading]:
    """Runs both ways in turn, each repetition in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.selfcheck.loading", "--model", model, "--file", str(path), "--way"]
    found = []
    for _ in range(repetitions):
        for way in WAYS:
            answer = subprocess.run([*command, way], check=True, capture_output=True, text=True)
            found.append(Loading(**json.loads(answer.stdout.splitlines()[-1])))
    return found


def _once(model: str, path: Path, way: str) -> Loading:
    """One repetition, in this process."""
    import torch
    import torchvision

    import zoo

    gc.collect()
    before_bytes = _reset_peak()
    start = time.perf_counter()
    network: torch.nn.Module
    if way == "zoo":
        network = zoo.create(model, weights=path)
    else:
        network = torchvision.models.get_model(model, weights=None)
        network.load_state_dict(torch.load(path))
    called = time.perf_counter()
    for tensor in network.state_dict().values():
        tensor.sum()
    end = time.perf_counter()
    return Loading(way=way, call_s=called - start, read_s=end - start, peak_bytes=_peak_bytes() - before_bytes)


def _reset_peak() -> int:
    """Starts the count of the peak anew (Linux) and returns the resident memory in bytes."""
    Path("/proc/self/clear_refs").write_text("5")
    return _status_bytes("VmRSS")


def _peak_bytes() -> int:
    return _status_bytes("VmHWM")


def _status_bytes(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"/proc/self/status has no {field}")


def write_random_weights(model: str, path: Path) -> None:
    """A file as torchvision would save it, with random weights."""
    import torch
    import torchvision

    network = torchvision.models.get_model(model, weights=None)
    torch.save(network.state_dict(), path)


def table(model: str, file_bytes: int, found: Sequence[Loading]) -> str:
    """The repetitions as Markdown: the best of each way, ratios, and whether the bars hold."""
    zoo, torchvision = ([loading for loading in found if loading.way == way] for way in WAYS)
    lines = [
        f"# Loading {model}",
        "",
        f"`zoo.create({model!r}, weights=FILE)` against torchvision's `{model}()` and "
        f"`load_state_dict(torch.load(FILE))`; a file of {file_bytes / 1e6:.0f} MB, {len(zoo)} repetitions each in a "
        f"process of its own, in turn, best of each; {os.cpu_count()} cores.",
        "",
        "| | zoo | torchvision | ratio | bar |",
        "|:--|--:|--:|--:|:--|",
        _row("until the call returns, s", zoo, torchvision, "call_s", f"at least {SPEED_BAR:g}"),
        _row("until every weight was read, s", zoo, torchvision, "read_s", f"at least {SPEED_BAR:g}"),
        f"| peak memory / file size | {_peak(zoo) / file_bytes:.2f} | {_peak(torchvision) / file_bytes:.2f} | "
        f"{_peak(torchvision) / _peak(zoo):.1f} | zoo at most {MEMORY_BAR:g} |",
        "",
        f"Bars: {'reached' if reached(file_bytes, found) else 'NOT reached'}.",
        "",
    ]
    return "\n".join(lines)


def reached(file_bytes: int, found: Sequence[Loading]) -> bool:
    """Whether the zoo is fast enough by both clocks, and lean enough."""
    zoo, torchvision = ([loading for loading in found if loading.way == way] for way in WAYS)
    fast = all(_best(torchvision, clock) >= SPEED_BAR * _best(zoo, clock) for clock in ("call_s", "read_s"))
    return fast and _peak(zoo) <= MEMORY_BAR * file_bytes


def _row(title: str, zoo: Sequence[Loading], torchvision: Sequence[Loading], clock: str, bar: str) -> str:
    ours, theirs = _best(zoo, clock), _best(torchvision, clock)
    return f"| {title} | {ours:.3f} | {theirs:.3f} | {theirs / ours:.1f} | {bar} |"


def _best(loadings: Sequence[Loading], clock: str) -> float:
    return min(float(getattr(loading, clock)) for loading in loadings)


def _peak(loadings: Sequence[Loading]) -> int:
    """The largest peak: memory is to be promised, not to be lucky with."""
    return max(loading.peak_bytes for loading in loadings)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.selfcheck.loading", description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="vgg16", help="a model that torchvision has under the same name")
    parser.add_argument("--repetitions", type=int, default=5, metavar="N")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the table to a Markdown file")
    parser.add_argument(
        "--file", type=Path, help="weights in torchvision's layout; default: random ones, written first"
    )
    parser.add_argument("--way", choices=WAYS, help="one repetition in this process, as JSON")
    given = parser.parse_args(arguments)
    if given.way:
        loading = _once(given.model, given.file, given.way)
        print(json.dumps({name: getattr(loading, name) for name in loading.__slots__}))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        path = given.file or Path(folder) / f"{given.model}.pth"
        if not given.file:
            write_random_weights(given.model, path)
        found = measure(given.model, path, given.repetitions)
        text = table(given.model, path.stat().st_size, found)
        held = reached(path.stat().st_size, found)
    text += "\n" + origin("python -m benchmarks.selfcheck.loading", arguments) + "\n"
    if given.output:
        given.output.parent.mkdir(parents=True, exist_ok=True)
        given.output.write_text(text)
    print(text)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
