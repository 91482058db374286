"""What an answer was computed by: a hash of the code it reaches, the values it is given and the libraries it names.

From the functions where a computation starts, the source is followed from name to name through both packages: a
definition counts if something that counts refers to it. A method counts if its class does and its name occurs in code
that counts. Nothing is followed through a `Registry`: of a list of models or data sets only the entry that a case names
counts, and whoever asks passes that entry. What a definition says to people (docstrings, comments, annotations, titles,
the text of errors) and where it lies (modules, imports) do not enter.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import hashlib
import importlib.util
import types
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

__all__ = ["Definition", "fingerprint", "reach"]

PACKAGES = ("zoo", "benchmarks")
CALLED_BY_LIBRARIES = ("forward", "transform")  # methods that torch.nn.Module and torchvision's transforms call
NOTHING = ("annotation", "returns", "type_comment", "kind", "ctx", "simple")  # parts of a tree that do nothing
PROSE = ("title", "method", "meaning", "help", "description")  # keywords whose values are only read by people


class Definition(NamedTuple):
    """A function, class, constant or method of this project.

    Args:
        module: where it is defined.
        name: at the top level of the module.
        member: method of the class `name`; empty for the class itself or for anything else.
    """

    module: str
    name: str
    member: str = ""


def fingerprint(parts: Iterable[object], libraries: Iterable[str] = (), apart: tuple[str, ...] = ()) -> str:
    """Twelve digits that change when what `parts` compute does.

    Args:
        parts: functions, classes, `functools.partial`s of them and modules (whose `open` counts), which are followed;
            plain values, which count as they are; data classes and collections of these.
        libraries: packages whose versions count; one that is absent counts as that.
        apart: packages of this project that do not count, since what they compute is computed again at every reading.
    """
    functions, values = _sorted_out(parts)
    text = [_code(frozenset(functions), apart), *values, *(_version(name) for name in sorted(set(libraries)))]
    return hashlib.sha256("|".join(text).encode()).hexdigest()[:12]


def reach(functions: Iterable[Definition], apart: tuple[str, ...] = ()) -> set[Definition]:
    """The definitions that these refer to, directly or by way of others, and these themselves; none of `apart`."""
    return _Reach(functions, apart).found


def _sorted_out(parts: Iterable[object]) -> tuple[list[Definition], list[str]]:
    """Definitions to follow, and the text of plain values."""
    functions: list[Definition] = []
    values: list[str] = []
    for part in parts:
        inner: Iterable[object] = ()
        if isinstance(part, functools.partial):
            inner = (part.func, part.args, tuple(sorted(part.keywords.items())))
        elif isinstance(part, types.ModuleType):
            inner = (part.open,)
        elif isinstance(part, (types.FunctionType, type)):
            functions.append(_definition(part))
        elif dataclasses.is_dataclass(part):
            inner = [type(part), *(getattr(part, each.name) for each in dataclasses.fields(part))]
        elif isinstance(part, Mapping):
            inner = tuple(part.items())
        elif isinstance(part, (tuple, list)):
            inner = part
        else:
            values.append(repr(part))
        more, texts = _sorted_out(inner) if inner else ((), ())
        functions += more
        values += texts
    return functions, values


def _definition(part: types.FunctionType | type) -> Definition:
    """Where a function or class is defined; of one without a name of its own, what it is a part of."""
    name, _, member = part.__qualname__.partition(".<locals>")[0].partition(".")
    module = _parsed(part.__module__)
    if name == "<lambda>" and module is not None and isinstance(part, types.FunctionType):
        line = part.__code__.co_firstlineno
        around = (
            each
            for (each, _), nodes in module.definitions.items()
            for node in nodes
            if isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or line)
        )
        name = next(around, name)
    return Definition(part.__module__, name, member)


@functools.cache
def _code(functions: frozenset[Definition], apart: tuple[str, ...]) -> str:
    """Hash of everything these reach, wherever it lies."""
    digests = sorted(_digest(definition) for definition in reach(functions, apart))
    return hashlib.sha256("".join(digests).encode()).hexdigest()


@functools.cache
def _version(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return f"{package} absent"


# --- the source as definitions ----------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Module:
    """What the names at the top level of a module stand for.

    Args:
        definitions: what a name, or a method of it, consists of: of a class all but its methods, of a registry nothing.
        imports: by the name they bind, the module and the name in it; no name for a module.
    """

    definitions: dict[tuple[str, str], list[ast.AST]] = field(default_factory=lambda: defaultdict(list))
    imports: dict[str, list[tuple[str, str]]] = field(default_factory=lambda: defaultdict(list))


@functools.cache
def _parsed(name: str) -> _Module | None:
    """A module of this project, found without importing it; None for anything else."""
    top, *parts = name.split(".")
    if top not in PACKAGES or (found := importlib.util.find_spec(top)) is None or found.origin is None:
        return None
    path = Path(found.origin).parent.joinpath(*parts)
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    if not source.is_file():
        return None
    module = _Module()
    for statement in _top_level(ast.parse(source.read_bytes()).body):
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            _note_imports(statement, module.imports)
        elif isinstance(statement, ast.ClassDef):
            module.definitions[statement.name, ""] += [
                *statement.bases, *statement.keywords, *statement.decorator_list,
            ]  # fmt: skip
            for each in statement.body:
                member = each.name if isinstance(each, ast.FunctionDef) else ""
                module.definitions[statement.name, member].append(each)
        elif isinstance(statement, ast.FunctionDef):
            module.definitions[statement.name, ""].append(statement)
        elif isinstance(statement, (ast.Assign, ast.AnnAssign)):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            for node in (node for target in targets for node in ast.walk(target)):
                if isinstance(node, ast.Name):
                    module.definitions[node.id, ""] += [] if _is_registry(statement.value) else [statement]
    module.definitions = dict(module.definitions)
    return module


def _top_level(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements of a module, those inside conditions and attempts included."""
    for statement in body:
        yield statement
        for part in ("body", "orelse", "finalbody", "handlers"):
            if isinstance(statement, (ast.If, ast.Try, ast.With, ast.ExceptHandler)):
                yield from _top_level(getattr(statement, part, ()))


