"""The zoo at a shell.

    python -m zoo list 'resnet*' --weights any --sort mult_adds
    python -m zoo info mobilenet_v1:width=0.5
    python -m zoo predict --weights my_network.safetensors photos/
    python -m zoo train --model resnet18 --data photos/ --weights imagenet
    python -m zoo evaluate --weights runs/resnet18-photos/best.safetensors --data photos/
    python -m zoo cache --clear images

Exit status: 0 all well; 1 some image could not be read; 2 the command line was wrong or the weights do not fit.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import zoo
from zoo.commands import cache, evaluate, info, listing, predict, train
from zoo.shell import run_command
from zoo.training.processes import PeerLost, report

__all__ = ["command", "main"]

COMMANDS = {
    "list": (listing, "Prints the models, what they cost and how good they are."),
    "info": (info, "Prints everything about one model."),
    "predict": (predict, "Prints what a trained model sees in images."),
    "train": (train, "Trains a model on images of your own, or on a data set."),
    "evaluate": (evaluate, "Counts what a trained model answers rightly."),
    "cache": (cache, "Shows what is kept on this machine, and clears it."),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit status."""
    given = _parser().parse_args(arguments)
    try:
        status: int = given.run(given)
    except (LookupError, zoo.UnknownOption, zoo.InputSizeError, zoo.WeightsError, zoo.DataError) as error:
        report(error, f"zoo {given.command}: {error}")
        return 2
    except PeerLost as error:
        report(error, f"zoo {given.command}: {error}")
        return 1
    return status


def command() -> NoReturn:
    """`zoo` and `python -m zoo` at a shell."""
    run_command(_in_team if "RANK" in os.environ else main)


def _in_team() -> int:
    """`main` in one of several processes: what ends it costs one line, and it waits for none of the others."""
    try:
        status = main()
    except KeyboardInterrupt as error:
        status = getattr(error, "status", 130)
        report(error, "")
    except Exception as error:
        status = 1
        if not report(error, f"zoo: {type(error).__name__}: {error}"):
            raise
    if status:
        sys.stdout.flush()
        os._exit(status)
    return status


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
