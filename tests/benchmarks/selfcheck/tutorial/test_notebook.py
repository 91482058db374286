"""The lesson: its notebook is of the present source and ran; its exercises find right answers and wrong ones."""

from __future__ import annotations

import getpass
import json
import platform
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from benchmarks.selfcheck.__main__ import main
from benchmarks.selfcheck.tutorial import notebook
from benchmarks.selfcheck.tutorial.exercises import check_1, check_2, check_3, counts_with
from benchmarks.selfcheck.tutorial.notebook import KEY, LESSON, NAME, cells_of, digest_of, notebook_of
from zoo.counts import COUNTED

ROOT = Path(__file__).resolve().parents[4]
SHIPPED = ROOT / "reports" / "reference" / NAME
PATHS = r"(?<![\w.:/])(/(home|root|Users|tmp|opt|usr|var|work)/[^\s\"']*|[A-Z]:\\\\\S+)"
SHOWN = {"text/plain", "image/png", "image/svg+xml"}  # what GitHub shows without running anything


def text() -> str:
    return LESSON.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def shipped() -> nbformat.NotebookNode:
    book: nbformat.NotebookNode = nbformat.read(SHIPPED, as_version=4)
    return book


def test_the_shipped_notebook_is_of_the_present_lesson_and_says_where_it_was_made(
    shipped: nbformat.NotebookNode,
) -> None:
    nbformat.validate(shipped)
    found = [(cell.cell_type, cell.source) for cell in shipped.cells]
    assert found[:-1] == list(cells_of(text()))
    facts, origin = shipped.metadata[KEY], found[-1][1]
    assert facts["source"] == digest_of(text())
    assert facts["command"].startswith("python -m benchmarks.selfcheck tutorial") and facts["command"] in origin
    assert re.fullmatch(r"[0-9a-f]{40}(-dirty)?", facts["commit"]) and facts["commit"][:12] in origin
    assert facts["machine"]["cpu"] in origin and "torch " in origin


def test_every_cell_of_the_shipped_notebook_ran_and_shows_what_github_can_show(
    shipped: nbformat.NotebookNode,
) -> None:
    code = [cell for cell in shipped.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert all(cell.outputs for cell in code)
    outputs = [output for cell in code for output in cell.outputs]
    assert {output.output_type for output in outputs} <= {"stream", "display_data", "execute_result"}
    assert {output.name for output in outputs if output.output_type == "stream"} == {"stdout"}
    assert {kind for output in outputs if "data" in output for kind in output.data} <= SHOWN
    assert any("image/png" in output.data for output in outputs if "data" in output)
    assert "widgets" not in shipped.metadata
    assert SHIPPED.stat().st_size < 300_000


def test_nobody_s_name_and_no_place_of_a_machine_is_in_it() -> None:
    content = SHIPPED.read_text(encoding="utf-8")
    found = re.search(PATHS, content)
    assert found is None, found.group()
    for name in {platform.node(), getpass.getuser()} - {"root"}:
        assert not re.search(rf"\b{re.escape(name)}\b", content)


def test_the_source_is_cut_into_cells_and_its_code_is_sound() -> None:
    cells = list(cells_of("# A\n\n```python\nx = 1\n```\n\nB\n\n```python\nx\n```\n"))
    assert cells == [("markdown", "# A"), ("code", "x = 1"), ("markdown", "B"), ("code", "x")]
    code = "\n\n".join(source for kind, source in cells_of(text()) if kind == "code")
    ignored = "E401,E402,E501,I001"  # notebooks import on one line, and where the reader needs it
    chosen = ["--isolated", "--select", "E,F,B,UP", "--ignore", ignored, "-"]
    command = [sys.executable, "-m", "ruff", "check", "--quiet", *chosen]
    ruff = subprocess.run(command, input=code, capture_output=True, encoding="utf-8", cwd=ROOT)
    assert ruff.returncode == 0, ruff.stdout


def test_a_file_of_somebody_else_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for content in ("mine", json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})):
        (tmp_path / NAME).write_text(content)
        assert main(["tutorial", "--output-dir", str(tmp_path)]) == 2
        error = capsys.readouterr().err
        assert "move it away" in error and error.count("\n") == 1
        assert (tmp_path / NAME).read_text() == content


