"""The zoo at a shell.

    python -m zoo list 'resnet*' --weights any
    python -m zoo info mobilenet_v1:width=0.5
    python -m zoo predict --model mobilenet_v1 --weights imagenet photo.jpg

Exit status: 0 all well; 1 some image could not be read; 2 the command line was wrong or the weights do not fit.
"""

from __future__ import annotations

import argparse
import sys
import textwrap
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

import zoo
from zoo.shell import run_command
from zoo.spec import ModelSpec, Reference, Weights
from zoo.table import render, rows

if TYPE_CHECKING:
    from zoo.classifier import Classifier

__all__ = ["command", "main"]

WIDTH = 120  # columns of the terminal that texts are wrapped to
TOP = 5  # classes that `predict` prints

Row = TypeVar("Row", Reference, Weights)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit status."""
    given = _parser().parse_args(arguments)
    try:
        status: int = given.run(given)
    except (zoo.UnknownModel, zoo.UnknownOption, zoo.InputSizeError, zoo.WeightsError) as error:
        print(f"zoo {given.command}: {error}", file=sys.stderr)
        return 2
    return status


def command() -> NoReturn:
    """`zoo` and `python -m zoo` at a shell."""
    run_command(main)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="zoo", description="Classic convolutional networks, as published.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="list | info | predict")

    listing = commands.add_parser("list", help="the models and their weights")
    listing.add_argument("pattern", nargs="?", default="*", help="shell pattern of names: 'resnet*'")
    listing.add_argument("--family", help="only this paper's models")
    listing.add_argument("--weights", metavar="TAG", help="only models with these ImageNet weights; any: with some")
    listing.set_defaults(run=_list)

    info = commands.add_parser("info", help="everything about one model")
    info.add_argument("model", metavar="NAME", help="a name, options allowed: mobilenet_v1:width=0.5,resolution=160")
    info.add_argument("--num-classes", type=int, default=1000, metavar="N")
    info.add_argument("--img-size", type=int, metavar="S", help="side of the image in pixels, for the layer table")
    info.set_defaults(run=_info)

    predict = commands.add_parser("predict", help="what a trained model sees in images")
    predict.add_argument("--model", required=True, metavar="NAME")
    predict.add_argument("--weights", default="imagenet", metavar="SOURCE", help="imagenet, imagenet:TAG or a file")
    predict.add_argument("images", nargs="+", type=Path, metavar="IMAGE")
    predict.set_defaults(run=_predict)
    return parser


# --- list -------------------------------------------------------------------------------------------------------------


def _list(given: argparse.Namespace) -> int:
    names = zoo.list_models(given.pattern, family=given.family, weights=given.weights)
    specs = [zoo.spec(name) for name in names]
    wide = max((len(name) for name in names), default=0)
    titled = max((len(spec.title) for spec in specs), default=0)
    for spec in specs:
        tags = ", ".join(dict.fromkeys(row.tag for row in spec.weights))
        print(f"{spec.name:{wide}}  {spec.title:{titled}}  {tags}".rstrip())
    if not specs:
        print(f"no model fits; zoo list shows all {len(zoo.list_models())}", file=sys.stderr)
    return 0


# --- info -------------------------------------------------------------------------------------------------------------


def _info(given: argparse.Namespace) -> int:
    spec = zoo.spec(given.model)
    print(f"{spec.label}: {spec.title}")
    for title, section in SECTIONS:
        lines = [line for entry in section(spec) for line in _wrapped(entry)]
        if lines:
            print(f"\n{title}", *lines, sep="\n")
    sys.stdout.flush()  # the rest needs PyTorch, which takes a moment
    every_layer = _layers(spec, given.num_classes, given.img_size)
    table = render(rows(spec, img_size=given.img_size or 0, num_classes=given.num_classes))
    print("\nThe paper's table, counted", table, sep="\n")
    print("\nLayers", every_layer, sep="\n")
    return 0


def _paper(spec: ModelSpec) -> Iterator[str]:
    yield f"{spec.paper.authors}: {spec.paper.title} ({spec.paper.year})"
    yield spec.paper.url


def _input(spec: ModelSpec) -> Iterator[str]:
    images = spec.input
    yield (
        f"{images.channels} x {images.size} x {images.size}, any size from {images.min_size} pixels; shorter side to "
        f"{images.resize}, {images.interpolation}, centre crop, mean {_numbers(images.mean)}, deviation "
        f"{_numbers(images.std)}"
    )


def _options(spec: ModelSpec) -> Iterator[str]:
    for option in spec.declared:
        value = str(spec.settings[option.name]).lower()
        yield f"{option.name} = {value} ({option.allowed}): {option.meaning}"


def _published(spec: ModelSpec) -> Iterator[str]:
    for reference in _of_variant(spec, spec.references):
        variant = "".join(f" {name}={value}" for name, value in reference.options)
        figures = [
            f"{reference.params:,.0f} parameters" if reference.params else "",
            f"{reference.mult_adds / 1e6:,.0f} M multiply-adds" if reference.mult_adds else "",
            _accuracy(reference),
        ]
        yield f"{reference.source}{f' [{variant.strip()}]' if variant else ''}: {', '.join(filter(None, figures))}"
    yield from _of_others(spec, spec.references)


def _weights(spec: ModelSpec) -> Iterator[str]:
    for row in _of_variant(spec, spec.weights):
        variant = "".join(f" {name}={value}" for name, value in row.options)
        yield f"imagenet:{row.tag}{f' [{variant.strip()}]' if variant else ''}: {_checkpoint(row)}"
    yield from _of_others(spec, spec.weights)


def _of_variant(spec: ModelSpec, rows: Iterable[Row]) -> list[Row]:
    """What was printed of exactly these options; of a model without options, everything."""
    return [row for row in rows if not spec.options or row.options == spec.options]


def _of_others(spec: ModelSpec, rows: Sequence[Row]) -> Iterator[str]:
    left = len(rows) - len(_of_variant(spec, rows))
    if left:
        yield f"{left} more of other options: python -m zoo info {spec.name}"


def _checkpoint(row: Weights) -> str:
    parts = [
        _accuracy(row.published) if row.published else "",
        f"{row.size_mb:g} MB" if row.size_mb else "",
        f"SHA-256 {row.sha256}" if row.sha256 else f"MD5 {row.md5}" if row.md5 else "no published checksum",
        f"licence: {row.licence}",
        f"recipe: {row.recipe}",
        row.url,
    ]
    return "; ".join(filter(None, parts))


def _deviations(spec: ModelSpec) -> Iterator[str]:
    yield from spec.deviations


# what `zoo info` prints of a spec, in this order; each section yields its paragraphs
SECTIONS: tuple[tuple[str, Callable[[ModelSpec], Iterator[str]]], ...] = (
    ("Paper", _paper),
    ("Input", _input),
    ("Options", _options),
    ("Published", _published),
    ("Weights", _weights),
    ("Deviations", _deviations),
)


def _layers(spec: ModelSpec, num_classes: int, size: int | None) -> str:
    """torchinfo's table of the layers, from a network without storage."""
    import torchinfo

    model = zoo.create(spec.label, num_classes=num_classes, device="meta").eval()
    side = spec.input.size if size is None else size
    if side < spec.input.min_size:
        raise zoo.InputSizeError(f"{spec.label} takes images of at least {spec.input.min_size} pixels; got {side}")
    columns = ("output_size", "kernel_size", "num_params", "mult_adds")
    shape = (1, spec.input.channels, side, side)
    table = torchinfo.summary(
        model, shape, device="meta", verbose=0, depth=4, col_names=columns, col_width=20, row_settings=("var_names",)
    )
    return str(table)


