"""Which records count, and how cases are named apart."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.measure.basis import code_of
from benchmarks.records.naming import WORDS, conditions_of, names_of
from benchmarks.records.record import Case, Record
from benchmarks.records.standing import counting, stale_reason

CASE = Case(metric="latency", model="resnet18", img_size=224, num_threads=2)
RECORD = Record(case=CASE, status="ok", machine="here", code="now")
OTHERS = {
    "runtime": "packed", "device": "cuda", "precision": "bf16", "img_size": 192, "batch_size": 8, "num_threads": 1,
    "weights": "imagenet", "dataset": "imagenet", "recipe": "sample", "epochs": 3, "train_images": 60,
    "train_img_size": 40, "train_threads": 1, "train_processes": 2, "seed": 7, "settings": (("repeat", 2),),
    "effort": (("max_time", 9.0),),
}  # fmt: skip


def test_records_of_another_machine_code_or_model_are_stale() -> None:
    assert stale_reason(RECORD, "here", lambda case: "now") is None
    assert "machine" in (stale_reason(RECORD, "there", lambda case: "now") or "")
    assert "code" in (stale_reason(RECORD, "here", lambda case: "later") or "")
    for unknown in ({"model": "resnet17"}, {"metric": "beauty"}, {"runtime": "abacus"}, {"model": "vgg16:width=2"}):
        other = dataclasses.replace(RECORD, case=dataclasses.replace(CASE, **unknown))
        assert "know" in (stale_reason(other, "here", code_of) or "")


def test_of_one_question_the_asked_effort_counts_else_the_last() -> None:
    short, long = (
        dataclasses.replace(RECORD, case=dataclasses.replace(CASE, effort=(("max_time", seconds),)))
        for seconds in (1.0, 9.0)
    )
    assert counting([short, long]) == [long]
    assert counting([short, long], [short.case]) == [short]
    again = dataclasses.replace(short, status="failed")
    assert counting([short, again]) == [again]
    elsewhere = dataclasses.replace(long, machine="there")
    assert counting([short, elsewhere]) == [short, elsewhere]


@pytest.mark.parametrize("name", OTHERS)
def test_every_field_makes_another_question_and_another_name(name: str) -> None:
    other = dataclasses.replace(CASE, **{name: OTHERS[name]})
    assert other != CASE
    assert len(counting([RECORD, dataclasses.replace(RECORD, case=other)])) == (1 if name == "effort" else 2)
    names = names_of([CASE, other])
    assert len(set(names.values())) == 2
    assert conditions_of(other, [name])[0] in names[other]


def test_every_field_of_a_case_is_said() -> None:
    fields = {field.name for field in dataclasses.fields(Case)}
    assert set(WORDS) == fields - {"metric", "model", "data_dir", "weights_path"}
    assert set(OTHERS) == set(WORDS) - {"data"}


def test_names_hold_what_differs_and_nothing_else() -> None:
    slow, other = dataclasses.replace(CASE, num_threads=1), dataclasses.replace(CASE, model="vgg16")
    assert list(names_of([CASE, other]).values()) == ["latency resnet18", "latency vgg16"]
    assert list(names_of([CASE, slow]).values()) == ["latency resnet18 2 threads", "latency resnet18 1 thread"]


def test_a_seed_is_said_where_something_is_drawn() -> None:
    assert conditions_of(dataclasses.replace(CASE, recipe="sample"), ["seed"]) == ["seed 0"]
    assert conditions_of(dataclasses.replace(CASE, weights="imagenet"), ["seed"]) == []


def test_two_folders_of_one_name_are_told_apart() -> None:
    tested = Case(metric="accuracy", model="resnet18", dataset="imagenet", data="0123456789abcdef", data_dir="photos")
    changed = dataclasses.replace(tested, data="fedcba9876543210")
    assert len(set(names_of([tested, changed]).values())) == 2
    moved = dataclasses.replace(tested, data_dir="elsewhere/photos")
    assert moved == tested and len(names_of([tested, moved])) == 1


@settings(deadline=None)
@given(st.lists(st.builds(Case, metric=st.sampled_from(["latency", "params"]), model=st.sampled_from(["a", "b"]),
                          batch_size=st.integers(1, 3), seed=st.integers(0, 2), data=st.sampled_from(["", "x", "y"]),
                          weights=st.sampled_from(["", "w"]))))  # fmt: skip
def test_no_two_cases_share_a_name(cases: list[Case]) -> None:
    named = names_of(cases)
    assert set(named) == set(cases)
    assert len(set(named.values())) == len(named)
