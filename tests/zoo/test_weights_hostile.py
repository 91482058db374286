"""Broken files and files that would do harm: one line each, no code run, and the network is what it was."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

import zoo
from tests.zoo import hostile
from tests.zoo.weight_files import bits, same, tiny, write_all
from zoo.errors import LONGEST

KINDS: dict[str, Callable[[Path, zoo.Classifier], hostile.Made]] = {
    "pickles": lambda folder, model: hostile.pickles(folder),
    "truncations": lambda folder, model: hostile.truncations(folder, write_all(folder, model)),
    "hdf5": hostile.hdf5,
    "headers": hostile.headers,
    "archives": hostile.archives,
}
SAMPLE = {"pickles": 12, "truncations": 4, "hdf5": 3, "headers": 4, "archives": 5}  # one in so many, in the fast run
LEAST = {"pickles": 300, "truncations": 60, "hdf5": 70, "headers": 70, "archives": 70}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(made: hostile.Made, model: zoo.Classifier) -> Iterator[str]:
    """Tries each file on a network; what may load has the network's own weights."""
    before, images = bits(model), model.spec.input
    for what, path in made:
        try:
            zoo.load_weights(model, path)
        except zoo.WeightsError as error:
            assert "\n" not in str(error) and len(str(error)) <= LONGEST, what
        assert same(model, before) and model.spec.input == images, what
        yield what
    assert not Path(hostile.MARK).exists()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "hdf5" or find_spec("h5py")])
def test_a_sample_of_each_kind(kind: str, here: Path) -> None:
    model = tiny()
    made = itertools.islice(KINDS[kind](here, model), 0, None, SAMPLE[kind])
    assert len(list(refused(made, model))) >= LEAST[kind] // SAMPLE[kind]


SCRIPT = """
import resource, sys, warnings
from pathlib import Path
import torch
from tests.zoo import test_weights_hostile as tests
warnings.simplefilter("ignore")
kind, folder = sys.argv[1], Path(sys.argv[2])
model = tests.tiny()
tests.zoo.save_weights(model, folder / "first.safetensors")
tests.zoo.load_weights(model, folder / "first.safetensors")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(len(list(tests.refused(tests.KINDS[kind](folder, model), model))))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "hdf5" or find_spec("h5py")])
def test_all_of_each_kind_in_bounded_memory_and_time(kind: str, here: Path) -> None:
    command = [sys.executable, "-c", SCRIPT, kind, str(here)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr[-2000:]
    count, grown = map(int, result.stdout.split())
    assert count >= LEAST[kind]
    assert grown < 500e6
    assert not Path(hostile.MARK).exists()


# --- compressed and overlapping ---------------------------------------------------------------------------------------


def repacked(path: Path, to: Path, **changed: bytes) -> Path:
    """The archive with its entries compressed, the largest first, and some of them exchanged."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in sorted(old.infolist(), key=lambda entry: -entry.file_size):
            leaf = entry.filename.rpartition("/")[2]
            new.writestr(entry.filename, changed.get(leaf, old.read(entry)))
    return to


@pytest.mark.filterwarnings("ignore:.*does not say")
def test_a_compressed_archive_loads_to_the_bit(tmp_path: Path) -> None:
    model = tiny()
    torch.save(model.state_dict(), tmp_path / "stored.pth")
    path = repacked(tmp_path / "stored.pth", tmp_path / "packed.pth")
    assert same(tiny(num_classes=None, weights=path), bits(model))


def test_a_record_that_is_too_short_is_refused(tmp_path: Path) -> None:
    torch.save(tiny().state_dict(), tmp_path / "stored.pth")
    path = repacked(tmp_path / "stored.pth", tmp_path / "short.pth", **{"0": b"\0" * 8})
    with pytest.raises(zoo.WeightsError, match="record '0' is shorter than the tensors in it"):
        tiny(weights=path)
    with zipfile.ZipFile(tmp_path / "stored.pth") as old, zipfile.ZipFile(tmp_path / "plain.pth", "w") as new:
        for entry in old.infolist():
            new.writestr(entry.filename, old.read(entry)[: 8 if entry.filename.endswith("data/0") else None])
    with pytest.raises(zoo.WeightsError, match="record '0' is shorter than the tensors in it"):
        tiny(weights=tmp_path / "plain.pth")


