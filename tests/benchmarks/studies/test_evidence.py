"""What a study may use of the records, and the verdicts on them."""

from __future__ import annotations

import dataclasses

import pytest

from benchmarks.records.record import Case, Measurement, Record
from benchmarks.report.studies.pictures import DRAW
from benchmarks.report.studies.views import data_of
from benchmarks.stats.intervals import Interval
from benchmarks.stats.means import mean_of
from benchmarks.studies.claims import (
    as_accurate,
    at_least,
    judge_differences,
    more_accurate,
    no_slower,
    slower,
    time_follows_work,
)
from benchmarks.studies.evidence import Evidence
from benchmarks.studies.finding import Finding
from benchmarks.studies.study import Picture
from tests.benchmarks.studies.made import (
    ALONE,
    HERE,
    ONE,
    OTHER,
    STUDY,
    THERE,
    WITHOUT,
    passes,
    seen,
    tables_of,
    timed,
    trained,
)


def test_a_difference_that_clears_its_interval() -> None:
    assert judge_differences([0.02, 0.021, 0.019]).status == "supported"
    assert judge_differences([-0.02, -0.021, -0.019]).status == "contradicted"
    assert "3 seeds" in judge_differences([0.02, 0.021, 0.019]).words


def test_a_difference_inside_its_interval_is_too_noisy_and_nothing_is_promised() -> None:
    verdict = judge_differences([0.03, -0.01, 0.02])
    assert verdict.status == "too noisy" and verdict.words == "+1.33 points of top-1 (-3.84 to +6.50, 3 seeds)"


def test_one_seed_is_not_enough() -> None:
    assert judge_differences([0.5]).status == "open"
    assert judge_differences([]).status == "open"


def test_a_margin_moves_the_threshold() -> None:
    differences = [-0.005, -0.006, -0.004]
    assert judge_differences(differences).status == "contradicted"
    assert judge_differences(differences, by=-0.011).status == "supported"


def test_differences_are_paired_by_seed() -> None:
    records = [trained("resnet18", seed, 0.5 + 0.1 * seed) for seed in (0, 1, 2)]
    records += [trained("resnet34", seed, 0.49 + 0.1 * seed + 0.001 * seed) for seed in (2, 1, 0, 3)]
    assert seen(*records).differences(ONE, OTHER) == pytest.approx([0.01, 0.009, 0.008])
    assert more_accurate("one", "other")(seen(*records)).status == "supported"
    assert more_accurate("other", "one")(seen(*records)).status == "contradicted"


def test_trainings_under_other_conditions_are_not_compared() -> None:
    short = [trained("resnet18", seed, 0.9, epochs=1) for seed in (0, 1)]
    long = [trained("resnet34", seed, 0.5) for seed in (0, 1)]
    assert more_accurate("one", "other")(seen(*short, *long)).status == "open"
    both = [*short, *long, *(trained("resnet18", seed, 0.4) for seed in (0, 1))]
    assert seen(*both).differences(ONE, OTHER) == pytest.approx([-0.1, -0.1])


@pytest.mark.parametrize("changes", [{"data": "other images"}, {"train_img_size": 32}, {"precision": "bf16"}])
def test_every_condition_keeps_trainings_apart_but_the_threads(changes: dict[str, object]) -> None:
    here = [trained("resnet18", seed, 0.9) for seed in (0, 1)]
    assert seen(*here, *(trained("resnet34", seed, 0.5, **changes) for seed in (0, 1))).differences(ONE, OTHER) == []
    threads = [trained("resnet34", seed, 0.5, train_threads=8) for seed in (0, 1)]
    assert seen(*here, *threads).differences(ONE, OTHER) == pytest.approx([0.4, 0.4])


def test_trainings_of_two_machines_are_not_compared() -> None:
    here = [trained("resnet18", seed, 0.9) for seed in (0, 1, 2)]
    there = [trained("resnet34", seed, 0.5, machine=THERE) for seed in (0, 1, 2)]
    assert seen(*here, *there).differences(ONE, OTHER) == []
    there += [trained("resnet18", seed, 0.4, machine=THERE) for seed in (0, 1)]
    assert seen(*here, *there).differences(ONE, OTHER) == pytest.approx([-0.1, -0.1])


