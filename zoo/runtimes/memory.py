"""Which runtime was the fastest, kept on disk for the next opening of such a network on such images."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.cache import cache_folder
from zoo.lazy import torch
from zoo.runtimes.session import Runtime, unavailable

if TYPE_CHECKING:
    from zoo.classifier import Classifier

__all__ = ["Choice", "place_of", "recall", "remember"]

log = logging.getLogger(__name__)

LARGEST = 1 << 20  # bytes; a longer file is none of ours


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a race came to, as far as the next opening needs it.

    Args:
        ranking: the runtimes that are right, the one to use first.
        relative: time of each of them divided by the first one's.
        call_s: seconds of a call of the first.
        opening_s: seconds that opening each took.
        noisy: whether other programs kept the processors busy meanwhile.
        races: how many have been held for this question.
        confirmed: later openings at which the first held against the second.
    """

    ranking: tuple[str, ...]
    relative: Mapping[str, float]
    call_s: float
    opening_s: Mapping[str, float]
    noisy: bool
    races: int
    confirmed: int = 0

    def mended(self, rival: str, ratio: float) -> Choice:
        """With `rival` first, whose time is that of the first so far divided by `ratio`."""
        others = tuple(name for name in self.ranking if name != rival)
        relative = {name: ratio * value for name, value in self.relative.items()} | {rival: 1.0}
        ranking = (rival, *others)
        return replace(self, ranking=ranking, relative=relative, call_s=self.call_s / ratio, confirmed=0)


def place_of(model: Classifier, images: torch.Tensor, runtimes: Mapping[str, Runtime]) -> Path | None:
    """The file for the choice of a runtime for such a network and images, on this machine, with this software."""
    try:
        return cache_folder() / "runtimes" / f"{_question(model, images, runtimes)}.json"
    except Exception as error:  # files of the project or of the user that cannot be read: nothing is remembered
        log.warning("the choice of a runtime cannot be kept: %s: %s", type(error).__name__, error)
        return None


def recall(place: Path | None) -> Choice | None:
    """What was kept; None if there is nothing or something else."""
    try:
        if place is None or not place.is_file() or place.stat().st_size > LARGEST:
            return None
        kept = json.loads(place.read_text(encoding="utf-8"))
        return Choice(
            ranking=tuple(str(name) for name in (kept["runtime"], *kept["next"])),
            relative={str(name): float(value) for name, value in kept["relative"].items()},
            call_s=float(kept["call_s"]),
            opening_s={str(name): float(value) for name, value in kept["opening_s"].items()},
            noisy=bool(kept["noisy"]),
            races=int(kept["races"]),
            confirmed=int(kept["confirmed"]),
        )
    except Exception:  # whatever lies there is no record: race again
        return None


def remember(place: Path | None, choice: Choice, facts: Mapping[str, Any]) -> None:
    """Writes a choice in one step; a folder that cannot be written costs a race the next time, nothing else.

    Args:
        facts: for a reader of the file.
    """
    if place is None:
        return
    first, *others = choice.ranking
    kept = {
        "runtime": first,
        "next": others,
        "relative": choice.relative,
        "call_s": choice.call_s,
        "opening_s": choice.opening_s,
        "noisy": choice.noisy,
        "races": choice.races,
        "confirmed": choice.confirmed,
        "facts": facts,
    }
    part = place.with_suffix(f".{os.getpid()}.part")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
        part.replace(place)
    except OSError as error:
        log.warning("the choice of a runtime is not kept in %s: %s", place.parent, error)


def _question(model: Classifier, images: torch.Tensor, runtimes: Mapping[str, Runtime]) -> str:
    """Hash of everything the answer depends on: what is run, on what, by what."""
    libraries = dict.fromkeys(library for runtime in runtimes.values() for library in runtime.LIBRARIES)
    facts = {
        "model": model.spec.label,
        "layers": [(name, type(layer).__qualname__) for name, layer in model.named_modules()],
        "weights": [(name, list(weight.shape), str(weight.dtype)) for name, weight in model.named_parameters()],
        "code": _code(),
        "images": [list(images.shape), str(images.dtype), str(images.device)],
        "threads": torch.get_num_threads(),
        "machine": [platform.machine(), _processor(), os.cpu_count()],
        "packages": [(name, _version(name)) for name in ("torch", *libraries)],
        "runtimes": [(name, unavailable(runtime)) for name, runtime in runtimes.items()],
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:24]


def _code() -> str:
    """Hash of the zoo's own source files."""
    root = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(str(path.relative_to(root)).encode() + path.read_bytes())
    return digest.hexdigest()


def _processor() -> str:
    """The CPU's name; on Linux `platform.processor` does not know it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    wanted = ("vendor_id", "model name", "cpu family", "stepping", "flags", "cache size")
    return "\n".join(sorted({line for line in lines if line.startswith(wanted)}))


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
