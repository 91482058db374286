"""A training that is asked to end does so between two steps, with everything written down."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from zoo.shell import SIGNALS

__all__ = ["Wish", "stop_requests"]


class Wish:
    """Whether somebody asks for the end; `number` is the signal they sent, 0 as long as nobody did."""

    def __init__(self) -> None:
        self.number = 0


@contextmanager
def stop_requests(*, alone: bool = True) -> Iterator[Wish]:
    """While the block runs, the first signal is a wish, and the next what it would have been before.

    One of several processes gets the same signal from the system and from whoever started it: there, all are the wish.

    In any other thread than the main one Python delivers no signals, and nothing changes.
    """
    wish = Wish()
    extra = [getattr(signal, name) for name in ("SIGUSR1", "SIGUSR2") if hasattr(signal, name)]  # of schedulers
    before: dict[int, Any] = {}

    def note(number: int, _frame: FrameType | None) -> None:
        wish.number = number
        if alone:
            restore()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)

    if threading.current_thread() is threading.main_thread():
        for number in (*SIGNALS, *extra):
            if signal.getsignal(number) != signal.SIG_IGN:
                before[number] = signal.signal(number, note)
    try:
        yield wish
    finally:
        restore()