def test_seeds_of_two_machines_add_up() -> None:
    here = [trained(arm.model, seed, top1) for arm, top1 in ((ONE, 0.9), (OTHER, 0.8)) for seed in (0, 1)]
    there = [
        trained(arm.model, seed, top1, machine=THERE) for arm, top1 in ((ONE, 0.7), (OTHER, 0.5)) for seed in (1, 2, 3)
    ]
    evidence = seen(*here, *there)
    assert evidence.differences(ONE, OTHER) == pytest.approx([0.1, 0.1, 0.2, 0.2])  # of equals the first
    mean = evidence.accuracy(ONE)
    assert mean is not None and (mean.value, mean.count) == (pytest.approx(0.8), 4)
    assert {record.machine for record in evidence.training_records()} == {HERE.machine_id, THERE.machine_id}


def test_a_varied_recipe_belongs_to_its_own_arm() -> None:
    evidence = seen(trained("resnet18", 0, 0.7), trained("resnet18", 0, 0.6, recipe=WITHOUT))
    assert evidence.differences(ONE, ALONE) == pytest.approx([0.1])
    mean = evidence.accuracy(ONE)
    assert mean is not None and (mean.value, mean.low, mean.count) == (0.7, None, 1)


def test_the_next_seed_is_the_first_that_some_variant_lacks() -> None:
    def following(*records: object) -> int:
        return Evidence((ONE, OTHER), records).next_seed(STUDY.seeds)  # type: ignore[arg-type]

    records = [trained(arm.model, seed, 0.5) for arm in (ONE, OTHER) for seed in (0, 1, 2)]
    assert following() == following(*records) == 3
    records += [trained("resnet18", seed, 0.5) for seed in (3, 4)]
    assert following(*records) == 3
    assert following(*records, trained("resnet34", 3, 0.5)) == 4


def test_trainings_of_arms_that_are_not_trained_are_another_studys() -> None:
    arms = (ONE, dataclasses.replace(OTHER, trained=False))
    evidence = Evidence(arms, [trained("resnet18", 0, 0.9), trained("resnet34", 0, 0.8)])
    assert [record.case.model for record in evidence.training_records()] == ["resnet18"]


def test_what_an_accuracy_costs_is_counted_at_its_own_size(counted: list[Record]) -> None:
    def cost(size: int, count: float) -> Record:
        found = Measurement(name="mult_adds", value=count, unit="count")
        case = Case(metric="mult_adds", model="resnet18", img_size=size)
        return Record(case=case, status="ok", measurements=(found,))

    records = [cost(224, 1.8e9), cost(64, 1.5e8)]
    assert seen(*records).trained_cost(ONE) is None
    assert seen(*records, trained("resnet18", 0, 0.9)).trained_cost(ONE) == 1.5e8
    assert seen(records[0], trained("resnet18", 0, 0.9)).trained_cost(ONE) is None
    points = data_of(Picture("scatter", color="{title}"), Evidence((ONE,), [*records, trained("resnet18", 0, 0.9),
                                                                             *counted]))  # fmt: skip
    assert points is not None and [point["x"] for point in points["panels"][1]["points"]] == [150]
    assert [point["x"] for point in points["panels"][0]["points"]] == pytest.approx([1814.07], rel=1e-4)


@pytest.mark.parametrize(
    ("low", "high", "status"),
    [(0.91, 0.99, "supported"), (0.56, 0.94, "too noisy"), (0.3, 0.89, "contradicted")],
)
def test_a_threshold_is_held_against_the_interval(low: float, high: float, status: str) -> None:
    judge = at_least(
        0.9, "r {:.2f} ({:.2f} to {:.2f})", Finding(lambda evidence: Interval((low + high) / 2, low, high))
    )
    assert judge(seen()).status == status and f"({low:.2f} to {high:.2f})" in judge(seen()).words


def test_failed_trainings_do_not_count() -> None:
    records = [
        dataclasses.replace(trained("resnet18", seed, 0.7), status="failed", reason="diverged") for seed in (0, 1)
    ]
    assert seen(*records).accuracy(ONE) is None


def test_as_accurate_as() -> None:
    def judged(differences: list[float]) -> str:
        records = [trained("resnet18", seed, 0.5 + change) for seed, change in enumerate(differences)]
        records += [trained("resnet34", seed, 0.5) for seed in range(len(differences))]
        return as_accurate("one", "other", within=0.02)(seen(*records)).status

    assert judged([0.001, 0.002, 0.0]) == "supported"
    assert judged([0.05, 0.051, 0.049]) == "contradicted"
    assert judged([-0.05, -0.051, -0.049]) == "contradicted"
    assert judged([0.05, -0.05, 0.01]) == "too noisy"
    assert judged([]) == "open"


