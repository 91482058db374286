"""Whether one network is better than another for some images."""

from __future__ import annotations

import dataclasses

import pytest

from benchmarks.records.record import Measurement, Record
from benchmarks.report.joining import join
from benchmarks.report.own.candidates import Candidate, trials
from benchmarks.report.own.comparing import apart, rank
from tests.benchmarks.report.own.made import tried


def candidates(*records: Record) -> dict[str, Candidate]:
    (trial,) = trials(join(records))
    return {each.name: each for each in (*trial.weighted, *trial.scratch)}


def differ(*records: Record, metric: str = "top1") -> bool:
    one, other = candidates(*records).values()
    assert apart(one, other, metric) == apart(other, one, metric)
    return apart(one, other, metric)


def test_images_that_only_one_has_right_decide() -> None:
    """Six images of sixty: all six one's own, or as many the other's."""
    assert differ(tried("resnet18", (18, 18, 18)), tried("vgg11", (16, 16, 16)))
    assert not differ(tried("resnet18", (18, 18, 18)), tried("vgg11", (16, 16, 16), first=5))


def test_without_the_same_images_both_count_as_independent() -> None:
    other = {"details": {"fingerprint": "others"}}
    assert not differ(tried("resnet18", (18, 18, 18)), tried("vgg11", (16, 16, 16), **other))  # type: ignore[arg-type]
    assert differ(tried("resnet18", (18, 18, 18)), tried("vgg11", (9, 9, 9), **other))  # type: ignore[arg-type]


@pytest.mark.parametrize(("spread", "expected"), [(0, True), (4, False)])
def test_seeds_must_agree(spread: int, expected: bool) -> None:
    """Three seeds, each of which is four images a class better; or one of which is, by far."""
    better = [tried("resnet18", (16 + (seed - 1) * spread // 2,) * 3, seed=seed) for seed in range(3)]
    worse = [tried("vgg11", (12 - (seed - 1) * spread // 2,) * 3, seed=seed) for seed in range(3)]
    assert differ(*better, *worse) == expected


def test_two_seeds_that_agree_do_not_outweigh_few_images() -> None:
    """However alike the seeds are, one image of sixty may be another the next time."""
    records = [
        tried(model, (15, 15, hits), seed=seed) for seed in range(3) for model, hits in (("nin", 15), ("vgg11", 16))
    ]
    assert not differ(*records)


def test_balanced_accuracy_weighs_classes_and_not_images() -> None:
    counts = {"counts": (200, 20, 20)}
    one = tried("resnet18", (150, 18, 18), **counts)  # type: ignore[arg-type]
    other = tried("vgg11", (150, 9, 9), **counts)  # type: ignore[arg-type]
    assert differ(one, other, metric="balanced")
    rare = tried("vgg11", (140, 16, 16), **counts)  # type: ignore[arg-type]
    common = tried("resnet18", (152, 10, 10), **counts)  # type: ignore[arg-type]
    assert differ(common, rare, metric="balanced") and not differ(common, rare)
    same = tried("vgg11", (160, 18, 18), **counts)  # type: ignore[arg-type]
    assert differ(one, same) and rank(tuple(candidates(one, same).values()), "balanced").ordered[0].name == "vgg11"


def test_a_network_does_not_differ_from_itself() -> None:
    assert not differ(tried("resnet18", (18, 18, 18)), tried("vgg11", (18, 18, 18)))


def test_answers_that_cannot_be_read_are_no_answers() -> None:
    damaged = {"details": {"labels": {"shape": [2], "zlib_uint16_base64": "x"}}}
    found = candidates(tried("resnet18", (18, 18, 18)), tried("vgg11", (2, 2, 2), **damaged))  # type: ignore[arg-type]
    assert found["vgg11"].answers() == []
    assert apart(found["resnet18"], found["vgg11"], "top1")


def test_the_interval_of_a_share_stays_one() -> None:
    records = [tried("resnet18", (20, 20, 20 - seed), seed=seed) for seed in range(2)]
    found = candidates(*records)["resnet18"].interval("top1")
    assert found is not None and 0 <= found.low <= found.value <= found.high == 1


def test_what_failed_is_no_candidate() -> None:
    failed = dataclasses.replace(tried("nin", (1, 1, 1)), status="failed", measurements=())
    bare = dataclasses.replace(
        tried("alexnet", (1, 1, 1)), measurements=(Measurement(name="top1", value=0.5, unit="fraction"),)
    )
    assert list(candidates(tried("resnet18", (18, 18, 18)), failed, bare)) == ["resnet18"]
