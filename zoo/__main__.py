"""The zoo at a shell.

    python -m zoo list 'resnet*' --weights any --sort mult_adds
    python -m zoo info mobilenet_v1:width=0.5
    python -m zoo predict --weights my_network.safetensors photos/
    python -m zoo train --model resnet18 --data photos/ --weights imagenet
    python -m zoo evaluate --weights runs/resnet18-photos/best.safetensors --data photos/

Exit status: 0 all well; 1 some image could not be read; 2 the command line was wrong or the weights do not fit.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

import zoo
from zoo.commands import evaluate, info, listing, predict, train
from zoo.shell import run_command

__all__ = ["command", "main"]

COMMANDS = {
    "list": (listing, "Prints the models, what they cost and how good they are."),
    "info": (info, "Prints everything about one model."),
    "predict": (predict, "Prints what a trained model sees in images."),
    "train": (train, "Trains a model on images of your own, or on a data set."),
    "evaluate": (evaluate, "Counts what a trained model answers rightly."),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit status."""
    given = _parser().parse_args(arguments)
    try:
        status: int = given.run(given)
    except (LookupError, zoo.UnknownOption, zoo.InputSizeError, zoo.WeightsError, zoo.DataError) as error:
        print(f"zoo {given.command}: {error}", file=sys.stderr)
        return 2
    return status


def command() -> NoReturn:
    """`zoo` and `python -m zoo` at a shell."""
    run_command(main)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="zoo", description="Classic convolutional networks, as published.")
    parser.add_argument("--version", action="version", version=f"zoo {zoo.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar=" | ".join(COMMANDS))
    for name, (module, about) in COMMANDS.items():
        subparser = commands.add_parser(name, help=about[0].lower() + about[1:-1], description=about)
        module.add_arguments(subparser)
        subparser.set_defaults(run=module.run)
    return parser


if __name__ == "__main__":
    command()
