"""`python -m benchmarks.selfcheck`: which checks there are, wrong command lines, and the page of loading."""

import subprocess
import sys

import pytest

from benchmarks.selfcheck import __main__ as selfcheck
from benchmarks.selfcheck import loading


@pytest.mark.parametrize("check", selfcheck.CHECKS)
def test_every_check_parses_its_own_options(check, capsys):
    with pytest.raises(SystemExit) as stop:
        selfcheck.main([check, "--help"])
    assert stop.value.code == 0
    assert f"benchmarks.selfcheck {check}" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["sped"], ["speed", "--output"], ["loading", "--sections", "alexnet"]])
def test_a_wrong_command_line_is_refused_in_one_line(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        selfcheck.main(arguments)
    said = capsys.readouterr().err
    assert stop.value.code == 2 and said.count("\n") == 1 and said.startswith("python -m benchmarks.selfcheck")


def test_the_process_of_a_task_starts_without_the_report():
    code = "import sys, benchmarks.selfcheck.__main__; print({'torch', 'matplotlib', 'pandas'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def case(**ours):
    theirs = {"call_s": 1.0, "read_s": 1.0, "peak_bytes": 2e8}
    lean = {"call_s": 0.01, "read_s": 0.1, "peak_bytes": 1.1e8} | ours
    worse = {name: 2 * value for name, value in lean.items()}
    return {"model": "vgg16", "file_bytes": 1e8, "zoo": [worse, lean], "torchvision": [theirs, theirs]}


class TestLoading:
    def test_the_best_repetition_counts(self):
        assert [bar.met for bar in loading.bars({"vgg16": case()})] == [True, True, True]

    @pytest.mark.parametrize(
        ("ours", "met"),
        [({"call_s": 0.3}, [False, True, True]), ({"read_s": 0.3}, [True, False, True]),
         ({"peak_bytes": 1.3e8}, [True, True, False])],
    )  # fmt: skip
    def test_each_bar_can_be_missed(self, ours, met):
        assert [bar.met for bar in loading.bars({"vgg16": case(**ours)})] == met

    def test_nothing_measured(self):
        assert all(bar.met is None for bar in loading.bars({}))

    def test_the_page(self, tmp_path):
        content = {"cases": {"vgg16": case()}, "machine": {}, "software": {}, "command": "typed"}
        loading.BENCHMARK.page.write(content, tmp_path / "loading.md")
        text = (tmp_path / "loading.md").read_text()
        assert "3 of 3 measured bars are met." in text and text.endswith("`python -m benchmarks.selfcheck loading`\n")
        assert "| until every weight was read, s | 0.100 | 1.00 | 10.0 |" in text
        assert "disturbed" not in text  # nobody watched
