"""Verdicts on two runs: equal ones are the same, slower ones are found at their size, bad input ends in words."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path

import pytest

from benchmarks.compare import main
from benchmarks.records.record import Case, Measurement, Record
from benchmarks.records.store import RECORDS
from benchmarks.selfcheck.selftest import SLOWDOWN, conclude
from benchmarks.stats.verdicts import compare_times


def rounds(draws: random.Random, scale: float = 1.0, count: int = 30, spread: float = 0.02) -> dict[int, float]:
    return {number: scale * draws.lognormvariate(0, spread) for number in range(1, count + 1)}


@pytest.mark.parametrize("paired", [False, True])
def test_equal_runs_are_called_different_in_at_most_one_of_twenty(paired: bool) -> None:
    draws = random.Random(1)
    pairs = {str(trial): (rounds(draws), rounds(draws), paired) for trial in range(40)}
    called = [each for each in compare_times(pairs) if each.verdict in ("faster", "slower")]
    assert len(called) <= 2


@pytest.mark.parametrize(("scale", "verdict"), [(1.05, "slower"), (0.95, "faster"), (1.002, "same")])
def test_a_change_is_found_with_its_size(scale: float, verdict: str) -> None:
    draws = random.Random(2)
    found = compare_times({"case": (rounds(draws), rounds(draws, scale), True)})[0]
    assert found.verdict == verdict
    assert found.ratio.value == pytest.approx(scale, abs=0.02)
    assert found.ratio.low <= found.ratio.value <= found.ratio.high


def test_pairing_within_rounds_sees_through_drift() -> None:
    draws = random.Random(3)
    drift = {number: 1 + number / 10 for number in range(1, 31)}
    before = {number: value * drift[number] for number, value in rounds(draws, spread=0.005).items()}
    after = {number: value * drift[number] * 1.05 for number, value in rounds(draws, spread=0.005).items()}
    paired, unpaired = (compare_times({"case": (before, after, pairing)})[0] for pairing in (True, False))
    assert paired.ratio.half_width < unpaired.ratio.half_width / 5
    assert paired.ratio.value == pytest.approx(1.05, abs=0.01)
    assert (paired.verdict, unpaired.p_value > 0.05) == ("slower", True)


def test_wild_times_leave_no_verdict() -> None:
    draws = random.Random(4)
    found = compare_times({"case": (rounds(draws, count=8, spread=1), rounds(draws, count=8, spread=1), False)})[0]
    assert found.verdict == "too noisy"


def record(scale: float, *, machine: str = "here", seed: int = 0, **pairs: float) -> Record:
    times = rounds(random.Random(seed), scale)
    measured = Measurement(name="latency_s", value=scale, unit="s", samples=tuple(times.values()),
                           rounds=tuple(times), details={"run": str(seed)})  # fmt: skip
    effort = {name: value for name, value in pairs.items() if name in ("max_time", "rounds", "target_ci")}
    settings = {name: value for name, value in pairs.items() if name not in effort}
    case = Case(metric="latency", model="resnet18", settings=tuple(settings.items()), effort=tuple(effort.items()))
    return Record(case=case, status="ok", machine=machine, measurements=(measured,))


def folder(path: Path, *records: Record) -> str:
    path.mkdir()
    (path / RECORDS).write_text("".join(each.to_json() + "\n" for each in records))
    return str(path)


def test_the_exit_status_is_for_machines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = folder(tmp_path / "a", record(1.0, seed=1))
    slower = folder(tmp_path / "b", record(1.1, seed=2))
    elsewhere = folder(tmp_path / "c", record(1.0, machine="there"))
    assert main([base, base]) == 0
    assert main([base, slower]) == 1
    assert "slower" in capsys.readouterr().out
    assert main([slower, base]) == 0
    for wrong in ([base, str(tmp_path / "none")], [base, elsewhere], [base, folder(tmp_path / "d")]):
        assert main(wrong) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1 and error.startswith("benchmarks.compare: ")


def test_the_self_test_tells_right_from_wrong() -> None:
    same = [record(1.0, seed=5), record(1.0, seed=6, repeat=2)]
    lines, right = conclude([*same, record(1 + SLOWDOWN, seed=7, repeat=3, slowdown=SLOWDOWN)])
    assert right, lines
    lines, right = conclude([*same, record(1.0, seed=8, repeat=3, slowdown=SLOWDOWN)])
    assert not right and "not found" in lines[1]
    lost = dataclasses.replace(same[1], status="crashed", reason="SIGSEGV")
    lines, right = conclude([same[0], lost])
    assert not right and "SIGSEGV" in lines[0]


def test_runs_of_different_length_compare(tmp_path: Path) -> None:
    short = folder(tmp_path / "short", record(1.0, seed=1, max_time=4.0, rounds=12, target_ci=0.02))
    long = folder(tmp_path / "long", record(1.1, seed=2, max_time=30.0, rounds=90, target_ci=0.005))
    assert main([short, long]) == 1
    slowed = folder(tmp_path / "slowed", record(1.1, seed=2, max_time=4.0, slowdown=0.1))
    assert main([short, slowed]) == 2  # that is another case


def test_what_tells_two_lines_apart_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = record(1.0, seed=1), record(1.0, seed=2)
    small = dataclasses.replace(other, case=dataclasses.replace(other.case, img_size=160, precision="bf16"))
    run = folder(tmp_path / "run", one, small)
    assert main([run, run]) == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    assert "fp32" in lines[0] and "bf16 160 px" in lines[1]
