"""What a run leaves: pages of one machine, with another's accuracies only whole and only where it says so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.records.environment import read_machines, write_environment
from benchmarks.records.record import Case, Environment, Measurement, Record
from benchmarks.report import publish as publishing
from benchmarks.report.publish import publish, publish_all
from benchmarks.studies import STUDIES
from benchmarks.studies.study import Study

HERE = Environment(machine={"cpu": "CPU <here>", "cores": 2}, software={}, command="python -m benchmarks.run")
THERE = Environment(machine={"cpu": "CPU there", "cores": 2, "caches": {"L2": "1024K"}}, software={})


def latency(model: str) -> Record:
    times = tuple(0.01 + 0.001 * number for number in range(8))
    found = Measurement(name="latency_s", value=0.01, unit="s", low=0.01, high=0.02, samples=times, rounds=range(8))  # type: ignore[arg-type]
    return Record(case=Case(metric="latency", model=model, img_size=224), status="ok", measurements=(found,),
                  machine=HERE.machine_id, started="2026-01-01T00:00:00+00:00")  # fmt: skip


def accuracy(model: str, top1: float, machine: Environment, seed: int = 0) -> Record:
    case = Case(metric="accuracy", model=model, img_size=40, dataset="fashion_mnist", epochs=3, train_images=6000,
                seed=seed)  # fmt: skip
    found = Measurement(name="top1", value=top1, unit="fraction", low=top1 - 0.01, high=top1 + 0.01)
    return Record(case=case, status="ok", measurements=(found,), machine=machine.machine_id,
                  started="2026-01-01T00:00:00+00:00")  # fmt: skip


def column(folder: Path) -> dict[str, float]:
    frame = pd.read_csv(folder / "results.csv")
    return dict(frame[frame["top1"].notna()].set_index("model")["top1"])


ELSEWHERE = [accuracy("resnet18", 0.9, THERE), accuracy("alexnet", 0.8, THERE)]
TIMED = [latency("resnet18"), latency("alexnet")]


def test_accuracies_of_the_machine_that_has_more_stand_where_none_were_asked(tmp_path: Path) -> None:
    write_environment(THERE, tmp_path)
    records = [*TIMED, *(accuracy("resnet18", 0.7, HERE, seed=seed) for seed in range(3))]
    publish(records, HERE, tmp_path, cases=[record.case for record in TIMED], elsewhere=ELSEWHERE)
    assert column(tmp_path) == {"resnet18": pytest.approx(90.0), "alexnet": pytest.approx(80.0)}
    page = (tmp_path / "README.md").read_text()
    assert "All accuracies were trained on another one, CPU there, 2 processors (L2 1024K)," in page
    assert "machines. They share no column" not in page


def test_accuracies_asked_for_are_this_machine_s_own(tmp_path: Path) -> None:
    mine = accuracy("resnet18", 0.7, HERE)
    publish([*TIMED, mine], HERE, tmp_path, cases=[mine.case], elsewhere=ELSEWHERE)
    assert column(tmp_path) == {"resnet18": pytest.approx(70.0)}
    assert "another one" not in (tmp_path / "README.md").read_text()


def test_of_two_machines_with_as_many_accuracies_this_one_counts(tmp_path: Path) -> None:
    mine = [accuracy("resnet18", 0.7, HERE), accuracy("alexnet", 0.6, HERE)]
    publish([*TIMED, *mine], HERE, tmp_path, elsewhere=ELSEWHERE)
    assert column(tmp_path) == {"resnet18": pytest.approx(70.0), "alexnet": pytest.approx(60.0)}


def test_a_variant_that_a_study_trained_is_no_row_of_the_comparison(tmp_path: Path) -> None:
    publish([*TIMED, accuracy("resnet18:shortcut=none", 0.5, HERE)], HERE, tmp_path)
    page = (tmp_path / "README.md").read_text()
    assert "# Which network? 2 models" in page and "shortcut=none" not in page
    assert "resnet18:shortcut=none" in column(tmp_path)


def counted(model: str) -> Record:
    found = Measurement(name="param_count", value=1e6, unit="count")
    return Record(case=Case(metric="params", model=model), status="ok", measurements=(found,), machine=HERE.machine_id)


@pytest.mark.parametrize(
    ("measured", "models"),
    [
        ([latency("vgg16:head=conv1x1")], 2),  # timed for a study
        ([counted("vgg16:head=conv1x1")], 2),  # counted for a grid
        ([latency("vgg16:head=conv1x1"), counted("vgg16:head=conv1x1")], 3),
    ],
)
def test_a_variant_is_compared_once_as_much_is_known_of_it(tmp_path: Path, measured: list[Record], models: int) -> None:
    records = [*TIMED, counted("resnet18"), counted("alexnet"), *measured]
    publish(records, HERE, tmp_path)
    assert f"# Which network? {models} models" in (tmp_path / "README.md").read_text()
    publish(records, HERE, tmp_path, asked=("vgg16:head=conv1x1",))
    assert "# Which network? 3 models" in (tmp_path / "README.md").read_text()


def test_a_grid_that_a_study_timed_stays_out_of_the_comparison(tmp_path: Path) -> None:
    memory = [Record(case=Case(metric="memory", model=model), status="ok", machine=HERE.machine_id)
              for model in ("resnet18", "alexnet")]  # fmt: skip
    thin = "mobilenet_v1:width=0.5"
    publish([*TIMED, *map(counted, ("resnet18", "alexnet", thin)), *memory, latency(thin)], HERE, tmp_path)
    assert "# Which network? 2 models" in (tmp_path / "README.md").read_text()


def test_variants_by_themselves_are_compared(tmp_path: Path) -> None:
    publish([counted("mobilenet_v1:width=0.5"), counted("mobilenet_v1:width=0.25")], HERE, tmp_path)
    assert "# Which network? 2 models" in (tmp_path / "README.md").read_text()


def test_machines_of_earlier_records_stay_known(tmp_path: Path) -> None:
    for environment in (THERE, HERE, HERE):
        write_environment(environment, tmp_path)
    known = read_machines(tmp_path)
    assert {name: facts["cpu"] for name, facts in known.items()} == {
        THERE.machine_id: "CPU there", HERE.machine_id: "CPU <here>",
    }  # fmt: skip


def test_a_broken_study_costs_no_other_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def write(study: Study, *_arguments: object) -> None:
        if study.name == "residual":
            raise KeyError("no arm has this title")
        (tmp_path / "studies").mkdir(exist_ok=True)
        (tmp_path / "studies" / f"{study.name}.md").write_text(f"# {study.question}\n\nYes.\n")

    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "residual.md").write_text("# Earlier\n\nStill here.\n")
    monkeypatch.setattr(publishing, "write_study", write)
    publish(TIMED, HERE, tmp_path)
    said = capsys.readouterr().err
    assert said == "study residual: no page: KeyError: 'no arm has this title'\n"
    assert len(list((tmp_path / "studies").glob("*.md"))) == len(STUDIES)
    assert "[Earlier](studies/residual.md): Still here." in (tmp_path / "details.md").read_text()


def test_every_kind_of_machine_has_a_page_a_table_and_pictures_of_its_own(tmp_path: Path) -> None:
    slower = [replace(each, value=0.02, low=0.02, high=0.03, samples=tuple(2 * time for time in each.samples))
              for record in TIMED for each in record.measurements]  # fmt: skip
    theirs = [replace(record, machine=THERE.machine_id, measurements=(each,))
              for record, each in zip(TIMED, slower, strict=True)]  # fmt: skip
    trained = replace(accuracy("resnet18", 0.7, HERE), where={"node": "1a2b3c4d"})
    found, machines = [*TIMED, *theirs, trained], [HERE, THERE]
    publish_all(found, machines, tmp_path, anywhere=lambda case: case.metric == "accuracy")
    below = tmp_path / "machines" / THERE.machine_id
    here, there = (set(pd.read_csv(folder / "results.csv")["latency_ms_p50"].dropna()) for folder in (tmp_path, below))
    assert here and there and not here & there
    assert "CPU there" in (below / "README.md").read_text() and "CPU &lt;here" not in (below / "README.md").read_text()
    assert column(below) == column(tmp_path) == {"resnet18": pytest.approx(70.0)}
    said = "".join(path.read_text() for path in below.glob("*.md"))
    assert "trained on host 1a2b3c4d, another kind of machine" in said.replace("\\", "")
    assert f"machines/{THERE.machine_id}/README.md" in "".join(path.read_text() for path in tmp_path.glob("*.md"))
    assert (below / "figures").is_dir()
    publish_all(found, machines, tmp_path, anywhere=lambda case: case.metric == "accuracy")  # over its own
