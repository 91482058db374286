"""Text as HTML, and pieces of pages: what stands in them from outside stays text."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any

from benchmarks.report.words import shorten

__all__ = ["anchor", "element", "escaped", "items", "script_data", "table"]


def escaped(text: object, longest: int = 600) -> str:
    """Text from outside as HTML that shows exactly that text, in one line."""
    return html.escape(shorten(str(text), longest))


def element(name: str, *inside: str, **attributes: object) -> str:
    """An element around finished HTML; attributes are escaped, and absent where None or False."""
    told = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{html.escape(str(value))}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    return f"<{name}{told}>{''.join(inside)}</{name}>"


def items(lines: Iterable[str]) -> str:
    """Finished HTML as a list; empty where there is none."""
    found = [element("li", line) for line in lines]
    return element("ul", *found) if found else ""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Finished HTML as a table whose first column names its rows; empty where there are none."""
    body = [
        element("tr", element("th", row[0], scope="row"), *(element("td", cell) for cell in row[1:])) for row in rows
    ]
    top = element("tr", *(element("th", title, scope="col") for title in head))
    wide = element("table", element("thead", top), element("tbody", *body))
    return element("div", wide, class_="wide", tabindex=0, role="group", aria_label="table") if body else ""


def anchor(name: str) -> str:
    """A name for an address that no other text has, however alike the two are."""
    return f"m{sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"


def script_data(name: str, data: Any) -> str:
    """JSON that nothing in it can end; raises ValueError for what is no number."""
    text = json.dumps(data, allow_nan=False, ensure_ascii=True, separators=(",", ":"))
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return f'<script type="application/json" id="{name}">{text}</script>'
