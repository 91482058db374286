"""Two runs compared: times by the one rule, counts and accuracies beside them, and bad input ends in words."""

from __future__ import annotations

import dataclasses
import json
import random
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.compare import Change, _beyond, _number, compare, main
from benchmarks.metrics import METRICS, check
from benchmarks.records.predictions import pack
from benchmarks.records.record import Case, Measurement, Record
from benchmarks.records.store import RECORDS, read_records
from benchmarks.stats.verdicts import VERDICTS
from zoo.counts import COUNTED


def timed(
    scale: float, *, model: str = "resnet18", metric: str = "latency", run: str = "a", count: int = 24, seed: int = 0,
    spread: float = 0.01, machine: str = "here", **case: Any,
) -> Record:  # fmt: skip
    """Times of `count` rounds around `scale` seconds."""
    draws = random.Random(f"{seed} {run}")
    seconds = [scale * draws.lognormvariate(0, spread) for _ in range(count)]
    rates = metric == "throughput"
    found = Measurement(
        name="samples_per_sec" if rates else "latency_s", unit="1/s" if rates else "s", value=99.0, low=99.0, high=99.0,
        samples=tuple(1 / each for each in seconds) if rates else tuple(seconds), rounds=tuple(range(count)),
        details={"run": run},
    )  # fmt: skip
    return Record(
        case=Case(metric=metric, model=model, **case), status="ok", machine=machine, measurements=(found,)
    )  # fmt: skip


def counted(count: float, *, metric: str = "params", name: str = "param_count", **case: Any) -> Record:
    found = Measurement(name=name, value=count, unit="count")
    case = {"model": "resnet18", **case}
    return Record(case=Case(metric=metric, **case), status="ok", machine="here", measurements=(found,))


def accurate(right: int, of: int = 400, *, answers: bool = True, **case: Any) -> Record:
    """The first `right` images are named rightly."""
    labels = [0] * of
    details = {"fingerprint": "f", "labels": pack(labels), "answers": pack([[int(i >= right)] for i in range(of)])}
    share = right / of
    found = Measurement(name="top1", value=share, unit="fraction", low=share - 0.04, high=share + 0.04,
                        details=details if answers else {})  # fmt: skip
    return Record(case=Case(metric="accuracy", model="resnet18", **case), status="ok", measurements=(found,))


def folder(path: Path, *records: Record) -> str:
    path.mkdir()
    (path / RECORDS).write_text("".join(each.to_json() + "\n" for each in records))
    return str(path)


def verdicts(before: list[Record], after: list[Record]) -> dict[str, str]:
    return {f"{change.figure} {change.case}": change.verdict for change in compare(before, after).changes}


@pytest.mark.parametrize(("scale", "said"), [(1.05, "slower"), (0.95, "faster"), (1.002, "same")])
@pytest.mark.parametrize("run", ["a", "b"])
def test_a_change_is_found_with_its_size(scale: float, said: str, run: str) -> None:
    """In one session, paired within rounds, and in two."""
    (change,) = compare([timed(1.0)], [timed(scale, run=run, seed=1)]).changes
    assert change.verdict == said and change.figure == "latency_ms_p50"
    assert change.ratio == pytest.approx(scale, abs=0.02)
    assert change.ratio_low is not None and change.ratio_high is not None
    assert change.ratio_low < change.ratio < change.ratio_high  # type: ignore[operator]
    assert (change.before, change.after) == pytest.approx((1000, 1000 * scale), rel=0.02)  # not what was written


def test_pairing_within_rounds_sees_through_drift() -> None:
    drift = [1 + number / 10 for number in range(24)]

    def drifting(scale: float, **options: Any) -> Record:
        record = timed(scale, spread=0.005, **options)
        (found,) = record.measurements
        samples = tuple(each * factor for each, factor in zip(found.samples, drift, strict=True))
        return dataclasses.replace(record, measurements=(dataclasses.replace(found, samples=samples),))

    assert verdicts([drifting(1.0)], [drifting(1.05, seed=1)]) == {"latency_ms_p50 resnet18": "slower"}
    assert verdicts([drifting(1.0)], [drifting(1.05, seed=1, run="b")]) == {"latency_ms_p50 resnet18": "too noisy"}


