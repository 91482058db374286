"""The zoo at a shell.

    python -m zoo list 'resnet*' --weights any --sort mult_adds
    python -m zoo info mobilenet_v1:width=0.5
    python -m zoo predict --weights my_network.safetensors photos/

Exit status: 0 all well; 1 some image could not be read; 2 the command line was wrong or the weights do not fit.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

import zoo
from zoo.commands import info, listing, predict
from zoo.shell import run_command

__all__ = ["command", "main"]

COMMANDS = {
    "list": (listing, "the models, what they cost and how good they are"),
    "info": (info, "everything about one model"),
    "predict": (predict, "what a trained model sees in images"),
}


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
    parser.add_argument("--version", action="version", version=f"zoo {zoo.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar=" | ".join(COMMANDS))
    for name, (module, about) in COMMANDS.items():
        subparser = commands.add_parser(name, help=about, description=f"Prints {about}.")
        module.add_arguments(subparser)
        subparser.set_defaults(run=module.run)
    return parser


if __name__ == "__main__":
    command()
