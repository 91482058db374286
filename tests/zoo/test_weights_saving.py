"""Whatever was done to a network, its file gives that network back, or is not written."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
import torch.distributed
from torch import nn
from torch.nn.utils import parametrizations, prune, spectral_norm, weight_norm

import zoo
from tests.zoo.weight_files import TINY, bits, logits, same, tiny
from zoo.weights.layout import apply_conventions, conventions_of

Change = Callable[[zoo.Classifier], nn.Module]


@pytest.fixture(scope="module")
def one_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A group of one process, which DistributedDataParallel wants."""
    store = torch.distributed.FileStore(str(tmp_path_factory.mktemp("store") / "store"), 1)
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


def first(model: zoo.Classifier) -> nn.Conv2d:
    layer = model.features.conv_1.conv
    assert isinstance(layer, nn.Conv2d)
    return layer


def _in_place(change: Callable[[zoo.Classifier], object]) -> Change:
    def changed(model: zoo.Classifier) -> nn.Module:
        change(model)
        return model

    return changed


def _wrapped_features(model: zoo.Classifier) -> nn.Module:
    model.features = nn.DataParallel(model.features)
    return model


def _trained_a_step(model: zoo.Classifier) -> nn.Module:
    """Pruned, and then moved by an optimizer: the weight that the layer holds is that of before the step."""
    prune.l1_unstructured(first(model), "weight", 0.5)
    with torch.no_grad():
        first(model).weight_orig += 1
    return model


def _other_head(model: zoo.Classifier) -> nn.Module:
    model.head.fc = nn.Linear(model.head.fc.in_features, 7)
    return model


COMES_BACK: dict[str, Change] = {
    "nothing": lambda model: model,
    "compiled": lambda model: torch.compile(model),
    "compiled in place": _in_place(lambda model: model.compile()),
    "data parallel": nn.DataParallel,
    "distributed": nn.parallel.DistributedDataParallel,
    "compiled and distributed": lambda model: torch.compile(nn.parallel.DistributedDataParallel(model)),
    "averaged": torch.optim.swa_utils.AveragedModel,
    "parallel features": _wrapped_features,
    "pruned": _in_place(lambda model: prune.random_unstructured(first(model), "weight", 0.5)),
    "pruned twice": _in_place(lambda model: [prune.ln_structured(first(model), "weight", 0.3, 2, 0),
                                             prune.random_unstructured(first(model), "weight", 0.3)]),
    "pruned and trained": _trained_a_step,
    "spectral norm": _in_place(lambda model: parametrizations.spectral_norm(first(model))),
    "weight norm": _in_place(lambda model: parametrizations.weight_norm(first(model))),
    "orthogonal": _in_place(lambda model: parametrizations.orthogonal(model.head.fc)),
    "spectral norm of old": _in_place(lambda model: spectral_norm(first(model))),
    "weight norm of old": _in_place(lambda model: weight_norm(first(model))),
    "synchronised": nn.SyncBatchNorm.convert_sync_batchnorm,
    "another head": _other_head,
    "reset": _in_place(lambda model: model.reset_classifier(9)),
    "no classifier": _in_place(lambda model: model.reset_classifier(0)),
    "half": lambda model: model.half(),
    "bfloat16": lambda model: model.bfloat16(),
    "channels last": lambda model: model.to(memory_format=torch.channels_last),
    "frozen": lambda model: model.requires_grad_(False),
    "without dropout": _in_place(lambda model: model.head.set_submodule("dropout", nn.Identity())),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "change",
    [pytest.param(name, marks=[pytest.mark.slow] if name == "compiled in place" else []) for name in COMES_BACK],
)
def test_it_comes_back(change: str, one_process: None, tmp_path: Path) -> None:
    torch.manual_seed(2)
    network = COMES_BACK[change](tiny()).eval()
    path = tmp_path / "model.safetensors"
    zoo.save_weights(network, path)
    again = zoo.load(path).eval()
    inside = network
    while not isinstance(inside, zoo.Classifier):
        inside = getattr(inside, "_orig_mod", getattr(inside, "module", None))
    assert again.num_classes == inside.num_classes
    type_ = next(network.parameters()).dtype
    if isinstance(inside.features, nn.DataParallel):
        inside.features = inside.features.module
    answers, expected = logits(again), logits(inside.float())
    torch.testing.assert_close(answers, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))
    if type_ != torch.float32:
        assert all(torch.equal(tensor.to(type_).float(), tensor) for tensor in again.parameters())
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def _quantized(model: zoo.Classifier) -> nn.Module:
    return torch.ao.quantization.quantize_dynamic(model, {nn.Linear})


