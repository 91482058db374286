"""Things by name: the one mapping behind every list of the project (models, runtimes, metrics, data sets, studies)."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from importlib import import_module
from typing import Any, TypeVar

from zoo.errors import shown

__all__ = ["Registry", "listed", "modules"]

LISTED = 120  # characters of a list of names in a message

T = TypeVar("T")


class Registry(Mapping[str, T]):
    """Named things, in the order they are listed.

    What is computed from one entry depends on that entry and not on its neighbours: `benchmarks.records.staleness`
    follows no code through a registry.

    Args:
        kind: what one of them is called in messages ("model", "metric").
        entries: pairs of a name and what it names.
        also: what else people call an entry; such words are understood in messages, and nowhere else.

    Raises:
        ValueError: two entries have one name.
    """

    def __init__(
        self, kind: str, entries: Iterable[tuple[str, T]], *, also: Callable[[T], Iterable[str]] = lambda entry: ()
    ) -> None:
        self.kind = kind
        self._also = also
        self._entries: dict[str, T] = {}
        for name, entry in entries:
            if name in self._entries:
                raise ValueError(f"two entries are named {name!r} in the list of {kind}s")
            self._entries[name] = entry

    def __getitem__(self, name: str) -> T:
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def unknown(self, name: object) -> str:
        """What to tell somebody who asked for a name that is not here: the near misses and all names."""
        typed = name.lower()[:LISTED] if isinstance(name, str) else ""
        words = {word: entry for entry, named in self.items() for word in (entry, *self._also(named))}
        near = [entry for entry, named in self.items() if typed in self._also(named)]
        near = near or [entry for entry in self if len(typed) > 2 and typed in entry][:3]
        near = near or list(dict.fromkeys(words[word] for word in difflib.get_close_matches(typed, words, n=3)))
        meant = f"did you mean {', '.join(near)}? " if near else ""
        return f"no {self.kind} is named {shown(name)}; {meant}allowed: {listed(self._entries)}"

    def select(self, text: str) -> tuple[str, ...]:
        """Names in a comma list of names, shell patterns and `all`, each once.

        Raises:
            LookupError: an item of the list matches nothing, or there is no item.
        """
        found: dict[str, None] = {}
        for item in filter(None, (part.strip() for part in text.split(","))):
            matches = [name for name in self if item == "all" or fnmatchcase(name, item)]
            if not matches:
                raise LookupError(self.unknown(item))
            found |= dict.fromkeys(matches)
        if not found:
            raise LookupError(f"a list of {self.kind} names is wanted; got {text!r}")
        return tuple(found)


def listed(names: Iterable[str]) -> str:
    """Names one after another, as many as a message has room for."""
    text, left = "", list(names)
    while left and len(text) + len(left[0]) < LISTED:
        text += f"{', ' if text else ''}{left.pop(0)}"
    return f"{text} and {len(left)} more" if left else text or "none"


def modules(package: str, *names: str) -> Iterator[Any]:
    """The named files of a package, imported in this order; a list of entries is made of them, a line a file."""
    for name in names:
        yield import_module(f"{package}.{name}")
