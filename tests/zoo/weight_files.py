"""Networks small enough for a test, and their weights in every format that is read."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

import zoo
from zoo.weights import export_weights

SMALL = "mobilenet_v1:width=0.25,resolution=64"
TINY = "mobilenet_v1:width=0.05,resolution=32,shallow=true"


def small(**options: Any) -> zoo.Classifier:
    return zoo.create(SMALL, **options).eval()


def tiny(**options: Any) -> zoo.Classifier:
    return zoo.create(TINY, **({"num_classes": 3} | options)).eval()


def bits(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {key: tensor.clone() for key, tensor in model.state_dict().items()}


def same(model: torch.nn.Module, state: dict[str, torch.Tensor]) -> bool:
    now = model.state_dict()
    return now.keys() == state.keys() and all(torch.equal(now[key], state[key]) for key in state)


def logits(model: torch.nn.Module, size: int = 64, channels: int = 3) -> torch.Tensor:
    images = torch.rand(2, channels, size, size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        answers: torch.Tensor = model.eval()(images)
    return answers


def write_keras(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    """`model.save_weights("x.h5")` as Keras 2 writes it."""
    import h5py

    with h5py.File(path, "w") as file:
        layers: dict[str, list[tuple[str, torch.Tensor]]] = {}
        for key, tensor in tensors.items():
            layers.setdefault(key.partition("/")[0], []).append((f"{key}:0", tensor))
        file.attrs["layer_names"] = [layer.encode() for layer in layers]
        for layer, named in layers.items():
            group = file.create_group(layer)
            group.attrs["weight_names"] = [name.encode() for name, _ in named]
            for name, tensor in named:
                group.create_dataset(name, data=tensor.numpy())


def write_all(folder: Path, model: zoo.Classifier) -> dict[str, Path]:
    """A network's weights in each format, by the file's name."""
    zoo.save_weights(model, folder / "zoo.safetensors")
    torch.save(model.state_dict(), folder / "zip.pth")
    torch.save(model.state_dict(), folder / "old.pth", _use_new_zipfile_serialization=False)
    if find_spec("h5py"):
        write_keras(folder / "keras.h5", export_weights(model, "keras"))
    return {path.name: path for path in sorted(folder.iterdir())}
