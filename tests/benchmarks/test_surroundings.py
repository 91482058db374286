"""A whole run in surroundings that it did not choose: others' files, interrupts, odd environments, other systems."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from benchmarks.records.store import RECORDS, read_records

ROOT = Path(__file__).resolve().parents[2]
FAKE = "tests.benchmarks.fake_run"
TRAININGS = ("--models", "resnet18,alexnet,nin,resnet50", "--metrics", "accuracy")


def start(folder: Path, *arguments: str, program: str = FAKE, **options: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", program, "--output-dir", str(folder), *arguments]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", **options
    )  # type: ignore[call-overload,no-any-return]


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Status, and what was said on standard error."""
    with process:
        said = process.communicate(timeout=120)[1]
    return process.returncode, said


def wait_for_records(folder: Path, process: subprocess.Popen[str], count: int) -> None:
    path = folder / RECORDS
    while process.poll() is None and not (path.exists() and path.read_bytes().count(b"\n") >= count):
        time.sleep(0.01)


def models(folder: Path) -> list[str]:
    return [each.case.model for each in read_records(folder / RECORDS).records]


# --- files of others --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("more", [(), ("--fresh",), ("--report-only",)])
def test_another_s_page_ends_the_run_before_it_measures(tmp_path: Path, more: tuple[str, ...]) -> None:
    page = tmp_path / "README.md"
    page.write_text("my thesis")
    status, said = finish(start(tmp_path, "--models", "resnet18", "--metrics", "params", *more))
    assert status == 2
    assert said.count("\n") == 1 and f"{page} would be replaced" in said and "--output-dir" in said
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"] and page.read_text() == "my thesis"


@pytest.mark.slow
@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="no clone")
def test_a_run_in_a_fresh_clone_changes_nothing_that_git_tracks(tmp_path: Path) -> None:
    """The default output folder; twice, so that the second finds the first's files."""
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", "--shared", str(ROOT), str(clone)], check=True)
    command = [sys.executable, "-m", FAKE, "--models", "resnet18"]
    for more in (("--metrics", "params"), ("--metrics", "params", "--fresh")):
        environment = os.environ | {"REPORT": "real"}
        ended = subprocess.run([*command, *more], cwd=clone, env=environment, capture_output=True, encoding="utf-8")
        assert ended.returncode == 0, ended.stderr
    assert (clone / "reports" / "README.md").exists() and (clone / "reports" / f"{RECORDS}.old").exists()
    status = subprocess.run(["git", "status", "--porcelain"], cwd=clone, capture_output=True, encoding="utf-8")
    assert status.stdout == ""


def test_records_that_vanish_while_it_runs_are_there_in_the_end(tmp_path: Path) -> None:
    process = start(tmp_path, *TRAININGS)
    wait_for_records(tmp_path, process, 1)
    (tmp_path / RECORDS).unlink()
    status, said = finish(process)
    assert status == 1 and f"{RECORDS} was gone" in said
    assert sorted(models(tmp_path)) == sorted(TRAININGS[1].split(","))


def test_a_page_that_is_changed_while_it_runs_costs_no_measurement(tmp_path: Path) -> None:
    """A person writes into the page between two of its versions."""
    process = start(tmp_path, *TRAININGS, env=os.environ | {"REPORT": "real"})
    while process.poll() is None and not (tmp_path / "README.md").exists():
        time.sleep(0.01)
    (tmp_path / "README.md").write_text("a remark of mine")
    status, said = finish(process)
    assert status == 1 and said.count("README.md there is not as this harness wrote it") == 1
    assert (tmp_path / "README.md").read_text() == "a remark of mine"
    assert len(models(tmp_path)) == 4


# --- interrupts -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "records"), [("SIGINT", 0), ("SIGTERM", 0), ("SIGHUP", 1)])
def test_a_signal_to_the_whole_command_ends_all_of_it(tmp_path: Path, name: str, records: int) -> None:
    """As a terminal sends it: to the harness and to every process it started, while they start or measure."""
    number = signal.Signals[name]
    process = start(tmp_path, *TRAININGS, start_new_session=True, preexec_fn=lambda: _usual_signals())
    wait_for_records(tmp_path, process, records)
    while not records and process.poll() is None and not psutil.Process(process.pid).children(recursive=True):
        time.sleep(0.01)
    os.killpg(process.pid, number)
    status, said = finish(process)
    assert status == 128 + number
    assert "Traceback" not in said and "interrupted" in said and "crashed" not in said
    assert len(models(tmp_path)) < 4
    for _ in range(500):
        if not _session(process.pid):
            break
        time.sleep(0.01)
    assert _session(process.pid) == []


def _usual_signals() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell starts in the background ignores it


def _session(number: int) -> list[str]:
    """The command lines of the processes of a session."""
    found = []
    for each in psutil.process_iter(["cmdline", "status"]):
        try:
            if os.getsid(each.pid) == number and each.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(" ".join(each.info["cmdline"] or ()))
        except (ProcessLookupError, psutil.Error):
            continue
    return found


