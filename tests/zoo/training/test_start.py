"""What a training starts with: tensors taken, the classifier, the input."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

import zoo
from tests.zoo.training.small import three_colours
from zoo.data import fashion_mnist
from zoo.training.recipes import recipe
from zoo.training.start import give_classes, pretrained, untrained

NAME = "mobilenet_v1:width=0.25"
FINETUNE = recipe("finetune")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of ten classes without names, of three with the data's in another order, and of three others."""
    folder = tmp_path_factory.mktemp("files")
    torch.manual_seed(0)
    for file, names in (("ten", None), ("same", ("green", "blue", "red")), ("other", ("cat", "dog", "cow"))):
        model = zoo.create(NAME, num_classes=3 if names else 10)
        model.class_names = names
        zoo.save_weights(model, folder / f"{file}.safetensors")
    return folder


def test_a_new_classifier_is_said_and_the_tensors_are_counted(files: Path) -> None:
    model, data, notes = pretrained(NAME, files / "ten.safetensors", three_colours(), FINETUNE, seed=0)
    total = len(model.state_dict())
    assert notes[0] == f"{total - 2} of {total} tensors taken; new classifier for 3 classes"
    assert model.class_names == data.class_names == ("red", "green", "blue")
    kept = zoo.load(files / "ten.safetensors").state_dict()
    same = [
        name
        for name, tensor in model.state_dict().items()
        if tensor.shape == kept[name].shape and torch.equal(tensor, kept[name])
    ]
    assert total - 2 == len(same)


def test_a_classifier_of_the_same_classes_goes_on_in_the_files_order(files: Path) -> None:
    model, data, notes = pretrained(None, files / "same.safetensors", three_colours(), FINETUNE, seed=0)
    total = len(model.state_dict())
    assert notes[0] == f"{total} of {total} tensors taken; the classifier goes on, its classes are the data's"
    assert data.class_names == ("green", "blue", "red")
    assert data.train is not None and data.train.labels[:3].tolist() == [2, 0, 1]
    assert torch.equal(
        model.head.state_dict()["conv.weight"]
        if "conv.weight" in model.head.state_dict()
        else next(iter(model.head.parameters())),
        next(iter(zoo.load(files / "same.safetensors").head.parameters())),
    )


def test_a_classifier_of_as_many_other_classes_is_new(files: Path) -> None:
    for seed in (0, 0):
        model, _, notes = pretrained(NAME, files / "other.safetensors", three_colours(), FINETUNE, seed=seed)
        assert "new classifier for 3 classes" in notes[0]
    again, _, _ = pretrained(NAME, files / "other.safetensors", three_colours(), FINETUNE, seed=0)
    other, _, _ = pretrained(NAME, files / "other.safetensors", three_colours(), FINETUNE, seed=1)
    first, same, different = (next(iter(each.head.parameters())) for each in (model, again, other))
    assert torch.equal(first, same) and not torch.equal(first, different)


def test_a_file_of_another_network_is_refused(files: Path) -> None:
    with pytest.raises(zoo.WeightsError):
        pretrained("resnet18", files / "ten.safetensors", three_colours(), FINETUNE, seed=0)


def test_untrained_networks_follow_the_seed_alone() -> None:
    spec, data = zoo.spec(NAME), three_colours()
    torch.manual_seed(3)
    first = untrained(spec, data, recipe("sample"), seed=5)
    following = torch.rand(1)
    torch.manual_seed(3)
    assert torch.equal(following, torch.rand(1))
    again, other = (untrained(spec, data, recipe("sample"), seed=seed) for seed in (5, 6))
    weights = [next(each.parameters()) for each in (first, again, other)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])
    assert first.class_names == data.class_names


def test_the_input_is_that_of_the_weights_or_of_the_data(files: Path) -> None:
    clothes = fashion_mnist.EMBEDDED.open("")
    from_scratch = untrained(zoo.spec(NAME), clothes, recipe("sample"), seed=0).spec.input
    assert (from_scratch.size, from_scratch.mean, from_scratch.std) == (40, (0.2844,) * 3, (0.3524,) * 3)
    on_weights, _, _ = pretrained(NAME, files / "ten.safetensors", clothes, FINETUNE, seed=0)
    assert on_weights.spec.input == zoo.load(files / "ten.safetensors").spec.input
    smaller, _, _ = pretrained(
        NAME, files / "ten.safetensors", dataclasses.replace(clothes, img_size=96), FINETUNE, seed=0
    )
    assert smaller.spec.input.size == 96
    assert smaller.spec.input.mean == on_weights.spec.input.mean


def test_a_network_that_names_no_classes_keeps_its_classifier_only_if_it_is_untrained() -> None:
    model = zoo.create(NAME, num_classes=3)
    weight = next(iter(model.head.parameters()))
    assert give_classes(model, three_colours(), trained=False)[1] is False
    assert next(iter(model.head.parameters())) is weight
    model.class_names = None
    assert give_classes(model, three_colours(), trained=True)[1] is True
    assert next(iter(model.head.parameters())) is not weight
