"""What answers depend on besides the question: this project's code as it is loaded, and the libraries' versions."""

from __future__ import annotations

import contextlib
import hashlib
import marshal
import types
from collections.abc import Sequence
from importlib.machinery import SourceFileLoader
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import benchmarks
from benchmarks.metrics import METRICS
from benchmarks.records.record import Case
from zoo.data import DATASETS
from zoo.runtimes import RUNTIMES

__all__ = ["libraries_of", "loaded_code", "versions_of"]


def libraries_of(cases: Sequence[Case]) -> list[str]:
    """The packages that the answers to cases depend on, whatever else is installed."""
    found = {"torch", "torchvision", "numpy"}
    for case in cases:
        found.update(METRICS[case.metric].libraries)
        if case.runtime in RUNTIMES and "runtime" in METRICS[case.metric].depends_on:
            found.update(RUNTIMES[case.runtime].LIBRARIES)
        if case.dataset:
            found.update(DATASETS[case.dataset].libraries)
    return sorted(found)


def versions_of(libraries: Sequence[str]) -> dict[str, str]:
    """The version of each package here, or "absent"."""
    return {name: _version(name) for name in libraries}


def loaded_code() -> str:
    """Hash of this project as an import here takes it, which may be from bytecode of another day."""
    digest = hashlib.sha256()
    for package in ("zoo", "benchmarks"):
        root = Path(benchmarks.__file__).parents[1] / package
        for path in sorted(root.rglob("*.py")):
            name = path.relative_to(root.parent).as_posix()
            code = SourceFileLoader(name, str(path)).get_code(name)
            digest.update(name.encode() + (marshal.dumps(_anywhere(code), 0) if code is not None else b""))
    return digest.hexdigest()[:12]


def _anywhere(code: types.CodeType) -> types.CodeType:
    """Code without the place its file lies in, of constants whose order is settled."""
    return code.replace(co_filename="", co_consts=tuple(map(_settled, code.co_consts)))


def _settled(constant: Any) -> Any:
    """A constant that is written down in one way; slices, which are constants since Python 3.14, as their text."""
    match constant:
        case types.CodeType():
            return _anywhere(constant)
        case frozenset():
            return tuple(sorted(map(repr, constant)))
        case tuple():
            return tuple(map(_settled, constant))
        case slice():
            return repr(constant)
    return constant


def _version(package: str) -> str:
    with contextlib.suppress(PackageNotFoundError):
        return version(package)
    return "absent"
