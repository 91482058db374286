"""Where the weights are in what a training script saved.

Scripts put a network's state into a dictionary beside the optimizer's ("model", "state_dict"), wrap the network before
they save it (`module.` of DDP and DataParallel, `_orig_mod.` of torch.compile) or hold it as a part of another
(`model.` of Lightning). The state is found by the keys a network must have, not by a list of names; only where two fit
equally well does the usual name decide. Averaged weights (EMA) are known by their name and taken only where asked for.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from zoo.errors import WeightsError
from zoo.weights.files import Contents
from zoo.weights.pickles import Inert
from zoo.weights.stored import Stored

__all__ = ["Found", "find"]

RECOGNISED = 0.2  # share of a network's keys that a file must have before its mismatches are worth naming
DEEPEST = 4  # dictionaries in one another that are looked into
LONGEST_KEY = 300  # characters of a key that are looked through
MOST = 2000  # dictionaries that are looked into
USUAL = ("", "model", "state_dict", "model_state_dict", "model_state", "module", "net", "network", "weights", "params")
BESIDE = ("n_averaged",)  # what an averaged model keeps beside its tensors
_AVERAGED = re.compile(r"(^|[._])(ema|averaged|avg|swa)([._]|$)")
_WRAPPER = re.compile(r"(?:^|(?<=\.))(module|_orig_mod)\.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A network's state in a file.

    Args:
        source: the layout whose keys it has.
        tensors: by the keys of that layout; what is no plain tensor is there too where the layout has its key.
        known: how many of them the layout knows.
        path: the keys that lead to the dictionary it is in.
        beginning: what its own keys begin with there.
        wrappers: what wrappers have put into its keys.
        beside: tensors of something else in that dictionary.
    """

    source: str
    tensors: dict[str, Any]
    known: int
    path: tuple[str, ...]
    beginning: str
    wrappers: tuple[str, ...]
    beside: int

    @property
    def averaged(self) -> bool:
        """Whether these are averaged weights."""
        return bool(_AVERAGED.search(".".join((*self.path, self.beginning))))

    @property
    def rank(self) -> int:
        """How far from the usual its name is."""
        name = self.beginning.rstrip(".").rpartition(".")[2] or "".join(self.path[-1:])
        return USUAL.index(name) if name in USUAL else len(USUAL)

    @property
    def place(self) -> str:
        """Where it is, for people; empty where it is the whole file."""
        words = (
            f"under {'.'.join(self.path)!r}" if self.path else "",
            f"behind {', '.join(repr(part) for part in (*self.wrappers, self.beginning) if part)} in the keys"
            if self.wrappers or self.beginning
            else "",
        )
        return " ".join(filter(None, words))


def find(
    contents: Contents, expected: Mapping[str, set[str]], label: str, *, ema: bool = False
) -> tuple[Found, list[str]]:
    """The state in a file that fits one of the layouts best, and what a person should know of how it was found.

    Args:
        expected: the keys of a network by the layout's source.
        label: the network, for messages.
        ema: take the averaged weights.

    Raises:
        WeightsError: nothing in it fits, two parts fit equally well, or there are no averaged weights.
    """
    states = [state for path, inside in _dictionaries(contents.found) for state in _states(path, inside, expected)]
    if not states:
        keys = max((list(inside) for _, inside in _dictionaries(contents.found)), key=len, default=[])
        if not keys:
            raise WeightsError(f"{contents.name} holds no tensors by name; weights are a dictionary of them")
        known = max(len(wanted.intersection(keys)) for wanted in expected.values())
        begins = ", ".join(str(key)[:40] for key in keys[:3])
        raise WeightsError(
            f"{contents.name} does not fit {label}: it holds another network; {known} of its {len(keys)} keys are "
            f"known as {' or '.join(expected)} would name them; it begins with {begins}"
        )
    averaged = [state for state in states if state.averaged]
    plain = [state for state in states if not state.averaged]
    if ema and not averaged:
        raise WeightsError(f"{contents.name} holds no averaged (EMA) weights; leave out ema=True")
    best = _best(contents.name, averaged if ema or not plain else plain)
    notes = [f"{contents.name}: the weights are those {best.place}"] if best.place else []
    if best.averaged and not ema:
        notes = [f"{contents.name} holds averaged (EMA) weights only, {best.place}"]
    elif averaged and not ema:
        notes.append(
            f"{contents.name} holds averaged (EMA) weights too; zoo.load_weights(model, PATH, ema=True) takes them"
        )
    if best.beside:
        notes.append(f"{contents.name}: {best.beside} tensors of something else beside them were left out")
    return best, notes


def _best(name: str, states: list[Found]) -> Found:
    """The state that has most of a network's keys, among equals the one that is called as usual."""
    most = max(state.known for state in states)
    equal = sorted((state for state in states if state.known == most), key=lambda state: state.rank)
    if len(equal) > 1 and equal[0].rank == equal[1].rank and equal[0].source == equal[1].source:
        raise WeightsError(
            f"{name} holds {len(equal)} networks that fit equally well: "
            f"{', '.join(state.place for state in equal[:3])}; give the tensors of the one you mean as weights"
        )
    return equal[0]


def _dictionaries(found: Any) -> Iterator[tuple[tuple[str, ...], dict[Any, Any]]]:
    """Every dictionary in a file that holds tensors by name, and the keys that lead to it."""
    seen: set[int] = set()
    waiting: list[tuple[tuple[str, ...], Any]] = [((), found)]
    while waiting and len(seen) < MOST:
        path, inside = waiting.pop(0)
        inside = inside.held if isinstance(inside, Inert) else inside
        if not isinstance(inside, dict) or id(inside) in seen:
            continue
        seen.add(id(inside))
        if any(isinstance(key, str) and isinstance(value, Stored) for key, value in inside.items()):
            yield path, inside
        if len(path) < DEEPEST:
            waiting += [((*path, key), value) for key, value in inside.items() if isinstance(key, str)]


def _states(path: tuple[str, ...], inside: dict[Any, Any], expected: Mapping[str, set[str]]) -> Iterator[Found]:
    """The networks that the keys of a dictionary may be of: one for each beginning that enough of its keys share."""
    values = {key: value for key, value in inside.items() if isinstance(key, str) and key not in BESIDE}
    bare = {key: _WRAPPER.sub("", key) for key in values}
    if len(set(bare.values())) < len(values):
        bare = {key: key for key in values}
    wrappers = tuple(sorted({match[0] for key in values if bare[key] != key for match in _WRAPPER.finditer(key)}))
    for source, wanted in expected.items():
        known = Counter(
            key[:start]
            for key in bare.values()
            for start in (0, *(match.end() for match in re.finditer(r"\.", key[:LONGEST_KEY])))
            if key[start:] in wanted
        )
        for beginning, count in known.items():
            if count < RECOGNISED * len(wanted):
                continue
            own = {
                name.removeprefix(beginning): values[key] for key, name in bare.items() if name.startswith(beginning)
            }
            tensors = {key: value for key, value in own.items() if isinstance(value, Stored) or key in wanted}
            yield Found(
                source=source,
                tensors=tensors,
                known=count,
                path=path,
                beginning=beginning,
                wrappers=wrappers,
                beside=sum(isinstance(value, Stored) for value in values.values()) - len(tensors),
            )
