"""The table of what a network can do: how tests end, what is said of it."""

from types import SimpleNamespace

import pytest

from benchmarks.selfcheck import contract

CASES = {
    "nin": {"features": {"trace": {"outcome": "passed", "reason": ""},
                         "pt2e": {"outcome": "skipped", "reason": "no *ao*"}}},
    "vgg": {"features": {"trace": {"outcome": "failed", "reason": "ValueError: a | b"}}},
}  # fmt: skip


def test_a_failure_misses_the_bar_and_a_skip_does_not():
    bars = {bar.text.partition(":")[0]: (bar.found, bar.met) for bar in contract.bars(CASES)}
    assert bars["nin"] == ("1 work, 1 skipped, 0 failed", True)
    assert bars["vgg"] == ("0 work, 0 skipped, 1 failed", False)
    assert bars["resnet"] == ("", None)
    assert list(bars) == list(contract.FAMILIES)


def test_the_page_gives_each_cell_and_each_reason(tmp_path):
    content = {"cases": CASES, "machine": {}, "software": {}, "command": "typed"}
    contract.BENCHMARK.page.write(content, tmp_path / "contract.md")
    text = (tmp_path / "contract.md").read_text()
    assert "| feature | nin | vgg |" in text
    assert "| trace | yes | **failed** |" in text and "| pt2e | skipped | - |" in text
    assert r"pt2e, nin: no \*ao\*" in text and "trace, vgg: ValueError" in text


def item(family, name):
    return SimpleNamespace(nodeid=f"{family}/{name}", callspec=SimpleNamespace(params={"family": family, "name": name}))


def report(family, name, when, outcome, longrepr=None):
    return SimpleNamespace(nodeid=f"{family}/{name}", when=when, outcome=outcome, longrepr=longrepr)


def test_only_one_family_is_run_and_its_outcomes_are_kept():
    witness = contract.Witness("nin")
    items = [item("nin", "a"), item("vgg", "a"), item("nin", "b"), item("nin", "c"), item("nin", "d")]
    witness.pytest_collection_modifyitems(items)
    assert [each.callspec.params["name"] for each in items] == ["a", "b", "c", "d"]
    crash = SimpleNamespace(reprcrash=SimpleNamespace(message="AssertionError:\nno"))
    for seen in (
        report("nin", "a", "setup", "passed"), report("nin", "a", "call", "passed"),
        report("nin", "b", "call", "skipped", ("file", 3, "Skipped: gone")), report("nin", "b", "teardown", "passed"),
        report("nin", "c", "call", "failed", crash), report("nin", "d", "setup", "failed", crash),
    ):  # fmt: skip
        witness.pytest_runtest_logreport(seen)
    assert witness.features == {
        "a": {"outcome": "passed", "reason": ""},
        "b": {"outcome": "skipped", "reason": "gone"},
        "c": {"outcome": "failed", "reason": "AssertionError: no"},
        "d": {"outcome": "failed", "reason": "AssertionError: no"},
    }


def test_without_the_repository_there_is_nothing_to_try(monkeypatch, tmp_path):
    monkeypatch.setattr(contract, "TESTS", tmp_path / "gone.py")
    with pytest.raises(FileNotFoundError, match="come with the repository"):
        contract.measure("nin")
