"""A network's weights into a file that `zoo.load` and `zoo.create` take, or a refusal before anything is written.

Whatever was done to the network since it was built (compiled, wrapped for several devices, pruned, parametrized) is
undone in what is written; what cannot be undone (quantized layers, another head, other layers) is refused, since the
file would come back as another network.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from zoo.errors import WeightsError, shown
from zoo.factory import build
from zoo.lazy import classifier, nn, torch
from zoo.names import listed
from zoo.partial import replacing
from zoo.spec import ModelSpec
from zoo.weights.layout import is_norm
from zoo.weights.matching import LAYOUTS
from zoo.weights.native import HEADER, write_header
from zoo.weights.stored import short

__all__ = ["export_weights", "save_weights"]

WRAPPERS = ("_orig_mod", "module")  # where torch.compile, DDP, DataParallel and averaged models keep the network


def save_weights(
    model: classifier.Classifier, path: str | os.PathLike[str], *, training: Mapping[str, Any] | None = None
) -> None:
    """Writes a network's weights, and with them everything `zoo.load` needs to build it again.

    A file of this name is replaced as a whole, never overwritten: networks that were loaded from it are safe. A
    network that torch.compile, DDP or DataParallel wraps is saved as what is inside; pruned and parametrized weights
    are saved as the values that the network computes with.

    Args:
        path: ends in .safetensors, or in .pth or .pt for PyTorch's own format.
        training: how it was trained, as JSON takes it, kept in the file; `zoo.train` writes data, split and recipe.

    Raises:
        WeightsError: the name has another ending, the network is none of the zoo's any more, or the file cannot be
            written.
    """
    target = _target(path)
    network = _network(model)
    state = _plain_state(network)
    spec = _spec(network)
    header = write_header(network, spec, training)
    try:
        with replacing(target) as partial:
            if target.suffix == ".safetensors":
                from safetensors.torch import save_file

                save_file(state, partial, metadata={HEADER: header})  # of several keys the order would be random
            else:
                torch.save({HEADER: header, "state_dict": state}, partial)
    except Exception as error:  # the library's own errors, a full disk, a read-only folder
        raise WeightsError(f"{short(target)} cannot be written: {error}") from error


def export_weights(model: classifier.Classifier, source: str) -> dict[str, torch.Tensor]:
    """A network's state under another library's names ("torchvision", "keras", "timm") and with its axes."""
    if source not in LAYOUTS or not LAYOUTS[source].has(model.spec):
        having = ", ".join(name for name, layout in LAYOUTS.items() if layout.has(model.spec))
        raise WeightsError(f"{model.spec.name!r} can be written for {having}; got {shown(source)}")
    layout = LAYOUTS[source]
    state = model.state_dict()
    return {theirs: layout.to_theirs(theirs, state[ours]) for ours, theirs in layout.names(model).items()}


def _target(path: Any) -> Path:
    given = os.fspath(path) if isinstance(path, os.PathLike) else path
    if not isinstance(given, str) or Path(given).suffix not in (".safetensors", ".pth", ".pt"):
        raise WeightsError(f"weights are saved as .safetensors or .pth; got {shown(given)}")
    return Path(given)


def _network(model: Any) -> classifier.Classifier:
    """The network inside its wrappers."""
    inside = model
    while isinstance(inside, nn.Module) and not isinstance(inside, classifier.Classifier):
        inside = next((getattr(inside, name) for name in WRAPPERS if hasattr(inside, name)), None)
    if not isinstance(inside, classifier.Classifier):
        raise WeightsError(f"zoo.save_weights takes a network of the zoo; got {shown(model)}")
    if any(tensor.is_meta for tensor in (*inside.parameters(), *inside.buffers())):
        raise WeightsError("a network on the meta device has no weights to save; build it on another device")
    return inside


def _spec(network: classifier.Classifier) -> ModelSpec:
    """What the network is now: auxiliary classifiers may have been taken away."""
    if network.spec.settings.get("auxiliary") and not network.auxiliary:
        return network.spec.vary(auxiliary=False)
    return network.spec


def _plain_state(network: classifier.Classifier) -> dict[str, torch.Tensor]:
    """The state that a freshly built network of the same description would have.

    Raises:
        WeightsError: no such network computes what this one does.
    """
    twin = build(_spec(network), num_classes=network.num_classes or 1, in_channels=network.in_channels)
    if not network.num_classes:
        twin.reset_classifier(0)
    layers = dict(_layers(network))
    changed = [path for path, layer in twin.named_modules() if not _same(layer, layers.get(path))]
    known = {path for path, _ in twin.named_modules()}
    changed += [path for path, layer in layers.items() if path not in known and _own_tensors(layer)]
    if changed:
        raise WeightsError(
            f"the network is no longer {network.spec.label}: {listed(changed)} differ, so that it could not be loaded "
            "again; save it by torch.save(model.state_dict(), PATH)"
        )
    state = {}
    for key, wanted in twin.state_dict().items():
        path, _, leaf = key.rpartition(".")
        tensor = _value(layers[path], leaf).detach().cpu()
        if tensor.shape != wanted.shape:
            raise WeightsError(
                f"{key} has shape {tuple(tensor.shape)}, that of {network.spec.label} {tuple(wanted.shape)}; such a "
                "network could not be loaded again"
            )
        state[key] = tensor.clone(memory_format=torch.contiguous_format)
    return state


def _layers(network: nn.Module, path: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Every layer by the path it would have without wrappers around it or above it."""
    while network is not None and type(network).__name__ in (
        "OptimizedModule",
        "DataParallel",
        "DistributedDataParallel",
    ):
        network = next(getattr(network, name) for name in WRAPPERS if hasattr(network, name))
    yield path, network
    for name, child in network.named_children():
        if name != "parametrizations":
            yield from _layers(child, f"{path}.{name}" if path else name)