@pytest.mark.filterwarnings("ignore:.*does not say")
def test_tensors_that_share_memory_in_a_file_have_their_own_in_a_network(tmp_path: Path) -> None:
    state = tiny().state_dict()
    state["features.dw_2.norm.bias"] = state["features.dw_2.norm.weight"]
    state["features.pw_2.norm.bias"] = torch.ones(1).expand_as(state["features.pw_2.norm.bias"])
    torch.save(state, tmp_path / "shared.pth")
    model = tiny(weights=tmp_path / "shared.pth")
    for tensor in model.parameters():
        with torch.no_grad():
            tensor += 1
    expected = {key: value + 1 for key, value in state.items() if key in dict(model.named_parameters())}
    assert all(torch.equal(tensor, expected[key]) for key, tensor in model.named_parameters())


# --- what is no file of weights ---------------------------------------------------------------------------------------

OTHERS = {
    "a Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 46830571\n",
    "a web page": b"\n<!DOCTYPE html>\n<html><head><title>404</title></head></html>",
    "compressed by gzip": b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03",
    "an image": b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR",
    "a text file": b"conv1.weight 0.5 0.25\nconv1.bias 1.0\n",
    "empty": b"",
    "a document": b"%PDF-1.7",
    "neither of PyTorch": bytes(range(200, 240)),
    "a plain pickle": b"\x80\x02}q\x00.",
}


@pytest.mark.parametrize("what", OTHERS)
def test_the_reason_is_the_true_one(what: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(OTHERS[what])
    with pytest.raises(zoo.WeightsError, match=rf"weights\.pth is {what}"):
        tiny(weights=path)


ARCHIVES = {
    "is TorchScript, which is code": ("net/data.pkl", "net/constants.pkl", "net/code/__torch__.py"),
    "is an exported program": ("net/archive_format", "net/models/model.json", "net/data/weights/weight_0"),
    "is a whole saved model of Keras": ("metadata.json", "config.json", "model.weights.h5"),
    "is a NumPy archive": ("conv1.npy", "conv2.npy"),
    "is a zip archive of something else": ("notes.md",),
}


@pytest.mark.parametrize("what", ARCHIVES)
def test_other_archives_are_named(what: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "weights.pth", "w") as archive:
        for name in ARCHIVES[what]:
            archive.writestr(name, b"{}")
    with pytest.raises(zoo.WeightsError, match=what):
        tiny(weights=tmp_path / "weights.pth")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_what_pytorch_writes_besides_weights_is_named(tmp_path: Path) -> None:
    layer = torch.nn.Linear(2, 2)
    torch.jit.save(torch.jit.script(layer), tmp_path / "script.pt")
    torch.export.save(torch.export.export(layer, (torch.zeros(1, 2),)), tmp_path / "exported.pt2")
    for name, what in (("script.pt", "TorchScript"), ("exported.pt2", "exported program")):
        with pytest.raises(zoo.WeightsError, match=what):
            tiny(weights=tmp_path / name)


def test_a_pickled_network_is_no_file_of_weights(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2), tmp_path / "whole.pth")
    with pytest.raises(zoo.WeightsError, match=r"a whole network was pickled \(torch\.nn\.modules\.linear\.Linear\)"):
        tiny(weights=tmp_path / "whole.pth")


@pytest.mark.parametrize("what", ["a folder", "a pipe", "a device"])
def test_what_is_no_file_is_not_opened(what: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    if what == "a folder":
        path.mkdir()
    elif what == "a pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    for call in (zoo.load, lambda path: tiny(weights=path)):
        with pytest.raises(zoo.WeightsError, match=rf"is {what}, not a file|should hold"):
            call(path)
    with pytest.raises(zoo.WeightsError, match="no file"):
        tiny(weights=tmp_path / "nowhere.pth")
    with pytest.raises(zoo.WeightsError, match="cannot be read"):
        zoo.load("a\0b")
