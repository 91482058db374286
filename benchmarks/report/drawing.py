"""Pictures as files: each drawn from plain data, and again only where the data or the code that draws it changed."""

from __future__ import annotations

import hashlib
import io
import json
import sys
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.records.manifest import remove_own, write_own
from benchmarks.records.staleness import fingerprint
from benchmarks.report.style import STYLE

__all__ = ["FORMATS", "Drawing", "draw", "render"]

FORMATS = ("svg", "png")


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """One picture and the words around it.

    Args:
        name: file name without ending.
        draw: makes the figure of `data`; a function of a module.
        data: JSON values.
        alt: what it shows, for those who do not see it.
        caption: what it says and how to read it.
        heading: of its section; empty for none of its own.
    """

    name: str
    draw: Callable[[Any], Figure]
    data: Any
    alt: str
    caption: str = ""
    heading: str = ""


def draw(drawings: Iterable[Drawing], folder: Path, known: Collection[str] = ()) -> list[Drawing]:
    """Writes each as SVG and PNG unless it is there already; those that are there now.

    One that cannot be drawn is left out, and a line on standard error says why.

    Args:
        folder: made if absent.
        known: every name that may have been drawn here before; files of those left out now are removed.

    Raises:
        OSError: the folder cannot be written; a picture is there whole, as it was, or not at all.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    for drawing in drawings:
        try:
            _write(drawing, folder)
        except OSError:
            raise
        except Exception as error:  # whatever matplotlib throws: the page is worth more than one picture
            print(f"{folder / drawing.name} cannot be drawn: {type(error).__name__}: {error}", file=sys.stderr)
        else:
            drawn.append(drawing)
    for name in set(known) - {drawing.name for drawing in drawn}:
        for ending in FORMATS:
            remove_own(folder / f"{name}.{ending}")
    return drawn


def _write(drawing: Drawing, folder: Path) -> None:
    code = fingerprint((drawing.draw, *ALIKE), libraries=("matplotlib",))
    data = json.dumps([drawing.name, drawing.data], sort_keys=True)
    mark = hashlib.sha256(f"{code}{data}".encode()).hexdigest()[:24]
    svg, png = (folder / f"{drawing.name}.{ending}" for ending in FORMATS)
    if png.exists() and svg.exists() and mark.encode() in svg.read_bytes()[:4096]:
        return
    vector, pixels = render(drawing.draw, drawing.data, mark)
    write_own(png, pixels)  # the mark is in the other, which therefore comes last
    write_own(svg, vector)


def render(draw: Callable[[Any], Figure], data: Any, mark: str = "") -> tuple[bytes, bytes]:
    """A picture as SVG and as PNG; equal data gives equal bytes. The SVG's metadata hold `mark` as its identifier."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        figure = draw(data)
        svg, png = io.BytesIO(), io.BytesIO()
        figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None, "Identifier": mark or None})
        figure.savefig(png, format="png", dpi=160, metadata={"Software": None})
    return svg.getvalue(), png.getvalue()


ALIKE = (render,)  # what every picture is drawn by, besides a function of its own