def test_a_cell_that_fails_is_told_in_a_line_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lesson = tmp_path / "lesson.md"
    lesson.write_text("# A\n\n```python\nprint(6 * 7)\n```\n\n```python\nraise ValueError('no such row')\n```\n")
    monkeypatch.setattr(notebook, "LESSON", lesson)
    assert main(["tutorial", "--output-dir", str(tmp_path / "out")]) == 1
    assert "a cell failed: ValueError: no such row" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    lesson.write_text("# A\n\n```python\nprint(6 * 7)\n```\n")
    for _ in range(2):  # made, and made again over its own
        assert main(["tutorial", "--output-dir", str(tmp_path / "out")]) == 0
    book = nbformat.read(tmp_path / "out" / NAME, as_version=4)
    assert book.cells[1].outputs[0].text == "42\n"


# --- exercises --------------------------------------------------------------------------------------------------------


def test_unanswered_exercises_say_so() -> None:
    for said in (check_1(lambda out_channels, kernel: None), check_2(None), check_3(lambda width, resolution: None)):
        assert said == "No answer yet."


def test_the_share_that_separable_convolutions_keep() -> None:
    assert check_1(lambda out_channels, kernel: 1 / out_channels + 1 / kernel**2).startswith("Right")
    for wrong in (lambda n, k: 1 / n + 1 / k, lambda n, k: 1 / k**2, lambda n, k: 1 / n * 1 / k**2, lambda n, k: 0.123):
        assert check_1(wrong).startswith("Not yet")


@pytest.mark.parametrize(
    ("answer", "said"),
    [((14, 512), "Right: row 14 with 512 channels saves 24"), ((2, 8), "of the parameters are wanted"),
     ((14, 8), "that is more than 5%"), ((8, 256), "Not yet"), ((1, 8), "rows go from 2 to 14"),
     ((15, 8), "rows go from 2 to 14"), ((3, 0), "channels from 1 on")],
)  # fmt: skip
def test_a_row_that_saves_parameters_and_little_work(answer: tuple[int, int], said: str) -> None:
    assert said in check_2(answer)


def test_a_row_is_changed_for_the_count_alone() -> None:
    assert counts_with(14, 1024) == COUNTED["mobilenet_v1"]
    params, mult_adds = counts_with(14, 512)
    # pw_14 and its norm, and the classifier, halve
    assert COUNTED["mobilenet_v1"][0] - params == 1024 * 512 + 2 * 512 + 512 * 1000
    assert COUNTED["mobilenet_v1"][1] - mult_adds == 1024 * 512 * 49 + 512 * 1000


def test_estimates_of_mobilenet_s_work() -> None:
    stem, square = COUNTED["mobilenet_v1"][1], COUNTED["mobilenet_v1:width=0.5"][1]
    # proportional and square part, from the counts at two widths; both grow with the pixels
    linear = 4 * square - stem
    found = check_3(lambda width, size: (linear * width + (stem - linear) * width**2) * (size / 224) ** 2)
    assert found.startswith("Right"), found
    for wrong in (lambda w, s: stem * w**2 * (s / 224) ** 2, lambda w, s: stem * w * (s / 224) ** 2, lambda w, s: stem):
        assert check_3(wrong).startswith("Not yet")


@pytest.mark.slow
def test_the_whole_lesson_runs_and_right_answers_are_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the three exercises solved as a reader would."""
    solved = text()
    for open_one, answer in (
        ("return None  # your formula", "return 1 / out_channels + 1 / kernel**2"),
        ("answer = None", "answer = (14, 512)"),
        ("return None  # multiply-adds",
         "return (2.9e7 * width + 5.4e8 * width**2) * (resolution / 224) ** 2"),
    ):  # fmt: skip
        assert solved.count(open_one) == 1
        solved = solved.replace(open_one, answer)
    monkeypatch.setattr(notebook, "LESSON", tmp_path / "lesson.md")
    notebook.LESSON.write_text(solved, encoding="utf-8")
    assert main(["tutorial", "--output-dir", str(tmp_path)]) == 0
    book = nbformat.read(tmp_path / NAME, as_version=4)
    shown = "".join(output.get("text", "") for cell in book.cells for output in cell.get("outputs", ()))
    assert shown.count("Right: ") == 3
    assert "225 weights against 84" in shown and "Formula and counter agree to the last digit." in shown
    assert "edited in B: mobilenet_v1" in shown
    assert notebook_of("x").cells[0].source == next(cells_of(solved))[1]
