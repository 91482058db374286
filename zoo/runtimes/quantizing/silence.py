"""OpenVINO and NNCF without their telemetry, progress bars and logs.

Both report their use over the network, and keep a number and a counter in the user's home, where the package
`openvino_telemetry` can be imported; where it cannot, both do without. So it is hidden while they are imported.
"""

from __future__ import annotations

import contextlib
import io
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

__all__ = ["quiet", "quietly_imported"]

TELEMETRY = "openvino_telemetry"
WITH_IT = {"openvino": ("openvino.tools.ovc", "openvino.tools.ovc.convert_impl"), "nncf": ("nncf.telemetry",)}


def quietly_imported(name: str) -> Any:
    """The package `openvino` or `nncf`, which cannot report anything from here on."""
    loaded = sys.modules.get(TELEMETRY)
    if loaded is not None:  # somebody imported it before: whatever they send later, nothing of what is done here
        loaded.Telemetry = _Nothing  # type: ignore[attr-defined]
        with contextlib.suppress(ImportError, AttributeError):
            import_module("nncf.telemetry.wrapper").telemetry._impl = _Nothing()
        return import_module(name)
    sys.modules[TELEMETRY] = None  # type: ignore[assignment]  # so importing it is an ImportError
    try:
        package = import_module(name)
        for part in WITH_IT[name]:
            import_module(part)
        return package
    finally:
        sys.modules.pop(TELEMETRY, None)


@contextmanager
def quiet() -> Iterator[None]:
    """Nothing is printed or logged below errors inside."""
    loggers = {name: logging.getLogger(name) for name in ("nncf", "root")} | {"": logging.getLogger()}
    before = {name: (logger.level, list(logger.handlers)) for name, logger in loggers.items()}
    logging.getLogger("nncf").setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        for name, (level, handlers) in before.items():
            loggers[name].setLevel(level)
            loggers[name].handlers = handlers


class _Nothing:
    """Stands for telemetry and does nothing, whatever is called or asked of it."""

    consent = False

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def __call__(self, *_: object, **__: object) -> _Nothing:
        return self

    def __getattr__(self, name: str) -> _Nothing:
        return self