def test_speed_is_judged_over_common_rounds() -> None:
    def judged(one: list[float], other: list[float]) -> str:
        return no_slower("one", "other")(seen(timed("resnet18", one), timed("resnet34", other))).status

    assert judged([1.0] * 8, [2.0] * 8) == "supported"
    assert judged([2.0] * 8, [1.0] * 8) == "contradicted"
    assert judged([1.0, 2.0] * 4, [2.0, 1.0] * 4) == "too noisy"
    assert no_slower("one", "other")(seen()).status == "open"


def test_times_of_two_runs_compare_by_the_model_both_ran_beside() -> None:
    """What was written of the interval does not count: it is as wide as the rounds are restless."""
    steady, restless = [1.0, 1.02] * 6, [1.0, 3.0] * 6
    halved = timed("resnet18", steady, ratio=(0.5, 0.1, 9.0)), timed("resnet34", steady, "b", (1.0, 0.1, 9.0))
    verdict = no_slower("one", "other")(seen(*halved))
    assert verdict.status == "supported" and "0.50 times as long (0.49 to 0.51)" in verdict.words
    rough = halved[0], timed("resnet34", restless, "b", (1.0, 0.999, 1.001))
    assert no_slower("one", "other")(seen(*rough)).status == "too noisy"
    assert no_slower("one", "other")(seen(halved[0], timed("resnet34", [1.0], "b"))).status == "open"


def test_few_rounds_say_so() -> None:
    verdict = slower("one", "other")(seen(timed("resnet18", [2.0] * 7), timed("resnet34", [1.0] * 7)))
    assert verdict.status == "too noisy" and verdict.words == "2.00 times as long (too few rounds for an interval)"


def test_a_claim_of_time_needs_more_than_the_noise_floor() -> None:
    close = seen(timed("resnet18", [1.008] * 8), timed("resnet34", [1.0] * 8))
    assert slower("one", "other")(close).status == no_slower("one", "other")(close).status == "too noisy"


def test_slower_by_a_factor() -> None:
    evidence = seen(timed("resnet18", [3.0] * 8), timed("resnet34", [1.0] * 8))
    assert slower("one", "other")(evidence).status == "supported"
    assert slower("one", "other", times=2)(evidence).status == "supported"
    assert slower("one", "other", times=4)(evidence).status == "contradicted"


@pytest.mark.parametrize(("seconds", "status"), [(0.5, "supported"), (1.0, "contradicted"), (0.2, "contradicted")])
def test_time_follows_work(seconds: float, status: str) -> None:
    records = [timed("resnet18", [seconds] * 8), timed("resnet34", [1.0] * 8)]
    judge = time_follows_work("one", "other", within=0.2)  # 1.81 against 3.66 G multiply-adds
    assert judge(seen(*records)).status == "open"
    verdict = judge(seen(*records, *tables_of(STUDY)))
    assert verdict.status == status and "0.50 times the multiply-adds" in verdict.words


def test_times_are_those_of_the_condition_most_arms_were_timed_under() -> None:
    batch = dataclasses.replace(
        timed("resnet18", [5.0] * 8), case=Case(metric="latency", model="resnet18", batch_size=8)
    )
    found = seen(batch, timed("resnet18", [1.0] * 8), timed("resnet34", [2.0] * 8), batch).latency("resnet18")
    assert found is not None and found.value == 1.0


def test_the_share_of_the_time_that_some_rows_take() -> None:
    evidence = seen(passes("resnet18", conv1=0.001, conv2=0.002, head=0.001))
    share = evidence.time_share("resnet18", ("conv1", "head"))
    assert share is not None and (share.low, share.value, share.high) == (0.5, 0.5, 0.5)
    assert evidence.time_share("resnet34", ("conv1",)) is None
    data = data_of(Picture("rows", panels=(("one", ("one",)),)), evidence)
    assert data is not None
    assert [row["time"] for row in data["panels"][0]["rows"]] == [25, 50, 25]
    assert [row["rate"] for row in data["panels"][0]["rows"]] == pytest.approx([1.0, 0.5, 1.0])
    assert [text.get_text() for text in DRAW["rows"](data).axes[0].texts] == ["1.0", "0.50", "1.0"]


def test_the_interval_is_students() -> None:
    mean = mean_of([1.0, 2.0, 3.0])
    assert (mean.value, mean.count) == (2.0, 3)
    assert mean.low is not None and mean.high is not None
    assert Interval(mean.value, mean.low, mean.high).half_width == pytest.approx(4.3027 / 3**0.5 / 2, rel=1e-4)
