"""How networks are trained, as data that is read without PyTorch."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import get_type_hints

from zoo.errors import InvalidOption, UnknownOption, one_line, shown
from zoo.names import Registry
from zoo.spec import ModelSpec

__all__ = ["PAPER", "RECIPES", "Recipe", "recipe", "recipes"]

PAPER = "paper"  # the recipe that each model's own file has, see `ModelSpec.training`


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a network is trained.

    The defaults are those of `sample`, made to tell architectures apart on a few thousand real images within minutes
    on a CPU: Adam, linear warm-up, then half a cosine down to 0. They are nobody's way to the best accuracy.

    Papers start their weights at very different scales, and no one learning rate suits them all. So with the optimizer
    `layerwise` the rate of each weight tensor is a fixed part of the root mean square it starts with: every layer
    changes by the same fraction a step, whatever its initialisation (the layer-wise rates of LARS and LAMB,
    arXiv:1708.03888 and arXiv:1904.00962, frozen at the start). Batch normalization does not care about the scale of
    the weights before it, and such networks bear large steps; without it the changes of all layers add up, so that
    depth divides the step.

    Args:
        img_size: side of the square images in pixels, None for the network's own; a network that takes no image so
            small gets its smallest.
        batch_size: images a step and process.
        epochs: passes over the training images.
        normalized_step: part of its initial root mean square by which a weight may change in a step at the highest
            rate, in networks with batch normalization; of the optimizer `layerwise`, as the next two.
        plain_step: the same for networks without, summed over the layers an image passes.
        bias_rate: highest learning rate of biases, and of the scales and shifts of norms.
        beta1, beta2: decay of Adam's running means of the gradient and its square.
        warmup: part of all steps in which the learning rate rises from 0.
        label_smoothing: part of the target that is spread over all classes.
        mirror: flip each image left to right half of the time.
        auxiliary: train auxiliary classifiers where a network has them, as its paper does; they are gone afterwards.
        opt: optimizer: `layerwise`, `adamw`, `sgd` (with Nesterov's momentum off) or `rmsprop`.
        lr: highest learning rate of the classifier; of every optimizer but `layerwise`.
        features_lr: part of `lr` for everything below the classifier.
        momentum: of `sgd` and `rmsprop`.
        weight_decay: decoupled for `adamw`, else added to the gradient; never of norms and biases.
        sched: `cosine` down to 0, `step` (times `decay_rate` every `decay_epochs`), `plateau` (times `decay_rate`
            after `decay_epochs` without a better answer on the images that are watched) or `constant`.
        decay_epochs, decay_rate: see `sched`.
        head_epochs: of `epochs`, the first in which only the classifier is trained, below which nothing changes.
        head_only: train the classifier alone, all epochs long.
        crop_scale: smallest part of an image's area that a random crop takes; 1 for no random crops.
        auto_augment: `randaugment` (arXiv:1909.13719), `trivialaugment` (arXiv:2103.10158) or empty.
        color_jitter: largest relative change of brightness, contrast and saturation.
        reprob: part of the images a random rectangle of which is erased (arXiv:1708.04896).
        mixup, cutmix: alpha of the mixtures of two images (arXiv:1710.09412, arXiv:1905.04899); 0 for none.
        class_weights: weigh each class by the inverse of its frequency.
        model_ema: also keep a running mean of the weights, which is the result where it answers better.
        model_ema_decay: of the mean over many steps; over few it follows their number.
        grad_accum_steps: batches whose gradients are added up for one step.
        clip_grad: largest norm of the gradient; 0 for any.
        patience: epochs without a better answer on the images that are watched after which training stops; 0 for none.
        freeze_bn: leave the statistics of batch normalization as the weights have them.
        dropout: probability in all dropout layers; None for the network's own.
        keep: `best` epoch on the images that are watched, or `last`.
    """

    img_size: int | None = 40
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
    opt: str = "layerwise"
    lr: float = 0.0
    features_lr: float = 1.0
    momentum: float = 0.9
    weight_decay: float = 0.0
    sched: str = "cosine"
    decay_epochs: float = 0.0
    decay_rate: float = 0.1
    head_epochs: int = 0
    head_only: bool = False
    crop_scale: float = 1.0
    auto_augment: str = ""
    color_jitter: float = 0.0
    reprob: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    class_weights: bool = False
    model_ema: bool = False
    model_ema_decay: float = 0.999
    grad_accum_steps: int = 1
    clip_grad: float = 0.0
    patience: int = 0
    freeze_bn: bool = False
    dropout: float | None = None
    keep: str = "last"

    def __post_init__(self) -> None:
        for name, kind in _kinds().items():
            value, wanted = getattr(self, name), WANTED.get(name, _Wanted())
            if not wanted.fits(value, kind):
                raise InvalidOption(f"{name} of a recipe takes {wanted.text(kind)}; got {shown(value)}")
        if self.opt != "layerwise" and not self.lr > 0:
            raise InvalidOption(f"a recipe with the optimizer {self.opt} takes an lr above 0; got {self.lr:g}")
        if self.sched in ("step", "plateau") and not self.decay_epochs > 0:
            raise InvalidOption(f"sched {self.sched} of a recipe takes decay_epochs above 0; got {self.decay_epochs:g}")

    @property
    def augmented(self) -> bool:
        """Whether images are changed at random before the network sees them, mirroring apart."""
        return bool(self.crop_scale < 1 or self.auto_augment or self.color_jitter or self.reprob)

    @property
    def text(self) -> str:
        """The recipe in a few sentences, for the report."""
        epochs = "1 epoch" if self.epochs == 1 else f"{self.epochs} epochs"
        size = "their own sizes" if self.img_size is None else f"{self.img_size}x{self.img_size} pixels"
        smallest = "" if self.img_size is None else " (bilinear; a network whose smallest image is larger gets that)"
        start = f"For {epochs}" if self.head_only or self.head_epochs else f"From scratch for {epochs}"
        sentences = [
            f"{start} at {size}{smallest} in batches of {self.batch_size}, "
            f"{'mirrored at random' if self.mirror else 'not augmented'}.",
            f"{self._optimizer_text}{self._decay_text}.",
            self._schedule_text,
            f"Cross-entropy{f', labels smoothed by {self.label_smoothing:g}' if self.label_smoothing else ''}; "
            + ("auxiliary classifiers, where the paper has them, count with its weight." if self.auxiliary else
               "no auxiliary classifiers."),
            *self._extras,
            "All else is the same for every model; tested on images never trained on, after the last epoch."
            if self.keep == "last" else "The epoch that answers best on the validation images is kept.",
        ]  # fmt: skip
        return " ".join(sentences)

    @property
    def _optimizer_text(self) -> str:
        if self.opt == "layerwise":
            return (
                f"Adam (betas {self.beta1:g} and {self.beta2:g}) with a rate for each weight tensor relative to the "
                f"root mean square it starts with: {self.normalized_step:.0%} in networks with batch normalization, "
                f"{self.plain_step:.0%} divided by the number of layers in networks without; {self.bias_rate:g} for "
                "biases and norms"
            )
        names = {"adamw": "AdamW", "sgd": f"SGD with momentum {self.momentum:g}", "rmsprop": "RMSprop"}
        below = f", {self.features_lr:g} of it below the classifier" if self.features_lr != 1 else ""
        return f"{names[self.opt]} at a rate of {self.lr:g}{below}"

    @property
    def _decay_text(self) -> str:
        return f"; weight decay {self.weight_decay:g}" if self.weight_decay else "; no weight decay"

    @property
    def _schedule_text(self) -> str:
        rise = f"The rates rise from 0 in the first {self.warmup:.0%} of the steps and "
        fall = {
            "cosine": "fall back to 0 on a cosine.",
            "step": f"are multiplied by {self.decay_rate:g} every {self.decay_epochs:g} epochs.",
            "plateau": f"are multiplied by {self.decay_rate:g} after {self.decay_epochs:g} epochs without gain.",
            "constant": "stay.",
        }
        return rise + fall[self.sched]

    @property
    def _extras(self) -> list[str]:
        """What most recipes do without, in sentences."""
        said = {
            f"Random crops of {self.crop_scale:.0%} to 100 % of the area.": self.crop_scale < 1,
            f"Augmented by {self.auto_augment}.": self.auto_augment,
            f"Colours changed by up to {self.color_jitter:g}.": self.color_jitter,
            f"Rectangles erased from {self.reprob:.0%} of the images.": self.reprob,
            f"Mixup of {self.mixup:g}.": self.mixup,
            f"CutMix of {self.cutmix:g}.": self.cutmix,
            "Only the classifier is trained.": self.head_only,
            f"In the first {self.head_epochs} of the epochs only the classifier is trained.": self.head_epochs,
            "Classes weigh by the inverse of their frequency.": self.class_weights,
            f"A running mean of the weights with decay {self.model_ema_decay:g}.": self.model_ema,
            f"Gradients of {self.grad_accum_steps} batches a step.": self.grad_accum_steps > 1,
            f"Gradients of at most norm {self.clip_grad:g}.": self.clip_grad,
            f"Stops after {self.patience} epochs without gain.": self.patience,
            "Statistics of batch normalization as the weights have them.": self.freeze_bn,
        }
        return [sentence for sentence, holds in said.items() if holds]

    def schedule(self, step: int, steps: int, steps_an_epoch: int = 1, reductions: int = 0) -> float:
        """Part of the highest learning rate that step 0, 1, ... of `steps` takes.

        Args:
            reductions: how often a plateau was met so far.
        """
        warm = max(1, round(self.warmup * steps))
        if step < warm:
            return (step + 1) / warm
        if self.sched == "cosine":
            return (1 + math.cos(math.pi * (step - warm) / (steps - warm))) / 2
        if self.sched == "step":
            return float(self.decay_rate ** int(step / steps_an_epoch / self.decay_epochs))
        return float(self.decay_rate**reductions) if self.sched == "plateau" else 1.0


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a field of a recipe takes: one of some words, or a number between two."""

    words: tuple[str, ...] = ()
    least: float = 0.0
    most: float = math.inf

    def fits(self, value: object, kind: object) -> bool:
        if kind in (bool, str):
            return type(value) is kind and (not self.words or value in self.words)
        if value is None:
            return kind in (int | None, float | None)
        numbers = (int,) if kind in (int, int | None) else (int, float)
        return type(value) in numbers and self.least <= value <= self.most  # type: ignore[operator]

    def text(self, kind: object) -> str:
        if kind in (bool, str):
            return ", ".join(word or "nothing" for word in self.words) or "true or false"
        name = "whole numbers" if kind in (int, int | None) else "numbers"
        return f"{name} from {self.least:g} {'up' if self.most == math.inf else f'to {self.most:g}'}"


@cache
def _kinds() -> dict[str, object]:
    """The type of each field of a recipe."""
    return get_type_hints(Recipe)


WANTED: Mapping[str, _Wanted] = {
    "img_size": _Wanted(least=1, most=4096),
    "batch_size": _Wanted(least=1),
    "epochs": _Wanted(least=1),
    **dict.fromkeys(("beta1", "beta2", "momentum", "model_ema_decay"), _Wanted(most=1)),
    **dict.fromkeys(("warmup", "label_smoothing", "crop_scale", "reprob", "decay_rate"), _Wanted(most=1)),
    "grad_accum_steps": _Wanted(least=1),
    "dropout": _Wanted(most=1),
    "opt": _Wanted(words=("layerwise", "adamw", "sgd", "rmsprop")),
    "sched": _Wanted(words=("cosine", "step", "plateau", "constant")),
    "auto_augment": _Wanted(words=("", "randaugment", "trivialaugment")),
    "keep": _Wanted(words=("best", "last")),
}

RECIPES: Registry[Recipe] = Registry(
    "recipe",
    {
        "sample": Recipe(),
        "scratch": Recipe(
            img_size=None, batch_size=32, epochs=60, normalized_step=0.03, plain_step=0.15, label_smoothing=0.1,
            mirror=True, crop_scale=0.35, model_ema=True, keep="best",
        ),
        "finetune": Recipe(
            img_size=None, batch_size=32, epochs=7, opt="adamw", lr=2e-3, features_lr=0.25, beta2=0.999,
            weight_decay=0.02, head_epochs=1, label_smoothing=0.1, mirror=True, crop_scale=0.5, model_ema=True,
            auxiliary=False, keep="best",
        ),
        "head_only": Recipe(
            img_size=None, batch_size=32, epochs=10, opt="adamw", lr=5e-3, beta2=0.999, weight_decay=0.02,
            head_only=True, mirror=True, auxiliary=False, keep="best",
        ),
    }.items(),
)  # fmt: skip


def recipes() -> list[str]:
    """The names of all recipes; `paper` is another one for each model."""
    return [*RECIPES, PAPER]


def recipe(name: str, model: ModelSpec | None = None, **changes: object) -> Recipe:
    """A recipe by its name, changes in shell form allowed: "sample:auxiliary=false,batch_size=10".

    Args:
        model: whose paper is meant by `paper`.
        changes: fields of `Recipe` that replace those of the name.

    Raises:
        LookupError: no recipe has this name, or the model's paper prints none.
        UnknownOption: a recipe has no such field.
        InvalidOption: a value is not of the field's type.
    """
    base, _, text = name.partition(":") if isinstance(name, str) else (None, "", "")
    chosen = _of_paper(model) if base == PAPER else RECIPES.get(base) if base is not None else None
    if chosen is None:
        unknown_name = RECIPES.unknown(name if base is None else base)
        raise LookupError(one_line(unknown_name.replace("allowed: ", f"allowed: {PAPER}, ")))
    types = _kinds()
    typed: dict[str, object] = {}
    for pair in filter(None, text.split(",")):
        key, _, value = (part.strip() for part in pair.partition("="))
        typed[key] = value
    unknown = [key for key in (*typed, *changes) if key not in types]
    if unknown:
        raise UnknownOption(f"a recipe has no field {shown(unknown[0])}; its fields: {', '.join(types)}")
    typed = {key: _value(key, str(value), types[key]) for key, value in typed.items()}
    return dataclasses.replace(chosen, **typed, **changes)  # type: ignore[arg-type]


def _of_paper(model: ModelSpec | None) -> Recipe:
    """What a model's paper printed, and what it did not as this project has it."""
    training = model.training if isinstance(model, ModelSpec) else None
    if training is None:
        which = f"not in the file of {model.name!r}" if isinstance(model, ModelSpec) else "a model's own"
        raise LookupError(f"the recipe {PAPER!r} is {which}; allowed: {', '.join(RECIPES)}")
    return Recipe(**{**training.printed, **training.ours})  # type: ignore[arg-type]


def _value(key: str, text: str, kind: object) -> object:
    """A value in shell form as the field's type has it."""
    if kind is str:
        return text
    if kind is bool:
        if text in ("true", "false"):
            return text == "true"
        raise InvalidOption(f"{key!r} of a recipe takes true or false; got {shown(text)}")
    if kind in (int | None, float | None) and text == "none":
        return None
    whole = kind in (int, int | None)
    try:
        return int(text) if whole else float(text)
    except ValueError:
        raise InvalidOption(
            f"{key!r} of a recipe takes {'a whole number' if whole else 'a number'}; got {shown(text)}"
        ) from None