def _observed(model: zoo.Classifier) -> nn.Module:
    model.qconfig = torch.ao.quantization.get_default_qconfig("fbgemm")
    return torch.ao.quantization.prepare(model)


REFUSED: dict[str, Change] = {
    "quantized": _quantized,
    "observed": _observed,
    "a larger head": _in_place(lambda model: setattr(model, "head", nn.Sequential(nn.Flatten(), nn.Linear(51, 3)))),
    "another activation": _in_place(lambda model: model.set_submodule("features.conv_1.act", nn.GELU())),
    "another stride": _in_place(lambda model: model.set_submodule(
        "features.conv_1.conv", nn.Conv2d(3, 1, 3, stride=1, padding=1, bias=False))),
    "one more layer": _in_place(lambda model: model.features.add_module("more", nn.Conv2d(51, 51, 1))),
    "one layer less": _in_place(lambda model: delattr(model.features, "pw_3")),
    "a bias": _in_place(lambda model: setattr(first(model), "bias", nn.Parameter(torch.zeros(1)))),
    "a subclass": lambda model: type("Mine", (zoo.Classifier,), {})(model.features, model.head),
    "another library's": lambda model: nn.Sequential(nn.Linear(2, 2)),
    "no weights": lambda model: model.to("meta"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("change", REFUSED)
def test_it_is_refused_before_anything_is_written(change: str, tmp_path: Path) -> None:
    model = tiny()
    changed = REFUSED[change](model)
    if change == "a subclass":
        changed.bind(model.spec, model.spec.initialize)
    with pytest.raises(
        zoo.WeightsError, match=r"no longer mobilenet_v1|takes a network of the zoo|meta device|no plain"
    ):
        zoo.save_weights(changed, tmp_path / "model.safetensors")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["model.h5", "model", "model.onnx", "", "model.safetensors.zip"])
def test_other_names_are_refused_before_any_work(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoo.weights.saving._plain_state", pytest.fail)
    with pytest.raises(zoo.WeightsError, match=r"saved as \.safetensors or \.pth; got"):
        zoo.save_weights(tiny(), name)


def test_the_file_is_whole_or_not_there(tmp_path: Path) -> None:
    with pytest.raises(zoo.WeightsError, match="cannot be written"):
        zoo.save_weights(tiny(), tmp_path / "nowhere" / "model.safetensors")
    (tmp_path / "folder.pth").mkdir()
    with pytest.raises(zoo.WeightsError, match="is not a file"):
        zoo.save_weights(tiny(), tmp_path / "folder.pth")


def test_what_a_killed_process_left_is_swept(tmp_path: Path) -> None:
    script = (
        "import os, sys, pathlib\nfrom zoo.partial import replacing\n"
        "with replacing(pathlib.Path(sys.argv[1])) as partial:\n"
        "    partial.write_bytes(b'half')\n    os.kill(os.getpid(), 9)"
    )
    path = tmp_path / "model.safetensors"
    assert subprocess.run([sys.executable, "-c", script, str(path)], check=False).returncode == -9
    (left,) = tmp_path.iterdir()
    assert left.name.endswith(".partial")
    alive = tmp_path / left.name.replace(left.name.split("-")[1], str(multiprocessing.current_process().pid))
    alive.write_bytes(b"another's")
    zoo.save_weights(tiny(), path)
    assert {entry.name for entry in tmp_path.iterdir()} == {path.name, alive.name}


# --- what a file says -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_a_file_needs_nothing_else(suffix: str, tmp_path: Path) -> None:
    model = zoo.create(TINY, num_classes=3, in_channels=4)
    model.class_names = ("cat", "dog", "Käfer\n")
    stated = zoo.Input(size=32, resize=40, mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7), interpolation="bicubic")
    zoo.load_weights(model, model.state_dict(), input=stated)
    apply_conventions(model, {path: 1e-5 for path in conventions_of(model)})
    zoo.save_weights(model, tmp_path / f"model{suffix}")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = zoo.load(tmp_path / f"model{suffix}", device="cpu")
    assert same(again, bits(model)) and again.training
    assert again.spec == model.spec and again.spec.input.mean == stated.mean
    assert (again.num_classes, again.in_channels, again.class_names) == (3, 4, ("cat", "dog", "Käfer\n"))
    assert conventions_of(again) == conventions_of(model)
    created = zoo.create(TINY, in_channels=4, weights=tmp_path / f"model{suffix}")
    assert created.class_names == model.class_names
    with pytest.warns(UserWarning, match="last layer is new"):
        assert zoo.create(TINY, in_channels=4, num_classes=2, weights=tmp_path / f"model{suffix}").class_names is None


def test_it_loads_in_another_process(tmp_path: Path) -> None:
    model = tiny()
    zoo.save_weights(model, tmp_path / "model.safetensors")
    script = (
        "import sys, zoo\nm = zoo.load(sys.argv[1])\n"
        "print(m.spec.label, m.num_classes, sum(p.sum().item() for p in m.parameters()))"
    )
    told = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "model.safetensors")], capture_output=True, text=True, check=True
    ).stdout.split()
    assert told[:2] == [model.spec.label, "3"]
    assert float(told[2]) == pytest.approx(sum(p.sum().item() for p in model.parameters()))


