"""A command at a shell, which whoever typed it may interrupt, and whose output they may close, at any moment.

Imports nothing that takes time, so that the handlers stand before anything else is imported.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

__all__ = ["SIGNALS", "Interrupted", "listen", "listen_while_importing", "open_streams", "run_command"]

PACKAGES = ("zoo", "benchmarks")  # whose modules are commands
# by which a process is asked to end
SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]

_came: list[int] = []  # the signal that ended this process's command


class Interrupted(KeyboardInterrupt):
    """A signal asks the process to end.

    Args:
        number: of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.status = 128 + number  # as shells count: 130 for Ctrl-C


def listen_while_importing() -> None:
    """Listens where Python was started with one of this project's commands, as `python -m zoo`, and nowhere else."""
    typed = sys.orig_argv[sys.orig_argv.index("-m") + 1 :] if "-m" in sys.orig_argv else []
    if typed and typed[0].partition(".")[0] in PACKAGES:
        listen()


def listen() -> None:
    """From here on a signal ends the process without a traceback; streams that were closed lead nowhere.

    What the process was started to ignore (`nohup`) it goes on ignoring.
    """
    open_streams()
    with contextlib.suppress(AttributeError):  # not a text file of Python's own
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    _on_signals(_leave)


def open_streams() -> None:
    """Streams that this process was started without lead nowhere from here on, in what it starts as well."""
    streams = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))
    closed = [(name, mode) for name, mode in streams if getattr(sys, name) is None]
    if not closed:
        return
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:  # else the next file to be opened would take its number
        os.set_inheritable(descriptor, True)
    for name, mode in closed:
        setattr(sys, name, os.fdopen(descriptor, mode, encoding="utf-8", closefd=False))


def run_command(main: Callable[[], int]) -> NoReturn:
    """Ends the process with the status of a command; 128 + N where signal N ended it.

    The first signal raises `Interrupted` in `main`, which may write down what there is; the next ends the process.
    """
    listen()
    _on_signals(_raise)
    try:
        status = main()
        sys.stdout.flush()
    except KeyboardInterrupt as signalled:  # libraries that are waited for may raise a plain one in place of ours
        status = signalled.status if isinstance(signalled, Interrupted) else 128 + (_came or [signal.SIGINT])[0]
    except BrokenPipeError:  # the reader of the output, `head` perhaps, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    _on_signals(_leave)
    sys.exit(status)


def _on_signals(handle: Callable[[int, FrameType | None], None]) -> None:
    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, handle)


def _leave(number: int, _frame: FrameType | None) -> None:
    os._exit(128 + number)


def _raise(number: int, _frame: FrameType | None) -> None:
    _on_signals(_leave)
    _came.append(number)
    raise Interrupted(number)
