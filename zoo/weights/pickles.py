"""The pickle in a .pth file, read as data: nothing that it names is ever called.

PyTorch's reader allocates what a file claims, calls functions of an allow-list with whatever arguments come, and reads
past a record that is too short. Here the instructions, as `pickletools` lists them, only build containers. A tensor
becomes a `Stored`, an object of a harmless class an `Inert`; any other name in the file refuses it.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import IO, Any

from zoo.lazy import torch
from zoo.weights.stored import Stored, Unreadable

__all__ = ["Inert", "Storage", "Tensor", "unpickle"]

MOST_INSTRUCTIONS = 400_000  # a checkpoint of ResNet-152 with its optimizer and an average has 150,000

_ORDERED = "collections.OrderedDict"
_TENSORS = ("torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v3")
_PARAMETERS = ("torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state")
_OF_TYPE = "torch._tensor._rebuild_from_type_v2"
_SIZE = "torch.Size"
_STORAGES = {
    "Float": "float32", "Double": "float64", "Half": "float16", "BFloat16": "bfloat16", "Long": "int64",
    "Int": "int32", "Short": "int16", "Char": "int8", "Byte": "uint8", "Bool": "bool", "Untyped": "uint8",
    "ComplexFloat": "complex64", "ComplexDouble": "complex128", "QInt8": "qint8", "QUInt8": "quint8",
    "QInt32": "qint32",
}  # fmt: skip
_DTYPES = frozenset(f"torch.{name}" for name in (*_STORAGES.values(), "uint16", "uint32", "uint64", "float8_e4m3fn"))

# classes whose objects lie beside the weights in checkpoints; all that is kept of them is what they hold by name
_HARMLESS = {
    "argparse": "Namespace",
    "builtins": "set frozenset list dict tuple int float complex str bytes bytearray bool slice range object",
    "__builtin__": "set frozenset list dict tuple int long float complex str unicode bytes bool slice object",
    "_codecs": "encode",
    "collections": "defaultdict Counter deque",
    "copyreg": "_reconstructor",
    "datetime": "date datetime time timedelta timezone",
    "decimal": "Decimal",
    "fractions": "Fraction",
    "numpy": "dtype ndarray bool_ float16 float32 float64 int8 int16 int32 int64 uint8",
    "numpy.core.multiarray": "_reconstruct scalar",
    "numpy._core.multiarray": "_reconstruct scalar",
    "numpy.dtypes": "Float16DType Float32DType Float64DType Int32DType Int64DType BoolDType StrDType",
    "pathlib": "Path PosixPath WindowsPath PurePath PurePosixPath PureWindowsPath",
    "pathlib._local": "Path PosixPath WindowsPath PurePath PurePosixPath PureWindowsPath",
    "torch": "device dtype Generator strided per_tensor_affine per_channel_affine",
    "torch._utils": "_rebuild_qtensor _rebuild_sparse_tensor _rebuild_meta_tensor_no_storage _rebuild_device_tensor_"
    "from_numpy",
    "torch.nn.parameter": "Parameter Buffer",
    "torch.serialization": "_get_layout",
    "torch.torch_version": "TorchVersion",
    "types": "SimpleNamespace",
    "typing": "Any",
    "uuid": "UUID",
    "easydict": "EasyDict",
    "fastcore.foundation": "L",
    "lightning.fabric.utilities.data": "AttributeDict",
    "lightning.pytorch.utilities.parsing": "AttributeDict",
    "lightning_fabric.utilities.data": "AttributeDict",
    "pytorch_lightning.utilities.parsing": "AttributeDict",
    "ml_collections.config_dict.config_dict": "ConfigDict",
    "omegaconf.base": "ContainerMetadata Metadata",
    "omegaconf.dictconfig": "DictConfig",
    "omegaconf.listconfig": "ListConfig",
    "omegaconf.nodes": "AnyNode",
    "yacs.config": "CfgNode",
}
HARMLESS = frozenset(f"{module}.{name}" for module, names in _HARMLESS.items() for name in names.split())
_NETWORKS = ("torch.nn.", "torchvision.", "timm.", "zoo.", "keras.", "torch.fx.", "torch.jit.", "fastai.")

_PUSHED = frozenset((
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "STRING", "BINSTRING",
    "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE",
    "BINUNICODE8",
))  # fmt: skip
_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None, "NEWTRUE": lambda: True, "NEWFALSE": lambda: False, "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_SET": list,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Name:
    """A class or function by its name."""

    text: str


@dataclass(slots=True, eq=False)
class Inert:
    """Stands for an object of a harmless class.

    Args:
        kind: the class.
        held: its attributes or items by name.
    """

    kind: str
    held: dict[Any, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Storage:
    """Numbers one after another in a file.

    Args:
        key: what the file calls them.
        dtype: their type.
        count: how many the pickle says there are.
    """

    key: str
    dtype: torch.dtype
    count: int

    @property
    def nbytes(self) -> int:
        """Bytes they take."""
        return self.count * self.dtype.itemsize


Tensor = Callable[[Storage, int, tuple[int, ...], tuple[int, ...]], Stored]  # of a storage, offset, sizes, strides


def unpickle(file: IO[bytes], tensor: Tensor) -> Any:
    """The next pickle of a file; the file then stands behind it.

    Args:
        tensor: finds a tensor in its storage.

    Raises:
        Unreadable: it is damaged, or it names what could run code.
    """
    try:
        return _Machine(tensor).run(file)
    except ValueError as error:
        raise Unreadable(f"is truncated or damaged: {error}") from error


class _Machine:
    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []  # stacks under the marks
        self.memo: dict[int, Any] = {}

    def run(self, file: IO[bytes]) -> Any:
        for number, (instruction, argument, _) in enumerate(pickletools.genops(file)):
            if number > MOST_INSTRUCTIONS:
                raise Unreadable("has more objects in it than any checkpoint")
            if instruction.name == "STOP":
                return self.stack.pop()
            if instruction.name in _PUSHED:
                self.stack.append(argument)
            elif instruction.name in _CONSTANTS:
                self.stack.append(_CONSTANTS[instruction.name]())
            else:
                self.step(instruction.name, argument)
        raise Unreadable("is truncated")

    def marked(self) -> list[Any]:
        """What has been pushed since the last mark."""
        items, self.stack = self.stack, self.below.pop()
        return items

    def taken(self, count: int) -> list[Any]:
        """The last `count` values."""
        if len(self.stack) < count:
            raise Unreadable("is damaged: a value is missing")
        items = self.stack[len(self.stack) - count :]
        del self.stack[len(self.stack) - count :]
        return items

    def step(self, instruction: str, argument: Any) -> None:
        stack = self.stack
        match instruction:
            case "PROTO" | "FRAME":
                pass
            case "MARK":
                self.below.append(stack)
                self.stack = []
            case "POP":
                stack.pop()
            case "POP_MARK":
                self.marked()
            case "DUP":
                stack.append(stack[-1])
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                items = self.taken(int(instruction[-1]))
                stack.append(tuple(items))
            case "TUPLE" | "FROZENSET":
                items = self.marked()
                self.stack.append(tuple(items))
            case "LIST":
                items = self.marked()
                self.stack.append(items)
            case "DICT":
                items = self.marked()
                self.stack.append({})
                _put(self.stack[-1], items)
            case "APPEND":
                (item,) = self.taken(1)
                _extend(stack[-1], [item])
            case "APPENDS" | "ADDITEMS":
                items = self.marked()
                _extend(self.stack[-1], items)
            case "SETITEM":
                items = self.taken(2)
                _put(stack[-1], items)
            case "SETITEMS":
                items = self.marked()
                _put(self.stack[-1], items)
            case "PUT" | "BINPUT" | "LONG_BINPUT":
                self.memo[argument] = stack[-1]
            case "MEMOIZE":
                self.memo[len(self.memo)] = stack[-1]
            case "GET" | "BINGET" | "LONG_BINGET":
                stack.append(self.memo[argument])
            case "GLOBAL":
                stack.append(_name(*argument.split(" ", 1)))
            case "STACK_GLOBAL":
                stack.append(_name(*self.taken(2)))
            case "REDUCE" | "NEWOBJ":
                stack.append(self.made(*self.taken(2)))
            case "NEWOBJ_EX":
                stack.append(self.made(*self.taken(3)[:2]))
            case "BUILD":
                (state,) = self.taken(1)
                if isinstance(stack[-1], Inert) and isinstance(state, dict):
                    stack[-1].held.update(state)
            case "BINPERSID":
                stack.append(_storage(stack.pop()))
            case _:
                raise Unreadable(f"is refused: its pickle has the instruction {instruction}, which no checkpoint needs")

    def made(self, function: Any, arguments: Any) -> Any:
        """What calling a named thing would have made."""
        if not isinstance(function, _Name) or not isinstance(arguments, tuple):
            raise Unreadable("is refused: its pickle calls what has no name")
        if function.text == _ORDERED:
            ordered: dict[Any, Any] = {}
            _put(ordered, [part for pair in (arguments[0] if arguments else ()) for part in pair])
            return ordered
        if function.text in _TENSORS:
            return self.rebuilt(arguments)
        if function.text in _PARAMETERS:
            return arguments[0]
        if function.text == _OF_TYPE:  # (function, class, its arguments, attributes)
            return self.made(arguments[0], arguments[2])
        if function.text == _SIZE:
            return tuple(arguments[0])
        return Inert(function.text)

    def rebuilt(self, arguments: tuple[Any, ...]) -> Stored:
        storage, offset, sizes, strides, *more = arguments
        numbers = (offset, *sizes, *strides)
        if not isinstance(storage, Storage) or not all(type(number) is int and number >= 0 for number in numbers):
            raise Unreadable("is damaged: a tensor is described by what are no sizes")
        if more[2:] and isinstance(more[2], _Name) and more[2].text in _DTYPES:  # of a type without a storage class
            dtype = getattr(torch, more[2].text.removeprefix("torch."))
            storage = Storage(storage.key, dtype, storage.nbytes // dtype.itemsize)
        if len(sizes) != len(strides):
            raise Unreadable("is damaged: a tensor has more sizes than strides")
        last = offset + sum((size - 1) * stride for size, stride in zip(sizes, strides, strict=True))
        if 0 not in sizes and last >= storage.count:
            raise Unreadable("is damaged: a tensor is larger than what is stored of it")
        return self.tensor(storage, offset, tuple(sizes), tuple(strides))


def _put(target: Any, items: list[Any]) -> None:
    """Keys and values, one after the other, into a dictionary; a key that is no plain value is left out."""
    held = target.held if isinstance(target, Inert) else target
    if not isinstance(held, dict) or len(items) % 2:
        raise Unreadable("is damaged: items are put into what is no dictionary")
    pairs = zip(items[::2], items[1::2], strict=True)
    held.update((key, value) for key, value in pairs if isinstance(key, (str, int, float, bytes, type(None))))


def _extend(target: Any, items: Iterable[Any]) -> None:
    if isinstance(target, list):
        target.extend(items)
    elif not isinstance(target, Inert):
        raise Unreadable("is damaged: items are put into what is no list")


def _name(module: Any, name: Any) -> _Name:
    if not isinstance(module, str) or not isinstance(name, str):
        raise Unreadable("is damaged: its pickle names what is no string")
    text = f"{module}.{name}"
    if text in (_ORDERED, _OF_TYPE, _SIZE, *_TENSORS, *_PARAMETERS) or text in HARMLESS or text in _DTYPES:
        return _Name(text)
    if _storage_type(text):
        return _Name(text)
    if text.startswith(_NETWORKS):
        raise Unreadable(
            f"is refused: a whole network was pickled ({text}), and reading that could run code; "
            "save its tensors: torch.save(network.state_dict(), PATH)"
        )
    raise Unreadable(
        f"is refused: it holds {text}, and reading that could run code; ask for a file of tensors only, made by "
        "torch.save(model.state_dict(), PATH) or safetensors"
    )


def _storage_type(text: str) -> torch.dtype | None:
    """The type of numbers in PyTorch's storage class of this name, None for anything else."""
    module, _, name = text.rpartition(".")
    kind = _STORAGES.get(name.removesuffix("Storage")) if name.endswith("Storage") else None
    return getattr(torch, kind) if kind and module in ("torch", "torch.storage", "torch.cuda") else None


def _storage(persistent: Any) -> Storage:
    """What a reference of a pickle to numbers outside of it means: ("storage", type, key, device, count, ...)."""
    if not isinstance(persistent, tuple) or len(persistent) < 5 or persistent[0] != "storage":
        raise Unreadable("is damaged: it refers to what is no storage of numbers")
    _, kind, key, _, count, *view = persistent
    dtype = _storage_type(kind.text) if isinstance(kind, _Name) else None
    plain = isinstance(key, str) and type(count) is int and count >= 0 and all(part is None for part in view)
    if dtype is None or not plain:
        raise Unreadable("is damaged or of PyTorch before 0.4: a storage of numbers is not described as such")
    return Storage(key, dtype, count)
