"""What a person who waits is told, on a terminal and without one."""

from __future__ import annotations

import dataclasses
import io
import re
import time
from typing import Any

import pytest
from rich.console import Console
from rich.text import Text

from benchmarks.measure import progress
from benchmarks.measure.progress import Display
from benchmarks.records.record import Case, Record

SLOW = [Case(metric="accuracy", model="resnet18", dataset="fashion_mnist", seed=seed) for seed in (0, 1)]
FAST = [Case(metric="latency", model="resnet18", runtime=runtime) for runtime in ("eager", "packed")]
LONG = "the [images] of folder :x: were left out, since " + "none of their names is one of those of the classes " * 3


def written_to(monkeypatch: pytest.MonkeyPatch, *, terminal: bool, width: int = 80) -> io.StringIO:
    """What goes to standard error from now on."""
    written = io.StringIO()

    def console(*, stderr: bool, **options: Any) -> Console:
        assert stderr
        return Console(file=written, force_terminal=terminal, width=width, color_system=None, **options)

    monkeypatch.setattr(progress, "Console", console)
    return written


def said(monkeypatch: pytest.MonkeyPatch, *records: Record, terminal: bool) -> str:
    written = written_to(monkeypatch, terminal=terminal)
    with Display([*SLOW, *FAST]) as display:
        for record in records:
            display.step(record.case, "round 1", 0.5)
            display.finish(record)
    return written.getvalue()


def test_without_a_terminal_every_case_is_a_line_with_what_tells_it_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    records = [Record(case=SLOW[1], status="ok"), Record(case=FAST[1], status="oom", reason="no memory")]
    *lines, last = said(monkeypatch, *records, terminal=False).splitlines()
    assert lines == ["1/4 ok accuracy resnet18 eager seed 1", "2/4 oom latency resnet18 packed: no memory"]
    assert re.fullmatch(r"2/4 done, 0:00:\d\d elapsed", last)


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
    written_to(monkeypatch, terminal=True)
    with Display(FAST) as display:
        display.step(Case(metric="latency", model="resnet50"), "warming up", 0.0)
        assert display.line.endswith(": latency resnet50 eager warming up")


def test_what_was_timed_is_over_when_networks_are_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    written_to(monkeypatch, terminal=True)
    with Display([*FAST, *SLOW]) as display:
        display.step(Case(metric="latency", model="resnet50"), "round 3", 0.0)
        for case in SLOW:
            display.step(case, "40 of 80 images", 0.5)
        assert display.line.count("images") == 2 and "round 3" not in display.line


def test_one_timed_case_names_its_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    written_to(monkeypatch, terminal=False)
    with Display(FAST[1:]) as display:
        display.step(FAST[1], "round 3", 0.2)
        assert display.line.endswith(": latency resnet18 packed round 3")


@pytest.mark.parametrize("width", [80, 60])
def test_count_and_times_never_vanish_and_what_runs_stands_below(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    written_to(monkeypatch, terminal=True)
    seen = Console(file=io.StringIO(), width=width, force_terminal=True)
    cases = [
        Case(metric="accuracy", model=f"mobilenet_v1:resolution=128,width={part}", dataset="fashion_mnist", seed=seed)
        for part in (0.25, 0.5, 0.75)
        for seed in (0, 1)
    ]
    with Display(cases) as display:
        for case in cases[:2]:
            display.step(case, "12,340 of 18,000 images", 0.7)
        seen.print(display)
    frame = Text.from_ansi(seen.file.getvalue()).plain.splitlines()
    assert all(len(line.rstrip()) <= width for line in frame)
    bar, *running = (line.strip() for line in frame)
    assert re.fullmatch(r"0/6 \S+ 0:00:0\d elapsed, about \S+ left", bar)
    assert "\N{BOX DRAWINGS HEAVY HORIZONTAL}" * 5 in bar
    assert [line.split()[1] for line in running] == [case.model for case in cases[:2]]


def test_many_side_by_side_do_not_fill_the_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    written_to(monkeypatch, terminal=True)
    seen = Console(file=io.StringIO(), width=80)
    cases = [dataclasses.replace(SLOW[0], seed=seed) for seed in range(16)]
    with Display(cases) as display:
        for case in cases:
            display.step(case, "", 0.0)
        seen.print(display)
    _, *running = seen.file.getvalue().splitlines()
    assert len(running) == 4 and running[-1].strip() == "and 13 more"


def test_without_a_terminal_a_line_now_and_then_says_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "EVERY", 0.005)
    written = written_to(monkeypatch, terminal=False)
    with Display(SLOW) as display:
        for case in SLOW:
            display.step(case, "20 of 60 images", 1 / 3)
        until = time.monotonic() + 10
        while written.getvalue().count("\n") < 2 and time.monotonic() < until:
            time.sleep(0.005)
    *_, line, _ = written.getvalue().splitlines()
    assert re.match(r"0/2 done, 0:00:\d\d elapsed, about \d:\d\d:\d\d left: accuracy resnet18 eager seed 0 20 of", line)
    assert line.endswith(" | accuracy resnet18 eager seed 1 20 of 60 images")


@pytest.mark.parametrize("terminal", [False, True])
def test_a_terminal_is_drawn_on_while_it_goes_on_and_left_alone_afterwards(
    monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    written_to(monkeypatch, terminal=terminal)
    with Display(FAST) as display:
        assert display._live.is_started is terminal
    assert not display._live.is_started