def test_a_rate_that_falls_is_slower() -> None:
    (change,) = compare([timed(1.0, metric="throughput")], [timed(1.1, metric="throughput", seed=1)]).changes
    assert change.verdict == "slower" and change.ratio == pytest.approx(1.1, abs=0.02)
    assert change.before > change.after


@pytest.mark.parametrize("count", [1, 3, 5, 7])
def test_few_rounds_say_nothing_however_large_the_difference(count: int) -> None:
    for run in ("a", "b"):
        (change,) = compare([timed(1.0, count=count)], [timed(2.0, run=run, count=count)]).changes
        assert (change.verdict, change.rounds, change.ratio_low) == ("too few rounds", count, None)


def test_runs_that_share_no_round_of_one_session() -> None:
    before, after = timed(1.0), timed(2.0)
    (found,) = after.measurements
    later = dataclasses.replace(found, rounds=tuple(number + 100 for number in found.rounds))
    (change,) = compare([before], [dataclasses.replace(after, measurements=(later,))]).changes
    assert change.verdict == "too few rounds"


def test_rounds_with_the_processors_apart_do_not_count_where_enough_others_are_left() -> None:
    """And where too few are close for both, those in which both were alike; a call takes 40 % longer when apart."""

    def timed_apart(scale: float, apart: range, **options: Any) -> Record:
        record = timed(scale, spread=0.005, **options)
        (found,) = record.measurements
        samples = tuple(each * (1.4 if place in apart else 1) for place, each in enumerate(found.samples))
        found = dataclasses.replace(found, samples=samples, details={**found.details, "apart_rounds": [*apart]})
        return dataclasses.replace(record, measurements=(found,))

    for first, second, rounds in (
        (range(12, 24), range(14, 24), 12),  # close for both
        (range(17), range(9, 24), 8),  # never close for both, but eight times apart
        (range(6, 24), range(2, 24), 2 + 18),
    ):
        (change,) = compare([timed_apart(1.0, first)], [timed_apart(1.05, second, seed=1)]).changes
        assert change.rounds == rounds
        assert (change.verdict, change.ratio) == ("slower", pytest.approx(1.05, abs=0.01))


def test_many_cases_want_stronger_answers() -> None:
    """As many pairs of equal times as a report has: none is called different, though some intervals miss 1."""
    models = [f"resnet18 {number}" for number in range(60)]
    before = [timed(1.0, model=model, seed=number, spread=0.02) for number, model in enumerate(models)]
    after = [timed(1.0, model=model, seed=number + 999, spread=0.02) for number, model in enumerate(models)]
    assert set(verdicts(before, after).values()) == {"same"}


