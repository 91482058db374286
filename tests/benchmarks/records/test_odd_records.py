"""Records in which somebody changed a value: left out where they are read, or harmless, in every command."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks import compare, run
from benchmarks.measure.executors import local
from benchmarks.metrics import METRICS, check
from benchmarks.records.predictions import pack
from benchmarks.records.record import Case, Measurement, Record, RecordError
from benchmarks.records.store import RECORDS, read_records

REFERENCE = Path(__file__).parents[3] / "reports" / "reference"
DEEP = "[" * 5000 + "]" * 5000
ODD = (
    None, True, False, 0, -1, 1, 3.5, -2.5, 1e300, 1e-320, 10**400, 10**20, 10**15, "", "x", "ok", "NaN", "resnet17",
    "<script>", "\ud800", "y" * 5000, "2026-13-45", [], {}, [1], ["a"], {"a": 1}, [[]], [None], float("nan"),
    float("inf"), DEEP,
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where there are values in a record, in lists only the first few."""
    if path:
        yield path
    parts = value.items() if isinstance(value, dict) else enumerate(value[:3]) if isinstance(value, list) else ()
    for name, part in parts:
        yield from places(part, (*path, name))


def changed(record: dict[str, Any], draw: random.Random) -> str:
    """The line of a record with one value changed or removed; every kind of place is as likely as any other."""
    kinds: dict[tuple[str, ...], list[tuple[Any, ...]]] = {}
    for path in places(record):
        kinds.setdefault(tuple("" if isinstance(name, int) else name for name in path), []).append(path)
    *way, last = draw.choice(kinds[draw.choice(sorted(kinds))])
    copied = copy.deepcopy(record)
    inner = copied
    for name in way:
        inner = inner[name]
    if isinstance(inner, dict) and draw.random() < 0.1:
        del inner[last]
    else:
        inner[last] = draw.choice(ODD)
    return json.dumps(copied).replace(json.dumps(DEEP), DEEP)


def written(folder: Path, records: Sequence[dict[str, Any]], odd: int, seed: int) -> Path:
    """A folder with these records, some of them changed."""
    draw = random.Random(seed)
    chosen = set(draw.sample(range(len(records)), odd))
    lines = [changed(record, draw) if place in chosen else json.dumps(record) for place, record in enumerate(records)]
    folder.mkdir()
    (folder / RECORDS).write_text("\n".join(lines) + "\n")
    (folder / "environment.json").write_bytes((REFERENCE / "environment.json").read_bytes())
    return folder


def shipped() -> list[dict[str, Any]]:
    return [json.loads(line) for line in (REFERENCE / RECORDS).read_text().splitlines()]


