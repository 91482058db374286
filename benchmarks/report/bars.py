"""Pages that hold a benchmark against what was asked of it: the bars, what failed, and how it was measured."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.records.environment import observe
from benchmarks.report.words import machine_in_words, markdown, markdown_table

__all__ = ["Bar", "bars_table", "circumstances", "failures", "origin", "provenance"]


@dataclass(frozen=True, slots=True)
class Bar:
    """One thing that was asked for: in words, what was found, and whether that is enough (None: not measured)."""

    text: str
    found: str
    met: bool | None


def bars_table(bars: Sequence[Bar], remark: str) -> str:
    """How many bars are met, and each of them."""
    met = sum(bar.met is True for bar in bars)
    measured = sum(bar.met is not None for bar in bars)
    words = {True: "yes", False: "**no**", None: "not measured"}
    rows = [[bar.text, bar.found or "-", words[bar.met]] for bar in bars]
    return "\n\n".join(
        [
            f"{met} of {measured} measured bars are met. {remark}",
            markdown_table(["bar", "measured", "met"], rows, "lll"),
        ]
    )


def failures(cases: Mapping[str, Mapping[str, Any]]) -> str:
    """The tasks that failed and why; empty if none did."""
    lines = [f"- {key}: {markdown(str(case['error']))}" for key, case in sorted(cases.items()) if "error" in case]
    return "\n\n".join(["## What failed", "\n".join(lines)]) if lines else ""


def circumstances(content: Mapping[str, Any], *, raw: str) -> str:
    """Noise, machine, versions, commit and command.

    Args:
        content: as `benchmarks.selfcheck.tasks.Benchmark.write_page` gets it.
        raw: file that holds the raw samples.
    """
    cases = {key: case for key, case in content["cases"].items() if "error" not in case}
    noisy = [key for key, case in cases.items() if case.get("noisy")]
    commits = sorted({_short(case.get("commit", "")) for case in cases.values()} - {""})
    minutes = sum(case.get("wall_s", 0.0) for case in cases.values()) / 60
    return "\n\n".join(
        [
            f"Other work on the machine disturbed: {', '.join(noisy)}. Lean on these less." if noisy
            else "No row was disturbed by other work on the machine.",
            f"{minutes:.0f} minutes in all. Raw samples are in {raw}.",
            provenance(content["machine"], content["software"], content["command"], commits),
        ]
    )  # fmt: skip


def origin(program: str, arguments: Sequence[str] | None) -> str:
    """`provenance` of a page that this process makes, here and now.

    Args:
        arguments: of the program, None for those of this process.
    """
    command = shlex.join([*program.split(), *(sys.argv[1:] if arguments is None else arguments)])
    environment = observe(command)
    return provenance(environment.machine, environment.software, command)


def provenance(
    machine: Mapping[str, Any], software: Mapping[str, Any], command: str, commits: Sequence[str] = ()
) -> str:
    """Machine, versions, commit and command of a page, in two paragraphs.

    Args:
        commits: those the figures were measured at; empty for that of `software`.
    """
    packages = ", ".join(f"{name} {version}" for name, version in sorted(software.get("packages", {}).items()))
    commit = ", ".join(commits) or _short(software.get("commit", "")) or "unknown"
    return (
        f"{markdown(machine_in_words(machine))}; {markdown(str(software.get('os')))}; {packages}; commit {commit}."
        f"\n\n`{command}`"
    )


def _short(commit: object) -> str:
    """Twelve digits, and the mark of a tree with changes that are in no commit."""
    digits, dash, mark = str(commit).partition("-")
    return f"{digits[:12]}{dash}{mark}"
