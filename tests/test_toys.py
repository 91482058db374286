"""One file and one line: a toy of each kind, in a copy of the project, is measured, in the CSV and on the page."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parent.parent

MODEL = '''"""A convolution and a classifier."""

from functools import partial

from zoo.initialization import truncated_normal
from zoo.lazy import blocks, classifier, nn
from zoo.spec import Input, ModelSpec, Paper


def toy(*, num_classes, in_channels):
    features = nn.Sequential()
    features.add_module("conv1", blocks.conv_norm_act(in_channels, 8, 3, stride=2))
    return classifier.Classifier(features, blocks.classifier_head("global_pool", 8, num_classes, dropout=0.0))


SPECS = (
    ModelSpec(
        name="toy", title="Toy", family="toy", build=toy, initialize=partial(truncated_normal, std=0.1),
        input=Input(size=32, resize=36, min_size=8),
        paper=Paper(title="Toys", authors="Nobody", year=2026, url="https://example.org"),
    ),
)
'''
METRIC = '''"""Filters of the first convolution."""

from benchmarks.metrics.metric import Column, Metric
from benchmarks.records.record import Measurement


def measure(subject):
    first = next(tensor for tensor in subject.structure.parameters() if tensor.dim() == 4)
    subject.notes.append("filters are not neurons")
    return (Measurement(name="filters", value=first.shape[0], unit="count"),)


METRIC = Metric(
    name="filters", title="filters of the first layer", depends_on=(), measure=measure, shares_process=True,
    columns=(Column(name="first_filters", measurement="filters", whole=True, better="low", title="First filters",
                    digits=0),),
)
'''
RUNTIME = '''"""PyTorch once more."""

ANY_SHAPE = True
LIBRARIES = ()


def unavailable():
    return None


def open(model, images):
    return model
'''
DATA = '''"""Stripes and none."""

from zoo.data.dataset import Data, Dataset, Facts
from zoo.data.pixels import Pixels


def open_stripes(data_dir, *, val_fraction=0.2, seed=0, group=None):
    import torch

    def split(part, count):
        labels = torch.arange(count) % 2
        pixels = torch.zeros(count, 1, 28, 28, dtype=torch.uint8)
        pixels[labels == 1, :, ::2] = 255
        return Pixels(pixels=pixels, labels=labels, part=part, numbers=torch.arange(count), statistics=(0.25, 0.25))

    return Data(
        name="stripes", class_names=("none", "stripes"), train=split("train", 40), test=split("test", 20),
        fingerprint="stripes", statistics=(0.25, 0.25),
    )


SETS = (
    Dataset(
        name="stripes", label="Stripes", title="Stripes and none", source="here", licence="none",
        open=open_stripes, facts=lambda data_dir: Facts(2, 40, 0, 20), fingerprint=lambda data_dir: "stripes",
        unavailable=lambda data_dir: None,
    ),
)
'''
STUDY = '''"""A toy against itself on fewer pixels."""

from benchmarks.studies.arm import Arm
from benchmarks.studies.claims import more_accurate
from benchmarks.studies.study import Claim, Study

CLAIM = Claim(text="pixels help", source="nowhere", judge=more_accurate("more", "less"))
STUDY = Study(
    name="pixels",
    question="Do pixels help?",
    source="nowhere",
    arms=(Arm(title="more", model="toy", img_size=32), Arm(title="less", model="toy", img_size=16)),
    claims=(CLAIM,),
    seeds=(1,),
)
'''
TOYS = {
    "zoo/models/toy.py": MODEL,
    "benchmarks/metrics/filters.py": METRIC,
    "zoo/runtimes/plain.py": RUNTIME,
    "zoo/data/stripes.py": DATA,
    "benchmarks/studies/pixels.py": STUDY,
}
LAST = {"zoo/models": "mobilenet_v1", "benchmarks/metrics": "accuracy", "zoo/runtimes": "eager", "zoo/data": "imagenet",
        "benchmarks/studies": "xception_block"}  # the entry that the new line stands after  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of a run in a copy of the project with a toy of each kind."""
    copy = tmp_path_factory.mktemp("project")
    for package in ("zoo", "benchmarks"):
        shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    for path, text in TOYS.items():
        (copy / path).write_text(text)
        package, name = str(Path(path).parent), Path(path).stem
        listing = copy / package / "__init__.py"
        lines = listing.read_text().splitlines()
        (place,) = [number for number, line in enumerate(lines) if line.strip() == f'"{LAST[package]}",']
        lines.insert(place + 1, lines[place].replace(LAST[package], name))
        listing.write_text("\n".join(lines) + "\n")
    arguments = (
        "--models toy --metrics filters,latency,accuracy --runtimes eager,plain --dataset stripes "
        "--studies pixels --max-time 0.2 --rounds 2 --epochs 1 --num-threads 1 --output-dir out"
    )
    command = [sys.executable, "-m", "benchmarks.run", *arguments.split()]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "filters are not neurons" in done.stderr
    return copy / "out"


def test_toys_are_in_the_csv(run: Path) -> None:
    frame = pd.read_csv(run / "results.csv")
    assert set(frame["model"]) == {"toy"} and set(frame["family"]) == {"toy"}
    assert set(frame["first_filters"].dropna()) == {8}
    assert {"eager", "plain"} <= set(frame.dropna(subset=["latency_ms_p50"])["runtime"])
    trained = frame.dropna(subset=["top1"])
    assert set(trained["dataset"]) == {"stripes"} and set(trained["train_img_size"]) == {16, 32, 40}
    assert set(trained["seed"]) == {0, 1}
    assert frame["notes"].str.contains("filters are not neurons").all()


def test_toys_are_on_the_page(run: Path) -> None:
    page = (run / "details.md").read_text()
    table = next(line for line in page.splitlines() if line.startswith("| Model "))
    assert "First filters" in table and "Stripes" in table
    assert "filters are not neurons" in page
    runtimes = page.partition("## Runtimes")[2].splitlines()
    assert any("plain" in line and "eager" in line for line in runtimes)
    study = (run / "studies" / "pixels.md").read_text()
    assert study.startswith("# Do pixels help?") and "pixels help" in study
    assert "studies/pixels.md" in page