def takes_them(folder: Path, sound: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Every command that reads records ends with a status and says what it left out."""
    monkeypatch.setattr(local.Local, "execute", lambda self, jobs, **options: (each for each in ()))
    monkeypatch.setattr(local.Local, "machines", lambda self, cases, here, folder, say: [here])
    ours = ["--output-dir", str(folder)]
    assert run.main([*ours, "--report-only"]) in (0, 1)
    assert (folder / "README.md").is_file() and (folder / "results.csv").is_file()
    said = capsys.readouterr().err
    left_out = (folder / RECORDS).read_text().count("\n") - len(read_records(folder / RECORDS, check).records)
    assert (f": {left_out} lines are not records and were left out; line " in said) is bool(left_out)
    assert run.main([*ours, "--models", "resnet18", "--metrics", "params"]) in (0, 1)
    assert compare.main([str(sound), str(folder)]) in (0, 2)
    assert compare.main([str(folder), str(sound), "--json"]) in (0, 2)
    said += capsys.readouterr().err
    assert "Traceback" not in said and "no page" not in said and "no report" not in said


def test_no_changed_value_costs_more_than_its_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Pictures are made, and drawn by the slow one alone."""
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", lambda figure, *_, **__: None)
    wanted = ("resnet18", "nin", "alexnet")
    records = [each for each in shipped() if each["case"]["model"] in wanted]
    sound = written(tmp_path / "sound", records, 0, 0)
    odd = written(tmp_path / "odd", (records * 200)[:200], 200, 1)
    takes_them(odd, sound, monkeypatch, capsys)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_two_thousand_changed_values(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    records = shipped()
    odd = written(tmp_path / "odd", records, min(500, len(records)), seed)
    takes_them(odd, REFERENCE, monkeypatch, capsys)


LATENCY = Case(metric="latency", model="resnet18", num_threads=1)
ANSWERS = {"labels": pack([0, 1]), "answers": pack([[0, 1], [1, 0]]), "fingerprint": "f"}
TRAINED = Case(metric="accuracy", model="resnet18", dataset="fashion_mnist", recipe="sample", epochs=1)


@pytest.mark.parametrize(
    ("case", "name", "details", "wrong"),
    [
        (LATENCY, "latency_s", {"n_rounds": "seven"}, "n_rounds"),
        (LATENCY, "latency_s", {"apart_rounds": [1, None]}, "apart_rounds"),
        (LATENCY, "latency_s", {"drift": {"range": "wide"}}, "drift"),
        (LATENCY, "latency_s", {"p99_s": []}, "p99_s"),
        (TRAINED, "top1", {"curve": [{"epoch": 1}]}, "curve"),
        (TRAINED, "top1", {"recipe": {"img_size": "40"}}, "recipe"),
        (TRAINED, "top1", ANSWERS | {"answers": {"shape": [3, 5], "zlib_uint16_base64": "!"}}, "answers"),
        (TRAINED, "top1", ANSWERS | {"labels": {"shape": [1 << 40], "zlib_uint16_base64": ""}}, "labels"),
        (Case(metric="rows", model="nin"), "rows", {"rows": [{"name": "conv1"}], "kinds": {}}, "rows"),
        (Case(metric="layers", model="nin"), "row:conv1", {"place": 0}, "mult_adds"),
        (Case(metric="mult_adds", model="nin"), "mult_adds", {"others": {"fvcore": []}}, "others"),
    ],
)
def test_details_are_what_their_metric_writes(case: Case, name: str, details: dict[str, Any], wrong: str) -> None:
    found = Measurement(name=name, value=1.0, unit="fraction", details=details)
    with pytest.raises(RecordError, match=f"'{wrong}' of {name} of {case.model} is not what {case.metric} writes"):
        check(Record(case=case, status="ok", measurements=(found,)))


@pytest.mark.parametrize(
    "unknown", [{"metric": "beauty"}, {"model": "resnet17"}, {"model": "vgg16:width=2"}, {"runtime": "abacus"},
                {"dataset": "mnist_3d"}, {"recipe": "sample:sugar=2"}]
)  # fmt: skip
def test_what_this_version_does_not_know_is_left_out_of_every_page(unknown: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / RECORDS).write_text("".join(
        Record(case=Case(**{"metric": "params", "model": "nin"} | each), status="failed").to_json() + "\n"
        for each in ({}, unknown)
    ))  # fmt: skip
    found = read_records(tmp_path / RECORDS, check)
    assert [each.case.model for each in found.records] == ["nin"]
    assert "line 2: nothing this version knows" in found.notices[0]


def test_a_last_line_without_its_end_is_kept_though_it_cannot_be_used(tmp_path: Path) -> None:
    whole = Record(case=Case(metric="beauty", model="nin"), status="failed").to_json().encode()
    (tmp_path / RECORDS).write_bytes(whole)
    found = read_records(tmp_path / RECORDS, check)
    assert (found.records, found.content) == ((), whole)


def test_every_shipped_record_is_as_its_metric_says() -> None:
    found = read_records(REFERENCE / RECORDS, check)
    assert not found.notices
    named = {(each.case.metric, found.name) for each in found.records for found in each.measurements if found.details}
    for metric, measurement in named:
        assert METRICS[metric].details or measurement in ("activations", "peak_rss_bytes"), (metric, measurement)
