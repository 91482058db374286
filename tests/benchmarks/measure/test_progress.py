"""What a person who waits is told, on a terminal and without one."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from benchmarks.measure import progress
from benchmarks.measure.progress import Display
from benchmarks.records.record import Case, Record

SLOW = [Case(metric="accuracy", model="resnet18", dataset="fashion_mnist", seed=seed) for seed in (0, 1)]
FAST = [Case(metric="latency", model="resnet18", runtime=runtime) for runtime in ("eager", "packed")]
LONG = "the [images] of folder :x: were left out, since " + "none of their names is one of those of the classes " * 3


def said(monkeypatch: pytest.MonkeyPatch, *records: Record, terminal: bool) -> str:
    written = io.StringIO()

    def console(*, stderr: bool, **options: Any) -> Console:
        assert stderr
        return Console(file=written, force_terminal=terminal, width=80, color_system=None, **options)

    monkeypatch.setattr(progress, "Console", console)
    with Display([*SLOW, *FAST]) as display:
        for record in records:
            display.step(record.case, "round 1", 0.5)
            display.finish(record)
    return written.getvalue()


def test_without_a_terminal_every_case_is_a_line_with_what_tells_it_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    records = [Record(case=SLOW[1], status="ok"), Record(case=FAST[1], status="oom", reason="no memory")]
    assert said(monkeypatch, *records, terminal=False).splitlines() == [
        "1/4 ok accuracy resnet18 seed 1",
        "2/4 oom latency resnet18 packed: no memory",
    ]


@pytest.mark.parametrize("terminal", [False, True])
def test_every_note_is_told(monkeypatch: pytest.MonkeyPatch, terminal: bool) -> None:
    text = said(monkeypatch, Record(case=FAST[0], status="ok", notes=(LONG, "second")), terminal=terminal)
    lines = "".join(text.split()) if terminal else text  # a terminal's lines are wrapped
    for note in (LONG, "second"):
        line = f"note: latency resnet18 eager: {note}"
        assert ("".join(line.split()) if terminal else f"{line}\n") in lines


def test_a_terminal_shows_failures_and_what_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    records = [Record(case=FAST[0], status="ok"), Record(case=FAST[1], status="failed", reason="it is wrong")]
    text = said(monkeypatch, *records, terminal=True)
    assert "2/4 failed latency resnet18 packed: it is wrong" in text
    assert "1/4 ok" not in text
    assert "round 1" in text or "latency resnet18" in text


def test_the_anchor_of_a_session_may_be_none_of_the_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        progress, "Console", lambda **options: Console(file=io.StringIO(), **options | {"stderr": False})
    )
    with Display(FAST) as display:
        display.step(Case(metric="latency", model="resnet50"), "warming up", 0.0)