def _accuracy(reference: Reference) -> str:
    figures = [f"{name} {value:.2%}" for name, value in (("top-1", reference.top1), ("top-5", reference.top5)) if value]
    return f"{' '.join(figures)} ({reference.protocol})" if figures else ""


def _numbers(values: tuple[float, ...]) -> str:
    return " ".join(f"{value:g}" for value in values)


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent="  ",
        subsequent_indent="      ",
        break_long_words=False,
        break_on_hyphens=False,
    )


# --- predict ----------------------------------------------------------------------------------------------------------


def _predict(given: argparse.Namespace) -> int:
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_, **__: print(f"zoo predict: {message}", file=sys.stderr)
        model = zoo.create(given.model, weights=given.weights).eval()
    failed = [image for image in given.images if not _predicted(model, image)]
    return 1 if failed else 0


def _predicted(model: Classifier, path: Path) -> bool:
    """Prints the classes of one image; False, with a line of its own, where it cannot be read."""
    import torch
    from PIL import Image

    try:
        with Image.open(path) as image:
            images = zoo.preprocessing(model)(image.convert("RGB"))[None]
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        print(f"zoo predict: {path} cannot be read as an image: {error}", file=sys.stderr)
        return False
    with torch.inference_mode():
        probabilities, classes = model(images)[0].softmax(dim=0).topk(min(TOP, model.num_classes))
    print(path)
    for probability, index in zip(probabilities.tolist(), classes.tolist(), strict=True):
        print(f"  {probability:7.2%}  {_class_names().get(index, f'class {index}')}")
    return True


@cache
def _class_names() -> dict[int, str]:
    """The 1000 classes of ILSVRC-2012, in the order of their WordNet ids as all published weights have them."""
    lines = files("zoo.weights").joinpath("imagenet_wnids.txt").read_text(encoding="utf-8").splitlines()
    return {index: line.partition("\t")[2] for index, line in enumerate(lines)}


if __name__ == "__main__":
    command()
