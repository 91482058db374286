"""A self-check writes beside its page what it measured, and replaces no file of somebody else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from benchmarks.records.record import Environment
from benchmarks.report.bars import CheckPage
from benchmarks.selfcheck import tasks
from benchmarks.selfcheck.tasks import Benchmark

PAGE = CheckPage(title="A check", remark="", bars=lambda cases: (), sections=lambda cases, picture: ())
ANSWERS = iter(range(100))


def check() -> Benchmark:
    return Benchmark(name="toy", description="", tasks={"one": dict, "two": dict}, page=PAGE)


@pytest.fixture(autouse=True)
def measured(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(task: object, environment: Any) -> Mapping[str, Any]:
        facts = {"machine": environment.machine_id, "packages": environment.software["packages"]}
        return facts | {"answer": next(ANSWERS), "wall_s": 0.0}

    monkeypatch.setattr(tasks, "measured", answer)


def test_it_goes_on_where_it_was_and_replaces_its_own_page(tmp_path: Path) -> None:
    assert check().main(["--output-dir", str(tmp_path)]) == 0
    first = (tmp_path / "toy.json").read_text()
    for more in ([], ["--report-only"]):
        assert check().main(["--output-dir", str(tmp_path), *more]) == 0
        assert (tmp_path / "toy.json").read_text() == first
    assert check().main(["--output-dir", str(tmp_path), "--fresh"]) == 0
    assert (tmp_path / "toy.json").read_text() != first


@pytest.mark.parametrize("name", ["toy.md", "toy.json"])
def test_files_of_somebody_else_stop_it_before_it_measures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (tmp_path / name).write_text("theirs")
    assert check().main(["--output-dir", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and name in said and "--output-dir" in said
    assert [path.name for path in tmp_path.iterdir()] == [name] and (tmp_path / name).read_text() == "theirs"


def test_interrupted_it_says_that_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(tasks, "measured", interrupt)
    with pytest.raises(KeyboardInterrupt):
        check().main(["--output-dir", str(tmp_path)])
    assert "interrupted" in capsys.readouterr().err


def test_what_is_measured_on_files_is_measured_where_all_of_them_are_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inputs = {"data-dir": "a folder", "weights": "a file"}
    fed = Benchmark(name="toy", description="", tasks={"one": dict}, page=PAGE, inputs=inputs, fed={"more": dict})
    output = ["--output-dir", str(tmp_path)]
    assert fed.main(output) == 0
    assert "more" not in (tmp_path / "toy.json").read_text()
    for wrong in (["--data-dir", "x"], ["--sections", "more", "--data-dir", "x"], ["--sections", "more"]):
        with pytest.raises(SystemExit) as status:
            fed.main([*output, *wrong])
        assert status.value.code == 2 and "--weights" in capsys.readouterr().err
    assert fed.main([*output, "--data-dir", "x", "--weights", "y"]) == 0
    assert "more" in (tmp_path / "toy.json").read_text()


def test_a_section_measured_alone_leaves_another_machines_as_they_are_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def on(processor: str) -> None:
        place = Environment(machine={"cpu": processor}, software={"packages": {"torch": processor}})
        monkeypatch.setattr(tasks, "observe", lambda command: place)

    def kept() -> dict[str, Any]:
        found: dict[str, Any] = json.loads((tmp_path / "toy.json").read_text())
        return found

    output = ["--output-dir", str(tmp_path)]
    on("Pentium")
    assert check().main(output) == 0
    before = kept()
    on("Athlon")
    assert check().main([*output, "--sections", "two"]) == 0
    after = kept()
    assert after["cases"]["one"] == before["cases"]["one"]
    assert after["cases"]["two"]["answer"] > before["cases"]["two"]["answer"]
    page = (tmp_path / "toy.md").read_text()
    assert "two: Athlon" in page and "one: Pentium" in page and page.index("two: Athlon") < page.index("one: Pentium")
    for more in (["--report-only"], ["--sections", "two"]):
        assert check().main([*output, *more]) == 0
        assert "one: Pentium" in (tmp_path / "toy.md").read_text()
    assert check().main(output) == 0  # what is asked for is all: here, then, as one table
    assert kept()["others"] == [] and "Pentium" not in (tmp_path / "toy.md").read_text()
    assert kept()["cases"]["one"]["answer"] != before["cases"]["one"]["answer"]


def test_a_task_whose_name_holds_commas_is_measured_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    named = Benchmark(
        name="toy", description="", tasks=dict.fromkeys(["net a=1,b=2", "net a=1,b=3", "two"], dict), page=PAGE
    )
    output = ["--output-dir", str(tmp_path)]
    assert named.main(output) == 0
    before = json.loads((tmp_path / "toy.json").read_text())["cases"]
    assert named.main([*output, "--sections", "two,net a=1,b=3"]) == 0
    after = json.loads((tmp_path / "toy.json").read_text())["cases"]
    assert {key for key in after if after[key] != before[key]} == {"two", "net a=1,b=3"}
    with pytest.raises(SystemExit):
        named.main([*output, "--sections", "two,three,net"])
    assert "no section is named 'three'" in capsys.readouterr().err
