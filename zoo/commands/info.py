"""`zoo info`: everything about one model, what people look for first."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from zoo.counts import is_edited
from zoo.errors import InputSizeError
from zoo.lazy import classifier
from zoo.printing import aligned, width, wrapped
from zoo.registry import spec as find_spec
from zoo.spec import ModelSpec, Reference, Weights
from zoo.table import Layer, layers, render, rows

__all__ = ["add_arguments", "run"]

LARGEST = 4096  # pixels of a side that a table is made for
BYTES = 4  # of a parameter in float32
NOT_THAT = "nothing of this network: its counts are not those of the one published under this name"

Row = TypeVar("Row", Reference, Weights)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="NAME", help="a name, options allowed: mobilenet_v1:width=0.5,resolution=160")
    parser.add_argument("--num-classes", type=int, default=1000, metavar="N")
    parser.add_argument("--img-size", type=int, metavar="S", help="side of the image in pixels that is counted for")


def run(given: argparse.Namespace) -> int:
    spec = find_spec(given.model)
    size = spec.input.size if given.img_size is None else given.img_size
    if not spec.input.min_size <= size <= LARGEST:
        raise InputSizeError(f"{spec.label} is counted for {spec.input.min_size} to {LARGEST} pixels; got {size}")
    print(f"{spec.label}: {spec.title}", flush=True)  # the rest needs PyTorch, which takes a moment
    classes = classifier.check_count("num_classes", given.num_classes)
    table = rows(spec, img_size=size, num_classes=classes)
    params, mult_adds = (sum(counts) for counts in zip(*((row.params, row.mult_adds) for row in table), strict=True))
    edited = classes == 1000 and is_edited(
        spec.label, params=params, mult_adds=mult_adds if size == spec.input.size else None
    )
    facts = _facts(spec, params, mult_adds, size, edited=edited)
    named = max(map(len, facts))
    for name, fact in facts.items():
        print(*wrapped(f"{name:{named}}  {fact}", first="", rest=" " * (named + 2)), sep="\n")
    for title, section in SECTIONS:
        if edited and section is _published:
            continue
        lines = [line for entry in section(spec) for line in wrapped(entry)]
        if lines:
            print(f"\n{title}", *lines, sep="\n")
    print("\nThe paper's table, counted", render(table, width()), sep="\n")
    print("\nLayers", *_layers(layers(spec, img_size=size, num_classes=classes)), sep="\n")
    return 0


def _facts(spec: ModelSpec, params: int, mult_adds: int, size: int, *, edited: bool) -> dict[str, str]:
    """The eight that people look for; of a network that somebody changed, nothing that is printed for the first."""
    images, best = spec.input, spec.published
    figures = _accuracy(best) if best else ""
    published = f"{figures}, {best.source}" if best and figures else "no accuracy of this variant"
    authors = spec.paper.authors.split(", ")
    tags = dict.fromkeys(row.tag for row in _of_variant(spec, spec.weights))
    return {
        "parameters": f"{params:,}",
        "multiply-adds": f"{mult_adds:,} at {size} x {size} pixels",
        "size": f"{params * BYTES / 1e6:,.1f} MB of float32",
        "input": f"{images.channels} x {images.size} x {images.size}, at least {images.min_size} pixels",
        "published": NOT_THAT if edited else published,
        "weights": ", ".join(f"imagenet:{tag}" for tag in tags) or "none of this variant",
        "paper": f"{authors[0]}{' et al.' if len(authors) > 1 else ''} {spec.paper.year}, {spec.paper.url}",
        "deviations": f"{len(spec.deviations)} from the paper, below" if spec.deviations else "none known",
    }


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


def _layers(found: Sequence[Layer]) -> list[str]:
    """A line a layer with weights; names lose their beginning where the terminal is narrow."""
    lines = [(layer.name, layer.kind, f"{layer.weights + layer.biases:,}", f"{layer.mult_adds:,}") for layer in found]
    heading = ("layer", "kind", "parameters", "multiply-adds")
    figures = max(map(len, aligned([line[1:] for line in (heading, *lines)], right=(1, 2))))
    room = max(width() - figures - 2, 10)
    short = [(name if len(name) <= room else f"…{name[-room + 1 :]}", *rest) for name, *rest in (heading, *lines)]
    return aligned(short, right=(2, 3))


def _accuracy(reference: Reference) -> str:
    figures = [f"{name} {value:.2%}" for name, value in (("top-1", reference.top1), ("top-5", reference.top5)) if value]
    return f"{' '.join(figures)} ({reference.protocol})" if figures else ""


def _numbers(values: tuple[float, ...]) -> str:
    return " ".join(f"{value:g}" for value in values)
