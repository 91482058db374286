"""Auxiliary classifiers in wrappers that follow `forward`: several processes and several devices train as one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import distributed, multiprocessing, nn

import zoo
from zoo.training.auxiliary import WithAuxiliary

LABEL = "googlenet_2014:auxiliary=true"  # without batch norm, whose statistics each process takes of its own images
IMAGES = 4


def network() -> zoo.Classifier:
    torch.manual_seed(0)
    return zoo.create(LABEL, num_classes=3).eval()  # without dropout


def loss(module: nn.Module, places: range) -> torch.Tensor:
    images = torch.randn(IMAGES, 3, 64, 64, generator=torch.Generator().manual_seed(1))[places.start : places.stop]
    labels = torch.arange(IMAGES)[places.start : places.stop] % 3
    logits, *others = module(images)
    return sum(
        (nn.functional.cross_entropy(each, labels) * 0.3 for each in others),
        nn.functional.cross_entropy(logits, labels),
    )


def trained_in_part(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=2)
    model = network()
    wrapped = nn.parallel.DistributedDataParallel(WithAuxiliary(model))
    places = range(rank * IMAGES // 2, (rank + 1) * IMAGES // 2)
    for _step in range(2):  # at the second, DDP complains of parameters that got no gradient in the first
        model.zero_grad()
        loss(wrapped, places).backward()
    if rank == 0:
        torch.save([parameter.grad for parameter in model.parameters()], Path(folder) / "gradients.pt")
    distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_have_one_process_s_gradients(tmp_path: Path) -> None:
    multiprocessing.spawn(trained_in_part, (str(tmp_path),), nprocs=2)
    together = torch.load(tmp_path / "gradients.pt", weights_only=True)
    alone = network()
    loss(WithAuxiliary(alone), range(IMAGES)).backward()
    for (name, expected), found in zip(alone.named_parameters(), together, strict=True):
        assert expected.grad is not None, name
        torch.testing.assert_close(found, expected.grad, rtol=1e-4, atol=1e-6)


def test_the_network_is_inside_under_its_own_names() -> None:
    model = network()
    wrapped = WithAuxiliary(model)
    assert wrapped.model is model
    assert wrapped.state_dict().keys() == {f"model.{key}" for key in model.state_dict()}
    images = torch.randn(2, 3, 64, 64)
    for found, expected in zip(wrapped(images), model.forward_train(images), strict=True):
        assert torch.equal(found, expected)
    with pytest.raises(zoo.InputSizeError):
        wrapped(torch.randn(2, 1, 64, 64))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_data_parallel_gives_what_one_device_gives() -> None:
    model = network().cuda()
    images = torch.randn(IMAGES, 3, 64, 64, device="cuda")
    devices = list(range(torch.cuda.device_count()))
    for found, expected in zip(
        nn.DataParallel(WithAuxiliary(model), devices)(images), model.forward_train(images), strict=True
    ):
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)