def _same(expected: nn.Module, layer: nn.Module | None) -> bool:
    """Whether a layer computes what a freshly built one with its tensors would."""
    if isinstance(expected, nn.Dropout):  # does nothing where a network is used
        return True
    if layer is None:
        return False
    if is_norm(expected):
        return is_norm(layer) and bool(layer.track_running_stats) and bool(layer.affine)
    kind = torch.nn.utils.parametrize.type_before_parametrizations(layer)
    alike = kind is type(expected)
    if isinstance(expected, nn.Conv2d):  # whose padding may be that of the weights
        alike = issubclass(kind, nn.Conv2d) and kind.__module__ in (nn.Conv2d.__module__, "zoo.blocks")
    return alike and (hasattr(expected, "inplace") or layer.extra_repr() == expected.extra_repr())


def _own_tensors(layer: nn.Module) -> bool:
    return next(layer.parameters(recurse=False), next(layer.buffers(recurse=False), None)) is not None


def _value(layer: nn.Module, leaf: str) -> torch.Tensor:
    """A tensor of a layer as the layer computes with it, whatever it is made of."""
    from torch.nn.utils import parametrize, prune
    from torch.nn.utils.spectral_norm import SpectralNorm
    from torch.nn.utils.weight_norm import WeightNorm

    if parametrize.is_parametrized(layer, leaf):
        made: Any = layer.get_submodule(f"parametrizations.{leaf}")
        training = made.training
        try:
            made.eval()  # in training a spectral norm takes a step each time it is asked
            with torch.no_grad():
                value: torch.Tensor = getattr(layer, leaf)
        finally:
            made.train(training)
        return value
    with torch.no_grad():
        hook: Any
        for hook in layer._forward_pre_hooks.values():  # the older ways, which compute before each forward
            name = getattr(hook, "_tensor_name", getattr(hook, "name", None))
            if name == leaf and isinstance(hook, prune.BasePruningMethod):
                return cast("torch.Tensor", hook.apply_mask(layer))
            if name == leaf and isinstance(hook, WeightNorm):
                return cast("torch.Tensor", hook.compute_weight(layer))
            if name == leaf and isinstance(hook, SpectralNorm):
                return hook.compute_weight(layer, do_power_iteration=False)
    found = getattr(layer, leaf, None)
    if not isinstance(found, torch.Tensor) or found.is_quantized:
        raise WeightsError(
            f"{leaf} of a {type(layer).__name__} is no plain tensor; such a network cannot be saved here"
        )
    return found
