"""What is known of a model before it is built: frozen data, readable without PyTorch."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo.errors import InvalidOption, UnknownOption, shown

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Input", "ModelSpec", "Option", "OptionValue", "Paper", "PaperRecipe", "Printed", "Reference", "Weights"]

OptionValue = bool | int | float | str | None
Options = tuple[tuple[str, OptionValue], ...]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """The images a network was made for, and how a photograph becomes one of them.

    Args:
        size: side of the square crop in pixels.
        channels: colour channels of the published network.
        resize: length in pixels of the shorter side before the centre crop.
        mean: per-channel mean subtracted after scaling to [0, 1].
        std: per-channel divisor applied after the mean.
        interpolation: `bilinear` or `bicubic`, antialiased.
        rounding: whose arithmetic places the crop: `torchvision` rounds the longer side down and half margins to even,
            `keras` rounds the longer side and takes margins down.
        min_size: smallest height and width in pixels that leave the last feature map at least 1x1.
    """

    size: int = 224
    channels: int = 3
    resize: int = 256
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    interpolation: str = "bilinear"
    rounding: str = "torchvision"
    min_size: int = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """Where a network was published."""

    title: str
    authors: str
    year: int
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Figures somebody printed, with the place they were printed in.

    Args:
        source: publication and locator ("arXiv:1704.04861, Table 6").
        options: the variant they belong to, as sorted (name, value) pairs that differ from the model's defaults.
        params: learnable parameters, a count.
        mult_adds: multiply-adds of one image, a count.
        top1: ImageNet top-1 accuracy, a fraction.
        top5: ImageNet top-5 accuracy, a fraction.
        protocol: how accuracy was taken (crops, scales, image set), where the source says it.
    """

    source: str
    options: Options = ()
    params: float | None = None
    mult_adds: float | None = None
    top1: float | None = None
    top5: float | None = None
    protocol: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    """What a paper prints for a row of its table, in its own words.

    Args:
        row: the row, as the network's child is called.
        source: table, figure or section.
        variants: the variants it belongs to, each as sorted (name, value) pairs that differ from the model's defaults.
        output: size of the output.
        params: parameters.
        mult_adds: multiply-adds.
        slip: why the printed figure is not the counted one; empty where they agree.
        covers: the rows the figures belong to, where they are more than this one.
    """

    row: str
    source: str
    variants: tuple[Options, ...] = ((),)
    output: str = ""
    params: str = ""
    mult_adds: str = ""
    slip: str = ""
    covers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperRecipe:
    """How a paper trained its network on ImageNet, as the fields of `zoo.training.recipes.Recipe`.

    Args:
        source: where it is printed.
        printed: fields whose values the source prints.
        ours: fields it does not print, as this project has them.
        not_here: what the source prints and no field of a recipe can say.
    """

    source: str
    printed: Mapping[str, OptionValue] = dataclasses.field(hash=False)
    ours: Mapping[str, OptionValue] = dataclasses.field(default_factory=dict, hash=False)
    not_here: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """A published ImageNet checkpoint: where it is, how to know it is whole, what it is worth.

    Args:
        tag: name after `imagenet:`, unique within one variant ("torchvision", "keras", "timm").
        source: the library whose key names and conventions the file follows.
        url: address of the file.
        file_name: name it is kept under in the cache and in `ZOO_WEIGHTS_DIR`.
        input: preprocessing that belongs to these weights.
        options: the variant of the model they fit, as sorted (name, value) pairs.
        sha256: published SHA-256 or its published prefix; empty when the publisher gives none.
        md5: published MD5 where that is the only checksum.
        size_mb: published size of the file in 10^6 bytes.
        licence: what the publisher says of its use.
        recipe: how they were trained, or where that is written.
        published: accuracy printed for them.
    """

    tag: str
    source: str
    url: str
    file_name: str
    input: Input
    options: Options = ()
    sha256: str = ""
    md5: str = ""
    size_mb: float | None = None
    licence: str = ""
    recipe: str = ""
    published: Reference | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """A choice a model offers beyond `num_classes` and `in_channels`.

    Args:
        name: keyword of `zoo.create`.
        default: the published network's value.
        choices: every allowed value, where there are few.
        above: smallest allowed number is greater than this.
        at_least: smallest allowed number.
        at_most: largest allowed number.
        meaning: one line for `zoo info`.
        network: False for an option that changes the input only, not a single weight.
    """

    name: str
    default: OptionValue
    meaning: str
    choices: tuple[OptionValue, ...] = ()
    above: float | None = None
    at_least: float | None = None
    at_most: float | None = None
    network: bool = True

    @property
    def allowed(self) -> str:
        """The allowed values, as a message or a table shows them."""
        if self.choices:
            return ", ".join(_text(choice) for choice in self.choices)
        bounds = [
            f"> {self.above:g}" if self.above is not None else "",
            f">= {self.at_least:g}" if self.at_least is not None else "",
            f"<= {self.at_most:g}" if self.at_most is not None else "",
        ]
        kind = "a whole number" if isinstance(self.default, int) else "a number"
        return " ".join([kind, " and ".join(filter(None, bounds))]).strip()

    def parse(self, value: object) -> OptionValue:
        """The value in the option's own type, from Python, NumPy or shell text; raises `InvalidOption`."""
        given = value
        if getattr(value, "shape", None) == ():  # a number of NumPy's, or a tensor that holds one
            value = value.item()  # type: ignore[attr-defined]
        if self.choices:
            for choice in self.choices:
                if isinstance(value, str):
                    matches = value.lower() == _text(choice).lower()
                else:
                    plain = value is None or isinstance(value, (bool, int, float))
                    matches = plain and value == choice and isinstance(value, bool) == isinstance(choice, bool)
                if matches:
                    return choice
            raise self._refusal(given)
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            raise self._refusal(given)
        try:
            number = float(value)
            if isinstance(self.default, int):
                if number != int(number):
                    raise self._refusal(given)
                number = int(number)
        except (ValueError, OverflowError):
            raise self._refusal(given) from None
        inside = (
            number == number
            and (self.above is None or number > self.above)
            and (self.at_least is None or number >= self.at_least)
            and (self.at_most is None or number <= self.at_most)
        )
        if not inside:
            raise self._refusal(given)
        return number

    def _refusal(self, value: object) -> InvalidOption:
        return InvalidOption(f"option {self.name!r} takes {self.allowed}; got {shown(value)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """Everything known of a model before it is built.

    Args:
        name: registry name, without options.
        title: name for people.
        family: the model file it comes from.
        build: function of `num_classes`, `in_channels` and the declared options that returns the bare network, a
            `zoo.Classifier`.
        initialize: fills the weights of a network or of a new layer as the paper or its reference implementation does.
        input: the images it expects.
        paper: where it was published.
        declared: the options it offers.
        options: the values of this variant that differ from the defaults, as sorted pairs.
        references: published figures of the model and its variants.
        printed: sizes and costs that the paper prints row by row, of the model and its variants.
        weights: published ImageNet checkpoints.
        deviations: where paper and implementation part, or where the paper contradicts itself.
        auxiliary_weight: weight of each auxiliary classifier's loss in training.
        training: how its paper trained it.
    """

    name: str
    title: str
    family: str
    build: Callable[..., Any]  # its class is in `zoo.classifier`, which reads specs and imports PyTorch
    initialize: Callable[[nn.Module], None]
    input: Input
    paper: Paper
    declared: tuple[Option, ...] = ()
    options: Options = ()
    references: tuple[Reference, ...] = ()
    printed: tuple[Printed, ...] = ()
    weights: tuple[Weights, ...] = ()
    deviations: tuple[str, ...] = ()
    auxiliary_weight: float = 0.3
    training: PaperRecipe | None = None

    def __deepcopy__(self, memo: object) -> ModelSpec:
        """Itself: a copied network has the spec of the first, equal to it in every part."""
        return self

    @property
    def label(self) -> str:
        """Name and options in shell form: `mobilenet_v1:resolution=160,width=0.5`; `zoo.create` takes it back."""
        if not self.options:
            return self.name
        return f"{self.name}:" + ",".join(f"{name}={_text(value)}" for name, value in self.options)

    @property
    def settings(self) -> dict[str, OptionValue]:
        """Every declared option with its value in this variant."""
        return {option.name: option.default for option in self.declared} | dict(self.options)

    @property
    def published(self) -> Reference | None:
        """The first published figures of exactly this variant, or None."""
        return next((reference for reference in self.references if reference.options == self.options), None)

    def vary(self, **options: object) -> ModelSpec:
        """The spec of another variant of this model; raises `UnknownOption` or `InvalidOption`."""
        return self.with_options(options)

    def with_options(self, options: Mapping[str, object]) -> ModelSpec:
        """As `vary`, from a mapping."""
        declared = {option.name: option for option in self.declared}
        for name in options:
            if name not in declared:
                known = ", ".join(f"{option.name} ({option.allowed})" for option in self.declared) or "none"
                raise UnknownOption(f"model {self.name!r} has no option {name!r}; its options: {known}")
        values = dict(self.options) | {name: declared[name].parse(value) for name, value in options.items()}
        changed = tuple(sorted((name, value) for name, value in values.items() if value != declared[name].default))
        size = values.get("resolution", declared["resolution"].default) if "resolution" in declared else self.input.size
        if not isinstance(size, int):
            raise TypeError(f"option 'resolution' of {self.name!r} must be declared as a whole number")
        network_input = self.input if size == self.input.size else resized(self.input, size)
        return dataclasses.replace(self, options=changed, input=network_input)


def resized(images: Input, size: int) -> Input:
    """The same preprocessing at another crop size; the shorter side before the crop keeps its proportion to it."""
    return dataclasses.replace(images, size=size, resize=round(images.resize * size / images.size))


def _text(value: Any) -> str:
    """An option's value as it is typed at a shell."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return str(value)
