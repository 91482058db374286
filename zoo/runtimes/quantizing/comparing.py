"""Whether integers still answer what the network answers: counted on images, layer by layer where asked."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from zoo.errors import RuntimeUnavailable
from zoo.lazy import nn, torch
from zoo.runtimes.agreement import Agreement

if TYPE_CHECKING:
    from torch import Tensor

    from zoo.runtimes.agreement import Bound
    from zoo.runtimes.quantizing.calibration import Calibration

__all__ = ["compared", "held_to", "layer_noise"]

Run = Callable[["Tensor"], "Tensor"]


def compared(network: Run, run: Run, calibration: Calibration, bound: Bound, precision: str) -> Agreement:
    """How far `run` agrees with the network on the images to compare on; both read the same tensors."""
    same = images = right = was_right = 0
    difference = largest = signal = noise = 0.0
    labelled = True
    for batch, labels in calibration.to_compare():
        with torch.inference_mode():
            expected, logits = network(batch).float().detach(), run(batch).float().detach()
        if not bool(logits.isfinite().all()):
            raise RuntimeUnavailable(f"its logits in {precision} are not finite on {calibration.name}")
        difference = max(difference, float((logits - expected).abs().max()))
        largest = max(largest, float(expected.abs().max()))
        signal, noise = signal + float(expected.square().sum()), noise + float((logits - expected).square().sum())
        images += len(batch)
        same += int((logits.argmax(1) == expected.argmax(1)).sum())
        if labels is None:
            labelled = False
        else:
            right += int((logits.argmax(1) == labels).sum())
            was_right += int((expected.argmax(1) == labels).sum())
    return Agreement(
        precision=precision,
        images=images,
        source=calibration.name,
        relative=difference / max(largest, 1e-30),
        top1=same / images,
        correct=(was_right, right) if labelled else None,
        signal_to_noise_db=decibels(signal, noise),
        bound=bound,
        real=calibration.real,
    )


def held_to(agreement: Agreement) -> None:
    """Raises `RuntimeUnavailable` where the agreement is not within its bound."""
    if not agreement.within:
        raise RuntimeUnavailable(f"{agreement.words}; allowed is {agreement.bound.words(real=agreement.real)}")


def decibels(signal: float, noise: float) -> float:
    """Signal to noise of their sums of squares; infinite without noise."""
    return 10 * math.log10(signal / noise) if noise > 0 and signal > 0 else math.inf


def layer_noise(model: nn.Module, calibration: Calibration, *, per_channel: bool = True) -> dict[str, float]:
    """Signal to quantization noise of the logits, in decibels, with the weights and input of one layer alone in bytes.

    The lower, the more accuracy the layer costs: those at the top of the sorted table are the ones to leave in fp32
    first. Weights are rounded to signed bytes with a scale for each filter, the layer's input to unsigned ones with one
    scale from its smallest and largest value on the images.

    Args:
        model: a network in eval mode, which stays as it is.
        per_channel: False rounds all filters of a layer with one scale.

    Returns:
        By name of the layer, the noisiest first.
    """
    import copy

    network = copy.deepcopy(model).eval().requires_grad_(False)
    batches = [batch for batch, _ in calibration.to_compare()]
    found = {}
    with torch.inference_mode():
        expected = [network(batch) for batch in batches]
        signal = sum(float(logits.square().sum()) for logits in expected)
        for name, layer in network.named_modules():
            if not isinstance(layer, (nn.Conv2d, nn.Linear)):
                continue
            weight = layer.weight
            layer.weight = nn.Parameter(rounded_weight(weight, per_channel=per_channel), requires_grad=False)
            hook = layer.register_forward_pre_hook(lambda _, inputs: (_rounded_input(inputs[0]),))
            noise = sum(
                float((network(batch) - logits).square().sum()) for batch, logits in zip(batches, expected, strict=True)
            )
            hook.remove()
            layer.weight = weight
            found[name] = decibels(signal, noise)
    return dict(sorted(found.items(), key=lambda item: item[1]))


def rounded_weight(weight: Tensor, *, per_channel: bool = True) -> Tensor:
    """Weights on a grid of signed bytes, symmetric about zero."""
    largest = weight.flatten(1).abs().amax(1) if per_channel else weight.abs().max().expand(len(weight))
    step = (largest.clamp_min(1e-30) / 127).view(-1, *[1] * (weight.dim() - 1))
    return (weight / step).round().clamp(-127, 127) * step


def _rounded_input(images: Tensor) -> Tensor:
    """Activations on a grid of 256 steps from the smallest, or zero, to the largest."""
    low, high = images.min().clamp_max(0), images.max().clamp_min(0)
    step = ((high - low) / 255).clamp_min(1e-30)
    zero = (-low / step).round()
    return ((images / step + zero).round().clamp(0, 255) - zero) * step