def test_files_of_the_first_version_load(tmp_path: Path) -> None:
    import json

    from safetensors.torch import save_file

    model = zoo.create(TINY, num_classes=6, in_channels=1)
    header = {"model": "mobilenet_v1", "options": [list(pair) for pair in model.spec.options],
              "conventions": conventions_of(model), "input": {"size": 32, "channels": 3, "resize": 37,
              "mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bilinear", "rounding": "keras",
              "min_size": 32}}  # fmt: skip
    save_file(model.state_dict(), tmp_path / "old.safetensors", metadata={"comparative-cnn-zoo": json.dumps(header)})
    again = zoo.load(tmp_path / "old.safetensors")
    assert same(again, bits(model)) and again.spec.input.rounding == "keras" and again.class_names is None


def test_a_file_that_does_not_say_what_it_is_is_refused(tmp_path: Path) -> None:
    torch.save(tiny().state_dict(), tmp_path / "plain.pth")
    with pytest.raises(zoo.WeightsError, match=r"does not say which model it is; zoo\.create\(NAME, weights=PATH\)"):
        zoo.load(tmp_path / "plain.pth")
    with pytest.raises(zoo.WeightsError, match="cannot be read: No such file"):
        zoo.load(os.fspath(tmp_path / "nowhere.pth"))
    with pytest.raises(zoo.InvalidOption, match="device"):
        zoo.load(tmp_path / "plain.pth", device="warp")


def test_files_newer_than_the_program_are_refused(tmp_path: Path) -> None:
    import json

    from safetensors.torch import save_file

    header = json.dumps({"format": 3, "model": "mobilenet_v7"})
    save_file(tiny().state_dict(), tmp_path / "new.safetensors", metadata={"comparative-cnn-zoo": header})
    for call in (zoo.load, lambda path: tiny(weights=path)):
        with pytest.raises(zoo.WeightsError, match=r"of format 3, this version reads up to 2; update it: pip install"):
            call(tmp_path / "new.safetensors")
