"""Which code and files a result depends on: a hash that changes when the code does, not when its comments do."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import zoo
from benchmarks.records.record import Case

__all__ = ["case_code", "model_code", "weights_checksum"]

NETWORK = ("zoo.spec", "zoo.blocks", "zoo.classifier", "zoo.initialization")  # every model is made of these
RUNTIME_HELPERS = (
    "zoo.runtimes.folding",
    "zoo.runtimes.export",
    "zoo.runtimes.layouts.packed",
    "zoo.runtimes.layouts.winograd",
)
TIMING = (
    "benchmarks.measure.worker",
    "benchmarks.measure.rounds",
    "benchmarks.measure.handover",
)  # how a call is timed
PACKAGES = {"onnxruntime": ("onnxruntime",), "openvino": ("openvino",)}  # that runtimes bring beside torch


def model_code(label: str) -> str:
    """Hash of the source a model is made of: its family's file and the building blocks."""
    spec = zoo.spec(label)
    return _combined((*NETWORK, f"zoo.models.{spec.family}"))


def case_code(case: Case) -> str:
    """Hash of all source and library versions the answer to a case depends on, for staleness."""
    modules = [f"benchmarks.metrics.{case.metric}"]
    if case.runtime != "eager":
        modules += [f"zoo.runtimes.{case.runtime}", *RUNTIME_HELPERS]
    if case.metric in ("latency", "throughput"):
        modules += TIMING
    if case.metric == "accuracy":
        modules += ["zoo.training.loop", "zoo.data.fashion_mnist", "zoo.data.imagenet"]
    if case.metric == "rows":
        modules += ["zoo.table"]
    packages = ("torch", *PACKAGES.get(case.runtime, ()))
    parts = [model_code(case.model), _combined(tuple(modules)), *(_version(name) for name in packages)]
    if case.metric == "accuracy":
        parts += filter(None, [weights_checksum(case), _listing(case.data_dir) if case.data_dir else ""])
    text = "|".join(parts)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def weights_checksum(case: Case) -> str:
    """SHA-256 of the weights file of a case; of a folder, of what it lists; empty for a tag, whose file is known."""
    path = Path(case.weights)
    if not case.weights or not path.exists():
        return ""
    if path.is_dir():
        return _listing(case.weights)
    found = path.stat()
    return _file_hash(path, found.st_size, found.st_mtime_ns)


@functools.cache
def _file_hash(path: Path, _size: int, _mtime_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@functools.cache
def _listing(folder: str) -> str:
    """Hash of the names and sizes of all files in a folder."""
    root = Path(folder)
    files = sorted((str(path.relative_to(root)), path.stat().st_size) for path in root.rglob("*") if path.is_file())
    return hashlib.sha256(repr(files).encode()).hexdigest()


@functools.cache
def _combined(modules: tuple[str, ...]) -> str:
    return hashlib.sha256("".join(_source_hash(name) for name in modules).encode()).hexdigest()[:12]


@functools.cache
def _source_hash(module: str) -> str:
    """Hash of what a module does; comments, docstrings and layout do not enter. Empty for a module that is absent."""
    try:
        found = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        return ""
    if found is None or found.origin is None:
        return ""
    tree = ast.parse(Path(found.origin).read_text())
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node, clean=False):
            node.body = node.body[1:]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


@functools.cache
def _version(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return f"{package} absent"