def test_an_edited_network_in_one_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = [timed(1.0), counted(11e6), counted(2e9, metric="mult_adds", name="mult_adds"), accurate(200)]
    after = [timed(1.2, run="b"), counted(12e6), counted(2e9, metric="mult_adds", name="mult_adds"), accurate(280)]
    assert verdicts(before, after) == {
        "latency_ms_p50 resnet18": "slower", "param_count resnet18": "more", "gmacs resnet18": "same",
        "top1 resnet18": "more",
    }  # fmt: skip
    assert main([folder(tmp_path / "a", *before), folder(tmp_path / "b", *after)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any("11,000,000" in line and "12,000,000" in line and line.endswith("more") for line in lines)
    assert any("50" in line and "70" in line and line.endswith("more") for line in lines)
    assert "equal in both: 1 figure (gmacs)" in lines


def test_an_edited_network_no_longer_carries_the_paper_s_accuracy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By parameters, or by multiply-adds at its own size; a network that nobody counted is taken at its word."""
    params, mult_adds = COUNTED["mobilenet_v1"]

    def counts(params: int, mult_adds: int, size: int = 224) -> list[Record]:
        found = counted(mult_adds, metric="mult_adds", name="mult_adds", model="mobilenet_v1", img_size=size)
        return [counted(params, model="mobilenet_v1"), found]

    clock = timed(1.0, model="mobilenet_v1")
    before = folder(tmp_path / "a", *counts(params, mult_adds), clock)
    said = "edited in B: mobilenet_v1, which is not the published network; the 70.6 % printed for that are not its own"
    for number, (after, edited) in enumerate((
        ([*counts(params, mult_adds), counts(params, 5, 160)[1]], False), (counts(params - 9, mult_adds), True),
        (counts(params, mult_adds - 9), True), ([clock], False),
    )):  # fmt: skip
        runs = [before, folder(tmp_path / f"b{number}", *after)]
        assert main(runs) == 0
        out = capsys.readouterr().out
        assert (said in " ".join(out.split())) == edited and "edited in A" not in out
        assert main([*runs, "--json"]) == 0
        assert len(json.loads(capsys.readouterr().out)["edited"]) == edited


def test_memory_is_another_only_where_another_look_would_find_so() -> None:
    def used(size: float) -> Record:
        found = Measurement(name="peak_rss_bytes", value=size, unit="B")
        return Record(case=Case(metric="memory", model="resnet18"), status="ok", measurements=(found,))

    assert verdicts([used(50e6)], [used(54e6)]) == {"peak_rss_mb resnet18": "same"}
    assert verdicts([used(50e6)], [used(60e6)]) == {"peak_rss_mb resnet18": "more"}
    assert verdicts([used(60e6)], [used(50e6)]) == {"peak_rss_mb resnet18": "less"}


@pytest.mark.parametrize(("answers", "right", "said"), [(True, 212, "more"), (False, 212, "same"), (False, 260, "more"),
                                                        (True, 203, "same"), (True, 100, "less")])  # fmt: skip
def test_accuracies_go_image_by_image_where_the_answers_are_known(answers: bool, right: int, said: str) -> None:
    assert verdicts([accurate(200)], [accurate(right, answers=answers)]) == {"top1 resnet18": said}


def test_what_only_one_run_has_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lost = dataclasses.replace(counted(1, model="nin"), status="crashed", reason="killed by\nSIGSEGV", measurements=())
    a = folder(tmp_path / "a", timed(1.0), counted(1, model="nin"), timed(1.0, batch_size=8))
    b = folder(tmp_path / "b", timed(1.0), lost, counted(2, model="vgg11"))
    assert main([a, b]) == 0
    out = capsys.readouterr().out
    assert "only in A: params nin (there crashed: killed by SIGSEGV)\n" in out
    assert "only in A: latency resnet18 batch 8\n" in out and "only in B: params vgg11\n" in out
    assert main([a, b, "--metrics", "params"]) == 2
    assert "only in B: params vgg11" in capsys.readouterr().out


def test_cases_under_other_conditions_are_other_cases() -> None:
    found = compare([accurate(200, data="one", data_dir="A")], [accurate(200, data="two", data_dir="B")])
    assert not found.changes
    assert (found.only_in_a, found.only_in_b) == (["accuracy resnet18 A"], ["accuracy resnet18 B"])
    assert compare([accurate(200, data="one", data_dir="A")], [accurate(200, data="one", data_dir="moved")]).changes


def test_times_of_other_machines_are_not_compared_and_all_else_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere = [dataclasses.replace(each, machine="there") for each in (timed(2.0), counted(5), accurate(210))]
    a, b = folder(tmp_path / "a", timed(1.0), counted(4), accurate(200)), folder(tmp_path / "b", *elsewhere)
    assert main([a, b, "--fail-over", "1"]) == 0
    out = capsys.readouterr().out
    assert "latency" not in out and "param_count" in out and "top1" in out
    assert "timed on different machines and so not compared: 1 case\n" in out
    only = folder(tmp_path / "c", timed(2.0, machine="there"))
    assert main([a, only]) == 2
    assert "different machines" in capsys.readouterr().err


def test_of_several_machines_the_one_that_both_have_counts() -> None:
    (change,) = compare([timed(1.0), timed(9.0, machine="x")], [timed(1.2, seed=1), timed(1.0, machine="y")]).changes
    assert change.verdict == "slower" and change.ratio == pytest.approx(1.2, abs=0.02)


def test_only_fail_over_ends_with_one(tmp_path: Path) -> None:
    base, slower = folder(tmp_path / "a", timed(1.0)), folder(tmp_path / "b", timed(1.1, seed=1))
    assert main([base, slower]) == main([slower, base]) == 0
    assert main([base, slower, "--fail-over", "5"]) == 1
    assert main([base, slower, "--fail-over", "0"]) == 1
    assert main([base, slower, "--fail-over", "9.9"]) == 0  # its interval reaches below
    assert main([base, slower, "--fail-over", "15"]) == main([slower, base, "--fail-over", "0"]) == 0


@pytest.mark.parametrize(
    ("option", "wanted"), [("--noise-floor", "a share of at least 0"), ("--fail-over", "a percentage of at least 0")]
)
@pytest.mark.parametrize("wrong", ["nan", "-0.1", "inf", "much", "x" * 999])
def test_limits_are_numbers(option: str, wanted: str, wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["a", "b", f"{option}={wrong}"])
    error = capsys.readouterr().err
    assert stopped.value.code == 2 and wanted in error and error.count("\n") == 1 and len(error) <= 301


def test_a_noise_floor_is_no_whole(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["a", "b", "--noise-floor=1"])
    with pytest.raises(ValueError, match="a noise floor is a share"):
        compare([timed(1.0)], [timed(1.0)], noise_floor=1.5)


def test_what_cannot_be_compared_ends_with_two_and_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = folder(tmp_path / "a", timed(1.0))
    (tmp_path / "bytes").write_bytes(b"\x00\xff" * 99)
    others = [str(tmp_path / "none"), folder(tmp_path / "d"), folder(tmp_path / "e", counted(1)), "\0", "/dev/null"]
    for other in [*others, str(tmp_path / "bytes")]:
        for pair in ([run, other], [other, run]):
            assert main(pair) == 2
            assert "benchmarks.compare: " in capsys.readouterr().err.splitlines()[-1]


def test_one_object_for_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = folder(tmp_path / "a", timed(1.0), timed(1.0, model="nin", count=3), counted(1, model="vgg11"))
    b = folder(tmp_path / "b", timed(1.1, seed=1), timed(1.0, model="nin", count=3))
    assert main([a, b, "--json", "--fail-over", "5"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"cases", "only_in_a", "only_in_b", "elsewhere", "edited", "settings"}
    assert found["settings"] == {"run_a": a, "run_b": b, "noise_floor": 0.01, "fail_over": 5.0, "metrics": []}
    assert {each["case"]: each["verdict"] for each in found["cases"]} == {"resnet18": "slower", "nin": "too few rounds"}
    assert found["cases"][0]["ratio_low"] > 1 and found["cases"][1]["ratio_low"] is None
    assert found["only_in_a"] == ["params vgg11"] and found["only_in_b"] == []


@pytest.mark.parametrize("width", [80, 200])
def test_a_table_as_wide_as_the_terminal(
    width: int, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    models = ["resnet18", "mobilenet_v1:resolution=160,separable=false,width=0.75"]
    runs = [[timed(scale, model=model, seed=seed), timed(scale, model=model, batch_size=8), counted(138e6, model=model)]
            for seed, scale in enumerate((1.0, 1.23)) for model in models]  # fmt: skip
    a, b = folder(tmp_path / "a", *runs[0], *runs[1]), folder(tmp_path / "b", *runs[2], *runs[3])
    assert main([a, b]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= width
    assert sum(models[1] in line for line in lines) == 2  # in full


# --- whatever two runs hold -------------------------------------------------------------------------------------------

NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([0.0, -1.0, 1e-300, 1e300])
VALUES = st.none() | st.booleans() | NUMBERS | st.text(max_size=3) | st.lists(NUMBERS, max_size=3)
DETAILS = st.dictionaries(
    st.sampled_from(["run", "apart_rounds", "reference", "answers", "labels", "fingerprint"]), VALUES, max_size=4
)


@st.composite
def any_record(draw: st.DrawFn) -> Record:
    metric = draw(st.sampled_from(sorted(METRICS)))
    names = sorted({column.measurement for column in METRICS[metric].columns} | {"latency_ratio"})
    measurements = []
    for name in draw(st.lists(st.sampled_from(names), unique=True)):
        samples = draw(st.lists(NUMBERS | st.just(1.0), max_size=12))
        ends = draw(st.none() | NUMBERS), draw(st.none() | NUMBERS)
        rounds = tuple(range(len(samples))) if draw(st.booleans()) else ()
        measurements.append(
            Measurement(name=name, value=draw(NUMBERS), unit=draw(st.sampled_from(["s", "1/s", "count"])), low=ends[0],
                        high=ends[1], samples=tuple(samples), rounds=rounds, details=draw(DETAILS))
        )  # fmt: skip
    return Record(
        case=Case(metric=metric, model=draw(st.sampled_from(["resnet18", "gone"])), batch_size=draw(st.integers(0, 2))),
        status=draw(st.sampled_from(["ok", "failed"])),
        machine=draw(st.sampled_from(["here", "there"])),
        measurements=tuple(measurements),
    )


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(before=st.lists(any_record(), max_size=4), after=st.lists(any_record(), max_size=4))
def test_any_two_runs_end_in_a_status_and_no_traceback(
    before: list[Record], after: list[Record], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, records in (("a", before), ("b", after)):
        (tmp_path / name).write_text("".join(each.to_json() + "\n" for each in records))
    found = compare(*(read_records(tmp_path / name, check).records for name in "ab"))
    assert {change.verdict for change in found.changes} <= {*VERDICTS, "more", "less"}
    for options in ([], ["--json"]):
        assert main([str(tmp_path / "a"), str(tmp_path / "b"), *options]) == (0 if found.changes else 2)
        out = capsys.readouterr().out
        assert "nan" not in out.lower() and "inf" not in out.lower().replace("information", "")
        if options:
            json.loads(out)


@pytest.mark.parametrize(("percent", "status"), [(1, 1), (3, 1), (9, 0), (50, 0)])
def test_a_limit_counts_in_percent_of_the_time_before(percent: float, status: int, tmp_path: Path) -> None:
    """A case that is slower by about 8 % for certain."""
    a, b = folder(tmp_path / "a", timed(1.0)), folder(tmp_path / "b", timed(1.08, run="b", seed=1))
    assert main([a, b, "--fail-over", str(percent)]) == status


def test_a_table_shows_each_ratio_with_its_interval_where_it_has_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a = folder(tmp_path / "a", timed(1.0), counted(138e6))
    b = folder(tmp_path / "b", timed(1.08, run="b", seed=1), counted(69e6))
    assert main([a, b]) == 0
    said = capsys.readouterr().out
    assert re.search(r"1\.0[78]\d \(1\.0\d\d to 1\.\d{3}\) +slower", said)
    assert re.search(r" 0\.500  ", said)


def test_figures_stand_under_their_heads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    a, b = folder(tmp_path / "a", counted(11_689_512)), folder(tmp_path / "b", counted(5_844_756))
    assert main([a, b]) == 0
    assert capsys.readouterr().out.splitlines()[:2] == [
        "param_count           before       after  after/before (95 %)     verdict",
        "  resnet18        11,689,512   5,844,756  0.500                   less",
    ]


def test_of_several_looks_at_one_case_a_measured_one_counts() -> None:
    failed = dataclasses.replace(timed(1.0), status="oom", measurements=(), machine="there")
    found = compare([timed(1.0), failed], [failed, timed(1.2, seed=1)])
    assert [change.verdict for change in found.changes] == ["slower"]


@pytest.mark.parametrize(
    ("value", "text"), [(11_689_512, "11,689,512"), (0.5, "0.5"), (1234.56, "1,235"), (12345.6, "12,346"),
                        (9999.4, "9,999"), (0.000123456, "0.0001235"), (-12345.6, "-12,346")]
)  # fmt: skip
def test_figures_have_four_digits_or_all_of_a_whole_number(value: float, text: str) -> None:
    assert _number(value) == text


def test_a_limit_is_passed_by_what_is_surely_beyond_it() -> None:
    slower = Change(case="a", metric="latency", figure="ms", before=1.0, after=1.06, ratio=1.06, verdict="slower")
    for low, beyond in ((1.0502, True), (1.0498, False), (None, False)):
        assert _beyond(dataclasses.replace(slower, ratio_low=low), 5) is beyond
    assert not _beyond(dataclasses.replace(slower, ratio_low=1.2, verdict="too noisy"), 5)


def test_a_machine_that_only_the_first_run_has_is_passed_over() -> None:
    (change,) = compare([timed(9.0, machine="x"), timed(1.0)], [timed(1.2, seed=1)]).changes
    assert change.ratio == pytest.approx(1.2, abs=0.02)
