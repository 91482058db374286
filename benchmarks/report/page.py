"""A page: sections of Markdown, where it comes from, and one whole file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.records.manifest import write_own
from benchmarks.report.drawing import Drawing
from benchmarks.report.words import machine_in_words, markdown, shorten

__all__ = ["code", "commit_in_words", "folded", "image", "listed", "provenance", "section", "write_page"]


def write_page(path: Path, sections: Iterable[str]) -> None:
    """Writes the sections that are not empty, the file whole or not at all; its folder is made.

    Raises:
        OSError: the disk is full or the folder read-only; the earlier page is untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_own(path, "\n\n".join(filter(None, sections)) + "\n")


def section(title: str, text: str, *body: str) -> str:
    """A heading, what there is to know, and tables, lists or pictures; empty where it has none of these."""
    blocks = list(filter(None, body))
    return "\n\n".join(filter(None, [f"## {title}", text, *blocks])) if blocks else ""


def folded(summary: str, *body: str) -> str:
    """What only some want to see, closed until they open it; empty where the first block is."""
    return "\n\n".join([f"<details>\n<summary>{summary}</summary>", *body, "</details>"]) if body[0] else ""


def listed(lines: Iterable[str]) -> str:
    """Lines of Markdown as a list."""
    return "\n".join(f"- {line}" for line in lines)


def image(drawing: Drawing, folder: str = "figures") -> str:
    """The picture and its caption."""
    shown = f"![{markdown(drawing.alt, 400)}]({folder}/{drawing.name}.svg)"
    if not drawing.caption:
        return shown
    return f"{shown}\n\n{markdown(drawing.caption, 1000)} ([PNG]({folder}/{drawing.name}.png))"


def code(text: str) -> str:
    """Text from outside as code within a line; as plain text where it holds signs of Markdown or HTML."""
    line = shorten(text, 2000)
    return markdown(line, 2000) if re.search(r"[`<>&|\[\]\\]", line) or not line else f"`{line}`"


def provenance(
    machine: Mapping[str, Any], software: Mapping[str, Any], *commands: str, commits: Iterable[object] = ()
) -> str:
    """Machine, versions and commit of a page, and the commands that make it, a paragraph each.

    Args:
        commits: those the figures were measured at; empty for that of `software`.
    """
    packages = ", ".join(f"{name} {version}" for name, version in sorted(software.get("packages", {}).items()))
    named = sorted({commit_in_words(commit) for commit in commits} - {""})
    commit = ", ".join(named) or commit_in_words(software.get("commit", "")) or "unknown"
    facts = [machine_in_words(machine), str(software.get("os")), packages, f"commit {commit}"]
    return "\n\n".join([f"{'; '.join(markdown(fact, 600) for fact in facts)}.", *map(code, commands)])


def commit_in_words(commit: object) -> str:
    """Twelve digits, and whether the tree had changes that are in no commit."""
    digits = re.sub(r"^(\w{12})\w*", r"\1", str(commit))
    return (
        f"{digits.removesuffix('-dirty')} with changes that are in no commit" if digits.endswith("-dirty") else digits
    )