# --- environments -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimize", ["", pytest.param("1", marks=pytest.mark.slow)])  # all is compiled again
def test_nothing_around_it_keeps_a_figure_from_the_page(optimize: str, tmp_path: Path) -> None:
    """A notebook's pictures, no home, no cache, another `zoo`, few letters, no assertions."""
    (tmp_path / "zoo").mkdir()
    (tmp_path / "zoo" / "__init__.py").write_text("raise RuntimeError('the zoo of somebody else')")
    (tmp_path / "nowhere").write_text("no folder")
    nowhere = str(tmp_path / "nowhere" / "below")
    environment = {key: value for key, value in os.environ.items() if key not in ("HOME", "PYTHONSAFEPATH")} | {
        "PYTHONPATH": str(ROOT), "MPLBACKEND": "notebook of mine", "HOME": nowhere, "XDG_CACHE_HOME": nowhere,
        "ZOO_CACHE_DIR": nowhere, "MPLCONFIGDIR": nowhere, "TORCHINDUCTOR_CACHE_DIR": nowhere,
        "PYTHONIOENCODING": "ascii", "LC_ALL": "xx_YY.nothing", "TZ": "Nowhere/Else", "PYTHONOPTIMIZE": optimize,
        "PYTHONWARNDEFAULTENCODING": "1",
    }  # fmt: skip
    arguments = "--models mobilenet_v1:resolution=32,width=0.25 --metrics mult_adds --output-dir out"
    command = [sys.executable, "-m", "benchmarks.run", *arguments.split()]
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, encoding="utf-8", timeout=300)
    assert ended.returncode == 0, ended.stderr
    assert "Traceback" not in ended.stderr
    own = [line for line in ended.stderr.splitlines() if str(ROOT) in line and "site-packages" not in line]
    assert [line for line in own if "EncodingWarning" in line] == []
    assert [each.status for each in read_records(tmp_path / "out" / RECORDS).records] == ["ok"]
    assert "mobilenet" in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("closed", ["2>&-", "<&- >&- 2>&-"])
def test_closed_streams_cost_nothing(tmp_path: Path, closed: str) -> None:
    arguments = f"--models resnet18,resnet34 --metrics activations --output-dir {tmp_path}"
    ended = subprocess.run(["sh", "-c", f'"$0" -m {FAKE} {arguments} {closed}', sys.executable], cwd=ROOT, timeout=120)
    assert ended.returncode == 0
    assert {each.status for each in read_records(tmp_path / RECORDS).records} == {"ok"}


def test_a_report_that_cannot_be_made_costs_no_measurement(tmp_path: Path) -> None:
    """Whatever a library throws when it is imported: here, a settings file of the user's that is no text."""
    (tmp_path / "matplotlibrc").write_bytes(b"\xff\xfe")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "REPORT": "real"}
    command = [sys.executable, "-m", FAKE, "--models", "resnet18", "--metrics", "params", "--output-dir", "out"]
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, encoding="utf-8", timeout=120)
    assert ended.returncode == 1
    assert ended.stderr.count("no report: UnicodeDecodeError") == 1 and "Traceback" not in ended.stderr
    assert models(tmp_path / "out") == ["resnet18"]


def test_a_run_on_a_system_that_is_no_linux(tmp_path: Path) -> None:
    """No fork, no process groups, no load average, no affinity, no fcntl, no resource, no /proc; see `elsewhere`."""
    process = start(
        tmp_path, "--models", "resnet18", "--metrics", "params,accuracy", program="tests.benchmarks.elsewhere",
        env=os.environ | {"REPORT": "real"},
    )  # fmt: skip
    status, said = finish(process)
    assert status == 0, said
    assert "resnet18" in (tmp_path / "README.md").read_text(encoding="utf-8")
    assert json.loads((tmp_path / "environment.json").read_text())["state"]["affinity"] is None


@pytest.mark.parametrize("method", ["script", "-c"])
def test_a_program_without_a_main_guard_is_not_run_again_by_the_processes_it_starts(
    tmp_path: Path, method: str
) -> None:
    """Where processes are started afresh, as on macOS and Windows: a person's own script, and `python -c`."""
    said = tmp_path / "said"
    program = (
        "import multiprocessing\n"
        "multiprocessing.get_all_start_methods = lambda: ['spawn']\n"
        f"open({str(said)!r}, 'a').write('once\\n')\n"
        "from benchmarks import run\n"
        "from tests.benchmarks import fake_run\n"
        "fake_run.fake()\n"
        f"run.main(['--models', 'resnet18', '--metrics', 'params', '--output-dir', {str(tmp_path / 'out')!r}])\n"
    )
    script = tmp_path / "mine.py"
    script.write_text(program)
    command = [sys.executable, *(("-c", program) if method == "-c" else (str(script),))]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, encoding="utf-8", timeout=120)
    assert models(tmp_path / "out") == ["resnet18"] and "Traceback" not in ended.stderr, ended.stderr
    assert said.read_text() == "once\n"