def _note_imports(statement: ast.Import | ast.ImportFrom, imports: dict[str, list[tuple[str, str]]]) -> None:
    for alias in statement.names:
        if isinstance(statement, ast.ImportFrom):
            imports.setdefault(alias.asname or alias.name, []).append((statement.module or "", alias.name))
        else:
            target = alias.name if alias.asname else alias.name.partition(".")[0]
            imports.setdefault(alias.asname or target, []).append((target, ""))


def _is_registry(value: ast.expr | None) -> bool:
    return isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "Registry"


def _nodes(definition: Definition) -> list[ast.AST]:
    module = _parsed(definition.module)
    return module.definitions.get((definition.name, definition.member), []) if module else []


@functools.cache
def _digest(definition: Definition) -> str:
    """Hash of what a definition does."""
    text = "".join(_normal(node) for node in _nodes(definition))
    name = f"{definition.name}.{definition.member}:" if text else ""
    return hashlib.sha256(f"{name}{text}".encode()).hexdigest()


def _normal(node: object) -> str:
    """The source as text without layout, imports, annotations and what is said to people."""
    if isinstance(node, list):
        return f"[{','.join(filter(None, map(_normal, node)))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    if isinstance(node, (ast.Import, ast.ImportFrom)) or (isinstance(node, ast.keyword) and node.arg in PROSE):
        return ""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return ""  # a docstring
    if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
        return f"Raise({_normal(node.exc.func)})"
    fields = ((name, value) for name, value in ast.iter_fields(node) if name not in NOTHING and value not in (None, []))
    return f"{type(node).__name__}({','.join(f'{name}={_normal(value)}' for name, value in fields)})"


