"""`zoo list`: the models in a table, a line each, without PyTorch."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from typing import Any

from zoo.counts import COUNTED
from zoo.printing import aligned
from zoo.registry import list_models
from zoo.registry import spec as find_spec
from zoo.spec import ModelSpec

__all__ = ["add_arguments", "run"]

# of each column its name for --sort and --json, its heading, and how a value is written
COLUMNS: tuple[tuple[str, str, Callable[[Any], str]], ...] = (
    ("name", "model", str),
    ("params", "params", lambda count: f"{count / 1e6:.2f} M"),
    ("mult_adds", "mult-adds", lambda count: f"{count / 1e6:,.0f} M"),
    ("top1", "top-1", lambda fraction: f"{fraction:.1%}"),
    ("input", "input", str),
    ("weights", "weights", lambda tags: ", ".join(tags) or "-"),
)
NUMBERS = (1, 2, 3, 4)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("patterns", nargs="*", metavar="PATTERN", help="shell patterns of names: 'resnet*' 'vgg*_bn'")
    parser.add_argument("--exclude", action="append", default=[], metavar="PATTERN", help="leave these names out")
    parser.add_argument("--family", help="only this paper's models")
    parser.add_argument("--weights", metavar="TAG", help="only models with these ImageNet weights; any: with some")
    parser.add_argument("--sort", choices=[name for name, _, _ in COLUMNS], default="name", help="smallest first")
    parser.add_argument("--json", action="store_true", help="a list of objects, fractions and counts unrounded")


def run(given: argparse.Namespace) -> int:
    names = list_models(given.patterns or "*", exclude=given.exclude, family=given.family, weights=given.weights)
    models = [_facts(find_spec(name)) for name in names]
    models.sort(key=lambda model: (model[given.sort] in (None, []), model[given.sort] or 0))
    if given.json:
        print(json.dumps(models, indent=1))
        return 0
    if not models:
        print(f"no model fits; zoo list shows all {len(list_models())}", file=sys.stderr)
        return 0
    lines = [["-" if model[name] is None else text(model[name]) for name, _, text in COLUMNS] for model in models]
    print(*aligned([[heading for _, heading, _ in COLUMNS], *lines], right=NUMBERS), sep="\n")
    return 0


def _facts(spec: ModelSpec) -> dict[str, Any]:
    """What is known of a model as it is published; None for what is not."""
    params, mult_adds = COUNTED.get(spec.name, (None, None))
    return {
        "name": spec.name,
        "title": spec.title,
        "family": spec.family,
        "params": params,
        "mult_adds": mult_adds,
        "top1": spec.published.top1 if spec.published else None,
        "input": spec.input.size,
        "weights": list(dict.fromkeys(row.tag for row in spec.weights)),
    }
