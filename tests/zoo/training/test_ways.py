"""Ways to run a training: in mixed precision, compiled, on a GPU."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

import zoo
from tests.zoo.training.small import three_colours
from zoo.training.devices import held_after, named_device, random_states, set_random_states, synchronize
from zoo.training.norms import synchronized
from zoo.training.processes import Team
from zoo.training.recipes import recipe

CHOSEN = recipe("finetune", epochs=3, batch_size=8, head_epochs=1)
gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")


def trained(path: Path, device: str = "cpu", **options: object) -> zoo.Training:
    torch.manual_seed(0)
    model = zoo.create("mobilenet_v1:shallow=true,width=0.1", num_classes=3, device=device)
    return zoo.train(model, three_colours(24, 9, img_size=32), CHOSEN, output_dir=path, workers=0, **options)  # type: ignore[arg-type]


@pytest.mark.slow
def test_compiled_steps_train_as_others_do(tmp_path: Path) -> None:
    plain, compiled = trained(tmp_path / "plain"), trained(tmp_path / "compiled", compile=True)
    for one, other in zip(plain.curve, compiled.curve, strict=True):
        assert other.loss == pytest.approx(one.loss, rel=0.02)
    assert compiled.best is not None and zoo.load(compiled.best).spec.name == "mobilenet_v1"


@pytest.mark.gpu
@gpu
@pytest.mark.parametrize("options", [{}, {"precision": "bf16"}, {"precision": "fp16"}, {"compile": True}], ids=str)
def test_a_gpu_learns_what_a_processor_does_and_the_file_answers_as_recorded(
    tmp_path: Path, options: dict[str, object]
) -> None:
    here, there = trained(tmp_path / "cpu"), trained(tmp_path / "cuda", named_device("auto"), **options)
    assert there.curve[0].loss == pytest.approx(here.curve[0].loss, rel=0.05)
    assert there.best is not None
    found = zoo.evaluate(zoo.load(there.best, device="cuda"), three_colours(24, 9, img_size=32))
    assert found.correct == there.evaluation.correct


@pytest.mark.parametrize("name", ["gpu7", "cuda:99", ""])
def test_a_device_that_is_none_is_refused_in_one_line(name: str) -> None:
    with pytest.raises(zoo.InvalidOption) as refused:
        named_device(name, Team(size=2, local_size=2))
    assert len(str(refused.value)) <= 300


class Apple:
    """What PyTorch has of a GPU of Apple's, for machines that have none."""

    def __init__(self) -> None:
        self.waits, self.state = 0, torch.zeros(1, dtype=torch.uint8)

    def synchronize(self) -> None:
        self.waits += 1

    def current_allocated_memory(self) -> int:
        return 5

    def driver_allocated_memory(self) -> int:
        return 7

    def get_rng_state(self) -> torch.Tensor:
        return self.state

    def set_rng_state(self, state: torch.Tensor) -> None:
        self.state = state


def test_a_gpu_of_apples_is_found_waited_for_and_asked_for_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(zoo.InvalidOption, match="no GPU of Apple's here; got 'mps'; try --device cpu"):
        named_device("mps")
    apple = Apple()
    monkeypatch.setattr(torch, "mps", apple)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert (named_device("auto"), named_device("mps"), named_device("cpu")) == ("mps", "mps", "cpu")
    for device in ("mps", torch.device("mps"), "cpu", torch.device("cpu")):
        synchronize(device)
    assert apple.waits == 2
    assert held_after("mps", list) == {"allocated": 5, "reserved": 7} and held_after("cpu", list) == {}
    before = random_states()
    number, apple.state = torch.rand(1), torch.ones(1, dtype=torch.uint8)
    set_random_states(*before)
    assert torch.equal(torch.rand(1), number) and apple.state.item() == 0


def test_norms_that_were_synchronised_are_what_they_were() -> None:
    model = zoo.create("mobilenet_v1:shallow=true,width=0.1", num_classes=3)
    before = {name: id(each) for name, each in model.state_dict(keep_vars=True).items()}
    kinds = [type(layer) for layer in model.modules()]
    with synchronized(model):
        assert any(isinstance(layer, nn.SyncBatchNorm) for layer in model.modules())
    assert [type(layer) for layer in model.modules()] == kinds
    assert {name: id(each) for name, each in model.state_dict(keep_vars=True).items()} == before


def test_without_several_gpus_norms_stay_apart_which_is_said(tmp_path: Path) -> None:
    notes: list[str] = []
    trained(tmp_path / "run", sync_bn=True, on_note=notes.append)
    assert sum("norms are synchronised" in note for note in notes) == 1