# --- following names --------------------------------------------------------------------------------------------------


class _Reach:
    """Everything that some definitions refer to."""

    def __init__(self, starts: Iterable[Definition], apart: tuple[str, ...]) -> None:
        self._apart = apart
        self.found: set[Definition] = set()
        self._attributes: set[str] = set(CALLED_BY_LIBRARIES)
        self._waiting: dict[str, set[Definition]] = defaultdict(set)  # methods of reached classes, not called so far
        self._open = list(starts)
        for start in self._open:
            module = _parsed(start.module)
            if module is None or (start.name, start.member) not in module.definitions:
                raise LookupError(f"{start.module} defines no {start.name} {start.member}".rstrip())
        while self._open:
            self._follow(self._open.pop())

    def _follow(self, definition: Definition) -> None:
        if definition in self.found or definition.module.startswith(self._apart):
            return
        self.found.add(definition)
        if definition.member:
            self._open.append(definition._replace(member=""))
        elif module := _parsed(definition.module):
            for name in (member for each, member in module.definitions if each == definition.name and member):
                called = name in self._attributes or (name.startswith("__") and name.endswith("__"))
                (self._open.append if called else self._waiting[name].add)(definition._replace(member=name))
        names, attributes = _references(definition)
        self._open += names
        for attribute in attributes - self._attributes:
            self._attributes.add(attribute)
            self._open += self._waiting.pop(attribute, ())


@functools.cache
def _references(definition: Definition) -> tuple[frozenset[Definition], frozenset[str]]:
    """The definitions a definition names, and the attributes it takes of values that only running it would tell."""
    module = _parsed(definition.module)
    if module is None:
        return frozenset(), frozenset()
    names: set[Definition] = set()
    attributes: set[str] = set()
    for root in _nodes(definition):
        imports = dict(module.imports)
        for node in ast.walk(root):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                _note_imports(node, imports := {key: list(value) for key, value in imports.items()})
        for node in _without_annotations(root):
            if isinstance(node, ast.Attribute):
                attributes.add(node.attr)
                names |= _resolved(_chain(node), definition.module, imports)
            elif isinstance(node, ast.Name):
                names |= _resolved([node.id], definition.module, imports)
    return frozenset(names), frozenset(attributes)


def _without_annotations(root: ast.AST) -> Iterator[ast.AST]:
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        for name, value in ast.iter_fields(node):
            if name not in NOTHING:
                waiting += [
                    each for each in (value if isinstance(value, list) else [value]) if isinstance(each, ast.AST)
                ]


def _chain(node: ast.Attribute) -> list[str]:
    """ "a.b.c" as its names; empty where it does not begin with a name."""
    names = [node.attr]
    inner: ast.expr = node.value
    while isinstance(inner, ast.Attribute):
        names.append(inner.attr)
        inner = inner.value
    return [inner.id, *reversed(names)] if isinstance(inner, ast.Name) else []


def _resolved(chain: list[str], module: str, imports: Mapping[str, list[tuple[str, str]]]) -> set[Definition]:
    """What a name, or the last name of a chain of modules, stands for in this project."""
    parsed = _parsed(module)
    if not chain or parsed is None:
        return set()
    name, *rest = chain
    found = {Definition(module, name)} if (name, "") in parsed.definitions else set()
    for source, imported in imports.get(name, ()):
        target = f"{source}.{imported}" if imported else source
        if (inner := _parsed(target)) is not None:
            found |= _resolved(rest, target, inner.imports)
        elif (inner := _parsed(source)) is not None:
            found |= _resolved([imported, *rest], source, inner.imports)
    if not found and (inner := _parsed(f"{module}.{name}")) is not None:  # a module, named through its package
        found |= _resolved(rest, f"{module}.{name}", inner.imports)
    return found
