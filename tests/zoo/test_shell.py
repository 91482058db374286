"""A command at a shell: interrupted at any moment, its output closed or of few letters, it leaves no traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

COMMANDS = ("zoo", "benchmarks.run", "benchmarks.compare", "benchmarks.selfcheck")
WAITING = """
import time
from zoo.shell import Interrupted, run_command

def main():
    try:
        print("ready", flush=True)
        time.sleep(60)
    except Interrupted:
        print("written", flush=True)
        raise

run_command(main)
"""


def started(*command: str, **options: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", **options
    )  # type: ignore[call-overload,no-any-return]


@pytest.mark.parametrize("command", COMMANDS)
def test_interrupted_while_it_is_imported(command: str) -> None:
    """Stopped where its package has just been found, long before the slow imports are over."""
    package = command.partition(".")[0]
    script = (  # what `python -m` does, and a signal at the first import after the package's own
        f"import os, runpy, signal, sys\nsys.argv = ['-m']\nsys.orig_argv = ['python', '-m', '{command}']\n"
        "class Stop:\n"
        "    def find_spec(self, name, *_):\n"
        f"        if name.startswith('{package}.') and 'zoo.shell' in sys.modules and name != 'zoo.shell':\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Stop())\n"
        f"runpy.run_module('{command}', run_name='__main__', alter_sys=True)\n"
    )
    with started("-c", script) as process:
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, "")


SWALLOWED = WAITING.replace("raise\n", "raise KeyboardInterrupt from None  # as Ray does while it is waited for\n")


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_library_that_raises_an_interrupt_of_its_own_changes_nothing(name: str) -> None:
    with started("-c", SWALLOWED) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        process.send_signal(signal.Signals[name])
        written, said = process.communicate(timeout=60)
    assert (process.returncode, written, said) == (128 + signal.Signals[name], "written\n", "")


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_every_signal_lets_the_command_write_down_what_there_is(name: str) -> None:
    number = signal.Signals[name]
    with started("-c", WAITING) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        process.send_signal(number)
        written, said = process.communicate(timeout=60)
    assert (process.returncode, written, said) == (128 + number, "written\n", "")


def test_what_nohup_has_it_ignore_it_ignores() -> None:
    with started("-c", f"import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n{WAITING}") as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGHUP)
        time.sleep(0.1)
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM


@pytest.mark.parametrize("arguments", [("zoo", "list"), ("benchmarks.run", "--list")])
def test_a_reader_that_has_seen_enough(arguments: tuple[str, ...]) -> None:
    """As `| head -0`: the output is closed before anything is written."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", *arguments]
    try:
        ended = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, encoding="utf-8", timeout=60)
    finally:
        os.close(writing)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_closed_streams_do_not_hand_their_numbers_to_files(tmp_path: Path) -> None:
    """What a library prints to a standard error that is closed must not land in the file that was opened next."""
    script = (
        "import os, sys\nfrom zoo.shell import run_command\n"
        f"def main():\n    file = open({str(tmp_path / 'kept')!r}, 'w', encoding='utf-8')\n"
        "    assert file.fileno() > 2\n    print('said', file=sys.stderr, flush=True)\n    os.write(2, b'chatter')\n"
        "    print('answer')\n    file.write('kept')\n    file.close()\n    return 7\nrun_command(main)\n"
    )
    status = subprocess.run(["sh", "-c", '"$0" -c "$1" <&- >&- 2>&-', sys.executable, script], timeout=60).returncode
    assert (status, (tmp_path / "kept").read_text()) == (7, "kept")


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_letters_that_the_terminal_lacks_do_no_harm(encoding: str) -> None:
    script = (
        "from zoo.shell import run_command\n"
        "def main():\n    print('\\u2264 \\u4e2d \\udcff')\n    return 0\nrun_command(main)"
    )
    environment = os.environ | {"PYTHONIOENCODING": encoding, "LC_ALL": "xx_YY"}
    ended = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, timeout=60)
    assert (ended.returncode, ended.stdout) == (0, b"\\u2264 \\u4e2d \\udcff\n")


def test_whoever_imports_the_zoo_keeps_their_own_handlers(tmp_path: Path) -> None:
    """`python -m theirs`, whose package imports this one, is no command of this project."""
    package = tmp_path / "theirs"
    package.mkdir()
    (package / "__init__.py").write_text("import zoo\n")
    (package / "__main__.py").write_text("import signal; print(signal.getsignal(signal.SIGINT).__name__)\n")
    ended = subprocess.run(
        [sys.executable, "-m", "theirs"], cwd=tmp_path, capture_output=True, encoding="utf-8", timeout=60
    )
    assert ended.stdout == "default_int_handler\n"
