"""Trained files among the models, recipes and seeds, and weights that are not to be had."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks.plan import published
from benchmarks.plan.arguments import Request, parse
from benchmarks.plan.cases import plan
from benchmarks.plan.models import expand_models
from benchmarks.plan.published import absent_weights, treatment, with_reason
from benchmarks.records.naming import names_of
from benchmarks.records.record import Case, Record
from tests.benchmarks.photos import SMALL, folder, trained

CLASSES = ("cat", "dog", "red fox")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder(tmp_path_factory.mktemp("data") / "photos", {"train": 4, "val": 2})


def accuracies(request: Request) -> list[Case]:
    return [case for case in plan(request.options) if case.metric == "accuracy"]


def own(photos: Path, *typed: str) -> Request:
    return parse(["--dataset", "folder", "--data-dir", str(photos), "--metrics", "accuracy,latency", *typed])


# --- files ------------------------------------------------------------------------------------------------------------


def test_each_trained_file_is_a_row_of_its_own(photos: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        trained(tmp_path / "runs" / name / "best.safetensors", (*CLASSES, name), 48, as_option=False)
    request = own(photos, "--models", f"resnet18,{tmp_path}/runs/*/best.safetensors")
    cases = accuracies(request)
    model = "mobilenet_v1:width=0.25"
    assert [case.model for case in cases] == ["resnet18", model, model]
    assert len(set(cases)) == 3 and len({case.weights for case in cases}) == 3
    assert [case.recipe for case in cases] == ["scratch", "", ""]
    assert [case.img_size for case in cases] == [0, 48, 48]
    names = names_of(cases)
    assert "runs/one" in names[cases[1]] and "runs/two" in names[cases[2]]
    sizes = {case.model: case.img_size for case in plan(request.options) if case.metric == "latency"}
    assert sizes == {"resnet18": 224, model: 48}


def test_two_copies_of_one_file_are_one_row(photos: Path, tmp_path: Path) -> None:
    first = trained(tmp_path / "a.safetensors", CLASSES)
    (tmp_path / "b.safetensors").write_bytes(first.read_bytes())
    assert len(accuracies(own(photos, "--models", f"{tmp_path}/*.safetensors"))) == 1


@pytest.mark.parametrize(
    ("typed", "said"),
    [("runs/none/*.safetensors", "no file matches"), ("absent/best.safetensors", "is no file of weights"),
     ("plain.pth", "does not say which model"), ("torn.safetensors", "is damaged")],
)  # fmt: skip
def test_what_is_no_trained_file_is_refused_in_one_line(
    typed: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch

    monkeypatch.chdir(tmp_path)
    torch.save({"fc.weight": torch.zeros(2, 2)}, "plain.pth")
    Path("torn.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{}")
    with pytest.raises(SystemExit):
        parse(["--models", typed])
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1 and len(error) <= 301


# --- recipes and seeds ------------------------------------------------------------------------------------------------


def test_a_training_for_every_seed_and_one_time(photos: Path) -> None:
    request = own(photos, "--models", "resnet18", "--seeds", "0,3,0,1", "--recipe", "scratch:epochs=2")
    assert [case.seed for case in accuracies(request)] == [0, 3, 1]
    assert len([case for case in plan(request.options) if case.metric == "latency"]) == 1
    assert {case.epochs for case in accuracies(request)} == {2}
    assert own(photos, "--models", "resnet18", "--seeds", "7,0-2,1").options.seeds == (7, 0, 1, 2)


def test_presets_shorten_the_usual_training_only(photos: Path) -> None:
    (usual,) = accuracies(parse(["--quick", "--models", "resnet18", "--metrics", "accuracy"]))
    assert (usual.epochs, usual.train_images) == (1, 3000)
    (asked,) = accuracies(own(photos, "--quick", "--models", "resnet18"))
    assert (asked.recipe, asked.train_images) == ("scratch", 12)
    assert asked.epochs > 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--recipe", "finetun"], "did you mean finetune"),
        (["--recipe", "paper:epoch=1"], "no field 'epoch'"),
        (["--recipe", "scratch:epochs=x"], "whole number"),
        (["--seeds", "1,two"], "whole number"),
        (["--seeds", "2-0"], "a range of at most"),
        (["--seeds", "-3"], "whole number"),
        (["--metric", "latency"], "invalid choice: 'latency'"),
        (["--dataset", "folder"], "--data-dir"),
        (["--dataset", "folder", "--data-dir", "nowhere/photos"], "not there"),
    ],
)
def test_a_wrong_word_is_refused_in_one_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(arguments)
    error = capsys.readouterr().err
    assert ended.value.code == 2
    assert said in error and error.count("\n") == 1


# --- weights that are not to be had -----------------------------------------------------------------------------------


def test_without_published_weights_a_network_is_trained_from_scratch(photos: Path) -> None:
    request = own(photos, "--models", f"nin,{SMALL}", "--weights", "imagenet").settled(fetch=False)
    scratch, tuned = accuracies(request)
    assert (scratch.model, scratch.recipe, scratch.weights, scratch.weights_path) == ("nin", "scratch", "", "")
    assert (tuned.recipe, tuned.weights) == ("finetune", "imagenet")
    without = request.options.without
    assert "no published ImageNet weights" in without["nin"]
    assert "trained from scratch" in treatment(scratch, without) and "no published" in treatment(scratch, without)
    assert treatment(tuned, without).startswith(f"{SMALL}: fine-tuned from imagenet with recipe finetune")
    record = with_reason(Record(case=scratch, status="ok"), without)
    assert record.notes[0].startswith("trained from scratch, since its weights are not to be had here")
    assert with_reason(Record(case=tuned, status="ok"), without).notes == ()


def test_a_recipe_that_needs_no_weights_stays(photos: Path) -> None:
    request = own(photos, "--models", "nin", "--weights", "imagenet", "--recipe", "scratch:epochs=2")
    assert accuracies(request.settled(fetch=False))[0].recipe == "scratch:epochs=2"


def test_imagenet_itself_has_no_use_for_other_weights(tmp_path: Path) -> None:
    request = parse(["--models", "nin", "--metrics", "accuracy", "--weights", "imagenet"])
    assert request.settled(fetch=False) is request


def test_nobody_waits_twice_for_a_network_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import zoo

    tried = []

    def unreachable(spec: zoo.ModelSpec, weights: str) -> None:
        offline = os.environ.get("ZOO_OFFLINE") == "1"
        tried.append((spec.name, offline))
        reason = "ZOO_OFFLINE forbids the network" if offline else "the download failed: no route"
        raise zoo.WeightsError(f"{spec.name}.pth is not on this machine ({reason})") from OSError("no route")

    monkeypatch.setenv("ZOO_OFFLINE", "0")
    monkeypatch.setattr(published, "open_source", unreachable)
    reasons = published._fetched(["resnet18", "vgg11"], "imagenet")
    assert tried == [("resnet18", False), ("vgg11", True)]
    assert "no network answered" in reasons["vgg11"] and "ZOO_OFFLINE" not in reasons["vgg11"]


def test_what_is_here_is_found_without_a_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    monkeypatch.setenv("ZOO_WEIGHTS_DIR", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "hub"))
    assert "is not on this machine" in absent_weights(["resnet18"], "imagenet", fetch=True)["resnet18"]
    assert absent_weights(["resnet18"], "imagenet", fetch=False) == {}


# --- sweeps -----------------------------------------------------------------------------------------------------------


def test_options_are_swept_every_value_with_every_other_s() -> None:
    found = expand_models("mobilenet_v1:width=0.25|0.5,resolution=128|160,resnet18")
    pairs = [(resolution, width) for width in ("0.25", "0.5") for resolution in ("128", "160")]
    assert found == [*(f"mobilenet_v1:resolution={pixels},width={width}" for pixels, width in pairs), "resnet18"]
    assert expand_models("mobilenet_v1:width=1|0.5") == ["mobilenet_v1", "mobilenet_v1:width=0.5"]


def test_a_sweep_without_a_value_is_refused() -> None:
    with pytest.raises(ValueError, match="value on either side"):
        expand_models("mobilenet_v1:width=0.25|")
