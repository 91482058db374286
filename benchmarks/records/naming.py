"""Cases in words: as short as tells them apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from benchmarks.records.record import Case

__all__ = ["conditions_of", "names_of"]


def _counted(noun: str) -> Callable[[Case, Any], str]:
    return lambda case, count: f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _pairs(case: Case, pairs: tuple[tuple[str, object], ...]) -> str:
    return ", ".join(f"{name} {value}" for name, value in pairs)


# every field of a case but metric and model, in the order it is said, and how
WORDS: Mapping[str, Callable[[Case, Any], str]] = MappingProxyType(
    {
        "runtime": lambda case, name: name,
        "device": lambda case, name: name,
        "precision": lambda case, name: name,
        "img_size": lambda case, size: f"{size} px",
        "batch_size": lambda case, count: f"batch {count}",
        "num_threads": _counted("thread"),
        "weights": lambda case, name: f"weights {case.weights_path or name}",
        "dataset": lambda case, name: name,
        "data": lambda case, fingerprint: case.data_dir,
        "recipe": lambda case, name: f"recipe {name}",
        "epochs": _counted("epoch"),
        "train_images": _counted("training image"),
        "train_img_size": lambda case, size: f"trained at {size} px",
        "train_threads": lambda case, count: f"trained on {_counted('thread')(case, count)}",
        "train_processes": lambda case, count: f"in {count} processes",
        "seed": lambda case, seed: f"seed {seed}",
        "settings": _pairs,
        "effort": _pairs,
    }
)


def conditions_of(case: Case, fields: Iterable[str] = tuple(WORDS)) -> list[str]:
    """The conditions of a case among `fields` in words, those left out that are not stated (0 or empty).

    A seed is stated even if it is 0, unless weights that were given are tested as they are and nothing is drawn.
    """
    drawn = bool(case.recipe) or not case.weights
    stated = ((name, getattr(case, name)) for name in WORDS if name in fields)
    words = (WORDS[name](case, value) for name, value in stated if value or (name == "seed" and drawn))
    return list(filter(None, words))


def names_of(cases: Iterable[Case], stated: Callable[[Case], Collection[str]] = lambda case: ()) -> dict[Case, str]:
    """A name for each case: its metric, its model and the conditions in which the cases of that metric differ.

    Args:
        stated: conditions of a case that its name holds in any event.
    """
    cases = list(dict.fromkeys(cases))
    values: dict[tuple[str, str], set[object]] = {}
    for case in cases:
        for field in WORDS:
            values.setdefault((case.metric, field), set()).add(getattr(case, field))
    named = {}
    for case in cases:
        said = [field for field in WORDS if len(values[case.metric, field]) > 1 or field in stated(case)]
        named[case] = " ".join([case.metric, case.model, *conditions_of(case, said)])
    counts = Counter(named.values())
    taken = [case for case in cases if counts[named[case]] > 1]
    return named | {case: f"{named[case]} ({case.data[:12]} {case.weights})".replace(" )", ")") for case in taken}
