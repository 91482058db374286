"""Figures and conditions in words, and text from outside made safe for Markdown."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from benchmarks.records.record import Case
from benchmarks.report.overview import Overview
from benchmarks.stats.digits import number
from zoo.data import DATASETS
from zoo.training.recipes import Recipe

__all__ = [
    "condition_in_words", "count_of", "dataset_title", "enumerate_words", "gathered", "machine_in_words", "markdown",
    "number", "recipe_in_words", "shorten", "told_apart", "training_in_words",
]  # fmt: skip

LONGEST = 240  # characters of a reason on the page; results.csv has all of it


def count_of(count: int, noun: str) -> str:
    """ "1 model", "3 models"."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def enumerate_words(words: Sequence[Any], *, most: int = 6, write: Callable[[Any], str] = str) -> str:
    """ "a", "a and b", "a, b and c", each through `write`; beyond `most` the rest is counted."""
    if len(words) > most:
        return f"{', '.join(map(write, words[: most - 1]))} and {len(words) - most + 1:,} others"
    written = [write(word) for word in words]
    return " and ".join(filter(None, [", ".join(written[:-1]), *written[-1:]]))


def condition_in_words(condition: Case, *, runtime: bool = True) -> str:
    """What a timed figure is: "inference, eager on cpu, 1 image a call, 2 threads, fp32"; `runtime` names that, too."""
    threads = f", {count_of(condition.num_threads, 'thread')}" if condition.num_threads else ""
    images = count_of(condition.batch_size, "image")
    place = f"{condition.runtime} on {condition.device}" if runtime else f"on {condition.device}"
    return f"inference, {place}, {images} a call{threads}, {condition.precision}"


def machine_in_words(machine: Mapping[str, Any]) -> str:
    """`Environment.machine` in one line: "AMD EPYC, 2 processors, 25 GB (L1d 48K, L2 1024K)"."""
    cores, memory = machine.get("cpus") or machine.get("cores"), machine.get("memory_gb")
    facts = [str(machine.get("cpu") or "unknown machine")]
    facts += [count_of(cores, "processor")] if cores else []
    facts += [f"{memory} GB"] if memory else []
    facts += machine.get("gpus") or []
    caches = [f"{name} {size}" for name, size in dict(machine.get("caches") or {}).items()]
    inside = ", ".join(filter(None, [machine.get("instructions"), *caches]))
    return f"{', '.join(facts)} ({inside})" if inside else ", ".join(facts)


def dataset_title(overview: Overview) -> str:
    """The images accuracy was counted on, as one name."""
    names = [str(name) for name in overview.table["dataset"].dropna().unique() if name]
    return enumerate_words([DATASETS[name].label if name in DATASETS else name for name in names]) or "no images"


def told_apart(names: Sequence[str], longest: int) -> list[str]:
    """Names for a picture, none longer than `longest` and those of different models different.

    A long name loses the names of its options and then its middle; where it is another's by then, it shows what comes
    where they part, and where it still is, it is numbered.
    """
    short = {name: _cut(shorten(name, 1000), longest) for name in names}
    alike: dict[str, list[str]] = {}
    for name, cut in short.items():
        alike.setdefault(cut, []).append(name)
    for group in [group for group in alike.values() if len(group) > 1]:
        parting = next((at for at, signs in enumerate(zip(*group, strict=False)) if len(set(signs)) > 1), 0)
        short |= {name: f"{name[: longest // 3]}…{name[max(parting - 3, longest // 3) :]}"[:longest] for name in group}
    alike = {}
    for name, cut in short.items():
        alike.setdefault(cut, []).append(name)
    for cut, group in alike.items():
        short |= {name: f"{cut[: longest - 5]} ({place})" for place, name in enumerate(group, 1) if len(group) > 1}
    return [short[name] for name in names]


def _cut(name: str, longest: int) -> str:
    name = name if len(name) <= longest else re.sub(r"(?<=[:,])\w+=", "", name)
    return name if len(name) <= longest else f"{name[: longest // 3]}…{name[longest // 3 + 1 - longest :]}"


def recipe_in_words(settings: Mapping[str, Any]) -> str:
    """A recipe as a record holds it, in sentences; empty where it is none that this version knows."""
    try:
        return Recipe(**settings).text
    except (TypeError, ValueError):
        return ""


def training_in_words(overview: Overview) -> str:
    """What the accuracies are of: "3 epochs on 6,000 images of Fashion-MNIST at 40 and 63 pixels", as Markdown."""
    cases = [record.case for record in overview.records("accuracy").values() if record.case.epochs]
    epochs = enumerate_words(sorted({case.epochs for case in cases}))
    images = enumerate_words(sorted({case.train_images for case in cases}), write="{:,}".format)
    pixels = enumerate_words(overview.trained_sizes)
    return (
        f"{epochs} epoch{'' if epochs == '1' else 's'} on {images} images of {markdown(dataset_title(overview))} at "
        f"{pixels} pixels"
    )


def shorten(text: str, longest: int = LONGEST) -> str:
    """One line without control characters, cut where it is longer than `longest`."""
    if not text.isprintable():
        text = "".join(sign if sign.isprintable() else " " for sign in text)
    line = " ".join(text.split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def markdown(text: str, longest: int = LONGEST) -> str:
    """Text from outside as Markdown that shows exactly that text, in one line, also inside a table."""
    line = shorten(text, longest).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    line = re.sub(r"([\\`*\[\]|~$#!{}])", r"\\\1", line)
    return re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", line)  # inside a word an underscore is one


def gathered(found: Iterable[tuple[str, str]], *, most: int = 12) -> list[str]:
    """Lines "a, b and c: text" from pairs of a text and a name it is about, each name once."""
    about: dict[str, dict[str, None]] = {}
    for text, name in found:
        about.setdefault(text, {})[name] = None
    return [f"{enumerate_words(list(names), most=most, write=markdown)}: {text}" for text, names in about.items()]
