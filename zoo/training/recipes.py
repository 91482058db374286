"""How networks are trained, as data that is read without PyTorch."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

from zoo.errors import InvalidOption, UnknownOption
from zoo.names import Registry

__all__ = ["RECIPES", "Recipe", "recipe"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a network is trained: Adam, linear warm-up, then half a cosine down to 0.

    The default is made to tell architectures apart on a few thousand real images within minutes on a CPU; it is
    nobody's way to the best accuracy.

    Papers start their weights at very different scales, and no one learning rate suits them all. So the rate of each
    weight tensor is a fixed part of the root mean square it starts with: every layer changes by the same fraction a
    step, whatever its initialisation (the layer-wise rates of LARS and LAMB, arXiv:1708.03888 and arXiv:1904.00962,
    frozen at the start). Batch normalization does not care about the scale of the weights before it, and such
    networks bear large steps; without it the changes of all layers add up, so that depth divides the step.

    Args:
        img_size: side of the square images in pixels; a network that takes no image so small gets its smallest.
        batch_size: images a step; what is left of an epoch below a full batch waits for the next shuffle.
        epochs: passes over the training images.
        normalized_step: part of its initial root mean square by which a weight may change in a step at the highest
            rate, in networks with batch normalization.
        plain_step: the same for networks without, summed over the layers an image passes.
        bias_rate: highest learning rate of biases, and of the scales and shifts of norms.
        beta1, beta2: decay of Adam's running means of the gradient and its square.
        warmup: part of all steps in which the learning rate rises from 0.
        label_smoothing: part of the target that is spread over all classes.
        mirror: flip each image left to right half of the time.
        auxiliary: train auxiliary classifiers where a network has them, as its paper does; they are gone afterwards.
    """

    img_size: int = 40
    batch_size: int = 20
    epochs: int = 3
    normalized_step: float = 0.05
    plain_step: float = 0.24
    bias_rate: float = 1e-3
    beta1: float = 0.9
    beta2: float = 0.99
    warmup: float = 0.1
    label_smoothing: float = 0.0
    mirror: bool = False
    auxiliary: bool = True

    @property
    def text(self) -> str:
        """The recipe in a few sentences, for the report."""
        epochs = "1 epoch" if self.epochs == 1 else f"{self.epochs} epochs"
        sentences = [
            f"From scratch for {epochs} at {self.img_size}x{self.img_size} pixels (bilinear; a network "
            f"whose smallest image is larger gets that) in batches of {self.batch_size}, "
            f"{'mirrored at random' if self.mirror else 'not augmented'}.",
            f"Adam (betas {self.beta1:g} and {self.beta2:g}) with a rate for each weight tensor relative to the root "
            f"mean square it starts with: {self.normalized_step:.0%} in networks with batch normalization, "
            f"{self.plain_step:.0%} divided by the number of layers in networks without; {self.bias_rate:g} for biases "
            "and norms; no weight decay.",
            f"The rates rise from 0 in the first {self.warmup:.0%} of the steps and fall back to 0 on a cosine.",
            f"Cross-entropy{f', labels smoothed by {self.label_smoothing:g}' if self.label_smoothing else ''}; "
            + ("auxiliary classifiers, where the paper has them, count with its weight." if self.auxiliary else
               "no auxiliary classifiers."),
            "All else is the same for every model; tested on images never trained on, after the last epoch.",
        ]  # fmt: skip
        return " ".join(sentences)

    def schedule(self, step: int, steps: int) -> float:
        """Part of the highest learning rate that step 0, 1, ... of `steps` takes."""
        warm = max(1, round(self.warmup * steps))
        if step < warm:
            return (step + 1) / warm
        return (1 + math.cos(math.pi * (step - warm) / (steps - warm))) / 2


RECIPES = Registry("recipe", {"sample": Recipe()}.items())


def recipe(name: str, **changes: object) -> Recipe:
    """A recipe by its name, changes in shell form allowed: "sample:auxiliary=false,batch_size=10".

    Args:
        changes: fields of `Recipe` that replace those of the name.

    Raises:
        LookupError: no recipe has this name.
        UnknownOption: a recipe has no such field.
        InvalidOption: a value is not of the field's type.
    """
    base, _, text = name.partition(":")
    if base not in RECIPES:
        raise LookupError(RECIPES.unknown(base))
    types = {field.name: type(field.default) for field in dataclasses.fields(Recipe)}
    typed: dict[str, object] = {}
    for pair in filter(None, text.split(",")):
        key, _, value = (part.strip() for part in pair.partition("="))
        typed[key] = _value(key, value, types[key]) if key in types else value
    unknown = [key for key in (*typed, *changes) if key not in types]
    if unknown:
        raise UnknownOption(f"a recipe has no field {unknown[0]!r}; its fields: {', '.join(types)}")
    return dataclasses.replace(RECIPES[base], **typed, **changes)  # type: ignore[arg-type]


def _value(key: str, text: str, kind: type) -> object:
    if kind is bool and text in ("true", "false"):
        return text == "true"
    try:
        if kind is not bool:
            return kind(text)
    except ValueError:
        pass
    wanted = {bool: "true or false", int: "a whole number", float: "a number"}[kind]
    raise InvalidOption(f"{key!r} of a recipe takes {wanted}; got {text!r}")
