"""Pages that hold a self-check against what was asked of it: the bars, what was found, what failed, and how."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.records.record import Environment
from benchmarks.report.drawing import Drawing, draw
from benchmarks.report.page import code, image, listed, provenance, section, write_page
from benchmarks.report.table import table, text_column
from benchmarks.report.words import enumerate_words, markdown

__all__ = ["Bar", "Cases", "CheckPage", "judged", "made_on", "measured_ones"]

T = TypeVar("T")
Cases = Mapping[str, Mapping[str, Any]]
COLUMNS = (
    text_column("bar", lambda bar: bar.text),
    text_column("measured", lambda bar: bar.found or "-"),
    text_column("met", lambda bar: {True: "yes", False: "**no**", None: "not measured"}[bar.met]),
)


@dataclass(frozen=True, slots=True)
class Bar:
    """One thing that was asked for: in words, what was found, and whether that is enough (None: not measured)."""

    text: str
    found: str = ""
    met: bool | None = None


def judged(text: str, found: T | None, judge: Callable[[T], tuple[str, bool]]) -> Bar:
    """A bar held against what was found, in words and whether it is met; nothing where nothing was."""
    return Bar(text) if found is None else Bar(text, *judge(found))


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckPage:
    """The page of a self-check.

    Args:
        title: its first line.
        remark: what all of it has in common, in one sentence.
        method: how it was measured; empty where that goes without saying.
        bars: what was asked for, held against the cases that did not fail.
        sections: the same cases in tables; given the Markdown of the picture, empty where there is none.
        picture: what is drawn of them; None where they do not suffice.
    """

    title: str
    remark: str
    bars: Callable[[Cases], Sequence[Bar]]
    sections: Callable[[Cases, str], Iterable[str]]
    method: str = ""
    picture: Callable[[Cases], Drawing | None] = lambda cases: None

    def write(self, content: Mapping[str, Any], path: Path) -> None:
        """Writes the page, and its picture in the folder `figures` beside it.

        Args:
            content: "cases", "machine", "software" and "command" of `benchmarks.selfcheck.tasks.Benchmark`; "others",
                machine and software of cases that were not measured on this one.
        """
        cases = measured_ones(content["cases"])
        drawing = self.picture(cases)
        drawn = draw([drawing], path.parent / "figures") if drawing else []
        bars = self.bars(cases)
        met, tried = sum(bar.met is True for bar in bars), sum(bar.met is not None for bar in bars)
        minutes = sum(case.get("wall_s", 0.0) for case in cases.values()) / 60
        failed = [
            f"{key}: {markdown(case['error'])}" for key, case in sorted(content["cases"].items()) if key not in cases
        ]
        sections = [
            f"# {self.title}",
            f"{met} of {tried} measured bars are met. {self.remark}",
            table(COLUMNS, bars),
            *self.sections(cases, "".join(map(image, drawn))),
            section("What failed", "", listed(failed)),
            section(
                "How this was measured",
                self.method,
                _disturbed(cases),
                f"{minutes:.0f} minutes in all. Raw samples are in {path.with_suffix('.json').name}.",
                *_places(content, cases),
                code(f"python -m benchmarks.selfcheck {path.stem}"),
            ),
        ]
        write_page(path, sections)


def made_on(environment: Environment, case: Mapping[str, Any]) -> bool:
    """Whether a case was measured on this machine with these versions."""
    packages = environment.software.get("packages", {})
    return case.get("machine") == environment.machine_id and case.get("packages") == packages


def _places(content: Mapping[str, Any], cases: Cases) -> Iterator[str]:
    """Where the cases were measured, and with what: a paragraph a machine, the present one's first."""
    others = content.get("others", ())
    for place in (content, *others):
        environment = Environment(machine=place["machine"], software=place["software"])
        keys = [key for key, case in cases.items() if not others or made_on(environment, case)]
        if keys:
            named = f"{markdown(', '.join(keys), 2000)}: " if others else ""
            commits = [cases[key].get("commit", "") for key in keys]
            yield named + provenance(place["machine"], place["software"], commits=commits)


def _disturbed(cases: Cases) -> str:
    """Which cases not to lean on, where that was watched."""
    noisy = [key for key, case in cases.items() if case.get("noisy")]
    if noisy:
        return f"Other work on the machine disturbed: {enumerate_words(noisy, most=99)}. Lean on these less."
    watched = any("noisy" in case for case in cases.values())
    return "No row was disturbed by other work on the machine." if watched else ""


def measured_ones(cases: Cases) -> Cases:
    """Those that did not fail."""
    return {key: case for key, case in cases.items() if "error" not in case}
