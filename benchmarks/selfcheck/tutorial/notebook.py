"""`python -m benchmarks.selfcheck tutorial`: the lesson as a notebook, made from its source and executed.

The source is `lesson.md`: Markdown whose blocks of Python become the cells that run. What is kept of a run are its
outputs, no times of cells and no settings of an editor, so that a change of the file is a change of the lesson.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.plan.arguments import Parser
from benchmarks.records.environment import observe
from benchmarks.records.files import replace_file
from benchmarks.report.page import provenance
from zoo.errors import one_line

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = ["LESSON", "NAME", "cells_of", "digest_of", "execute", "main", "notebook_of"]

LESSON = Path(__file__).with_name("lesson.md")
NAME = "tutorial.ipynb"
KEY = "comparative_cnn_zoo"  # of what the notebook says of itself
PROGRAM = ("python", "-m", "benchmarks.selfcheck", "tutorial")
LONGEST = 1800  # seconds of a cell, after which something is wrong; on a quiet machine none takes 60


def main(arguments: Sequence[str]) -> int:
    """Exit status: 0 the notebook was made and every cell ran; 1 a cell failed; 2 it cannot be made here."""
    parser = Parser(prog=" ".join(PROGRAM), description="Makes the lesson and runs all of its cells.")
    parser.add_argument("--output-dir", type=Path, default=Path("reports"), help=f"where {NAME} goes")
    given = parser.parse_args(arguments)
    path = given.output_dir / NAME
    try:
        import nbformat
        from nbclient.exceptions import CellExecutionError, CellTimeoutError
    except ImportError as error:
        return _refuse(f"{error.name} is missing; pip install '.[tutorial]' brings what notebooks need", 2)
    if path.exists() and not _is_own(path):
        return _refuse(f"{path} is not as this project wrote it; move it away or choose another --output-dir", 2)
    started = time.monotonic()
    try:
        book = execute(notebook_of(shlex.join([*PROGRAM, *arguments])))
    except CellExecutionError as error:
        return _refuse(f"a cell failed: {error.ename}: {error.evalue}", 1)
    except CellTimeoutError:
        return _refuse(f"a cell took longer than {LONGEST} s; is the machine busy?", 1)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, nbformat.writes(book) + "\n")
    except OSError as error:
        return _refuse(f"{path}: {error.strerror}; or choose another --output-dir", 2)
    print(f"notebook: {path}, made in {time.monotonic() - started:.0f} s")
    return 0


def _refuse(reason: str, status: int) -> int:
    print(one_line(f"benchmarks.selfcheck tutorial: {reason}"), file=sys.stderr)
    return status


def _is_own(path: Path) -> bool:
    """Whether a notebook is an earlier one of this lesson."""
    import nbformat

    try:
        return KEY in nbformat.read(path, as_version=4).metadata
    except (OSError, ValueError, AttributeError):  # nbformat's own errors are ValueErrors
        return False


def cells_of(text: str) -> Iterator[tuple[str, str]]:
    """Kind ("markdown" or "code") and source of each cell."""
    for place, part in enumerate(re.split(r"^```python\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)):
        if part.strip():
            yield ("code" if place % 2 else "markdown"), part.strip()


def digest_of(text: str) -> str:
    """By which an executed notebook names the source that it was made from."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def notebook_of(command: str) -> NotebookNode:
    """The lesson without outputs, with where it comes from in its last cell and in its metadata."""
    from nbformat import v4

    text = LESSON.read_text(encoding="utf-8")
    environment = observe(command)
    origin = "## Made by\n\n" + provenance(environment.machine, environment.software, command)
    new: dict[str, Any] = {"markdown": v4.new_markdown_cell, "code": v4.new_code_cell}
    cells = [new[kind](source) for kind, source in (*cells_of(text), ("markdown", origin))]
    for number, cell in enumerate(cells, start=1):
        cell.id = f"cell-{number}"
    facts = {
        "source": digest_of(text), "command": command, "commit": environment.software.get("commit", ""),
        "machine": dict(environment.machine),
    }  # fmt: skip
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    book: NotebookNode = v4.new_notebook(cells=cells, metadata={KEY: facts, "kernelspec": kernel})
    return book


def execute(book: NotebookNode) -> NotebookNode:
    """Runs all cells with this Python, in a folder of its own; what changes from run to run is left out.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell failed.
    """
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient

    class ThisPython(AsyncKernelManager):
        """Kernels of the interpreter that runs this, whatever the machine calls `python3`."""

        def format_kernel_cmd(self, extra_arguments: list[str] | None = None) -> list[str]:
            connection = ["-f", self.connection_file]
            quiet = ["--log-level=ERROR"]  # it warns that it listens, which it does to this machine alone
            return [sys.executable, "-m", "ipykernel_launcher", *connection, *quiet, *(extra_arguments or [])]

    settings: dict[str, Any] = {"timeout": LONGEST, "record_timing": False, "kernel_name": "python3"}
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            book, kernel_manager_class=ThisPython, resources={"metadata": {"path": folder}}, **settings
        )
        # pictures are files in this process (benchmarks.report) and are shown in the notebook's
        client.execute(env={name: value for name, value in os.environ.items() if name != "MPLBACKEND"})
    book.metadata.language_info = {"name": "python"}
    return book
